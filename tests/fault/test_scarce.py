"""Descriptors and room on the disk run out: what asks for them is refused, what has them goes on, and
when there are some again, so does everything."""
import os
import re
import socket
import subprocess

import pytest

import fastcgi
import faults
from belfry import BUILD, Hub, Worker, command, until
from faults import Browser, Ledger, get, is_ready
from sse import Stream


class Narrow:
    """A daemon that may have only so many descriptors."""

    files = 128

    def start(self, wait=True):
        config = self.world.write_config()
        self.program = self.world.program(
            "prlimit", "--nofile=%d:%d" % (self.files, self.files), "--",
            os.path.join(BUILD, self.binary), "--config", config, ready=r"^.*\bready\b")
        return self.wait_ready() if wait else self


class NarrowHub(Narrow, Hub):
    pass


class NarrowWorker(Narrow, Worker):
    pass


def crowd(path, count):
    """Connections that say nothing. A listener's backlog may be full before its process is."""
    peers = []
    for _ in range(count):
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(0.5)
        try:
            peer.connect(path)
        except OSError:
            peer.close()
            break
        peers.append(peer)
    return peers


@pytest.mark.parametrize("kind", [NarrowHub, NarrowWorker])
def test_too_few_descriptors_to_begin_with(world, kind):
    daemon = kind(world)
    daemon.files = 40
    daemon.start(wait=False)
    assert daemon.program.wait() == os.EX_CONFIG
    assert "40 file descriptors are allowed (RLIMIT_NOFILE), 64 are needed" in faults.last_line(daemon.program)


@pytest.mark.parametrize("name", ["hub", "publish", "intake", "tap", "admin"])
def test_a_hub_without_a_descriptor_left(world, name):
    """ZeroMQ by itself would end the process at the first one."""
    hub = NarrowHub(world).start()
    worker = Worker(world).start()
    until(lambda: is_ready(worker))
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    browser.open()
    assert ledger.publish("before") == 200
    peers = crowd("%s/%s.ipc" % (hub.run, name), 2 * hub.files)
    hub.program.wait_line("connection turned away")
    assert ledger.publish("meanwhile") == 200
    assert command(world, "pub", "a", "refused", within=30).returncode != 0
    for peer in peers:
        peer.close()
    until(lambda: command(world, "stats").returncode == 0, 15, "tools are served again")
    assert ledger.publish("after") == 200
    ledger.check(browser)
    browser.drop()


def test_a_worker_without_a_descriptor_left(world):
    """Connections are bounded before descriptors run out: the hub is found again meanwhile."""
    hub = Hub(world).start()
    world.set(head_timeout="1s")
    worker = NarrowWorker(world).start()
    until(lambda: is_ready(worker))
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    browser.open()
    assert ledger.publish("before") == 200
    peers = crowd(worker.socket, 2 * worker.files)
    worker.program.wait_line("no more connections are taken")
    hub.kill()
    hub.start()
    until(lambda: is_ready(worker), 30, "silent connections end, and the hub is there")
    assert ledger.publish("after") == 200
    ledger.check(browser)
    for peer in peers:
        peer.close()
    browser.drop()


def mount(folder, size, remount=False):
    options = "size=%s,mode=0750" % size + (",remount" if remount else "")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=False,
                          capture_output=True)
    if done.returncode:
        pytest.skip("a small disk needs the right to mount one: %s" % done.stderr.decode().strip())


@pytest.fixture
def small_disk(world):
    mount(world.data, "6m")
    yield world.data
    for program in world.programs:
        program.kill()
    subprocess.run(["umount", "-l", world.data], check=True)


def fill(ledger):
    """Publishes until the log takes no more; returns how many it took."""
    taken, statuses = 0, []
    for n in range(400):
        statuses.append(ledger.publish("%d %s" % (n, "x" * 60000)))
        taken += statuses[-1] == 200
        if statuses[-3:] == [507] * 3:
            return taken
    raise AssertionError(statuses)


def test_a_full_disk(small_disk, hub, worker, site):
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    browser.open()
    assert fill(ledger) > 10
    stream = Stream(site, channel="b")
    stream.connected()
    site.post("/send", {"channel": "a", "data": "y" * 60000}).problem(507, "disk_full")
    until(lambda: get(worker, "/ready").status == 507)
    # Reading and what is not logged go on.
    assert site.get("/history", channel="a", limit=5).status == 200
    assert site.post("/send", {"channel": "b", "data": "passing", "ephemeral": True}).status == 200
    assert stream.next().data == "passing"
    stream.close()
    mount(small_disk, "64m", remount=True)
    until(lambda: ledger.publish("again") == 200, 15, "publishing resumes by itself")
    until(lambda: is_ready(worker))
    ledger.check(browser)
    # The log says both, and not for each publish.
    assert len(re.findall("journal writable=no why=.*full", hub.log())) == 1, hub.log()
    assert "journal writable=yes" in hub.log()
    # And so it is after a start.
    hub.kill()
    hub.start()
    until(lambda: is_ready(worker))
    ledger.check(browser)
    browser.drop()


def test_a_start_on_a_full_disk(world, small_disk, hub, worker):
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    fill(ledger)
    hub.kill()
    with open(os.path.join(small_disk, "ballast"), "wb", buffering=0) as ballast:
        try:
            while ballast.write(b"x" * 4096):
                pass
        except OSError:
            pass
    hub.start(wait=False)
    until(lambda: not hub.alive or "ready" in hub.log(), 15)
    if not hub.alive:
        assert hub.program.wait() == os.EX_IOERR, hub.log()
        assert "disk_full" in faults.last_line(hub.program)
    os.unlink(os.path.join(small_disk, "ballast"))
    mount(small_disk, "64m", remount=True)
    if not hub.alive:
        hub.start()
    until(lambda: is_ready(worker))
    until(lambda: ledger.publish("again") == 200, 15)
    ledger.check(browser)
    browser.drop()
    with fastcgi.connect(worker) as peer:
        peer.sendall(fastcgi.get("/events/health"))
        assert b"200" in fastcgi.answer(peer)[:20]
