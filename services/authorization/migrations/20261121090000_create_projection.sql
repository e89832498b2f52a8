-- The copy of what decisions rest on, so that a restart decides at once. Everything here comes from the two streams and can
-- be thrown away: it is read once, at start, and written by every replica with the same content.

-- Roles, and which of them there are tells which companies are known.
CREATE TABLE roles (
    company_id uuid NOT NULL,
    id         uuid NOT NULL,
    name       text NOT NULL,
    PRIMARY KEY (company_id, id)
);

-- Policies as they were written; a policy that does not compile is kept, and fails closed.
CREATE TABLE policies (
    company_id uuid    NOT NULL,
    id         uuid    NOT NULL,
    name       text    NOT NULL,
    effect     text    NOT NULL CHECK (effect IN ('allow', 'deny')),
    actions    text[]  NOT NULL,
    resources  text[]  NOT NULL,
    condition  text,
    status     text    NOT NULL CHECK (status IN ('draft', 'shadow', 'active', 'disabled')),
    version    integer NOT NULL,
    PRIMARY KEY (company_id, id)
);

-- No foreign keys here and below: a role may come before the policy that is attached to it.
CREATE TABLE role_policies (
    company_id uuid NOT NULL,
    role_id    uuid NOT NULL,
    policy_id  uuid NOT NULL,
    PRIMARY KEY (company_id, role_id, policy_id)
);

-- Who holds which role, until when.
CREATE TABLE subject_roles (
    company_id uuid NOT NULL,
    user_id    uuid NOT NULL,
    role_id    uuid NOT NULL,
    expires_at timestamptz,
    PRIMARY KEY (company_id, user_id, role_id)
);

-- What decisions know of a user.
CREATE TABLE subjects (
    company_id        uuid    NOT NULL,
    user_id           uuid    NOT NULL,
    email             text    NOT NULL,
    department        text,
    location          text,
    is_active         boolean NOT NULL,
    company_suspended boolean NOT NULL,
    PRIMARY KEY (company_id, user_id)
);

-- How far each stream has been written here, and when it last was all that there was. One row for each stream, for all
-- companies.
CREATE TABLE positions (
    stream   text   PRIMARY KEY CHECK (stream IN ('iam', 'user')),
    position bigint NOT NULL,
    fresh_at timestamptz
);
INSERT INTO positions (stream, position) VALUES ('iam', 0), ('user', 0);
