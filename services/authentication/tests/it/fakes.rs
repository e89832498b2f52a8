//! Stand-ins for the services that a login asks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::stream::Empty;
use taskman_proto::iam::{GetSubjectRolesRequest, GetSubjectRolesResponse};
use taskman_proto::user::get_login_subject_request::By;
use taskman_proto::user::{GetLoginSubjectRequest, GetLoginSubjectResponse, LoginSubject};
use taskman_proto::{iam, user};
use tokio::sync::Notify;
use tonic::{Request, Response, Status};

macro_rules! unimplemented_methods {
    ($($method:ident: $package:ident::$request:ident => $reply:ty),* $(,)?) => {
        $(fn $method<'life0, 'async_trait>(
            &'life0 self,
            _: Request<$package::$request>,
        ) -> std::pin::Pin<Box<dyn Future<Output = Result<Response<$reply>, Status>> + Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async { Err(Status::unimplemented(stringify!($method))) })
        })*
    };
}

/// A user service that knows the users it was told of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users {
    known: Arc<Mutex<Vec<LoginSubject>>>,
    asked: Arc<AtomicUsize>,
}

impl Users {
    /// Knows `subject` from now on, in the place of whoever had its id.
    pub(crate) fn put(&self, subject: LoginSubject) {
        let mut known = self.known.lock().unwrap();
        known.retain(|other| other.user_id != subject.user_id);
        known.push(subject);
    }

    /// Forgets a user.
    pub(crate) fn forget(&self, user: &str) {
        self.known.lock().unwrap().retain(|known| known.user_id != user);
    }

    /// Says how often somebody was asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[tonic::async_trait]
impl user::user_service_server::UserService for Users {
    async fn get_login_subject(
        &self,
        request: Request<GetLoginSubjectRequest>,
    ) -> Result<Response<GetLoginSubjectResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let by = request.into_inner().by.unwrap();
        let known = self.known.lock().unwrap();
        let found = known.iter().find(|known| match &by {
            By::Email(email) => known.email == email.trim().to_lowercase(),
            By::UserId(id) => known.user_id == *id,
        });
        Ok(Response::new(GetLoginSubjectResponse { subject: found.cloned() }))
    }

    type WatchChangesStream = Empty<Result<user::WatchChangesResponse, Status>>;

    unimplemented_methods! {
        register_company: user::RegisterCompanyRequest => user::RegisterCompanyResponse,
        create_user: user::CreateUserRequest => user::CreateUserResponse,
        get_user: user::GetUserRequest => user::GetUserResponse,
        get_current_user: user::GetCurrentUserRequest => user::GetCurrentUserResponse,
        list_users: user::ListUsersRequest => user::ListUsersResponse,
        activate_user: user::ActivateUserRequest => user::ActivateUserResponse,
        deactivate_user: user::DeactivateUserRequest => user::DeactivateUserResponse,
        get_subject: user::GetSubjectRequest => user::GetSubjectResponse,
        get_assignable: user::GetAssignableRequest => user::GetAssignableResponse,
        watch_changes: user::WatchChangesRequest => Self::WatchChangesStream,
    }
}

/// An IAM service in which everybody is a developer at position 7.
#[derive(Debug, Clone, Default)]
pub(crate) struct Iam {
    asked: Arc<AtomicUsize>,
    held: Arc<Mutex<Option<Arc<Notify>>>>,
}

impl Iam {
    /// Says how often roles were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Does not answer the next question until it is notified.
    pub(crate) fn hold(&self) -> Arc<Notify> {
        let go = Arc::new(Notify::new());
        *self.held.lock().unwrap() = Some(Arc::clone(&go));
        go
    }
}

#[tonic::async_trait]
impl iam::iam_admin_service_server::IamAdminService for Iam {
    async fn get_subject_roles(
        &self,
        _: Request<GetSubjectRolesRequest>,
    ) -> Result<Response<GetSubjectRolesResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let held = self.held.lock().unwrap().take();
        if let Some(go) = held {
            go.notified().await;
        }
        Ok(Response::new(GetSubjectRolesResponse { roles: vec!["developer".to_owned()], position: 7 }))
    }

    type WatchChangesStream = Empty<Result<iam::WatchChangesResponse, Status>>;

    unimplemented_methods! {
        list_roles: iam::ListRolesRequest => iam::ListRolesResponse,
        assign_role_to_user: iam::AssignRoleRequest => iam::AssignRoleResponse,
        revoke_role_from_user: iam::RevokeRoleRequest => iam::RevokeRoleResponse,
        list_user_roles: iam::ListUserRolesRequest => iam::ListUserRolesResponse,
        provision_company: iam::ProvisionCompanyRequest => iam::ProvisionCompanyResponse,
        watch_changes: iam::WatchChangesRequest => Self::WatchChangesStream,
    }
}
