//! Between the proto messages and the types of the domain.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use taskman_errors::{Violation, Violations};
use taskman_ids::{CompanyId, RoleId, UserId, parse_uuid};
use taskman_paging::{Page, PageSize};
use taskman_policy::{Effect, Status};
use taskman_proto::authorization::{
    BatchGetResourceAttributesRequest, BatchGetResourceAttributesResponse, ResourceAttributes,
};
use taskman_proto::iam as proto;
use uuid::Uuid;

use crate::app::assign_role_to_user::AssignRole;
use crate::app::list_roles::ListRoles;
use crate::app::revoke_role_from_user::RevokeRole;
use crate::app::watch_changes::Item;
use crate::domain::assignment::Assignment;
use crate::domain::change::{Change, CompanyState, HeldRole, RoleState, State, SubjectState};
use crate::domain::policy::Policy;
use crate::domain::role::Role;

/// The most records that one question for attributes may name.
const MAX_ASKED: usize = 1_000;
/// The first second after the year 9999, where timestamps end.
const END_OF_TIME: i64 = 253_402_300_800;

/// Reads an assignment and the request id, which is not part of what tells one request from another.
pub(super) fn assign_role(
    request: &proto::AssignRoleRequest,
    request_id: &str,
    now: DateTime<Utc>,
) -> Result<(AssignRole, Option<Uuid>), Vec<Violation>> {
    let mut found = Violations::new();
    let user = found.check("user_id", UserId::parse(&request.user_id));
    let role = found.check("role_id", RoleId::parse(&request.role_id));
    let expires_at = found.check("expires_at", request.expires_at.map(|end| future(end, now)).transpose());
    let request_id = found.check("request_id", optional_uuid(request_id));
    let cmd = (|| Some((AssignRole { user: user?, role: role?, expires_at: expires_at? }, request_id?)))();
    found.finish_with(cmd)
}

/// Reads a revocation and the request id.
pub(super) fn revoke_role(
    request: &proto::RevokeRoleRequest,
    request_id: &str,
) -> Result<(RevokeRole, Option<Uuid>), Vec<Violation>> {
    let mut found = Violations::new();
    let user = found.check("user_id", UserId::parse(&request.user_id));
    let role = found.check("role_id", RoleId::parse(&request.role_id));
    let request_id = found.check("request_id", optional_uuid(request_id));
    let cmd = (|| Some((RevokeRole { user: user?, role: role? }, request_id?)))();
    found.finish_with(cmd)
}

pub(super) fn user_id(text: &str) -> Result<UserId, Vec<Violation>> {
    one("user_id", UserId::parse(text))
}

/// Reads a company and a user, whose field has the name that stands first.
pub(super) fn company_and_user(company: &str, user: (&str, &str)) -> Result<(CompanyId, UserId), Vec<Violation>> {
    let mut found = Violations::new();
    let company = found.check("company_id", CompanyId::parse(company));
    let user = found.check(user.0, UserId::parse(user.1));
    found.finish_with(company.zip(user))
}

/// Reads the ids of roles; other types are not ours, and what is no id is nobody's.
pub(super) fn roles_asked_for(
    request: &BatchGetResourceAttributesRequest,
) -> Result<(CompanyId, Vec<RoleId>), Vec<Violation>> {
    let mut found = Violations::new();
    let company = found.check("company_id", CompanyId::parse(&request.company_id));
    if request.ids.len() > MAX_ASKED {
        found.add("ids", format!("must be at most {MAX_ASKED}"));
    }
    let ids = request.ids.iter().filter(|_| request.r#type == "roles").filter_map(|id| RoleId::parse(id).ok());
    found.finish_with(company.map(|company| (company, ids.collect())))
}

pub(super) fn attributes(roles: Vec<Role>) -> BatchGetResourceAttributesResponse {
    let resources = roles.into_iter().map(|role| ResourceAttributes {
        id: role.id.to_string(),
        attributes: [("name".to_owned(), role.name), ("system".to_owned(), role.system.to_string())].into(),
    });
    BatchGetResourceAttributesResponse { resources: resources.collect() }
}

pub(super) fn roles(page: Page<Role>) -> proto::ListRolesResponse {
    proto::ListRolesResponse {
        roles: page.items.into_iter().map(Into::into).collect(),
        next_page_token: page.next_page_token,
    }
}

fn one<T, E: std::fmt::Display>(field: &str, parsed: Result<T, E>) -> Result<T, Vec<Violation>> {
    let mut found = Violations::new();
    let value = found.check(field, parsed);
    found.finish_with(value)
}

fn optional_uuid(text: &str) -> Result<Option<Uuid>, taskman_ids::InvalidId> {
    if text.is_empty() { Ok(None) } else { parse_uuid(text).map(Some) }
}

/// Reads a time after `now`, cut to microseconds as the database keeps it.
fn future(time: prost_types::Timestamp, now: DateTime<Utc>) -> Result<DateTime<Utc>, &'static str> {
    let nanos = u32::try_from(time.nanos).ok().filter(|_| time.seconds < END_OF_TIME);
    let time = nanos.and_then(|nanos| DateTime::from_timestamp(time.seconds, nanos)).ok_or("must be a timestamp")?;
    let time = time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time);
    if time > now { Ok(time) } else { Err("must be in the future") }
}

impl TryFrom<proto::ListRolesRequest> for ListRoles {
    type Error = Vec<Violation>;

    fn try_from(request: proto::ListRolesRequest) -> Result<Self, Vec<Violation>> {
        let size = one("page_size", PageSize::parse(request.page_size))?;
        Ok(Self { size, page_token: request.page_token })
    }
}

impl From<Role> for proto::Role {
    fn from(role: Role) -> Self {
        Self {
            id: role.id.to_string(),
            name: role.name,
            description: role.description,
            system: role.system,
            created_at: Some(timestamp(role.created_at)),
            version: role.version,
        }
    }
}

impl From<Assignment> for proto::UserRole {
    fn from(assignment: Assignment) -> Self {
        Self {
            role: Some(assignment.role.into()),
            assigned_at: Some(timestamp(assignment.assigned_at)),
            assigned_by: assignment.assigned_by.map(|by| by.to_string()).unwrap_or_default(),
            expires_at: assignment.expires_at.map(timestamp),
        }
    }
}

impl From<Item> for proto::WatchChangesResponse {
    fn from(item: Item) -> Self {
        use proto::watch_changes_response::Item as Sent;
        let item = match item {
            Item::Change(change) => Sent::Change((*change).into()),
            Item::Heartbeat(head) => Sent::Heartbeat(proto::Heartbeat { head }),
        };
        Self { item: Some(item) }
    }
}

impl From<Change> for proto::Change {
    fn from(change: Change) -> Self {
        use proto::change::What;
        let what = match change.state {
            State::Subject(subject) => What::SubjectRoles(subject.into()),
            State::Company(company) => What::Company(company.into()),
        };
        Self {
            position: change.position,
            company_id: change.company_id.to_string(),
            changed_at: Some(timestamp(change.changed_at)),
            what: Some(what),
        }
    }
}

impl From<CompanyState> for proto::CompanyState {
    fn from(company: CompanyState) -> Self {
        Self {
            roles: company.roles.into_iter().map(Into::into).collect(),
            policies: company.policies.into_iter().map(Into::into).collect(),
            subjects: company.subjects.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<RoleState> for proto::RoleState {
    fn from(role: RoleState) -> Self {
        let policy_ids = role.policy_ids.iter().map(ToString::to_string).collect();
        Self { id: role.id.to_string(), name: role.name, policy_ids }
    }
}

impl From<Policy> for proto::PolicyState {
    fn from(policy: Policy) -> Self {
        let effect = match policy.effect {
            Effect::Allow => proto::Effect::Allow,
            Effect::Deny => proto::Effect::Deny,
        };
        let status = match policy.status {
            Status::Draft => proto::PolicyStatus::Draft,
            Status::Shadow => proto::PolicyStatus::Shadow,
            Status::Active => proto::PolicyStatus::Active,
            Status::Disabled => proto::PolicyStatus::Disabled,
        };
        Self {
            id: policy.id.to_string(),
            name: policy.name,
            effect: effect.into(),
            actions: policy.actions,
            resources: policy.resources,
            condition: policy.condition.unwrap_or_default(),
            status: status.into(),
            version: policy.version,
        }
    }
}

impl From<SubjectState> for proto::SubjectRoles {
    fn from(subject: SubjectState) -> Self {
        Self { user_id: subject.user_id.to_string(), roles: subject.roles.into_iter().map(Into::into).collect() }
    }
}

impl From<HeldRole> for proto::HeldRole {
    fn from(held: HeldRole) -> Self {
        Self { role_id: held.role_id.to_string(), expires_at: held.expires_at.map(timestamp) }
    }
}

fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}
