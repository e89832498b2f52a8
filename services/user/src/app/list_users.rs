//! Lists the users of the caller's company, newest first.

use taskman_identity::Caller;
use taskman_paging::{Page, PageSize, args_hash};

use crate::app::App;
use crate::domain::user::User;
use crate::error::Error;
use crate::store;
use crate::store::user::Position;

/// What a list asks for.
pub(crate) struct ListUsers {
    pub(crate) active: Option<bool>,
    pub(crate) size: PageSize,
    pub(crate) page_token: String,
}

/// Returns one page.
pub(crate) async fn list_users(app: &App, caller: &Caller, query: ListUsers) -> Result<Page<User>, Error> {
    let list = app.pages.list(args_hash(&("users", query.active)), caller.company, app.clock.now());
    let after: Option<Position> = list.open(&query.page_token)?;
    let mut conn = app.db.read().acquire().await?;
    let rows = store::user::list(&mut conn, caller.company, query.active, after.as_ref(), query.size).await?;
    Ok(list.page(rows, query.size, |user| Position::from(user)))
}
