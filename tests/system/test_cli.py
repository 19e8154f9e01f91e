"""The command line against a real hub: what it prints, its exit codes, and what it survives."""
import json
import os
import re
import signal
import sqlite3
import subprocess

import pytest
import zmq

from belfry import BUILD, PATIENCE, ROOT, Program, clean_environment, command, until

BELFRY = os.path.join(BUILD, "belfry")
ID = re.compile(r"^[a-z2-7]{8}-\d+$")
USAGE, DATA, AWAY, UNKNOWN = 64, 65, 75, 76


def lines(done, code=0):
    """The lines of stdout of a command that ended so."""
    assert done.returncode == code, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout.splitlines()


def publish(hub, *args, **more):
    ids = lines(command(hub.world, "pub", *args, **more))
    assert all(ID.match(each) for each in ids), ids
    return ids


class Sub(Program):
    """`belfry sub` in the background. Ready when the hub lists its link with the channel open."""

    def __init__(self, hub, *args):
        hub.world.write_config()
        super().__init__(hub.world, "sub", [BELFRY, "sub", *args],
                         env=dict(clean_environment(), BELFRY_CONFIG=hub.world.config))
        self.hub = hub
        self.wait_open()

    def wait_open(self):
        def is_open():
            done = command(self.hub.world, "links", "--json")
            if done.returncode:
                return False
            return any(link["name"] == "sub-%d" % self.pid and link["channels"]
                       for link in json.loads(done.stdout)["links"])
        until(is_open, 15, "sub is linked")

    def shown(self):
        """What it printed, without what it said on stderr."""
        return [line for line in self.log().splitlines() if not line.startswith("belfry: ")]

    def wait_shown(self, count, within=20):
        until(lambda: len(self.shown()) >= count, within,
              "%d lines of sub; it has:\n%s" % (count, self.log()[-1000:]))
        return self.shown()


# Help

def commands():
    text = subprocess.run([BELFRY, "--help"], capture_output=True, text=True, check=True).stdout
    part = text.split("says more):\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in part.splitlines()]


def test_help_lists_every_command_and_each_explains_itself():
    named = commands()
    assert named == ["pub", "sub", "log", "channels", "streams", "links", "stats", "top", "backup",
                     "check", "prune", "recover", "doctor", "token", "keygen",
                     "user", "users", "grant", "revoke", "kick", "who"]
    for name in named:
        done = subprocess.run([BELFRY, name, "--help"], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("usage: belfry " + name)
        assert "belfry " + name in done.stdout.partition("\nExamples:\n")[2]
        assert "--help" in done.stdout
        assert done.stderr == ""


def test_every_command_has_a_file():
    for name in commands():
        assert os.path.exists(os.path.join(ROOT, "hub/cli", name + ".c"))


@pytest.mark.parametrize("args", [
    [], ["nope"], ["pub"], ["sub"], ["pub", "a", "b", "c"], ["pub", "a", "--colour", "red"],
    ["pub", "--ndjson", "a"], ["pub", "--user", "a", "b", "c"], ["pub", "a", "--idempotency-key", "k"],
    ["sub", "a", "--last", "1", "--earliest"], ["sub", "a", "--after", "x"],
    ["sub", "a", "--since", "x"], ["sub", "a*b"], ["log", "--before", "x"], ["backup"],
    ["stats", "x"], ["doctor", "x"], ["doctor", "ftp://x/"],
])
def test_wrong_usage_is_64_and_says_why(world, args):
    done = command(world, *args)
    assert done.returncode == USAGE, done
    assert done.stderr.startswith("belfry: ")


def test_options_of_the_program_may_stand_on_either_side(hub):
    run = hub.run
    hub.set(run="/nowhere")
    assert command(hub.world, "stats").returncode == AWAY
    for args in (["--run", run, "stats"], ["stats", "--run", run], ["stats", "--json", "--run=" + run]):
        assert lines(command(hub.world, *args))


# Publishing

def test_pub_prints_the_id_and_the_log_has_it(hub):
    one = publish(hub, "room:1", "hello")
    two = publish(hub, "room:1", "--event", "message.new", "--json", '{ "text": "hi" }')
    shown = lines(command(hub.world, "log", "room:1"))
    assert shown == [one[0] + " room:1 - hello", two[0] + ' room:1 message.new {"text":"hi"}']


def test_pub_to_a_user_is_the_users_channel(hub):
    first = publish(hub, "--user", "alice", "your order has left")
    assert lines(command(hub.world, "log", "user:alice")) == [
        first[0] + " user:alice - your order has left"]


def test_pub_takes_each_line_of_stdin(hub):
    ids = publish(hub, "logs", stdin="one\n\nthree")
    assert len(set(ids)) == 3
    assert lines(command(hub.world, "log", "logs")) == [
        ids[0] + " logs - one", ids[1] + " logs - ", ids[2] + " logs - three"]


def test_pub_says_a_bad_line_alone_and_publishes_the_others(hub):
    done = command(hub.world, "pub", "a", "--json", stdin='1\n{"a":\n3\n')
    ids = lines(done, DATA)
    assert len(ids) == 2
    assert done.stderr.startswith("belfry: line 2: "), done.stderr
    assert [json.loads(line)["data"] for line in lines(command(hub.world, "log", "a", "--json"))] \
        == [1, 3]


@pytest.mark.options(max_event="4k")
def test_pub_names_field_and_limit_of_what_is_refused(hub):
    done = command(hub.world, "pub", "a", "x" * 5000)
    assert lines(done, DATA) == []
    assert "4096" in done.stderr, done.stderr
    for args in (["a,b", "x"], ["$own", "x"], ["", "x"], ["a", "x", "--event", "connected"],
                 ["--user", "a:b", "x"], ["a", "x", "--exclude", "short"]):
        done = command(hub.world, "pub", *args)
        assert lines(done, DATA) == []
        assert done.stderr.startswith("belfry: "), done.stderr


def test_pub_takes_send_requests(hub):
    requests = [{"channel": "a", "event": "e", "data": {"n": 1}},
                {"channels": ["a", "b"], "user": "eve", "data": "text"},
                {"channel": "a", "data": 1, "ephemeral": True}]
    ids = lines(command(hub.world, "pub", "--ndjson",
                        stdin="".join(json.dumps(each) + "\n" for each in requests)))
    assert [bool(ID.match(each)) for each in ids] == [True, True, True, True, False]
    assert ids[4] == "-"
    events = [json.loads(line) for line in lines(command(hub.world, "log", "--json"))]
    assert [(e["id"], e["channel"], e["event"], e["data"]) for e in events] == [
        (ids[0], "a", "e", {"n": 1}), (ids[1], "a", None, "text"), (ids[2], "b", None, "text"),
        (ids[3], "user:eve", None, "text")]
    done = command(hub.world, "pub", "--ndjson", stdin='{"channel":"a","colour":1}\n')
    assert lines(done, DATA) == []
    assert "line 1: colour: " in done.stderr


@pytest.mark.parametrize("flag", ["--user eve", "--event e", "--json", "--ttl 60", "--ephemeral",
                                  "--idempotency-key k", "--exclude 0123456789abcdef"])
def test_ndjson_takes_no_flag_that_its_lines_would_not_heed(world, flag):
    done = command(world, "pub", "--ndjson", *flag.split(), stdin='{"channel":"a","data":1}\n')
    assert lines(done, USAGE) == []
    assert flag.split()[0] in done.stderr, done.stderr


def test_a_refused_line_does_not_hide_that_the_rest_was_not_sent(world):
    done = command(world, "pub", "--ndjson", "--timeout", "100ms",
                   stdin='{"channel":"a","colour":1}\n{"channel":"a","data":1}\n')
    assert lines(done, AWAY) == []
    assert "line 1: colour: " in done.stderr and "line 2: no hub" in done.stderr, done.stderr


def test_the_same_idempotency_key_is_published_once(hub):
    first = publish(hub, "a", "x", "--idempotency-key", "k1")
    assert publish(hub, "a", "x", "--idempotency-key", "k1") == first
    assert lines(command(hub.world, "pub", "a", "y", "--idempotency-key", "k1"), DATA) == []
    assert len(lines(command(hub.world, "log", "a"))) == 1


def test_an_empty_idempotency_key_is_refused(hub):
    says = ": has 0 characters, 1 to 128 are allowed"
    done = command(hub.world, "pub", "a", "x", "--idempotency-key", "")
    assert lines(done, DATA) == [] and says in done.stderr, done.stderr
    done = command(hub.world, "pub", "--ndjson", stdin='{"channel":"a","data":1,"idempotencyKey":""}\n'
                   '{"channel":"a","data":2,"idempotencyKey":null}\n')
    assert len(lines(done, DATA)) == 1 and says in done.stderr, done.stderr
    assert [line.split()[-1] for line in lines(command(hub.world, "log", "a"))] == ["2"]


def test_pub_without_acknowledgement_prints_nothing(hub):
    sub = Sub(hub, "a")
    assert lines(command(hub.world, "pub", "a", "--no-ack", stdin="1\n2\n3\n")) == []
    assert [line.split()[-1] for line in sub.wait_shown(3)] == ["1", "2", "3"]


def test_a_hub_that_is_not_there_is_75(world):
    for args in (["pub", "a", "x"], ["pub", "a", "x", "--no-ack"], ["sub", "a", "--timeout", "1"],
                 ["log"], ["check"], ["channels"]):
        done = command(world, *args)
        assert lines(done, AWAY) == [], args
        assert "no hub" in done.stderr, (args, done.stderr)


def test_a_hub_that_goes_away_before_its_answer_is_76(hub):
    hub.program.signal(signal.SIGSTOP)
    pub = Program(hub.world, "pub", [BELFRY, "pub", "a", "x", "--run", hub.run, "--timeout", "60s"])
    try:
        # A stopped hub's kernel takes the bytes only once the handshake was done: an
        # established one is not there, so this ends as 75 or 76, never as 0.
        done = command(hub.world, "pub", "a", "x", "--timeout", "300ms")
        assert done.returncode in (AWAY, UNKNOWN), done
        assert done.stdout == ""
    finally:
        hub.program.signal(signal.SIGCONT)
    assert pub.wait() == 0, pub.log()


def test_a_pipeline_is_all_there_in_order(hub):
    """Many in flight, ids in order, each once."""
    count = 20000
    ids = publish(hub, "load", stdin="".join("%d\n" % n for n in range(count)), within=120)
    positions = [int(each.split("-")[1]) for each in ids]
    assert len(ids) == count
    assert positions == sorted(set(positions))
    newest = lines(command(hub.world, "log", "load", "--reverse", "--limit", "3"))
    assert [line.split()[-1] for line in newest] == ["19999", "19998", "19997"]


def test_a_kill_under_a_pipeline_loses_nothing_that_was_acknowledged(hub):
    """kill -9 of the hub in the middle: exit 76 or 75, and every id that was printed is kept."""
    source = os.path.join(hub.world.dir, "source")
    with open(source, "w", encoding="ascii") as file:
        file.writelines("%d\n" % n for n in range(200000))
    with open(source, "rb") as file:
        pub = Program(hub.world, "pub", [BELFRY, "pub", "load", "--run", hub.run], stdin=file)
        until(lambda: pub.log().count("\n") > 2000, 30, "some are acknowledged")
        hub.kill()
        assert pub.wait() in (AWAY, UNKNOWN)
    said = [line for line in pub.log().splitlines() if ID.match(line)]
    assert "unknown" in pub.log() or pub.process.returncode == AWAY
    hub.start()
    kept = {line.split()[0] for line in
            lines(command(hub.world, "log", "load", within=60))}
    oldest = min(int(each.split("-")[1]) for each in kept)
    missing = [each for each in said if each not in kept and int(each.split("-")[1]) >= oldest]
    assert not missing, missing[:5]


# Following

def test_sub_follows_from_now_on(hub):
    publish(hub, "a", "before")
    sub = Sub(hub, "a", "b:*", "--json")
    first = publish(hub, "a", "one", "--event", "e")
    second = publish(hub, "b:7", "--json", "[2]")
    publish(hub, "c", "not ours")
    assert lines(command(hub.world, "pub", "a", "--ephemeral", "three")) == ["-"]
    shown = [json.loads(line) for line in sub.wait_shown(3)]
    assert [(e["id"], e["channel"], e["event"], e["data"], e["user"]) for e in shown] == [
        (first[0], "a", "e", "one", None), (second[0], "b:7", None, [2], None),
        (None, "a", None, "three", None)]
    assert all(e["time"] > 1600000000000 for e in shown)
    sub.signal(signal.SIGINT)
    assert sub.wait() == 0
    assert "belfry: " not in sub.log()


def test_sub_begins_where_it_is_told(hub):
    ids = publish(hub, "a", stdin="1\n2\n3\n4\n5\n")

    def shown(*args):
        done = command(hub.world, "sub", "a", *args)
        return "".join(line.split()[-1] for line in lines(done))
    assert shown("--earliest", "--count", "5") == "12345"
    assert shown("--last", "2", "--count", "2") == "45"
    assert shown("--after", ids[2], "--count", "2") == "45"
    assert shown("--since", "1h", "--count", "3") == "123"
    assert shown("--since", "-3600", "--count", "1") == "1"


def test_sub_replays_long_logs_and_then_follows(hub):
    """More than the slices of the link hold, while others go on publishing."""
    count = 3000
    publish(hub, "a", stdin="".join("%d\n" % n for n in range(count)))
    sub = Sub(hub, "a", "--earliest")
    publish(hub, "a", stdin="".join("%d\n" % n for n in range(count, count + 500)))
    shown = sub.wait_shown(count + 500)
    assert [int(line.split()[-1]) for line in shown] == list(range(count + 500))


def test_sub_goes_on_over_a_killed_hub(hub):
    """What was published after the restart, and between its cut and its return, comes once."""
    sub = Sub(hub, "a", "--json")
    sent = publish(hub, "a", stdin="".join("%d\n" % n for n in range(100)))
    sub.wait_shown(100)
    for turn in range(3):
        hub.kill()
        hub.start()
        sent += publish(hub, "a", stdin="".join("%d\n" % n for n in range(100)))
        shown = sub.wait_shown(len(sent))
        assert [json.loads(line)["id"] for line in shown] == sent, turn
    assert "gap" not in sub.log()
    assert "the hub is back" in sub.log()
    assert sub.alive


def test_sub_goes_on_over_a_hub_that_was_stopped_a_while(hub):
    """A link that was silent for so long that the hub forgot it."""
    sub = Sub(hub, "a")
    publish(hub, "a", "1")
    sub.wait_shown(1)
    sub.signal(signal.SIGSTOP)
    until(lambda: not json.loads(command(hub.world, "links", "--json").stdout)["links"], 15,
          "the hub forgot the link")
    publish(hub, "a", "2")
    sub.signal(signal.SIGCONT)
    publish(hub, "a", "3")
    assert [line.split()[-1] for line in sub.wait_shown(3)] == ["1", "2", "3"]


@pytest.mark.channels({"a": {"keep": 3}})
def test_sub_says_a_gap(hub):
    ids = publish(hub, "a", stdin="".join("%d\n" % n for n in range(10)))
    lines(command(hub.world, "prune"))
    done = command(hub.world, "sub", "a", "--after", ids[0], "--count", "3")
    assert [line.split()[-1] for line in lines(done)] == ["7", "8", "9"]
    assert "gap: events are missing (pruned)" in done.stderr


def test_events_stay_one_harmless_line(hub):
    publish(hub, "a", "x\n\x1b[2Jy")
    assert lines(command(hub.world, "log", "a"))[0].endswith(" a - x\\n\\x1b[2Jy")
    assert json.loads(lines(command(hub.world, "log", "a", "--json"))[0])["data"] == "x\n\x1b[2Jy"


# Looking after it

def test_log_pages_and_bounds(hub):
    ids = publish(hub, "a", stdin="".join("%d\n" % n for n in range(2500)))
    publish(hub, "b", "other")

    def shown(*args):
        return [line.split()[0] for line in lines(command(hub.world, "log", *args))]
    assert shown("a") == ids
    assert shown("a", "--reverse") == ids[::-1]
    assert shown("a", "--limit", "1200") == ids[:1200]
    assert shown("a", "--reverse", "--limit", "5") == ids[:-6:-1]
    assert shown("a", "--after", ids[2490]) == ids[2491:]
    assert shown("a", "--before", ids[3]) == ids[:3]
    assert shown("a", "--after", ids[0], "--before", ids[4]) == ids[1:4]
    assert shown("a", "--since", "1h") == ids
    assert len(shown()) == 2501
    assert len(shown("a", "b")) == 2501
    assert shown("nothing") == []


def test_channels_streams_links_and_stats(hub):
    publish(hub, "room:1", stdin="1\n2\n3\n")
    last = publish(hub, "hall", "x")
    table = lines(command(hub.world, "channels"))
    assert table[0].split() == ["CHANNEL", "EVENTS", "BYTES", "OLDEST", "LAST"]
    assert [row.split()[:2] for row in table[1:]] == [["hall", "1"], ["room:1", "3"]]
    assert table[1].split()[4] == last[0]
    assert len(lines(command(hub.world, "channels", "room:"))) == 2
    rows = [json.loads(line) for line in lines(command(hub.world, "channels", "--json"))]
    assert [(row["channel"], row["events"]) for row in rows] == [("hall", 1), ("room:1", 3)]
    sub = Sub(hub, "hall")
    links = lines(command(hub.world, "links"))
    assert links[1].split()[0] == "sub-%d" % sub.pid
    assert lines(command(hub.world, "streams"))[0].split()[0] == "WORKER"
    assert json.loads(command(hub.world, "streams", "--json").stdout)["ok"] is True
    stats = json.loads(lines(command(hub.world, "stats", "--json"))[0])
    assert (stats["channels"], stats["events"], stats["links"]) == (2, 4, 1)
    assert stats["writable"] is True
    words = dict(line.split()[:2] for line in lines(command(hub.world, "stats")))
    assert words["events"] == "4" and words["writable"] == "yes" and "published_total" in words


def test_channels_pages_through_thousands(hub):
    names = ["c%05d" % n for n in range(2300)]
    lines(command(hub.world, "pub", "--ndjson", stdin="".join(
        '{"channel":"%s","data":1}\n' % name for name in names), within=60))
    rows = lines(command(hub.world, "channels", "--json"))
    assert [json.loads(row)["channel"] for row in rows] == names


def test_top_prints_lines_where_there_is_no_terminal(hub):
    publish(hub, "a", stdin="1\n2\n")
    shown = lines(command(hub.world, "top", "--count", "2"))
    assert len(shown) == 2
    assert "events/s" in shown[0] and "1 channels" in shown[1] and "\x1b" not in shown[0]


def test_backup_is_a_whole_copy(hub):
    ids = publish(hub, "a", stdin="1\n2\n3\n")
    copy = os.path.join(hub.world.dir, "copy.db")
    assert "pages" in lines(command(hub.world, "backup", copy))[0]
    with sqlite3.connect("file:%s?mode=ro" % copy, uri=True) as journal:
        assert journal.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert journal.execute("SELECT count(*) FROM event").fetchone() == (len(ids),)
    assert command(hub.world, "backup", "/nowhere/copy.db").returncode != 0


def test_check_says_ok(hub):
    publish(hub, "a", "x")
    assert lines(command(hub.world, "check")) == ["ok"]
    assert json.loads(lines(command(hub.world, "check", "--json"))[0])["report"] == ["ok"]


@pytest.mark.channels({"a": {"keep": 3}})
def test_prune_takes_away_what_is_too_much(hub):
    publish(hub, "a", stdin="".join("%d\n" % n for n in range(50)))
    assert re.match(r"^\d+ events taken away, ", lines(command(hub.world, "prune"))[0])
    until(lambda: len(lines(command(hub.world, "log", "a"))) == 3, 10, "three are kept")


@pytest.mark.channels({"a": {"keep": 3}})
def test_log_says_a_gap_on_the_page_that_has_it(hub):
    ids = publish(hub, "b", stdin="".join("%d\n" % n for n in range(1500)))
    publish(hub, "a", stdin="1\n2\n3\n4\n5\n6\n")
    command(hub.world, "prune")
    until(lambda: len(lines(command(hub.world, "log", "a"))) == 3, 10, "three are kept")
    for args in [], ["--after", ids[0]], ["--after", ids[0], "--reverse"]:
        said = command(hub.world, "log", "a", "b", *args)
        assert said.stderr.count("gap: events are missing") == 1, said.stderr
    assert not command(hub.world, "log", "b").stderr


# The doctor

def examine(server, *args, within=90):
    done = command(server.world, "doctor", server.url + server.mount, "--json", *args, within=within)
    report = json.loads(done.stdout)
    assert done.returncode == (0 if report["ok"] else 1)
    return report, {check["check"]: check for check in report["checks"]}


def is_slow(found):
    """Half a second is much, except on a busy machine: then it is examined again."""
    return any(check["verdict"] == "warn" for name, check in found[1].items() if name != "leaving")


def test_doctor_finds_a_good_mount_well(server):
    report, checks = until(lambda: [found for found in [examine(server)] if not is_slow(found)], 60)[0]
    assert report["ok"], report
    assert set(checks) == {"health", "ready", "head", "stream", "delivery", "compression",
                           "heartbeat", "lasting", "leaving"}
    bad = {name: check for name, check in checks.items() if check["verdict"] != "ok"}
    assert not bad or (server.name == "caddy" and set(bad) == {"leaving"}), bad
    assert server.name in report["server"].lower() or not report["server"]


@pytest.mark.options(access="closed")
def test_doctor_examines_a_closed_mount_through_the_hub(site):
    report, checks = examine(site)
    assert report["ok"], report
    assert checks["delivery"]["verdict"] == "ok"
    assert checks["leaving"]["verdict"] == "skip"


@pytest.mark.web("lighttpd")
def test_doctor_names_the_fix_for_a_server_that_buffers(site):
    site.stop()
    site.change = lambda text: re.sub(r"server\.stream-response-body\s*=\s*\d",
                                      "server.stream-response-body = 0", text)
    site.start("/ready")
    report, checks = examine(site)
    assert not report["ok"]
    assert checks["stream"]["verdict"] == "fail"
    assert "stream-response-body = 2" in checks["stream"]["fix"]


def test_the_doctor_survives_a_hub_that_goes_away_while_it_asks_for_its_streams(site):
    run = site.world.folder("elsewhere")
    with zmq.Context() as context, context.socket(zmq.ROUTER) as between, \
            context.socket(zmq.REQ) as hub:
        for socket in (between, hub):
            socket.linger, socket.rcvtimeo = 0, int(60000 * PATIENCE)
        between.bind("ipc://%s/admin.ipc" % run)
        hub.connect("ipc://%s/admin.ipc" % site.world.run)
        doctor = Program(site.world, "doctor", [BELFRY, "doctor", site.url + site.mount, "--run", run])
        who, question = between.recv_multipart()
        hub.send(question)
        between.send_multipart([who, hub.recv()])
        between.recv_multipart()
    assert doctor.wait() == 0, doctor.log()
    assert re.search("^skip +leaving .*the hub went away", doctor.log(), re.M), doctor.log()


def test_doctor_says_when_nobody_answers(world):
    done = command(world, "doctor", "http://127.0.0.1:1")
    assert done.returncode == 1
    assert done.stdout.startswith("fail  health ")


def test_the_doctor_is_started_for_people_too(site):
    def finds_all_well():
        done = command(site.world, "doctor", site.url + site.mount + "/", within=90)
        assert done.returncode == 0, done.stdout
        return done.stdout.count("ok    ") == 9
    until(finds_all_well, 60)

