-- What the stream of changes is made from. The counter's one row is locked by every transaction that changes a user, so
-- positions have no gaps and are in commit order.
CREATE TABLE user_position (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO user_position (position) VALUES (0);

CREATE TABLE user_changes (
    position   bigint      PRIMARY KEY,
    company_id uuid        NOT NULL,
    user_id    uuid        NOT NULL REFERENCES users (id),
    changed_at timestamptz NOT NULL
);

-- Users whose sessions must end: the row goes when the authentication service has said that they did.
CREATE TABLE pending_revocations (
    user_id    uuid        PRIMARY KEY REFERENCES users (id),
    company_id uuid        NOT NULL,
    reason     text        NOT NULL,
    created_at timestamptz NOT NULL
);
