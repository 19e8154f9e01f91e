"""What is said to a worker while it gives everything to its successor, and reads nothing."""
import json
import os
import signal

import pytest

from belfry import command, session, signal_pid, until
from sse import Stream
from test_accounts import own_token
from test_takeover import Files


@pytest.fixture(name="files")
def files_of_a_worker(hub):
    files = Files(hub)
    leader = files.worker.pid
    yield files
    for pid in session(leader):     # whoever took over was nobody's child
        signal_pid(pid, signal.SIGKILL)


class Frozen:
    """From here on all is being given."""

    def __init__(self, files):
        self.folder = os.path.dirname(files.path)
        self.old = files.worker.program
        files.put_between("pause", 3)
        self.old.signal(signal.SIGHUP)
        until(lambda: os.path.exists(os.path.join(self.folder, "paused")))

    def thaw(self):
        assert "taken over" not in self.old.log()
        with open(os.path.join(self.folder, "go"), "wb"):
            pass
        assert self.old.wait() == 0
        assert "taken over" in self.old.log(), "it was not frozen for too long"


@pytest.mark.parametrize("who", ["client", "user"])
def test_a_kick(files, who):
    alice = own_token(files.worker.world, "alice")
    until(lambda: files.site.get("/poll", wait=0, headers=alice).status == 200)
    with Stream(files.site, channel="a", headers=alice) as stream, Stream(files.site, channel="a") as other:
        client = stream.connected()["clientId"]
        other.connected()
        frozen = Frozen(files)
        name = client if who == "client" else "alice"
        assert command(files.worker.world, "kick", "--", name).returncode == 0
        frozen.thaw()
        assert json.loads(stream.until_event("bye").data) == {"reason": "kicked"}
        files.site.send("a", 1)
        assert other.next().event == "message"


def test_a_stop(files):
    frozen = Frozen(files)
    frozen.old.signal(signal.SIGTERM)
    frozen.thaw()
    until(lambda: not session(frozen.old.pid), what="the new one has heard it, too")


def test_a_replacement(files):
    frozen = Frozen(files)
    frozen.old.signal(signal.SIGHUP)
    frozen.thaw()
    until(lambda: frozen.old.log().count("taken over by=") == 2, what="the new one is replaced")
