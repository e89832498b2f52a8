//! Mail to people about what concerns them.
