-- What is to be sent, and what was. A row is written with the event or the request that asks for it; a job sends it. The
-- address is asked for when the mail is sent and never stored here; nor is any link.
CREATE TABLE notification_logs (
    id                uuid        PRIMARY KEY,
    company_id        uuid        NOT NULL,
    type              text        NOT NULL CHECK (type IN ('email')),
    recipient_id      uuid        NOT NULL,
    template          text        NOT NULL,
    variables         jsonb       NOT NULL DEFAULT '{}'::jsonb,
    -- The request for the link that the mail brings; the link itself is made when the mail is sent.
    link_request_id   uuid,
    -- The event or request that asked for it: asked twice, it is sent once.
    source_id         uuid        NOT NULL,
    subject           text        NOT NULL DEFAULT '',
    status            text        NOT NULL DEFAULT 'pending'
                                  CHECK (status IN ('pending', 'sending', 'sent', 'failed', 'suppressed')),
    error             text        NOT NULL DEFAULT '',
    attempts          integer     NOT NULL DEFAULT 0,
    -- When it is due. A claim moves it behind the end of its lease, so that what a crashed sender held comes due again.
    next_attempt_at   timestamptz NOT NULL,
    request_id        uuid,
    traceparent       text,
    tracestate        text,
    created_at        timestamptz NOT NULL,
    sent_at           timestamptz,
    CONSTRAINT notification_logs_source UNIQUE (company_id, source_id, recipient_id, type)
);
CREATE INDEX notification_logs_due ON notification_logs (next_attempt_at) WHERE status IN ('pending', 'sending');
CREATE INDEX notification_logs_recipient ON notification_logs (company_id, recipient_id, created_at DESC, id DESC);

CREATE TABLE notification_attempts (
    notification_id uuid        NOT NULL REFERENCES notification_logs (id),
    company_id      uuid        NOT NULL,
    attempt         integer     NOT NULL,
    outcome         text        NOT NULL,
    at              timestamptz NOT NULL,
    PRIMARY KEY (notification_id, attempt)
);
