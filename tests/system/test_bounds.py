"""Bounds that were not where they should be."""
import json
import os
import socket
import sqlite3
import subprocess

import pytest
import zmq

import fastcgi
from belfry import BUILD, clean_environment, now, until
from fastcgi import PARAMS, STDIN, begin, params, record
from sse import Stream


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
        assert peer.poll(20000)
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


@pytest.mark.options(head_timeout="60s")
def test_silent_callers_do_not_keep_cgi_programs_waiting(world, worker):
    silent = []
    for _ in range(80):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(os.path.join(world.run, "worker-1.sock"))
        silent.append(peer)
    began = now()
    env = dict(clean_environment(), BELFRY_CONFIG=world.config, GATEWAY_INTERFACE="CGI/1.1",
               REQUEST_METHOD="GET", REQUEST_URI="/events/health", SERVER_PROTOCOL="HTTP/1.1")
    done = subprocess.run([os.path.join(BUILD, "belfry-fcgi")], env=env, capture_output=True, timeout=30,
                          stdin=subprocess.DEVNULL, check=True)
    assert b'"worker":1' in done.stdout, done
    assert now() - began < 4
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
