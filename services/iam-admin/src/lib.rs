//! Roles, policies and who holds them.
