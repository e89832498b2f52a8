//! Lists the roles of the caller's company, by name.

use taskman_identity::Caller;
use taskman_paging::{Page, PageSize, args_hash};

use crate::app::App;
use crate::domain::role::Role;
use crate::error::Error;
use crate::store;

/// What a list asks for.
#[derive(Debug)]
pub(crate) struct ListRoles {
    pub(crate) size: PageSize,
    pub(crate) page_token: String,
}

/// Returns one page; the pseudo-role is not on it.
pub(crate) async fn list_roles(app: &App, caller: &Caller, query: ListRoles) -> Result<Page<Role>, Error> {
    let list = app.pages.list(args_hash(&"ListRoles"), caller.company, app.clock.now());
    let after: Option<String> = list.open(&query.page_token)?;
    let mut conn = app.db.read().acquire().await?;
    let rows = store::role::list(&mut conn, caller.company, after.as_deref(), query.size).await?;
    Ok(list.page(rows, query.size, |role| role.name.clone()))
}
