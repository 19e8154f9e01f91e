"""What the hub keeps of users: grants, tokens of its own, revocations; in every worker at once."""
import json
import os
import signal
import sqlite3
import subprocess

import pytest

import fastcgi
from belfry import BUILD, PATIENCE, clean_environment, command, until
from sse import Stream
from test_cli import Sub
from test_identity import bearer


@pytest.fixture
def world(world):
    """Closed to all but those who are granted something."""
    path = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", path).returncode == 0
    world.set(token_keys=path, access="granted")
    return world


def tell(world, *words):
    done = command(world, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def own_token(world, user, *more):
    tell(world, "user", "add", user)
    return {"Authorization": "Bearer " + tell(world, "user", "token", user, *more)}


def allows(site, who, channel="room:1"):
    return site.get("/history", channel=channel, headers=who).status == 200


def bye_of(stream):
    bye = stream.until_event("bye", within=5)
    stream.wait_closed()
    return json.loads(bye.data)["reason"]


def test_a_grant_holds_at_once_and_a_revoked_one_ends_streams(site):
    world, alice, bob = site.world, bearer(site.world), bearer(site.world, "bob")
    problem = site.get("/poll", channel="room:1", headers=alice).problem(403)
    assert problem["detail"] == "channel: room:1: subscribe is not allowed"
    tell(world, "grant", "alice", "subscribe", "room:*")
    until(lambda: allows(site, alice))
    assert not allows(site, bob) and not allows(site, alice, "hall")
    site.post("/send", {"channel": "room:1", "data": 1}, headers=alice).problem(403)
    tell(world, "grant", "*", "publish", "room:1")
    until(lambda: site.post("/send", {"channel": "room:1", "data": 1}, headers=bob).status == 200)
    with Stream(site, channel="room:*", headers=alice) as one, \
            Stream(site, channel="user:alice", headers=alice) as other:
        one.connected()
        other.connected()
        sent = site.post("/send", {"channel": "room:1", "data": 2}, headers=alice).json
        assert one.next().id == sent["id"]
        tell(world, "revoke", "alice", "subscribe", "room:*")
        assert bye_of(one) == "kicked"
        assert other.quiet()
    site.get("/poll", channel="room:1", headers=alice).problem(403)
    refused = command(world, "revoke", "alice", "subscribe", "room:*")
    assert refused.returncode == 65 and "not granted" in refused.stderr


def test_grants_outlive_the_hub_and_hold_while_it_is_away(site, hub):
    alice = bearer(site.world)
    tell(site.world, "grant", "alice", "subscribe", "room:*")
    until(lambda: allows(site, alice))
    with Stream(site, channel="room:*", headers=alice) as stream:
        stream.connected()
        hub.kill()
        site.get("/poll", channel="hall", headers=alice).problem(403)
        hub.start()
        until(lambda: allows(site, alice))
        tell(site.world, "grant", "alice", "publish", "room:1")
        until(lambda: site.post("/send", {"channel": "room:1", "data": 1},
                                headers=alice).status == 200)
        assert json.loads(stream.next().data) == 1
    with sqlite3.connect("file:%s/journal.db?mode=ro" % hub.data, uri=True) as db:
        rows = db.execute("SELECT user, name, value FROM account ORDER BY name").fetchall()
    assert rows == [("alice", "room:*", 1), ("alice", "room:1", 2)]


def test_a_token_of_our_own(site):
    world = site.world
    alice = own_token(world, "alice")
    until(lambda: site.get("/poll", wait=0, headers=alice).status == 200)
    assert not allows(site, alice)
    tell(world, "grant", "alice", "subscribe", "room:*")
    until(lambda: allows(site, alice))
    site.get("/poll", headers={"Authorization": "Bearer belfry_" + 64 * "0"}).problem(401)
    with Stream(site, channel="room:1", headers=alice) as stream:
        assert stream.connected()["user"] == "alice"
        tell(world, "user", "del", "alice")
        assert bye_of(stream) == "kicked"
    site.get("/poll", wait=0, headers=alice).problem(401, "invalid_token")
    secret = alice["Authorization"].split()[1]
    for folder, _, names in os.walk(world.dir):
        for name in names:
            if os.path.isfile(os.path.join(folder, name)):
                with open(os.path.join(folder, name), "rb") as file:
                    assert secret.encode() not in file.read(), name


def test_a_token_of_our_own_waits_for_the_hub(world, hub, worker):
    """A worker that has never heard of users: whose it is, is known when the hub is there."""
    alice = own_token(world, "alice")["Authorization"]
    tell(world, "grant", "alice", "subscribe", "room:*")
    world.set(hub_wait="60s")
    hub.stop()
    worker.restart()
    with fastcgi.connect(worker, 30) as peer, fastcgi.connect(worker) as other:
        peer.sendall(fastcgi.get("/events/poll?channel=room:1&wait=0", HTTP_AUTHORIZATION=alice))
        other.sendall(fastcgi.get())
        assert b'"ok":true' in fastcgi.answer(other)  # so the one before it was looked at
        hub.start()
        assert b"Status: 200" in fastcgi.answer(peer)


@pytest.mark.options(max_waiting=100, rate_connects=5, hub_wait="60s", trusted_proxies="")
def test_tokens_that_may_be_our_own_do_not_fill_the_waiting_room(hub, worker):
    """Until it is known whose they are, they are their address's."""
    hub.stop()
    worker.restart()
    peers = [fastcgi.connect(worker, 30) for _ in range(200)]
    for peer in peers[:-1]:
        peer.sendall(fastcgi.get("/events/poll?channel=a&wait=0", REMOTE_ADDR="192.0.2.1",
                                 HTTP_AUTHORIZATION="Bearer nobody-s"))
    peers[-1].sendall(fastcgi.get("/events/poll?channel=a&wait=0", REMOTE_ADDR="192.0.2.2"))
    hub.start()
    codes = [int(fastcgi.answer(peer).split()[1]) for peer in peers]
    assert codes[-1] == 403, "who shows nothing is not let in; there was room"
    assert codes.count(401) < 100 and codes.count(401) + codes.count(429) == len(codes) - 1
    for peer in peers:
        peer.close()


def test_a_token_of_our_own_and_a_cgi_program_on_its_own(world, hub):
    """Which begins with its request, before the hub has told it of anybody."""
    alice = own_token(world, "alice")["Authorization"]
    tell(world, "grant", "alice", "subscribe", "room:*")
    for shown in {"HTTP_AUTHORIZATION": alice}, {"HTTP_COOKIE": "belfry_token=" + alice.split()[1]}:
        done = subprocess.run(
            [os.path.join(BUILD, "belfry-fcgi")], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, timeout=20 * PATIENCE, check=True,
            env=dict(clean_environment(), BELFRY_CONFIG=world.config, REQUEST_METHOD="GET",
                     GATEWAY_INTERFACE="CGI/1.1", SERVER_PROTOCOL="HTTP/1.1",
                     REMOTE_ADDR="127.0.0.1", REQUEST_URI="/events/poll?channel=room:1&wait=0",
                     **shown))
        assert done.stdout.startswith(b"Status: 200"), done.stdout
    assert hub.alive


def test_a_token_of_our_own_ends(site):
    alice = own_token(site.world, "alice", "--for", "%ds" % (2 * PATIENCE))
    until(lambda: site.get("/poll", wait=0, headers=alice).status == 200)
    with Stream(site, headers=alice) as stream:
        stream.connected()
        assert bye_of(stream) == "expired"
    site.get("/poll", wait=0, headers=alice).problem(401)


def test_who_is_disabled_is_out_until_enabled(site):
    world, alice = site.world, bearer(site.world, subscribe="room:*")
    tell(world, "user", "add", "alice")
    assert allows(site, alice)
    with Stream(site, channel="room:1", headers=alice) as stream:
        stream.connected()
        tell(world, "user", "disable", "alice")
        assert bye_of(stream) == "kicked"
    site.get("/history", channel="room:1", headers=alice).problem(401)
    tell(world, "user", "enable", "alice")
    until(lambda: allows(site, alice))


def test_tokens_are_revoked_by_user_and_by_time(site, hub):
    world = site.world
    alice, bob = bearer(world, subscribe="*"), bearer(world, "bob", subscribe="*")
    with Stream(site, channel="room:1", headers=alice) as stream, \
            Stream(site, channel="room:1", headers=bob) as other:
        stream.connected()
        other.connected()
        tell(world, "revoke", "--user", "alice")
        assert bye_of(stream) == "kicked"
        assert other.quiet()
    hub.restart()
    site.get("/history", channel="room:1", headers=alice).problem(401, "invalid_token")
    until(lambda: allows(site, bob))
    assert command(world, "revoke").returncode == 64


def test_a_kicked_stream_may_come_back(site):
    alice = bearer(site.world, subscribe="*")
    with Stream(site, channel="room:1", headers=alice) as stream:
        hello = stream.connected()
        tell(site.world, "kick", "alice")
        assert bye_of(stream) == "kicked"
    with Stream(site, channel="room:1", headers=alice) as stream:
        hello = stream.connected()
        tell(site.world, "kick", "--", hello["clientId"])
        assert bye_of(stream) == "kicked"
    assert allows(site, alice)


def test_a_new_worker_asks_nobody_who_is_revoked(site, worker):
    world, alice = site.world, bearer(site.world)
    tell(world, "grant", "alice", "subscribe", "room:*")
    until(lambda: allows(site, alice))
    with Stream(site, channel="room:*", headers=alice) as stream:
        stream.connected()
        worker.renew()
        until(lambda: allows(site, alice))
        tell(world, "grant", "*", "publish", "room:1")
        until(lambda: site.post("/send", {"channel": "room:1", "data": 1},
                                headers=alice).status == 200)
        assert json.loads(stream.next().data) == 1
        tell(world, "revoke", "alice", "subscribe", "room:*")
        assert bye_of(stream) == "kicked"


def test_the_list_of_users(site):
    world = site.world
    tell(world, "user", "add", "alice")
    tell(world, "grant", "*", "subscribe", "lobby")
    tell(world, "grant", "bob", "publish", "room:1")
    tell(world, "grant", "bob", "subscribe", "room:1")
    listed = json.loads(tell(world, "users", "--json"))["users"]
    assert [u["user"] for u in listed] == ["*", "alice", "bob"]
    assert listed[2]["grants"] == [{"channel": "room:1", "rights": ["subscribe", "publish"]}]
    assert "room:1=subscribe+publish" in tell(world, "users")
    assert command(world, "user", "add", "alice").returncode == 65
    assert command(world, "user", "token", "carol").returncode == 65
    assert command(world, "grant", "a:b", "subscribe", "x").returncode == 65
    assert command(world, "grant", "bob", "rule", "x").returncode == 65


def test_when_a_user_was_last_seen_outlives_the_hub(site, hub):
    world, alice = site.world, bearer(site.world, subscribe="*", publish="*")

    def seen():
        users = json.loads(tell(world, "users", "--json"))["users"]
        return [(u["user"], u["clients"], u["seen"] > 0) for u in users]

    with Stream(site, channel="room:1", headers=alice) as stream:
        stream.connected()
        assert seen() == []
    until(lambda: seen() == [("alice", 0, True)])
    site.post("/send", {"channel": "room:1", "data": 1}, headers=alice)
    hub.kill()
    hub.start()
    until(lambda: seen() == [("alice", 0, True)])
    with Stream(site, channel="room:1", headers=alice) as stream:
        stream.connected()
        until(lambda: seen() == [("alice", 1, True)])
        assert "now" in tell(world, "users")
    until(lambda: seen() == [("alice", 0, True)])   # or the end of that stream is a sight of its own
    tell(world, "user", "del", "alice")
    assert not seen()


@pytest.mark.options(max_accounts=16)
def test_what_is_kept_of_users_is_bounded(site):
    for i in range(16):
        tell(site.world, "user", "add", "user%d" % i)
    refused = command(site.world, "user", "add", "more")
    assert refused.returncode == 75 and "max_accounts is 16" in refused.stderr
    tell(site.world, "user", "del", "user3")
    tell(site.world, "user", "add", "more")


def ticket(site, who):
    answer = site.post("/ticket", {}, headers=who)
    assert answer.status == 200
    return answer.json["ticket"]


@pytest.mark.options(workers=2)
def test_a_ticket_is_good_once_at_any_worker(site):
    world, alice = site.world, bearer(site.world, subscribe="room:*")
    site.post("/ticket", {}).problem(401, "unauthorized")
    for _ in range(6):
        once = ticket(site, alice)
        with Stream(site, channel="room:1", ticket=once) as stream:
            assert stream.connected()["user"] == "alice"
        site.get("/poll", channel="room:1", ticket=once).problem(401, "invalid_token")
    site.get("/poll", channel="hall", ticket=ticket(site, alice)).problem(403)
    site.get("/poll", ticket="none").problem(401)
    last = ticket(site, alice)
    tell(world, "revoke", "--user", "alice")
    until(lambda: site.get("/poll", wait=0, headers=alice).status == 401)
    site.get("/poll", ticket=last).problem(401)


def test_a_stream_by_a_ticket_ends_with_its_token(site):
    alice = bearer(site.world, ttl="3s", subscribe="a")
    with Stream(site, channel="a", ticket=ticket(site, alice)) as stream:
        stream.connected()
        assert bye_of(stream) == "expired"


def test_a_user_has_so_many_tickets(site):
    alice = bearer(site.world)
    for _ in range(32):
        ticket(site, alice)
    refused = site.post("/ticket", {}, headers=alice)
    assert "32 of this user" in refused.problem(429, "limit")["detail"]
    ticket(site, bearer(site.world, "bob"))


def test_whoever_follows_by_the_command_line_is_not_disturbed(hub):
    tell(hub.world, "grant", "alice", "subscribe", "room:*")
    sub = Sub(hub, "room:1")
    tell(hub.world, "grant", "alice", "publish", "room:*")
    tell(hub.world, "pub", "room:1", "hello")
    assert "hello" in sub.wait_shown(1)[0]
    sub.signal(signal.SIGINT)
    assert sub.wait() == 0
    assert "belfry: " not in sub.log()
