//! Loads the projection from the database, so that a restart decides at once.

use std::time::Instant;

use sqlx::PgConnection;

use crate::app::App;
use crate::domain::change::{IamChange, What};
use crate::domain::position::Stream;
use crate::error::Error;
use crate::store;

/// So many companies are read and compiled at a time.
const COMPANIES: i64 = 100;
/// So many users are read at a time.
const USERS: i64 = 5_000;

/// Fills the empty projection with what was written, as of one moment.
pub(crate) async fn load(app: &App) -> Result<(), Error> {
    // One snapshot of the database, on the primary: another replica may write meanwhile.
    let mut tx = app.db.begin().await?;
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY").execute(&mut *tx).await?;
    load_companies(app, &mut tx).await?;
    load_users(app, &mut tx).await?;
    for stream in Stream::ALL {
        let row = store::position::get(&mut tx, stream).await?;
        // A time in the future tells of a clock that went back, not of how fresh anything is.
        let age = row.fresh_at.and_then(|at| (app.clock.now() - at).to_std().ok());
        let progress = app.projection.progress(stream);
        progress.advance(row.position);
        progress.was_fresh(age.and_then(|age| Instant::now().checked_sub(age)));
    }
    tx.commit().await?;
    Ok(())
}

async fn load_companies(app: &App, conn: &mut PgConnection) -> Result<(), Error> {
    let mut after = None;
    loop {
        let companies = store::iam::list(conn, after, COMPANIES).await?;
        let Some((last, _)) = companies.last() else { return Ok(()) };
        after = Some(*last);
        let changes = companies
            .into_iter()
            .map(|(company, state)| IamChange { company, what: What::Company(Box::new(state)) })
            .collect();
        app.projection.apply_iam(changes).await?;
    }
}

async fn load_users(app: &App, conn: &mut PgConnection) -> Result<(), Error> {
    let mut after = None;
    loop {
        let subjects = store::subject::list(conn, after, USERS).await?;
        let Some(last) = subjects.last() else { return Ok(()) };
        after = Some((last.company, last.id));
        app.projection.apply_users(subjects);
    }
}
