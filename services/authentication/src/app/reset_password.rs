//! Sets a password with the token of a mailed link.

use secrecy::{ExposeSecret as _, SecretString};
use taskman_errors::Violation;
use taskman_events::Actor;
use taskman_events::auth::{PasswordReset, RevocationReason};
use taskman_identity::Client;
use taskman_ids::LinkRequestId;
use taskman_messaging::outbox;

use super::{App, origin, revoke_subject};
use crate::domain::password::{Password, Weak};
use crate::domain::secret;
use crate::domain::throttle::Scope;
use crate::error::Error;
use crate::secrets::account;
use crate::store;
use crate::store::throttle::Name;

/// A new password, and the right to set it.
#[derive(Debug)]
pub(crate) struct ResetPassword {
    /// The token of the link.
    pub(crate) token: SecretString,
    /// The new password, of a length that is allowed.
    pub(crate) password: SecretString,
}

/// Sets the password, uses up every link of the user, and ends every session.
///
/// A password that breaks a rule leaves the link as it is, for another try.
pub(crate) async fn reset_password(app: &App, client: &Client, cmd: ResetPassword) -> Result<(), Error> {
    let (id, presented) = secret::read(secret::LINK, cmd.token.expose_secret()).ok_or(Error::LinkInvalid)?;
    let (id, presented) = (LinkRequestId::from_uuid(id), presented.hash());
    let link = store::link_request::find(&mut *app.db.primary().acquire().await?, id).await?;
    let link = link.filter(|link| link.opens_with(&presented, app.clock.now())).ok_or(Error::LinkInvalid)?;
    let subject = app.clients.subject_by_id(link.user).await?;
    let subject = subject
        .filter(|subject| subject.company == link.company && subject.shut_out().is_none())
        .ok_or(Error::LinkInvalid)?;
    let password = Password::parse(cmd.password, &subject.personal_words).map_err(violation)?;
    let hash = app.hashing.queue()?.hash(password.into_inner()).await?;

    let ids = (link.company, link.user);
    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    // All of the user, since all are used up: who locked their own first would wait for who holds another.
    let links = store::link_request::list_unused_for_update(&mut tx, ids).await?;
    if !links.iter().any(|link| link.id == id && link.opens_with(&presented, now)) {
        return Err(Error::LinkInvalid);
    }
    store::link_request::use_up_of_user(&mut tx, ids, now).await?;
    store::credential::put(&mut tx, ids, &hash, now).await?;
    // Whoever has proved to be the user need not wait because others have guessed.
    let key = app.secrets.counter(Scope::Account, &[&account("", Some(&subject))]);
    store::throttle::delete(&mut tx, &Name { scope: Scope::Account, key, company: ids.0 }).await?;
    let origin = origin(client, ids.0, Actor::User(ids.1));
    outbox::record(&mut tx, &origin, &PasswordReset { user_id: ids.1, link_request_id: id }, now).await?;
    revoke_subject::end_all(&mut tx, &origin, ids.1, RevocationReason::PasswordChanged, now).await?;
    tx.commit().await?;
    app.committed(true);
    Ok(())
}

fn violation(weak: Weak) -> Error {
    Error::Invalid(vec![Violation { field: "new_password".to_owned(), description: weak.to_string() }])
}
