//! Makes the secret of a link, at the moment its mail is sent.

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use taskman_ids::LinkRequestId;

use super::App;
use crate::domain::link::Purpose;
use crate::domain::secret::{self, Secret};
use crate::error::Error;
use crate::store;

/// Which link, and what the mail is for.
#[derive(Debug)]
pub(crate) struct MintLink {
    /// The request that the event named.
    pub(crate) id: LinkRequestId,
    /// What the mail is for.
    pub(crate) purpose: Purpose,
}

/// Makes a new secret in the place of an older one, and returns its token and until when it is valid.
pub(crate) async fn mint_link(app: &App, cmd: MintLink) -> Result<(SecretString, DateTime<Utc>), Error> {
    let secret = Secret::generate()?;
    let mut tx = app.db.begin().await?;
    let mut link = store::link_request::find_for_update(&mut tx, cmd.id).await?.ok_or(Error::LinkInvalid)?;
    let expires_at = link.mint(cmd.purpose, secret.hash(), app.clock.now()).ok_or(Error::LinkInvalid)?;
    store::link_request::update(&mut tx, &link).await?;
    tx.commit().await?;
    Ok((secret::write(secret::LINK, cmd.id.into(), &secret), expires_at))
}
