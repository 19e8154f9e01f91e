-- The journal of Belfry: what journal.db holds. README.md explains it.
-- A change here needs a new upgrade-NNNN.sql that brings older files to the same state. All statements
-- together, with the words in them, fit into the first page of the file: recovering counts on that.

PRAGMA application_id = 1113943142; -- Belf

-- Every event that is kept, in the one order of the log.
CREATE TABLE event (
    position  INTEGER PRIMARY KEY, -- rises over the whole log; never used twice
    channel   INTEGER NOT NULL,    -- channel.row
    time      INTEGER NOT NULL,    -- ms since 1970 when it was logged; never goes back
    size      INTEGER NOT NULL,    -- what it counts for in channel.bytes
    flags     INTEGER NOT NULL,    -- 1: data is JSON; 0: text
    expires   INTEGER,             -- ms since 1970, not delivered after; NULL: never
    name      TEXT,                -- NULL: none
    user      TEXT,                -- who published; NULL: anonymous
    exclude   TEXT,                -- the client that does not get it; NULL: all do
    recipient TEXT,                -- the only client that gets it; NULL: the whole channel
    data      TEXT NOT NULL
) STRICT;

-- In effect (channel, position): an index ends with the key of the table.
CREATE INDEX event_channel ON event (channel);

-- A channel that has events, or had some not long ago. count, bytes, last and oldest take in the
-- events up to meta.counted; the hub adds the later ones when it opens the file.
CREATE TABLE channel (
    row        INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    last       INTEGER NOT NULL DEFAULT 0, -- position of the newest event
    floor      INTEGER NOT NULL DEFAULT 0, -- highest position that was pruned
    floor_time INTEGER NOT NULL DEFAULT 0, -- when the event at the floor was logged
    count      INTEGER NOT NULL DEFAULT 0, -- events
    bytes      INTEGER NOT NULL DEFAULT 0, -- their sizes together
    oldest     INTEGER NOT NULL DEFAULT 0  -- time of the oldest event, or earlier; 0: there is none
) STRICT;

CREATE INDEX channel_floor ON channel (floor) WHERE floor > 0;

-- Publishes that came with an idempotency key, for as long as a repeat of them is recognized.
CREATE TABLE idempotency (
    number  INTEGER PRIMARY KEY, -- in order of time
    user    TEXT NOT NULL,
    key     TEXT NOT NULL,
    print_a INTEGER NOT NULL,    -- fingerprint of what was published
    print_b INTEGER NOT NULL,
    first   INTEGER NOT NULL,    -- position of its first event
    n       INTEGER NOT NULL,    -- how many it wrote
    time    INTEGER NOT NULL,
    answers TEXT,                -- of a batch: a line for each send (code, position, time)
    UNIQUE (user, key)
) STRICT;

-- Every start of the hub opens an epoch. An event's id is the name of the epoch it lies in and
-- its position.
CREATE TABLE epoch (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL UNIQUE, -- 8 characters of a-z2-7
    first  INTEGER NOT NULL,     -- positions from here on, up to the next one's first
    opened INTEGER NOT NULL,     -- ms since 1970
    reason TEXT NOT NULL         -- fresh, start, restored
) STRICT;

CREATE INDEX epoch_first ON epoch (first);

-- One row: what holds for the whole log. head: the newest position ever given, time: and its time;
-- counted: the figures in channel take in everything up to here; floor: highest floor of all
-- channels, ever; forgotten: highest position of channels that were forgotten; keys: rows in
-- idempotency; restored, 1: this file is a backup that was not opened yet; account: the root page
-- of that table, which in files that were upgraded lies elsewhere than in new ones.
CREATE TABLE meta (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    head           INTEGER NOT NULL DEFAULT 0,
    time           INTEGER NOT NULL DEFAULT 0,
    counted        INTEGER NOT NULL DEFAULT 0,
    floor          INTEGER NOT NULL DEFAULT 0,
    forgotten      INTEGER NOT NULL DEFAULT 0,
    forgotten_time INTEGER NOT NULL DEFAULT 0,
    keys           INTEGER NOT NULL DEFAULT 0,
    restored       INTEGER NOT NULL DEFAULT 0,
    account        INTEGER NOT NULL DEFAULT 0
) STRICT;

INSERT INTO meta (id) VALUES (1);

-- What is kept of users: who they are, what they may beyond their tokens, which tokens are good or no
-- longer good. README.md says what stands in which kind of row.
CREATE TABLE account (
    number INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    user   TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  INTEGER NOT NULL,
    time   INTEGER NOT NULL,
    UNIQUE (kind, user, name)
) STRICT;

UPDATE meta SET account = (SELECT rootpage FROM sqlite_schema WHERE name = 'account');

-- The log for people: `SELECT * FROM events ORDER BY position DESC LIMIT 20`.
CREATE VIEW events AS
SELECT e.position AS position,
 (SELECT p.name FROM epoch p WHERE p.first <= e.position
  ORDER BY p.first DESC, p.number DESC LIMIT 1) || '-' || e.position AS id,
 strftime('%Y-%m-%dT%H:%M:%fZ', e.time / 1000.0, 'unixepoch') AS time,
 c.name AS channel, e.name AS name, e.user AS user, e.data AS data
FROM event e JOIN channel c ON c.row = e.channel;
