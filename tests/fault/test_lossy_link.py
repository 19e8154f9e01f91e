"""The link between hub and workers loses, delays, doubles and swaps messages, or is cut and stalled in
the middle of one. When that is over everything has come once, in order, or was said to be missing."""
import os
import random

import pytest

from belfry import Server, Worker, now, until
from crash import Facts, Load
from proxy import DOWN, UP, Proxy, Wire
from sse import Stream

FAULTS = {
    "drop": {"drop": 0.01}, "stall": {"stall": 0.01}, "double": {"double": 0.02}, "swap": {"swap": 0.02},
    "cut": {"cut": 0.002},
    "all": {"drop": 0.004, "stall": 0.002, "double": 0.004, "swap": 0.004, "cut": 0.001},
}


class FarWorker(Worker):
    """Its run folder is another one; the hub's socket in it is the proxy's."""

    def __init__(self, world):
        self.far = world.folder("far", 0o750)
        os.chown(self.far, -1, os.stat(world.run).st_gid)
        super().__init__(world, "--run=" + self.far)

    @property
    def run(self):
        return self.far

    @property
    def socket(self):
        return os.path.join(self.far, "fcgi.sock")


def play(world, hub, proxy, worker, seconds, enough, turn=lambda: None):
    """Publishers and readers while the link is bad, until it was often enough; and the checker's verdict."""
    worker.start()
    site = Server(world, "nginx", fcgi=worker.socket).start("/ready")
    facts = Facts(os.path.join(world.dir, "world.history"))
    stream = Stream(site, channel="quiet")
    stream.connected(30)
    load = Load(world, site, "lossy", "--publishers", "6", "--readers", "18")
    end = now() + seconds
    until(lambda: turn() or now() > end and enough(), seconds + 10)
    proxy.calm()
    began = now()
    load.drain()
    facts.close()
    code, counts, log = load.judge(facts.path)
    assert code == 0, log[-6000:]
    assert load.count("acknowledged") > 20, counts
    assert not stream.closed and not [e for e in stream.came() if e.event == "gap"], stream.raw[-300:]
    return load, now() - began


@pytest.mark.parametrize("way", ["both", pytest.param("up", marks=pytest.mark.long),
                                 pytest.param("down", marks=pytest.mark.long)])
@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.options(publish_timeout="2s")
def test_messages(request, world, hub, name, way):
    worker = FarWorker(world)
    proxy = Proxy(os.path.join(worker.run, "hub.ipc"), os.path.join(hub.run, "hub.ipc"), name + way,
                  FAULTS[name], {"down": (DOWN,), "up": (UP,), "both": (UP, DOWN)}[way])
    proxy.start()
    try:
        load, took = play(world, hub, proxy, worker, 60 if request.config.getoption("--long") else 2,
                          lambda: proxy.counts[name] or name == "all")
        print("link: faults=%s way=%s %s events=%d received=%d drained=%.1fs lost=0" % (
            name, way, " ".join("%s=%d" % item for item in sorted(proxy.counts.items())),
            load.count("acknowledged"), load.count("received"), took))
    finally:
        proxy.calm()
        worker.kill()
        proxy.close()


@pytest.mark.options(publish_timeout="2s")
def test_bytes(request, world, hub):
    """Connections are cut within a message, and stand still for longer than a lease."""
    worker = FarWorker(world)
    wire = Wire(os.path.join(worker.run, "hub.ipc"), os.path.join(hub.run, "hub.ipc"))
    dice, due = random.Random(4711), [now() + 0.5]
    stalls = [4, 0.5, 1.5]

    def turn():
        if now() < due[0]:
            return
        due[0] = now() + 0.2 + dice.random()
        if stalls and dice.random() < 0.4:
            wire.stall(stalls[-1])
            due[0] += stalls.pop()
        else:
            wire.cut(dice.randrange(1, 5000))
    wire.start()
    try:
        load, took = play(world, hub, wire, worker, 90 if request.config.getoption("--long") else 8,
                          lambda: wire.cuts > 3, turn)
        print("link: faults=bytes cuts=%d events=%d received=%d drained=%.1fs lost=0" % (
            wire.cuts, load.count("acknowledged"), load.count("received"), took))
    finally:
        worker.kill()
        wire.close()
