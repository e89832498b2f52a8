//! Circuit breaker, deadlines and the retry budget for calls that leave the process.
