"""Each process stands still for seconds (SIGSTOP), as on a machine that swaps, and goes on: no stream is
lost, nothing is missing or doubled, nothing is said to be missing, delivery resumes."""
import json
import re
import signal
import threading

import pytest

from belfry import PATIENCE, Hub, Server, Worker, World, command, now, session, signal_pid, until
from sse import Stream, numbers

RESUMES = 2.5           # seconds after the end of the pause; keyed publishes begin again by then, too


class Publisher(threading.Thread):
    """{"n": 0}, {"n": 1}, … with keys, each until it is acknowledged."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.n, self.last, self.is_over = site, 0, None, threading.Event()

    def once(self):
        try:
            answer = self.site.post("/send", {"channel": "a", "data": {"n": self.n},
                                              "idempotencyKey": "n%d" % self.n})
        except OSError:
            return False
        if answer.status == 200:
            self.last = answer.json["id"]
        return answer.status == 200

    def run(self):
        while not self.is_over.wait(0.02):
            if self.once():
                self.n += 1

    def finish(self):
        """How many there are."""
        self.is_over.set()
        self.join(60 * PATIENCE)
        until(self.once, 20, "the last publish is acknowledged")
        return self.n + 1


class Scene:
    """A site of its own, one part of which will stand still."""

    def __init__(self, victim, seconds):
        self.victim, self.seconds, self.wrong = victim, seconds, None
        self.world = World()
        self.hub = Hub(self.world).start()
        self.worker = Worker(self.world).start()
        self.site = Server(self.world, "nginx").start("/ready")
        self.streams = [Stream(self.site, channel="a") for _ in range(3)]
        for stream in self.streams:
            stream.connected()
        self.curl = self.world.program("curl", "-sN", self.site.url + "/events?channel=a")
        self.curl.wait_line("event: connected")
        self.publisher = Publisher(self.site)
        self.thread = threading.Thread(target=self.play, daemon=True)

    def pids(self):
        leader = {"hub": self.hub.program, "worker": self.worker.program, "web server": self.site.program,
                  "browser": self.curl}[self.victim]
        return session(leader.pid)

    def send(self, sig):
        for pid in self.pids():
            signal_pid(pid, sig)

    def read_until(self, check, within):
        def look():
            for stream in self.streams:
                stream.pump(0.005)
            return check()
        until(look, within, "%s, %g s" % (self.victim, self.seconds))

    def play(self):
        try:
            self.publisher.start()
            self.read_until(lambda: self.publisher.n > 5, 20)
            self.send(signal.SIGSTOP)
            end = now() + self.seconds
            self.read_until(lambda: now() > end, self.seconds + 1)
            before = [stream.last_id for stream in self.streams]
            self.send(signal.SIGCONT)
            self.read_until(lambda: all(s.last_id != at for s, at in zip(self.streams, before)), RESUMES)
            self.judge()
        except Exception as wrong:      # pylint: disable=broad-except
            self.wrong = "%s for %g s: %s" % (self.victim, self.seconds, wrong)

    def judge(self):
        total = list(range(self.publisher.finish()))
        for stream in self.streams:
            assert not stream.closed
            assert numbers(stream.take(len(total))) == total
            stream.quiet(0.05)
        until(lambda: len(re.findall(r'^data: \{"n"', self.curl.log(), re.M)) == len(total), 10, "curl has all")
        assert [int(n) for n in re.findall(r'^data: \{"n": ?(\d+)', self.curl.log(), re.M)] == total
        assert "event: gap" not in self.curl.log() and self.curl.alive
        self.no_ghosts()

    def no_ghosts(self):
        """Who left is gone, in the hub's eyes too."""
        for stream in self.streams:
            stream.close()

        def streams():
            answer = command(self.world, "streams", "--json")
            assert answer.returncode == 0, answer.stderr
            return len(json.loads(answer.stdout or "[]")) if answer.stdout.startswith("[") else \
                len(answer.stdout.splitlines())
        until(lambda: streams() == 1, 10, "only curl's stream is left")


def play_all(cases):
    """All at once: they mostly stand still."""
    scenes = []
    try:
        for case in cases:
            scenes.append(Scene(*case))
        for scene in scenes:
            scene.thread.start()
        for scene in scenes:
            scene.thread.join(300 * PATIENCE)
        wrong = [scene.wrong for scene in scenes if scene.wrong]
        events = sum(scene.publisher.n for scene in scenes)
    finally:
        for scene in scenes:
            scene.publisher.is_over.set()
            scene.send(signal.SIGCONT)
            scene.world.close()
    assert not wrong, "\n".join(wrong)
    print("pauses: pauses=%d events=%d lost=0" % (len(scenes), events))


def test_each_process_stands_still_for_seconds():
    play_all([(victim, seconds) for victim in ("hub", "worker", "web server", "browser")
              for seconds in (1, 4, 10)])


@pytest.mark.long
def test_each_process_stands_still_for_a_minute():
    play_all([(victim, seconds) for victim in ("hub", "worker", "web server", "browser")
              for seconds in (25, 60)])
