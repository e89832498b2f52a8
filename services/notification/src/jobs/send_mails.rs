//! Sends what is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use taskman_errors::Failure as _;
use taskman_events::notification::{EmailFailed, EmailSent};
use taskman_events::{Actor, Origin};
use taskman_ids::{LinkRequestId, RequestId};
use taskman_messaging::outbox;
use taskman_proto::authentication::LinkPurpose;
use taskman_resilience::Backoff;
use taskman_telemetry::propagation;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::app::App;
use crate::clients;
use crate::domain::notification::{Notification, Setback};
use crate::domain::template;
use crate::error::Error;
use crate::metrics;
use crate::store;

/// So many are taken at once, and all of them are begun at once: none waits while its lease runs.
const AT_ONCE: i64 = 5;
/// How long a sender may take before another one tries; longer than every timeout on the way together.
const LEASE: Duration = Duration::from_mins(2);
/// For how long after the claim the end of an attempt is stored again: until shortly before the lease ends.
const STORE_FOR: Duration = Duration::from_secs(110);
/// The least and the greatest pause before the end of an attempt is stored again.
const STORE_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(5)];

/// Sends until stopped: at once when something new came, else each time that something may have come due.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match send_due(&app).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::warn!(%error, "mails cannot be sent at present"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = app.due.notified() => {}
            () = tokio::time::sleep(app.poll) => {}
        }
    }
}

async fn send_due(app: &App) -> Result<usize, Error> {
    let until = Instant::now() + STORE_FOR;
    let mut tx = app.db.begin().await?;
    let claimed = store::notification::claim(&mut tx, AT_ONCE, LEASE, app.clock.now()).await?;
    tx.commit().await?;
    let count = claimed.len();
    let attempts = claimed.into_iter().map(|notification| async move {
        let span = tracing::info_span!(
            "send_mail",
            service = "notification",
            otel.kind = "internal",
            notification.id = %notification.id,
            company_id = %notification.company_id,
            attempt = notification.attempts
        );
        propagation::set_parent(&span, notification.traceparent.as_deref(), notification.tracestate.as_deref());
        if let Err(error) = attempt(app, notification, until).instrument(span.clone()).await {
            // The row comes due again when its lease ends.
            span.in_scope(|| tracing::warn!(%error, "an attempt could not be finished"));
        }
    });
    futures::future::join_all(attempts).await;
    Ok(count)
}

/// How an attempt ended, as it is to be stored.
struct Ending {
    /// The notification after the attempt.
    notification: Notification,
    /// When the next attempt is due.
    due: Option<DateTime<Utc>>,
    told: Option<Told>,
    at: DateTime<Utc>,
}

/// What others are told of it.
enum Told {
    Sent(EmailSent),
    Failed(EmailFailed),
}

/// Sends one mail and stores how that ended.
///
/// Only the storing is repeated while the database is away, until `until`: a mail whose end is not stored is sent twice.
async fn attempt(app: &App, notification: Notification, until: Instant) -> Result<(), Error> {
    let outcome = send(app, &notification).await;
    let ending = Ending::of(notification, outcome, &app.retry_delays, app.clock.now());
    let [least, greatest] = STORE_AGAIN;
    let mut backoff = Backoff::new(least, greatest);
    while let Err(error) = ending.store(app).await {
        let pause = backoff.pause();
        if !error.kind().is_transient() || Instant::now() + pause >= until {
            return Err(error);
        }
        tracing::warn!(%error, "the end of an attempt waits for the database");
        tokio::time::sleep(pause).await;
    }
    app.outbox.wake();
    metrics::attempted(&ending.notification);
    let Notification { template, status, .. } = &ending.notification;
    tracing::info!(template, ?status, "mail attempted");
    Ok(())
}

impl Ending {
    fn of(
        mut notification: Notification,
        outcome: Result<String, Setback>,
        retry_delays: &[Duration],
        at: DateTime<Utc>,
    ) -> Self {
        let (due, told) = match outcome {
            Ok(subject) => (None, Some(Told::Sent(notification.sent(subject, at)))),
            Err(setback) => match notification.set_back(setback, retry_delays, at) {
                Ok(due) => (Some(due), None),
                Err(failed) => (None, failed.map(Told::Failed)),
            },
        };
        Self { notification, due, told, at }
    }

    async fn store(&self, app: &App) -> Result<(), Error> {
        let notification = &self.notification;
        let origin = Origin {
            request_id: notification.request_id.map(RequestId::from_uuid),
            traceparent: notification.traceparent.clone(),
            tracestate: notification.tracestate.clone(),
            ..Origin::new(notification.company_id, Actor::Service("notification"))
        };
        let mut tx = app.db.begin().await?;
        store::notification::update(&mut tx, notification, self.due, self.at).await?;
        match &self.told {
            Some(Told::Sent(sent)) => _ = outbox::record(&mut tx, &origin, sent, self.at).await?,
            Some(Told::Failed(failed)) => _ = outbox::record(&mut tx, &origin, failed, self.at).await?,
            None => {}
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Sends one mail and returns its subject.
async fn send(app: &App, notification: &Notification) -> Result<String, Setback> {
    let template = template::find(&notification.template).ok_or(Setback::Permanent("template_unknown"))?;
    // Who may get it is asked now, not when the event came: much can happen to a user in between.
    let subject = clients::login_subject(app, notification.recipient_id).await.map_err(|error| away(&error))?;
    let subject = subject
        .filter(|subject| subject.company == notification.company_id && subject.active)
        .ok_or(Setback::Suppress("recipient_inactive"))?;
    let mut values = notification.variables.0.clone();
    if let Some(link) = notification.link_request_id {
        values.insert("link".to_owned(), link_url(app, template.name, link).await?);
    }
    let own =
        [("username", subject.username), ("first_name", subject.first_name), ("company_name", subject.company_name)];
    values.extend(own.map(|(name, value)| (name.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>());
    let mail = template.render(&values).map_err(|error| {
        tracing::error!(%error, "a template does not fit its values");
        Setback::Permanent("template_broken")
    })?;
    let title = mail.subject.clone();
    app.mailer.send(notification.id, &subject.email, mail).await?;
    Ok(title)
}

/// Has the link made and returns its address. It exists from now on, and only in the mail.
async fn link_url(app: &App, template: &str, link: LinkRequestId) -> Result<String, Setback> {
    let (purpose, page) = match template {
        "welcome" => (LinkPurpose::SetPassword, "set-password"),
        _ => (LinkPurpose::ResetPassword, "reset-password"),
    };
    let token = clients::mint_link(app, link, purpose).await.map_err(|error| away(&error))?;
    let token = token.ok_or(Setback::Suppress("link_expired"))?;
    Ok(format!("{}/{page}?token={token}", app.public_url))
}

fn away(error: &Error) -> Setback {
    tracing::warn!(%error, error.reason = error.reason(), "a service that a mail needs is away");
    Setback::Temporary("service_unavailable")
}
