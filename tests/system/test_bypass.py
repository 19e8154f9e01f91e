"""Ways round rights that somebody might try: other spellings, other headers, other people's names."""
import base64
import hmac
import json
import os
import time

import pytest

import fastcgi
from belfry import PATIENCE, SERVERS, Server, command, now, request, until
from sse import Stream
from test_identity import bearer, secret_of, token


@pytest.fixture
def world(world):
    keys = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", keys).returncode == 0
    world.set(token_keys=keys, access="granted", metrics_allow="127.0.0.1")
    world.channels.update({"open:*": {"subscribe": "open", "publish": "open", "presence": "anonymous"},
                           "room:vip*": {"subscribe": "granted"}, "room:*": {"subscribe": "open", "publish": "open"}})
    return world


SPELLINGS = ("user:bob", "user%3Abob", "%75ser:bob", "u%73er%3a%62ob", "open:1,user:bob", "open:1%2Cuser:bob",
             "open:1&channel=user:bob", "user:bob&channel=open:1", "user:b*", "user:*", "*", "u*", "user:bob,open:1")
# Other names altogether, or none: nothing of bob's may come by them.
OTHERS = ("%2575ser%253Abob", "USER:BOB", "user::bob", "user:bob.", "user:bob%20", "%20user:bob", "user:bob%00",
          "user:bob%00*", "%EF%BD%95ser:bob", "user:bob%0a", "user:%62%6Fb%E2%80%8B", "user:bob/", "./user:bob",
          "$user:bob", "$*", "$links", "user:bob%2C", ",user:bob", "%C0%F5ser:bob", "+user:bob", "user:bob;",
          "&channel[]=user:bob", "&CHANNEL=user:bob", "open:1&channel%00=user:bob")


def test_no_spelling_of_a_channel_passes(site):
    """For streams, polls, history, presence; for users and for nobody."""
    world, bob = site.world, bearer(site.world, "bob", publish="user:bob")
    sent = site.post("/send", {"user": "bob", "data": "for bob alone"}, headers=bob)
    assert sent.status == 200, sent.text
    for who in ({}, bearer(world, "alice", subscribe="u,bob,users:*", presence="open:*")):
        for spelling in SPELLINGS + OTHERS:
            for place in ("/history?limit=9&after=%s&" % ("aaaaaaaa-1"), "/poll?wait=0&earliest=1&", "/presence?"):
                answer = request(site, "GET", site.mount + place + "channel=" + spelling, headers=who)
                assert "for bob alone" not in answer.text, (place, spelling)
                if spelling in SPELLINGS and not (place == "/presence?" and "open:1" in spelling):
                    assert answer.status in (400, 403), (place, spelling, answer.text)
        for path in ("/user/bob", "/user%3Abob", "/user:bob", "/user/%62ob", "/user%2Fbob", "//user/bob",
                     "/user//bob", "/./user/bob", "/user/bob?channel=open:1", "/open:1?channel=user:bob"):
            with Stream(site, site.mount + path, headers=dict(who, Accept="*/*")) as stream:
                assert stream.status in (400, 403, 404) or b"user:bob" not in stream.raw, path
                if stream.status == 200:
                    assert "user:bob" not in stream.connected()["channels"], path


def test_no_spelling_of_a_channel_is_written_to(site):
    alice = bearer(site.world, "alice", publish="open:*")
    forms = ("channel=user%3Abob&data=1", "channel=open:1&channel=user:bob&data=1", "user=bob&data=1",
             "channels=open:1,user:bob&data=1", "users=alice,bob&data=1", "channel=user:bob&user=alice&data=1")
    bodies = ({"channel": "user:bob"}, {"user": "bob"}, {"users": ["alice", "bob"]}, {"channels": ["open:1", "user:bob"]},
              {"channel": "$x"}, {"channel": "*"}, {"channel": "open:*"}, {"user": "bob:x"}, {"user": "*"},
              {"channel": ["user:bob"]}, {"channel": {"user": "bob"}}, {"channel": "user:bob\u0000"})
    for who in ({}, alice):
        for form in forms:
            answer = site.post("/send", raw=form, kind="application/x-www-form-urlencoded", headers=who)
            assert answer.status in (403, 422), (form, answer.text)
        for body in bodies:
            answer = site.post("/send", dict(body, data="x"), headers=who)
            assert answer.status in (403, 422), (body, answer.text)
        raw = '{"channel":"open:1","channel":"user:bob","data":"x"}'
        assert site.post("/send", raw=raw, headers=who).status in (400, 403, 422)
        lines = '{"channel":"open:1","data":1}\n{"channel":"user:bob","data":"x"}\n'
        results = site.post("/send", raw=lines, kind="application/x-ndjson", headers=who).json["results"]
        assert "id" in results[0] and results[1]["status"] == 403
    assert json.loads(command(site.world, "channels", "--json").stdout.splitlines()[0])["channel"] == "open:1"
    assert "user:bob" not in command(site.world, "channels").stdout


@pytest.mark.options(trust_remote_user="1")
@pytest.mark.parametrize("name", SERVERS)
def test_no_header_makes_a_user(worker, name):
    site = Server(worker.world, name).start("/ready")
    for header in ("Remote-User", "Remote_User", "REMOTE_USER", "X-Remote-User", "HTTP_REMOTE_USER", "HTTP-REMOTE-USER",
                   "Auth-User", "X-Forwarded-User", "Redirect-Remote-User", "User", "Proxy-User"):
        answer = site.get("/poll", headers={header: "bob"}, channel="user:bob", wait=0)
        assert answer.status in (400, 403), (header, answer.text)


# Caddy says itself who asks. For lighttpd and h2o X_Forwarded_For is the same header (conf/README.md).
@pytest.mark.parametrize("name", [name for name in SERVERS if name != "caddy"])
def test_no_header_makes_an_address(worker, name):
    """Where the last proxy named another one."""
    site = Server(worker.world, name).start("/ready")
    for header in ("Remote-Addr", "REMOTE_ADDR", "X-Real-IP", "Client-IP", "Forwarded", "X-Forwarded-For",
                   *(["X_Forwarded_For"] if name in ("nginx", "apache") else [])):
        for value in ("127.0.0.1", "for=127.0.0.1", "::1"):
            heads = {"X-Forwarded-For": "192.0.2.7", header: value}
            heads["X-Forwarded-For"] = ("" if header != "X-Forwarded-For" else value + ", ") + "192.0.2.7"
            answer = site.get("/metrics", headers=heads)
            assert answer.status == 403, (header, value, answer.text[:80])
    assert site.get("/metrics").status == 200


def test_the_last_remote_user_counts_and_is_a_name(worker):
    """What a web server sets stands behind what it passes on."""
    worker.set(trust_remote_user="1")
    worker.restart()

    def status(*users):
        peer = fastcgi.connect(worker)
        pairs = b"".join(fastcgi.pair(b"REMOTE_USER", user) for user in users)
        peer.sendall(fastcgi.begin() + fastcgi.record(
            fastcgi.PARAMS, fastcgi.params(uri="/events/history?channel=user:bob") + pairs) +
            fastcgi.record(fastcgi.PARAMS) + fastcgi.record(fastcgi.STDIN))
        out = fastcgi.answer(peer)
        return int(out.partition(b"Status: ")[2][:3] or 200)
    assert status(b"bob") == 200 and status(b"alice", b"bob") == 200
    assert status(b"bob", b"alice") == 403 and status(b"bob", b"") == 403
    for odd in (b"bob\n", b"bob,alice", b" bob", b"bob:x", b"*", b"$bob", b"\xff"):
        assert status(odd) == 403, odd


def test_two_tokens_are_no_better_than_one(site):
    """Of several headers one counts, whole; a second token adds nothing."""
    good, other = token(site.world, "alice"), token(site.world, "bob")
    for value in (good + ", Bearer " + other, other + "," + good, good + " " + other, other + ";" + good,
                  good + "\t", "Bearer " + other, good + ".", '"%s"' % other):
        answer = site.get("/poll", headers={"Authorization": "Bearer " + value}, channel="user:bob", wait=0)
        assert answer.status in (401, 403), (value, answer.text)
    cookies = ("belfry_token=%s; belfry_token=%s", "belfry_token=%s;belfry_token=%s", "belfry_token=%s, belfry_token=%s",
               "BELFRY_TOKEN=%.0s%s; belfry_token=x", "x=belfry_token=%.0s%s")
    for cookie in cookies:
        answer = site.get("/poll", headers={"Cookie": cookie % (good, other)}, channel="user:bob", wait=0)
        assert answer.status in (401, 403), (cookie, answer.text)
    both = {"Authorization": "Bearer " + good, "Cookie": "belfry_token=" + other}
    site.get("/poll", headers=both, channel="user:bob", wait=0).problem(403)
    site.get("/poll", headers=dict(both, Authorization="Bearer x.y.z"), channel="user:bob", wait=0).problem(401)
    for place in ("token=", "access_token=", "belfry_token=", "authorization=Bearer%20", "ticket="):
        answer = request(site, "GET", "/events/poll?wait=0&channel=user:bob&" + place + other)
        assert answer.status in (401, 403), place


def test_a_name_that_another_user_left_brings_nothing_of_it(site):
    """Neither channels that were added, nor what passed between two polls, nor the right to change it."""
    world, client = site.world, "0123456789abcdef-mine"
    bob = bearer(world, "bob", subscribe="secret", publish="secret,user:bob")
    with Stream(site, channel="open:1", client=client, headers=bob) as stream:
        assert stream.connected()["clientId"] == client
        assert site.post("/subscribe", {"clientId": client, "channel": "secret"}, headers=bob).status == 200
        for who in ({}, bearer(world, "alice", subscribe="secret")):
            site.post("/subscribe", {"clientId": client, "channel": "open:2"}, headers=who).problem(403)
            site.post("/unsubscribe", {"clientId": client, "channel": "open:1"}, headers=who).problem(403)
            site.post("/refresh", {"clientId": client}, headers=who or bearer(world, "eve")).problem(403)
    until(lambda: " bob " not in command(world, "streams").stdout)
    for who in ({}, bearer(world, "alice", subscribe="secret")):
        with Stream(site, channel="open:1", client=client, headers=who) as stream:
            hello = stream.connected()
            assert hello["clientId"] != client and "secret" not in hello["channels"]
        site.post("/send", {"channel": "secret", "data": "hush", "ephemeral": True}, headers=bob)
        site.post("/send", {"client": client, "data": "hush"}, headers=who).problem(404)
        poll = site.get("/poll", channel="open:1", client=client, wait=0, headers=who).json
        assert poll["clientId"] != client and poll["events"] == []
    with Stream(site, channel="open:1", client=client, headers=bearer(world, "bob")) as stream:
        assert stream.connected()["channels"] == ["all", "open:1", "user:bob"]     # a token without that right


def test_between_two_polls_a_pattern_shows_what_each_channel_allows(site):
    """An ephemeral event comes to a poll by its client's name, past the pattern."""
    world, client = site.world, "0123456789abcdef-poll"
    ask = lambda: site.get("/poll", channel="room:*", client=client, wait=0).json["events"]
    ask()
    admin = bearer(world, "root", publish="room:*")
    for channel in ("room:vip", "room:1"):
        assert site.post("/send", {"channel": channel, "data": channel, "ephemeral": True},
                         headers=admin).status == 200
    assert [event["data"] for event in ask()] == ["room:1"]


def waiting_poll(worker, who, channel):
    """One that is open, and has nothing yet."""
    peer = fastcgi.connect(worker, 30)
    peer.sendall(fastcgi.get("/events/poll?wait=20&channel=" + channel,
                             **{"HTTP_AUTHORIZATION": who["Authorization"]}))
    return peer


def test_a_poll_that_waits_gets_nothing_that_it_lost(site, worker):
    """Of a channel: it ends at once. Of a channel that its pattern takes in: it waits on, for others."""
    world, alice = site.world, bearer(site.world, "alice")
    root = bearer(world, "root", publish="*")
    for channel in ("secret", "room:vip"):
        assert command(world, "grant", "alice", "subscribe", channel).returncode == 0
    until(lambda: site.get("/history", channel="secret,room:vip", headers=alice).status == 200)
    alone, pattern = waiting_poll(worker, alice, "secret"), waiting_poll(worker, alice, "room:*")
    until(lambda: command(world, "streams").stdout.count(" alice ") == 2)
    for channel in ("secret", "room:vip"):
        assert command(world, "revoke", "alice", "subscribe", channel).returncode == 0
    until(lambda: site.get("/history", channel="room:vip", headers=alice).status == 403)
    began = now()
    for channel in ("secret", "room:vip", "room:1"):
        sent = site.post("/send", {"channel": channel, "data": "of " + channel}, headers=root)
        assert sent.status == 200, sent.text
    assert b"of secret" not in fastcgi.answer(alone)
    answer = fastcgi.answer(pattern)
    assert b"of room:1" in answer and b"of room:vip" not in answer
    assert now() - began < 15


def test_what_a_slow_stream_has_not_read_yet_is_judged_anew(site):
    """Megabytes of a pattern's channel wait for it when the right to that channel goes."""
    world, alice = site.world, bearer(site.world, "alice")
    root = bearer(world, "root", publish="*")
    assert command(world, "grant", "alice", "subscribe", "room:vip").returncode == 0
    until(lambda: site.get("/history", channel="room:vip", headers=alice).status == 200)
    big = "x" * 50000
    first = site.post("/send", {"channel": "room:1", "data": "begin"}, headers=root).json["id"]
    for n in range(300):
        sent = site.post("/send", {"channel": "room:vip", "data": "%d %s" % (n, big)}, headers=root)
        assert sent.status == 200, sent.text
    with Stream(site, channel="room:*", headers=alice, last_id=first) as stream:
        stream.connected()
        assert command(world, "revoke", "alice", "subscribe", "room:vip").returncode == 0
        until(lambda: site.get("/history", channel="room:vip", headers=alice).status == 403)
        last = site.post("/send", {"channel": "room:1", "data": "end"}, headers=root).json["id"]
        came = []
        while not came or came[-1].data != "end":
            came.append(stream.next(30))
        # What was on its way through the web server when it went, and no more.
        assert came[-1].id == last and len(came) < 250, len(came)


def test_presence_is_not_for_everybody(site):
    world = site.world
    with Stream(site, channel="open:1", headers=bearer(world, "bob")) as stream:
        stream.connected()
        alice = bearer(world, "alice", subscribe="*", publish="*")
        for channel in ("user:bob", "user:alice", "all", "room:1"):
            site.get("/presence", channel=channel, headers=alice).problem(403)
        for channel in ("$x", "user:*", "*", ""):
            site.get("/presence", channel=channel, headers=alice).problem(400)
        with Stream(site, channel="open:1,room:1,room:*", presence=1, headers=alice) as other:
            hello = other.connected()
            assert "user:alice" in hello["channels"]
            assert json.loads(other.until_event("presence").data)["channel"] == "open:1"
            assert site.post("/subscribe", {"clientId": hello["clientId"], "channels": ["room:2", "open:2"]},
                             headers=alice).status == 200
            seen = set()
            end = now() + 2.5

            def look():
                other.pump(0.1)
                seen.update(json.loads(event.data)["channel"] for event in other.came()
                            if event.event == "presence")
                return now() > end and "open:2" in seen
            until(look)
            assert seen <= {"open:1", "open:2"}


def test_a_token_is_not_believed_for_longer_because_it_is_known(site):
    """The same token again and again, over its end and its revocation."""
    world = site.world
    short = bearer(world, "alice", ttl="2s", subscribe="secret")   # from the beginning of this second on
    exp = time.time() + 2
    ask = lambda: site.get("/poll", channel="secret", wait=0, headers=short).status
    assert ask() == 200 and ask() == 200
    with Stream(site, channel="secret", headers=short) as stream:
        stream.connected()
        assert json.loads(stream.until_event("bye").data)["reason"] == "expired"
    assert time.time() < exp + 2 * PATIENCE
    assert ask() == 200     # clocks may differ by 30 s
    assert command(world, "revoke", "--user", "alice").returncode == 0
    until(lambda: ask() == 401)
    with Stream(site, channel="secret", headers=short) as stream:
        assert stream.status == 401


def sign(world, claims, head=None):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
             for part in (head or {"alg": "HS256"}, claims)]
    text = b".".join(parts)
    mac = hmac.digest(secret_of(world), text, "sha256")
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def test_what_is_wrong_with_a_token_is_for_the_log_alone(site, worker):
    """Each reason once, by every way that a token comes; all answers are the same."""
    world, wall = site.world, int(time.time())
    good = {"sub": "alice", "exp": wall + 100}
    text = sign(world, good)
    bad = [
        (text.rsplit(".", 1)[0] + ".", "is not of three parts"),
        (text + ".x", "is not of three parts"),
        (text + "A", "signature: does not fit"),
        (text + "=", "signature: does not fit"),
        (text[:-4], "signature: does not fit"),
        ("=" + text, "header: is not base64url"),
        (sign(world, good, {"alg": "none"}), "alg: is none of"),
        (sign(world, good, {"alg": "RS256"}), "alg: no key that is valid has it"),
        (sign(world, good, {"alg": "HS256", "kid": "other"}), "kid: no key has it"),
        (sign(world, good, {"alg": "HS256", "crit": ["exp"]}), "crit is not taken"),
        (sign(world, good, {"alg": "HS256", "b64": False}), "b64 is not taken"),
        (sign(world, good, {"alg": "HS256", "jku": "http://127.0.0.1/"}), "jku is not taken"),
        (sign(world, good, {"alg": "HS256", "typ": "JWE"}), "typ: is neither"),
        (sign(world, dict(good, exp=wall - 31)), "exp: is over"),
        (sign(world, dict(good, exp=str(wall + 100))), "exp: is no number"),
        (sign(world, dict(good, exp=1e18)), "exp: is no number"),
        (sign(world, {"sub": "alice"}), "exp: is missing"),
        (sign(world, dict(good, nbf=wall + 90)), "nbf: is still to come"),
        (sign(world, dict(good, iat=wall + 90)), "iat: is still to come"),
        (sign(world, dict(good, aud="shop")), "token_audience is not set"),
        (sign(world, {"exp": wall + 100}), "sub: is missing"),
        (sign(world, dict(good, sub="a:b")), "sub: has a"),
        (sign(world, dict(good, jti="")), "jti: is no text"),
        (sign(world, dict(good, belfry={"subscribe": "*"})), "belfry.subscribe: is not an array"),
        (sign(world, [good]), "payload: is not an object"),
    ]
    alike = set()
    for token_, reason in bad:
        before = len(worker.log())
        answers = [site.get("/poll", channel="open:1", headers=head) for head in (
            {"Authorization": "Bearer " + token_}, {"authorization": "bearer  " + token_})]
        if len(token_) < 4000:
            answers.append(site.get("/poll", channel="open:1", headers={"Cookie": "belfry_token=" + token_}))
        for answer in answers:
            assert answer.status == 401, (reason, answer.text)
            alike.add((answer.text, answer.headers["WWW-Authenticate"], answer.headers["Content-Type"]))
        worker.program.wait_line('token refused reason="[^"]*' + reason)
        assert worker.log()[before:].count("token refused") == len(answers), reason
    assert len(alike) == 1 and json.loads(alike.pop()[0])["detail"] == "invalid_token"
