-- The tenants, and the people in them.
CREATE TABLE companies (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL,
    slug       text        NOT NULL,
    status     text        NOT NULL CHECK (status IN ('provisioning', 'active', 'suspended')),
    -- The first user; sign-up gives them the role `admin`.
    admin_id   uuid        NOT NULL,
    -- What the sign-up sent, so that another request under the same id is told from a repetition.
    signup     bytea       NOT NULL CHECK (octet_length(signup) = 32),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version    integer     NOT NULL DEFAULT 1,
    CONSTRAINT companies_slug UNIQUE (slug)
);
CREATE INDEX companies_provisioning ON companies (created_at) WHERE status = 'provisioning';

CREATE TABLE users (
    id               uuid        NOT NULL,
    company_id       uuid        NOT NULL REFERENCES companies (id),
    email            text        NOT NULL,
    -- The address as it is compared: NFC, lower case.
    email_normalised text        NOT NULL,
    username         text        NOT NULL,
    first_name       text        NOT NULL DEFAULT '',
    last_name        text        NOT NULL DEFAULT '',
    department       text        NOT NULL DEFAULT '',
    location         text        NOT NULL DEFAULT '',
    timezone         text        NOT NULL DEFAULT 'UTC',
    locale           text        NOT NULL DEFAULT 'en',
    is_active        boolean     NOT NULL DEFAULT true,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    version          integer     NOT NULL DEFAULT 1,
    CONSTRAINT users_pkey PRIMARY KEY (id),
    CONSTRAINT users_email UNIQUE (email_normalised)
);
-- Usernames are told apart without regard to case.
CREATE UNIQUE INDEX users_username ON users (company_id, lower(username));
CREATE INDEX users_company_created ON users (company_id, created_at DESC, id DESC);
