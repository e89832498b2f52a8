//! Questions to other services.

use std::time::Duration;

use taskman_ids::{CompanyId, UserId};
use taskman_proto::user::GetAssignableRequest;
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_resilience::deadline::{self, Deadline};
use taskman_rpc::client::Channel;
use tonic::Status;

use crate::domain::task::Candidate;
use crate::error::Error;

/// The user service.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    client: UserServiceClient<Channel>,
    timeout: Duration,
}

impl Users {
    /// Asks through `channel`, and waits at most `timeout` for each answer.
    pub(crate) fn new(channel: Channel, timeout: Duration) -> Self {
        Self { client: UserServiceClient::new(channel), timeout }
    }

    /// Asks whether `user` can be given a task; fails with [`Error::UserServiceAway`] whatever the reason is (A5).
    pub(crate) async fn candidate(&self, company: CompanyId, user: UserId) -> Result<Candidate, Error> {
        let request = GetAssignableRequest { company_id: company.to_string(), user_id: user.to_string() };
        let mut client = self.client.clone();
        let answer = deadline::scope(Deadline::after(self.timeout), async {
            match deadline::enforce(client.get_assignable(request)).await {
                Ok(answer) => answer,
                Err(_) => Err(Status::deadline_exceeded("the user service did not answer in time")),
            }
        });
        let answer = answer.await.map_err(|status| Error::UserServiceAway(status.into()))?.into_inner();
        Ok(Candidate { user, is_active: answer.exists && answer.active })
    }
}
