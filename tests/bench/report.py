"""What was measured as text: the bar and whether it is reached, a table for each work, plots."""
import os
import re
from statistics import median

import plots
from systems import HERE

README = os.path.join(HERE, "README.md")
NGINX, LIGHTTPD, NCHAN, BARE = "belfry/nginx", "belfry/lighttpd", "nchan", "bare writes"


# What must never happen counts where it happened once.
FAULTS = ("lost", "late", "doubled", "failed", "broken", "lost_at_last")


class Figures:
    """Medians over the rounds."""

    def __init__(self, runs):
        self.runs = [run for run in runs if "error" not in run]
        self.errors = [run for run in runs if "error" in run]

    def find(self, work, system, **where):
        return [run for run in self.runs if run["work"] == work and run["system"] == system
                and all(run.get(key) == value for key, value in where.items())]

    def get(self, work, system, field, **where):
        """None where it was not measured; `a.b` is b of a."""
        values = []
        for run in self.find(work, system, **where):
            for part in field.split("."):
                run = run[part]
            values.append(run)
        return (max if field in FAULTS else median)(values) if values else None

    def systems(self, work):
        return list(dict.fromkeys(run["system"] for run in self.runs if run["work"] == work))

    def values(self, work, field):
        return sorted({run[field] for run in self.runs if run["work"] == work})


def over(a, b):
    return a / b if a is not None and b else None


def show(value):
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return "%.3g" % value


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(out + ["| " + " | ".join(map(show, line)) + " |" for line in lines])


def fan_bars(f):
    """(work, figure, value, how it must compare, to what)"""
    slow = {"flight": 1, "rate": 50}
    eight, many = ({"flight": n, "rate": 0} for n in (8, 64))

    def ratio(field, where, a=NGINX, b=NCHAN):
        return over(f.get("fanout", a, field, **where), f.get("fanout", b, field, **where))
    fast = "deliveries_per_second"
    yield "1 publish at a time, 50/s", "p50, to Nchan's", ratio("p50_us", slow), "<=", 2
    yield "", "p99, to Nchan's", ratio("p99_us", slow), "<=", 2
    yield "8 publishes in flight", "deliveries/s, to Nchan's", ratio(fast, eight), ">=", 2.5
    yield "", "CPU a delivery, to Nchan's", ratio("cpu_us_all", eight), "<=", 0.5
    yield "", "p99, to Nchan's", ratio("p99_us", eight), "<=", 1
    yield "64 publishes in flight", "deliveries/s, to Nchan's", ratio(fast, many), ">=", 10
    bare = ratio("cpu_us_all", many, NGINX, BARE)
    yield "", "CPU a delivery, to bare writes", bare, "<=", 0.2
    yield "", "p99, to Nchan's", ratio("p99_us", many), "<=", 0.3
    for words, where in (("8 in flight behind lighttpd", eight), ("64 behind lighttpd", many)):
        yield words, "deliveries/s, to nginx's", ratio(fast, where, LIGHTTPD, NGINX), ">=", 0.8
    sustained = f.get("crowd", NGINX, "publishes_per_second")
    yield "all on one channel, 100/s", "publishes/s", sustained, ">=", 99
    yield "", "lost or late", over_all(f, "crowd", NGINX, "lost", "late"), "<=", 0
    yield "", "p99, s", over(f.get("crowd", NGINX, "p99_us"), 1e6), "<=", 1


def over_all(f, work, system, *fields):
    runs = f.find(work, system)
    return sum(run[field] for run in runs for field in fields) if runs else None


def best(f, name):
    rates = [f.get("posts", name, "publishes_per_second", flight=n) for n in (8, 64, 256)]
    return max(filter(None, rates), default=None)


def other_bars(f):
    top = (f.values("idle", "streams") or [0])[-1]
    worker = f.get("idle", NGINX, "kib.worker", streams=top)
    yield "idle streams", "worker, B a stream", worker and worker * 1024, "<=", 512
    yield "", "server side behind lighttpd, to Nchan's", over(
        f.get("idle", LIGHTTPD, "kib_all", streams=top),
        f.get("idle", NCHAN, "kib_all", streams=top)), "<=", 0.6
    yield "single POSTs, durable", "publishes/s, to Nchan's in memory", over(
        best(f, NGINX), best(f, NCHAN)), ">=", 0.5
    rows = f.get("stream-in", NGINX, "floor_rows_per_second")
    for words, field in (("ZeroMQ, pipelined", "zeromq"), ("NDJSON over HTTP", "ndjson")):
        yield words, "rate, to bare SQLite", over(
            f.get("stream-in", NGINX, field + ".per_second"), rows), ">=", 0.8
    for name in (NGINX, LIGHTTPD):
        yield "opening streams", name + ", to Nchan's", over(
            f.get("opening", name, "opened_per_second"),
            f.get("opening", NCHAN, "opened_per_second")), ">=", 0.8
    lost = over_all(f, "storm", NGINX, "lost", "doubled")
    yield "reconnect storm", "lost or doubled", lost, "<=", 0
    storm = f.get("storm", NGINX, "events_per_second")
    yield "", "events/s, opening included", storm, ">=", 300000
    yield "", "live p99, to its quiet value", over(
        f.get("storm", NGINX, "storm_p99_us"), f.get("storm", NGINX, "quiet_p99_us")), "<=", 5
    sizes = f.values("log-size", "log")
    for words, field in (("CPU a publish", "publish.cpu_us_all"),
                         ("CPU a delivery", "delivery_cpu_us")):
        yield "a big log", words + ", to an empty log's", sizes and over(
            f.get("log-size", NGINX, field, log=sizes[-1]),
            f.get("log-size", NGINX, field, log=0)), "<=", 1.2
    most = (f.values("channels", "channels") or [0])[-1]
    yield "100k channels at random", "rate, to bare SQLite", over(
        f.get("channels", NGINX, "per_second", channels=most),
        f.get("channels", NGINX, "floor_rows_per_second", channels=most)), ">=", 0.8
    room = f.get("channels", NGINX, "hub_bytes_a_channel", channels=most)
    yield "", "hub, B a quiet channel", room, "<=", 400
    yield "slow readers", "the others' p99, to the usual", over(
        f.get("slow", NGINX, "p99_us"), f.get("slow", NGINX, "usual_p99_us")), "<=", 1.2
    lost = over_all(f, "slow", NGINX, "lost_at_last")
    yield "", "lost by the slow ones in the end", lost, "<=", 0
    yield "pattern streams", "CPU a delivery, to exact ones", over(
        f.get("pattern", NGINX, "pattern.cpu_us_all"),
        f.get("pattern", NGINX, "exact.cpu_us_all")), "<=", 1.15
    yield "granted streams", "CPU a delivery, to open ones", over(
        f.get("granted", NGINX, "granted.cpu_us_all"),
        f.get("granted", NGINX, "open.cpu_us_all")), "<=", 1.15
    yield "a crowd comes", "seconds until all are there", f.get("join", NGINX, "open_seconds"), "<=", 10
    yield "", "slowest event meanwhile, us", f.get("join", NGINX, "max_us"), "<=", 1000000
    yield "", "presence events a second and stream", f.get("join", NGINX, "presence_most_a_second"), "<=", 1
    for who in ("address", "user"):
        yield "a flood", "of one %s: another's p99, to the quiet one" % who, over(
            f.get("flood", NGINX, who + ".p99_us"), f.get("flood", NGINX, "quiet.p99_us")), "<=", 1.2


def bars(f):
    lines = []
    for work, figure, value, how, limit in (*fan_bars(f), *other_bars(f)):
        if value is None or value == []:
            verdict = "not measured"
        else:
            is_reached = value <= limit if how == "<=" else value >= limit
            verdict = "yes" if is_reached else "**no**"
        lines.append((work, figure, None if value == [] else value,
                      "%s %g" % (how, limit), verdict))
    return table(("work", "figure", "measured", "wanted", "reached"), lines)


def by_process(f, work, system, field, **where):
    runs = f.find(work, system, **where)
    names = runs[0][field] if runs else {}
    return ", ".join("%s %s" % (name, show(median(run[field][name] for run in runs)))
                     for name in names)


def fan_tables(f):
    loads = dict.fromkeys((run["flight"], run["rate"]) for run in f.runs if run["work"] == "fanout")
    for flight, rate in loads:
        where = {"flight": flight, "rate": rate}
        nchan = f.get("fanout", NCHAN, "deliveries_per_second", **where)
        bare = f.get("fanout", BARE, "cpu_us_all", **where)
        lines = []
        for name in f.systems("fanout"):
            def get(field, system=name):
                return f.get("fanout", system, field, **where)
            fast = get("deliveries_per_second")
            lines.append((name, fast, over(fast, nchan),
                          get("cpu_us_all"), over(get("cpu_us_all"), bare),
                          by_process(f, "fanout", name, "cpu_us", **where),
                          *(over(get(q), 1e3) for q in ("p50_us", "p99_us", "max_us")),
                          get("publishes_per_second"), get("lost"), get("late")))
        yield "1,000 streams, %d in flight%s" % (flight, ", %d/s" % rate if rate else ""), table(
            ("system", "deliveries/s", "to Nchan", "CPU µs", "to bare", "by process", "p50 ms",
             "p99 ms", "max ms", "publishes/s", "lost", "late"), lines)


PLAIN = (
    ("crowd", "All streams on one channel, 100 events a second", (
        "streams", "deliveries_per_second", "publishes_per_second", "p50_us", "p99_us",
        "cpu_us_all", "lost", "late"), None),
    ("idle", "Idle streams on 80 channels", ("kib_all", "opened_per_second"), "streams"),
    ("opening", "Opening streams, 256 at a time", (
        "streams", "opened_per_second", "cpu_us_all", "failed"), None),
    ("posts", "Single events by POST over kept connections", (
        "publishes_per_second", "ack_p50_us", "ack_p99_us", "cpu_us_all"), "flight"),
    ("stream-in", "Many events at once", (
        "floor_rows_per_second", "zeromq.per_second", "ndjson.per_second", "zeromq.cpu_us_all",
        "ndjson.cpu_us_all"), None),
    ("storm", "Reconnect storm, 100 events missed by each", (
        "events", "lost", "doubled", "open_seconds", "seconds_after_open", "events_per_second",
        "quiet_p99_us", "storm_p99_us"), None),
    ("log-size", "Cost over the size of the log", (
        "publish.cpu_us_all", "per_second", "delivery_cpu_us", "p99_us"), "log"),
    ("channels", "Cost over the number of channels written at random", (
        "per_second", "floor_rows_per_second", "publish.cpu_us_all", "delivery_cpu_us",
        "hub_bytes_a_channel"), "channels"),
    ("slow", "One stream of ten does not read", (
        "usual_p99_us", "p99_us", "lost", "byes", "reconnected", "lost_at_last", "doubled"), None),
    ("pattern", "Pattern streams and exact ones", (
        "exact.cpu_us_all", "pattern.cpu_us_all", "exact.p99_us", "pattern.p99_us"), None),
    ("granted", "A pattern that is granted, and one that is open", (
        "open.cpu_us_all", "granted.cpu_us_all", "open.p99_us", "granted.p99_us"), None),
    ("join", "Everybody comes to one channel and is told who is there", (
        "open_seconds", "failed", "presence_most", "presence_most_a_second", "p50_us", "p99_us", "max_us"), None),
    ("flood", "Somebody sends without end; what a hundred other streams see", (
        "quiet.p99_us", "address.p99_us", "user.p99_us", "quiet_again.p99_us", "address.refused", "user.refused"),
     None),
)


def plain_tables(f):
    for work, title, fields, split in PLAIN:
        lines = []
        for name in f.systems(work):
            for value in f.values(work, split) if split else (None,):
                where = {split: value} if split else {}
                runs = f.find(work, name, **where)
                kept = next((field for field in ("kib", "cpu_us")
                             if runs and field in runs[0]), None)
                lines.append((name, *((value,) if split else ()),
                              *(f.get(work, name, field, **where) for field in fields),
                              by_process(f, work, name, kept, **where) if kept else ""))
        if lines:
            head = [field.replace("_", " ") for field in fields]
            yield title, table(("system", *((split,) if split else ()), *head, "by process"), lines)


def pictures(f):
    def lines(work, x, y, **where):
        found = {}
        for name in f.systems(work):
            points = [(value, f.get(work, name, y, **{x: value}, **where))
                      for value in f.values(work, x)]
            points = [(a, b) for a, b in points if b is not None]
            if points:
                found[name] = points
        return found
    yield "throughput", plots.chart(
        "1,000 streams", ("publishes in flight", "deliveries a second"),
        lines("fanout", "flight", "deliveries_per_second", rate=0), True, True)
    paced = {name: [(rate, f.get("fanout", name, "p99_us", rate=rate)) for rate in (10, 50, 200)]
             for name in f.systems("fanout")}
    yield "latency", plots.chart(
        "1,000 streams", ("events a second", "p99, ms"),
        {name: [(a, b / 1e3) for a, b in line if b] for name, line in paced.items()}, True, True)
    yield "memory", plots.chart(
        "Idle streams", ("streams", "KiB a stream, all processes"),
        lines("idle", "streams", "kib_all"))
    yield "log-size", plots.chart(
        "Cost over the size of the log", ("events in the log", "CPU µs"),
        {words: lines("log-size", "log", field).get(NGINX, [])
         for words, field in (("a publish", "publish.cpu_us_all"),
                              ("a delivery", "delivery_cpu_us"))})
    yield "channels", plots.chart(
        "Cost over channels", ("channels written at random", "publishes a second"), {
            "belfry": lines("channels", "channels", "per_second").get(NGINX, []),
            "SQLite alone": lines("channels", "channels", "floor_rows_per_second").get(NGINX, [])},
        True)


def text(results):
    f = Figures(results["runs"])
    m = results["machine"]
    out = ["%d cores, %d GiB, Linux %s, SQLite %s; %s; medians of %d round(s)%s." % (
        m["cores"], m["gib"], m["kernel"], m["sqlite"], m["date"],
        1 + max((run["round"] for run in results["runs"]), default=0),
        "; quick: short and small" if results["quick"] else "")]
    if results["missing"]:
        out.append("Not there: %s." % ", ".join(results["missing"]))
    out += ["### The bar", bars(f)]
    for title, lines in (*fan_tables(f), *plain_tables(f)):
        out += ["### " + title, lines]
    if f.errors:
        out += ["### What could not be measured"] + [
            "- %s, %s: %s" % (run["work"], run["system"], run["error"].splitlines()[0])
            for run in f.errors]
    return "\n\n".join(out) + "\n"


def write(results):
    drawn = []
    os.makedirs(os.path.join(HERE, "plots"), exist_ok=True)
    for name, picture in pictures(Figures(results["runs"])):
        if picture:
            drawn.append("![%s](plots/%s.svg)" % (name, name))
            with open(os.path.join(HERE, "plots", name + ".svg"), "w", encoding="utf-8") as out:
                out.write(picture)
    with open(README, encoding="utf-8") as page:
        old = page.read()
    new = "<!-- figures -->\n%s\n%s\n<!-- end of figures -->" % (text(results), "\n".join(drawn))
    with open(README, "w", encoding="utf-8") as page:
        page.write(re.sub("<!-- figures -->.*<!-- end of figures -->", lambda _: new, old,
                          flags=re.S))
