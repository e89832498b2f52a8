//! Decides the service's own calls in process: whoever decides must not ask itself over the network.

use std::sync::Arc;

use async_trait::async_trait;
use taskman_access::{Decide, Decision, Question};
use taskman_errors::Violations;
use taskman_policy::Action;
use taskman_rpc::{UpstreamError, origin, status};

use crate::app::decide::{self, Decided};
use crate::app::judge::Verdict;
use crate::app::{self, App};
use crate::domain::position::Positions;
use crate::error::Error;
use crate::grpc::convert;

/// Decides with the use case that serves everybody else.
#[derive(Debug)]
pub(crate) struct LocalDecide(Arc<App>);

impl LocalDecide {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[async_trait]
impl Decide for LocalDecide {
    async fn decide(&self, question: Question<'_>) -> Result<Decision, UpstreamError> {
        let decided = decide_locally(&self.0, question).await;
        let Decided { decision_id, verdict, .. } =
            decided.map_err(|error| UpstreamError::from(status::from_failure(&error)))?;
        Ok(match verdict {
            Verdict::Allow => Decision::Allow,
            Verdict::Deny => Decision::Deny { decision_id: decision_id.to_string() },
            Verdict::ResourceNotFound => Decision::ResourceNotFound,
        })
    }
}

async fn decide_locally(app: &App, question: Question<'_>) -> Result<Decided, Error> {
    let Question { caller, action, resources, mutating } = question;
    let mut found = Violations::new();
    let action = found.check("action", Action::parse(action));
    let resources = convert::resources(&mut found, resources);
    let (action, resources) = found.finish_with(action.zip(resources))?;
    let command = decide::Decide {
        user: caller.user,
        company: caller.company,
        action,
        resources,
        at_least: Positions { iam: caller.iam_position, user: 0 },
        mutating,
        origin: origin(caller),
    };
    app::decide::decide(app, command).await
}
