"""The load: readers that are led by words, publishers that run for a while; see readers.c,
publishers.c, pipeline.c and rows.c for what they do.
"""
import json
import os
import subprocess

from systems import BENCH, HERE

SQL = os.path.join(HERE, "..", "..", "sql")
SCHEMA = os.path.join(SQL, "schema.sql")
VERSION = 1 + sum(name.startswith("upgrade-") for name in os.listdir(SQL))


class Readers:
    """Streams of one system, open until the end of the `with` block."""

    def __init__(self, system, streams, channel="bench", channels=1, stall=0, ids=False,
                 most=1 << 20, header=""):
        args = [os.path.join(BENCH, "readers"), "--port", str(system.port), "--path",
                system.stream % channel, "--streams", str(streams), "--channels", str(channels),
                "--opened", system.opened, "--stall", str(stall), "--most", str(most), "--header", header,
                *system.flags]
        self.system, self.streams = system, streams
        self.process = subprocess.Popen(args + ["--ids"] * ids, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("readers ended with %s" % self.process.wait())
        return json.loads(line)

    def open(self):
        opened = self.ask("open")
        if opened["open"] < self.streams:
            raise RuntimeError("only %d of %d streams opened" % (opened["open"], self.streams))
        return opened

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def start_publishers(system, channel="bench", **options):
    """Options are those of publishers.c."""
    args = [os.path.join(BENCH, "publishers"), "--port", str(system.send_port),
            "--path", system.send_path(channel), "--body", system.send_body(channel),
            "--type", system.batch_kind if options.get("batch", 1) > 1 else system.kind]
    for name, value in options.items():
        args += ["--" + name, str(value)]
    return subprocess.Popen(args, stdout=subprocess.PIPE, text=True)


def finish(process):
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("%s ended with %d" % (process.args[0], process.returncode))
    return json.loads(out)


def publish(system, channel="bench", **options):
    return finish(start_publishers(system, channel, **options))


def pipeline(system, seconds, channel="bench", window=4000, channels=1, rate=0):
    """Over ZeroMQ; for Belfry alone."""
    return finish(subprocess.Popen(
        [os.path.join(BENCH, "pipeline"), system.hub.endpoint("publish"), channel, str(seconds),
         str(window), str(channels), str(rate)], stdout=subprocess.PIPE, text=True))


def rows(path, amount, batch=512, channels=1):
    """SQLite alone; `amount` in seconds, or as "1000rows"."""
    return finish(subprocess.Popen(
        [os.path.join(BENCH, "rows"), path, SCHEMA, str(VERSION), str(amount), str(batch),
         str(channels)],
        stdout=subprocess.PIPE, text=True))


class Span:
    """The CPU that a system's processes use between two moments."""

    def __init__(self, system):
        self.system, self.before = system, system.cpu()

    def each(self, count):
        """Microseconds for each of `count`, by process and in sum."""
        after = self.system.cpu()
        used = {name: round((after[name] - self.before[name]) / max(count, 1), 4)
                for name in after}
        return {"cpu_us": used, "cpu_us_all": round(sum(used.values()), 4)}
