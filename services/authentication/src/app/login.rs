//! Opens a session for whoever knows the password. Every refusal takes the same way and looks the same.

use secrecy::SecretString;
use taskman_events::auth::{LoginFailed, LoginFailure, LoginMethod, LoginSuccess};
use taskman_events::{Actor, NO_COMPANY};
use taskman_identity::Client;
use taskman_messaging::outbox;

use super::{App, Tokens, origin};
use crate::domain::secret::{self, Secret};
use crate::domain::session::Session;
use crate::domain::subject::{self, Rights, Subject};
use crate::domain::throttle::{Attempt, Counter, Scope, network};
use crate::error::Error;
use crate::hashing::is_outdated;
use crate::secrets::account;
use crate::store::throttle::Name;
use crate::{metrics, store};

/// What somebody typed.
#[derive(Debug)]
pub(crate) struct Login {
    /// The address; anything.
    pub(crate) email: String,
    /// The password; anything.
    pub(crate) password: SecretString,
}

/// A login that was found good, up to what may have changed meanwhile.
struct Proved {
    subject: Subject,
    rights: Rights,
    /// The hash that the password matched.
    hash: String,
    /// A better hash of the same password.
    better: Option<String>,
    /// The newest revocation before anybody was asked about the user.
    head: i64,
}

/// Logs somebody in.
pub(crate) async fn login(app: &App, client: &Client, cmd: Login) -> Result<Tokens, Error> {
    let head = store::revocation::head(app.db.primary()).await?;
    let subject = app.clients.subject_by_email(&cmd.email).await?;
    let (company, user) = subject::ids(subject.as_ref());
    let rights = app.clients.rights(company, user).await?;
    let place = app.hashing.queue()?;
    let names = names(app, client, &cmd.email, subject.as_ref());
    let (admitted, hash) = admit(app, &names, subject.as_ref()).await?;
    let (place, matches) = place.verify(cmd.password.clone(), hash.clone()).await?;

    let failure = failure(admitted, subject.as_ref(), matches);
    let (None, Some(known), Some(hash)) = (failure, &subject, hash) else {
        drop(place);
        let failure = failure.unwrap_or(LoginFailure::WrongPassword);
        return refuse(app, client, &cmd.email, subject.as_ref(), failure).await;
    };
    let better = if is_outdated(&hash) { Some(place.hash(cmd.password).await?) } else { None };
    let proved = Proved { subject: known.clone(), rights, hash, better, head };
    match open(app, client, &names, proved).await? {
        Some(tokens) => Ok(tokens),
        None => refuse(app, client, &cmd.email, subject.as_ref(), LoginFailure::UserInactive).await,
    }
}

/// Names the counters of the attempt: of the account, the network, and both.
fn names(app: &App, client: &Client, email: &str, subject: Option<&Subject>) -> [Name; 3] {
    let (company, _) = subject::ids(subject);
    let (account, network) = (account(email, subject), network(client.address));
    let name = |scope, parts: &[&[u8]], company| Name { scope, key: app.secrets.counter(scope, parts), company };
    [
        name(Scope::Account, &[&account], company),
        name(Scope::Network, &[&network], NO_COMPANY),
        name(Scope::Pair, &[&account, &network], company),
    ]
}

/// Counts the attempt and finds the hash that the password is compared with.
async fn admit(app: &App, names: &[Name; 3], subject: Option<&Subject>) -> Result<(bool, Option<String>), Error> {
    let (company, user) = subject::ids(subject);
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let mut attempt = attempt(store::throttle::lock(&mut tx, names, now).await?);
    let admitted = attempt.admit(now);
    store::throttle::update(&mut tx, names, &counters(&attempt), now).await?;
    let hash = store::credential::find(&mut tx, company, user).await?;
    tx.commit().await?;
    Ok((admitted, hash))
}

fn failure(admitted: bool, subject: Option<&Subject>, matches: bool) -> Option<LoginFailure> {
    match subject {
        _ if !admitted => Some(LoginFailure::Throttled),
        None => Some(LoginFailure::UnknownUser),
        Some(_) if !matches => Some(LoginFailure::WrongPassword),
        Some(subject) => subject.shut_out(),
    }
}

/// Opens the session; `None` when the user was shut out, or the password changed, while the login was on its way.
async fn open(app: &App, client: &Client, names: &[Name; 3], proved: Proved) -> Result<Option<Tokens>, Error> {
    let Proved { subject, rights, hash, better, head } = proved;
    let (company, user) = (subject.company, subject.user);
    let mut tx = app.db.begin().await?;
    let current = store::credential::find_for_update(&mut tx, company, user).await?;
    let revoked = store::revocation::latest_of_user(&mut tx, company, user).await?;
    if current != Some(hash) || revoked.position > Some(head) {
        return Ok(None);
    }
    let now = app.clock.now();
    // Later than every revocation of the user, also where the clock of the replica that revoked is ahead.
    let issued_at = revoked.issued_until.map_or(now, |until| now.max(until + chrono::TimeDelta::microseconds(1)));
    let session = Session::begin(company, user, issued_at);
    let refresh = Secret::generate()?;

    let mut attempt = attempt(store::throttle::lock(&mut tx, names, now).await?);
    attempt.succeed(now);
    store::throttle::update(&mut tx, names, &counters(&attempt), now).await?;
    store::credential::use_up(&mut tx, (company, user), better.as_deref()).await?;
    store::session::insert(&mut tx, &session).await?;
    store::refresh_token::insert(&mut tx, (company, session.id), 1, &refresh.hash()).await?;
    let event = LoginSuccess {
        user_id: user,
        session_id: session.id,
        ip: client.address,
        user_agent: client.user_agent.clone(),
        method: LoginMethod::Password,
    };
    let origin = taskman_events::Origin { session: Some(session.id), ..origin(client, company, Actor::User(user)) };
    outbox::record(&mut tx, &origin, &event, now).await?;
    let access = app.access_token(&session, &subject, rights)?;
    tx.commit().await?;
    app.committed(false);
    metrics::login(true);
    let refresh = secret::write(secret::REFRESH, session.id.into(), &refresh);
    Ok(Some(Tokens { access, refresh, session: session.id, user }))
}

/// Records that a login failed, and says no more than that.
async fn refuse(
    app: &App,
    client: &Client,
    email: &str,
    subject: Option<&Subject>,
    reason: LoginFailure,
) -> Result<Tokens, Error> {
    let (company, _) = subject::ids(subject);
    let event = LoginFailed {
        email_hash: app.secrets.email_hash(email),
        user_id: subject.map(|subject| subject.user),
        ip: client.address,
        reason,
    };
    let mut tx = app.db.begin().await?;
    outbox::record(&mut tx, &origin(client, company, Actor::Anonymous), &event, app.clock.now()).await?;
    tx.commit().await?;
    app.committed(false);
    metrics::login(false);
    Err(Error::LoginFailed)
}

fn attempt([account, network, pair]: [Counter; 3]) -> Attempt {
    Attempt { account, network, pair }
}

const fn counters(attempt: &Attempt) -> [&Counter; 3] {
    [&attempt.account, &attempt.network, &attempt.pair]
}
