//! Work that time asks for.

pub(crate) mod count_active_tasks;
