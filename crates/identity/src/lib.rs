//! Callers: access tokens, vouchers between services and the revocation list.
