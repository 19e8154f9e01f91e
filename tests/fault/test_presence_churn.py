"""Who is said to be there while workers are killed again and again, hubs too, and processes stand still:
a lease, a grace and a second after the last of it nobody who is not there, and nobody missing. Who comes
back within the grace has never left."""
import collections
import json
import math
import os
import random
import re
import select
import signal

import pytest
import zmq

from belfry import LONG_SCALE, PATIENCE, command, now, session, signal_pid
from gate import Gate, Watch, fields_of, path
from test_identity import bearer

LEASE, GRACE = 3, 3
USERS, WATCHERS, CHANNELS, BURST = 24, 4, ["a", "b", "c"], 12


@pytest.fixture
def world(world):
    keys = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", keys).returncode == 0
    world.set(token_keys=keys, workers="3", presence_grace="%ds" % GRACE, log_level="info", rate_connects="0",
              max_streams_user="0")
    return world


class Client:
    """A page that comes back when it is cut; now and then it is left for a while, or reloaded."""

    def __init__(self, play, user, names, is_watching):
        self.play, self.user, self.names, self.is_watching = play, user, names, is_watching
        self.head = {"HTTP_" + name.upper(): text for name, text in bearer(play.world, user).items()}
        self.watch, self.is_there, self.again = None, False, 0
        self.gone_at = now()        # since when it is not there
        self.absences = collections.deque(maxlen=8)     # those before: when it came back, after how long
        self.seen = {}              # of a watcher: channel: [version, users]

    def open(self):
        uri = path("", ("channel", ",".join(self.names)), ("presence", int(self.is_watching)))
        self.watch = Watch(self.play.worker, uri, None, self.names, None, self.head)
        self.seen = {}
        self.play.register(self)

    def close(self, again):
        if self.is_there:
            self.gone_at = self.play.looked     # later looks may have been held up
        self.is_there, self.again = False, now() + again
        self.play.unregister(self)
        self.watch.peer.close()
        self.watch = None

    def pump(self):
        for block in self.watch.pump():
            event, data = fields_of(block)
            if event == "connected":
                self.is_there = True
                self.absences.append((now(), now() - self.gone_at))
            elif event == "presence":
                self.take(json.loads(data))
        if self.watch.is_over:
            self.close(random.random() * 0.3)

    def take(self, news):
        if "state" in news:
            self.seen[news["channel"]] = [news["version"], {u["user"] for u in news["state"]["users"]}]
            return
        seen = self.seen[news["channel"]]
        assert news["version"] == seen[0] + 1, (news, seen)
        seen[0] = news["version"]
        for user in news["leave"]:
            self.play.check_leave(user["user"], news["channel"])
            seen[1].discard(user["user"])
        seen[1].update(user["user"] for user in news["join"] + news["update"])


class Play:
    def __init__(self, hub, worker):
        self.hub, self.worker, self.world = hub, worker, worker.world
        self.poll, self.by_fd, self.is_calm, self.leaves, self.stops = select.poll(), {}, False, 0, []
        self.kills = self.checks = self.wrong = self.hubs = self.pauses = 0
        self.looked = now()     # when whoever was cut before has been noticed
        self.clients = [Client(self, "u%d" % n, random.sample(CHANNELS, random.randint(1, 3)), False)
                        for n in range(USERS)]
        self.clients += [Client(self, "w%d" % n, CHANNELS, True) for n in range(WATCHERS)]

    def register(self, client):
        self.by_fd[client.watch.fileno()] = client
        self.poll.register(client.watch.peer, select.POLLIN)

    def unregister(self, client):
        self.poll.unregister(client.watch.peer)
        del self.by_fd[client.watch.fileno()]

    def check_leave(self, user, channel):
        """Who was away for the grace, and nobody else; the news may be as late as a watcher stood still."""
        client = next(c for c in self.clients if c.user == user)
        self.leaves += 1
        away = [length for back, length in client.absences if now() - back < 5 * PATIENCE]
        if not client.is_there:
            away.append(now() - client.gone_at)
        assert max(away, default=0) > GRACE - 0.5, "%s left %s, and was away %s" % (user, channel, away)

    def turn(self, seconds):
        end = now() + seconds
        while now() < end:
            for client in self.clients:
                if not client.watch and now() >= client.again:
                    client.open()
            look = now()
            for fd, _ in self.poll.poll(20):
                if fd in self.by_fd:
                    self.by_fd[fd].pump()
            self.looked = look
            for stop in [stop for stop in self.stops if stop[0] <= now()]:
                signal_pid(stop[1], signal.SIGCONT)
                self.stops.remove(stop)
            if not self.is_calm and random.random() < 0.3:
                self.leave_or_reload()

    def leave_or_reload(self):
        client = random.choice(self.clients[:USERS])
        if client.is_there:
            client.close(random.random() * 0.5 if random.random() < 0.6 else GRACE + 2 + random.random() * 4)

    def workers(self):
        """Of each number the last one."""
        found = dict(re.findall(r"^ready .*worker=(\d+) pid=(\d+)", self.worker.log(), re.M))
        return [int(pid) for pid in found.values()]

    def harm(self):
        kind = random.random()
        if kind < 0.75:
            signal_pid(random.choice(self.workers()), signal.SIGKILL)
            self.kills += 1
        elif kind < 0.83:
            self.hub.kill()
            self.hub.start()
            self.hubs += 1
        else:
            # Less than a lease and a grace: longer ones are departures, and rightly so.
            pid = random.choice(self.workers() + [self.hub.pid])
            signal_pid(pid, signal.SIGSTOP)
            self.stops.append((now() + random.random() * 2, pid))
            self.pauses += 1

    def burst(self, kills):
        self.is_calm = False
        until = self.kills + kills
        while self.kills < until:
            self.harm()
            self.turn(0.1 + random.random() * 0.5)
        while self.stops:
            self.turn(0.1)
        # One that died often is not begun again for a while: then all of them at once.
        self.kills += len(session(self.worker.pid)) - 1
        self.worker.kill()
        self.worker.start()
        self.is_calm = True

    def settle(self):
        """Everybody who is to come back is there."""
        end = now() + 30 * PATIENCE
        for client in self.clients:
            client.again = client.again if math.isinf(client.again) else now()
        while not all(client.is_there or math.isinf(client.again) for client in self.clients):
            assert now() < end, [client.user for client in self.clients if not client.is_there]
            self.turn(0.1)

    def leave_some(self):
        """So that there is somebody who has to be gone at the end."""
        for client in random.sample(self.clients[:USERS], 6):
            if client.is_there:
                client.close(math.inf)

    def truth(self, channel):
        return {client.user for client in self.clients if client.is_there and channel in client.names}

    def told(self, channel):
        """What the hub says, what a worker says, what each watcher has been told."""
        admin = zmq.Context.instance().socket(zmq.REQ)
        admin.setsockopt(zmq.LINGER, 0)
        admin.connect(self.hub.endpoint("admin"))
        admin.send(json.dumps({"do": "who", "channel": channel}).encode())
        assert admin.poll(20000 * PATIENCE)
        yield "hub", json.loads(admin.recv())["state"]["users"]
        admin.close()
        answer = Gate(self.worker).ask("GET", path("/presence", ("channel", channel)), {})
        assert answer.status == 200, answer.body
        yield "worker", answer.json["state"]["users"]
        for client in self.clients[USERS:]:
            yield client.user, [{"user": user} for user in client.seen[channel][1]]

    def check(self):
        for channel in CHANNELS:
            truth = self.truth(channel)
            for teller, users in self.told(channel):
                wrong = truth ^ {user["user"] for user in users}
                self.checks += 1
                self.wrong += len(wrong)
                assert not wrong, "%s of %s: %s, away %s" % (teller, channel, wrong, {
                    c.user: now() - c.gone_at for c in self.clients if c.user in wrong and not c.is_there})

    def run(self, kills):
        self.turn(0.5)
        while self.kills < kills:
            self.leave_some()
            self.burst(min(BURST, kills - self.kills))
            self.settle()
            self.turn(LEASE + GRACE + PATIENCE)
            self.check()
            for client in self.clients:
                client.again = min(client.again, now())
            self.settle()
        print("presence: killed=%d hubs=%d paused=%d leaves=%d checks=%d wrong=%d" % (
            self.kills, self.hubs, self.pauses, self.leaves, self.checks, self.wrong))


@pytest.mark.parametrize("kills", [12, pytest.param(int(500 * LONG_SCALE), marks=pytest.mark.long)])
def test_presence_converges_while_workers_are_killed(hub, worker, kills):
    Play(hub, worker).run(kills)
