//! Questions to other services: who somebody is, and what roles they have.

use taskman_ids::{CompanyId, UserId};
use taskman_proto::iam::GetSubjectRolesRequest;
use taskman_proto::iam::iam_admin_service_client::IamAdminServiceClient;
use taskman_proto::user::get_login_subject_request::By;
use taskman_proto::user::user_service_client::UserServiceClient;
use taskman_proto::user::{CompanyStatus, GetLoginSubjectRequest, LoginSubject};
use taskman_rpc::UpstreamError;
use taskman_rpc::client::Channel;
use tonic::Code;

use crate::domain::subject::{Rights, Subject};
use crate::error::Error;

/// Nobody has a longer address; more of it is not sent on.
const LONGEST_EMAIL: usize = 320;

/// The services that are asked.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    users: UserServiceClient<Channel>,
    iam: IamAdminServiceClient<Channel>,
}

impl Clients {
    /// Takes the channels.
    pub(crate) fn new(user: Channel, iam_admin: Channel) -> Self {
        Self { users: UserServiceClient::new(user), iam: IamAdminServiceClient::new(iam_admin) }
    }

    /// Finds whoever has an address, as it was typed.
    pub(crate) async fn subject_by_email(&self, email: &str) -> Result<Option<Subject>, Error> {
        let end = email.floor_char_boundary(LONGEST_EMAIL);
        self.subject(By::Email(email[..end].to_owned())).await
    }

    /// Finds a user.
    pub(crate) async fn subject_by_id(&self, user: UserId) -> Result<Option<Subject>, Error> {
        self.subject(By::UserId(user.to_string())).await
    }

    async fn subject(&self, by: By) -> Result<Option<Subject>, Error> {
        let answer = self.users.clone().get_login_subject(GetLoginSubjectRequest { by: Some(by) }).await;
        match answer.map_err(UpstreamError::from) {
            Ok(response) => response.into_inner().subject.map(Subject::try_from).transpose(),
            // What is no address at all is an address that nobody has.
            Err(error) if matches!(error.code(), Code::InvalidArgument | Code::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the roles of a user; nobody has none.
    pub(crate) async fn rights(&self, company: CompanyId, user: UserId) -> Result<Rights, Error> {
        let request = GetSubjectRolesRequest { user_id: user.to_string(), company_id: company.to_string() };
        match self.iam.clone().get_subject_roles(request).await.map_err(UpstreamError::from) {
            Ok(response) => {
                let response = response.into_inner();
                Ok(Rights { roles: response.roles, position: response.position })
            }
            // Nobody must look like somebody, also where the other service is stricter with ids that it does not know.
            Err(error) if matches!(error.code(), Code::InvalidArgument | Code::NotFound) => Ok(Rights::default()),
            Err(error) => Err(error.into()),
        }
    }
}

impl TryFrom<LoginSubject> for Subject {
    type Error = Error;

    fn try_from(subject: LoginSubject) -> Result<Self, Error> {
        let company_active = subject.company_status() == CompanyStatus::Active;
        Ok(Self {
            user: UserId::parse(&subject.user_id).map_err(|_| Error::Damaged("LoginSubject.user_id"))?,
            company: CompanyId::parse(&subject.company_id).map_err(|_| Error::Damaged("LoginSubject.company_id"))?,
            personal_words: vec![subject.email.clone(), subject.username, subject.first_name, subject.company_name],
            email: subject.email,
            active: subject.active,
            company_active,
        })
    }
}
