"""Files that are damaged, foreign or newer, and disks that fail: the hub refuses or stops with a code
of its own and says what to do; what was acknowledged is there afterwards."""
import errno
import os
import re
import shutil
import socket
import sqlite3

import pytest

from belfry import BUILD, Hub, command, now
from faults import FOR_EVER, FaultyHub, last_line, preloaded

DAMAGED, DISK, CONFIG, AGAIN = 65, 74, 78, 75
PAGE = 4096


def journal(hub):
    return os.path.join(hub.data, "journal.db")


def fill(hub, n, rooms=5, size=200):
    """n events in as many publishes, on rooms that take turns; returns the ids."""
    lines = "".join('{"channel":"room:%d","data":"%d %s"}\n' % (i % rooms, i, "x" * size)
                    for i in range(1, n + 1))
    done = command(hub.world, "pub", "--ndjson", stdin=lines, within=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def spoil(path, words):
    """Overwrites the page that holds these words."""
    with open(path, "r+b") as file:
        at = file.read().find(words)
        assert at >= 0, words
        file.seek(at - at % PAGE)
        file.write(b"\x5a" * PAGE)


def ends(hub, code, *words):
    assert hub.program.wait() == code, hub.log()
    line = last_line(hub.program)
    assert all(word in line for word in words), line


def refuses(hub, code, *words):
    hub.start(wait=False)
    ends(hub, code, *words)


def rows(hub):
    """All that the log holds: its positions and their data."""
    done = command(hub.world, "log", "--limit", "100000", "--json", within=60)
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r'"id":"[a-z2-7]+-(\d+)".*?"data":"(\d+) ', done.stdout))


def test_a_damaged_log_is_found_checked_and_recovered(hub):
    ids = fill(hub, 3000)
    hub.restart()
    hub.stop()
    spoil(journal(hub), b"1000 xx")
    assert command(hub.world, "check").returncode == DAMAGED
    hub.start()                              # it lies far back
    assert command(hub.world, "check").returncode == DAMAGED
    assert hub.alive
    command(hub.world, "log", "--limit", "100000")
    ends(hub, DAMAGED, "malformed", "belfry recover")

    done = command(hub.world, "recover")
    assert done.returncode == 0, done.stderr
    saved = int(re.search(r"saved (\d+) events", done.stdout).group(1))
    lost = int(re.search(r"lost (\d+) events", done.stdout).group(1))
    upto = int(re.search(r"position (\d+) ", done.stdout).group(1))
    assert lost > 0 and saved + lost == 3000
    assert 1000 <= upto < 1100
    assert command(hub.world, "check").returncode == 0
    hub.start()
    held = rows(hub)
    assert len(held) == saved
    assert all(position == data for position, data in held.items())
    # Who stood before what is lost is told; who was beyond it is not.
    for at, has_gap in ((500, True), (upto - 1, True), (upto, False), (2999, False)):
        done = command(hub.world, "log", "room:0", "room:1", "room:2", "room:3", "room:4", "--after",
                       ids[at - 1], "--json", "--limit", "1")
        assert done.returncode == 0, done.stderr
        assert ("gap" in done.stdout + done.stderr) == has_gap, (at, done.stdout, done.stderr)
    assert int(fill(hub, 1)[0].split("-")[1]) == 3001
    assert command(hub.world, "recover").returncode == AGAIN    # a hub runs
    hub.stop()


@pytest.mark.parametrize("words", [b"CREATE TABLE event", b"room:3", b"2990 xx"])
def test_damage_where_a_start_looks_refuses_to_start(hub, words):
    fill(hub, 3000)
    hub.restart()
    hub.stop()
    spoil(journal(hub), words)
    with open(journal(hub), "rb") as file:
        before = file.read()
    refuses(hub, DAMAGED, "belfry check", "belfry recover", "backup")
    assert command(hub.world, "check").returncode == DAMAGED
    with open(journal(hub), "rb") as file:
        assert file.read() == before
    done = command(hub.world, "recover")
    assert done.returncode == 0, done.stderr
    hub.start()
    assert command(hub.world, "check").returncode == 0
    if words == b"CREATE TABLE event":          # the first page, and nothing else
        assert "no event is missing" in done.stdout
        assert len(rows(hub)) == 3000


def test_files_that_are_no_journal(hub):
    fill(hub, 10)
    hub.stop()
    keep = journal(hub) + ".keep"
    shutil.copy(journal(hub), keep)
    with open(journal(hub), "w", encoding="ascii") as file:
        file.write("Dear diary, it rains and rains.\n" * 100)
    refuses(hub, CONFIG, "is not a journal of Belfry")
    assert command(hub.world, "check").returncode == CONFIG
    assert command(hub.world, "recover").returncode == CONFIG
    shutil.copy(keep, journal(hub))
    with sqlite3.connect(journal(hub)) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with open(journal(hub), "rb") as file:
        before = file.read()
    refuses(hub, CONFIG, "version 99")
    assert command(hub.world, "recover").returncode == CONFIG
    with open(journal(hub), "rb") as file:
        assert file.read() == before
    os.unlink(journal(hub))
    assert command(hub.world, "recover").returncode == CONFIG
    assert not [name for name in os.listdir(hub.data) if "damaged" in name or "recover" in name]


def as_nobody(hub):
    """The hub of a user who may do nothing but what the folders allow."""
    config = hub.world.write_config()
    hub.program = hub.world.program(
        "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
        os.path.join(BUILD, "belfryd"), "--config", config, ready=r"^.*\bready\b")
    return hub.program


def test_folders_that_may_not_be_written(world):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    hub = Hub(world)
    os.chmod(world.dir, 0o755)
    for folder in (hub.data, hub.run):
        os.chown(folder, 65534, 65534)
    as_nobody(hub).wait_ready()
    fill(hub, 10)
    hub.stop()
    for path, mode in ((journal(hub), 0o400), (journal(hub), 0o000), (hub.data, 0o500)):
        before = os.stat(path).st_mode & 0o777
        os.chmod(path, mode)
        assert as_nobody(hub).wait() == 71, hub.log()
        assert "journal.db" in last_line(hub.program), hub.log()
        os.chmod(path, before)
    as_nobody(hub).wait_ready()
    assert len(rows(hub)) == 10
    hub.stop()


@pytest.mark.parametrize("error", [errno.EIO, errno.EROFS])
def test_a_disk_that_does_not_sync_stops_the_hub(world, error):
    hub = FaultyHub(world).start()
    ids = fill(hub, 20)
    hub.faults.arm("sync", error, 1, FOR_EVER)
    done = command(world, "pub", "room:1", "lost or not")
    assert done.returncode in (75, 76), done
    ends(hub, DISK, "journal", "acknowledged")
    hub.faults = None
    hub.start()
    held = command(world, "log", "--json").stdout
    assert all('"%s"' % name in held for name in ids)


@pytest.mark.long
def test_a_disk_that_hangs_is_seen_by_the_watchdog(world):
    """Readers are served meanwhile, and do not count as a sign of life."""
    hub, hang, ear = Hub(world), os.path.join(world.dir, "hang"), os.path.join(world.dir, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(ear)
        notify.settimeout(60)
        env = preloaded("hang_calls", HANG_SYNC=hang, NOTIFY_SOCKET=ear, WATCHDOG_USEC="2000000")
        hub.program = world.program(os.path.join(BUILD, "belfryd"), "--config",
                                    world.write_config(), ready=r"^.*\bready\b", env=env)
        hub.program.wait_ready()
        fill(hub, 10)
        with open(hang, "w", encoding="ascii"):
            began = now()
        publisher = world.program(os.path.join(BUILD, "belfry"), "--run", hub.run, "pub", "room:1", "x")
        reads = 0
        notify.settimeout(5)
        try:
            while now() < began + 60:
                notify.recv(1000)
                assert len(rows(hub)) == 10
                reads += 1
        except TimeoutError:
            pass
        assert 25 < now() - began < 50 and reads > 10
        assert len(rows(hub)) == 10
        os.unlink(hang)
        assert publisher.wait() in (0, 76)
        assert b"WATCHDOG=1" in notify.recv(1000)
        hub.stop()
