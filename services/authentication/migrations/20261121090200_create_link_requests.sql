-- Requests for links that set a password. The secret of a link is made when its mail is sent, and only its hash is kept.
CREATE TABLE link_requests (
    id             uuid        PRIMARY KEY,
    company_id     uuid        NOT NULL,
    user_id        uuid        NOT NULL,
    purpose        text        NOT NULL CHECK (purpose IN ('reset_password', 'set_password')),
    requested_at   timestamptz NOT NULL,
    mintable_until timestamptz NOT NULL,
    mints          integer     NOT NULL CHECK (mints BETWEEN 0 AND 5),
    secret_hash    bytea CHECK (octet_length(secret_hash) = 32),
    expires_at     timestamptz,
    used_at        timestamptz,
    CHECK ((secret_hash IS NULL) = (expires_at IS NULL))
);
CREATE INDEX link_requests_of_user ON link_requests (company_id, user_id) WHERE used_at IS NULL;
CREATE INDEX link_requests_over ON link_requests (greatest(mintable_until, expires_at));
