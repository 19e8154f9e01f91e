"""The same binary as a plain CGI program, with and without a resident worker, and under mod_fcgid."""
import os
import shutil
import subprocess

import pytest

from belfry import BUILD, Server, Worker, command, until, web_user
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
