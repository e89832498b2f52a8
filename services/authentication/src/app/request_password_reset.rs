//! Has a link to choose a new password sent to whoever has an address. Nobody learns whether somebody has it.

use sqlx::Acquire as _;
use taskman_events::Actor;
use taskman_events::auth::PasswordResetRequested;
use taskman_identity::Client;
use taskman_ids::LinkRequestId;
use taskman_messaging::outbox;

use super::{App, origin};
use crate::domain::link::{Link, Purpose};
use crate::domain::subject;
use crate::domain::throttle::{Scope, admit_mail};
use crate::error::Error;
use crate::secrets::account;
use crate::store;
use crate::store::throttle::Name;

/// Requests a link. For an address that nobody has, for somebody who cannot log in, and for who asks too often, the same
/// statements run and are taken back, so that the answer takes as long.
pub(crate) async fn request_password_reset(app: &App, client: &Client, email: &str) -> Result<(), Error> {
    let subject = app.clients.subject_by_email(email).await?;
    let (company, user) = subject::ids(subject.as_ref());
    let account = account(email, subject.as_ref());
    let name = [Name { scope: Scope::Mail, key: app.secrets.counter(Scope::Mail, &[&account]), company }];
    let now = app.clock.now();

    let mut tx = app.db.begin().await?;
    let [mut counter] = store::throttle::lock(&mut tx, &name, now).await?;
    let admitted = admit_mail(&mut counter, now);
    store::throttle::update(&mut tx, &name, &[&counter], now).await?;
    let mut change = tx.begin().await?;
    let link = Link::request(LinkRequestId::new(), (company, user), Purpose::ResetPassword, now);
    store::link_request::insert(&mut change, &link).await?;
    let event = PasswordResetRequested { user_id: user, link_request_id: link.id };
    outbox::record(&mut change, &origin(client, company, Actor::Anonymous), &event, now).await?;
    if admitted && subject.is_some_and(|subject| subject.shut_out().is_none()) {
        change.commit().await?;
    } else {
        change.rollback().await?;
    }
    tx.commit().await?;
    app.committed(false);
    Ok(())
}
