-- Projects. `last_task_number` is the counter that numbers their tasks: it is no part of the project's version. Each new
-- task updates the row in place, which the fill factor leaves room for.
CREATE TABLE projects (
    company_id       uuid        NOT NULL,
    id               uuid        NOT NULL,
    key              text        NOT NULL CHECK (key ~ '^[A-Z][A-Z0-9_-]{0,49}$'),
    name             text        NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
    description      text        NOT NULL CHECK (octet_length(description) <= 65536),
    status           text        NOT NULL
        CHECK (status IN ('planning', 'active', 'on_hold', 'completed', 'cancelled')),
    priority         text        NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    owner_id         uuid        NOT NULL,
    last_task_number integer     NOT NULL DEFAULT 0 CHECK (last_task_number >= 0),
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          integer     NOT NULL CHECK (version >= 1),
    PRIMARY KEY (company_id, id),
    CONSTRAINT projects_key UNIQUE (company_id, key)
) WITH (fillfactor = 70);
