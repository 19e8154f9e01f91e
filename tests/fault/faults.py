"""Faults from outside: fail_calls.so before a program, and clients that speak FastCGI themselves, so
that a run costs milliseconds. What they were promised and what they got is compared here."""
import collections
import errno
import json
import mmap
import os
import re
import signal
import struct
import subprocess

import fastcgi
from belfry import BUILD, PATIENCE, ROOT, Hub, Worker, clean_environment, now, until

KINDS = {name: 1 << n for n, name in enumerate(
    "sync write read send receive open accept descriptor map memory truncate path thread".split())}
SHORT = 0
FOR_EVER = 1 << 40


def library(name):
    """What goes before a program, made when it is older than its source."""
    source = os.path.join(ROOT, "tests/fault/%s.c" % name)
    made = os.path.join(BUILD, "tests/fault/%s.so" % name)
    if not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(source):
        os.makedirs(os.path.dirname(made), exist_ok=True)
        fresh = "%s.%d" % (made, os.getpid())
        subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O2", "-Wall", "-fPIC", "-shared", "-o",
                        fresh, source] + ["-DWITHOUT_MEMORY"] * is_sanitized(), check=True)
        os.rename(fresh, made)
    return made


def preloaded(name, **more):
    """The environment of a program that one of them goes before."""
    env = dict(clean_environment(), LD_PRELOAD=library(name), **more)
    if is_sanitized():
        env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0:detect_leaks=0"
    return env


def is_sanitized():
    """Whose allocator is the sanitizer's own, and whose report is not an exit code of ours."""
    return "asan" in BUILD or "tsan" in BUILD


class Faults:
    """The page that one program and this test share: what fails, and what has failed."""

    def __init__(self, world, name):
        self.path = os.path.join(world.dir, name + ".fail")
        with open(self.path, "wb") as page:
            page.write(bytes(4096))
        with open(self.path, "r+b") as page:
            self.page = mmap.mmap(page.fileno(), 4096)

    def environment(self, world):
        return preloaded("fail_calls", BELFRY_CONFIG=world.config, FAIL_CONTROL=self.path)

    def _put(self, at, form, value):
        struct.pack_into(form, self.page, at, value)

    def _get(self, at):
        return struct.unpack_from("<Q", self.page, at)[0]

    def arm(self, kinds, error, at, many=1):
        """The calls `at` to `at + many - 1` of these kinds fail, counted from now."""
        self.disarm()
        self._put(8, "<q", error)
        self._put(16, "<Q", at)
        self._put(24, "<Q", many)
        self._put(32, "<Q", 0)
        self._put(40, "<Q", 0)
        self._put(0, "<Q", sum(KINDS[kind] for kind in kinds.split()))

    def disarm(self):
        self._put(0, "<Q", 0)

    def jump(self, seconds):
        """The wall clock is so far ahead of the true one, or behind it."""
        self._put(48, "<q", int(seconds * 1000))

    @property
    def count(self):
        return self._get(32)

    @property
    def hits(self):
        return self._get(40)

    @property
    def said(self):
        return self.page[56:120].split(b"\0")[0].decode()


class Faulty:
    """A hub or worker with fail_calls.so before it."""

    faults = None

    def start(self, wait=True):
        if self.faults is None:
            self.faults = Faults(self.world, self.binary)
        config = self.world.write_config()
        self.program = self.world.program(
            os.path.join(BUILD, self.binary), "--config", config, *self.args,
            ready=r"^.*\bready\b", env=self.faults.environment(self.world))
        return self.wait_ready() if wait else self

    def is_settled(self):
        """It said that it is ready, or it is gone."""
        return not self.alive or re.search(r"^ready\b", self.log(), re.M)


class FaultyHub(Faulty, Hub):
    pass


class FaultyWorker(Faulty, Worker):
    pass


def last_line(program):
    return (program.log().strip().splitlines() or [""])[-1]


# Requests by hand.

def post(path, document, rid=1):
    body = json.dumps(document).encode()
    return fastcgi.begin(rid) + fastcgi.record(fastcgi.PARAMS, fastcgi.params(
        "POST", "/events" + path, CONTENT_LENGTH=str(len(body)), CONTENT_TYPE="application/json"),
        rid) + fastcgi.record(fastcgi.PARAMS, b"", rid) + fastcgi.record(fastcgi.STDIN, body, rid) + \
        fastcgi.record(fastcgi.STDIN, b"", rid)


Reply = collections.namedtuple("Reply", "status text")


def ask(worker, request, within=10):
    """The answer, or status 0 where there was none: the outcome is unknown, then."""
    try:
        with fastcgi.connect(worker, within) as peer:
            peer.sendall(request)
            head, _, body = fastcgi.answer(peer).partition(b"\r\n\r\n")
    except OSError as error:
        if isinstance(error, TimeoutError):
            raise AssertionError("no answer within %gs" % within) from error
        return Reply(0, "")
    found = re.match(rb"Status: (\d+)", head)
    return Reply(int(found.group(1)) if found else 0, body.decode("utf-8", "replace"))


def get(worker, path, within=10):
    return ask(worker, fastcgi.get("/events" + path), within)


def is_ready(worker):
    return worker.alive and get(worker, "/ready").status == 200


def page_of(worker, path):
    """None: on a busy machine the hub may have taken longer than hub_wait."""
    page = get(worker, path)
    assert page.status in (200, 503), page
    return page if page.status == 200 else None


def rest_of_log(worker, channel):
    """All that the log holds of it, as (id, body)."""
    found, path = [], "/history?limit=1000&earliest=1&channel=" + channel
    while path:
        page = json.loads(until(lambda at=path: page_of(worker, at), 10, "history").text)
        found += [(e["id"], e["data"]) for e in page["events"]]
        path = page["next"] and page["next"][len("/events"):]
    return found


class Browser:
    """One logical EventSource on one channel: it goes on with its last id whenever it is cut."""

    def __init__(self, worker, channel):
        self.worker, self.channel = worker, channel
        self.last = None
        self.got = []                   # (id, body)
        self.told = []                  # gaps, byes, connects that went wrong
        self.opened = self.closed = 0
        self.peer = None

    def open(self):
        """False: nobody is there."""
        self.drop()
        query = "/events?channel=%s%s" % (
            self.channel, "&last_event_id=" + self.last if self.last else "&earliest=1")
        try:
            self.peer = fastcgi.connect(self.worker)
            self.peer.sendall(fastcgi.get(query))
        except OSError:
            self.drop()
            return False
        self.opened += 1
        self.bytes, self.text = b"", b""
        self.peer.setblocking(False)
        return True

    def drop(self):
        if self.peer:
            self.peer.close()
            self.closed += 1
        self.peer = None

    def read(self):
        """Takes what is there; opens again what was cut."""
        if not self.peer and not self.open():
            return
        try:
            got = self.peer.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        self.bytes += got
        while len(self.bytes) >= 8:
            kind, length, padding = self.bytes[1], *struct.unpack_from(">HB", self.bytes, 4)
            if len(self.bytes) < 8 + length + padding:
                break
            if kind == fastcgi.STDOUT:
                self.text += self.bytes[8:8 + length]
            self.bytes = self.bytes[8 + length + padding:]
        *blocks, self.text = self.text.split(b"\n\n")
        for block in blocks:
            self._block(block.decode())
        if not got:
            self.drop()

    def _block(self, block):
        fields = {}
        for line in block.splitlines():
            name, _, value = line.partition(": ")
            fields.setdefault(name, value)
        if "id" in fields:
            self.last = fields["id"]
        if "data" not in fields:
            return
        kind = fields.get("event", "message")
        if kind == "message":
            self.got.append((fields["id"], fields["data"]))
        elif kind != "connected" or self.opened > 1 and self.got and not json.loads(fields["data"])["resumed"]:
            self.told.append((kind, fields["data"]))

    def follow(self, ids, within=10):
        """Reads on until all of these came."""
        owed = set(ids)

        def all_here():
            self.read()
            return owed <= {at for at, _ in self.got}
        until(all_here, within, "a stream gets all of %s" % sorted(owed))


class Ledger:
    """What was published and what became of it, for one channel."""

    def __init__(self, worker, channel):
        self.worker, self.channel = worker, channel
        self.acknowledged, self.unknown, self.refused = {}, {}, {}   # body: key or None
        self.ids = {}

    def publish(self, body, key=None):
        document = {"channel": self.channel, "data": body}
        if key:
            document["idempotencyKey"] = key
        reply = ask(self.worker, post("/send", document), 20)
        for state in (self.unknown, self.refused):
            state.pop(body, None)
        if reply.status == 200:
            at = json.loads(reply.text)["id"]
            assert self.ids.setdefault(body, at) == at, "one key, two ids"
            self.acknowledged[body] = key
        elif reply.status in (0, 500, 503) and '"hub_away"' not in reply.text:
            self.unknown[body] = key
        else:
            self.refused[body] = key
        return reply.status

    def settle(self):
        """Publishes again, with their keys, what is not known to be in the log."""
        for body, key in list(self.unknown.items()) + list(self.refused.items()):
            if key:
                until(lambda: self.publish(body, key) == 200, 10, "a publish with its key")

    def check(self, browser):
        """Nothing lost, nothing doubled, nothing said but what is: in the log and in the stream."""
        log = rest_of_log(self.worker, self.channel)
        browser.follow([at for at, _ in log])
        bodies = [body for _, body in log]
        assert sorted(bodies) == sorted(set(bodies)), "doubled: %s" % bodies
        assert self.acknowledged.keys() <= set(bodies), (self.acknowledged, bodies)
        assert not self.refused.keys() & set(bodies), (self.refused, bodies)
        assert set(bodies) <= self.acknowledged.keys() | self.unknown.keys(), bodies
        for at, body in log:
            assert self.ids.get(body, at) == at, "%s has another id" % body
        assert browser.got == log, "the stream had %s, the log has %s" % (browser.got, log)
        assert not [told for told in browser.told if told[0] == "gap"], browser.told


# How a program may end where a fault took it down: it says so, with a code of its own.
CODES = {os.EX_IOERR, os.EX_OSERR, os.EX_CONFIG, os.EX_SOFTWARE}
# Where nothing can go on: without memory (ours and ZeroMQ's line say so; libuv ends without a word),
# without a thread for ZeroMQ, without the descriptors that ZeroMQ and libuv begin with.
ABORTS = {"memory", "thread", "descriptor", "open descriptor"}


def judge_end(daemon, kinds):
    """A dead daemon's exit code and last words."""
    code, said = daemon.program.process.returncode, last_line(daemon.program)
    ours = re.search(r"(hub|fcgi)/\S+: Assertion `|Sanitizer", daemon.log())
    assert not ours, daemon.log()[-1500:]
    if kinds in ABORTS and code == -signal.SIGABRT:
        return
    # libzmq does not look everywhere whether it got memory.
    if kinds == "memory" and code == -signal.SIGSEGV and re.match(
            r"fail_calls: signal \d+ in \S*/libzmq\.so", said):
        return
    # What cannot be read is taken for damaged.
    assert code in CODES or kinds == "read" and code == os.EX_DATAERR, (code, daemon.log()[-1500:])
    assert re.match(r"belfry(d|-fcgi): error: ", said), "last line: %r" % said


ERRORS = {name: getattr(errno, name) for name in (
    "EIO ENOSPC EINTR EMFILE EACCES ECONNABORTED ECONNRESET EPIPE ENOBUFS ENOMEM EAGAIN".split())}
ERRORS["SHORT"] = SHORT


def patient(seconds):
    return now() + seconds * PATIENCE
