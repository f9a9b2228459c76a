-- Times are microseconds since 1970-01-01 UTC; 0 is unknown. No statement of
-- ours looks into JSON: what is asked for has a column.

-- +goose Up

CREATE TABLE alert (
    id        TEXT   NOT NULL PRIMARY KEY,
    detection TEXT   NOT NULL,
    severity  TEXT   NOT NULL,
    status    TEXT   NOT NULL,
    start_at  BIGINT NOT NULL,
    end_at    BIGINT NOT NULL,
    raised    BIGINT NOT NULL,
    updated   BIGINT NOT NULL,
    previous  TEXT   NOT NULL,
    position  BIGINT NOT NULL, -- of the log's entry that it was last changed by
    words     TEXT   NOT NULL  -- folded: what a search looks at
);
-- The timeline in its order. It holds every column that filters look at, so
-- that the total is counted without reading the alerts themselves.
CREATE INDEX alert_timeline ON alert (start_at, id, status, severity, detection);
CREATE INDEX alert_status ON alert (status, start_at, id, severity, detection);
CREATE INDEX alert_previous ON alert (previous);

-- Beside the alert, so that a search does not read it.
CREATE TABLE alert_body (
    alert TEXT NOT NULL PRIMARY KEY REFERENCES alert (id) ON DELETE CASCADE,
    body  BLOB NOT NULL -- JSON of the whole alert
);

-- What people did. A repeat of the log's entry finds its rows there.
CREATE TABLE alert_act (
    position BIGINT NOT NULL,
    alert    TEXT   NOT NULL,
    n        BIGINT NOT NULL, -- of the acts on this alert in this entry
    at       BIGINT NOT NULL,
    act      TEXT   NOT NULL,
    person   TEXT   NOT NULL,
    comment  TEXT   NOT NULL,
    PRIMARY KEY (alert, position, n)
);

-- The activities that an alert names, for as long as the alert is kept.
CREATE TABLE alert_activity (
    alert TEXT   NOT NULL REFERENCES alert (id) ON DELETE CASCADE,
    id    BLOB   NOT NULL,
    at    BIGINT NOT NULL,
    body  BLOB   NOT NULL, -- protobuf
    PRIMARY KEY (alert, id)
);

-- The latest activities, whatever they led to.
CREATE TABLE activity (
    seq    INTEGER NOT NULL PRIMARY KEY, -- drawn by the database, in order
    id     BLOB    NOT NULL,
    at     BIGINT  NOT NULL, -- its own time
    stored BIGINT  NOT NULL, -- ingest time
    total  BIGINT  NOT NULL, -- bytes of every body ever stored, up to and with this one
    body   BLOB    NOT NULL  -- protobuf
);
CREATE UNIQUE INDEX activity_id ON activity (id);

-- How far in the log the results are that are stored here.
CREATE TABLE progress (
    reader   TEXT   NOT NULL PRIMARY KEY,
    position BIGINT NOT NULL
);

CREATE TABLE person (
    name_key TEXT   NOT NULL PRIMARY KEY, -- folded
    name     TEXT   NOT NULL,
    hash     TEXT   NOT NULL, -- of the password; made and read by the API
    role     TEXT   NOT NULL,
    created  BIGINT NOT NULL
);

CREATE TABLE setup_token (
    hash    BLOB   NOT NULL PRIMARY KEY,
    expires BIGINT NOT NULL
);

CREATE TABLE session (
    hash    BLOB   NOT NULL PRIMARY KEY, -- of the token
    data    BLOB   NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX session_expires ON session (expires);

CREATE TABLE access_key (
    id      TEXT   NOT NULL PRIMARY KEY,
    hash    BLOB   NOT NULL, -- of the secret
    note    TEXT   NOT NULL,
    person  TEXT   NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    uses    BIGINT NOT NULL,
    used    BIGINT NOT NULL
);

CREATE TABLE sensor (
    id              TEXT    NOT NULL PRIMARY KEY,
    name            TEXT    NOT NULL,
    host            TEXT    NOT NULL,
    os              TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    files           BOOLEAN NOT NULL,
    enrolled        BIGINT  NOT NULL,
    last_seen       BIGINT  NOT NULL,
    first_packet    BIGINT  NOT NULL,
    first_activity  BIGINT  NOT NULL,
    serial          TEXT    NOT NULL,
    previous_serial TEXT    NOT NULL,
    cert_expires    BIGINT  NOT NULL,
    revoked         BOOLEAN NOT NULL,
    status          BLOB
);

CREATE TABLE audit (
    seq    BIGINT  NOT NULL PRIMARY KEY,
    at     BIGINT  NOT NULL,
    person TEXT    NOT NULL,
    action TEXT    NOT NULL,
    object TEXT    NOT NULL,
    detail TEXT    NOT NULL,
    ok     BOOLEAN NOT NULL,
    prev   BLOB    NOT NULL, -- hash of the row before
    hash   BLOB    NOT NULL  -- of prev and of every column above
);

-- There is no way back: a newer database is refused by an older program, and a
-- backup is what one goes back to.
