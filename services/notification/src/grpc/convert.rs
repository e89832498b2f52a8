//! Between the proto messages and the types of the domain.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use prost::Message as _;
use taskman_errors::{Violation, Violations};
use taskman_ids::{UserId, parse_uuid};
use taskman_paging::{Page, PageSize};
use taskman_postgres::idempotency;
use taskman_proto::notification as proto;

use crate::app::get_notification_history::GetHistory;
use crate::app::send_email::SendEmail;
use crate::domain::notification::{Notification, Status};
use crate::domain::template;

/// The longest value of a variable, in characters.
const MAX_VALUE: usize = 10_000;

impl TryFrom<proto::SendEmailRequest> for SendEmail {
    type Error = Vec<Violation>;

    fn try_from(mut request: proto::SendEmailRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let request_id = std::mem::take(&mut request.request_id);
        let variables: BTreeMap<String, String> = std::mem::take(&mut request.variables).into_iter().collect();
        let request_hash = idempotency::hash(&canonical(&request, &variables));
        let request_id = if request_id.is_empty() { None } else { found.check("request_id", parse_uuid(&request_id)) };
        if request.recipient_ids.is_empty() || request.recipient_ids.len() > 100 {
            found.add("recipient_ids", "must name 1 to 100 users");
        }
        let parsed = request.recipient_ids.iter().take(100).enumerate();
        let recipients: Vec<UserId> = parsed
            .filter_map(|(index, id)| found.check(&format!("recipient_ids[{index}]"), UserId::parse(id)))
            .collect();
        let template = template::find(&request.template).filter(|template| template.sendable);
        if template.is_none() {
            found.add("template", "is not a template that can be sent");
        }
        if let Some(template) = template {
            check_variables(template, &variables, &mut found);
        }
        let command = template.map(|template| Self { recipients, template, variables, request_id, request_hash });
        found.finish_with(command)
    }
}

/// Encodes a request so that the same one has the same bytes: its map alone comes in any order.
fn canonical(request: &proto::SendEmailRequest, variables: &BTreeMap<String, String>) -> Vec<u8> {
    let mut bytes = request.encode_to_vec();
    for (name, value) in variables {
        let variables = [(name.clone(), value.clone())].into();
        bytes.extend(proto::SendEmailRequest { variables, ..Default::default() }.encode_to_vec());
    }
    bytes
}

fn check_variables(template: &template::Template, given: &BTreeMap<String, String>, found: &mut Violations) {
    for name in template.variables.iter().filter(|name| given.get(**name).is_none_or(|value| value.trim().is_empty())) {
        found.add(format!("variables.{name}"), "is missing");
    }
    let is_declared = |name: &String| template.variables.iter().chain(template.optional).any(|known| known == name);
    if !given.keys().all(is_declared) {
        found.add("variables", "holds a name that the template does not declare");
    }
    for (name, value) in given.iter().filter(|(name, _)| is_declared(name)) {
        if value.chars().count() > MAX_VALUE {
            found.add(format!("variables.{name}"), "must have at most 10000 characters");
        }
        if value.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\r' | '\t')) {
            found.add(format!("variables.{name}"), "must not contain control characters");
        }
    }
}

impl TryFrom<proto::GetHistoryRequest> for GetHistory {
    type Error = Vec<Violation>;

    fn try_from(request: proto::GetHistoryRequest) -> Result<Self, Vec<Violation>> {
        let mut found = Violations::new();
        let recipient = if request.recipient_id.is_empty() {
            None
        } else {
            found.check("recipient_id", UserId::parse(&request.recipient_id))
        };
        let size = found.check("page_size", PageSize::parse(request.page_size));
        let status = proto::NotificationStatus::try_from(request.status).map_err(|_| "is not a status");
        let status = found.check("status", status).and_then(stored);
        let page_token = request.page_token;
        found.finish_with(size.map(|size| Self { recipient, status, size, page_token }))
    }
}

fn stored(status: proto::NotificationStatus) -> Option<Status> {
    use proto::NotificationStatus as Asked;
    match status {
        Asked::Unspecified => None,
        Asked::Pending => Some(Status::Pending),
        Asked::Sending => Some(Status::Sending),
        Asked::Sent => Some(Status::Sent),
        Asked::Failed => Some(Status::Failed),
        Asked::Suppressed => Some(Status::Suppressed),
    }
}

impl From<Status> for proto::NotificationStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Sending => Self::Sending,
            Status::Sent => Self::Sent,
            Status::Failed => Self::Failed,
            Status::Suppressed => Self::Suppressed,
        }
    }
}

pub(super) fn listed(page: Page<Notification>) -> proto::GetHistoryResponse {
    let next_page_token = page.next_page_token;
    proto::GetHistoryResponse { notifications: page.items.into_iter().map(shown).collect(), next_page_token }
}

fn shown(notification: Notification) -> proto::Notification {
    proto::Notification {
        id: notification.id.to_string(),
        r#type: "email".to_owned(),
        recipient_id: notification.recipient_id.to_string(),
        template: notification.template,
        subject: notification.subject,
        status: proto::NotificationStatus::from(notification.status).into(),
        error: notification.error,
        attempts: notification.attempts,
        sent_at: notification.sent_at.map(timestamp),
        created_at: Some(timestamp(notification.created_at)),
    }
}

fn timestamp(time: DateTime<Utc>) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default(),
    }
}
