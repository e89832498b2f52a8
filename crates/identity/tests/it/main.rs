//! What the outside may rely on: tokens, vouchers and revocations as their users see them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod fixture;
mod forged_tokens;
mod revocations;
mod tokens;
mod vouchers;
