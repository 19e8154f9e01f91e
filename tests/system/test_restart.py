"""Parts that die, stop and come back: no stream is cut by the hub, nothing is lost or doubled."""
import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import types

import pytest

import fastcgi
from belfry import Hub, PATIENCE, ROOT, World, clean_environment, free_port, now, request, until
from sse import Closed, Stream, numbers


def test_kill_9_of_the_hub_cuts_no_stream(hub, site):
    streams = [Stream(site, channel="a") for _ in range(20)]
    for stream in streams:
        stream.connected()
    site.send("a", {"n": 0})
    for round_ in range(3):
        hub.kill()
        hub.start()
        began = now()
        site_ready(site)
        sent = site.send("a", {"n": 1 + round_})
        for stream in streams:
            event = stream.until_event("message", 5)
            while event.id != sent:
                event = stream.until_event("message", 5)
        assert now() - began < 4 * PATIENCE, "delivery resumes within 2 s of the hub's ready line"
    for stream in streams:
        assert not stream.closed
        stream.quiet(0.05)
        stream.close()


def site_ready(site):
    until(lambda: site.get("/ready").status == 200)


def test_while_the_hub_is_away(hub, site):
    stream = Stream(site, channel="a")
    stream.connected()
    hub.kill()
    until(lambda: site.get("/ready").status == 503)
    began = now()
    answer = site.post("/send", {"channel": "a", "data": 1})
    answer.problem(503)
    assert int(answer.headers["Retry-After"]) >= 1 and 1.5 < now() - began < 8 * PATIENCE
    assert site.get("/health").status == 200
    # A new stream is opened, kept alive, and connected when the hub is back.
    fresh = Stream(site, channel="a", ping=5)
    assert fresh.status == 200
    until(lambda: fresh.pump(1) and fresh.comments, 15, "a comment line")
    assert b"connected" not in fresh.raw
    hub.start()
    fresh.connected()
    sent = site.send("a", {"n": 1})
    assert stream.next().id == fresh.next().id == sent
    stream.close()
    fresh.close()


def test_a_publish_waits_for_a_hub_that_comes_back_soon(hub, site):
    hub.kill()
    waiting = subprocess.Popen(
        ["curl", "-sS", "-d", '{"channel":"a","data":{"n":1}}', "-H", "Content-Type: application/json",
         "-w", " %{http_code}", site.url + "/events/send"], stdout=subprocess.PIPE, text=True)
    hub.start()
    answer, _, status = waiting.communicate(timeout=20 * PATIENCE)[0].rpartition(" ")
    assert status in ("200", "503"), answer
    history = site_history(site, "a")
    assert len(history) == (1 if status == "200" else 0)


def site_history(site, channel):
    site_ready(site)
    return site.get("/history", channel=channel, limit=1000).json["events"]


def test_publishes_over_many_kills_are_once_each(hub, site):
    """A publisher that repeats with its key, a reader that just stays: all events, once, in order."""
    with Stream(site, channel="a") as stream:
        stream.connected()
        total = 60
        for n in range(total):
            if n % 15 == 7:
                hub.kill()
                hub.start(wait=False)
            send = {"channel": "a", "data": {"n": n}, "idempotencyKey": "key-%d" % n}
            until(lambda: site.post("/send", send).status == 200, 30)
        assert numbers(stream.take(total)) == list(range(total))
        assert [e["data"]["n"] for e in site_history(site, "a")] == list(range(total))


def test_kill_9_of_the_worker(worker, site):
    stream = Stream(site, channel="a")
    stream.connected()
    sent = [site.send("a", {"n": n}) for n in range(3)]
    stream.take(3)
    worker.kill()
    stream.wait_closed()
    worker.start()
    until(lambda: request(site, "GET", "/events/ready").status == 200)
    sent.append(site.send("a", {"n": 3}))
    with Stream(site, channel="a", last_id=sent[1]) as back:
        assert back.connected()["resumed"] is True
        assert [e.id for e in back.take(2)] == sent[2:]


def test_sigterm_of_the_worker_says_bye(worker, site):
    streams = [Stream(site, channel="a") for _ in range(5)]
    for stream in streams:
        stream.connected()
    worker.program.signal(signal.SIGTERM)
    for stream in streams:
        bye = stream.until_event("bye", 15)
        assert json.loads(bye.data)["reason"] == "drain"
        stream.wait_closed()
    assert worker.program.wait() == 0


@pytest.mark.options(workers=2)
def test_a_dead_child_is_replaced(worker, site):
    def children():
        found = subprocess.run(["pgrep", "-P", str(worker.pid)], stdout=subprocess.PIPE, text=True,
                               check=False)
        return set(map(int, found.stdout.split()))
    before = until(lambda: children() or None)
    victim = before.pop()
    os.kill(victim, signal.SIGKILL)
    until(lambda: victim not in children() and len(children()) >= len(before) + 1)
    for _ in range(10):
        with Stream(site, channel="a") as stream:
            stream.connected()


def test_sigterm_of_the_hub_is_clean(hub, site):
    ids = [site.send("a", {"n": n}) for n in range(20)]
    assert hub.stop() == 0, hub.log()[-2000:]
    hub.start()
    site_ready(site)
    assert [e["id"] for e in site_history(site, "a")] == ids


def test_a_second_hub_is_refused(world, hub, site):
    second = Hub(world).start(wait=False)
    assert second.program.wait() not in (0, None)
    site.send("a", 1)


def test_a_stopped_hub_is_survived(hub, site):
    """SIGSTOP and SIGCONT: as long as a machine that swaps."""
    with Stream(site, channel="a") as stream:
        stream.connected()
        hub.program.signal(signal.SIGSTOP)
        until(lambda: site.get("/ready").status == 503, 15)
        hub.program.signal(signal.SIGCONT)
        site_ready(site)
        sent = site.send("a", {"n": 1})
        assert stream.next().id == sent
        assert not stream.closed


def test_a_streams_head_waits_for_the_hub_but_not_long(hub, worker):
    """It leaves in one write with `connected`; by itself while the hub, which is there, says nothing."""
    def first_read(path="/events?channel=a"):
        with fastcgi.connect(worker) as peer:
            peer.sendall(fastcgi.get(path))
            return peer.recv(65536)
    until(lambda: b"Status: 200" in first_read("/events/ready"))
    together = [b"event: connected" in first_read() for _ in range(10)]
    assert together.count(True) >= 6, "most: on a busy machine the hub may be late"
    hub.program.signal(signal.SIGSTOP)
    began = now()
    head = first_read()
    assert b"200 OK" in head and b"retry:" in head and b"connected" not in head
    assert now() - began < 1 * PATIENCE
    hub.program.signal(signal.SIGCONT)


def unread(peer):
    """How much of what was sent is on its way still."""
    return struct.unpack("i", fcntl.ioctl(peer, termios.TIOCOUTQ, b"\0" * 4))[0]


def switches(pid):
    with open("/proc/%d/status" % pid, encoding="ascii") as status:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", status.read(), re.M)[1])


def test_a_hub_that_hangs_keeps_no_worker_busy(hub, worker):
    """Publishes gather for a millisecond while the hub is at others; without a word of it they wait."""
    body = b'{"channel":"a","data":1}'
    with fastcgi.connect(worker) as peer:
        until(lambda: peer.sendall(fastcgi.get("/events/ready", keep=True)) or
              b"Status: 200" in fastcgi.answer(peer))
    hub.program.signal(signal.SIGSTOP)
    peers = [fastcgi.connect(worker) for _ in range(4)]
    for peer in peers:
        peer.sendall(fastcgi.begin() + fastcgi.record(fastcgi.PARAMS, fastcgi.params(
            "POST", "/events/send", CONTENT_TYPE="application/json", CONTENT_LENGTH=str(len(body)))) +
            fastcgi.record(fastcgi.PARAMS) + fastcgi.record(fastcgi.STDIN, body) + fastcgi.record(fastcgi.STDIN))
    until(lambda: not any(map(unread, peers)), 5)
    began, before = now(), switches(worker.pid)
    until(lambda: now() - began > 0.5)
    assert switches(worker.pid) - before < 200
    hub.program.signal(signal.SIGCONT)
    assert all(b"200 OK" in fastcgi.answer(peer) for peer in peers)


def test_a_reader_that_reconnects_all_the_time_misses_nothing(hub, site):
    """Cut at any moment, with a hub that dies meanwhile: exactly once each, by the last id."""
    total, last, seen = 80, None, []
    with Stream(site, channel="a") as stream:
        last = stream.connected()["cursor"]
    for n in range(total):
        if n == 40:
            hub.kill()
            hub.start()
            site_ready(site)
        site.send("a", {"n": n})
        if n % 4 == 3:
            with Stream(site, channel="a", last_id=last) as stream:
                stream.connected()
                try:
                    for event in stream.take(1 + n % 3):
                        seen.append(json.loads(event.data)["n"])
                        last = event.id
                except Closed:
                    pass
    with Stream(site, channel="a", last_id=last) as stream:
        stream.connected()
        seen += numbers(stream.take(total - len(seen)))
    assert seen == list(range(total))


def test_run_survives_kill_9_of_the_hub():
    """scripts/run itself: ready line, a killed hub is started again, a worker is replaced as often as
    is wanted, Ctrl-C ends all."""
    world, port = World(), free_port()

    def pid_of(program):
        # While one takes over from another, a look from the lowest number to the highest may miss both.
        look = ["pgrep", "-f", "%s --run %s/r" % (program, world.dir)]
        return until(lambda: subprocess.run(look, text=True, stdout=subprocess.PIPE,
                                            check=False).stdout.split(), 5, program)[-1]
    try:
        run = world.program(ROOT + "/scripts/run", "--port", str(port), "--run", world.folder("r", 0o750),
                            "--data", world.folder("d"), env=dict(clean_environment(), MAKEFLAGS=""),
                            ready=r"^ready http://127\.0\.0\.1:%d/$" % port)
        run.wait_ready(120)

        site = types.SimpleNamespace(port=port, mount="/events")
        for path in ("/", "/shell", "/events/demo/chat.html"):
            assert request(site, "GET", path).status == 200, "what the pages need is there"
        alice = {"Authorization": "Bearer " + request(site, "GET", "/token/alice").text.strip()}
        assert request(site, "POST", "/events/ticket", body="{}", headers=dict(alice, **{"Content-Type": "application/json"})).status == 200
        with Stream(site, channel="demo") as stream:
            stream.connected()
            subprocess.run(["kill", "-9", pid_of("belfryd")], check=True)
            run.wait_line("hub ended .* starting it again")
            for _ in range(2):
                before = pid_of("belfry-fcgi")
                subprocess.run(["kill", "-HUP", before], check=True)
                until(lambda old=before: pid_of("belfry-fcgi") != old, 10)
                until(lambda old=before: not os.path.exists("/proc/%s/exe" % old), 10)
            send = '{"channel":"demo","data":{"text":"again"},"idempotencyKey":"again"}'
            until(lambda: request(site, "POST", "/events/send", body=send, headers={
                "Content-Type": "application/json"}).status == 200, 20)
            assert json.loads(stream.next(10).data) == {"text": "again"}
        assert "worker ended" not in run.log()
        run.signal(signal.SIGINT)
        assert run.wait() == 0, run.log()
        left = subprocess.run(["pgrep", "-f", world.dir + "/r"], text=True, stdout=subprocess.PIPE,
                              check=False).stdout
        assert left == "", left
    finally:
        world.close()
