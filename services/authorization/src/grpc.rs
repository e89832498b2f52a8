//! The RPCs of the authorization service, in the order of the proto.

pub(crate) mod convert;

use std::sync::Arc;

use taskman_proto::authorization::authorization_service_server::AuthorizationService;
use taskman_proto::authorization::{
    CheckRequest, CheckResponse, DecideBatchRequest, DecideBatchResponse, DecideRequest, DecideResponse,
};
use taskman_rpc::{handle, handle_fleet};
use tonic::{Request, Response, Status};

use crate::app::{self, App};
use crate::error::Error;

/// Serves `taskman.authorization.v1.AuthorizationService`.
#[derive(Debug)]
pub(crate) struct Authorization(Arc<App>);

impl Authorization {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl AuthorizationService for Authorization {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        handle(request, |caller, request| async move {
            let checked = app::check::check(&self.0, &caller, request.try_into()?).await?;
            Ok::<_, Error>(checked.into())
        })
        .await
    }

    async fn decide(&self, request: Request<DecideRequest>) -> Result<Response<DecideResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let decided = app::decide::decide(&self.0, request.try_into()?).await?;
            Ok::<_, Error>(decided.into())
        })
        .await
    }

    async fn decide_batch(
        &self,
        request: Request<DecideBatchRequest>,
    ) -> Result<Response<DecideBatchResponse>, Status> {
        handle_fleet(request, |_, request| async move {
            let verdicts = app::decide_batch::decide_batch(&self.0, request.try_into()?).await?;
            Ok::<_, Error>(convert::batch(verdicts))
        })
        .await
    }
}
