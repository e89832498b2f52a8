-- What happened. Append-only: a row is written once and leaves with its whole day, after that day was archived.
--
-- The key holds the event's own time, so that a second delivery of an event is the same row. Cut into days by
-- TimescaleDB where the server has it, by native partitions elsewhere; the service makes the days.
DO $$
BEGIN
    EXECUTE $ddl$
        CREATE TABLE audit_events (
            company_id    uuid        NOT NULL,
            occurred_at   timestamptz NOT NULL,
            id            uuid        NOT NULL,
            -- When the row was written: later than occurred_at, and the order in which chains will be made.
            recorded_at   timestamptz NOT NULL,
            event_type    text        COLLATE "C" NOT NULL,
            actor_type    text        NOT NULL CHECK (actor_type IN ('user', 'service', 'system', 'anonymous')),
            actor_id      uuid,
            actor_service text,
            target_type   text        NOT NULL,
            target_id     text        NOT NULL,
            action        text        NOT NULL,
            result        text        NOT NULL CHECK (result IN ('success', 'failure')),
            source        text        NOT NULL,
            request_id    uuid,
            trace_id      text,
            session_id    uuid,
            -- The event that led to this one.
            causation_id  uuid,
            -- The number among the events of its publisher: a gap is an event that is missing here.
            producer_seq  bigint,
            -- The schema of the event's data; none for a record that no event stands behind.
            data_schema   text,
            -- The event's data without what is about persons.
            metadata      jsonb       NOT NULL,
            -- What is about persons, sealed with the keys of those persons.
            pii           bytea,
            CONSTRAINT audit_events_actor CHECK ((actor_type = 'user') = (actor_id IS NOT NULL)),
            CONSTRAINT audit_events_pkey PRIMARY KEY (occurred_at, id)
        )
    $ddl$ || CASE
        WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN ''
        ELSE 'PARTITION BY RANGE (occurred_at)'
    END;
END
$$;
CREATE INDEX audit_events_time ON audit_events (company_id, occurred_at DESC, id DESC);
CREATE INDEX audit_events_actor_time ON audit_events (company_id, actor_id, occurred_at DESC, id DESC);
CREATE INDEX audit_events_type_time ON audit_events (company_id, event_type, occurred_at DESC, id DESC);

CREATE FUNCTION refuse_change_of_the_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change_of_the_past();
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_the_past();

-- The keys that personal data is sealed with: one for each person, and one for each company for what is about nobody
-- known, which has the company's id as its subject.
CREATE TABLE subject_keys (
    company_id   uuid        NOT NULL,
    subject_id   uuid        NOT NULL,
    -- Sealed with the service's own key. None once it is destroyed: what it sealed cannot be read by anybody.
    sealed_key   bytea,
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    CONSTRAINT subject_keys_pkey PRIMARY KEY (company_id, subject_id),
    CONSTRAINT subject_keys_destroyed CHECK ((sealed_key IS NULL) = (destroyed_at IS NOT NULL))
);
-- A service that starts opens the newest one, to see that its own key is the right one.
CREATE INDEX subject_keys_newest ON subject_keys (created_at DESC) WHERE sealed_key IS NOT NULL;
