//! A started IAM admin service with a provisioned company.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use taskman_clock::Clock as _;
use taskman_events::Envelope;
use taskman_iam_admin::{Config, IamAdminService};
use taskman_identity::Caller;
use taskman_ids::{CompanyId, UserId};
use taskman_proto::iam::iam_admin_service_client::IamAdminServiceClient;
use taskman_proto::iam::{
    AssignRoleRequest, AssignRoleResponse, GetSubjectRolesRequest, ListRolesRequest, ListUserRolesRequest,
    ProvisionCompanyRequest, RevokeRoleRequest, RevokeRoleResponse, UserRole,
};
use taskman_testkit::{Calls, TestService, caller, caller_of, service};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt as _;

/// A client of the service.
pub(crate) type Client = IamAdminServiceClient<Calls>;

/// A service at work, with one company.
pub(crate) struct World {
    /// The service.
    pub(crate) service: TestService,
    /// The first user of the company.
    pub(crate) admin: Caller,
    /// The roles of the company: name and id.
    pub(crate) roles: BTreeMap<String, String>,
}

impl World {
    /// Starts the service and provisions a company, which is the change at position 1.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts the service with another configuration.
    pub(crate) async fn start_with(change: impl FnOnce(&mut taskman_chassis::Config<Config>)) -> Self {
        let configure = |config: &mut taskman_chassis::Config<Config>| {
            // The machine of a test may be slow; what is tested here is not how fast it is.
            config.database.acquire_timeout_ms = 20_000;
            config.database.lock_timeout_ms = 20_000;
            config.database.statement_timeout_ms = 20_000;
            config.service.expire_roles_every_ms = 20;
            change(config);
        };
        let service = service::<IamAdminService>().configure(configure).start().await;
        let mut world = Self { service, admin: caller(), roles: BTreeMap::new() };
        assert_eq!(world.provision(&world.admin).await.unwrap(), 1);
        world.roles = world.roles_of(&world.admin).await;
        world
    }

    /// Has a company provisioned for its first user, as the user service does.
    pub(crate) async fn provision(&self, admin: &Caller) -> Result<i64, Status> {
        let request =
            ProvisionCompanyRequest { company_id: admin.company.to_string(), admin_user_id: admin.user.to_string() };
        Ok(self.fleet("user").provision_company(request).await?.into_inner().position)
    }

    /// Returns a client for `caller`.
    pub(crate) fn of(&self, caller: &Caller) -> Client {
        IamAdminServiceClient::new(self.service.caller(caller))
    }

    /// Returns a client for a service of the fleet.
    pub(crate) fn fleet(&self, service: &str) -> Client {
        IamAdminServiceClient::new(self.service.fleet(service))
    }

    /// Returns a colleague who holds `role`.
    pub(crate) async fn colleague(&self, role: &str) -> Caller {
        let colleague = caller_of(self.admin.company);
        self.assign(&self.admin, colleague.user, role).await.unwrap();
        colleague
    }

    /// Lists the roles of the caller's company: name and id.
    pub(crate) async fn roles_of(&self, caller: &Caller) -> BTreeMap<String, String> {
        let reply = self.of(caller).list_roles(ListRolesRequest::default()).await.unwrap().into_inner();
        reply.roles.into_iter().map(|role| (role.name, role.id)).collect()
    }

    /// Returns the request for a role without end.
    pub(crate) fn request(&self, user: UserId, role: &str) -> AssignRoleRequest {
        AssignRoleRequest {
            user_id: user.to_string(),
            role_id: self.roles[role].clone(),
            ..AssignRoleRequest::default()
        }
    }

    /// Gives a role without end.
    pub(crate) async fn assign(&self, by: &Caller, user: UserId, role: &str) -> Result<AssignRoleResponse, Status> {
        self.of(by).assign_role_to_user(self.request(user, role)).await.map(Response::into_inner)
    }

    /// Gives a role for a time.
    pub(crate) async fn assign_for(
        &self,
        user: UserId,
        role: &str,
        time: TimeDelta,
    ) -> Result<AssignRoleResponse, Status> {
        let expires_at = Some(timestamp(self.service.clock().now() + time));
        let request = AssignRoleRequest { expires_at, ..self.request(user, role) };
        self.of(&self.admin).assign_role_to_user(request).await.map(Response::into_inner)
    }

    /// Takes a role.
    pub(crate) async fn revoke(&self, by: &Caller, user: UserId, role: &str) -> Result<RevokeRoleResponse, Status> {
        let request = RevokeRoleRequest {
            user_id: user.to_string(),
            role_id: self.roles[role].clone(),
            ..RevokeRoleRequest::default()
        };
        self.of(by).revoke_role_from_user(request).await.map(Response::into_inner)
    }

    /// Lists what a user of the company holds.
    pub(crate) async fn held(&self, user: UserId) -> Vec<UserRole> {
        let request = ListUserRolesRequest { user_id: user.to_string() };
        self.of(&self.admin).list_user_roles(request).await.unwrap().into_inner().roles
    }

    /// Lists the names of what a user of the company holds, as a login sees them, and the position.
    pub(crate) async fn names(&self, company: CompanyId, user: UserId) -> (Vec<String>, i64) {
        let request = GetSubjectRolesRequest { user_id: user.to_string(), company_id: company.to_string() };
        let reply = self.fleet("authentication").get_subject_roles(request).await.unwrap().into_inner();
        (reply.roles, reply.position)
    }

    /// Returns the events that came after provisioning.
    pub(crate) async fn events(&self) -> Vec<Envelope> {
        let events = self.service.events().await;
        let provisioned = events.iter().position(|event| event.routing_key() == "iam.role.assigned").unwrap();
        events.into_iter().skip(provisioned + 1).collect()
    }

    /// Returns the routing keys of the events that came after provisioning.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.events().await.iter().map(|event| event.routing_key().to_owned()).collect()
    }
}

/// Returns an instant as the API has it.
pub(crate) fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap();
    prost_types::Timestamp { seconds: time.timestamp(), nanos }
}

/// Returns what a program makes of a refusal: code and reason.
pub(crate) fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.expect_err("a refusal");
    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
    (status.code(), reason)
}

/// Returns the fields that a refusal says are wrong.
pub(crate) fn wrong_fields<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Vec<String> {
    let status = outcome.expect_err("a refusal");
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let found = status.get_details_bad_request().expect("violations");
    found.field_violations.into_iter().map(|violation| violation.field).collect()
}
