-- The keys that access tokens are signed with; the private part is sealed (AES-256-GCM).
-- no company: one set of keys for all companies
CREATE TABLE signing_keys (
    kid         text        PRIMARY KEY,
    algorithm   text        NOT NULL CHECK (algorithm IN ('ES256', 'EdDSA')),
    sealed      bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    -- Published from the start, signs from here on, verifies only once its successor signs.
    signs_from  timestamptz NOT NULL
);
