//! Stores the first password of a user who is being signed up.

use secrecy::SecretString;
use taskman_errors::Violation;
use taskman_ids::{CompanyId, UserId};

use super::App;
use crate::domain::password::Password;
use crate::error::Error;
use crate::store;

/// Whose password, and which.
#[derive(Debug)]
pub(crate) struct CreateCredential {
    /// The company.
    pub(crate) company: CompanyId,
    /// The user.
    pub(crate) user: UserId,
    /// The password.
    pub(crate) password: SecretString,
    /// What it must not be built from.
    pub(crate) personal_words: Vec<String>,
}

/// Stores the password. This step of a sign-up may come again: until the password is used, or kept because its user
/// exists, another one takes its place; from then on it stays.
pub(crate) async fn create_credential(app: &App, cmd: CreateCredential) -> Result<(), Error> {
    let password = Password::parse(cmd.password, &cmd.personal_words).map_err(|weak| {
        Error::Invalid(vec![Violation { field: "password".to_owned(), description: weak.to_string() }])
    })?;
    let kept = store::credential::is_kept(&mut *app.db.primary().acquire().await?, cmd.company, cmd.user).await?;
    if kept {
        return Ok(());
    }
    let hash = app.hashing.queue()?.hash(password.into_inner()).await?;
    let mut tx = app.db.begin().await?;
    store::credential::put_pending(&mut tx, (cmd.company, cmd.user), &hash, app.clock.now()).await?;
    tx.commit().await?;
    Ok(())
}
