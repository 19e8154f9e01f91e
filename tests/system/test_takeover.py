"""A worker that is replaced while it serves: whoever it serves notices nothing, whatever goes wrong."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import pytest

import fastcgi
from belfry import BUILD, PATIENCE, ROOT, Server, Worker, clean_environment, command, \
    cpu_ms, free_port, now, session, signal_pid, until
from sse import Stream, numbers
from test_cgi import call, cgi_server, handover_of, processes


class Files:
    """A worker of a program file of its own, which can be made another one."""

    def __init__(self, hub):
        self.real = os.path.join(BUILD, "belfry-fcgi")
        self.path = os.path.join(hub.world.folder("own"), "belfry-fcgi")
        self.put(self.real)
        self.worker = Worker(hub.world)
        self.worker.binary = self.path
        self.worker.start()
        self.site = Server(hub.world, "nginx").start("/ready")

    def put(self, path):
        shutil.copy(path, self.path + ".new")
        os.rename(self.path + ".new", self.path)

    def put_between(self, do, before=1):
        task = {"real": self.real, "do": do, "before": before, "old": self.worker.pid}
        with open(os.path.join(os.path.dirname(self.path), "between.json"), "w",
                  encoding="utf-8") as text:
            json.dump(task, text)
        self.put(os.path.join(ROOT, "tests/system/between.py"))

    def try_renew(self, reason, within=20):
        """A replacement that fails; the same process goes on."""
        mark = len(self.worker.log())
        self.worker.world.write_config()
        self.worker.program.signal(signal.SIGHUP)
        line = r"takeover failed, this worker goes on reason=.*" + reason
        until(lambda: "takeover failed" in self.worker.log()[mark:], within, reason)
        self.worker.program.wait_line(line)
        assert self.worker.alive


@pytest.fixture(name="files")
def files_of_a_worker(hub):
    return Files(hub)


def check(site, streams, n):
    """Each of them gets one event more, and nothing else."""
    sent = site.send("a", {"n": n})
    for stream in streams:
        event = stream.next()
        assert (event.id, json.loads(event.data)) == (sent, {"n": n})


def open_streams(site, count, channel="a", **query):
    streams = [Stream(site, channel=channel, **query) for _ in range(count)]
    for stream in streams:
        stream.connected()
    return streams


def test_streams_go_on(worker, site):
    streams = open_streams(site, 20)
    site.send("a", {"n": 0})
    for n in range(1, 4):
        old = worker.program
        worker.renew()
        site.send("a", {"n": n})
        assert old.wait() == 0, old.log()[-2000:]
    for stream in streams:
        assert numbers(stream.take(4)) == [0, 1, 2, 3]
        stream.quiet(0.05)
        stream.close()


def test_the_new_program_and_its_options_are_taken(files):
    streams = open_streams(files.site, 3)
    files.worker.set(max_channels_stream=7)
    files.worker.renew()
    check(files.site, streams, 1)
    channels = ",".join("c%d" % n for n in range(8))
    assert "more than 7 channels" in files.site.get("", channel=channels).text


def test_a_configuration_that_is_none(files):
    streams = open_streams(files.site, 3)
    with open(files.worker.world.config, "a", encoding="utf-8") as config:
        config.write("\n[worker]\nno_such_option = 1\n")
    files.worker.world.write_config = lambda: files.worker.world.config
    files.try_renew("the other one ended")
    assert "no_such_option" in files.worker.log()
    check(files.site, streams, 1)


def test_a_program_that_is_gone(files):
    streams = open_streams(files.site, 3)
    os.unlink(files.path)
    files.try_renew("No such file")
    check(files.site, streams, 1)
    files.put(files.real)
    files.worker.renew()
    check(files.site, streams, 2)


@pytest.mark.parametrize("do, before, reason", [
    ("exit", 1, "the other one ended"),
    ("version", 1, "version 9"),
    ("nonsense", 1, "cannot be read"),
    ("kill_new", 1, "the other one ended"),
    ("kill_new", 3, "the other one ended"),
    ("kill_new", 5, "the other one ended"),
    ("kill_new", 7, "the other one ended"),
    ("garble", 2, "the new one refused"),
    ("garble", 4, "the new one refused"),
    ("version", 2, "the new one refused: the other one speaks version 9"),
    ("nonsense", 4, "the new one refused"),
    ("hang", 3, "the other one is silent"),
    ("hang", 7, "the other one is silent"),
    ("hang", 1, "not ready in time"),
])
def test_one_that_fails_leaves_everything_to_the_old_one(files, do, before, reason):
    streams = open_streams(files.site, 3)
    files.put_between(do, before)
    files.try_renew(reason)
    check(files.site, streams, 1)
    for pid in session(files.worker.pid):
        if pid != files.worker.pid:
            signal_pid(pid, signal.SIGKILL)
    check(files.site, streams, 2)
    files.put(files.real)
    files.worker.renew()
    check(files.site, streams, 3)


@pytest.mark.parametrize("before", [2, 4, 6, 7])
def test_one_whose_old_one_dies_ends_too(files, before):
    """Nothing is served by two, nor by one that nobody knows."""
    streams = open_streams(files.site, 3)
    files.put_between("kill_old", before)
    files.worker.program.signal(signal.SIGHUP)
    until(lambda: "takeover given up" in files.worker.log(), 20)
    for stream in streams:
        stream.wait_closed()
    until(lambda: not session(files.worker.pid))
    files.put(files.real)
    files.worker.start()
    until(lambda: files.site.get("/ready").status == 200)
    check(files.site, open_streams(files.site, 3), 1)


def test_a_stop_while_the_new_one_starts(files):
    streams = open_streams(files.site, 3)
    files.put_between("hang")
    files.worker.program.signal(signal.SIGHUP)
    files.worker.program.wait_line("takeover begins")
    files.worker.program.signal(signal.SIGTERM)
    for stream in streams:
        assert json.loads(stream.until_event("bye").data) == {"reason": "drain"}
    assert files.worker.program.wait() == 0
    for pid in session(files.worker.pid):
        signal_pid(pid, signal.SIGKILL)
    until(lambda: not session(files.worker.pid))


# What is half done.

def test_half_a_request(worker):
    """In the middle of a header, of the variables, of a body; and between two requests."""
    body = b'{"channel":"a","data":{"n":1}}'
    whole = fastcgi.begin(keep=True) + fastcgi.record(fastcgi.PARAMS, fastcgi.params(
        "POST", "/events/send", CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(body)))) + \
        fastcgi.record(fastcgi.PARAMS) + fastcgi.record(fastcgi.STDIN, body, padding=3) + \
        fastcgi.record(fastcgi.STDIN)
    cuts = [0, 3, 12, 20, 200, len(whole) - 20, len(whole) - 13, len(whole) - 9, len(whole) - 2]
    peers = [fastcgi.connect(worker) for _ in cuts]
    for cut, peer in zip(cuts, peers):
        peer.sendall(whole[:cut])
    until(lambda: open_connections(worker) == len(cuts))
    worker.renew()
    for cut, peer in zip(cuts, peers):
        peer.sendall(whole[cut:])
        assert b"Status: 200" in fastcgi.answer(peer), cut
    worker.renew()
    for peer in peers:
        peer.sendall(fastcgi.get(keep=True))
        assert b'"worker":1' in fastcgi.answer(peer)
        peer.close()


def test_connections_over_tcp(world, hub):
    port = free_port()
    world.set(socket="127.0.0.1:%d" % port)
    worker = Worker(world).start()
    peers = [socket.create_connection(("127.0.0.1", port), 10 * PATIENCE) for _ in range(2)]
    peers[0].sendall(fastcgi.get("/events?channel=a"))
    while b"connected" not in fastcgi.read_record(peers[0])[2]:
        pass
    whole = fastcgi.get(keep=True)
    peers[1].sendall(whole[:30])
    for _ in range(2):
        worker.renew()
        assert command(world, "pub", "a", "x").returncode == 0
        assert b"data: x" in fastcgi.read_record(peers[0])[2]
    peers[1].sendall(whole[30:])
    assert b'"worker":1' in fastcgi.answer(peers[1])
    assert "ready fcgi=127.0.0.1:%d" % port in worker.log() and hub.alive
    for peer in peers:
        peer.close()


def open_connections(worker):
    """Of web servers, on the worker's socket."""
    found = subprocess.run(["ss", "-xH", "state", "connected"], capture_output=True, text=True,
                           check=False).stdout
    return sum(worker.socket in line for line in found.splitlines())


@pytest.mark.options(max_event="1M", log_level="info")
def test_half_a_record(worker, site):
    """One that does not read: what the socket has not taken goes on in the middle."""
    peer = fastcgi.connect(worker)
    peer.sendall(fastcgi.get("/events?channel=a"))
    out = b""
    while b"connected" not in out:
        out += fastcgi.read_record(peer)[2]
    data = [str(n) * 300000 for n in range(1, 7)]
    for text in data[:3]:
        site.send("a", text)
    worker.renew()
    for text in data[3:]:
        site.send("a", text)
    worker.renew()
    while out.count(b"\n\n") < 1 + len(data):
        kind, _, content = fastcgi.read_record(peer)
        assert kind == fastcgi.STDOUT
        out += content
    got = [line[6:] for line in out.split(b"\n") if line.startswith(b"data: ")]
    assert got[1:] == [text.encode() for text in data]
    peer.close()


def in_background(call):
    """Starts it in a thread; returns how to wait for what it returns."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()

    def wait():
        thread.join(30 * PATIENCE)
        assert found, "no answer"
        return found[0]
    return wait


def test_a_poll_that_waits(hub, worker, site):
    cursor = site.get("/poll", channel="a", wait=0).json["cursor"]
    answers = [in_background(lambda: site.get("/poll", channel="a", cursor=cursor, wait=20))
               for _ in range(3)]
    late = in_background(lambda: site.get("/poll", channel="b", cursor=cursor, wait=round(3 * PATIENCE)))
    until(lambda: command(hub.world, "streams").stdout.count("poll") == 4)
    begin = now()
    worker.renew()
    worker.renew()
    sent = site.send("a", {"n": 1})
    for answer in answers:
        answer = answer().json
        assert answer["cursor"] == sent and len(answer["events"]) == 1, answer
    assert late().json["events"] == []
    assert now() - begin < (3 + 5) * PATIENCE, "its time goes on"


@pytest.mark.parametrize("key", [None, "key-1"])
def test_a_publish_under_way_is_answered(hub, worker, key):
    """By the old one, which lives on for it; and the connection is the new one's afterwards."""
    worker.program.wait_line("link welcome")
    peer = fastcgi.connect(worker)
    more = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
    hub.program.signal(signal.SIGSTOP)
    try:
        peer.sendall(fastcgi.send(1, **more))
        until(lambda: open_connections(worker) == 1)
        old = worker.program
        worker.renew()
        assert "requests=1" in worker.log()
    finally:
        hub.program.signal(signal.SIGCONT)
    assert b"Status: 200" in fastcgi.answer(peer)
    assert old.wait() == 0
    peer.sendall(fastcgi.get("/events/history?channel=a", keep=True))
    history = fastcgi.answer(peer)
    assert history.count(b'"n":1') == 1, history
    peer.close()


def test_a_channel_added_to_one_that_moved(worker, site):
    stream = Stream(site, channel="a")
    client = stream.connected()["clientId"]
    worker.renew()
    added = site.post("/subscribe", {"clientId": client, "channel": "b"})
    assert sorted(added.json["channels"]) == ["a", "all", "b"], added.text
    site.send("b", {"n": 1})
    assert numbers(stream.take(1)) == [1]
    worker.renew()
    site.send("b", {"n": 2})
    assert numbers(stream.take(1)) == [2]
    assert site.post("/unsubscribe", {"clientId": client, "channel": "b"}).status == 200
    direct = site.post("/send", {"client": client, "data": {"n": 3}})
    assert direct.status == 200, direct.text
    assert numbers(stream.take(1)) == [3]
    stream.close()


def test_a_stream_that_waits_for_the_hub(hub, worker, site):
    """It is opened by the new one, when the hub is back."""
    hub.kill()
    stream = Stream(site, channel="a")
    worker.renew()
    hub.start()
    stream.connected()
    site.send("a", {"n": 1})
    assert numbers(stream.take(1)) == [1]
    stream.close()


def test_replays_go_on_where_they_were(worker, site):
    """Held starts and long replays, through two replacements."""
    first = site.send("a", {"n": 0})
    lines = "".join(json.dumps({"channel": "a", "data": {"n": n}}) + "\n" for n in range(1, 900))
    assert site.post("/send", raw=lines, kind="application/x-ndjson").status == 200
    streams = [Stream(site, channel="a", last_id=first) for _ in range(30)]
    worker.renew()
    held = Stream(site, last_id=first)
    client = held.connected()["clientId"]
    worker.renew()
    assert site.post("/subscribe", {"clientId": client, "channel": "a"}).status == 200
    for stream in streams + [held]:
        if stream is not held:
            assert stream.connected()["resumed"]
        assert numbers(stream.take(899)) == list(range(1, 900))
        stream.close()


@pytest.mark.parametrize("name", ["lighttpd", "apache"])
def test_streams_of_cgi_programs(hub, worker, name):
    server = cgi_server(hub.world, name, name + "-cgi").start()
    streams = open_streams(server, 3)
    for n in range(3):
        worker.renew()
        server.send("a", {"n": n})
    for stream in streams:
        assert numbers(stream.take(3)) == [0, 1, 2]
    late = open_streams(server, 1)
    server.send("a", {"n": 3})
    for stream in streams + late:
        assert numbers(stream.take(1)) == [3]
        stream.close()
    until(lambda: not processes(hub.world), what="CGI programs that have handed over end")


def test_half_of_a_cgi_program_s_request(worker):
    """It says the rest to the new one."""
    said = handover_of("/events/health")
    out, browser = socket.socketpair()
    with call(worker) as peer:
        socket.send_fds(peer, [said[:8]], [out.fileno()])
        worker.renew()
        out.close()
        peer.sendall(said[8:])
        assert peer.recv(1) == b"k"
    browser.settimeout(10 * PATIENCE)
    said = b""
    while b'"ok":true' not in said:
        said += browser.recv(4096) or pytest.fail("the answer ends: %r" % said)


# Who supervises it.

def test_systemd_is_told(world, hub, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(path)
        told.settimeout(20 * PATIENCE)
        worker = Worker(world)
        worker.program = world.program(
            os.path.join(BUILD, "belfry-fcgi"), "--config", world.write_config(), ready="ready",
            env=dict(clean_environment(), NOTIFY_SOCKET=path)).wait_ready()
        assert told.recv(200) == b"READY=1"
        old = worker.pid
        worker.renew()
        assert told.recv(200).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert told.recv(200) == b"MAINPID=%d\nREADY=1" % worker.pid
        assert worker.pid != old and hub.alive
        with open(world.config, "a", encoding="utf-8") as config:
            config.write("\n[worker]\nno_such_option = 1\n")
        worker.program.signal(signal.SIGHUP)
        assert told.recv(200).startswith(b"RELOADING=1")
        assert told.recv(300).startswith(b"STATUS=the other one ended")
        assert told.recv(200) == b"READY=1"


@pytest.mark.options(workers=2)
def test_a_worker_that_took_over_and_dies_is_replaced(worker, site):
    streams = open_streams(site, 4)
    lines = worker.renew()
    check(site, streams, 1)
    heir = int(lines[0].split("by=")[1].split()[0])
    mark = len(worker.log())
    os.kill(heir, signal.SIGKILL)
    until(lambda: "worker died" in worker.log()[mark:] and "\nready" in worker.log()[mark:])
    fresh = open_streams(site, 4)
    site.send("a", {"n": 2})
    for stream in fresh:
        assert numbers(stream.take(1)) == [2]
    worker.renew()
    check(site, fresh, 3)


@pytest.mark.options(workers=2)
def test_workers_end_with_their_supervisor(worker, site):
    """Also those that took over, whose parent it never was; and meanwhile they sleep."""
    worker.renew()
    until(lambda: len(session(worker.pid)) == 3, what="those that were replaced are gone")
    streams = open_streams(site, 40)    # each 100 ms one is sent away
    before = {pid: cpu_ms(pid) for pid in session(worker.pid)}
    worker.program.signal(signal.SIGKILL)
    worker.program.wait()
    for n, stream in enumerate(streams):
        assert json.loads(stream.until_event("bye").data) == {"reason": "drain"}
        if n == 25:
            used = [cpu_ms(pid) - before[pid] for pid in session(worker.pid)]
    assert max(used) < 200
    until(lambda: not session(worker.pid), 20)


@pytest.mark.options(workers=3)
def test_a_stop_in_the_middle_of_replacements(worker, site):
    streams = open_streams(site, 6)
    worker.program.signal(signal.SIGHUP)
    worker.program.wait_line("taken over")
    worker.program.signal(signal.SIGTERM)
    for stream in streams:
        stream.until_event("bye")
    assert worker.program.wait() == 0
    until(lambda: not session(worker.pid), 20)


# What only the old one can answer, and what only then becomes fit for the new one.

def test_replaced_twice_while_a_publish_is_under_way(hub, worker):
    """The connection goes from the first by the second to the third."""
    worker.program.wait_line("link welcome")
    peer = fastcgi.connect(worker)
    hub.program.signal(signal.SIGSTOP)
    try:
        peer.sendall(fastcgi.send(1))
        until(lambda: open_connections(worker) == 1)
        old = [worker.program]
        worker.renew()
        old.append(worker.program)
        worker.renew()
    finally:
        hub.program.signal(signal.SIGCONT)
    assert b"Status: 200" in fastcgi.answer(peer)
    assert [program.wait() for program in old] == [0, 0]
    for _ in range(2):
        peer.sendall(fastcgi.get("/events/poll?channel=a&wait=0", keep=True))
        assert b"Status: 200" in fastcgi.answer(peer)
    peer.close()


def test_more_answers_at_once_than_the_new_one_can_be_told_of(hub, worker):
    worker.program.wait_line("link welcome")
    peers = [fastcgi.connect(worker) for _ in range(400)]
    hub.program.signal(signal.SIGSTOP)
    try:
        for n, peer in enumerate(peers):
            peer.sendall(fastcgi.send(n))
        until(lambda: open_connections(worker) == len(peers))
        old = worker.program
        worker.renew()
        worker.program.signal(signal.SIGSTOP)
    finally:
        hub.program.signal(signal.SIGCONT)
    for peer in peers:
        assert b"Status: 200" in fastcgi.answer(peer)
    worker.program.signal(signal.SIGCONT)
    assert old.wait() == 0
    for peer in peers:
        peer.sendall(fastcgi.get("/events/poll?channel=a&wait=0", keep=True))
    for peer in peers:
        assert b"Status: 200" in fastcgi.answer(peer)
        peer.close()


def cgi_program(world, uri):
    """Run as a web server does; returns where its answer comes, when the worker has its request."""
    answer, its = os.pipe()
    subprocess.run([os.path.join(BUILD, "belfry-fcgi")], stdin=subprocess.DEVNULL, stdout=its,
                   timeout=20 * PATIENCE, check=True, env=dict(
                       clean_environment(), BELFRY_CONFIG=world.config, REQUEST_METHOD="GET",
                       GATEWAY_INTERFACE="CGI/1.1", SERVER_PROTOCOL="HTTP/1.1",
                       REMOTE_ADDR="127.0.0.1", REQUEST_URI=uri))
    os.close(its)
    return os.fdopen(answer, "rb")


@pytest.mark.options(hub_wait="30s", publish_timeout="100ms")
def test_a_poll_that_waits_for_the_hub(hub, worker):
    """It is opened by the new one (here the next but one), although the old one let it wait; longer
    than it lets a publish wait, too. So is one of a CGI program."""
    uri = "/events/poll?channel=a&wait=0"
    hub.kill()
    with fastcgi.connect(worker, 40) as peer, cgi_program(hub.world, uri) as answer:
        peer.sendall(fastcgi.get(uri, keep=True))
        until(lambda: open_connections(worker) == 1)
        old = [worker.program]
        worker.renew()
        old.append(worker.program)
        worker.renew()
        hub.start()
        assert b"Status: 200" in fastcgi.answer(peer)
        assert answer.read().startswith(b"Status: 200")
        assert [program.wait() for program in old] == [0, 0]
        peer.sendall(fastcgi.get(keep=True))
        assert b"Status: 200" in fastcgi.answer(peer)


@pytest.mark.options(hub_wait="30s")
def test_more_polls_of_cgi_programs_at_once_than_the_new_one_can_be_told_of(hub, worker):
    hub.kill()
    pipes, old = [], worker.program
    for _ in range(400):
        reading, writing = os.pipe()
        with call(worker) as peer:
            socket.send_fds(peer, [handover_of("/events/poll?channel=a&wait=0")], [writing])
            assert peer.recv(1) == b"k"
        os.close(writing)
        pipes.append(os.fdopen(reading, "rb"))
    worker.renew()
    worker.program.signal(signal.SIGSTOP)
    hub.start()
    until(lambda: "link welcome" in old.log().rpartition("taken over")[2])
    until(lambda: len(os.listdir("/proc/%d/fd" % old.pid)) < 300, what="it gives as many as it can")
    worker.program.signal(signal.SIGCONT)
    for pipe in pipes:
        assert pipe.read().startswith(b"Status: 200")
    assert old.wait() == 0
