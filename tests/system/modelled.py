"""Who may see what, as the programs do it: `Play` does random things as many users straight to the workers
(FastCGI) and the hub (ZeroMQ), and holds each answer, each event, each end of a stream against the model
in rights.py. What is not allowed and comes all the same is a leak; what is allowed and does not come is lost.

Before rights change everything that is due has come, and after it every worker has answered a send: the
hub's answers come after what it said of rights. So there is no moment of which the model must not say
exactly who may what."""
import base64
import collections
import hmac
import itertools
import json
import random
import select
import time

import zmq

from belfry import PATIENCE, now
from gate import Gate, Watch, fields_of, path
from rights import CARRIED, NAMES, PATTERNS, RIGHTS, SKEW, USERS, Rules, Who, covers

EDGE = 0.6      # so near to the end of a token nobody says which side of it we are on
STREAMS = 40


class Broken(AssertionError):
    pass


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(secret, claims):
    text = base64url(b'{"alg":"HS256"}') + b"." + base64url(json.dumps(claims).encode())
    return (text + b"." + base64url(hmac.digest(secret, text, "sha256"))).decode()


class Play:
    def __init__(self, hub, worker, secret, seed):
        self.dice, self.rules, self.secret, self.worker = random.Random(seed), Rules(), secret, worker
        self.log, self.streams, self.whos, self.counts = [], [], [], collections.Counter()
        self.done = 0
        self.history = collections.deque(maxlen=60)
        self.numbers = itertools.count(1)
        self.names = itertools.count(1)
        self.poll = select.poll()
        self.by_fd = {}
        self.admin = zmq.Context.instance().socket(zmq.DEALER)
        self.admin.setsockopt(zmq.LINGER, 0)
        self.admin.connect(hub.endpoint("admin"))
        self.gates = self.gates_of(worker)
        self.tell([{"do": "user", "action": "add", "user": user} for user in USERS])
        self.settle()
        self.ops = [(self.send, 20), (self.batch, 12), (self.open, 9), (self.close, 6), (self.poll_once, 9),
                    (self.page, 8), (self.subscribe, 6), (self.unsubscribe, 4), (self.presence, 5),
                    (self.change_rights, 4), (self.refresh, 2), (self.ticket, 2), (self.fleeting, 6),
                    (self.between_polls, 2), (self.end_soon, 1), (self.nonsense, 1)]
        self.nobody = Who()
        self.whos += [self.nobody] + [self.make() for _ in range(24)]
        self.cursor = self.sent("open:1", self.gates[0].ask(
            "POST", "/events/send", {}, {"channel": "open:1", "data": "0"}), "0")

    # ---- the programs ----

    def gates_of(self, worker):
        """One to each worker."""
        found = {}
        while len(found) < int(worker.world.options.get("workers", 1)):
            gate = Gate(worker)
            found.setdefault(gate.ask("GET", "/events/health", {}).json["worker"], gate)
        return list(found.values())

    def tell(self, questions):
        """Asks the hub for changes, all at once; all must be made."""
        for question in questions:
            self.admin.send(json.dumps(question).encode())
        for question in questions:
            assert self.admin.poll(20000 * PATIENCE), "the hub does not answer"
            answer = json.loads(self.admin.recv())
            self.check(answer["ok"], "%s: %s", question, answer)

    def settle(self):
        """Every worker knows what the hub knew before."""
        for gate in self.gates:
            answer = gate.ask("POST", "/events/send", {}, {"channel": "open:1", "data": "", "ephemeral": True})
            assert answer.status == 200, answer.body
        self.read_stale(list(self.streams))

    def ask(self, method, uri, who, body=None, want=200):
        gate = self.dice.choice(self.gates)
        answer = gate.ask(method, uri, who.head, body)
        self.check(answer.status == want, "%s %s %s as %s: %d, not %d: %s", method, uri, body, who.user,
                   answer.status, want, answer.body)
        return answer

    # ---- what is found ----

    def check(self, holds, text, *values):
        if not holds:
            raise Broken("%s\nafter %d operations: %s" % (text % values, self.done, list(self.history)))

    def read(self, timeout_ms):
        for fd, _ in self.poll.poll(timeout_ms):
            stream = self.by_fd[fd]
            for block in stream.pump():
                self.take(stream, *fields_of(block))
            if stream.is_over:
                self.drop(stream)

    def read_stale(self, streams):
        """What was written before an answer may be of before it."""
        for s in streams:
            s.stale = True
        self.read(0)
        for s in streams:
            s.stale = False

    def take(self, s, event, data):
        if event == "message":
            if b" " in data:
                self.take_event(s, data.decode())
        elif event == "presence":
            name = json.loads(data)["channel"]
            fine = s.asked_presence and name in s.names and self.rules.may(s.who, "presence", name)
            self.check(fine or s.stale, "leak: presence of %s to %s", name, s.who.user)
            self.counts["presences"] += 1
        elif event == "connected":
            s.client = json.loads(data)["clientId"]
        elif event == "bye":
            s.bye = json.loads(data)["reason"]
            early = s.bye == "expired" and time.time() < s.ends
            self.check((s.due_bye == s.bye or s.bye == "expired") and not early, "bye %s, due %s, to %s of %s",
                       s.bye, s.due_bye, s.who.user, s.names)
        else:
            self.check(event in ("", "token"), "an event %s: %s", event, data)

    def take_event(self, s, text):
        number, channel = text.split(" ")
        self.counts["deliveries"] += 1
        if s.expected and s.expected[0] == number:
            s.expected.popleft()
        elif number not in s.maybe:
            what = "doubled or out of order" if self.wants(s, channel) else "leak"
            self.check(False, "%s: %s to %s of %s, expected %s", what, text, s.who.user, s.names,
                       list(s.expected)[:5])

    def drop(self, s):
        self.check(s.bye or s.is_closing, "a stream of %s is cut", s.who.user)
        self.forget(s)

    def forget(self, s):
        self.poll.unregister(s.peer)
        del self.by_fd[s.fileno()]
        s.peer.close()
        s.is_over = True
        self.streams.remove(s)

    def until(self, check, what, within=10):
        end = now() + within * PATIENCE
        while not check():
            self.check(now() < end, "not within %g s: %s", within * PATIENCE, what)
            self.read(20)

    def drain(self):
        """All that is due has come."""
        self.read(0)
        self.until(lambda: not any(s.expected for s in self.streams if not s.bye),
                   "all that is due comes")

    # ---- what is due ----

    def wants(self, s, channel):
        return any(covers(name, channel) for name in s.names) and self.rules.may(s.who, "subscribe", channel)

    def is_sharp(self, moment):
        return abs(time.time() - moment) > EDGE

    def due(self, s, number):
        if s.due_bye or s.bye:
            s.maybe.add(number)
        elif time.time() > s.ends - EDGE:
            s.maybe.add(number)
        else:
            s.expected.append(number)

    def sent(self, channel, answer, number):
        """An event that was acknowledged."""
        self.log.append((number, channel, answer.json["id"]))
        for s in self.streams:
            if self.wants(s, channel):
                self.due(s, number)
        return answer.json["id"]

    def lately(self, s):
        """What has not left a worker yet is looked at with the rights of the moment when it does."""
        s.maybe.update(number for number, channel, _ in self.log[-64:] if self.wants(s, channel))

    def since(self):
        """A recent cursor, and what came after it."""
        at = max(0, len(self.log) - 1 - self.dice.randrange(120))
        return self.log[at][2], self.log[at + 1:] if self.log else []

    # ---- who ----

    def make(self, user=None, seconds=86400):
        user = user or self.dice.choice(USERS)
        grants = {(self.dice.choice(RIGHTS), self.dice.choice(NAMES + PATTERNS))
                  for _ in range(self.dice.randrange(9))}
        jti, wall = "t%d" % next(self.names), time.time()
        # A revocation is of this very millisecond, at most.
        iat = max(wall, self.rules.before[user], self.rules.before["*"]) + 0.002
        claims = {"sub": user, "iat": iat, "exp": wall + seconds, "jti": jti, "belfry": {
            right: [p for r, p in grants if r == right] for right in RIGHTS}}
        text = sign(self.secret, claims)
        self.worker.world.secrets.add(text)
        return Who(user, grants, jti, iat, wall + seconds, text)

    def who(self):
        """Whoever is admitted; who is not any more has a new token made, mostly."""
        at = self.dice.randrange(len(self.whos))
        who = self.whos[at]
        if not self.rules.admits(who, time.time()):
            self.ask("GET", path("/history", ("channel", "open:1")), who, want=401)
            who = self.nobody
            users = [user for user in USERS if user not in self.rules.disabled]
            if users:
                who = self.whos[at] = self.make(self.dice.choice(users))
        return who

    def some(self, patterns=0.4, most=3):
        return [self.dice.choice(PATTERNS if self.dice.random() < patterns else NAMES)
                for _ in range(self.dice.randint(1, most))]

    def status(self, who, action, names):
        return 200 if all(self.rules.may(who, action, name) for name in names) else 403

    # ---- what they do ----

    def send(self):
        who, channel, number = self.who(), self.dice.choice(NAMES), str(next(self.numbers))
        want = self.status(who, "publish", [channel])
        answer = self.ask("POST", "/events/send", who, {"channel": channel, "data": number + " " + channel},
                          want)
        if want == 200:
            self.sent(channel, answer, number)

    def batch(self):
        who, size = self.who(), self.dice.randint(2, 30)
        names = [self.dice.choice(NAMES) for _ in range(size)]
        numbers = [str(next(self.numbers)) for _ in range(size)]
        answer = self.ask("POST", "/events/send", who, [
            {"channel": name, "data": number + " " + name} for name, number in zip(names, numbers)])
        for name, number, result in zip(names, numbers, answer.json["results"]):
            if self.rules.may(who, "publish", name):
                self.check("id" in result, "a send of a batch to %s: %s", name, result)
                self.log.append((number, name, result["id"]))
                for s in self.streams:
                    if self.wants(s, name):
                        self.due(s, number)
            else:
                self.check(result.get("status") == 403, "leak: published to %s: %s", name, result)
        self.done += size - 1

    def fleeting(self):
        """To whoever is there now; may be left out, but never shown to others."""
        who, channel, number = self.who(), self.dice.choice(NAMES), str(next(self.numbers))
        want = self.status(who, "publish", [channel])
        for s in self.streams:
            if want == 200 and self.wants(s, channel):
                s.maybe.add(number)
        self.ask("POST", "/events/send", who,
                 {"channel": channel, "data": number + " " + channel, "ephemeral": True}, want)

    def open(self, who=None, ticket=None):
        who, names, wall = who or self.who(), self.some(), time.time()
        if len(self.streams) >= STREAMS:
            return self.close()
        fields = [("channel", ",".join(names)), ("presence", self.dice.randrange(2))]
        rest = []
        if self.dice.random() < 0.6:
            cursor, rest = self.since()
            fields.append(("last_event_id", cursor))
        if ticket:
            fields.append(("ticket", ticket))
        uri, head = path("", *fields), {} if ticket else who.head
        if self.status(who, "subscribe", names) == 403:
            return self.dice.choice(self.gates) and self.ask("GET", uri, self.nobody if ticket else who, want=403)
        carried = [CARRIED] + (["user:" + who.user] if who.user else [])
        s = Watch(self.worker, uri, who, names + carried, who.ends(wall), head)
        s.is_closing = False
        self.by_fd[s.fileno()] = s
        self.poll.register(s.peer, select.POLLIN)
        self.streams.append(s)
        s.expected.extend(number for number, channel, _ in rest if self.wants(s, channel))
        self.until(lambda: s.client or s.bye, "a stream of %s opens" % names)
        return None

    def close(self):
        if self.streams:
            self.drain()
        if self.streams:
            self.forget(self.dice.choice(self.streams))

    def poll_once(self):
        who, names = self.who(), self.some()
        cursor, rest = self.since()
        want = self.status(who, "subscribe", names)
        answer = self.ask("GET", path("/poll", ("channel", ",".join(names)), ("cursor", cursor), ("wait", 0)), who,
                          want=want)
        if want == 200:
            names += [CARRIED, "user:%s" % who.user]
            due = [n for n, c, _ in rest if any(covers(name, c) for name in names)
                   and self.rules.may(who, "subscribe", c)]
            self.compare("poll", who, names, due, answer.json["events"])

    def compare(self, what, who, names, due, events):
        got = [event["data"].split(" ")[0] for event in events if event["data"] not in ("", "0")]
        self.check(got == due, "%s of %s by %s: leaks %s, lacks %s", what, names, who.user,
                   sorted(set(got) - set(due)), sorted(set(due) - set(got)))

    def page(self):
        who, names = self.who(), self.some()
        after, rest = self.since()
        want = self.status(who, "history", names)
        answer = self.ask("GET", path("/history", ("channel", ",".join(names)), ("after", after), ("limit", 1000)),
                          who, want=want)
        if want == 200:
            due = [n for n, c, _ in rest if any(covers(name, c) for name in names)
                   and self.rules.may(who, "history", c)]
            self.compare("history", who, names, due, answer.json["events"])

    def between_polls(self):
        """What a named client gets of what passed between two polls."""
        who, names, client = self.who(), self.some(), "client%012d" % next(self.names)
        if self.status(who, "subscribe", names) == 403:
            return
        uri = path("/poll", ("channel", ",".join(names)), ("wait", 0), ("client", client))
        if self.ask("GET", uri, who).json["clientId"] != client:
            return
        for _ in range(6):
            self.fleeting()
        for event in self.ask("GET", uri, who).json["events"]:
            _, channel = event["data"].split(" ")
            self.check(self.rules.may(who, "subscribe", channel), "leak: %s to a poll of %s by %s", event["data"],
                       names, who.user)

    def alive(self, is_young=False):
        wall = time.time()
        found = [s for s in self.streams if not s.bye and wall < s.ends - EDGE and
                 self.rules.admits(s.who, wall) and (is_young or wall < s.who.exp - EDGE)]
        return self.dice.choice(found) if found else None

    def subscribe(self):
        """By its own user, now and then by another one."""
        s, names = self.alive(), self.some(0.3, 2)
        if not s:
            return
        stranger = self.dice.random() < 0.2
        who = self.who() if stranger else s.who
        want = self.status(who, "subscribe", names)
        if want == 200 and (who.user != s.who.user or self.status(s.who, "subscribe", names) == 403):
            want = 403
        self.drain()
        cursor, rest = self.since()
        answer = self.ask("POST", "/events/subscribe", who,
                          {"clientId": s.client, "channels": names, "cursor": cursor}, want)
        if want == 200:
            new = [name for name in names if name not in s.names]
            had = set(s.names)
            s.names |= set(names)
            self.check(set(answer.json["channels"]) == s.names, "subscribed to %s, not %s", answer.body, s.names)
            for number, channel, _ in rest:
                if self.wants(s, channel) and any(covers(n, channel) for n in new):
                    # What another of its channels brought is not brought again.
                    if any(covers(n, channel) for n in had):
                        s.maybe.add(number)
                    else:
                        self.due(s, number)
            self.drain()

    def unsubscribe(self):
        s = self.alive()
        names = [n for n in s.names if n != CARRIED and not n.startswith("user:")] if s else []
        if not names:
            return
        self.drain()
        name = self.dice.choice(names)
        self.ask("POST", "/events/unsubscribe", s.who, {"clientId": s.client, "channel": name})
        self.read_stale([s])
        s.names.discard(name)

    def presence(self):
        who, name = self.who(), self.dice.choice(NAMES)
        want = self.status(who, "presence", [name])
        answer = self.ask("GET", path("/presence", ("channel", name)), who, want=want)
        if want == 200:
            self.check(answer.json["channel"] == name, "presence: %s", answer.body)

    def refresh(self):
        s = self.alive()
        if not s or not s.who.user:
            return
        who = self.make(s.who.user)
        self.drain()
        other = self.make(self.dice.choice([user for user in USERS if user != s.who.user]))
        body = {"clientId": s.client}
        if self.rules.admits(other, time.time()):
            self.ask("POST", "/events/refresh", other, body, 403)
        self.ask("POST", "/events/refresh", who, body, 204)
        s.who, s.ends = who, who.ends(time.time())
        s.names = {name for name in s.names if self.rules.may(who, "subscribe", name)}
        self.lately(s)
        self.read_stale([s])

    def ticket(self):
        who = self.who()
        if not who.user or time.time() > who.exp - EDGE:
            return
        ticket = self.ask("POST", "/events/ticket", who).json["ticket"]
        before = len(self.streams)
        self.open(who, ticket)
        if len(self.streams) > before:
            self.ask("GET", path("", ("channel", "open:1"), ("ticket", ticket)), self.nobody, want=401)

    def end_soon(self):
        """A stream that ends with its token; the bye may come a second later."""
        user = self.dice.choice([user for user in USERS if user not in self.rules.disabled] or [None])
        if user:
            late = SKEW if self.dice.random() < 0.5 else 0
            self.open(self.make(user, 2 + self.dice.random() - late))

    def nonsense(self):
        text = self.dice.choice(self.whos[1:]).head["HTTP_AUTHORIZATION"]
        at = self.dice.randrange(8, len(text) - 1)
        text = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1:]
        self.ask("GET", path("/history", ("channel", "open:1")), Who(text=text[7:]), want=401)

    # ---- rights ----

    def change_rights(self):
        """Several changes at once; then whoever lost something has been told."""
        self.drain()
        changes = [self.one_change() for _ in range(self.dice.randint(1, 5))]
        self.tell([question for question, _ in changes])
        for _, apply in changes:
            apply()
            self.mark_ends()        # who loses a right for a moment has lost it
        self.done += len(changes) - 1
        for s in self.streams:
            self.lately(s)
        self.settle()
        self.until(lambda: not any(s.due_bye for s in self.streams), "who may not stay is told so")

    def mark_ends(self):
        wall = time.time()
        for s in self.streams:
            ok = all(self.rules.may(s.who, "subscribe", name) for name in s.names)
            admitted = not s.who.user or (
                s.who.user not in self.rules.disabled and s.who.jti not in self.rules.revoked and
                s.who.iat >= max(self.rules.before[s.who.user], self.rules.before["*"]))
            if not ok or not admitted:
                s.due_bye = s.due_bye or "kicked"
            elif wall > s.ends + 3 * PATIENCE and not s.bye:
                self.check(False, "a stream of %s is there %g s after its token's end", s.who.user, wall - s.ends)

    def one_change(self):
        rules, dice = self.rules, self.dice
        kind, user = dice.random(), dice.choice(USERS)
        if kind < 0.08:
            name = dice.choice([w.jti for w in self.whos if w.user])
            return {"do": "revoke", "id": name}, lambda: rules.revoked.add(name)
        if kind < 0.14:
            before = int(time.time() * 1000)
            who = "*" if dice.random() < 0.1 else user
            return ({"do": "revoke", "user": who, "before": before},
                    lambda: rules.before.update({who: before / 1000 - rules.before[who]}))
        if kind < 0.22:
            is_off = user in rules.disabled
            return ({"do": "user", "user": user, "action": "enable" if is_off else "disable"},
                    lambda: (rules.disabled.discard if is_off else rules.disabled.add)(user))
        if kind < 0.26:
            def kick():
                for s in self.streams:
                    if s.who.user == user:
                        s.due_bye = "kicked"
            return {"do": "kick", "name": user}, kick
        return self.change_grant("*" if dice.random() < 0.15 else user)

    def change_grant(self, user):
        stored = self.rules.stored[user]
        grant = self.dice.choice(RIGHTS), self.dice.choice(NAMES + PATTERNS)
        has = sorted(stored - self.pending)
        if has and self.dice.random() < 0.25 + 0.05 * len(has):
            grant = self.dice.choice(has)
            self.pending.add(grant)
            return self.question("revoke", user, grant), lambda: stored.discard(grant)
        return self.question("grant", user, grant), lambda: stored.add(grant)

    pending = set()

    @staticmethod
    def question(what, user, grant):
        return {"do": what, "user": user, "right": grant[0], "channel": grant[1]}

    # ---- all of it ----

    def run(self, operations, seconds=None):
        ops, weights = zip(*self.ops)
        end = now() + seconds if seconds else None
        while self.done < operations and not (end and now() > end):
            op = self.dice.choices(ops, weights)[0]
            self.history.append(op.__name__)
            self.pending.clear()
            op()
            self.done += 1
            self.counts[op.__name__] += 1
            if self.done % 16 == 0:
                self.drain()
        self.drain()
        return self.done
