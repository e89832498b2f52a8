//! PostgreSQL: pools, run-or-refuse migrations, constraint errors, idempotency and time-series tables.
