//! The table of audit events.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};
use taskman_ids::{CompanyId, EventId, RequestId, SessionId, UserId};
use taskman_paging::PageSize;
use uuid::Uuid;

use crate::domain::event::{Actor, Fact, Target};
use crate::domain::outcome::Outcome;
use crate::domain::seal::Sealed;
use crate::domain::window::Window;
use crate::error::Error;

/// Which events are asked for; what is `None` does not matter.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(crate) struct Filter {
    /// Whose type begins so.
    pub(crate) event_type: Option<String>,
    /// Of this user.
    pub(crate) actor: Option<UserId>,
    /// On this sort of thing.
    pub(crate) target_type: Option<String>,
    /// On this thing.
    pub(crate) target_id: Option<String>,
    /// That ended so.
    pub(crate) outcome: Option<Outcome>,
}

impl Filter {
    /// Returns the names of the filters that are set.
    pub(crate) fn names(&self) -> Vec<String> {
        let set = [
            ("event_type", self.event_type.is_some()),
            ("actor_id", self.actor.is_some()),
            ("target_type", self.target_type.is_some()),
            ("target_id", self.target_id.is_some()),
            ("result", self.outcome.is_some()),
        ];
        set.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name.to_owned()).collect()
    }
}

/// Where a list goes on: after this event, in the window of the first page.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub(crate) struct Position {
    pub(crate) window: Window,
    occurred_at: DateTime<Utc>,
    id: EventId,
}

impl Position {
    /// Stands at the event.
    pub(crate) const fn at(fact: &Fact, window: Window) -> Self {
        Self { window, occurred_at: fact.occurred_at, id: fact.id }
    }
}

/// Inserts what is new, in one statement; returns how many rows of which outcome were.
pub(crate) async fn insert_all(conn: &mut PgConnection, events: &[Sealed]) -> Result<Vec<(Outcome, i64)>, Error> {
    let columns = Columns::of(events);
    // Always in one order, so that two batches wait for each other and never in a circle.
    let counts: Vec<(String, i64)> = sqlx::query_as(
        "WITH inserted AS (
             INSERT INTO audit_events (company_id, occurred_at, id, recorded_at, event_type, actor_type, actor_id,
                                       actor_service, target_type, target_id, action, result, source, request_id,
                                       trace_id, session_id, causation_id, producer_seq, data_schema, metadata, pii)
             SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::timestamptz[], $5::text[], $6::text[],
                                  $7::uuid[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
                                  $13::text[], $14::uuid[], $15::text[], $16::uuid[], $17::uuid[], $18::bigint[],
                                  $19::text[], $20::jsonb[], $21::bytea[])
                        AS event (company_id, occurred_at, id)
             ORDER BY occurred_at, id
             ON CONFLICT (occurred_at, id) DO NOTHING
             RETURNING result
         )
         SELECT result, count(*) FROM inserted GROUP BY result",
    )
    .bind(columns.companies)
    .bind(columns.occurred)
    .bind(columns.ids)
    .bind(columns.recorded)
    .bind(columns.types)
    .bind(columns.actor_types)
    .bind(columns.actor_ids)
    .bind(columns.actor_services)
    .bind(columns.target_types)
    .bind(columns.target_ids)
    .bind(columns.actions)
    .bind(columns.results)
    .bind(columns.sources)
    .bind(columns.requests)
    .bind(columns.traces)
    .bind(columns.sessions)
    .bind(columns.causations)
    .bind(columns.producer_seqs)
    .bind(columns.schemas)
    .bind(columns.metadata)
    .bind(columns.pii)
    .fetch_all(conn)
    .await?;
    Ok(counts.into_iter().map(|(word, count)| (Outcome::parse(&word), count)).collect())
}

/// Lists the events of a company, newest first, one more than the page holds.
pub(crate) async fn list(
    conn: &mut PgConnection,
    company: CompanyId,
    filter: &Filter,
    window: Window,
    after: Option<Position>,
    size: PageSize,
) -> Result<Vec<Sealed>, Error> {
    let mut query = QueryBuilder::<Postgres>::new(
        "SELECT company_id, occurred_at, id, recorded_at, event_type, actor_type, actor_id, actor_service, target_type,
                target_id, action, result, source, request_id, trace_id, session_id, causation_id, producer_seq,
                data_schema, metadata, pii
         FROM audit_events WHERE company_id = ",
    );
    query.push_bind(company);
    query.push(" AND occurred_at >= ").push_bind(window.start);
    query.push(" AND occurred_at < ").push_bind(window.end);
    if let Some(prefix) = &filter.event_type {
        query.push(" AND starts_with(event_type, ").push_bind(prefix).push(")");
    }
    if let Some(actor) = filter.actor {
        query.push(" AND actor_id = ").push_bind(actor);
    }
    if let Some(kind) = &filter.target_type {
        query.push(" AND target_type = ").push_bind(kind);
    }
    if let Some(id) = &filter.target_id {
        query.push(" AND target_id = ").push_bind(id);
    }
    if let Some(outcome) = filter.outcome {
        query.push(" AND result = ").push_bind(outcome.as_str());
    }
    if let Some(after) = after {
        // The first condition says nothing new; it tells the planner which days cannot hold anything.
        query.push(" AND occurred_at <= ").push_bind(after.occurred_at);
        query.push(" AND (occurred_at, id) < (").push_bind(after.occurred_at).push(", ").push_bind(after.id).push(")");
    }
    query.push(" ORDER BY occurred_at DESC, id DESC LIMIT ").push_bind(size.limit());
    let rows: Vec<Row> = query.build_query_as().fetch_all(conn).await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// A row, as the columns are.
#[derive(sqlx::FromRow)]
struct Row {
    company_id: CompanyId,
    occurred_at: DateTime<Utc>,
    id: EventId,
    recorded_at: DateTime<Utc>,
    event_type: String,
    actor_type: String,
    actor_id: Option<UserId>,
    actor_service: Option<String>,
    target_type: String,
    target_id: String,
    action: String,
    result: String,
    source: String,
    request_id: Option<RequestId>,
    trace_id: Option<String>,
    session_id: Option<SessionId>,
    causation_id: Option<EventId>,
    producer_seq: Option<i64>,
    data_schema: Option<String>,
    metadata: Json<Map<String, Value>>,
    pii: Option<Vec<u8>>,
}

impl From<Row> for Sealed {
    fn from(row: Row) -> Self {
        let actor = match (row.actor_type.as_str(), row.actor_id) {
            ("user", Some(user)) => Actor::User(user),
            ("service", _) => Actor::Service(row.actor_service.unwrap_or_default()),
            ("system", _) => Actor::System,
            _ => Actor::Anonymous,
        };
        let fact = Fact {
            id: row.id,
            company: row.company_id,
            occurred_at: row.occurred_at,
            recorded_at: row.recorded_at,
            event_type: row.event_type,
            actor,
            target: Target { kind: row.target_type, id: row.target_id },
            action: row.action,
            outcome: Outcome::parse(&row.result),
            source: row.source,
            request_id: row.request_id,
            trace_id: row.trace_id,
            session: row.session_id,
            causation: row.causation_id,
            producer_seq: row.producer_seq,
            data_schema: row.data_schema,
            metadata: row.metadata.0,
        };
        Self { fact, pii: row.pii }
    }
}

/// The rows of one insert, column by column.
#[derive(Default)]
struct Columns<'a> {
    companies: Vec<Uuid>,
    occurred: Vec<DateTime<Utc>>,
    ids: Vec<Uuid>,
    recorded: Vec<DateTime<Utc>>,
    types: Vec<&'a str>,
    actor_types: Vec<&'static str>,
    actor_ids: Vec<Option<Uuid>>,
    actor_services: Vec<Option<&'a str>>,
    target_types: Vec<&'a str>,
    target_ids: Vec<&'a str>,
    actions: Vec<&'a str>,
    results: Vec<&'static str>,
    sources: Vec<&'a str>,
    requests: Vec<Option<Uuid>>,
    traces: Vec<Option<&'a str>>,
    sessions: Vec<Option<Uuid>>,
    causations: Vec<Option<Uuid>>,
    producer_seqs: Vec<Option<i64>>,
    schemas: Vec<Option<&'a str>>,
    metadata: Vec<Json<&'a Map<String, Value>>>,
    pii: Vec<Option<&'a [u8]>>,
}

impl<'a> Columns<'a> {
    fn of(events: &'a [Sealed]) -> Self {
        let mut columns = Self::default();
        for event in events {
            columns.add(event);
        }
        columns
    }

    fn add(&mut self, Sealed { fact, pii }: &'a Sealed) {
        let (actor_type, actor_id, actor_service) = match &fact.actor {
            Actor::User(user) => ("user", Some(user.as_uuid()), None),
            Actor::Service(name) => ("service", None, Some(name.as_str())),
            Actor::System => ("system", None, None),
            Actor::Anonymous => ("anonymous", None, None),
        };
        self.companies.push(fact.company.as_uuid());
        self.occurred.push(fact.occurred_at);
        self.ids.push(fact.id.as_uuid());
        self.recorded.push(fact.recorded_at);
        self.types.push(&fact.event_type);
        self.actor_types.push(actor_type);
        self.actor_ids.push(actor_id);
        self.actor_services.push(actor_service);
        self.target_types.push(&fact.target.kind);
        self.target_ids.push(&fact.target.id);
        self.actions.push(&fact.action);
        self.results.push(fact.outcome.as_str());
        self.sources.push(&fact.source);
        self.requests.push(fact.request_id.map(Uuid::from));
        self.traces.push(fact.trace_id.as_deref());
        self.sessions.push(fact.session.map(Uuid::from));
        self.causations.push(fact.causation.map(Uuid::from));
        self.producer_seqs.push(fact.producer_seq);
        self.schemas.push(fact.data_schema.as_deref());
        self.metadata.push(Json(&fact.metadata));
        self.pii.push(pii.as_deref());
    }
}
