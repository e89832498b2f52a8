//! Between the proto messages and the types of the domain.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use taskman_errors::{Violation, Violations};
use taskman_ids::{CompanyId, UserId, new_uuid, parse_uuid};
use taskman_paging::{Page, PageSize};
use taskman_proto::authorization::{
    BatchGetResourceAttributesRequest, BatchGetResourceAttributesResponse, ResourceAttributes,
};
use taskman_proto::user as proto;
use uuid::Uuid;

use crate::app::deactivate_user::ChangeUser;
use crate::app::get_login_subject::By;
use crate::app::list_users::ListUsers;
use crate::app::register_company::RegisterCompany;
use crate::app::watch_changes::Item;
use crate::domain::company::{self, Company, Status};
use crate::domain::email::Email;
use crate::domain::text;
use crate::domain::user::{self, Profile, User};
use crate::store::change::Change;
use crate::store::user::Member;

/// Takes the request id out of a request: what is left tells one request from another.
pub(super) fn take_request_id(request_id: &mut String) -> Result<Option<Uuid>, Vec<Violation>> {
    let text = std::mem::take(request_id);
    if text.is_empty() {
        return Ok(None);
    }
    one("request_id", parse_uuid(&text)).map(Some)
}

pub(super) fn user_id(text: &str) -> Result<UserId, Vec<Violation>> {
    one("id", UserId::parse(text))
}

pub(super) fn company_and_user(company: &str, user: &str) -> Result<(CompanyId, UserId), Vec<Violation>> {
    let mut found = Violations::new();
    let company = found.check("company_id", CompanyId::parse(company));
    let user = found.check("user_id", UserId::parse(user));
    found.finish_with(company.zip(user))
}

/// Reads the ids of users; other types are not ours, and what is no id is nobody's.
pub(super) fn resources(
    request: &BatchGetResourceAttributesRequest,
) -> Result<(CompanyId, Vec<UserId>), Vec<Violation>> {
    let company = one("company_id", CompanyId::parse(&request.company_id))?;
    if request.ids.len() > 1_000 {
        return Err(vec![Violation { field: "ids".into(), description: "must be at most 1000".into() }]);
    }
    let ids = request.ids.iter().filter(|_| request.r#type == "users");
    Ok((company, ids.filter_map(|id| UserId::parse(id).ok()).collect()))
}

pub(super) fn attributes(users: Vec<User>) -> BatchGetResourceAttributesResponse {
    let resources = users.into_iter().map(|user| {
        let id = user.id.to_string();
        let named = [("owner", id.clone()), ("department", user.department), ("location", user.location)];
        let mut attributes: HashMap<String, String> = named
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        attributes.insert("active".to_owned(), user.is_active.to_string());
        ResourceAttributes { id, attributes }
    });
    BatchGetResourceAttributesResponse { resources: resources.collect() }
}

fn one<T, E: std::fmt::Display>(field: &str, parsed: Result<T, E>) -> Result<T, Vec<Violation>> {
    let mut found = Violations::new();
    let value = found.check(field, parsed);
    found.finish_with(value)
}

impl TryFrom<proto::RegisterCompanyRequest> for RegisterCompany {
    type Error = Vec<Violation>;

    fn try_from(request: proto::RegisterCompanyRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let name = found.check("company_name", company::parse_name(&request.company_name));
        let slug = found.check("slug", company::parse_slug(&request.slug));
        let email = found.check("email", Email::parse(&request.email));
        let username = found.check("username", user::parse_username(&request.username));
        let first_name = found.check("first_name", user::parse_detail(&request.first_name));
        let last_name = found.check("last_name", user::parse_detail(&request.last_name));
        if request.password.is_empty() {
            found.add("password", text::TextInvalid::Missing);
        }
        let request_id = if request.request_id.is_empty() {
            Some(new_uuid())
        } else {
            found.check("request_id", parse_uuid(&request.request_id))
        };
        let command = (|| {
            Some(Self {
                name: name?,
                slug: slug?,
                admin: Profile {
                    email: email?,
                    username: username?,
                    first_name: first_name?,
                    last_name: last_name?,
                    department: String::new(),
                    location: String::new(),
                    timezone: "UTC".to_owned(),
                    locale: "en".to_owned(),
                },
                password: request.password,
                request_id: request_id?,
            })
        })();
        found.finish_with(command)
    }
}

impl TryFrom<proto::CreateUserRequest> for Profile {
    type Error = Vec<Violation>;

    fn try_from(request: proto::CreateUserRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let email = found.check("email", Email::parse(&request.email));
        let username = found.check("username", user::parse_username(&request.username));
        let first_name = found.check("first_name", user::parse_detail(&request.first_name));
        let last_name = found.check("last_name", user::parse_detail(&request.last_name));
        let department = found.check("department", user::parse_detail(&request.department));
        let location = found.check("location", user::parse_detail(&request.location));
        let timezone = found.check("timezone", user::parse_timezone(&request.timezone));
        let locale = found.check("locale", user::parse_locale(&request.locale));
        let profile = (|| {
            Some(Self {
                email: email?,
                username: username?,
                first_name: first_name?,
                last_name: last_name?,
                department: department?,
                location: location?,
                timezone: timezone?,
                locale: locale?,
            })
        })();
        found.finish_with(profile)
    }
}

impl TryFrom<proto::ListUsersRequest> for ListUsers {
    type Error = Vec<Violation>;

    fn try_from(request: proto::ListUsersRequest) -> Result<Self, Vec<Violation>> {
        let size = one("page_size", PageSize::parse(request.page_size))?;
        Ok(Self { active: request.active, size, page_token: request.page_token })
    }
}

impl TryFrom<proto::ActivateUserRequest> for ChangeUser {
    type Error = Vec<Violation>;

    fn try_from(request: proto::ActivateUserRequest) -> Result<Self, Vec<Violation>> {
        change(&request.id, request.version, "")
    }
}

impl TryFrom<proto::DeactivateUserRequest> for ChangeUser {
    type Error = Vec<Violation>;

    fn try_from(request: proto::DeactivateUserRequest) -> Result<Self, Vec<Violation>> {
        change(&request.id, request.version, &request.reason)
    }
}

fn change(id: &str, version: i32, reason: &str) -> Result<ChangeUser, Vec<Violation>> {
    let mut found = Violations::new();
    let user = found.check("id", UserId::parse(id));
    let reason = found.check("reason", text::optional(reason, 500));
    if version < 0 {
        found.add("version", "must not be negative");
    }
    let version = (version != 0).then_some(version);
    found.finish_with(user.zip(reason).map(|(user, reason)| ChangeUser { user, version, reason }))
}

impl TryFrom<proto::GetLoginSubjectRequest> for By {
    type Error = Vec<Violation>;

    fn try_from(request: proto::GetLoginSubjectRequest) -> Result<Self, Vec<Violation>> {
        use proto::get_login_subject_request::By as Asked;
        match request.by {
            Some(Asked::Email(email)) => Ok(Self::Email(email)),
            Some(Asked::UserId(id)) => Ok(Self::User(one("user_id", UserId::parse(&id))?)),
            None => Err(vec![Violation { field: "by".into(), description: "is missing".into() }]),
        }
    }
}

pub(super) fn registered((company, user): (Company, User)) -> proto::RegisterCompanyResponse {
    proto::RegisterCompanyResponse { company: Some(company.into()), user: Some(user.into()) }
}

impl From<Company> for proto::Company {
    fn from(company: Company) -> Self {
        Self {
            id: company.id.to_string(),
            name: company.name,
            slug: company.slug,
            status: proto::CompanyStatus::from(company.status).into(),
            created_at: Some(timestamp(company.created_at)),
            version: company.version,
        }
    }
}

impl From<Status> for proto::CompanyStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Provisioning => Self::Provisioning,
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
        }
    }
}

impl From<User> for proto::User {
    fn from(user: User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email,
            username: user.username,
            first_name: user.first_name,
            last_name: user.last_name,
            department: user.department,
            location: user.location,
            timezone: user.timezone,
            locale: user.locale,
            active: user.is_active,
            created_at: Some(timestamp(user.created_at)),
            updated_at: Some(timestamp(user.updated_at)),
            version: user.version,
        }
    }
}

pub(super) fn listed(page: Page<User>) -> proto::ListUsersResponse {
    let next_page_token = page.next_page_token;
    proto::ListUsersResponse { users: page.items.into_iter().map(Into::into).collect(), next_page_token }
}

impl From<Member> for proto::LoginSubject {
    fn from(member: Member) -> Self {
        let user = member.user;
        Self {
            user_id: user.id.to_string(),
            company_id: user.company_id.to_string(),
            email: user.email,
            username: user.username,
            first_name: user.first_name,
            locale: user.locale,
            active: user.is_active,
            company_status: proto::CompanyStatus::from(member.company_status).into(),
            company_name: member.company_name,
            timezone: user.timezone,
        }
    }
}

impl From<Member> for proto::Subject {
    fn from(member: Member) -> Self {
        let user = member.user;
        Self {
            user_id: user.id.to_string(),
            company_id: user.company_id.to_string(),
            email: user.email,
            department: user.department,
            location: user.location,
            active: user.is_active,
            company_status: proto::CompanyStatus::from(member.company_status).into(),
            version: user.version,
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

impl From<Change> for proto::SubjectChange {
    fn from(change: Change) -> Self {
        Self {
            position: change.position,
            subject: Some(proto::Subject {
                user_id: change.user_id.to_string(),
                company_id: change.company_id.to_string(),
                email: change.email,
                department: change.department,
                location: change.location,
                active: change.is_active,
                company_status: proto::CompanyStatus::from(change.company_status).into(),
                version: change.version,
            }),
            changed_at: Some(timestamp(change.changed_at)),
        }
    }
}

fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}
