//! Returns what was sent to somebody, newest first.

use taskman_identity::Caller;
use taskman_ids::UserId;
use taskman_paging::{Page, PageSize, args_hash};

use crate::app::App;
use crate::domain::notification::{Notification, Status};
use crate::error::Error;
use crate::store;
use crate::store::notification::Position;

/// What a request asks for.
pub(crate) struct GetHistory {
    /// Whose; the caller's own when nobody is named.
    pub(crate) recipient: Option<UserId>,
    pub(crate) status: Option<Status>,
    pub(crate) size: PageSize,
    pub(crate) page_token: String,
}

/// Returns one page. Another's history needs a permission of its own.
pub(crate) async fn get_notification_history(
    app: &App,
    caller: &Caller,
    query: GetHistory,
) -> Result<Page<Notification>, Error> {
    let recipient = query.recipient.unwrap_or(caller.user);
    if recipient != caller.user {
        app.access.require(caller, "notifications:view_all", &["notifications".to_owned()]).await?;
    }
    let args = args_hash(&("history", recipient, query.status.map(|status| format!("{status:?}"))));
    let list = app.pages.list(args, caller.company, app.clock.now());
    let after: Option<Position> = list.open(&query.page_token)?;
    let mut conn = app.db.read().acquire().await?;
    let rows =
        store::notification::list(&mut conn, caller.company, recipient, query.status, after.as_ref(), query.size)
            .await?;
    Ok(list.page(rows, query.size, |row| Position::from(row)))
}
