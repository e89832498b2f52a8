//! Credentials, sessions, tokens and links.
