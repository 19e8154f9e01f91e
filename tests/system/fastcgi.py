"""FastCGI from the web server's side: records packed by hand, for what no web server would send."""
import socket
import struct

from belfry import PATIENCE

BEGIN, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES, VALUES, UNKNOWN = range(1, 12)


def record(kind, content=b"", rid=1, version=1, padding=0, claim=None):
    """`claim`: a length that the header says instead of the true one."""
    length = len(content) if claim is None else claim
    return struct.pack(">BBHHBx", version, kind, rid, length, padding) + content + b"\0" * padding


def begin(rid=1, role=1, keep=False):
    return record(BEGIN, struct.pack(">HB5x", role, int(keep)), rid)


def pair(name, value):
    out = b""
    for part in (name, value):
        out += struct.pack(">B", len(part)) if len(part) < 128 else struct.pack(">I", len(part) | 1 << 31)
    return out + name + value


def params(method="GET", uri="/events/health", **more):
    fields = dict({"REQUEST_METHOD": method, "REQUEST_URI": uri, "SCRIPT_NAME": "/events",
                   "QUERY_STRING": uri.partition("?")[2], "REMOTE_ADDR": "127.0.0.1",
                   "SERVER_PROTOCOL": "HTTP/1.1", "CONTENT_LENGTH": ""}, **more)
    return b"".join(pair(name.encode(), value.encode()) for name, value in fields.items())


def get(uri="/events/health", rid=1, keep=False, **more):
    return begin(rid, keep=keep) + record(PARAMS, params(uri=uri, **more), rid) + \
        record(PARAMS, b"", rid) + record(STDIN, b"", rid)


def send(n, keep=True, channel="a", **more):
    """A publish of {"n": n}."""
    body = b'{"channel":"%s","data":{"n":%d}}' % (channel.encode(), n)
    head = params("POST", "/events/send", CONTENT_TYPE="application/json",
                  CONTENT_LENGTH=str(len(body)), **more)
    return begin(keep=keep) + record(PARAMS, head) + record(PARAMS) + record(STDIN, body) + \
        record(STDIN)


def connect(worker, within=10):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(within * PATIENCE)
    peer.connect(worker.socket)
    return peer


def read_record(peer):
    """(kind, rid, content), or None at the end."""
    head = read_exactly(peer, 8)
    if head is None:
        return None
    _, kind, rid, length, padding = struct.unpack(">BBHHBx", head)
    content = read_exactly(peer, length) if length else b""
    if padding:
        read_exactly(peer, padding)
    return kind, rid, content


def read_exactly(peer, size):
    got = b""
    while len(got) < size:
        try:
            more = peer.recv(size - len(got))
        except ConnectionResetError:
            more = b""
        if not more:
            return None
        got += more
    return got


def answer(peer):
    """The whole of one answer's STDOUT."""
    out = b""
    while True:
        got = read_record(peer)
        if got is None or got[0] == END:
            return out
        if got[0] == STDOUT:
            out += got[2]


def is_closed(peer):
    """Reads on to the other's close; times out where it does not come."""
    try:
        while peer.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return True
