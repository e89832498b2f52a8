-- How many attempts there were lately: for an account, an address, and the pair of both. Keys are keyed hashes.
CREATE TABLE login_throttles (
    key           bytea       PRIMARY KEY CHECK (octet_length(key) = 32),
    -- The account's company, where it is known; else the nil UUID.
    company_id    uuid        NOT NULL,
    failures      integer     NOT NULL,
    blocked_until timestamptz,
    -- Pairs only: this device has logged in, so attempts from elsewhere do not shut it out.
    succeeded_at  timestamptz,
    forget_at     timestamptz NOT NULL
);
CREATE INDEX login_throttles_over ON login_throttles (forget_at);
