-- Every statement that the hub runs on journal.db, by name: scripts/sql2c makes a table of them.
-- Each ends with a semicolon.

-- transactions

-- name: begin_write
BEGIN IMMEDIATE;
-- name: begin_read
BEGIN;
-- name: commit
COMMIT;
-- name: rollback
ROLLBACK;

-- opening

-- name: application_id
PRAGMA application_id;
-- name: version
PRAGMA user_version;
-- name: table_count
SELECT count(*) FROM sqlite_schema;
-- name: use_wal
PRAGMA journal_mode = WAL;
-- name: count_rest
UPDATE channel
   SET count = channel.count + rest.n, bytes = channel.bytes + rest.size,
       last = max(channel.last, rest.last),
       oldest = iif(channel.oldest > 0, channel.oldest, rest.oldest)
  FROM (SELECT channel, count(*) AS n, sum(size) AS size, max(position) AS last,
               min(time) AS oldest
          FROM event NOT INDEXED
         WHERE position > (SELECT counted FROM meta)
         GROUP BY channel) AS rest
 WHERE channel.row = rest.channel;
-- name: doubtful_event
SELECT position
  FROM (SELECT * FROM event ORDER BY position DESC LIMIT ?1) AS newest
 WHERE position > ?2 OR time NOT BETWEEN 0 AND ?3 OR flags NOT IN (0, 1)
    OR size NOT BETWEEN length(CAST(data AS BLOB)) AND 1 << 40
    OR NOT EXISTS (SELECT 1 FROM channel WHERE row = newest.channel)
    OR NOT EXISTS (SELECT 1 FROM event INDEXED BY event_channel
                    WHERE channel = newest.channel AND position = newest.position)
 LIMIT 1;
-- name: epochs
SELECT name, first, opened, reason FROM epoch ORDER BY number;
-- name: add_epoch
INSERT INTO epoch (name, first, opened, reason) VALUES (?1, ?2, ?3, ?4);
-- name: drop_epochs
DELETE FROM epoch WHERE number <= (SELECT max(number) FROM epoch) - ?1;
-- name: channels
SELECT row, name, max(last, floor), floor, count, bytes, iif(count > 0, oldest, 0) FROM channel;
-- name: channel_names
SELECT name, row FROM channel INDEXED BY sqlite_autoindex_channel_1 ORDER BY name;

-- the log as a whole

-- name: meta
SELECT head, time, counted, floor, forgotten, forgotten_time, keys, restored FROM meta;
-- name: account_root
SELECT account FROM meta;
-- name: set_meta
UPDATE meta SET head = ?1, time = ?2, counted = ?3, floor = ?4, forgotten = ?5,
       forgotten_time = ?6, keys = ?7, restored = ?8;
-- name: mark_restored
UPDATE meta SET restored = 1;
-- name: data_version
PRAGMA data_version;

-- appending

-- name: add_channel
INSERT INTO channel (row, name, floor, floor_time) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (row) DO NOTHING;
-- name: append_event
INSERT INTO event (position, channel, time, size, flags, expires, name, user, exclude, recipient, data)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11);
-- name: last_key
SELECT max(number) FROM idempotency;
-- name: find_key
SELECT print_a, print_b, first, n, time, answers FROM idempotency
 WHERE user = ?1 AND key = ?2 AND number > ?3 AND (number > ?4 OR time > ?5);
-- name: add_key
INSERT INTO idempotency (user, key, print_a, print_b, first, n, time, answers, number)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
    ON CONFLICT (user, key) DO NOTHING;
-- name: drop_key
DELETE FROM idempotency WHERE user = ?1 AND key = ?2;
-- name: expire_keys
DELETE FROM idempotency
 WHERE number IN (SELECT number
                    FROM (SELECT number, time FROM idempotency ORDER BY number LIMIT ?4)
                   WHERE number <= ?1 OR (number <= ?2 AND time <= ?3));

-- users

-- name: accounts
SELECT kind, user, name, value, time FROM account ORDER BY time;
-- name: put_account
INSERT INTO account (kind, user, name, value, time) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (kind, user, name) DO UPDATE SET value = excluded.value, time = excluded.time;
-- name: drop_account
DELETE FROM account WHERE kind = ?1 AND user = ?2 AND name = ?3;

-- taking away

-- name: oldest_events
SELECT position, time, size FROM event WHERE channel = ?1 ORDER BY position;
-- name: delete_events
DELETE FROM event WHERE channel = ?1 AND position <= ?2;
-- name: raise_floor
UPDATE channel SET floor = max(floor, ?2), floor_time = iif(floor < ?2, ?3, floor_time), count = count - ?4, bytes = bytes - ?5, oldest = ?6
 WHERE row = ?1;
-- name: floor
SELECT floor FROM channel WHERE row = ?1;
-- name: note_channel
UPDATE channel SET count = ?2, bytes = ?3, last = max(last, ?4), oldest = ?5 WHERE row = ?1;
-- name: uncount
UPDATE channel SET count = count - ?2, bytes = bytes - ?3 WHERE row = ?1;
-- name: forget_channel
DELETE FROM channel
 WHERE row = ?1 AND NOT EXISTS (SELECT 1 FROM event WHERE channel = ?1)
RETURNING max(last, floor), floor_time;

-- reading

-- name: channel_by_name
SELECT row, floor, floor_time FROM channel WHERE name = ?1;
-- name: channels_from_name
SELECT name, row, floor, floor_time FROM channel WHERE name >= ?1 ORDER BY name;
-- name: highest_floors
SELECT name, floor, floor_time FROM channel WHERE floor > ?1 AND floor > 0
 ORDER BY floor DESC LIMIT ?2;
-- name: positions_rising
SELECT position FROM event WHERE channel = ?1 AND position > ?2 AND position <= ?3
 ORDER BY position;
-- name: positions_falling
SELECT position FROM event WHERE channel = ?1 AND position > ?2 AND position <= ?3
 ORDER BY position DESC;
-- name: living_falling
SELECT position FROM event
 WHERE channel = ?1 AND position > ?2 AND position <= ?3 AND (expires IS NULL OR expires > ?4)
 ORDER BY position DESC;
-- name: event
SELECT e.position, c.name, e.time, e.size, e.flags, e.expires, e.name, e.user, e.exclude,
       e.recipient, e.data
  FROM event e CROSS JOIN channel c ON c.row = e.channel
 WHERE e.position = ?1;
-- name: events_rising
SELECT e.position, c.name, e.time, e.size, e.flags, e.expires, e.name, e.user, e.exclude,
       e.recipient, e.data
  FROM event e CROSS JOIN channel c ON c.row = e.channel
 WHERE e.position > ?1 AND e.position <= ?2
 ORDER BY e.position;
-- name: events_falling
SELECT e.position, c.name, e.time, e.size, e.flags, e.expires, e.name, e.user, e.exclude,
       e.recipient, e.data
  FROM event e CROSS JOIN channel c ON c.row = e.channel
 WHERE e.position > ?1 AND e.position <= ?2
 ORDER BY e.position DESC;
-- name: first_after
SELECT position, time FROM event WHERE position > ?1 ORDER BY position LIMIT 1;

-- checking: a line for each thing that should not be

-- name: integrity
PRAGMA integrity_check;
-- name: contradictions
SELECT 'event ' || position || ' has no channel' FROM event
 WHERE channel NOT IN (SELECT row FROM channel)
UNION ALL
SELECT 'event ' || position || ' lies above the head' FROM event
 WHERE position > (SELECT head FROM meta)
UNION ALL
SELECT 'channel ' || name || ' has an event at or below its floor' FROM channel
 WHERE floor >= (SELECT min(position) FROM event WHERE channel = channel.row)
   AND NOT EXISTS (SELECT 1 FROM epoch WHERE reason = 'recovered' AND first > channel.floor)
UNION ALL
SELECT 'channel ' || name || ' counts other events than it has' FROM channel
  LEFT JOIN (SELECT channel, count(*) AS n, sum(size) AS size FROM event
              WHERE position <= (SELECT counted FROM meta) GROUP BY channel) AS those
         ON those.channel = channel.row
 WHERE count <> ifnull(those.n, 0) OR bytes <> ifnull(those.size, 0)
UNION ALL
SELECT 'meta.floor lies below the floor of a channel' FROM meta
 WHERE floor < (SELECT max(floor) FROM channel)
UNION ALL
SELECT 'meta.keys is not the number of rows in idempotency' FROM meta
 WHERE keys <> (SELECT count(*) FROM idempotency)
 LIMIT 100;

-- recovering: what can be read of a damaged file; then, in the new one, what that is worth

-- name: channels_up
SELECT row, name, last, floor, floor_time, count, bytes, oldest FROM channel NOT INDEXED
 WHERE row >= ?1 AND row <= ?2 ORDER BY row;
-- name: channels_down
SELECT row, name, last, floor, floor_time, count, bytes, oldest FROM channel NOT INDEXED
 WHERE row >= ?1 AND row <= ?2 ORDER BY row DESC;
-- name: channels_known
SELECT row FROM channel INDEXED BY sqlite_autoindex_channel_1;
-- name: events_up
SELECT position, channel, time, size, flags, expires, name, user, exclude, recipient, data
  FROM event NOT INDEXED WHERE position >= ?1 AND position <= ?2 ORDER BY position;
-- name: events_down
SELECT position, channel, time, size, flags, expires, name, user, exclude, recipient, data
  FROM event NOT INDEXED WHERE position >= ?1 AND position <= ?2 ORDER BY position DESC;
-- name: events_known
SELECT position FROM event INDEXED BY event_channel;
-- name: keys_up
SELECT number, user, key, print_a, print_b, first, n, time, answers FROM idempotency NOT INDEXED
 WHERE number >= ?1 AND number <= ?2 ORDER BY number;
-- name: keys_down
SELECT number, user, key, print_a, print_b, first, n, time, answers FROM idempotency NOT INDEXED
 WHERE number >= ?1 AND number <= ?2 ORDER BY number DESC;
-- name: keys_known
SELECT number FROM idempotency INDEXED BY sqlite_autoindex_idempotency_1;
-- name: accounts_up
SELECT number, kind, user, name, value, time FROM account NOT INDEXED
 WHERE number >= ?1 AND number <= ?2 ORDER BY number;
-- name: accounts_down
SELECT number, kind, user, name, value, time FROM account NOT INDEXED
 WHERE number >= ?1 AND number <= ?2 ORDER BY number DESC;
-- name: accounts_known
SELECT number FROM account INDEXED BY sqlite_autoindex_account_1;
-- name: salvaged_account
INSERT INTO account (number, kind, user, name, value, time) VALUES (?1, ?2, ?3, ?4, ?5, ?6);
-- name: salvaged_channel
INSERT INTO channel (row, name, last, floor, floor_time, count, bytes, oldest)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8);
-- name: salvaged_key
INSERT INTO idempotency (number, user, key, print_a, print_b, first, n, time, answers)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9);
-- name: drop_impossible_channels
DELETE FROM channel
 WHERE length(CAST(name AS BLOB)) NOT BETWEEN 1 AND 128 OR instr(name, char(0))
    OR name GLOB '*[' || char(1) || '-' || char(31) || ']*';
-- name: drop_impossible_events
DELETE FROM event
 WHERE time NOT BETWEEN 0 AND ?1 OR flags NOT IN (0, 1)
    OR size NOT BETWEEN length(CAST(data AS BLOB)) AND 1 << 40
RETURNING position;
-- name: drop_untimely_events
DELETE FROM event
 WHERE position IN (SELECT position
                      FROM (SELECT position, time, min(time) OVER before AS before,
                                   min(time) OVER after AS after, max(time) OVER after AS latest
                              FROM event
                            WINDOW before AS (ORDER BY position
                                              ROWS BETWEEN 8 PRECEDING AND 1 PRECEDING),
                                   after AS (ORDER BY position
                                             ROWS BETWEEN 1 FOLLOWING AND 8 FOLLOWING))
                     WHERE (before <= after AND time > after) OR (before IS NULL AND time > latest))
RETURNING position;
-- name: tame_newest_event
UPDATE event
   SET time = before.time
  FROM (SELECT position, time FROM event ORDER BY position DESC LIMIT 1 OFFSET 1) AS before
 WHERE event.position > before.position AND event.time > max(?1, before.time) + 86400000;
-- name: drop_nameless_events
DELETE FROM event WHERE channel NOT IN (SELECT row FROM channel)
RETURNING position;
-- name: drop_impossible_keys
DELETE FROM idempotency WHERE time > ?1;
-- name: last_position
SELECT max(position) FROM event;
-- name: newest_times
SELECT max(0, min(time)) FROM (SELECT time FROM event ORDER BY position DESC LIMIT 2);
-- name: last_time
SELECT max(time) FROM event;
-- name: limit_floors
UPDATE channel SET floor = max(0, min(floor, ?1)) WHERE floor NOT BETWEEN 0 AND ?1;
-- name: count_lost
SELECT sum(max(0, count - ifnull(n, 0))) FROM channel
  LEFT JOIN (SELECT channel, count(*) AS n FROM event WHERE position <= ?1 GROUP BY channel) AS kept
         ON kept.channel = channel.row;
-- name: count_newer
SELECT count(*) FROM event WHERE position > ?1;
-- name: raise_floors_of_lost
UPDATE channel SET floor = max(floor, ?1), floor_time = max(floor_time, ?2)
 WHERE row IN (SELECT row FROM channel
                 LEFT JOIN (SELECT channel, count(*) AS n, sum(size) AS size FROM event
                             WHERE position <= ?3 GROUP BY channel) AS kept
                        ON kept.channel = channel.row
                WHERE count <> ifnull(n, 0) OR bytes <> ifnull(size, 0));
-- name: raise_all_floors
UPDATE channel SET floor = max(floor, ?1), floor_time = max(floor_time, ?2);
-- name: forget_figures
UPDATE channel SET count = 0, bytes = 0, oldest = 0, last = max(0, min(last, ?1));
-- name: highest_floor
SELECT max(floor) FROM channel;
-- name: count_events
SELECT count(*) FROM event;
-- name: count_channels
SELECT count(*) FROM channel;
-- name: count_keys
SELECT count(*) FROM idempotency;
