"""A supervisor, or a worker it starts, that gets no time just when workers die and are replaced."""
import os
import signal

import pytest

from belfry import BUILD, Worker, session, until
from faults import preloaded


class SlowWorker(Worker):
    """Its supervisor hears of a death, and stands still before it asks whose it was; or whoever is
    started does so before it does anything."""

    def start(self, wait=True):
        self.hang = os.path.join(self.world.dir, "hang")
        self.hang_start = os.path.join(self.world.dir, "hang-start")
        config = self.world.write_config()
        self.program = self.world.program(
            os.path.join(BUILD, self.binary), "--config", config, ready=r"^ready\b",
            env=preloaded("hang_calls", HANG_REAP=self.hang, HANG_START=self.hang_start))
        return self.wait_ready() if wait else self

    def children(self):
        """The pids of those that live, by their numbers as workers; None before all have begun."""
        living = [pid for pid in session(self.pid) if pid != self.pid]
        found = {}
        for line in self.log().splitlines():
            fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
            if line.startswith("ready ") and int(fields["pid"]) in living:
                found[int(fields["worker"])] = int(fields["pid"])
        return found if len(living) == len(found) == 2 else None

    def replace_meanwhile(self, first):
        """It stands still over the first one's death while the second is replaced; by whom."""
        with open(self.hang, "w", encoding="ascii"):
            os.kill(first[1], signal.SIGKILL)
        until(lambda: os.path.exists(self.hang + "ing"))
        os.kill(first[2], signal.SIGHUP)
        until(lambda: first[2] not in session(self.pid), what="the second is replaced")
        heir, = [pid for pid in session(self.pid) if pid != self.pid]
        return heir

    def go_on(self):
        os.unlink(self.hang + "ing")


@pytest.mark.options(workers=2)
def test_a_worker_replaced_while_another_death_is_looked_at(hub):
    """Its successor is known before its own end is: none is made twice, none is left at a stop."""
    worker = SlowWorker(hub.world).start()
    first = until(worker.children)
    heir = worker.replace_meanwhile(first)
    worker.go_on()
    now = until(worker.children)
    assert now[2] == heir and now[1] not in first.values()
    assert worker.log().count("worker died") == 1
    assert worker.stop() == 0
    assert not session(worker.pid)


@pytest.mark.options(workers=2)
def test_a_successor_that_dies_before_it_is_known(hub):
    """Its place is taken, although whom the supervisor started had gone by himself."""
    worker = SlowWorker(hub.world).start()
    first = until(worker.children)
    heir = worker.replace_meanwhile(first)
    os.kill(heir, signal.SIGKILL)
    worker.go_on()
    now = until(worker.children)
    assert not {heir, *first.values()} & set(now.values())
    assert worker.log().count("worker died") == 2
    assert worker.stop() == 0
    assert not session(worker.pid)


@pytest.mark.options(workers=2)
def test_a_replacement_while_one_begins_anew(hub):
    """It waits: the signal for it would end the one that does not listen yet."""
    worker = SlowWorker(hub.world).start()
    first = until(worker.children)
    with open(worker.hang_start, "w", encoding="ascii"):
        os.kill(first[1], signal.SIGKILL)
    until(lambda: len(session(worker.pid)) == 3 and first[1] not in session(worker.pid))
    begun = set(session(worker.pid))
    worker.program.signal(signal.SIGHUP)
    worker.program.wait_line("workers are not replaced yet")
    os.unlink(worker.hang_start)
    until(lambda: worker.log().count("taken over by=") == 2)
    now = until(worker.children)
    assert not set(now.values()) & begun and worker.log().count("worker died") == 1
    assert worker.stop() == 0


@pytest.mark.options(workers=2)
def test_a_stop_while_workers_begin_is_clean(hub):
    """However far they are: not made, not yet listening to signals, serving."""
    for _ in range(20):
        worker = Worker(hub.world).start(wait=False)
        until(lambda: len(session(worker.pid)) > 1)
        assert worker.stop() == 0
        assert not session(worker.pid)
