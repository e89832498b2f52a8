//! Opens a link request for a new user, who sets the first password with it.

use taskman_errors::Violation;
use taskman_ids::{CompanyId, LinkRequestId, UserId};

use super::App;
use crate::domain::link::{Link, Purpose};
use crate::error::Error;
use crate::store;

/// For whom, and under which id.
#[derive(Debug)]
pub(crate) struct CreateLinkRequest {
    /// The id, made by the caller.
    pub(crate) id: LinkRequestId,
    /// The company.
    pub(crate) company: CompanyId,
    /// The user.
    pub(crate) user: UserId,
}

/// Stores the request; the same again changes nothing.
pub(crate) async fn create_link_request(app: &App, cmd: CreateLinkRequest) -> Result<(), Error> {
    let CreateLinkRequest { id, company, user } = cmd;
    let mut tx = app.db.begin().await?;
    let link = Link::request(id, (company, user), Purpose::SetPassword, app.clock.now());
    store::link_request::insert(&mut tx, &link).await?;
    let stored = store::link_request::find(&mut tx, id).await?;
    if !stored.is_some_and(|stored| (stored.company, stored.user, stored.purpose) == (company, user, link.purpose)) {
        let description = "names another link already".to_owned();
        return Err(Error::Invalid(vec![Violation { field: "link_request_id".to_owned(), description }]));
    }
    tx.commit().await?;
    Ok(())
}
