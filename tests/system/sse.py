"""An SSE client on a raw socket that reads only when asked to, and never past a deadline."""
import collections
import json
import select
import socket
import urllib.parse
import zlib

from belfry import MOUNT, PATIENCE, now, remember
from secrets_told import of_headers

Event = collections.namedtuple("Event", "id event data")


class Closed(Exception):
    pass


class Stream:
    """`Stream(server, channel="room:1")`: opens GET /events and waits for the head of the answer."""

    def __init__(self, server, path=None, headers=None, last_id=None, within=10, **query):
        self.server = server
        self.comments = 0
        self.last_id = last_id or ""
        self.retry = None
        self.closed = False
        self.clean = False              # the body ended as HTTP wants it
        self.raw = b""                  # the body as it came, decoded
        self._in = b""                  # bytes of the socket not yet looked at
        self._text = b""                # body not yet cut into lines
        self._inflate = None
        self._fields = {}
        self._events = collections.deque()
        if path is None:
            path = getattr(server, "mount", MOUNT)
        if query:
            path += "?" + urllib.parse.urlencode(query, doseq=True, safe=":,*")
        head = {"Host": "127.0.0.1:%d" % server.port, "Accept": "text/event-stream"}
        if last_id is not None:
            head["Last-Event-ID"] = last_id
        head.update(headers or {})
        remember(server, *of_headers(headers))
        self.socket = socket.create_connection(("127.0.0.1", server.port), within * PATIENCE)
        self.socket.setblocking(False)
        self._poll = select.poll()      # select() ends at 1,024 descriptors
        self._poll.register(self.socket, select.POLLIN)
        lines = ["GET %s HTTP/1.1" % path] + ["%s: %s" % item for item in head.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("utf-8"))
        self._read_head(now() + within * PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def fileno(self):
        return self.socket.fileno()

    def close(self):
        self.socket.close()
        self.closed = True

    # Reading

    def _read_head(self, end):
        while b"\r\n\r\n" not in self._in:
            if not self._fill(end):
                raise AssertionError("no head of an answer: %r" % self._in)
        head, _, self._in = self._in.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.strip().lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines)}
        self._chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        self._chunk = 0                 # bytes still to come of the present chunk
        if self.headers.get("content-encoding") == "gzip":
            self._inflate = zlib.decompressobj(31)
        self._digest()

    def _fill(self, end):
        """Takes what the socket has; False when there was nothing before `end`."""
        if not self._poll.poll(max(0, end - now()) * 1000):
            return False
        try:
            got = self.socket.recv(262144)
        except ConnectionError:
            got = b""
        if not got:
            self.closed = True
            self.clean = self.clean or (not getattr(self, "_chunked", True))
            return False
        self._in += got
        return True

    def _unchunk(self):
        """Moves body bytes out of the transfer coding."""
        body = b""
        if not self._chunked:
            body, self._in = self._in, b""
            return body
        while self._in:
            if self._chunk > 2:
                take = self._in[:self._chunk - 2]
                body += take
                self._in = self._in[len(take):]
                self._chunk -= len(take)
                if self._chunk > 2:
                    break
            if self._chunk:
                if len(self._in) < 2:
                    break
                self._in, self._chunk = self._in[2:], 0
                continue
            line, found, rest = self._in.partition(b"\r\n")
            if not found:
                break
            size = int(line.split(b";")[0], 16)
            if not size:
                self.closed = self.clean = True
                self._in = b""
                break
            self._in, self._chunk = rest, size + 2
        return body

    def _digest(self):
        body = self._unchunk()
        if self._inflate and body:
            body = self._inflate.decompress(body)
        self.raw += body
        self._text += body
        lines = self._text.split(b"\n")
        self._text = lines.pop()
        for line in lines:
            self._line(line.rstrip(b"\r").decode("utf-8"))

    def _line(self, line):
        """As a browser does it."""
        if not line:
            fields, self._fields = self._fields, {}
            if "id" in fields:
                self.last_id = fields["id"]
            if "data" in fields:
                self._events.append(Event(fields.get("id"), fields.get("event", "message"),
                                          "\n".join(fields["data"])))
            return
        if line.startswith(":"):
            self.comments += 1
            return
        name, _, value = line.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "data":
            self._fields.setdefault("data", []).append(value)
        elif name == "retry":
            self.retry = int(value)
        elif name in ("id", "event"):
            self._fields[name] = value

    # What tests ask

    def pump(self, within):
        """Reads what comes until the deadline or the next bytes; False when nothing came."""
        if self.closed:
            return False
        came = self._fill(now() + within)
        if came:
            self._digest()
        return came

    def came(self):
        """The events that are here already."""
        events, self._events = list(self._events), collections.deque()
        return events

    def next(self, within=10):
        """The next event, of any kind."""
        end = now() + within * PATIENCE
        while not self._events:
            if self.closed:
                raise Closed("closed after %r" % self.raw[-300:])
            if now() > end:
                raise AssertionError("no event within %gs; body ends %r" % (
                    within * PATIENCE, self.raw[-300:]))
            self.pump(max(0, min(1, end - now())))
        return self._events.popleft()

    def take(self, count, within=20):
        """So many events that are published ones."""
        found = []
        end = now() + within * PATIENCE
        while len(found) < count:
            event = self.next(max(0, end - now()) / PATIENCE)
            assert event.event not in ("gap", "bye"), (event, found)
            if event.event != "connected":
                found.append(event)
        return found

    def until_event(self, name, within=10):
        """Reads on to an event of that name and returns it."""
        end = now() + within * PATIENCE
        while True:
            event = self.next(max(0, end - now()) / PATIENCE)
            if event.event == name:
                return event

    def connected(self, within=10):
        """Reads `connected`, which must be the first event but for `gap`; returns its data."""
        event = self.next(within)
        assert event.event == "connected", event
        hello = json.loads(event.data)
        remember(self.server, hello["clientId"])
        return hello

    def quiet(self, within=0.5):
        """Asserts that no event comes for so long."""
        end = now() + within
        while now() < end and not self.closed:
            self.pump(end - now())
            assert not self._events, self._events
        return self

    def wait_closed(self, within=10):
        end = now() + within * PATIENCE
        while not self.closed:
            assert now() < end, "still open: %r" % self.raw[-300:]
            self.pump(max(0, min(1, end - now())))
        return self


def numbers(events):
    """The `n` of each event's data, for tests that publish {"n": 1}, {"n": 2}, …"""
    return [json.loads(event.data)["n"] for event in events]
