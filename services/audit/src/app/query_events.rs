//! Shows the events of the caller's company, newest first, and tells the trail that somebody looked.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use taskman_events::audit::AuditQueried;
use taskman_identity::Caller;
use taskman_messaging::outbox;
use taskman_paging::{Page, PageSize, args_hash};
use taskman_rpc::origin;

use crate::app::{App, keys};
use crate::domain::event::Event;
use crate::domain::personal::Personal;
use crate::domain::seal::{self, Keyring, Owner, Sealed};
use crate::domain::window::Window;
use crate::error::Error;
use crate::store;
use crate::store::event::{Filter, Position};

/// What is asked for.
pub(crate) struct QueryEvents {
    pub(crate) filter: Filter,
    /// As the client sent it; a page token is bound to it.
    pub(crate) start: Option<DateTime<Utc>>,
    /// As the client sent it; a page token is bound to it.
    pub(crate) end: Option<DateTime<Utc>>,
    pub(crate) place: Place,
    pub(crate) size: PageSize,
}

/// Where the page begins.
pub(crate) enum Place {
    /// At the end of this window.
    First(Window),
    /// Where this token says, in the window of the first page: `now` has moved on since.
    After(String),
}

/// Returns one page.
pub(crate) async fn query_events(app: &App, caller: &Caller, query: QueryEvents) -> Result<Page<Event>, Error> {
    let args = args_hash(&("QueryEvents", &query.filter, query.start, query.end));
    let list = app.pages.list(args, caller.company, app.clock.now());
    let (window, after) = match &query.place {
        Place::First(window) => (*window, None),
        Place::After(token) => {
            let position: Position = app.pages.open(token, args, caller.company, app.clock.now())?;
            (position.window, Some(position))
        }
    };
    let mut conn = app.db.read().acquire().await?;
    let rows = store::event::list(&mut conn, caller.company, &query.filter, window, after, query.size).await?;
    let page = list.page(rows, query.size, |last| Position::at(&last.fact, window));
    let keys = keys_of(app, &mut conn, &page.items).await?;
    // Given back before the record is written: a request that holds two connections can starve the pool.
    drop(conn);
    let page = page.map(|sealed| opened(sealed, &keys));
    record(app, caller, &query.filter, window, page.items.len()).await?;
    Ok(page)
}

async fn keys_of(app: &App, conn: &mut PgConnection, rows: &[Sealed]) -> Result<Keyring, Error> {
    let mut owners = BTreeSet::new();
    for Sealed { fact, pii } in rows {
        // What cannot be read has no owner here, and is told of when it is opened.
        let subjects = pii.as_deref().and_then(|pii| seal::subjects(pii).ok()).unwrap_or_default();
        owners.extend(subjects.into_iter().map(|subject| Owner { company: fact.company, subject }));
    }
    let owners: Vec<Owner> = owners.into_iter().collect();
    keys::for_opening(conn, &app.master, &owners).await
}

/// Opens what is about persons. A damaged seal hides no record: the rest of it is shown, and the log tells.
fn opened(Sealed { fact, pii }: Sealed, keys: &Keyring) -> Event {
    let personal = match pii.map(|pii| seal::open(&fact, &pii, keys)) {
        None => Personal::default(),
        Some(Ok(personal)) => personal,
        Some(Err(error)) => {
            tracing::error!(audit.event_id = %fact.id, %error, "the personal data of a record is damaged");
            Personal::default()
        }
    };
    Event { fact, personal }
}

/// Records that the caller looked. Without it they are not shown anything.
async fn record(app: &App, caller: &Caller, filter: &Filter, window: Window, returned: usize) -> Result<(), Error> {
    let now = app.clock.now();
    let event = AuditQueried {
        user_id: caller.user,
        start: window.start,
        end: window.end,
        filters: filter.names(),
        returned: i64::try_from(returned).unwrap_or(i64::MAX),
    };
    let mut tx = app.db.begin().await?;
    outbox::record(&mut tx, &origin(caller), &event, now).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}
