//! Signs a company up with its first administrator.
//!
//! Five steps, each of which may be repeated (identity.md 1): ids are derived from the request id; the credential; company
//! and user; the roles; the company opens. Until then nobody can log in.

use taskman_events::{Actor, Origin};
use taskman_identity::Client;
use taskman_ids::{CompanyId, UserId};
use taskman_messaging::outbox;
use taskman_postgres::idempotency;
use uuid::Uuid;

use crate::app::App;
use crate::clients;
use crate::domain::company::{Company, Status};
use crate::domain::user::{Profile, User};
use crate::error::Error;
use crate::store;

/// What a sign-up asks for.
pub(crate) struct RegisterCompany {
    pub(crate) name: String,
    pub(crate) slug: String,
    pub(crate) admin: Profile,
    pub(crate) password: String,
    /// Chosen by the client, or made here when it chose none: then a repetition is a sign-up of its own.
    pub(crate) request_id: Uuid,
}

/// Signs up, or finishes a sign-up that the same request began.
pub(crate) async fn register_company(
    app: &App,
    client: &Client,
    cmd: RegisterCompany,
) -> Result<(Company, User), Error> {
    let company = CompanyId::derived(cmd.request_id, "company");
    let admin = UserId::derived(cmd.request_id, "admin");
    let signup = fingerprint(&cmd);
    if !signed_up(app, company, &signup).await? {
        match begin(app, (company, admin), &cmd, signup).await {
            // The same request, sent twice at the same time, may have got there first: what is left to do is the same.
            Err(taken @ (Error::SlugTaken | Error::EmailTaken | Error::SignupExists)) => {
                if !signed_up(app, company, &signup).await? {
                    return Err(taken);
                }
            }
            begun => begun?,
        }
    }
    let mut origin = Origin::new(company, Actor::User(admin));
    origin.client_address = client.address;
    origin.user_agent.clone_from(&client.user_agent);
    origin.request_id = Some(client.request_id);
    open(app, company, admin, &origin).await
}

/// Makes the roles and opens the company; what was done already stays as it is, and is asked of nobody again.
pub(crate) async fn open(
    app: &App,
    company: CompanyId,
    admin: UserId,
    origin: &Origin,
) -> Result<(Company, User), Error> {
    if let Some(opened) = find_opened(app, company, admin).await? {
        return Ok(opened);
    }
    clients::provision_company(app, company, admin).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let mut company = store::company::find_for_update(&mut tx, company).await?.ok_or(Error::NotFound)?;
    let admin = store::user::find(&mut tx, company.id, admin).await?.ok_or(Error::NotFound)?;
    if company.status == Status::Provisioning {
        let opened = company.open(now);
        store::company::update(&mut tx, &company).await?;
        store::change::insert(&mut tx, company.id, admin.id, now).await?;
        outbox::record(&mut tx, origin, &opened, now).await?;
        outbox::record(&mut tx, origin, &admin.signed_up(), now).await?;
        tx.commit().await?;
        app.committed();
    }
    Ok((company, admin))
}

/// Finds a company whose sign-up is finished, and its first user.
async fn find_opened(app: &App, company: CompanyId, admin: UserId) -> Result<Option<(Company, User)>, Error> {
    let mut conn = app.db.primary().acquire().await?;
    let (company, _) = store::company::find(&mut conn, company).await?.ok_or(Error::NotFound)?;
    if company.status == Status::Provisioning {
        return Ok(None);
    }
    let admin = store::user::find(&mut conn, company.id, admin).await?.ok_or(Error::NotFound)?;
    Ok(Some((company, admin)))
}

/// Says whether the company is there already, signed up by the same request.
async fn signed_up(app: &App, company: CompanyId, signup: &[u8; 32]) -> Result<bool, Error> {
    let mut conn = app.db.primary().acquire().await?;
    match store::company::find(&mut conn, company).await? {
        None => Ok(false),
        Some((_, known)) if known == signup => Ok(true),
        Some(_) => Err(Error::RequestReused),
    }
}

/// Stores the credential, then company and user. That a name is taken is said before the slow step of hashing; the
/// constraints decide in the end.
async fn begin(
    app: &App,
    (company, admin): (CompanyId, UserId),
    cmd: &RegisterCompany,
    signup: [u8; 32],
) -> Result<(), Error> {
    let mut conn = app.db.primary().acquire().await?;
    if store::company::slug_exists(&mut conn, &cmd.slug).await? {
        return Err(Error::SlugTaken);
    }
    if store::user::email_exists(&mut conn, &cmd.admin.email).await? {
        return Err(Error::EmailTaken);
    }
    drop(conn);
    clients::create_credential(app, company, admin, cmd.password.clone(), personal_words(cmd)).await?;
    let now = app.clock.now();
    let user = User::create(admin, company, cmd.admin.clone(), now);
    let company = Company {
        id: company,
        name: cmd.name.clone(),
        slug: cmd.slug.clone(),
        status: Status::Provisioning,
        admin_id: admin,
        created_at: now,
        updated_at: now,
        version: 1,
    };
    let mut tx = app.db.begin().await?;
    store::company::insert(&mut tx, &company, signup).await?;
    store::user::insert(&mut tx, &user).await?;
    store::change::insert(&mut tx, company.id, user.id, now).await?;
    tx.commit().await?;
    app.changes.wake();
    Ok(())
}

/// Tells one sign-up from another under the same request id. The password is no part of it: it is not kept here in any
/// form. Until the company is there, a repetition with another one takes its place; from then on it changes nothing.
fn fingerprint(cmd: &RegisterCompany) -> [u8; 32] {
    let admin = &cmd.admin;
    let parts = [&cmd.name, &cmd.slug, &admin.email.normalised(), &admin.username, &admin.first_name, &admin.last_name];
    idempotency::hash(parts.map(String::as_str).join("\0").as_bytes())
}

/// What the password must not be built from.
fn personal_words(cmd: &RegisterCompany) -> Vec<String> {
    let admin = &cmd.admin;
    let words = [&cmd.name, &cmd.slug, &admin.username, &admin.first_name, &admin.last_name];
    let mut words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).cloned().collect();
    words.push(admin.email.as_str().to_owned());
    words
}
