-- Tasks. Ids are UUIDv7, so the order of ids is the order of creation: lists run down an index that ends with the id.
CREATE TABLE tasks (
    company_id      uuid          NOT NULL,
    id              uuid          NOT NULL,
    project_id      uuid          NOT NULL,
    number          integer       NOT NULL CHECK (number >= 1),
    key             text          NOT NULL,
    title           text          NOT NULL CHECK (char_length(title) BETWEEN 1 AND 500),
    description     text          NOT NULL CHECK (octet_length(description) <= 65536),
    status          text          NOT NULL
        CHECK (status IN ('todo', 'in_progress', 'review', 'completed', 'cancelled')),
    priority        text          NOT NULL CHECK (priority IN ('low', 'medium', 'high', 'critical')),
    assignee_id     uuid,
    creator_id      uuid          NOT NULL,
    estimated_hours numeric(8, 2) CHECK (estimated_hours >= 0),
    actual_hours    numeric(8, 2) CHECK (actual_hours >= 0),
    due_date        timestamptz,
    started_at      timestamptz,
    completed_at    timestamptz,
    completed_by    uuid,
    created_at      timestamptz   NOT NULL,
    updated_at      timestamptz   NOT NULL,
    version         integer       NOT NULL CHECK (version >= 1),
    PRIMARY KEY (company_id, id),
    CONSTRAINT tasks_project FOREIGN KEY (company_id, project_id) REFERENCES projects (company_id, id),
    CONSTRAINT tasks_number UNIQUE (company_id, project_id, number),
    CONSTRAINT tasks_completion CHECK ((status = 'completed') = (completed_at IS NOT NULL)
        AND (completed_at IS NULL) = (completed_by IS NULL))
);
-- The tasks of a project, newest first.
CREATE INDEX tasks_by_project ON tasks (company_id, project_id, id);
-- The tasks of an assignee, newest first.
CREATE INDEX tasks_by_assignee ON tasks (company_id, assignee_id, id) WHERE assignee_id IS NOT NULL;
-- What is left to do, of a company by state, and for the count of active tasks.
CREATE INDEX tasks_active ON tasks (company_id, status, id) WHERE status IN ('todo', 'in_progress', 'review');
