-- Remembered replies of mutating calls, kept for 24 hours. The nil UUID stands for "no company yet" and "no user".
CREATE TABLE idempotency_keys (
    company_id   uuid        NOT NULL,
    caller_id    uuid        NOT NULL,
    method       text        NOT NULL,
    request_id   uuid        NOT NULL,
    request_hash bytea       NOT NULL CHECK (octet_length(request_hash) = 32),
    reply        bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (company_id, caller_id, method, request_id)
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
