-- The companies that have roles. The row is locked by every transaction that changes who may do what in a company, so the
-- rules about its last administrator are decided one after the other.
CREATE TABLE companies (
    id             uuid        PRIMARY KEY,
    -- Who signed the company up and got the role `admin` with it.
    admin_id       uuid        NOT NULL,
    -- The position at which the company was provisioned.
    position       bigint      NOT NULL DEFAULT 0,
    provisioned_at timestamptz NOT NULL
);

CREATE TABLE roles (
    company_id  uuid        NOT NULL REFERENCES companies (id),
    id          uuid        NOT NULL,
    -- In lower case only, so that a reserved name is reserved however it is written.
    name        text        NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,99}$'),
    description text        NOT NULL DEFAULT '',
    -- Came with the company, and cannot be changed.
    system      boolean     NOT NULL DEFAULT false,
    -- The pseudo-role `everyone`: nobody is given it, for everybody has it.
    pseudo      boolean     NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    version     integer     NOT NULL DEFAULT 1,
    PRIMARY KEY (company_id, id),
    CONSTRAINT roles_name UNIQUE (company_id, name)
);

CREATE TABLE policies (
    company_id uuid        NOT NULL REFERENCES companies (id),
    id         uuid        NOT NULL,
    name       text        NOT NULL,
    effect     text        NOT NULL CHECK (effect IN ('allow', 'deny')),
    actions    text[]      NOT NULL CHECK (cardinality(actions) BETWEEN 1 AND 50),
    resources  text[]      NOT NULL CHECK (cardinality(resources) BETWEEN 1 AND 50),
    condition  text,
    status     text        NOT NULL CHECK (status IN ('draft', 'shadow', 'active', 'disabled')),
    created_at timestamptz NOT NULL,
    version    integer     NOT NULL DEFAULT 1,
    PRIMARY KEY (company_id, id),
    CONSTRAINT policies_name UNIQUE (company_id, name)
);

CREATE TABLE role_policies (
    company_id uuid NOT NULL,
    role_id    uuid NOT NULL,
    policy_id  uuid NOT NULL,
    PRIMARY KEY (company_id, role_id, policy_id),
    FOREIGN KEY (company_id, role_id) REFERENCES roles (company_id, id),
    FOREIGN KEY (company_id, policy_id) REFERENCES policies (company_id, id)
);

-- Who holds what. Users are known by their ids alone; a row for somebody who is not of the company has no effect.
CREATE TABLE user_roles (
    company_id  uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    role_id     uuid        NOT NULL,
    assigned_at timestamptz NOT NULL,
    -- Nobody when the system gave it.
    assigned_by uuid,
    -- The role is held before this moment; the row goes some seconds later.
    expires_at  timestamptz,
    PRIMARY KEY (company_id, user_id, role_id),
    FOREIGN KEY (company_id, role_id) REFERENCES roles (company_id, id)
);
CREATE INDEX user_roles_role ON user_roles (company_id, role_id);
-- For the job that ends assignments, in all companies alike.
CREATE INDEX user_roles_expiry ON user_roles (expires_at) WHERE expires_at IS NOT NULL;
