"""A long log does not make a start slow: what is read are the channels and the newest events."""
import os
import sqlite3

from belfry import PATIENCE, command, cpu_ms, now

EVENTS, CHANNELS, UNCOUNTED = 1000000, 10000, 4096
READY_MS = 300
FILL = """
INSERT INTO event (position, channel, time, size, flags, data)
  WITH RECURSIVE n(p) AS (SELECT 1 UNION ALL SELECT p + 1 FROM n WHERE p < {events})
  SELECT p, (p - 1) % {channels} + 1, :time, 200, 0, 'number ' || p FROM n;
INSERT INTO channel (row, name, last, count, bytes, oldest)
  SELECT channel, 'room:' || channel, max(position), count(*), sum(size), min(time)
    FROM event WHERE position <= {counted} GROUP BY channel;
UPDATE meta SET head = {events}, counted = {counted}, time = :time;
"""


def fill(path):
    """As a hub leaves it that was killed before it noted its newest events."""
    text = FILL.format(events=EVENTS, channels=CHANNELS, counted=EVENTS - UNCOUNTED)
    log = sqlite3.connect(path)
    opened = log.execute("SELECT max(opened) FROM epoch").fetchone()[0]
    log.execute("PRAGMA synchronous = OFF")
    with log:
        log.executescript("BEGIN;" + text.replace(":time", str(opened)))
    log.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log.close()
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)      # or the hub's first one waits for what was written here
    os.close(file)


def test_a_hub_with_a_million_events_is_ready_soon(hub):
    assert hub.stop() == 0
    fill(os.path.join(hub.data, "journal.db"))
    began = now()
    hub.start()
    ready_ms, took = 1000 * (now() - began), cpu_ms(hub.pid)
    print("start: events=%d channels=%d ready_ms=%d cpu_ms=%d" % (
        EVENTS, CHANNELS, ready_ms, took))
    assert ready_ms <= READY_MS * PATIENCE and took <= READY_MS
    done = command(hub.world, "pub", "room:1", "one more")
    assert done.stdout.strip().endswith("-%d" % (EVENTS + 1)), done
