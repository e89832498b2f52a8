-- What messaging keeps in the database of every service that publishes or consumes events.

-- An event, written in the transaction of the change that it tells of; the relay publishes it.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    company_id uuid NOT NULL,
    aggregate_kind text NOT NULL,
    aggregate_id uuid NOT NULL,
    aggregate_version bigint,
    exchange text NOT NULL,
    routing_key text NOT NULL,
    payload bytea NOT NULL,
    traceparent text,
    tracestate text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Given with the first claim; without gaps over all events of this database.
    producer_seq bigint,
    attempts integer NOT NULL DEFAULT 0,
    -- When it is due. A claim moves it behind the end of its lease, so that a crashed relay's events come due again.
    next_attempt_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    published_at timestamptz
);
CREATE INDEX outbox_due ON outbox (next_attempt_at, id) WHERE published_at IS NULL;
CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- The last producer_seq that was given. One row, locked by the relay that claims.
CREATE TABLE outbox_head (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    producer_seq bigint NOT NULL
);
INSERT INTO outbox_head (producer_seq) VALUES (0);

-- An event that was applied, written in the transaction of its effect; it makes a second delivery harmless.
CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    company_id uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_received ON inbox USING brin (received_at);

-- A message that could not be applied.
CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    consumer text NOT NULL,
    message_id text NOT NULL,
    company_id uuid NOT NULL,
    event_id uuid,
    routing_key text NOT NULL,
    class text NOT NULL CHECK (class IN ('poison', 'permanent', 'exhausted', 'crash_loop')),
    reason text NOT NULL,
    detail text NOT NULL,
    -- Equal for failures that look alike.
    fingerprint text NOT NULL,
    attempts integer NOT NULL,
    -- How often it has arrived here: more than once when it failed again after a replay.
    times integer NOT NULL DEFAULT 1,
    first_failed_at timestamptz,
    last_failed_at timestamptz,
    version text,
    traceparent text,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    state text NOT NULL DEFAULT 'dead' CHECK (state IN ('dead', 'replayed', 'discarded')),
    arrived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_at timestamptz,
    UNIQUE (consumer, message_id)
);
CREATE INDEX dead_letters_arrived ON dead_letters (arrived_at DESC, id) WHERE state = 'dead';
