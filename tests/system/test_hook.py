"""The application is asked and told: over HTTP and ZeroMQ, while it is slow, away or talks nonsense."""
import json
import os
import subprocess
import threading

import pytest
import zmq

import fastcgi
from application import ANSWERS, Http, Zmq, is_signed
from belfry import BUILD, PATIENCE, command, free_port, now, until
from sse import Stream
from test_identity import bearer
from test_limits import figure
from test_takeover import in_background

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(params=["http", "zmq"])
def app(request, world):
    """The application, up, and options that name it."""
    made = Http() if request.param == "http" else Zmq("ipc://" + world.dir + "/app.ipc")
    yield introduce(world, made)
    made.stop()


@pytest.fixture
def http(world):
    made = introduce(world, Http())
    yield made
    made.stop()


def introduce(world, made):
    keys = world.dir + "/keys"
    assert command(world, "keygen", "--jwt", keys).returncode == 0
    world.options.setdefault("hook_timeout", "%dms" % (1000 * PATIENCE))
    world.set(hook=made.endpoint, token_keys=keys, presence_grace="1s")
    world.channels.update({"room:*": dict.fromkeys(("subscribe", "publish", "history", "presence"), "ask")})
    return made.start()


def allow(*names):
    """These users may; the answer holds for an hour."""
    return lambda question: {"allow": question["user"] in names, "for": 3600}


def test_what_it_allows_is_allowed_and_nothing_else(app, site):
    app.answer = allow("alice")
    alice, bob = bearer(site.world, "alice"), bearer(site.world, "bob")
    with Stream(site, channel="room:1,a", headers=alice, presence=1) as stream:
        assert set(stream.connected()["channels"]) == {"a", "all", "room:1", "user:alice"}
        sent = site.post("/send", {"channel": "room:1", "data": 1}, headers=alice)
        assert sent.status == 200 and stream.until_event("message").id == sent.json["id"]
        # Nothing was asked twice, nor about what needs no asking.
        asked = [(q["action"], q["channel"]) for q in app.questions(ask="channel", user="alice")]
        assert sorted(asked) == [("presence", "room:1"), ("publish", "room:1"), ("subscribe", "room:1")]
    for who in (bob, None):
        wrong = site.get("", channel="room:1", headers=who).problem(403, "forbidden")
        assert wrong["detail"] == "channel: room:1: subscribe is not allowed"
        site.post("/send", {"channel": "room:1", "data": 1}, headers=who).problem(403)
        site.get("/history", channel="room:1", headers=who).problem(403)
        site.get("/presence", channel="room:1", headers=who).problem(403)
    assert site.get("/history", channel="room:1", headers=alice).json["events"][0]["data"] == 1
    assert site.get("/presence", channel="room:1", headers=alice).status == 200
    assert app.questions(ask="channel", user=None, action="publish")
    until(lambda: figure(site, "belfry_hub_hook_denied_total") >= 8)


def test_a_grant_needs_no_asking(app, site):
    app.answer = lambda question: {"allow": False}
    alice = bearer(site.world, "alice", subscribe="room:*")
    with Stream(site, channel="room:1", headers=alice) as stream:
        stream.connected()
    assert not app.questions(action="subscribe")


def test_a_subscribe_and_a_batch_are_asked_about(app, site):
    app.answer = lambda question: {"allow": question["channel"] != "room:3"}
    with Stream(site, channel="a") as stream:
        client = stream.connected()["clientId"]
        added = site.post("/subscribe", {"clientId": client, "channels": ["room:1", "room:2", "b"]})
        assert added.json.get("channels") == ["a", "all", "b", "room:1", "room:2"], (added.json, app.asked)
        site.post("/subscribe", {"clientId": client, "channel": "room:3"}).problem(403)
        done = site.post("/send", [{"channel": "room:1", "data": 1}, {"channel": "room:3", "data": 2},
                                   {"channel": "room:2", "data": 3}]).json["results"]
        assert [r.get("status") for r in done] == [None, 403, None]
        assert [e.data for e in stream.take(2)] == ["1", "3"]
        # What is changed for users is held against every stream: the application's word stays.
        assert command(site.world, "grant", "*", "subscribe", "x").returncode == 0
        sent = site.send("b", 4)
        assert stream.next().id == sent


def test_a_pattern_is_asked_about_as_it_is(app, site):
    app.answer = lambda question: {"allow": question["channel"] == "room:*"}
    with Stream(site, channel="room:*") as stream:
        stream.connected()
        app.answer = allow(None)
        sent = site.post("/send", {"channel": "room:9", "data": 1}).json["id"]
        assert stream.next().id == sent


def test_an_answer_holds_for_as_long_as_it_says(app, site):
    app.answer = lambda question: {"allow": True, "for": round(2 * PATIENCE)}
    with Stream(site, channel="room:1") as stream:
        stream.connected()
        with Stream(site, channel="room:1") as other:
            other.connected()
        assert len(app.questions(action="subscribe")) == 1
        app.answer = lambda question: {"allow": False}
        assert json.loads(stream.until_event("bye").data) == {"reason": "expired"}
    site.get("", channel="room:1").problem(403)


def test_what_is_not_to_be_remembered_is_asked_again(app, site):
    app.answer = lambda question: {"allow": True}
    for _ in range(3):
        assert site.get("/history", channel="room:1").status == 200
    assert len(app.questions(action="history")) == 3


BAD = {
    "error": (500, b"oops"),
    "no json": b"yes",
    "no object": b"true",
    "no answer": {"for": 60},
    "a word": {"allow": "yes"},
    "a moment": {"allow": True, "for": "long"},
    "oversized": b'{"allow":true,"x":"' + b"x" * 70000 + b'"}',
    "nothing": b"",
    "cut": b'{"allow":true',
    "slow": None,
}


@pytest.mark.options(hook_timeout="200ms")
def test_without_an_answer_nothing_is_let_in(app, site, hub):
    for name, said in BAD.items():
        if name == "error" and isinstance(app, Zmq):
            continue  # ZeroMQ knows no status
        app.answer = lambda question, said=said: said
        refused = site.get("/poll", channel="room:1", wait=0).problem(503, "hook_away")
        assert refused["detail"].startswith("hook: "), name
    with Stream(site, channel="room:1") as stream:
        assert stream.next().event == "bye" and stream.retry >= 1000
    site.post("/send", {"channel": "room:1", "data": 1}).problem(503, "hook_away")
    app.answer = lambda question: ANSWERS
    app.released.set()
    until(lambda: site.get("/poll", channel="room:1", wait=0).status == 200)
    assert figure(site, "belfry_hub_hook_failed_total") >= len(BAD) and "unanswered" in hub.log()


@pytest.mark.options(hook_timeout="20s")
def test_nobody_else_waits_for_a_slow_one(http, site):
    http.answer = lambda question: None
    with Stream(site, channel="a") as stream:
        stream.connected()
        began = now()
        slow = in_background(lambda: (site.get("/poll", channel="room:1", wait=0).status, now()))
        until(lambda: http.questions(ask="channel"))
        for n in range(50):
            assert site.post("/send", {"channel": "a", "data": n}).status == 200
        assert len(stream.take(50)) == 50
        ended = now()
    http.released.set()
    status, answered = slow()
    assert status == 503 and ended < answered and ended - began < 20


def test_one_that_comes_up_in_time_is_asked_again(app, site):
    said = []
    app.answer = lambda question: said.append(1) or (ANSWERS if len(said) > 1 else b"?")
    assert site.get("/poll", channel="room:1", wait=0).status == 200
    assert len(said) == 2


def test_a_dead_one_is_away_until_it_is_back(app, site):
    app.stop()
    site.get("/poll", channel="room:1", wait=0).problem(503, "hook_away")
    app.released.clear()
    app.start()
    until(lambda: site.get("/poll", channel="room:1", wait=0).status == 200)


def test_it_is_told_who_comes_and_goes(app, site):
    alice = bearer(site.world, "alice")
    with Stream(site, channel="a", headers=alice) as stream, Stream(site, channel="a,b") as other:
        stream.connected()
        other.connected()
        until(lambda: len(app.events()) >= 4)
    until(lambda: len(app.events()) == 7, 20)
    assert app.events()[0] == ("start", None)
    assert app.events("connect", "leave") == [("connect", "alice"), ("leave", "alice")]
    assert sorted(app.events("occupied")) == [("occupied", "a"), ("occupied", "b")]
    assert sorted(app.events("vacant")) == [("vacant", "a"), ("vacant", "b")]
    assert [told["n"] for told in app.told] == list(range(1, 8))


def test_a_reload_and_a_new_worker_are_told_of_nothing(app, site, worker):
    alice = bearer(site.world, "alice")
    with Stream(site, channel="a", headers=alice) as stream:
        stream.connected()
        until(lambda: app.events("connect"))
        for _ in range(3):
            with Stream(site, channel="a", headers=alice) as other:
                other.connected()
        worker.renew()
        sent = site.send("a", 1)
        assert stream.next().id == sent
    until(lambda: app.events("vacant"), 20)
    assert len(app.events()) == 5


@pytest.mark.options(hook_queue=16)
def test_notices_wait_and_lost_ones_are_told_of(app, site, hub):
    until(lambda: app.events("start"))
    app.stop()
    streams = [Stream(site, channel="c%d" % i) for i in range(40)]
    for stream in streams:
        stream.connected()
    until(lambda: figure(site, "belfry_hub_hook_lost_total") >= 20)
    until(lambda: "lost=notices" in hub.log() and "away=" in hub.log())
    app.released.clear()
    app.start()
    until(lambda: app.events("lost"), 30)
    lost = [told for told in app.told if told["event"] == "lost"]
    assert len(app.events("occupied")) + sum(told["count"] for told in lost) >= 40
    for stream in streams:
        stream.close()


def test_a_notice_that_was_refused_comes_again(http, site):
    until(lambda: http.events("start"))
    http.hears = False
    with Stream(site, channel="a") as stream:
        stream.connected()
        until(lambda: len(http.headers) >= 3, 20)
        assert len(http.told) == 1
        http.hears = True
        until(lambda: http.events("occupied"), 20)
    assert http.events()[:2] == [("start", None), ("occupied", "a")]


@pytest.mark.options(hook_events="authorize")
def test_it_says_who_a_session_is(http, site):
    def answer(question):
        if question["ask"] != "connection" or "session" not in question["headers"].get("cookie", ""):
            return {"allow": question["ask"] == "connection"}
        return {"allow": True, "for": 60, "user": "carol", "grants": {"subscribe": ["room:*"], "publish": ["room:1"]},
                "public": {"colour": "red"}}

    http.answer = answer
    who = {"Cookie": "x=1; session=7"}
    with Stream(site, channel="room:1", headers=who) as stream:
        assert stream.connected()["user"] == "carol"
        own = {"X-Requested-With": "page", "Origin": "http://127.0.0.1:%d" % site.port}
        sent = site.post("/send", {"channel": "room:1", "data": 1}, headers={**who, **own})
        assert sent.status == 200 and stream.next().id == sent.json["id"]
        # What a browser sends by itself proves nothing about a page of another site.
        site.post("/send", {"channel": "room:1", "data": 1}, headers=who).problem(403)
        site.post("/send", {"channel": "room:1", "data": 1},
                  headers={**who, **own, "Origin": "http://evil.example"}).problem(403)
        people = site.get("/presence", channel="a", headers=who)
        assert people.status == 200
    assert site.get("/poll", channel="a", wait=0).status == 200
    assert len([q for q in http.questions(ask="connection") if q["headers"]]) == 1
    site.get("/poll", channel="room:1", wait=0).problem(403)
    # Tokens say who it is; the application may still refuse.
    alice = bearer(site.world, "alice")
    with Stream(site, channel="a", headers={**who, **alice}) as stream:
        assert stream.connected()["user"] == "alice"
    http.answer = lambda question: {"allow": question["user"] != "bob"}
    site.get("/poll", channel="a", wait=0, headers=bearer(site.world, "bob")).problem(403)
    assert site.get("/health").status == 200


@pytest.mark.options(hook_events="authorize", hook_headers="X-Session, accept-language")
def test_it_sees_the_headers_that_are_named_for_it(http, site):
    http.answer = lambda question: {"allow": True, "user": "erin"}
    who = {"x-session": "7", "Accept-Language": "de", "Cookie": "c=1"}
    with Stream(site, channel="a", headers=who) as stream:
        assert stream.connected()["user"] == "erin"
    seen = http.questions(ask="connection")[-1]["headers"]
    assert {name.lower(): value for name, value in seen.items()} == {"x-session": "7", "accept-language": "de"}


@pytest.mark.options(hook_events="authorize", workers=2)
def test_a_stream_ends_with_the_answer_it_was_let_in_by(http, site):
    http.answer = lambda question: {"allow": True, "for": 2, "user": "dave"}
    with Stream(site, channel="a", headers={"Cookie": "s=1"}) as stream:
        assert stream.connected()["user"] == "dave"
        assert json.loads(stream.until_event("bye").data) == {"reason": "expired"}


def test_requests_are_signed(world, http, request):
    path = world.dir + "/hook.secret"
    with open(path, "wb") as file:
        file.write(SECRET + b"\n")
    world.set(hook_secret=path)
    site = request.getfixturevalue("site")
    assert site.get("/poll", channel="room:1", wait=0).status == 200
    assert all(is_signed(headers, body, SECRET) for headers, body in http.headers)
    assert not is_signed(*http.headers[0], b"x" * 32)


def test_what_it_allowed_moves_with_a_stream_to_the_next_worker(http, site, worker):
    http.answer = lambda question: {"allow": True, "for": 6}
    with Stream(site, channel="room:1") as stream:
        stream.connected()
        http.answer = lambda question: {"allow": False}
        worker.renew()
        sent = site.post("/send", {"channel": "room:1", "data": 1})
        assert sent.status in (200, 403)
        assert json.loads(stream.until_event("bye").data) == {"reason": "expired"}


def test_over_tcp_with_keys_alone(world, request):
    public, secret = zmq.curve_keypair()
    own = os.path.join(world.dir, "hub.key")
    assert command(world, "keygen", "--curve", own).returncode == 0
    with open(world.dir + "/app.pub", "w", encoding="ascii") as file:
        file.write(public.decode() + "\n")
    made = introduce(world, Zmq("tcp://127.0.0.1:%d" % free_port(), keys=(secret, public)))
    try:
        world.set(curve_key=own, hook_server=world.dir + "/app.pub")
        site = request.getfixturevalue("site")
        until(lambda: site.get("/poll", channel="room:1", wait=0).status == 200)
    finally:
        made.stop()


@pytest.mark.parametrize("options, says", [
    ({"hook": "ftp://x"}, "begins with none of http://"),
    ({"hook": "tcp://127.0.0.1:9"}, "curve_key is not set"),
    ({"hook": "http://x", "hook_events": "connect,come"}, "hook_events: come is none of"),
    ({"hook": "http://x", "hook_secret": "/dev/null"}, "at least 32 are needed"),
    ({"access": "ask"}, "hook: is empty"),
])
def test_wrong_options_stop_the_start(world, options, says):
    world.set(**options)
    done = subprocess.run([os.path.join(BUILD, "belfryd"), "--config", world.write_config()],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and says in done.stderr


@pytest.mark.options(hook_timeout="20s")
def test_a_stream_it_is_asked_about_while_the_worker_is_replaced(http, worker):
    """The old worker hears the answer, the new one has the stream."""
    said, came = threading.Event(), b""
    http.answer = lambda question: said.wait(20) and ANSWERS
    with fastcgi.connect(worker) as peer, fastcgi.connect(worker) as other:
        peer.sendall(fastcgi.get("/events?channel=room:1"))
        until(lambda: http.questions(channel="room:1"))
        old = worker.program
        worker.renew()
        said.set()
        while b"event: connected" not in came:
            came += fastcgi.read_record(peer)[2]
        assert old.wait() == 0
        other.sendall(fastcgi.send(1, channel="room:1"))
        assert b"Status: 200" in fastcgi.answer(other)
        while b'"n":1' not in came:
            came += fastcgi.read_record(peer)[2]


@pytest.mark.parametrize("renews", [False, True])
@pytest.mark.options(hook_timeout="60s", publish_timeout="%dms" % (2000 * PATIENCE), hub_wait="1s",
                     hook_events="authorize")
def test_an_application_that_is_slow_twice_while_the_worker_is_replaced(http, worker, renews):
    """Who comes, and what of, each for less than publish_timeout, both for longer."""
    def answer(_):
        threading.Event().wait(1.5 * PATIENCE)
        return ANSWERS
    http.answer = answer
    with fastcgi.connect(worker, 30) as peer:
        peer.sendall(fastcgi.get("/events?channel=room:1"))
        until(http.questions)
        if renews:
            worker.renew()
        came = b""
        while b"event: connected" not in came:
            got = fastcgi.read_record(peer)
            assert got, came
            came += got[2]
