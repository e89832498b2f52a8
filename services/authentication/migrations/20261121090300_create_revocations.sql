-- The position of the newest revocation. One row, locked by whoever revokes until the end of the transaction: so that
-- positions have no gaps and come in the order of commits.
-- no company: one order over all companies
CREATE TABLE revocation_head (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO revocation_head (position) VALUES (0);

-- What ends access tokens before their time. Kept until those tokens would have ended by themselves.
CREATE TABLE revocations (
    position     bigint      PRIMARY KEY,
    company_id   uuid        NOT NULL,
    session_id   uuid,
    user_id      uuid,
    -- Tokens issued at or before this are refused.
    issued_until timestamptz NOT NULL,
    forget_at    timestamptz NOT NULL,
    CHECK (num_nonnulls(session_id, user_id) = 1)
);
CREATE INDEX revocations_of_user ON revocations (company_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX revocations_over ON revocations (forget_at);
