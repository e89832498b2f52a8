//! What the notification service asks of other services.

use taskman_ids::{CompanyId, LinkRequestId, UserId};
use taskman_proto::authentication::{LinkPurpose, MintLinkRequest};
use taskman_proto::user::{CompanyStatus, GetLoginSubjectRequest, get_login_subject_request::By};
use taskman_rpc::UpstreamError;
use tonic::Code;

use crate::app::App;
use crate::error::Error;

/// A recipient as they are at this moment.
pub(crate) struct Subject {
    pub(crate) company: CompanyId,
    pub(crate) company_name: String,
    pub(crate) email: String,
    pub(crate) username: String,
    pub(crate) first_name: String,
    /// Active, in a company that is not suspended.
    pub(crate) active: bool,
}

/// Asks the user service who a recipient is.
pub(crate) async fn login_subject(app: &App, user: UserId) -> Result<Option<Subject>, Error> {
    let request = GetLoginSubjectRequest { by: Some(By::UserId(user.to_string())) };
    let reply = app.users.clone().get_login_subject(request).await.map_err(UpstreamError::from)?.into_inner();
    Ok(reply.subject.and_then(|subject| {
        Some(Subject {
            company: CompanyId::parse(&subject.company_id).ok()?,
            active: subject.active && subject.company_status() != CompanyStatus::Suspended,
            company_name: subject.company_name,
            email: subject.email,
            username: subject.username,
            first_name: subject.first_name,
        })
    }))
}

/// Has the secret of a link made; nothing when the link cannot be used any more.
pub(crate) async fn mint_link(app: &App, link: LinkRequestId, purpose: LinkPurpose) -> Result<Option<String>, Error> {
    let request = MintLinkRequest { link_request_id: link.to_string(), purpose: purpose.into() };
    match app.authentication.clone().mint_link(request).await.map_err(UpstreamError::from) {
        Ok(reply) => Ok(Some(reply.into_inner().token)),
        Err(error) if matches!(error.code(), Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
