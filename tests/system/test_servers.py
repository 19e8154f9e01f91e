"""The same through nginx, lighttpd, Apache, Caddy and h2o, each with its file from conf/."""
import json
import socket

import pytest

from belfry import PATIENCE, Server, command, now, request, until
from gate import Gate
from sse import Stream, numbers

# Heartbeats after which a worker has noticed that a browser left (Caddy buffers some writes).
NOTICED = {"caddy": 4}


def test_main_job(server, hub):
    with Stream(server, channel="room:1") as stream:
        assert stream.status == 200
        hello = stream.connected()
        assert server.post("/subscribe", {"clientId": hello["clientId"],
                                          "channel": "room:2"}).status == 200
        first = server.send("room:1", {"n": 0}, event="tick")
        second = server.send("room:2", {"n": 1})
        assert [e.id for e in stream.take(2)] == [first, second]
    sent = [server.send("room:1", {"n": n}) for n in range(2, 7)]
    hub.kill()
    hub.start()
    with Stream(server, channel="room:1", last_id=second) as stream:
        stream.connected()
        back = stream.take(5)
        assert [e.id for e in back] == sent and numbers(back) == [2, 3, 4, 5, 6]
    with Stream(server, channel="room:1", last_id="nonsense") as stream:
        assert stream.status == 200
        assert json.loads(stream.until_event("gap").data)["reason"] == "unknown"
    cursor = server.get("/poll", channel="room:1", cursor=second).json
    assert [e["id"] for e in cursor["events"]] == sent


def test_events_flow_one_by_one(server):
    """Nothing on the way waits for more: each event is here before the next is published."""
    with Stream(server, channel="flow") as stream:
        stream.connected()
        for n in range(50):
            sent = server.send("flow", {"n": n})
            assert stream.next(2).id == sent


def test_head_options_404_405(server):
    began = now()
    head = request(server, "HEAD", "/events?channel=a")
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Type"].startswith("text/event-stream")
    assert now() - began < 5 * PATIENCE
    assert request(server, "OPTIONS", "/events/send").status == 204
    server.post("/nowhere/at/all", {}).problem(404)
    wrong = server.get("/send")
    wrong.problem(405)
    assert "POST" in wrong.headers["Allow"]
    server.post("/history", {}).problem(405)


def test_large_and_binary_safe_bodies(server):
    text = "grüße \U0001f514 " * 4000
    with Stream(server, channel="large") as stream:
        stream.connected()
        server.send("large", text)
        assert stream.next().data == text
    server.post("/send", {"channel": "large", "data": "x" * 300000}).problem(413)


def test_static_page_and_problem_body(server):
    with open(server.world.site + "/index.html", "w", encoding="utf-8") as page:
        page.write("<p>here")
    assert request(server, "GET", "/").text == "<p>here"
    problem = server.post("/send", {"data": 1}).problem(422)
    assert "channel" in problem["detail"]


def test_the_query_string_stays_out_of_the_log(server, worker):
    server.get("/history", channel="secret-channel")
    server.get("/poll", channel="a", ticket="secret-ticket").problem(401)
    server.get("/health")
    path = server.home + "/access.log"

    def written():
        with open(path, encoding="utf-8") as log:
            return log.read().count("/events") >= 3
    worker.stop()
    server.stop()
    until(written)
    with open(path, encoding="utf-8") as log:
        assert "secret" not in log.read()


def test_a_leaving_browser_is_noticed(server):
    """At once behind nginx and lighttpd, at a heartbeat behind the others."""
    ping = 5
    stream = Stream(server, channel="leaving:%s" % server.name, ping=ping)
    stream.connected()
    listed = "leaving:%s" % server.name
    until(lambda: listed in command(server.world, "streams").stdout)
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    stream.close()
    within = 2 if server.name in ("nginx", "lighttpd") else \
        ping * NOTICED.get(server.name, 2) + 2
    until(lambda: listed not in command(server.world, "streams").stdout, within)


# Where the server compresses, what to add for it. (lighttpd and h2o leave the stream alone; Caddy
# holds a compressed stream back, as conf/caddy.conf says, and so does not.)
COMPRESS = {
    "nginx": lambda text: text.replace("gzip off;", "gzip on; gzip_types text/event-stream; "
                                       "gzip_min_length 0; gzip_proxied any;"),
    "apache": lambda text: text + "LoadModule filter_module /usr/lib/apache2/modules/mod_filter.so\n"
                                  "LoadModule deflate_module /usr/lib/apache2/modules/mod_deflate.so\n"
                                  "AddOutputFilterByType DEFLATE text/event-stream\n",
}


@pytest.mark.parametrize("name", sorted(COMPRESS))
def test_a_compressed_stream_still_flows(worker, name):
    server = Server(worker.world, name, change=COMPRESS[name]).start("/ready")
    with Stream(server, channel="zip", headers={"Accept-Encoding": "gzip"}) as stream:
        assert stream.headers.get("content-encoding") == "gzip"
        stream.connected()
        for n in range(10):
            sent = server.send("zip", {"n": n})
            assert stream.next(5).id == sent


def test_a_mount_elsewhere(world, hub, worker):
    world.set(mount="/live/push")
    worker.restart()
    server = Server(world, "nginx", mount="/live/push").start("/ready")
    with Stream(server, channel="a") as stream:
        stream.connected()
        sent = server.send("a", {"n": 1})
        assert stream.next().id == sent


@pytest.mark.parametrize("mount", ("/", "/live/"))
def test_a_mount_that_ends_in_a_slash(world, hub, worker, mount):
    world.set(mount=mount)
    worker.restart()
    gate = Gate(worker)
    for n in range(2):
        sent = gate.ask("POST", mount + "send", {}, {"channel": "a", "data": n})
        assert sent.status == 200, sent.body
    page = gate.ask("GET", mount + "history?channel=a&limit=1", {}).json
    assert page["next"].startswith(mount + "history?"), "of this host"
    assert [e["data"] for e in gate.ask("GET", page["next"], {}).json["events"]] == [1]


@pytest.mark.long
def test_an_idle_stream_lives_three_minutes(server):
    with Stream(server, channel="idle", ping=50) as stream:
        stream.connected()
        stream.quiet(180)
        sent = server.send("idle", {"n": 1})
        assert stream.next().id == sent
