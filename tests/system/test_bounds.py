"""Bounds that were not where they should be."""
import json
import os
import socket
import sqlite3

import pytest
import zmq

import fastcgi
from belfry import PATIENCE, command, now, until
from fastcgi import PARAMS, STDIN, begin, params, record
from sse import Stream
from test_cgi import run_program


@pytest.mark.options(max_queue=16)
def test_a_stalled_disk_bounds_what_one_tool_may_say(world, hub):
    """What is not taken in stays with the tool; answers are bounded by themselves, and higher."""
    peer = zmq.Context.instance().socket(zmq.DEALER)
    peer.setsockopt(zmq.LINGER, 0)
    peer.setsockopt(zmq.SNDHWM, 1)
    peer.connect(hub.endpoint("publish"))
    other = sqlite3.connect(os.path.join(world.data, "journal.db"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sent, quiet = 0, now() + 1
    while now() < quiet:
        if peer.poll(100, zmq.POLLOUT):
            peer.send_multipart([b"a", b"", b"x" * 1000])
            sent, quiet = sent + 1, now() + 1
        assert sent < 10000, "one tool may fill the hub's memory"
    other.execute("ROLLBACK")
    other.close()
    answers = []
    for _ in range(sent):
        assert peer.poll(20000 * PATIENCE)
        answers.append(peer.recv_multipart()[:2])
    assert [b"error", b"overload"] in answers and b"ok" in {said for said, _ in answers}, answers
    assert {code for said, code in answers if said == b"error"} == {b"overload"}
    peer.close()


@pytest.mark.options(origins="https://page.example", body_timeout="1s", max_body="10k")
def test_a_refusal_before_the_body_is_whole_may_be_read_by_its_page(worker):
    for length, sent, status in ((10 ** 9, b"", b"413"), (50, b"x", b"408"), (5, b"x" * 9, b"400")):
        head = params("POST", "/events/send", CONTENT_LENGTH=str(length), CONTENT_TYPE="application/json",
                      HTTP_ORIGIN="https://page.example", HTTP_HOST="other.example")
        with fastcgi.connect(worker) as peer:
            peer.sendall(begin() + record(PARAMS, head) + record(PARAMS) + (record(STDIN, sent) if sent else b"") +
                         (record(STDIN) if status == b"400" else b""))
            answer = fastcgi.answer(peer)
            assert b"Status: " + status in answer, answer
            assert b"Access-Control-Allow-Origin: https://page.example\r\n" in answer, answer


@pytest.mark.options(keep_timeout="1s")
def test_an_idle_kept_connection_is_closed(worker):
    with fastcgi.connect(worker) as peer:
        for _ in range(2):
            peer.sendall(fastcgi.get(keep=True))
            assert b'"ok":true' in fastcgi.answer(peer)
        assert fastcgi.is_closed(peer)


def kicked(world, peer):
    """Ends the stream that comes from the peer; returns what is left of it."""
    said = b""
    while b'"clientId":"' not in said:
        said += fastcgi.read_record(peer)[2]
    client = said.split(b'"clientId":"')[1].split(b'"')[0].decode()
    done = command(world, "kick", "--", client)
    assert done.returncode == 0, done.stderr
    return fastcgi.answer(peer)


@pytest.mark.options(max_body="10k")
def test_a_kept_connection_is_the_servers_to_close(world, worker):
    """It may have written its next request before it can see that the worker closed."""
    large = begin(keep=True) + record(PARAMS, params("POST", "/events/send", CONTENT_LENGTH="20000")) + \
        record(PARAMS) + record(STDIN, b"x" * 10000)
    with fastcgi.connect(worker) as peer:
        for _ in range(2):
            peer.sendall(fastcgi.get("/events?channel=a", keep=True))
            assert b"kicked" in kicked(world, peer)
            peer.sendall(fastcgi.get("/events/poll?channel=a&wait=1", keep=True))
            assert b"Status: 200" in fastcgi.answer(peer)
            peer.sendall(large)
            assert b"Status: 413" in fastcgi.answer(peer)
            peer.sendall(record(STDIN, b"x" * 10000) + record(STDIN) + fastcgi.get(keep=True))
            assert b'"ok":true' in fastcgi.answer(peer)


@pytest.mark.options(head_timeout="60s")
def test_silent_callers_do_not_keep_cgi_programs_waiting(world, worker):
    silent = []
    for _ in range(80):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(os.path.join(world.run, "worker-1.sock"))
        silent.append(peer)
    began = now()
    assert b'"worker":1' in run_program(world, "/events/health")
    assert now() - began < 4 * PATIENCE
    for peer in silent:
        peer.close()
    assert worker.alive


@pytest.mark.options(max_channels_stream=3, channels_for_all="all,everybody")
def test_channels_that_nobody_asked_for_count_nowhere(site):
    with Stream(site, channel="a,b") as stream:
        client = stream.connected()["clientId"]
        answer = site.post("/subscribe", {"clientId": client, "channel": "c"})
        assert answer.status == 200, answer.text
        assert sorted(answer.json["channels"]) == ["a", "all", "b", "c", "everybody"]
        site.post("/subscribe", {"clientId": client, "channel": "d"}).problem(429, "limit")
    site.get("/poll", channel="a,b,c,d").problem(400)


@pytest.mark.options(max_waiting=5, hub_wait="30s")
def test_too_many_that_wait_for_a_hub_are_refused_at_once(hub, worker):
    until(lambda: b"200" in ask(worker, fastcgi.get("/events/ready"))[:20])
    hub.kill()
    until(lambda: b"503" in ask(worker, fastcgi.get("/events/ready"))[:20])
    body = json.dumps({"channel": "a", "data": 1}).encode()
    send = begin() + record(PARAMS, params("POST", "/events/send", CONTENT_LENGTH=str(len(body)),
                                           CONTENT_TYPE="application/json")) + \
        record(PARAMS) + record(STDIN, body) + record(STDIN)
    peers = []
    for _ in range(5):
        peers.append(fastcgi.connect(worker))
        peers[-1].sendall(send)
    until(lambda: b"hub_away" in ask(worker, send), 5)
    hub.start()
    for peer in peers:
        assert b"200" in fastcgi.answer(peer)[:20]
        peer.close()


def ask(worker, request):
    with fastcgi.connect(worker) as peer:
        peer.sendall(request)
        return fastcgi.answer(peer)
