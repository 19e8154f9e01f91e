"""A worker's side of a web server, fast: kept connections for short requests, and streams that are read
when there is something."""
import collections
import json

import fastcgi


def path(place, *fields):
    return "/events" + place + "?" + "&".join("%s=%s" % f for f in fields)


def request(method, uri, head, body=b"", keep=True):
    """The records of one request."""
    fields = dict(head)
    if body:
        fields.update(CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(body)))
    stdin = b"".join(fastcgi.record(fastcgi.STDIN, body[at:at + 60000]) for at in range(0, len(body), 60000))
    return fastcgi.begin(keep=keep) + fastcgi.record(fastcgi.PARAMS, fastcgi.params(method, uri, **fields)) + \
        fastcgi.record(fastcgi.PARAMS) + stdin + fastcgi.record(fastcgi.STDIN)


class Answer:
    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        found = head.partition(b"Status: ")[2]
        self.status = int(found[:3]) if found else 200

    @property
    def json(self):
        return json.loads(self.body)


class Gate:
    """A kept connection to one worker."""

    def __init__(self, worker):
        self.peer = fastcgi.connect(worker, 20)

    def ask(self, method, uri, head, body=None):
        self.peer.sendall(request(method, uri, head, json.dumps(body).encode() if body is not None else b""))
        return Answer(fastcgi.answer(self.peer))


class Watch:
    """A stream, and what it is owed."""

    def __init__(self, worker, uri, who, names, ends, head):
        self.who, self.names, self.ends = who, set(names), ends
        self.expected, self.maybe = collections.deque(), set()
        self.bye = self.client = self.due_bye = None
        self.asked_presence = "presence=1" in uri
        self.stale = False              # presence of before the rights changed may still come
        self.is_over = False
        self.raw = self.text = b""
        self.peer = fastcgi.connect(worker, 20)
        self.peer.sendall(request("GET", uri, head, keep=False))

    def fileno(self):
        return self.peer.fileno()

    def pump(self):
        """Blocks of the stream that have come."""
        try:
            got = self.peer.recv(262144)
        except ConnectionResetError:
            got = b""
        if not got:
            self.is_over = True
        self.raw += got
        at = 0
        while len(self.raw) >= at + 8:
            size = int.from_bytes(self.raw[at + 4:at + 6], "big")
            if len(self.raw) < at + 8 + size:
                break
            if self.raw[at + 1] == fastcgi.STDOUT:
                self.text += self.raw[at + 8:at + 8 + size]
            at += 8 + size + self.raw[at + 6]
        self.raw = self.raw[at:]
        *blocks, self.text = self.text.split(b"\n\n")
        return blocks


def fields_of(block):
    """(event, data) of a block; ("", "") where it has no data."""
    event, data = b"message", None
    for line in block.split(b"\n"):
        if line.startswith(b"data: "):
            data = line[6:]
        elif line.startswith(b"event: "):
            event = line[7:]
    return (event.decode(), data) if data is not None else ("", "")
