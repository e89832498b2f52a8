-- What the stream of changes is made from. The counter's one row is locked by every transaction that changes who may do
-- what, so positions have no gaps and are in commit order.
CREATE TABLE iam_position (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    position bigint  NOT NULL
);
INSERT INTO iam_position (position) VALUES (0);

CREATE TABLE iam_changes (
    position   bigint      PRIMARY KEY,
    company_id uuid        NOT NULL,
    changed_at timestamptz NOT NULL,
    -- The state that the change leaves.
    state      jsonb       NOT NULL
);
