"""The works: each is the same on every system it is done on, and gives a dictionary of figures (or
several). `Scale` says how long and how big."""
import os
import shutil
import tempfile
import time

from load import Readers, Span, finish, pipeline, publish, rows, start_publishers

WEB = ("bare writes", "nchan", "belfry/nginx", "belfry/lighttpd")
ALL = WEB + ("belfry/nginx, two workers", "better-sse", "socket.io", "pushpin")
SMALL = ("nchan", "belfry/nginx", "belfry/lighttpd")
SLOW_EVENT = 2000


class Scale:
    def __init__(self, is_quick):
        self.seconds = 1.5 if is_quick else 3
        self.rounds = 1 if is_quick else 3
        self.crowd = 2000 if is_quick else 8000
        self.log = 1000000 if is_quick else 10000000
        self.channels = 100000
        self.idle = (500, 1000, 2000) if is_quick else (1000, 2000, 4000, 8000)


def fan(system, readers, seconds, flight, rate=0, patience=5, **more):
    """Publishes, waits until all has come, and says what it took. A system that takes publishes
    faster than it delivers them has three times as long for the rest: what then has not come is
    late, not lost."""
    readers.ask("begin")
    span = Span(system)
    sent = publish(system, seconds=seconds, flight=flight, rate=rate, **more)
    came = readers.ask("expect %d %d %d" % (sent["published"], patience, 3 * seconds + 2))
    missing = "late" if came["is_late"] else "lost"
    taken = came["seconds"] or 1e-9
    return {"flight": flight, "rate": rate, "streams": readers.streams,
            "deliveries_per_second": round(came["events"] / taken),
            "publishes_per_second": sent["per_second"], "failed": sent["failed"],
            "broken": sent["broken"], "lost": 0, "late": 0, missing: came["lost"],
            "doubled": came["doubled"], "published": sent["published"],
            "closed": came["closed"], "p50_us": came["p50_us"], "p99_us": came["p99_us"],
            "max_us": came["max_us"], "ack_p50_us": sent["ack_p50_us"],
            "ack_p99_us": sent["ack_p99_us"], **span.each(came["events"])}


def warm(system, readers):
    sent = publish(system, seconds=0.3, flight=4, rate=100)
    readers.ask("expect %d 3 5" % sent["published"])


def fanout(system, scale):
    """1,000 streams: one at a time at three rates, and as fast as answers come with 1, 8 and 64."""
    found = []
    for flight, rate in ((1, 50), (8, 10), (8, 200), (1, 0), (8, 0), (64, 0)):
        with Readers(system, 1000) as readers:
            readers.open()
            warm(system, readers)
            found.append(fan(system, readers, scale.seconds, flight, rate))
    return found


def crowd(system, scale):
    """All streams at once on one channel, 100 events a second."""
    with Readers(system, scale.crowd) as readers:
        opened = readers.open()
        warm(system, readers)
        found = fan(system, readers, 2 * scale.seconds, 128, 100)
        found["opened_per_second"] = round(scale.crowd / opened["open_seconds"])
    return [found]


def idle(system, scale):
    """Memory with more and more streams that nothing comes to, on 80 channels."""
    found, crowds, before, open_now = [], [], system.memory(), 0
    try:
        for size in scale.idle:
            crowds.append(Readers(system, size - open_now, "idle~", 80, most=64))
            opened = crowds[-1].open()
            now = system.memory()
            kib = {name: round((now[name] - before[name]) / size, 3) for name in now}
            found.append({"streams": size, "kib": kib, "kib_all": round(sum(kib.values()), 3),
                          "opened_per_second": round((size - open_now) / opened["open_seconds"])})
            open_now = size
    finally:
        for readers in crowds:
            readers.__exit__()
    return found


def opening(system, scale):
    """How fast streams open, 256 at a time."""
    with Readers(system, scale.crowd, "open~", 80, most=64) as readers:
        span = Span(system)
        opened = readers.open()
        return [{"streams": scale.crowd, "failed": opened["failed"],
                 "opened_per_second": round(scale.crowd / opened["open_seconds"]),
                 **span.each(scale.crowd)}]


def posts(system, scale):
    """Single events by POST over kept connections, nobody listening."""
    publish(system, seconds=0.3, flight=8)
    found = []
    for flight in (8, 64, 256):
        span = Span(system)
        sent = publish(system, seconds=scale.seconds, flight=flight)
        found.append({"flight": flight, "publishes_per_second": sent["per_second"],
                      "failed": sent["failed"], "broken": sent["broken"],
                      "ack_p50_us": sent["ack_p50_us"], "ack_p99_us": sent["ack_p99_us"],
                      **span.each(sent["published"])})
    return found


def scratch():
    """A folder on the same disk as the journals."""
    return tempfile.TemporaryDirectory(prefix="bf-", dir="/tmp")


def floor_rows(scale, filled, channels):
    """What SQLite alone writes in the hub's batches, from the same file on."""
    with scratch() as folder:
        path = os.path.join(folder, "journal.db")
        if filled:
            rows(path, "%drows" % filled, 4096, channels)
        return rows(path, scale.seconds, 512, channels)["per_second"]


def stream_in(system, scale):
    """Over ZeroMQ and as NDJSON over HTTP, against bare SQLite in batches."""
    found = {"floor_rows_per_second": floor_rows(scale, 0, 1)}
    span = Span(system)
    sent = pipeline(system, scale.seconds)
    found["zeromq"] = {"per_second": sent["per_second"], "failed": sent["failed"],
                       "ack_p99_us": sent["ack_p99_us"], **span.each(sent["published"])}
    span = Span(system)
    sent = publish(system, seconds=scale.seconds, flight=8, batch=500)
    found["ndjson"] = {"per_second": sent["per_second"], "failed": sent["failed"],
                       "ack_p99_us": sent["ack_p99_us"], **span.each(sent["published"])}
    return [found]


def storm(system, scale):
    """All streams are cut, miss 100 events, and come back at once; others go on meanwhile."""
    with Readers(system, scale.crowd, "storm", ids=True, most=256) as many, \
            Readers(system, 100, "live") as live:
        many.open()
        live.open()
        publish(system, "storm", seconds=0.5, flight=1, rate=2)
        many.ask("expect 1 5 9")
        live.ask("begin")
        sent = publish(system, "live", seconds=scale.seconds, flight=4, rate=50)
        quiet = live.ask("expect %d 3 9" % sent["published"])
        many.ask("cut")
        miss = {"batch": 100} if system.batch_kind else {}
        missed = publish(system, "storm", seconds=1, flight=1, rate=1 if miss else 100, **miss)
        many.ask("begin")
        live.ask("begin")
        going_on = start_publishers(system, "live", seconds=60, flight=4, rate=50)
        span = Span(system)
        opened = many.ask("open")
        came = many.ask("expect %d 10 30" % missed["published"])
        used = span.each(came["events"])
        stormy = live.ask("lap")
        going_on.terminate()
        going_on.communicate()
    return [{"streams": scale.crowd, "missed": missed["published"], "events": came["events"],
             "lost": came["lost"], "doubled": came["doubled"], "failed": opened["failed"],
             "open_seconds": opened["open_seconds"],
             "seconds_after_open": came["seconds_after_open"],
             "events_per_second": round(
                 came["events"] / (opened["open_seconds"] + came["seconds_after_open"])),
             "quiet_p99_us": quiet["p99_us"], "storm_p99_us": stormy["p99_us"],
             "storm_max_us": stormy["max_us"], **used}]


def cost(system, scale, channel="alone", channels=1):
    """What a publish and a delivery cost, at a rate that leaves time."""
    with Readers(system, 200) as readers:
        readers.open()
        warm(system, readers)
        found = fan(system, readers, scale.seconds, 8, 200)
        span = Span(system)
        sent = pipeline(system, scale.seconds, channel, channels=channels)
    return {"delivery_cpu_us": found["cpu_us_all"], "p99_us": found["p99_us"],
            "publish": span.each(sent["published"]), "per_second": sent["per_second"]}


# Filled once, and copied for each round: (events, channels) -> the folder with the file.
FILLED = {}


def filled(make, count, channels):
    """A system that begins with a log of `count` events in so many channels."""
    system = make()
    if count:
        folder = FILLED.get((count, channels))
        if not folder:
            folder = FILLED[count, channels] = scratch()
            rows(os.path.join(folder.name, "journal.db"), "%drows" % count, 4096, channels)
        shutil.copy(os.path.join(folder.name, "journal.db"), system.world.data)
        os.sync()  # no commit shall wait for the copy
    return system.start()


def log_size(make, scale):
    """The same work on logs of different sizes."""
    found = []
    for size in (0, scale.log // 10, scale.log):
        system = filled(make, size, 2000)
        try:
            found.append({"log": size, **cost(system, scale)})
        finally:
            system.stop()
    return found


def spread(make, scale):
    """Written over many channels at random, against bare SQLite doing the same."""
    found, empty = [], None
    for channels in (1, 1000, scale.channels):
        system = filled(make, channels, channels)
        try:
            kib = system.memory()["hub"]
            empty = empty or kib
            figures = cost(system, scale, "bench:~", channels)
        finally:
            system.stop()
        found.append({"channels": channels,
                      "floor_rows_per_second": floor_rows(scale, channels, channels),
                      "hub_bytes_a_channel": round((kib - empty) * 1024 / channels), **figures})
    return found


def slow(system, scale):
    """Some streams never read; the same without them."""
    with Readers(system, 500, ids=True) as readers:
        readers.open()
        warm(system, readers)
        usual = fan(system, readers, 2 * scale.seconds, 8, 100, size=SLOW_EVENT)
    before = system.memory()
    with Readers(system, 500, ids=True, stall=10) as readers:
        readers.open()
        found = fan(system, readers, 2 * scale.seconds, 8, 100, size=SLOW_EVENT, patience=2)
        after = system.memory()
        readers.ask("wake")
        whole = readers.ask("expect %d 10 30" % found["published"])
    found.update(usual_p99_us=usual["p99_us"], byes=whole["byes"], reconnected=whole["closed"],
                 lost_at_last=whole["lost"], doubled=whole["doubled"],
                 grown_kib={name: after[name] - before[name] for name in after})
    return [found]


def pattern(system, scale):
    """Streams of a pattern, and of the one channel that it takes in."""
    found = {}
    for kind, channel in (("exact", "room:1"), ("pattern", "room:*")):
        with Readers(system, 1000, channel) as readers:
            readers.open()
            publish(system, "room:1", seconds=0.3, flight=4, rate=100)
            readers.ask("expect 30 3 5")
            found[kind] = fan(system, readers, scale.seconds, 8, 200, channel="room:1")
    return [found]


def granted(system, scale):
    """The same streams on a pattern that everybody may read, and on one that is granted to them."""
    found, header = {}, system.bearer("reader", "shut:*", "other", "more:*")
    for kind, channel in (("open", "free:"), ("granted", "shut:")):
        with Readers(system, 1000, channel + "*", header=header) as readers:
            readers.open()
            publish(system, channel + "1", seconds=0.3, flight=4, rate=100)
            readers.ask("expect 30 3 5")
            found[kind] = fan(system, readers, 2 * scale.seconds, 8, 100, channel=channel + "1")
    return [found]


def join(system, scale):
    """All streams come to one channel that each of them watches, under a name of its own, while
    events go on there; then they are told who else is there, once a second at most."""
    groups, parts, begun = [], 8, time.monotonic()
    span = Span(system)
    going_on = start_publishers(system, "many", seconds=12, flight=8, rate=5)
    try:
        for part in range(parts):
            each = scale.crowd // parts
            groups.append(Readers(system, each, "many&presence=1&name=g%d-~" % part, each, most=1024))
            groups[-1].ask("begin")
            groups[-1].open()
            time.sleep(max(0, begun + part + 1 - time.monotonic()))
        seconds = time.monotonic() - begun
        finish(going_on)
        came = [readers.ask("lap") for readers in groups]
        used, lasted = span.each(scale.crowd), time.monotonic() - begun
    finally:
        for readers in groups:
            readers.__exit__()
    most = max(each["presences"] for each in came)
    return [{"streams": scale.crowd, "failed": sum(each["failed"] for each in came), "presence_most": most,
             "doubled": sum(each["doubled"] for each in came), "open_seconds": round(seconds, 3),
             "presence_most_a_second": round(most / lasted, 2),
             **{name: max(each[name] for each in came) for name in ("p50_us", "p99_us", "max_us")}, **used}]


def flood(system, scale):
    """What a hundred streams and their publisher see while somebody else sends without end."""
    calm, seconds = "X-Forwarded-For: 192.0.2.1", 3 * scale.seconds
    found = {}
    with Readers(system, 100, "live") as readers:
        readers.open()
        warm(system, readers)
        for who, header in (("quiet", None), ("address", "X-Forwarded-For: 192.0.2.2"),
                            ("user", system.bearer("flood")), ("quiet_again", None)):
            others = start_publishers(system, "flood", seconds=seconds + 1, flight=16,
                                      header=header) if header else None
            readers.ask("begin")
            sent = publish(system, "live", seconds=seconds, flight=4, rate=50, header=calm)
            came = readers.ask("expect %d 3 9" % sent["published"])
            found[who] = {name: came[name] for name in ("p50_us", "p99_us", "max_us", "lost")}
            if others:
                done = finish(others)
                found[who].update(refused=done["failed"], taken=done["published"])
    return [found]


# name: (what does it, on which systems, whether it starts the system itself, its options)
# So long, and so even, that one round will do.
ONCE = ("granted", "join", "flood")

WORKS = {
    "fanout": (fanout, ALL, False, {}),
    "crowd": (crowd, SMALL, False, {}),
    "idle": (idle, SMALL + ("better-sse", "socket.io", "pushpin"), False, {}),
    "opening": (opening, SMALL, False, {}),
    "posts": (posts, SMALL, False, {}),
    "stream-in": (stream_in, ("belfry/nginx",), False, {}),
    "storm": (storm, SMALL, False, {}),
    "log-size": (log_size, ("belfry/nginx",), True, {}),
    "channels": (spread, ("belfry/nginx",), True, {}),
    "slow": (slow, SMALL, False, {"slow_timeout": "3s"}),
    "pattern": (pattern, ("belfry/nginx",), False, {}),
    "granted": (granted, ("belfry/nginx",), False, {"max_streams_user": "0"}),
    "join": (join, ("belfry/nginx",), False, {}),
    "flood": (flood, ("belfry/nginx",), False, {}),
}
