//! Changes a refresh token for the next pair of tokens.

use secrecy::{ExposeSecret as _, SecretString};
use taskman_events::auth::{RevocationReason, TokenRefreshed, TokenReuseDetected};
use taskman_events::{Actor, Origin};
use taskman_identity::Client;
use taskman_ids::SessionId;
use taskman_messaging::outbox;
use taskman_postgres::Transaction;

use super::{App, Tokens, origin, revoke_subject};
use crate::domain::secret::{self, Secret, same};
use crate::domain::session::{Presented, RefreshToken, Session, judge};
use crate::error::Error;
use crate::store;

/// Gives a session its next pair of tokens; the user, the company and the session are looked at anew. A changed password
/// has ended the session.
pub(crate) async fn refresh_token(app: &App, client: &Client, token: &SecretString) -> Result<Tokens, Error> {
    let (id, presented) = secret::read(secret::REFRESH, token.expose_secret()).ok_or(Error::RefreshTokenInvalid)?;
    let id = SessionId::from_uuid(id);
    let session = store::session::find(app.db.primary(), id).await?;
    let session = session.filter(|session| session.is_open(app.clock.now())).ok_or(Error::RefreshTokenInvalid)?;
    let subject = app.clients.subject_by_id(session.user).await?;
    let subject = subject
        .filter(|subject| subject.company == session.company && subject.shut_out().is_none())
        .ok_or(Error::RefreshTokenInvalid)?;
    let rights = app.clients.rights(session.company, session.user).await?;

    let mut tx = app.db.begin().await?;
    let now = app.clock.now();
    let session = store::session::find_for_update(&mut tx, session.company, id).await?;
    let mut session = session.filter(|session| session.is_open(now)).ok_or(Error::RefreshTokenInvalid)?;
    let Some(next) = advance(app, &mut tx, &session, &presented).await? else {
        end_reused(app, tx, client, &session).await?;
        return Err(Error::RefreshTokenInvalid);
    };
    session.prolong(now);
    store::session::update(&mut tx, &session).await?;
    let event = TokenRefreshed { user_id: session.user, session_id: id };
    let origin = Origin { session: Some(id), ..origin(client, session.company, Actor::User(session.user)) };
    outbox::record(&mut tx, &origin, &event, now).await?;
    let access = app.access_token(&session, &subject, rights)?;
    tx.commit().await?;
    app.committed(false);
    let refresh = secret::write(secret::REFRESH, id.into(), &next);
    Ok(Tokens { access, refresh, session: id, user: session.user })
}

/// Returns the secret of the next refresh token; `None` when the presented one was used before.
async fn advance(
    app: &App,
    tx: &mut Transaction,
    session: &Session,
    presented: &Secret,
) -> Result<Option<Secret>, Error> {
    let ids = (session.company, session.id);
    let found = store::refresh_token::find_with_successor(tx, ids, &presented.hash()).await?;
    // A secret that the session never had proves nothing, so it ends nothing either.
    let (token, successor) = found.ok_or(Error::RefreshTokenInvalid)?;
    let now = app.clock.now();
    let RefreshToken { generation, .. } = token;
    let next = app.secrets.successor(session.id, generation + 1, presented);
    match judge(&token, successor.as_ref(), now) {
        Presented::Newest if store::refresh_token::use_up(tx, ids, generation, now).await? => {
            store::refresh_token::insert(tx, ids, generation + 1, &next.hash()).await?;
            Ok(Some(next))
        }
        // With another key of the service the successor was another one: it cannot be given out again.
        Presented::Again if successor.is_some_and(|successor| same(&successor.hash, &next.hash())) => Ok(Some(next)),
        Presented::Newest | Presented::Again | Presented::Reused => Ok(None),
    }
}

/// Ends a session whose token two parties have.
async fn end_reused(app: &App, mut tx: Transaction, client: &Client, session: &Session) -> Result<(), Error> {
    let (now, reason) = (app.clock.now(), RevocationReason::TokenReuse);
    let ended = store::session::end(&mut tx, (session.company, session.id), Some(reason), now).await?;
    let origin = Origin { session: Some(session.id), ..origin(client, session.company, Actor::Anonymous) };
    let event = TokenReuseDetected { user_id: session.user, session_id: session.id, ip: client.address };
    outbox::record(&mut tx, &origin, &event, now).await?;
    revoke_subject::revoke_each(&mut tx, &origin, ended.as_slice(), reason, now).await?;
    tx.commit().await?;
    app.committed(true);
    tracing::warn!(session.id = %session.id, "a refresh token was used twice; its session has ended");
    Ok(())
}
