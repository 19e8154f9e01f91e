"""The same binary as a plain CGI program, with and without a resident worker, and under mod_fcgid."""
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest

import fastcgi
from belfry import BUILD, PATIENCE, Server, Worker, clean_environment, command, now, until, web_user
from sse import Stream, numbers

SERVERS = ("lighttpd", "apache")


def cgi_server(world, name, conf):
    # Where the web server's user may run it, whoever owns this tree.
    binary = os.path.join(world.folder("bin"), "belfry-fcgi")
    shutil.copy(os.path.join(BUILD, "belfry-fcgi"), binary)
    os.chmod(binary, 0o755)
    return Server(world, name, conf=conf, WORKER=binary)


def processes(world):
    found = subprocess.run(["pgrep", "-f", world.dir + "/bin/belfry-fcgi"], text=True,
                           stdout=subprocess.PIPE, check=False).stdout
    return found.split()


def variables(uri, method="GET", **more):
    return dict({"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": method, "REQUEST_URI": uri,
                 "SCRIPT_NAME": "/events", "SERVER_PROTOCOL": "HTTP/1.1"}, **more)


def run_program(world, uri, body=b"", **more):
    """What it says; a body is posted."""
    if body:
        more = dict(more, method="POST", CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(body)))
    env = dict(clean_environment(), BELFRY_CONFIG=world.config, **variables(uri, **more))
    return subprocess.run([os.path.join(BUILD, "belfry-fcgi")], env=env, input=body, check=True,
                          stdout=subprocess.PIPE, timeout=30 * PATIENCE).stdout


def handover_of(uri):
    """What a program says to a worker."""
    environment = b"".join(b"%s=%s\0" % (name.encode(), value.encode())
                           for name, value in variables(uri).items())
    return b"BLF1" + len(environment).to_bytes(4, "big") + bytes(4) + environment


def call(worker):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(10 * PATIENCE)
    peer.connect(os.path.join(worker.run, "worker-1.sock"))
    return peer


@pytest.fixture
def hub_of_web_server(world, hub):
    """A CGI program runs as the web server's user and talks to the hub itself."""
    if os.getuid() == 0:
        world.set(group=web_user()[1])
        hub.restart()
    return hub


@pytest.mark.parametrize("name", SERVERS)
def test_with_a_resident_worker(hub, worker, name):
    server = cgi_server(hub.world, name, name + "-cgi").start()
    with Stream(server, channel="a") as stream:
        assert stream.status == 200
        hello = stream.connected()
        for n in range(5):
            sent = server.send("a", {"n": n})
            assert stream.next(3).id == sent
        assert server.post("/subscribe", {"clientId": hello["clientId"], "channel": "b"}).status == 200
        sent = server.send("b", {"n": 5})
        assert stream.next().id == sent
        # Handed over: no process of its own is left.
        until(lambda: not processes(hub.world))
        server.post("/send", {"data": 1}).problem(422)
        server.get("/nowhere/x").problem(404)
    listed = "a, b"
    until(lambda: listed not in command(hub.world, "streams").stdout, 40)


@pytest.mark.parametrize("name", SERVERS)
def test_without_a_worker(hub_of_web_server, name):
    world = hub_of_web_server.world
    server = cgi_server(world, name, name + "-cgi").start()
    ids = [server.send("a", {"n": n}) for n in range(4)]
    with Stream(server, channel="a", last_id=ids[0]) as stream:
        stream.connected()
        assert numbers(stream.take(3)) == [1, 2, 3]
        sent = server.send("a", {"n": 4})
        assert stream.next(5).id == sent
        assert len(processes(world)) >= 1
    answer = server.get("/poll", channel="a", cursor=ids[2], wait=0).json
    assert [e["data"]["n"] for e in answer["events"]] == [3, 4]
    server.stop()
    until(lambda: not processes(world), 20, "CGI processes end with their server")


def test_mod_fcgid(hub_of_web_server):
    server = cgi_server(hub_of_web_server.world, "apache", "apache-fcgid").start()
    with Stream(server, channel="a") as stream:
        stream.connected()
        sent = server.send("a", {"n": 1})
        assert stream.next(5).id == sent


def test_a_worker_that_comes_and_goes(hub_of_web_server, world):
    server = cgi_server(world, "lighttpd", "lighttpd-cgi").start()
    server.send("a", 1)
    worker = Worker(world).start()
    with Stream(server, channel="a") as stream:
        stream.connected()
        until(lambda: not processes(world))
        worker.kill()
        stream.wait_closed()
    server.send("a", 2)


def test_a_pipe_that_nobody_reads_holds_nobody_up(worker, site):
    """Web servers make it one that waits; a worker that did would serve nobody meanwhile."""
    reading, writing = os.pipe()
    with call(worker) as peer:
        socket.send_fds(peer, [handover_of("/events?channel=a")], [writing])
        assert peer.recv(1) == b"k"
    os.close(writing)
    for n in range(30):
        site.send("a", {"n": n, "filling": "x" * 8000})
    assert site.get("/health").status == 200
    with open(reading, "rb") as pipe:
        read = (json.loads(line[6:]) for line in pipe if line.startswith(b'data: {"n":'))
        assert [next(read)["n"] for _ in range(30)] == list(range(30))


def test_a_program_that_comes_while_the_worker_stops(world, worker, site):
    """It serves its request itself, and soon."""
    with fastcgi.connect(worker) as full:
        full.sendall(fastcgi.get("/events?channel=a"))
        assert b"Status: 200" in fastcgi.read_record(full)[2]
        for _ in range(40):
            site.send("a", "x" * 20000)
        worker.program.signal(signal.SIGTERM)
        worker.program.wait_line(" stopping ")
        began = now()
        assert b'"worker":0' in run_program(world, "/events/health")
        sent = run_program(world, "/events/send", b'{"channel":"b","data":"as it is alone"}')
        assert b"Status: 200" in sent
        assert now() - began < 4 * PATIENCE and worker.alive
    assert worker.program.wait() == 0
    assert "as it is alone" in command(world, "log", "b").stdout


@pytest.mark.options(max_connections=16)
def test_programs_count_among_the_connections(world, worker):
    """One for whom there is no room serves itself; connections wait until there is."""
    def open_stream():
        reading, writing = os.pipe()
        with call(worker) as peer, open(writing, "wb") as out:
            socket.send_fds(peer, [handover_of("/events?channel=a")], [out.fileno()])
            return open(reading, "rb"), peer.recv(1)    # pylint: disable=consider-using-with
    streams = [open_stream() for _ in range(17)]
    assert [taken for _, taken in streams] == 16 * [b"k"] + [b""]
    assert b'"worker":0' in run_program(world, "/events/health")
    with fastcgi.connect(worker) as waiting:
        waiting.sendall(fastcgi.get())
        worker.program.wait_line("no more connections are taken max_connections=16")
        for pipe, _ in streams:
            pipe.close()
        assert b'"worker":1' in fastcgi.answer(waiting)
    until(lambda: b'"worker":1' in run_program(world, "/events/health"))
