"""The k-th call of each kind fails, k = 1, 2, … until a run passes in which none was left to fail: for
the hub, for the worker, from their first instruction on and while they serve.

The first hundred k of every loop; with --long, to the end."""
import shutil

import pytest

import faults
from faults import Browser, ERRORS, FaultyHub, FaultyWorker, Ledger, get, is_ready
from belfry import LONG_SCALE, crash_of, until

FRESH = 64          # runs on one log: each leaves more in it, which takes more calls to start with
FIRST = 100
LAST = 100000


def has_fallen(daemon):
    """It ended otherwise than well."""
    return daemon.program is not None and daemon.program.process.poll() not in (None, 0)


class House:
    """A hub and a worker, one of which fails; started again when they are gone."""

    def __init__(self, world, victim):
        world.set(publish_timeout="100ms", hub_wait="100ms", log_level="info")
        self.hub, self.worker = FaultyHub(world), FaultyWorker(world)
        self.victim = {"hub": self.hub, "worker": self.worker}[victim]
        self.ends = 0

    def daemons(self):
        return (self.hub, self.worker)

    def launch(self):
        """Whoever is not there is started, but for one whose end is not judged yet; both are ready then, or
        gone again."""
        for daemon in self.daemons():
            if not daemon.alive and not has_fallen(daemon):
                daemon.start(wait=False)
            until(daemon.is_settled, 20, "it is ready, or gone")

    def start(self, kinds=""):
        """Until they serve, however long one that is hit still takes to die."""
        def serves():
            self.reap(kinds)
            self.launch()
            return is_ready(self.worker)
        until(serves, 12, "the worker has its hub")

    def stop(self):
        for daemon in (self.worker, self.hub):
            if daemon.alive:
                code = daemon.stop()
                assert code == 0 or daemon is self.victim, (code, daemon.log()[-2000:])

    def forget(self):
        """Nobody runs, and whoever runs next begins a log."""
        shutil.rmtree(self.hub.data)
        self.hub.world.folder("data", 0o750)

    def reap(self, kinds):
        """Whoever fell must have fallen well; nobody falls but the victim."""
        world = self.hub.world
        fallen = [p for p in world.programs if not p.alive]     # one that falls meanwhile is judged next time
        for daemon in self.daemons():
            if daemon.program in fallen and has_fallen(daemon):
                assert daemon is self.victim, daemon.log()[-2000:]
                faults.judge_end(daemon, kinds)
                self.ends += 1
                fallen.remove(daemon.program)
                world.programs.remove(daemon.program)
                daemon.program = None
        crashes = [crash for crash in map(crash_of, fallen) if crash]
        assert not crashes, crashes
        world.programs = [p for p in world.programs if p not in fallen or p in (self.hub.program, self.worker.program)]


def use(house, ledger, browser, k):
    """One run's worth of what a site does, as long as there is one."""
    steps = [browser.open, lambda: ledger.publish("plain-1"), lambda: ledger.publish("keyed-1", "a%d" % k),
             browser.read, browser.open, lambda: ledger.publish("keyed-2", "b%d" % k), browser.read,
             lambda: get(house.worker, "/health")]
    for step in steps:
        if not (house.worker.alive and house.hub.alive):
            return
        step()


def loop(request, house, kinds, error, run):
    """k = 1, 2, … until none was hit, or the first hundred."""
    last = max(FIRST, round(LAST * LONG_SCALE)) if request.config.getoption("--long") else FIRST
    hits = 0
    for k in range(1, last + 1):
        channel = "c%d" % k
        ledger, browser = Ledger(house.worker, channel), Browser(house.worker, channel)
        try:
            hit = run(house, kinds, ERRORS[error], k, ledger, browser)
            house.victim.faults.disarm()
            house.start(kinds)
            ledger.settle()
            until(lambda: ledger.publish("after", "z%d" % k) == 200, 10, "it takes publishes again")
            ledger.check(browser)
        except AssertionError as wrong:
            said = house.victim.log()[-1500:] if house.victim.program else "it is gone"
            raise AssertionError("k=%d %s (%s): %s\n%s" % (
                k, error, house.victim.faults.said, wrong, said)) from wrong
        browser.drop()
        hits += hit > 0
        if not hit:
            break
    house.stop()
    print("faults: kinds=%s error=%s calls=%d runs=%d ends=%d lost=0" % (
        kinds.replace(" ", "+"), error, hits, k, house.ends))


def a_life(house, kinds, error, k, ledger, browser):
    """Armed before the start, until after the stop."""
    house.stop()
    house.reap(kinds)
    if k % FRESH == 0:
        house.forget()
    house.victim.faults.arm(kinds, error, k)
    house.launch()
    use(house, ledger, browser, k)
    house.stop()
    return house.victim.faults.hits


def a_while(house, kinds, error, k, ledger, browser):
    """Armed while it serves."""
    house.victim.faults.arm(kinds, error, k)
    use(house, ledger, browser, k)
    return house.victim.faults.hits


LIVES = [
    ("hub", "sync", "EIO"), ("hub", "write", "EIO"), ("hub", "write", "ENOSPC"), ("hub", "read", "EIO"),
    ("hub", "truncate", "EIO"), ("hub", "open", "EMFILE"), ("hub", "open", "EACCES"),
    ("hub", "descriptor", "EMFILE"), ("hub", "map", "ENOMEM"), ("hub", "path", "EACCES"),
    ("hub", "thread", "EAGAIN"), ("hub", "memory", "ENOMEM"),
    ("worker", "open descriptor", "EMFILE"), ("worker", "path", "EACCES"), ("worker", "thread", "EAGAIN"),
    ("worker", "memory", "ENOMEM"), ("worker", "write", "ENOSPC"),
]
WHILES = [
    ("hub", "write", "ENOSPC"), ("hub", "write", "EINTR"), ("hub", "write", "SHORT"),
    ("hub", "read", "SHORT"), ("hub", "send", "EPIPE"), ("hub", "send", "EINTR"), ("hub", "send", "SHORT"),
    ("hub", "receive", "ECONNRESET"), ("hub", "receive", "EINTR"), ("hub", "memory", "ENOMEM"),
    ("worker", "accept", "EMFILE"), ("worker", "accept", "ECONNABORTED"), ("worker", "accept", "EINTR"),
    ("worker", "send", "EPIPE"), ("worker", "send", "EINTR"), ("worker", "send", "SHORT"),
    ("worker", "receive", "ECONNRESET"), ("worker", "receive", "EINTR"), ("worker", "receive", "SHORT"),
    ("worker", "write truncate", "ENOSPC"), ("worker", "write", "SHORT"), ("worker", "open descriptor accept", "EMFILE"),
    ("worker", "memory", "ENOMEM"),
]


def cases(table):
    return [pytest.param(*case, id="-".join(case).replace(" ", "+")) for case in table
            if not (case[1] == "memory" and faults.is_sanitized())]


@pytest.mark.parametrize("victim, kinds, error", cases(LIVES))
def test_from_start_to_stop(request, world, victim, kinds, error):
    house = House(world, victim)
    house.start()
    loop(request, house, kinds, error, a_life)


@pytest.mark.parametrize("victim, kinds, error", cases(WHILES))
def test_while_it_serves(request, world, victim, kinds, error):
    house = House(world, victim)
    house.start()
    loop(request, house, kinds, error, a_while)


@pytest.mark.parametrize("victim", ["hub", "worker"])
def test_a_link_that_is_dead_in_one_way_only(world, victim):
    """Where the kernel has no room for what is sent, ZeroMQ sends no more on that connection, and goes on
    reading it."""
    house = House(world, victim)
    house.start()
    ledger, browser = Ledger(house.worker, "a"), Browser(house.worker, "a")
    browser.open()
    assert ledger.publish("before") == 200
    house.victim.faults.arm("send", ERRORS["ENOBUFS"], 1, 1000)
    until(lambda: house.victim.faults.hits or ledger.publish("meanwhile", "key") == 0, 5)
    house.victim.faults.disarm()
    until(lambda: ledger.publish("after", "after") == 200, 20, "it is made anew")
    ledger.settle()
    ledger.check(browser)
    browser.drop()
    house.stop()
