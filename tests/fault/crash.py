#!/usr/bin/python3
"""Kill loops on the real programs behind a real web server: publishers and readers go on, the hub,
workers and the web server die again and again, at random instants and at named points. In the end
the checker judges what was promised and what came. `crash.py --cycles N --events N` runs it by hand
and prints what came of it; exit code 1: a promise was broken, 2: the loop could not be run."""
import argparse
import collections
import contextlib
import glob
import json
import mmap
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "system"))

from belfry import (BUILD, Hub, PATIENCE, Program, Server, Worker, World,  # noqa: E402
                    clean_environment, command, crash_of, now, session, signal_pid, until)

TOOLS = os.path.join(BUILD, "tests/fault")
# How often a point may be passed before it ends the hub: less than a cycle has of it.
POINTS = {"before-begin": 8, "mid-batch": 600, "before-commit": 8, "mid-commit": 60,
          "after-commit": 8, "checkpoint": 40, "prune": 12, "after-prune": 12, "epoch": 1,
          "after-epoch": 1, "recovery": 25, "backup": 3, "sync": 8, "send": 800}
WORKER_POINTS = {"send": 60, "stream": 600}
LEG = 250                       # cycles after which the load is judged and begins anew
KEEP = {"room:*": 3000, "short": 100}   # events that are kept


class Broken(AssertionError):
    """What the checker found."""


class Load:
    """The load's process and what it says of itself while it runs."""

    FIELDS = ("acknowledged", "received", "connected", "unknown", "refused", "gaps")

    def __init__(self, world, server, name, *options):
        path = os.path.join(world.dir, name + ".stats")
        self.world, self.name = world, name
        self.out = os.path.join(world.dir, name + ".history")
        self.program = Program(world, "load", [
            os.path.join(TOOLS, "load"), "--port", str(server.port), "--mount", server.mount,
            "--name", name, "--stats", path, *options], stdin=subprocess.PIPE)
        self.program.wait_line("^ready$", 30)
        with open(path, "r+b") as page:
            self.page = mmap.mmap(page.fileno(), 8 * len(self.FIELDS))

    def count(self, field):
        return struct.unpack_from("Q", self.page, 8 * self.FIELDS.index(field))[0]

    def say(self, line):
        self.program.process.stdin.write(line.encode() + b"\n")
        self.program.process.stdin.flush()

    def drain(self):
        self.say("drain")
        self.program.wait_line("^(not )?drained$", 90)

    def judge(self, facts):
        """The checker's counts; what it found is in the log."""
        self.say("judge %s %s" % (facts, self.out))
        code = self.program.wait(600)
        log = self.program.log()
        counts = dict(re.findall(r"(\w+)=(\d+)", log.splitlines()[-1] if log else ""))
        return code, {name: int(value) for name, value in counts.items()}, log


class Lines:
    """`belfry pub` beside the load: lines over ZeroMQ, and what became of each."""

    def __init__(self, world, facts):
        self.world, self.facts = world, facts
        self.process, self.sent, self.number = None, [], 0

    def turn(self):
        """Reads the outcome of the last one that ended, begins another."""
        if self.process and self.process.poll() is None:
            return
        self.finish()
        self.number += 1
        self.sent = ["pub.%d.%d" % (self.number, n) for n in range(50)]
        for n, body in enumerate(self.sent):
            self.facts.add("pub%d" % self.number, "invoke", op=n + 1, channel="room:0", body=body)
        config = dict(clean_environment(), BELFRY_CONFIG=self.world.config)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "belfry"), "pub", "room:0"], env=config, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process.stdin.write("\n".join(self.sent) + "\n")
        self.process.stdin.close()

    def finish(self):
        """Ids come in the order of the lines; a line without one is of unknown outcome."""
        if not self.process:
            return
        ids = self.process.stdout.read().split()
        self.process.stdout.close()
        self.process.wait(30 * PATIENCE)
        for n in range(len(self.sent)):
            more = {"id": ids[n]} if n < len(ids) else {}
            self.facts.add("pub%d" % self.number, "ok" if more else "unknown", op=n + 1, **more)
        self.process = None


class Facts:
    """What the world did, as lines of a history."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "w", encoding="utf-8")  # pylint: disable=consider-using-with

    def add(self, actor, what, **values):
        self.file.write("%d %s %s%s\n" % (time.monotonic_ns(), actor, what, "".join(
            " %s=%s" % item for item in values.items())))

    def close(self):
        self.file.close()


class Crashes:
    """A hub, workers, a web server and a load, of which the first three are killed."""

    def __init__(self, world, web="lighttpd", seed=None):
        self.seed = random.randrange(1 << 32) if seed is None else seed
        self.dice = random.Random(self.seed)
        self.world, self.hits, self.began = world, collections.Counter(), now()
        self.missed = {}
        self.load = self.facts = self.lines = None
        # The table of keys is full after a million in that time; no publish is repeated so late.
        world.set(workers=2, log_level="info", idempotency_age="1m")
        for pattern, keep in KEEP.items():
            world.channels[pattern] = {"keep": keep}
        self.hub, self.worker = Hub(world), Worker(world)
        self.begin(self.hub)
        self.begin(self.worker)
        self.server = Server(world, web).start("/ready")
        self.totals = collections.Counter()
        self.legs = 0

    def begin(self, daemon, point=None, k=1):
        """Starts it, to be ended at the k-th passage of a point."""
        env = dict(clean_environment(), BELFRY_CONFIG=self.world.config)
        if point:
            env.update(LD_PRELOAD=os.path.join(TOOLS, "crash_points.so"),
                       CRASH_AT="%s:%d" % (point, k),
                       ASAN_OPTIONS=env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
        self.forget(daemon.program)
        daemon.program = self.world.program(
            os.path.join(BUILD, daemon.binary), "--config", self.world.write_config(),
            ready=r"^.*\bready\b", env=env)
        try:
            daemon.wait_ready()
        except AssertionError:
            if not point or daemon.alive:
                raise Broken("%s does not start:\n%s" % (
                    daemon.binary, daemon.log()[-3000:])) from None
        if self.facts:
            self.facts.add("world", "restart", who=daemon.binary)

    def forget(self, program):
        """One that is dead; that it did not die of itself is looked at first."""
        if program and program in self.world.programs:
            assert not crash_of(program), crash_of(program)
            self.world.programs.remove(program)

    def new_leg(self, *options):
        self.legs += 1
        name = "leg%d" % self.legs
        self.facts = Facts(os.path.join(self.world.dir, name + ".facts"))
        self.load = Load(self.world, self.server, name, *options)
        self.lines = Lines(self.world, self.facts)

    def end_leg(self):
        """Brings the load to its end, judges it; the counts are added to the totals."""
        self.lines.finish()
        self.load.drain()
        asked = command(self.world, "channels", "--json")
        for line in asked.stdout.splitlines():
            channel = json.loads(line)
            floor = str(channel.get("floor") or "0").rpartition("-")[2]
            if int(floor):
                self.facts.add("world", "pruned", channel=channel["channel"], upto=floor)
        self.facts.close()
        code, counts, log = self.load.judge(self.facts.path)
        self.totals.update(counts)
        self.forget(self.load.program)
        self.load.program.process.stdin.close()
        if code:
            kept = os.path.join(TOOLS, "crash.history")
            if os.path.exists(self.load.out):
                shutil.copy(self.load.out, kept)
            else: # the load's own end came first
                kept = "not written"
            raise Broken("seed %d, the history is %s\n%s" % (self.seed, kept, log[-6000:]))

    # The ways to die

    def wait_goal(self, goal, program, within=1.5):
        """Until so many are acknowledged, or the program is dead; False: it has died."""
        with contextlib.suppress(AssertionError):
            until(lambda: self.load.count("acknowledged") >= goal or not program.alive, within)
        return program.alive

    def note(self, who, how, died):
        self.facts.add("world", "crash", who=who)
        self.hits[how if died else "random"] += 1

    def hub_at(self, point, goal):
        # One that was not come to before the cycle's end is to be met early the next time.
        k = self.dice.randint(1, POINTS[point] if not self.missed.get(point) else 1 + POINTS[point] // 16)
        self.begin(self.hub, point, k)
        program = self.hub.program
        if point == "backup" and program.alive:
            path = os.path.join(self.world.dir, "backup")
            for left in glob.glob(path + "*"):
                os.unlink(left)
            command(self.world, "backup", path)
        elif point == "checkpoint" and program.alive:
            self.wait_goal(goal, program)
            program.signal(signal.SIGTERM)      # a clean stop ends with a checkpoint
            program.wait()
        alive = self.wait_goal(goal, program)
        program.kill()
        has_hit = not alive and program.process.returncode == 137
        self.missed[point] = not has_hit
        self.note("belfryd", point, has_hit)

    def hub_at_once(self, goal):
        self.begin(self.hub)
        self.wait_goal(goal, self.hub.program, self.dice.uniform(0.02, 1.5))
        self.hub.kill()
        self.note("belfryd", "random", True)

    def one_worker(self, goal):
        """A child dies; its supervisor starts another."""
        self.begin(self.hub)
        self.wait_goal(goal, self.hub.program)
        children = [pid for pid in session(self.worker.pid) if pid != self.worker.pid]
        for pid in self.dice.sample(children, min(1, len(children))):
            signal_pid(pid, signal.SIGKILL)
            self.note("worker", "worker", True)
        self.wait_goal(goal + 100, self.hub.program)
        self.hub.kill()

    def all_workers(self, goal):
        point = self.dice.choice(sorted(WORKER_POINTS))
        self.worker.kill()
        self.note("belfry-fcgi", "workers", True)
        self.begin(self.hub)
        self.begin(self.worker, point, self.dice.randint(1, WORKER_POINTS[point]))
        self.wait_goal(goal, self.worker.program)
        self.worker.kill()
        self.note("belfry-fcgi", "workers", True)
        self.hub.kill()
        self.begin(self.worker)

    def web_server(self, goal):
        self.begin(self.hub)
        self.server.kill()
        self.note(self.server.name, "web", True)
        self.forget(self.server.program)
        self.server.start("/health")
        self.wait_goal(goal, self.hub.program)
        self.hub.kill()

    def plan(self, cycles):
        """Each point as often as every other, in a random order, and the other ways between."""
        ways = [(self.hub_at, point) for point in POINTS] * 2 + [
            (self.hub_at_once,)] * 6 + [(self.one_worker,)] * 3 + [
            (self.all_workers,)] * 2 + [(self.web_server,)] * 2
        found = []
        while len(found) < cycles:
            self.dice.shuffle(ways)
            found += ways
        return found[:cycles]

    def run(self, cycles, events):
        done = 0
        for first in range(0, cycles, LEG):
            count = min(LEG, cycles - first)
            share = events * count // cycles
            self.new_leg()
            self.hub.kill()
            for n, (way, *more) in enumerate(self.plan(count)):
                self.lines.turn()
                way(*more, share * (n + 1) // count)
            self.begin(self.hub)
            with contextlib.suppress(AssertionError):
                until(lambda s=share: self.load.count("acknowledged") >= s, 60)
            self.end_leg()
            done += count
        return self.summary(done)

    def summary(self, cycles):
        t = self.totals
        return ("crash: web=%s cycles=%d events=%d received=%d lost=%d doubled=%d silent_gaps=%d "
                "false_gaps=%d broken=%d gaps=%d resumed=%d seconds=%d" % (
                    self.server.name, cycles, t["acknowledged"], t["received"], t["lost"],
                    t["doubled"] + t["twice_logged"], t["silent_gap"], t["false_gap"], t["broken"],
                    t["gaps"], t["resumed"], now() - self.began))

    def ends(self):
        return "seed %d, ended at: %s" % (self.seed, " ".join(
            "%s=%d" % item for item in sorted(self.hits.items())))


def main():
    options = argparse.ArgumentParser(description="Kill loops on the real programs.")
    options.add_argument("--cycles", type=int, default=60)
    options.add_argument("--events", type=int, default=100000)
    options.add_argument("--web", default="lighttpd")
    options.add_argument("--seed", type=int)
    chosen = options.parse_args()
    world = World()
    try:
        crashes = Crashes(world, chosen.web, chosen.seed)
        print(crashes.run(chosen.cycles, chosen.events))
        print(crashes.ends())
        return 0
    except Broken as broken:
        print(broken)
        return 1
    except AssertionError:
        traceback.print_exc()
        return 2
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
