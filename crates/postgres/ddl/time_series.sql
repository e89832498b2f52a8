-- How a migration creates a time series that works with and without TimescaleDB: the columns stand once, the key holds
-- the time column, and only the server decides what the table is cut into.
DO $$
BEGIN
    EXECUTE $ddl$
        CREATE TABLE readings (
            company_id  uuid        NOT NULL,
            occurred_at timestamptz NOT NULL,
            id          uuid        NOT NULL,
            body        text        NOT NULL,
            PRIMARY KEY (occurred_at, id)
        )
    $ddl$ || CASE
        WHEN EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN ''
        ELSE 'PARTITION BY RANGE (occurred_at)'
    END;
END
$$;
