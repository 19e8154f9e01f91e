"""One log, one hub; and logs that are not what they were: restored from a backup, put back by hand with
and without their write-ahead log, deleted. What a reader has and the log has not is said to be missing,
to streams that are open and to those that come back; no id ever means two things."""
import glob
import json
import os
import shutil

import pytest

from belfry import Hub, Worker, command, until
from faults import Browser, Ledger, is_ready, last_line, rest_of_log


def refused(daemon):
    daemon.start(wait=False)
    assert daemon.program.wait() == os.EX_CONFIG, daemon.log()
    assert "is held by process" in last_line(daemon.program), daemon.log()


@pytest.mark.parametrize("same", ["run", "data", "run and data"])
def test_a_second_hub(world, hub, worker, same):
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    until(lambda: is_ready(worker))
    browser.open()
    assert ledger.publish("before") == 200
    other = {name: world.folder("other-" + name, 0o750) for name in ("run", "data") if name not in same}
    refused(Hub(world, *["--%s=%s" % item for item in other.items()]))
    assert ledger.publish("after") == 200
    assert command(world, "stats").returncode == 0, "its sockets are the first one's still"
    ledger.check(browser)
    assert browser.opened == 1


def test_a_second_worker(world, hub, worker):
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    until(lambda: is_ready(worker))
    browser.open()
    refused(Worker(world))
    assert ledger.publish("after") == 200
    ledger.check(browser)
    assert browser.opened == 1


# Ways to bring a log back. Each takes away what it needs, and gives it back to a hub that is down.

class Backup:
    def take(self, world, hub):
        self.path = os.path.join(world.dir, "copy.db")
        done = command(world, "backup", self.path)
        assert done.returncode == 0, done.stderr

    def give(self, world):
        delete(world)
        shutil.copy(self.path, os.path.join(world.data, "journal.db"))


class Folder:
    """A copy of the folder, of a hub that was stopped or killed."""

    def __init__(self, end, names="journal.db*"):
        self.end, self.names = end, names

    def take(self, world, hub):
        self.end(hub)
        self.path = world.folder("copy")
        for name in glob.glob(os.path.join(world.data, self.names)):
            shutil.copy(name, self.path)
        hub.start()

    def give(self, world):
        delete(world)
        for name in os.listdir(self.path):
            shutil.copy(os.path.join(self.path, name), world.data)


class Nothing:
    def take(self, world, hub):
        pass

    def give(self, world):
        delete(world)


def delete(world):
    for name in glob.glob(os.path.join(world.data, "journal.db*")):
        os.unlink(name)


WAYS = {"backup": Backup(), "stopped": Folder(Hub.stop), "killed, with its wal": Folder(Hub.kill),
        "killed, without its wal": Folder(Hub.kill, "journal.db"), "deleted": Nothing()}


class Reader(Browser):
    """One that begins with a cursor, and notes all that it is told."""

    def __init__(self, worker, channel, cursor):
        super().__init__(worker, channel)
        self.last, self.all = cursor, []
        self.open()

    def _block(self, block):
        fields = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "data" in fields:
            self.all.append((fields.get("event", "message"), fields.get("id"), fields["data"]))
        super()._block(block)

    def wait(self, kind):
        def look():
            self.read()
            return [found for found in self.all if found[0] == kind]
        return json.loads(until(look, 10, "%s; came: %s" % (kind, self.all))[0][2])


@pytest.mark.parametrize("way", WAYS)
def test_a_log_that_is_not_what_it_was(world, hub, worker, way):
    until(lambda: is_ready(worker))
    first, lost, later = (Ledger(worker, "a") for _ in range(3))
    contents = {}

    def publish(ledger, name):
        for n in range(5):
            until(lambda n=n: ledger.publish("%s %d" % (name, n), "%s-%d" % (name, n)) == 200)
        for body, at in ledger.ids.items():
            assert contents.setdefault(at, body) == body, "%s was %s" % (at, contents[at])
    publish(first, "first")
    WAYS[way].take(world, hub)
    until(lambda: is_ready(worker))
    publish(lost, "lost")
    # A stream that is open all the while, one that has nothing to lose, and cursors of both times.
    ahead = Reader(worker, "a", list(first.ids.values())[0])
    ahead.follow(lost.ids.values())
    quiet = Reader(worker, "elsewhere", None)
    quiet.wait("connected")
    hub.kill()
    WAYS[way].give(world)
    hub.start()
    until(lambda: is_ready(worker))
    kept = [at for at, _ in rest_of_log(worker, "a")]
    assert kept == list(first.ids.values())[:len(kept)], "no more and no less than a part from the start"
    if way in ("backup", "stopped", "killed, with its wal"):
        assert len(kept) == 5
    gap = ahead.wait("gap")
    assert gap["reason"] == "reset" and "a" in gap["channels"], gap
    publish(later, "later")
    ahead.follow(later.ids.values())
    news = [found for found in ahead.all if found[1] in later.ids.values()]
    assert len(news) == 5 and ahead.all.index(news[0]) > [found[0] for found in ahead.all].index("gap")
    assert not ahead.closed and not quiet.closed, "no stream is cut by that"

    for cursor in list(first.ids.values()) + list(lost.ids.values()):
        back = Reader(worker, "a", cursor)
        connected = back.wait("connected")
        back.follow(later.ids.values())
        kinds = [found[0] for found in back.all]
        if cursor in kept:
            assert connected["resumed"] and "gap" not in kinds, (cursor, back.all)
            owed = kept[kept.index(cursor) + 1:] + list(later.ids.values())
            assert [found[1] for found in back.all if found[0] == "message"] == owed
        else:
            assert not connected["resumed"] and "gap" in kinds, (cursor, back.all)
            is_known = cursor.partition("-")[0] in {at.partition("-")[0] for at in kept}
            assert back.wait("gap")["reason"] == ("reset" if is_known else "unknown"), back.all
            assert kinds.index("gap") < kinds.index("message"), "it is told first"
        back.drop()
    ahead.drop()
    quiet.drop()
