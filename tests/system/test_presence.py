"""Who is on a channel: through a web server, and over the ends of workers and hubs."""
import json
import signal

import pytest

from belfry import command, now, until
from sse import Stream
from test_identity import bearer
from test_limits import figure

GRACE = 2


@pytest.fixture
def world(world):
    """Users by token; a short grace."""
    path = world.dir + "/keys"
    assert command(world, "keygen", "--jwt", path).returncode == 0
    world.set(token_keys=path, presence_grace="%ds" % GRACE)
    world.channels.update({"zoo": {"presence": "anonymous"}, "shut": {"presence": "granted"}})
    return world


def watch(site, user, channel="a", **more):
    return Stream(site, channel=channel, presence=1, headers=bearer(site.world, user), **more)


class Watched:
    """A stream that keeps to the contract: state, then versions rising by one."""

    def __init__(self, stream):
        self.stream = stream
        self.version = self.events = 0
        self.users, self.left, self.count = {}, [], None

    def take(self, event):
        news = json.loads(event.data)
        self.events += 1
        assert event.id is None or event.event != "presence"
        if "state" in news:
            assert news["version"] > self.version
            self.count = news["state"]["count"]
            self.users = {u["user"]: u for u in news["state"].get("users", [])}
        else:
            assert news["version"] == self.version + 1
            self.count = news["count"]
            for user in news["leave"]:
                self.left.append(user["user"])
                del self.users[user["user"]]
            self.users.update({u["user"]: u for u in news["join"] + news["update"]})
        self.version = news["version"]

    def look(self):
        self.stream.pump(0.05)
        for event in self.stream.came():
            if event.event == "presence":
                self.take(event)
        return set(self.users)

    def until(self, *users, within=12):
        until(lambda: self.look() == set(users), within, "%s to be there" % (users,))


def test_two_browsers_see_each_other(site):
    with watch(site, "alice") as stream:
        assert stream.connected()["user"] == "alice"
        alice = Watched(stream)
        alice.until("alice")
        with watch(site, "bob") as other:
            bob = Watched(other)
            alice.until("alice", "bob")
            bob.until("alice", "bob")
            assert alice.users["bob"]["devices"] == 1 and alice.users["bob"]["verified"] is True
            assert figure(site, "belfry_hub_users") == 2 and figure(site, "belfry_hub_present_channels") >= 3
            page = site.get("/presence", channel="a").json
            assert page["version"] == alice.version == bob.version
            assert {u["user"] for u in page["state"]["users"]} == {"alice", "bob"}
        # A reload: the page goes, and comes back within the grace.
        began = now()
        with watch(site, "bob") as other:
            other.connected()
            until(lambda: alice.look() and now() - began > GRACE + 1.5, 20)
            assert alice.left == []
        alice.until("alice")
        assert alice.left == ["bob"]


def test_what_a_token_shows_is_shown_with_its_ticket_too(site):
    who = bearer(site.world, "alice", public='{"colour": "red"}', presence="*")
    ticket = site.post("/ticket", {}, headers=who).json["ticket"]
    with Stream(site, channel="a", presence=1, ticket=ticket) as stream:
        alice = Watched(stream)
        alice.until("alice")
        assert alice.users["alice"]["public"] == {"colour": "red"}


def test_rights_and_names_of_their_own(site):
    nobody = site.get("/presence", channel="shut").problem(403, "forbidden")
    assert nobody["detail"] == "channel: shut: presence is not allowed"
    site.get("/presence").problem(400, "malformed")
    site.get("/presence", channel="a*").problem(400, "malformed")
    assert site.get("/presence", channel="shut",
                    headers=bearer(site.world, presence="s*")).status == 200
    with Stream(site, channel="zoo,a", name="zoe", presence=1) as stream:
        stream.connected()
        zoo = lambda name: site.get("/presence", channel=name).json["state"]
        until(lambda: zoo("zoo")["users"] and zoo("a")["count"] == 1)
        assert [(u["user"], u["verified"]) for u in zoo("zoo")["users"]] == [("zoe", False)]
        assert zoo("a")["users"] == [] and zoo("a")["anonymous"] == 1
        done = command(site.world, "who", "zoo")
        assert done.returncode == 0 and done.stdout.split()[4:6] == ["zoe", "no"]
        assert json.loads(command(site.world, "who", "zoo", "--json").stdout)["state"]["count"] == 1
    site.get("", channel="zoo", name="z" * 65).problem(400, "malformed")


def test_a_subscribe_and_an_unsubscribe_are_seen(site):
    with watch(site, "alice") as stream:
        client = stream.connected()["clientId"]
        alice = bearer(site.world, "alice")
        who = lambda: site.get("/presence", channel="b").json["state"]["count"]
        assert site.post("/subscribe", {"clientId": client, "channel": "b"},
                         headers=alice).status == 200
        until(lambda: who() == 1)
        assert site.post("/unsubscribe", {"clientId": client, "channel": "b"},
                         headers=alice).status == 200
        until(lambda: who() == 0, GRACE + 5)


def test_ends_of_worker_and_hub_are_no_departures(hub, worker, site):
    with watch(site, "alice") as stream:
        stream.connected()
        alice = Watched(stream)
        alice.until("alice")
        hub.kill()
        hub.start()
        until(lambda: site.get("/presence", channel="a").status == 200, 20)
        alice.until("alice")
        bob = watch(site, "bob")
        alice.until("alice", "bob")
        bob.close()
        alice.until("alice", within=GRACE + 6)
        assert alice.left == ["bob"]
        worker.program.signal(signal.SIGSTOP)
        until(lambda: json.loads(command(site.world, "who", "a", "--json").stdout)
              ["state"]["count"] == 0, 3 + GRACE + 4)
        worker.program.signal(signal.SIGCONT)
        alice.until("alice")
    worker.kill()
    until(lambda: json.loads(command(site.world, "who", "a", "--json").stdout)
          ["state"]["count"] == 0, 3 + GRACE + 4)


def test_a_replaced_worker_changes_nothing(worker, site):
    with watch(site, "alice", channel="zoo") as stream:
        stream.connected()
        alice = Watched(stream)
        alice.until("alice")
        worker.renew()
        with Stream(site, channel="zoo", name="zoe") as other:
            other.connected()
            alice.until("alice", "zoe")
        assert alice.left == []


def test_typing_is_limited_and_ends_by_itself(site):
    alice = bearer(site.world, "alice")
    with Stream(site, channel="a") as stream:
        stream.connected()
        for _ in range(3):
            sent = site.post("/send", {"channel": "a", "event": "typing"}, headers=alice)
            assert sent.status == 200 and sent.json["id"] is None
        first, last = stream.take(2)
        assert first.event == "typing" and first.id is None
        assert json.loads(first.data) == {"channel": "a", "user": "alice", "typing": True}
        assert json.loads(last.data) == {"channel": "a", "user": "alice", "typing": False}
