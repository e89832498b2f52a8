//! Follows users and the state of their companies.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::follow::{Source, follow};
use crate::app::App;
use crate::clients::{self, Items};
use crate::domain::change::UserChange;
use crate::domain::position::Stream;
use crate::error::Error;
use crate::store;

struct Users;

#[async_trait]
impl Source for Users {
    const STREAM: Stream = Stream::User;
    type Change = UserChange;

    async fn open(app: &App, since: i64) -> Result<Items<UserChange>, Error> {
        clients::watch_users(app, since).await
    }

    async fn apply(app: &App, changes: Vec<UserChange>) -> Result<(), Error> {
        app.projection.apply_users(changes);
        Ok(())
    }

    async fn write(conn: &mut PgConnection, changes: Vec<UserChange>) -> Result<(), Error> {
        store::subject::upsert(conn, &changes).await
    }

    async fn clear(conn: &mut PgConnection) -> Result<(), Error> {
        store::subject::delete_all(conn).await
    }
}

/// Follows the stream of the user service until stopped.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    follow::<Users>(app, stop).await;
}
