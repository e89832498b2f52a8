//! The RPCs of the notification service, in the order of the proto.

mod convert;

use std::sync::Arc;

use taskman_proto::notification::notification_service_server::NotificationService;
use taskman_proto::notification::{GetHistoryRequest, GetHistoryResponse, SendEmailRequest, SendEmailResponse};
use taskman_rpc::handle;
use tonic::{Request, Response, Status};

use crate::app::{self, App};
use crate::error::Error;

/// Serves `taskman.notification.v1.NotificationService`.
#[derive(Debug)]
pub(crate) struct Notifications(Arc<App>);

impl Notifications {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl NotificationService for Notifications {
    async fn send_email(&self, request: Request<SendEmailRequest>) -> Result<Response<SendEmailResponse>, Status> {
        handle(request, |caller, request| async move {
            app::send_email::send_email(&self.0, &caller, request.try_into()?).await
        })
        .await
    }

    async fn get_notification_history(
        &self,
        request: Request<GetHistoryRequest>,
    ) -> Result<Response<GetHistoryResponse>, Status> {
        handle(request, |caller, request| async move {
            let page =
                app::get_notification_history::get_notification_history(&self.0, &caller, request.try_into()?).await?;
            Ok::<_, Error>(convert::listed(page))
        })
        .await
    }
}
