//! Conversions between proto messages and the service's own types.

mod reply;
mod request;

pub(super) use reply::{projects, resource_attributes, tasks};
pub(super) use request::{project_id, task_id};
