"""The examples of fcgi/HTTP.md and the tables of hub/PROTOCOL.md are what really happens."""
import json
import os
import re
import subprocess

import pytest
import zmq

from belfry import PATIENCE, ROOT, command, until
from sse import Stream

BASE = 1041                     # the log's newest event when the examples begin
ID = r"[a-z2-7]{8}-\d+"


def examples():
    """(command, answer) of every block with a `$ ` line; a stream's answer runs to the block's end."""
    with open(os.path.join(ROOT, "fcgi/HTTP.md"), encoding="utf-8") as document:
        blocks = re.findall(r"^```\n(\$ .*?)^```$", document.read(), re.M | re.S)
    for block in blocks:
        for example in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, answer = example.partition("\n")
            yield line, answer


class Told:
    """Puts this run's epoch, positions, client and server in the place of the document's."""

    def __init__(self, site, stream, client):
        self.site, self.client = site, client
        self.epoch, _, base = stream.last_id.partition("-")
        self.base = int(base)

    def position(self, text):
        return "%s-%d" % (self.epoch, int(text.rpartition("-")[2]) - BASE + self.base)

    def here(self, line):
        line = line.replace("http://localhost:8080", self.site.url)
        line = line.replace("-sId6gEp6djlmUb42NCPi_", self.client)
        return re.sub(ID, lambda found: self.position(found[0]), line)

    def answer(self, text):
        """What the document says, in this run's ids, without what no document can know."""
        return masked(re.sub(ID, lambda found: self.position(found[0]), text))


def masked(text):
    text = re.sub(r'"(time|version)":\d+', r'"\1":0', text)
    text = re.sub(r'"clientId":"[^"]*"', '"clientId":""', text)
    return re.sub(r"retry: \d+", "retry: 0", text).strip()


def run(line):
    done = subprocess.run(["bash", "-c", line.replace("curl ", "curl -sS ", 1)], text=True,
                          capture_output=True, timeout=20 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_order(pairs):
    """The poll shows the first send alone, a page of history ends before the last one."""
    def turn(pair):
        line = pair[0]
        if "/health" in line or "/ready" in line:
            return 0
        if "/send" in line:
            return 1 if "message.new" in line else 3
        return 4 if "/history" in line else 2

    return sorted(pairs, key=turn)


def test_http_md(hub, worker, site):
    pairs = list(examples())
    assert len(pairs) >= 10, "the document has its examples"
    assert command(hub.world, "pub", "elsewhere", "so that the log is not empty").returncode == 0
    stream = Stream(site, channel="room:1")
    told = Told(site, stream, stream.connected()["clientId"])
    streams = [answer for line, answer in pairs if "curl -N" in line]
    for line, answer in in_order(pairs):
        if "curl -N" not in line:
            assert masked(run(told.here(line))) == told.answer(answer), line
    for answer in streams:
        head, _, body = answer.partition("\n\n")
        for field in head.splitlines()[1:]:
            name, _, value = field.partition(": ")
            if name == "X-Accel-Buffering":
                continue        # nginx heeds it, and keeps it to itself
            assert stream.headers[name.lower()] == value
        until(lambda: stream.pump(0.1) or masked(stream.raw.decode()).startswith(told.answer(body)),
              what="the document's stream")


# hub/PROTOCOL.md

VALUES = {"json": True, "ttl": 60, "ephemeral": True, "idempotencyKey": "k1", "exclude": "0123456789abcdef",
          "ref": "mine"}
QUESTIONS = {"channels": {"prefix": "", "limit": 10}, "log": {"channels": [], "limit": 10, "order": "desc"},
             "streams": {"limit": 10}, "who": {"channel": "a"}}


def protocol():
    with open(os.path.join(ROOT, "hub/PROTOCOL.md"), encoding="utf-8") as document:
        return document.read()


@pytest.fixture
def tools():
    """Sockets to the hub, closed at the end."""
    context = zmq.Context()

    def connect(kind, hub, name):
        socket = context.socket(kind)
        socket.linger = 0
        socket.rcvtimeo = socket.sndtimeo = int(20000 * PATIENCE)
        if kind == zmq.SUB:
            socket.subscribe(b"")
        socket.connect(hub.endpoint(name))
        return socket

    yield connect
    context.destroy(0)


def ask(socket, question):
    socket.send_json(question)
    return socket.recv_json()


def admin_rows():
    """(do, the answer's own words) of the table under admin.ipc."""
    table = protocol().partition("## admin.ipc")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|[^|]*\| `(\{.*?\})`", table.replace("\\|", "/"), re.M)


def shape(text):
    """Names of members at the top, and of those of the first array's objects."""
    text = text.replace("[…]", "")
    inner = re.search(r"\[\{([^}]*)\}\]", text)
    outer = re.sub(r"\[[^\]]*\]|:\{[^}]*\}", "", text)
    return set(re.findall(r'"(\w+)"', outer)), set(re.findall(r'"(\w+)"', inner[1] if inner else ""))


def test_protocol_md_admin(hub, worker, site, tools, tmp_path):
    stream = Stream(site, channel="room:1")
    stream.connected()
    assert site.send("room:1", {"n": 1})
    admin = tools(zmq.REQ, hub, "admin")
    rows = admin_rows()
    assert len(rows) >= 8, "the table is there"
    questions = dict(QUESTIONS, backup={"path": str(tmp_path / "copy.db")})
    until(lambda: ask(admin, {"do": "streams"})["streams"], what="the stream is known")
    assert ask(admin, {"do": "grant", "user": "ann", "right": "publish", "channel": "room:1"})["ok"]
    for do, text in rows:
        answer = ask(admin, dict(questions.get(do, {}), do=do))
        outer, inner = shape(text)
        assert answer.pop("ok") is True and set(answer) == outer, (do, answer)
        first = next((value[0] for value in answer.values() if isinstance(value, list) and value), None)
        if inner:
            assert set(first) == inner, (do, first)
    stream.close()


def test_protocol_md_publish(hub, tools):
    text = protocol().partition("## publish.ipc")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+)`", text.partition("Options:")[2].partition("A user is reached")[0])
    assert set(named) == set(VALUES)
    tap, publish = tools(zmq.SUB, hub, "tap"), tools(zmq.DEALER, hub, "publish")
    intake = tools(zmq.PUSH, hub, "intake")
    for name in named:
        publish.send_multipart([b"room:1", b"said", b"1", json.dumps({name: VALUES[name]}).encode()])
        code, first, *rest = publish.recv_multipart()
        assert code == b"ok" and bool(first) == (name != "ephemeral")
        assert rest == ([b"mine"] if name == "ref" else [])
    publish.send_multipart([b"room:1", b"", b"1", b'{"tll":1}'])
    assert publish.recv_multipart()[:2] == [b"error", b"wrong_field"]
    publish.send_multipart([b"", b"room:1", b"", b"delimited"])
    answer = publish.recv_multipart()
    assert answer[:2] == [b"", b"ok"]

    def heard():
        intake.send(b"room:1 cut at the first space")
        # A SUB joins when it can: what was said before that it does not hear.
        found = tap.poll(200) and tap.recv_multipart()
        return found and found[3] == b"cut at the first space" and found
    channel, number, event, _ = until(heard, what="the tap says it")
    assert channel == b"room:1" and event == b"" and re.fullmatch(ID, number.decode())
