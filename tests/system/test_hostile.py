"""Bytes from outside: on the FastCGI socket and on each ZeroMQ socket. Others keep flowing."""
import os
import random
import resource
import socket
import struct

import pytest
import zmq

import fastcgi
from belfry import BUILD, PATIENCE, Worker, command, until
from fastcgi import ABORT, DATA, GET_VALUES, PARAMS, STDIN, begin, get, params, record
from sse import Stream


@pytest.fixture
def flowing(site):
    """A stream that must go on getting its events, in time, whatever else happens."""
    stream = Stream(site, channel="flowing")
    stream.connected()

    def check(within=2):
        sent = site.send("flowing", 1)
        assert stream.next(within).id == sent
    check()
    yield check
    check()
    stream.close()


def test_a_plain_request_by_hand(worker):
    with fastcgi.connect(worker) as peer:
        peer.sendall(get())
        assert b"Content-Type: application/json" in fastcgi.answer(peer)


def test_one_byte_at_a_time(worker):
    with fastcgi.connect(worker) as peer:
        for byte in get("/events/health"):
            peer.sendall(bytes([byte]))
        assert b"Content-Type: application/json" in fastcgi.answer(peer)


def test_kept_connections_and_padding(worker):
    with fastcgi.connect(worker) as peer:
        for rid in (1, 1, 7, 65535):
            peer.sendall(begin(rid, keep=True) + record(PARAMS, params(), rid, padding=5) +
                         record(PARAMS, b"", rid, padding=255) + record(STDIN, b"", rid))
            assert b"Content-Type" in fastcgi.answer(peer)


GARBAGE = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "version": record(fastcgi.BEGIN, b"\0\1\0\0\0\0\0\0", version=9),
    "params first": record(PARAMS, params()),
    "stdin first": record(STDIN, b"x"),
    "role": begin(role=3),
    "short begin": record(fastcgi.BEGIN, b"\0\1"),
    "begin twice": begin() + begin(),
    "other id": begin(1) + record(PARAMS, params(), 2),
    "id zero": record(fastcgi.BEGIN, b"\0\1\0\0\0\0\0\0", rid=0),
    "data record": begin() + record(DATA, b"x" * 100),
    "unknown type": begin() + record(77, b"x" * 100),
    "answers instead of asking": record(fastcgi.STDOUT, b"x") + record(fastcgi.END, b"\0" * 8),
    "length beyond the end": begin() + record(PARAMS, b"\x7f\x7fAB") + record(PARAMS) + record(STDIN),
    "four gigabytes": begin() + record(PARAMS, b"\xff\xff\xff\xff\xff\xff\xff\xffAB") + record(PARAMS) +
                      record(STDIN),
    "no method": begin() + record(PARAMS, fastcgi.pair(b"A", b"B")) + record(PARAMS) + record(STDIN),
    "nul in names": begin() + record(PARAMS, fastcgi.pair(b"A\0B", b"C\0D") + params()) + record(PARAMS) +
                    record(STDIN),
    "endless params": begin() + b"".join(record(PARAMS, b"\x01\x01AB" * 16000) for _ in range(20)),
}


@pytest.mark.parametrize("name", sorted(GARBAGE))
def test_garbage_ends_its_own_connection_only(worker, flowing, name):
    with fastcgi.connect(worker) as peer:
        try:
            peer.sendall(GARBAGE[name])
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert fastcgi.is_closed(peer)
    flowing()


@pytest.mark.options(head_timeout="1s", body_timeout="1s")
def test_half_requests_are_closed_in_time(worker, flowing):
    whole = get()
    peers = []
    for cut in (1, 7, 8, 15, 16, 20, 30, len(whole) - 9, len(whole) - 1):
        peer = fastcgi.connect(worker)
        peer.sendall(whole[:cut])
        peers.append(peer)
    flowing()
    for peer in peers:
        assert fastcgi.is_closed(peer)
        peer.close()


@pytest.mark.options(body_timeout="1s", head_timeout="1s")
def test_a_body_that_never_comes(worker, flowing):
    peers = []
    for sent in (b"", b'{"channel":'):
        peer = fastcgi.connect(worker)
        peer.sendall(begin() + record(PARAMS, params("POST", "/events/send", CONTENT_LENGTH="50",
                                                     CONTENT_TYPE="application/json")) + record(PARAMS) +
                     (record(STDIN, sent) if sent else b""))
        peers.append(peer)
    flowing()
    for peer in peers:
        assert b"408" in fastcgi.answer(peer)[:40]
        peer.close()


def test_management_records(worker, flowing):
    """The library overruns its buffer on some of these: they must never reach it."""
    asked = record(GET_VALUES, b"".join(fastcgi.pair(b"FCGI_MAX_CONNS", b"") for _ in range(40)), 0)
    for first in (asked, record(99, b"x" * 300, 0), record(GET_VALUES, b"\xff" * 200, 0)):
        with fastcgi.connect(worker) as peer:
            try:
                peer.sendall(first * 5 + get())
                until_closed_or_answered(peer)
            except (BrokenPipeError, ConnectionResetError):
                pass
        flowing()


def until_closed_or_answered(peer):
    while True:
        got = fastcgi.read_record(peer)
        if got is None or got[0] == fastcgi.END:
            return


def test_abort_ends_a_stream_and_a_request(worker, flowing):
    with fastcgi.connect(worker) as peer:
        peer.sendall(get("/events?channel=a"))
        assert b"text/event-stream" in fastcgi.read_record(peer)[2]
        peer.sendall(record(ABORT))
        assert fastcgi.is_closed(peer)
    with fastcgi.connect(worker) as peer:
        peer.sendall(begin() + record(PARAMS, params()[:20]) + record(ABORT))
        assert fastcgi.is_closed(peer)


def test_random_bytes(worker, flowing):
    dice = random.Random(4711)
    for _ in range(300):
        seed = bytearray(get() if dice.random() < .7 else dice.randbytes(dice.randrange(1, 200)))
        for _ in range(dice.randrange(1, 12)):
            seed[dice.randrange(len(seed))] = dice.randrange(256)
        with fastcgi.connect(worker) as peer:
            try:
                peer.sendall(bytes(seed))
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass
    flowing()


def test_ten_thousand_silent_connections(worker, flowing):
    """As many as descriptors allow; the worker, too, may run out of them and must recover."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    silent = []
    for n in range(min(10000, files - 500)):
        peer = socket.socket(socket.AF_UNIX)
        peer.setblocking(False)
        try:
            peer.connect(worker.socket)
        except BlockingIOError:
            # The backlog is full: give the worker a turn.
            peer.close()
            flowing(10)
            continue
        silent.append(peer)
        if n % 2500 == 0:
            flowing(10)
    assert len(silent) > min(10000, files - 500) * 0.9
    flowing(10)
    # Silence ends after head_timeout.
    until(lambda: not any(map(peer_is_open, silent)), 30, "silent connections are closed")
    for peer in silent:
        peer.close()


def peer_is_open(peer):
    try:
        return peer.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


@pytest.mark.options(max_connections=64)
def test_more_connections_than_allowed(worker, site):
    peers = []
    for _ in range(200):
        peer = fastcgi.connect(worker)
        peers.append(peer)
    for peer in peers:
        peer.close()
    until(lambda: site.get("/health").status == 200)
    with Stream(site, channel="a") as stream:
        stream.connected()
        sent = site.send("a", 1)
        assert stream.next().id == sent


def test_all_descriptors_taken_and_the_hub_is_found_again(hub):
    world = hub.world
    worker = Worker(world)
    worker.program = world.program(
        "prlimit", "--nofile=100:100", os.path.join(BUILD, "belfry-fcgi"), "--config",
        world.write_config(), ready=r"^ready\b")
    worker.wait_ready()
    peers = []
    for _ in range(120):
        peer = fastcgi.connect(worker)
        peer.sendall(get("/events?channel=a"))
        peers.append(peer)
    hub.kill()
    hub.start()

    def delivered():
        assert command(world, "pub", "a", "hello").returncode == 0
        peers[0].settimeout(0.2)
        try:
            return b"data: hello" in peers[0].recv(65536)
        except TimeoutError:
            return False
    until(delivered)
    for peer in peers:
        peer.close()


def zmq_socket(kind, endpoint):
    made = zmq.Context.instance().socket(kind)
    made.setsockopt(zmq.LINGER, 0)
    made.setsockopt(zmq.SNDTIMEO, int(5000 * PATIENCE))
    made.setsockopt(zmq.RCVTIMEO, int(5000 * PATIENCE))
    made.connect(endpoint)
    return made


@pytest.mark.parametrize("name, kind", [("hub", zmq.DEALER), ("publish", zmq.DEALER),
                                        ("intake", zmq.PUSH), ("admin", zmq.DEALER), ("tap", zmq.SUB)])
def test_garbage_on_each_zeromq_socket(hub, flowing, name, kind):
    dice = random.Random(name)
    peer = zmq_socket(kind, hub.endpoint(name))
    if kind == zmq.SUB:
        for size in (0, 1, 10, 5000):
            peer.setsockopt(zmq.SUBSCRIBE, dice.randbytes(size))
    else:
        for _ in range(300):
            frames = [dice.randbytes(dice.choice((0, 1, 8, 16, 17, 100, 5000)))
                      for _ in range(dice.randrange(1, 7))]
            if name == "hub" and dice.random() < .7:
                # A right header before a wrong body.
                frames[0] = struct.pack(">BB6xQ", 1, dice.randrange(0, 40), dice.randrange(3))
            peer.send_multipart(frames)
    flowing()
    peer.close()
    flowing()


def test_raw_bytes_on_a_zeromq_socket(hub, flowing):
    for name in ("hub", "publish", "intake", "admin", "tap"):
        for sent in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(5000), b"\xff" + b"\0" * 8 + b"\x7f" * 200):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect("%s/%s.ipc" % (hub.run, name))
                try:
                    peer.sendall(sent)
                except OSError:
                    pass
    flowing()


@pytest.mark.parametrize("frames, code", [
    ([b"a", b"", b"x" * 300000], b"too_large"),
    ([b"a*", b"", b"x"], b"wrong_field"),
    ([b"$a", b"", b"x"], None), ([b"a", b"error", b"x"], b"wrong_field"),
    ([b"a", b"", b"\xff\xfe"], None), ([b"a", b"", b"{", b'{"json":true}'], None),
    ([b"a", b"", b"x", b"{"], None), ([b"a", b"", b"x", b'{"ttl":"x"}'], None),
    ([b"a"], b"malformed"), ([b"a", b"b"], b"malformed"),
])
def test_bad_publishes_are_answered(hub, frames, code):
    peer = zmq_socket(zmq.DEALER, hub.endpoint("publish"))
    peer.send_multipart(frames)
    answer = peer.recv_multipart()
    assert answer[0] == b"error" and (code is None or answer[1] == code) and answer[2], answer
    peer.send_multipart([b"a", b"", b"good"])
    assert peer.recv_multipart()[0] == b"ok"
    peer.close()


def test_slow_readers_do_not_slow_others(site, flowing):
    """Streams that nobody reads, while 20 MB are published to them."""
    slow = [Stream(site, channel="heavy") for _ in range(5)]
    for stream in slow:
        stream.connected()
    for _ in range(100):
        site.send("heavy", "x" * 200000)
    flowing(5)
    for stream in slow:
        stream.close()
