-- Logins. A session is open while it has not ended and `open_until` has not passed.
CREATE TABLE sessions (
    id               uuid        PRIMARY KEY,
    company_id       uuid        NOT NULL,
    user_id          uuid        NOT NULL,
    -- When the password was proved.
    authenticated_at timestamptz NOT NULL,
    -- When the newest access token was issued; a revocation reaches at least so far.
    issued_at        timestamptz NOT NULL,
    -- Whatever happens, it is over then.
    expires_at       timestamptz NOT NULL,
    -- Moved on with each use, up to `expires_at`; the time of the end once it has ended.
    open_until       timestamptz NOT NULL,
    ended_at         timestamptz,
    end_reason       text CHECK (end_reason IN (
        'logout', 'by_user', 'token_reuse', 'password_changed', 'user_deactivated', 'company_suspended')),
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
);
CREATE INDEX sessions_of_user ON sessions (company_id, user_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_over ON sessions (open_until);

-- Every refresh token of a session, by hash: the newest is unused, the others tell reuse.
CREATE TABLE refresh_tokens (
    session_id uuid        NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    generation integer     NOT NULL CHECK (generation >= 1),
    company_id uuid        NOT NULL,
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    used_at    timestamptz,
    PRIMARY KEY (session_id, generation),
    CONSTRAINT refresh_tokens_hash UNIQUE (session_id, hash)
);
