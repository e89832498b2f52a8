//! One example of every event.

use chrono::{DateTime, Utc};
use serde_json::Value;
use taskman_events::{Event, audit, auth, authz, iam, notification, task, user};
use taskman_ids::{
    CompanyId, DecisionId, LinkRequestId, NotificationId, PolicyId, ProjectId, RoleId, SessionId, TaskId, UserId,
};
use uuid::Uuid;

/// An example as it stands on the wire, and what the same type makes of it when it reads it back.
pub(crate) struct Sample {
    pub(crate) key: &'static str,
    pub(crate) json: Value,
    pub(crate) reread: fn(&Value) -> Result<Value, serde_json::Error>,
}

pub(crate) fn time() -> DateTime<Utc> {
    "2026-11-21T08:30:00.123456Z".parse().unwrap()
}

const fn uuid(last: u8) -> Uuid {
    Uuid::from_u128(0x0193_4f00_0000_7000_8000_0000_0000_0000 + last as u128)
}

pub(crate) const COMPANY: CompanyId = CompanyId::from_uuid(uuid(1));
pub(crate) const USER: UserId = UserId::from_uuid(uuid(2));
const OTHER: UserId = UserId::from_uuid(uuid(3));
pub(crate) const SESSION: SessionId = SessionId::from_uuid(uuid(4));
const LINK: LinkRequestId = LinkRequestId::from_uuid(uuid(5));
const PROJECT: ProjectId = ProjectId::from_uuid(uuid(6));
const TASK: TaskId = TaskId::from_uuid(uuid(7));
const ROLE: RoleId = RoleId::from_uuid(uuid(8));
const NOTIFICATION: NotificationId = NotificationId::from_uuid(uuid(9));
const DECISION: DecisionId = DecisionId::from_uuid(uuid(10));

fn sample<E: Event>(event: &E) -> Sample {
    Sample {
        key: E::KEY,
        json: serde_json::to_value(event).unwrap(),
        reread: |json| serde_json::to_value(E::deserialize(json)?),
    }
}

fn user(active: bool, version: i32) -> user::User {
    user::User {
        id: USER,
        company_id: COMPANY,
        email: "ada@example.com".to_owned(),
        username: "ada".to_owned(),
        first_name: "Ada".to_owned(),
        last_name: String::new(),
        department: "engineering".to_owned(),
        location: String::new(),
        locale: "en".to_owned(),
        timezone: "UTC".to_owned(),
        active,
        version,
    }
}

pub(crate) fn assigned() -> task::TaskAssigned {
    task::TaskAssigned {
        task: task(task::TaskStatus::Todo, 2),
        assignee_id: OTHER,
        previous: None,
        by: USER,
        changed_fields: vec!["assignee_id".to_owned()],
    }
}

fn task(status: task::TaskStatus, version: i32) -> task::Task {
    task::Task {
        id: TASK,
        project_id: PROJECT,
        key: "CORE-12".to_owned(),
        title: "Write the report".to_owned(),
        status,
        priority: task::Priority::High,
        creator_id: USER,
        assignee_id: Some(OTHER),
        due_date: Some(time()),
        version,
    }
}

pub(crate) fn all() -> Vec<Sample> {
    let mut samples = auth_samples();
    samples.extend(user_samples());
    samples.extend(task_samples());
    samples.extend(other_samples());
    samples
}

fn auth_samples() -> Vec<Sample> {
    let ip = Some("192.0.2.7".parse().unwrap());
    vec![
        sample(&auth::LoginSuccess {
            user_id: USER,
            session_id: SESSION,
            ip,
            user_agent: Some("grpcurl/1.9".to_owned()),
            method: auth::LoginMethod::Password,
        }),
        sample(&auth::LoginFailed {
            email_hash: "9f86d081884c7d65".to_owned(),
            user_id: Some(USER),
            ip,
            reason: auth::LoginFailure::WrongPassword,
        }),
        sample(&auth::Logout { user_id: USER, session_id: SESSION }),
        sample(&auth::TokenRefreshed { user_id: USER, session_id: SESSION }),
        sample(&auth::PasswordReset { user_id: USER, link_request_id: LINK }),
        sample(&auth::PasswordResetRequested { user_id: USER, link_request_id: LINK }),
        sample(&auth::SessionRevoked {
            user_id: USER,
            session_id: SESSION,
            reason: auth::RevocationReason::PasswordChanged,
        }),
        sample(&auth::TokenReuseDetected { user_id: USER, session_id: SESSION, ip }),
    ]
}

fn user_samples() -> Vec<Sample> {
    vec![
        sample(&user::CompanyCreated {
            company: user::Company {
                id: COMPANY,
                name: "Example".to_owned(),
                slug: "example".to_owned(),
                status: user::CompanyStatus::Provisioning,
                version: 1,
            },
            admin_user_id: USER,
        }),
        sample(&user::UserCreated {
            user: user(true, 1),
            origin: user::UserOrigin::Invited,
            link_request_id: Some(LINK),
        }),
        sample(&user::UserActivated { user: user(true, 3), changed_fields: vec!["active".to_owned()] }),
        sample(&user::UserDeactivated {
            user: user(false, 2),
            changed_fields: vec!["active".to_owned()],
            reason: Some("left".to_owned()),
        }),
    ]
}

fn task_samples() -> Vec<Sample> {
    vec![
        sample(&task::ProjectCreated {
            project: task::Project {
                id: PROJECT,
                key: "CORE".to_owned(),
                name: "Core".to_owned(),
                status: task::ProjectStatus::Active,
                priority: task::Priority::Medium,
                owner_id: USER,
                version: 1,
            },
            by: USER,
        }),
        sample(&task::TaskCreated { task: task(task::TaskStatus::Todo, 1) }),
        sample(&assigned()),
        sample(&task::TaskStarted {
            task: task(task::TaskStatus::InProgress, 3),
            from: task::TaskStatus::Todo,
            to: task::TaskStatus::InProgress,
            by: OTHER,
            changed_fields: vec!["status".to_owned(), "started_at".to_owned()],
        }),
        sample(&task::TaskCompleted {
            task: task(task::TaskStatus::Completed, 4),
            assignee_id: Some(OTHER),
            completed_by: OTHER,
            actual_hours: Some("12.50".parse().unwrap()),
            completed_at: time(),
            changed_fields: vec!["status".to_owned(), "completed_at".to_owned()],
        }),
    ]
}

fn other_samples() -> Vec<Sample> {
    let template = "task-assigned".to_owned();
    vec![
        sample(&iam::RoleCreated { role_id: ROLE, name: "viewer".to_owned(), system: true, version: 1 }),
        sample(&iam::RoleAssigned {
            user_id: USER,
            role_id: ROLE,
            role_name: "viewer".to_owned(),
            expires_at: Some(time()),
            by: None,
        }),
        sample(&iam::RoleRevoked { user_id: USER, role_id: ROLE, role_name: "viewer".to_owned(), by: Some(OTHER) }),
        sample(&iam::RoleExpired { user_id: USER, role_id: ROLE, role_name: "viewer".to_owned(), expired_at: time() }),
        sample(&iam::PolicyCreated {
            policy_id: PolicyId::from_uuid(ROLE.as_uuid()),
            name: "viewers view".to_owned(),
            effect: "allow".to_owned(),
            status: "active".to_owned(),
            version: 1,
        }),
        sample(&notification::EmailSent {
            log_id: NOTIFICATION,
            recipient_id: USER,
            template: template.clone(),
            attempt: 1,
        }),
        sample(&notification::EmailFailed {
            log_id: NOTIFICATION,
            recipient_id: USER,
            template,
            attempt: 8,
            reason: "mailbox_unavailable".to_owned(),
        }),
        sample(&audit::AuditQueried {
            user_id: USER,
            start: time(),
            end: time(),
            filters: vec!["event_type".to_owned()],
            returned: 50,
        }),
        sample(&authz::DecisionDenied {
            decision_id: DECISION,
            user_id: USER,
            action: "tasks:create".to_owned(),
            resource: "projects/CORE".to_owned(),
            reasons: vec!["no_policy".to_owned()],
            count: 3,
            first_at: time(),
            last_at: time(),
        }),
    ]
}
