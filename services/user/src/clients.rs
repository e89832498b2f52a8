//! What the user service asks of other services.

use taskman_ids::{CompanyId, LinkRequestId, UserId};
use taskman_proto::authentication::{
    CreateCredentialRequest, CreateLinkRequestRequest, LinkPurpose, RevokeSubjectRequest,
};
use taskman_proto::iam::ProvisionCompanyRequest;
use taskman_rpc::UpstreamError;
use tonic::Code;

use crate::app::App;
use crate::error::Error;

/// Has the first password of a user stored. What is wrong with the password is the client's to know.
pub(crate) async fn create_credential(
    app: &App,
    company: CompanyId,
    user: UserId,
    password: String,
    personal_words: Vec<String>,
) -> Result<(), Error> {
    let request = CreateCredentialRequest {
        user_id: user.to_string(),
        company_id: company.to_string(),
        password,
        personal_words,
    };
    match app.authentication.clone().create_credential(request).await.map_err(UpstreamError::from) {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Code::InvalidArgument => Err(Error::Invalid(error.violations())),
        Err(error) => Err(error.into()),
    }
}

/// Opens the request for the link with which an invited user sets a password.
pub(crate) async fn create_link_request(
    app: &App,
    company: CompanyId,
    user: UserId,
    link: LinkRequestId,
) -> Result<(), Error> {
    let request = CreateLinkRequestRequest {
        link_request_id: link.to_string(),
        user_id: user.to_string(),
        company_id: company.to_string(),
        purpose: LinkPurpose::SetPassword.into(),
    };
    app.authentication.clone().create_link_request(request).await.map_err(UpstreamError::from)?;
    Ok(())
}

/// Ends the sessions of a user.
pub(crate) async fn revoke_subject(app: &App, company: CompanyId, user: UserId, reason: &str) -> Result<(), Error> {
    let request =
        RevokeSubjectRequest { user_id: user.to_string(), company_id: company.to_string(), reason: reason.to_owned() };
    app.authentication.clone().revoke_subject(request).await.map_err(UpstreamError::from)?;
    Ok(())
}

/// Makes the roles of a new company and gives `admin` to its first user.
pub(crate) async fn provision_company(app: &App, company: CompanyId, admin: UserId) -> Result<(), Error> {
    let request = ProvisionCompanyRequest { company_id: company.to_string(), admin_user_id: admin.to_string() };
    app.iam.clone().provision_company(request).await.map_err(UpstreamError::from)?;
    Ok(())
}
