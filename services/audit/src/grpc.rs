//! The RPCs of the audit service, in the order of the proto.

mod convert;
mod structs;

use std::sync::Arc;

use taskman_proto::audit::audit_service_server::AuditService;
use taskman_proto::audit::{LogEventRequest, LogEventResponse, QueryEventsRequest, QueryEventsResponse};
use taskman_rpc::{handle, handle_fleet};
use tonic::{Request, Response, Status};

use crate::app::{self, App};
use crate::error::Error;

/// Serves `taskman.audit.v1.AuditService`.
#[derive(Debug)]
pub(crate) struct Audit(Arc<App>);

impl Audit {
    pub(crate) const fn new(app: Arc<App>) -> Self {
        Self(app)
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn log_event(&self, request: Request<LogEventRequest>) -> Result<Response<LogEventResponse>, Status> {
        handle_fleet(request, |service, request| async move {
            let event = convert::event(request, service, &self.0.schemas, self.0.clock.now())?;
            let recorded = app::log_event::log_event(&self.0, event).await?;
            Ok::<_, Error>(LogEventResponse { recorded })
        })
        .await
    }

    async fn query_events(
        &self,
        request: Request<QueryEventsRequest>,
    ) -> Result<Response<QueryEventsResponse>, Status> {
        handle(request, |caller, request| async move {
            let query = convert::query(request, self.0.clock.now())?;
            let page = app::query_events::query_events(&self.0, &caller, query).await?;
            Ok::<_, Error>(convert::page(page))
        })
        .await
    }
}
