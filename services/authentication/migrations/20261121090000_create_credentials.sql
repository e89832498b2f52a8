-- The passwords of users, by id: no e-mail address is kept here.
CREATE TABLE credentials (
    company_id    uuid        NOT NULL,
    user_id       uuid        NOT NULL,
    -- A PHC string (argon2id), or a bcrypt hash that was imported and is replaced at the next login.
    password_hash text        NOT NULL,
    -- Made by a sign-up and never used: purged after a day when the user does not exist.
    pending       boolean     NOT NULL,
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    PRIMARY KEY (company_id, user_id)
);
CREATE INDEX credentials_pending ON credentials (created_at) WHERE pending;
