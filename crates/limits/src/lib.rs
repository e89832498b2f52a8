//! Rate limits: GCRA in Redis, locally when Redis is away.
