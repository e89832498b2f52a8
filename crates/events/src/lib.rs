//! The catalogue of domain events, their envelope and who subscribes to them.
//!
//! An event says what happened, in the past tense, after it was committed. Its exchange, routing key and payload are
//! declared once, by the [`Event`] that a module here gives to each exchange; [`CATALOGUE`] lists them all. On the wire an
//! event travels inside an [`Envelope`] (CloudEvents 1.0, structured JSON), which says whose company it belongs to and
//! who caused it ([`Origin`]). Who receives it is the table of [`SUBSCRIPTIONS`].
//!
//! Fields are only ever added, and only optional ones; a changed meaning is a new event. Readers ignore what they do not
//! know, so old and new versions run side by side. No event carries a token, a secret or the body of a message: the audit
//! trail keeps all of them. Fields about a person are marked `personal` in the declaration, which shows as `x-pii` in the
//! JSON Schema (`schemas/`) and tells the audit trail what to seal.

mod declare;

pub mod audit;
pub mod auth;
pub mod authz;
mod catalogue;
mod envelope;
mod event;
mod exchange;
pub mod iam;
pub mod notification;
mod origin;
mod schema;
mod subscription;
pub mod task;
pub mod user;

pub use catalogue::{CATALOGUE, Entry, find};
pub use envelope::{CONTENT_TYPE, Envelope, MAX_BYTES, Malformed};
pub use event::{Aggregate, Event};
pub use exchange::Exchange;
pub use origin::{Actor, NO_COMPANY, Origin};
pub use schema::Schema;
pub use subscription::{Binding, SUBSCRIPTIONS, Subscription, subscription};
