"""The examples of fcgi/HTTP.md are what really happens."""
import os
import re
import subprocess

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
    text = re.sub(r'"time":\d+', '"time":0', text)
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
