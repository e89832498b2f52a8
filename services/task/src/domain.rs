//! Types and rules: pure, without a clock, a database or a network.

pub(crate) mod hours;
pub(crate) mod priority;
pub(crate) mod project;
pub(crate) mod task;
pub(crate) mod text;

pub(crate) use hours::Hours;
pub(crate) use priority::Priority;
