//! Follows roles, policies and assignments.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use super::follow::{Source, follow};
use crate::app::App;
use crate::clients::{self, Items};
use crate::domain::change::IamChange;
use crate::domain::position::Stream;
use crate::error::Error;
use crate::store;

struct Iam;

#[async_trait]
impl Source for Iam {
    const STREAM: Stream = Stream::Iam;
    type Change = IamChange;

    async fn open(app: &App, since: i64) -> Result<Items<IamChange>, Error> {
        clients::watch_iam(app, since).await
    }

    async fn apply(app: &App, changes: Vec<IamChange>) -> Result<(), Error> {
        Ok(app.projection.apply_iam(changes).await?)
    }

    async fn write(conn: &mut PgConnection, changes: Vec<IamChange>) -> Result<(), Error> {
        for change in &changes {
            store::iam::apply(conn, change).await?;
        }
        Ok(())
    }

    async fn clear(conn: &mut PgConnection) -> Result<(), Error> {
        store::iam::delete_all(conn).await
    }
}

/// Follows the stream of iam-admin until stopped.
pub(crate) async fn run(app: Arc<App>, stop: CancellationToken) {
    follow::<Iam>(app, stop).await;
}
