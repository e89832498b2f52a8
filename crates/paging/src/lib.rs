//! Page sizes, sealed page tokens and pages of results.
