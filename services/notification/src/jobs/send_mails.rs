//! Sends what is due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use taskman_errors::Failure as _;
use taskman_events::{Actor, Origin};
use taskman_ids::{LinkRequestId, RequestId};
use taskman_messaging::outbox;
use taskman_proto::authentication::LinkPurpose;
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

/// So many are taken at once, and so many are with the mail server at the same time.
const BATCH: i64 = 20;
const AT_ONCE: usize = 5;
/// How long a sender may take before another one tries; longer than every timeout on the way together.
const LEASE: Duration = Duration::from_mins(2);

/// Sends until stopped: at once when something new came, else each time that something may have come due.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match send_due(&app, &stop).await {
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

async fn send_due(app: &App, stop: &CancellationToken) -> Result<usize, Error> {
    let mut tx = app.db.begin().await?;
    let claimed = store::notification::claim(&mut tx, BATCH, LEASE, app.clock.now()).await?;
    tx.commit().await?;
    let count = claimed.len();
    futures::stream::iter(claimed)
        // What is not begun by then comes due again when its lease ends.
        .take_until(stop.cancelled())
        .for_each_concurrent(AT_ONCE, |notification| async move {
            let span = tracing::info_span!(
                "send_mail",
                service = "notification",
                otel.kind = "internal",
                notification.id = %notification.id,
                company_id = %notification.company_id,
                attempt = notification.attempts
            );
            propagation::set_parent(&span, notification.traceparent.as_deref(), notification.tracestate.as_deref());
            if let Err(error) = attempt(app, notification).instrument(span.clone()).await {
                // The row comes due again when its lease ends.
                span.in_scope(|| tracing::warn!(%error, "an attempt could not be finished"));
            }
        })
        .await;
    Ok(count)
}

/// Sends one mail and stores how that ended.
async fn attempt(app: &App, mut notification: Notification) -> Result<(), Error> {
    let outcome = send(app, &notification).await;
    let now = app.clock.now();
    let origin = Origin {
        request_id: notification.request_id.map(RequestId::from_uuid),
        traceparent: notification.traceparent.clone(),
        tracestate: notification.tracestate.clone(),
        ..Origin::new(notification.company_id, Actor::Service("notification"))
    };
    let mut tx = app.db.begin().await?;
    match outcome {
        Ok(subject) => {
            let sent = notification.sent(subject, now);
            store::notification::update(&mut tx, &notification, None, now).await?;
            outbox::record(&mut tx, &origin, &sent, now).await?;
        }
        Err(setback) => match notification.set_back(setback, &app.retry_delays, now) {
            Ok(due) => store::notification::update(&mut tx, &notification, Some(due), now).await?,
            Err(failed) => {
                store::notification::update(&mut tx, &notification, None, now).await?;
                if let Some(failed) = failed {
                    outbox::record(&mut tx, &origin, &failed, now).await?;
                }
            }
        },
    }
    tx.commit().await?;
    app.outbox.wake();
    metrics::attempted(&notification);
    tracing::info!(template = notification.template, status = ?notification.status, "mail attempted");
    Ok(())
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
