"""Workers that are replaced and hubs that are killed, again and again, while publishes flow: no
stream is closed, nothing is lost or doubled, and delivery goes on within 2 s of a hub's death."""
import json
import os
import re
import resource
import subprocess
import threading
import time

import pytest

from belfry import BUILD, LONG_SCALE, PATIENCE, ROOT, Server, now, request, until
from crash import Crashes
from sse import Stream

RESUME = 2.0            # s, from the hub's death to the next delivery
FROZEN = 250            # ms, for one worker, however many streams it has


class Crowd:
    """Streams in a process of their own (tests/bench/readers.c), which counts what they get."""

    def __init__(self, site, streams, channel, most):
        subprocess.run(["make", "-s", "-C", ROOT, "BUILD=" + os.path.relpath(BUILD, ROOT),
                        os.path.relpath(BUILD, ROOT) + "/tests/bench/readers"], check=True)
        self.streams = streams
        self.process = subprocess.Popen(
            [BUILD + "/tests/bench/readers", "--port", str(site.port), "--path",
             "%s?channel=%s" % (site.mount, channel), "--streams", str(streams), "--opened",
             "event: connected", "--most", str(most)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        opened = self.ask("open")
        assert opened["open"] == streams, opened
        self.ask("begin")

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "readers ended with %s" % self.process.wait()
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Publisher(threading.Thread):
    """Numbers 1, 2, …, each with a key and repeated until it is acknowledged."""

    def __init__(self, site, channel, pause):
        super().__init__()
        self.site, self.channel, self.pause = site, channel, pause
        self.begun, self.refused = [], []
        self.is_over = threading.Event()

    def publish(self, number):
        data = "#%010d.%016d.x" % (number, time.monotonic_ns() // 1000)
        body = json.dumps({"channel": self.channel, "data": data,
                           "idempotencyKey": "%s-%d" % (self.channel, number)})
        try:
            answer = request(self.site, "POST", self.site.mount + "/send", body=body,
                             headers={"Content-Type": "application/json"})
        except OSError as error:
            self.refused.append((number, str(error)))
            return False
        if answer.status != 200:
            self.refused.append((number, answer.text))
        return answer.status == 200

    def run(self):
        while not self.is_over.wait(self.pause):
            self.begun.append(now())
            number = len(self.begun)
            end = now() + 30 * PATIENCE
            while not self.publish(number):
                assert now() < end, self.refused[-1]
                self.is_over.wait(0.05)

    def stop(self):
        """How many there were."""
        self.is_over.set()
        self.join()
        return len(self.begun)


class Probe(threading.Thread):
    """One stream that knows when each number came."""

    def __init__(self, site, channel):
        super().__init__()
        self.stream = Stream(site, channel=channel)
        self.stream.connected()
        self.came = {}
        self.is_over = False

    def run(self):
        while not self.is_over and not self.stream.closed:
            self.stream.pump(0.05)
            for event in self.stream.came():
                found = re.match(r"#(\d+)\.", event.data)
                if found:
                    self.came.setdefault(int(found[1]), now())

    def first_after(self, publisher, moment):
        """When the first of those came that were begun after that moment; None: none has."""
        for number, begun in enumerate(list(publisher.begun), 1):
            if begun > moment and number in self.came:
                return self.came[number]
        return None

    def stop(self):
        self.is_over = True
        self.join()
        assert not self.stream.closed, self.stream.raw[-300:]
        self.stream.close()


class Run:
    """A crowd, a probe and a publisher on one channel; and what is done to those who serve them."""

    def __init__(self, site, streams, pause=0.001):
        self.site = site
        self.crowd = Crowd(site, streams, "crowd", 1 << 20)
        self.probe, self.publisher = Probe(site, "crowd"), Publisher(site, "crowd", pause)
        self.workers = self.hubs = self.frozen = 0
        self.resumed = 0.0
        self.probe.start()
        self.publisher.start()
        self.wait_for_more(now())

    def wait_for_more(self, moment, more=10):
        """When the first came of those that were published after that moment; waits for some more."""
        first = until(lambda: self.probe.first_after(self.publisher, moment), 20,
                      "an event that was published after what happened")
        wanted = len(self.probe.came) + more
        until(lambda: len(self.probe.came) >= wanted, 20, "events go on coming")
        return first

    def renew(self, worker):
        lines = worker.renew()
        self.workers += len(lines)
        self.frozen = max([self.frozen] + [int(re.search(r"frozen_ms=(\d+)", line)[1])
                                           for line in lines])
        self.wait_for_more(now())

    def kill(self, hub):
        moment = now()
        hub.kill()
        hub.start(wait=False)
        self.hubs += 1
        self.resumed = max(self.resumed, self.wait_for_more(moment) - moment)

    def both(self, hub, worker):
        """The worker is replaced while there is no hub."""
        moment = now()
        hub.kill()
        hub.start(wait=False)
        self.hubs += 1
        self.renew(worker)
        self.resumed = max(self.resumed, self.wait_for_more(moment) - moment)

    def finish(self):
        count = self.publisher.stop()
        seen = self.crowd.ask("expect %d %d %d" % (count, 20 * PATIENCE, 120 * PATIENCE))
        self.probe.stop()
        self.crowd.close()
        line = ("replace: workers=%d hubs=%d streams=%d events=%d closed=%d lost=%d doubled=%d "
                "frozen_ms_max=%d resume_ms_max=%d") % (
                    self.workers, self.hubs, self.crowd.streams, count, seen["closed"],
                    seen["lost"], seen["doubled"], self.frozen, self.resumed * 1000)
        assert sorted(self.probe.came) == list(range(1, count + 1)), line
        assert (seen["closed"], seen["lost"], seen["doubled"]) == (0, 0, 0), (line, seen)
        assert seen["open"] == self.crowd.streams, line
        assert self.frozen <= FROZEN * PATIENCE, line
        assert self.resumed <= RESUME * PATIENCE, line
        return line


def room_for(streams):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < streams * 2 + 500:
        pytest.skip("%d descriptors are too few for %d streams" % (files, streams))


@pytest.mark.options(log_level="info")
@pytest.mark.parametrize("web, streams, rounds", [
    ("nginx", 1000, 5), ("lighttpd", 1000, 3),
    pytest.param("nginx", 8000, max(1, round(100 * LONG_SCALE)), marks=pytest.mark.long)])
def test_workers_and_hubs_come_and_go(hub, worker, web, streams, rounds):
    room_for(streams)
    run = Run(Server(worker.world, web).start("/ready"), streams)
    for n in range(rounds):
        if n % 3 == 2:
            run.both(hub, worker)
            continue
        run.renew(worker)
        run.kill(hub)
    print(run.finish())


@pytest.mark.parametrize("name", ["nginx", "lighttpd", "apache", "caddy", "h2o"])
def test_behind_each_web_server_one_is_replaced(worker, name):
    run = Run(Server(worker.world, name).start("/ready"), 100)
    run.renew(worker)
    run.renew(worker)
    run.finish()
    assert not run.publisher.refused, run.publisher.refused


@pytest.mark.options(workers=2)
def test_each_of_several_workers_is_replaced(hub, worker, site):
    run = Run(site, 200)
    pid = worker.pid
    for _ in range(2):
        run.renew(worker)
        run.kill(hub)
    run.finish()
    assert run.workers == 4 and worker.alive and worker.pid == pid


@pytest.mark.parametrize("web, rounds", [("nginx", 12), pytest.param(
    "lighttpd", max(12, round(300 * LONG_SCALE)), marks=pytest.mark.long)])
def test_all_kinds_of_readers_and_publishers(world, web, rounds):
    """Polls, patterns, named clients, batches, keys: what they did and saw is judged as after crashes."""
    run = Crashes(world, web)
    run.new_leg()
    for n in range(rounds):
        goal = run.load.count("acknowledged") + 300
        run.worker.renew()
        if n % 4 == 3:
            run.hub.kill()
            run.begin(run.hub)
        until(lambda wanted=goal: run.load.count("acknowledged") >= wanted, 20)
    run.end_leg()
    assert run.totals["acknowledged"] >= 300 * rounds and run.totals["broken"] == 0
    assert run.totals["stream_closed"] == 0
