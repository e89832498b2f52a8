//! Has a mail sent to users of the caller's company.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use taskman_errors::{Violation, Violations};
use taskman_identity::Caller;
use taskman_ids::{NotificationId, UserId, new_uuid};
use taskman_postgres::idempotency::{self, Begin, Key};
use taskman_proto::notification::SendEmailResponse;
use taskman_rpc::origin;
use uuid::Uuid;

use crate::app::App;
use crate::clients;
use crate::domain::notification::Intent;
use crate::domain::template::Template;
use crate::error::Error;
use crate::store;

/// So many recipients are looked up at the same time.
const LOOKUPS: usize = 10;

/// What a request asks for.
pub(crate) struct SendEmail {
    pub(crate) recipients: Vec<UserId>,
    pub(crate) template: &'static Template,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) request_id: Option<Uuid>,
    pub(crate) request_hash: [u8; 32],
}

/// Writes one row for each recipient; the job sends them.
pub(crate) async fn send_email(app: &App, caller: &Caller, cmd: SendEmail) -> Result<SendEmailResponse, Error> {
    check_recipients(app, caller, &cmd.recipients).await?;
    let key = cmd.request_id.map(|request_id| Key {
        company: Some(caller.company),
        caller: Some(caller.user),
        method: "SendEmail",
        request_id,
        request_hash: cmd.request_hash,
    });
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if let Some(key) = &key
        && let Begin::Replay(reply) = idempotency::begin(&mut tx, key, now).await?
        && let Ok(reply) = prost::Message::decode(reply.as_slice())
    {
        return Ok(reply);
    }
    let (source, origin) = (new_uuid(), origin(caller));
    let mut reply = SendEmailResponse::default();
    for recipient in cmd.recipients {
        let id = NotificationId::new();
        let intent = Intent {
            company: caller.company,
            recipient,
            template: cmd.template.name,
            variables: cmd.variables.clone(),
            link: None,
            source,
        };
        store::notification::insert(&mut tx, id, &intent, &origin, now).await?;
        reply.notification_ids.push(id.to_string());
    }
    if let Some(key) = &key {
        idempotency::complete(&mut tx, key, &prost::Message::encode_to_vec(&reply), now).await?;
    }
    tx.commit().await?;
    app.due.notify_one();
    Ok(reply)
}

/// Names every recipient who is no active user of the caller's company, whoever else they may be.
async fn check_recipients(app: &App, caller: &Caller, recipients: &[UserId]) -> Result<(), Error> {
    let known: Vec<bool> = futures::stream::iter(recipients.to_vec())
        .map(|recipient| async move {
            let found = clients::login_subject(app, recipient).await?;
            Ok::<_, Error>(found.is_some_and(|subject| subject.company == caller.company && subject.active))
        })
        .buffered(LOOKUPS)
        .try_collect()
        .await?;
    let mut found = Violations::new();
    for (index, _) in known.iter().enumerate().filter(|(_, known)| !**known) {
        found.add(format!("recipient_ids[{index}]"), "is not an active user of the company");
    }
    found.finish().map_err(|violations: Vec<Violation>| Error::Invalid(violations))
}
