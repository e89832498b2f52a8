//! Has a mail sent to users of the caller's company.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt as _, TryStreamExt as _};
use prost::Message as _;
use sqlx::PgConnection;
use taskman_errors::Violations;
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

/// Writes one row for each recipient; the job sends them. Who is named twice gets one mail.
pub(crate) async fn send_email(app: &App, caller: &Caller, cmd: SendEmail) -> Result<SendEmailResponse, Error> {
    let key = cmd.request_id.map(|request_id| Key {
        company: Some(caller.company),
        caller: Some(caller.user),
        method: "SendEmail",
        request_id,
        request_hash: cmd.request_hash,
    });
    // A repetition is answered before anything is asked: who got the mail may have left since.
    let mut tx = app.db.begin().await?;
    if let Some(reply) = replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    tx.rollback().await?;
    check_recipients(app, caller, &cmd.recipients).await?;

    let mut tx = app.db.begin().await?;
    if let Some(reply) = replay(app, &mut tx, key.as_ref()).await? {
        return Ok(reply);
    }
    let notification_ids = insert(app, &mut tx, caller, cmd).await?;
    let reply = SendEmailResponse { notification_ids };
    if let Some(key) = &key {
        idempotency::complete(&mut tx, key, &reply.encode_to_vec(), app.clock.now()).await?;
    }
    tx.commit().await?;
    app.due.notify_one();
    Ok(reply)
}

/// Returns the reply of an earlier call with the same key.
async fn replay(app: &App, tx: &mut PgConnection, key: Option<&Key<'_>>) -> Result<Option<SendEmailResponse>, Error> {
    let Some(key) = key else { return Ok(None) };
    match idempotency::begin(tx, key, app.clock.now()).await? {
        Begin::Fresh => Ok(None),
        // What does not decode was written by another version; it counts as never seen.
        Begin::Replay(reply) => Ok(SendEmailResponse::decode(reply.as_slice()).ok()),
    }
}

/// Inserts the rows and returns an id for each recipient, in the order of the request.
async fn insert(app: &App, tx: &mut PgConnection, caller: &Caller, cmd: SendEmail) -> Result<Vec<String>, Error> {
    let (source, origin, now) = (new_uuid(), origin(caller), app.clock.now());
    let mut written = HashMap::new();
    let mut ids = Vec::with_capacity(cmd.recipients.len());
    for recipient in cmd.recipients {
        if let Some(id) = written.get(&recipient) {
            ids.push(String::clone(id));
            continue;
        }
        let id = NotificationId::new();
        let intent = Intent {
            company: caller.company,
            recipient,
            template: cmd.template.name,
            variables: cmd.variables.clone(),
            link: None,
            source,
        };
        store::notification::insert(tx, id, &intent, &origin, now).await?;
        written.insert(recipient, id.to_string());
        ids.push(id.to_string());
    }
    Ok(ids)
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
    found.finish().map_err(Error::Invalid)
}
