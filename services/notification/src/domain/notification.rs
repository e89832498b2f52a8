//! One mail to one recipient, from the moment it is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use taskman_events::notification::{EmailFailed, EmailSent};
use taskman_ids::{CompanyId, LinkRequestId, NotificationId, UserId};
use uuid::Uuid;

/// How far a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Status {
    /// Waiting to be sent.
    Pending,
    /// Being sent.
    Sending,
    /// Taken by the mail server.
    Sent,
    /// Given up.
    Failed,
    /// Not sent, because the recipient may not get it.
    Suppressed,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// The company.
    pub company: CompanyId,
    /// Who is to get it.
    pub recipient: UserId,
    /// The name of the template.
    pub template: &'static str,
    /// The values of its variables; never a secret.
    pub variables: BTreeMap<String, String>,
    /// The request for the link that it brings.
    pub link: Option<LinkRequestId>,
    /// The event or request that asked for it: asked twice, it is sent once.
    pub source: Uuid,
}

/// A notification as it is remembered.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// The company.
    pub company_id: CompanyId,
    /// Who is to get it.
    pub recipient_id: UserId,
    /// The name of the template.
    pub template: String,
    /// The values of its variables.
    pub variables: sqlx::types::Json<BTreeMap<String, String>>,
    /// The request for the link that it brings.
    pub link_request_id: Option<LinkRequestId>,
    /// The subject as it was sent.
    pub subject: String,
    /// How far it is.
    pub status: Status,
    /// Why it failed, as a stable word.
    pub error: String,
    /// How often it was tried.
    pub attempts: i32,
    /// The request that it came from.
    pub request_id: Option<Uuid>,
    /// The trace that it came from.
    pub traceparent: Option<String>,
    /// What vendors added to the trace.
    pub tracestate: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When the mail server took it.
    pub sent_at: Option<DateTime<Utc>>,
}

/// How an attempt ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setback {
    /// It may succeed later; why, as a stable word.
    Temporary(&'static str),
    /// It never will.
    Permanent(&'static str),
    /// It is not to be sent at all.
    Suppress(&'static str),
}

impl Notification {
    /// Notes that the mail server took it.
    pub fn sent(&mut self, subject: String, now: DateTime<Utc>) -> EmailSent {
        self.status = Status::Sent;
        self.subject = subject;
        self.error.clear();
        self.sent_at = Some(now);
        EmailSent {
            log_id: self.id,
            recipient_id: self.recipient_id,
            template: self.template.clone(),
            attempt: self.attempts,
        }
    }

    /// Notes a setback. Returns when the next attempt is due, or the event that says that there is none.
    pub fn set_back(
        &mut self,
        setback: Setback,
        delays: &[Duration],
        now: DateTime<Utc>,
    ) -> Result<DateTime<Utc>, Option<EmailFailed>> {
        let (reason, next) = match setback {
            Setback::Temporary(reason) => (reason, delays.get(self.attempts.saturating_sub(1).unsigned_abs() as usize)),
            Setback::Permanent(reason) | Setback::Suppress(reason) => (reason, None),
        };
        reason.clone_into(&mut self.error);
        if let Some(delay) = next {
            self.status = Status::Pending;
            return Ok(now + TimeDelta::from_std(*delay).unwrap_or(TimeDelta::days(1)));
        }
        if matches!(setback, Setback::Suppress(_)) {
            self.status = Status::Suppressed;
            return Err(None);
        }
        self.status = Status::Failed;
        Err(Some(EmailFailed {
            log_id: self.id,
            recipient_id: self.recipient_id,
            template: self.template.clone(),
            attempt: self.attempts,
            reason: reason.to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(attempts: i32) -> Notification {
        Notification {
            id: NotificationId::new(),
            company_id: CompanyId::new(),
            recipient_id: UserId::new(),
            template: "welcome".into(),
            variables: sqlx::types::Json(BTreeMap::new()),
            link_request_id: None,
            subject: String::new(),
            status: Status::Sending,
            error: String::new(),
            attempts,
            request_id: None,
            traceparent: None,
            tracestate: None,
            created_at: DateTime::UNIX_EPOCH,
            sent_at: None,
        }
    }

    const DELAYS: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];

    #[test]
    fn a_temporary_setback_waits_longer_each_time_and_ends() {
        let now = DateTime::UNIX_EPOCH;
        let due = |attempts: i32| notification(attempts).set_back(Setback::Temporary("busy"), &DELAYS, now);
        assert_eq!(due(1), Ok(now + TimeDelta::seconds(5)));
        assert_eq!(due(2), Ok(now + TimeDelta::seconds(30)));
        assert!(due(3).is_err_and(|event| event.is_some_and(|event| event.attempt == 3 && event.reason == "busy")));
    }

    #[test]
    fn a_permanent_setback_is_not_tried_again_and_a_suppressed_one_is_no_failure() {
        let mut refused = notification(1);
        assert!(refused.set_back(Setback::Permanent("refused"), &DELAYS, DateTime::UNIX_EPOCH).is_err());
        assert_eq!(refused.status, Status::Failed);
        let mut gone = notification(1);
        assert_eq!(gone.set_back(Setback::Suppress("inactive"), &DELAYS, DateTime::UNIX_EPOCH), Err(None));
        assert_eq!(gone.status, Status::Suppressed);
    }
}
