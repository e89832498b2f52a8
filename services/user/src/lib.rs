//! Companies and users.
