//! What tests need: stores of their own, started services, minted callers and wait-until.
