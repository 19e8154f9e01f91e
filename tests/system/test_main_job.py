"""The main job: publish, log, fan out, stream, go away, come back, behind a real web server."""
import json
import re
import subprocess

import pytest
import zmq

from belfry import PATIENCE, Worker, command, request, until
from sse import Stream, numbers

ID = re.compile(r"^[^\s,-][^\s,]*-\d+$")


def publish(site, channel, numbers_):
    return [site.send(channel, {"n": n}) for n in numbers_]


def history(site, channel, **query):
    return site.get("/history", channel=channel, **query).json["events"]


def poll(site, **query):
    answer = site.get("/poll", **query)
    assert answer.status == 200, answer.text
    return answer.json


def test_a_stream_gets_connected_and_what_is_published(site):
    with Stream(site, channel="room:1") as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert "no-store" in stream.headers["cache-control"]
        assert "connection" not in stream.headers or "keep-alive" not in stream.headers["connection"] \
            or site.name == "nginx"
        hello = stream.connected()
        assert 1000 <= stream.retry <= 5000
        assert hello["channels"] == ["room:1"] or set(hello["channels"]) >= {"room:1"}
        assert hello["user"] is None and hello["resumed"] is False and hello["ping"] == 15
        assert len(hello["clientId"]) >= 16
        assert hello["cursor"] == stream.last_id and ID.match(stream.last_id)
        sent = site.send("room:1", {"text": "hi"}, event="message.new")
        event = stream.next()
        assert (event.id, event.event, json.loads(event.data)) == (sent, "message.new", {"text": "hi"})


def test_a_stream_subscribes_by_its_client_id(site):
    with Stream(site) as stream:
        client = stream.connected()["clientId"]
        answer = site.post("/subscribe", {"clientId": client, "channel": "room:2"})
        assert answer.status == 200, answer.text
        assert "room:2" in answer.json["channels"] and ID.match(answer.json["cursor"])
        sent = site.send("room:2", {"n": 1})
        assert stream.next().id == sent
        answer = site.post("/unsubscribe", {"clientId": client, "channels": ["room:2"]})
        assert answer.status == 200 and "room:2" not in answer.json["channels"]
        site.send("room:2", {"n": 2})
        last = site.send("all", {"n": 3})
        assert stream.next().id == last


def test_what_was_missed_comes_once_each_in_order(site):
    with Stream(site, channel="room:1") as stream:
        stream.connected()
        site.send("room:1", {"n": 0})
        left = stream.take(1)[0].id
    sent = publish(site, "room:1", range(1, 6))
    site.send("room:2", {"n": 99})
    with Stream(site, channel="room:1", last_id=left) as stream:
        hello = stream.connected()
        assert hello["resumed"] is True and hello["cursor"] == left
        back = stream.take(5)
        assert [event.id for event in back] == sent and numbers(back) == [1, 2, 3, 4, 5]
        live = site.send("room:1", {"n": 6})
        assert stream.next().id == live


@pytest.mark.parametrize("name", ["last_event_id", "lastEventId", "Last-Event-ID", "cursor"])
def test_a_cursor_in_the_query_resumes(site, name):
    ids = publish(site, "room:1", range(4))
    with Stream(site, **{"channel": "room:1", name: ids[1]}) as stream:
        stream.connected()
        assert numbers(stream.take(2)) == [2, 3]


def test_the_header_beats_the_query(site):
    ids = publish(site, "room:1", range(4))
    with Stream(site, channel="room:1", last_event_id=ids[0], last_id=ids[2]) as stream:
        stream.connected()
        assert numbers(stream.take(1)) == [3]


def test_what_was_missed_survives_kill_9_of_the_hub(hub, site):
    with Stream(site, channel="room:1") as stream:
        stream.connected()
        site.send("room:1", {"n": 0})
        left = stream.take(1)[0].id
    first = publish(site, "room:1", [1, 2])
    hub.kill()
    hub.start()
    until(lambda: site.get("/ready").status == 200)
    second = publish(site, "room:1", [3, 4, 5])
    with Stream(site, channel="room:1", last_id=left) as stream:
        assert stream.connected()["resumed"] is True
        back = stream.take(5)
        assert [event.id for event in back] == first + second
        assert numbers(back) == [1, 2, 3, 4, 5]
        stream.quiet(0.2)


def test_what_was_missed_survives_a_restart_of_everything(hub, worker, site):
    ids = publish(site, "room:1", range(6))
    site.stop()
    assert worker.stop() == 0, worker.log()[-2000:]
    assert hub.stop() == 0, hub.log()[-2000:]
    hub.start()
    worker.start()
    site.start("/ready")
    with Stream(site, channel="room:1", last_id=ids[0]) as stream:
        assert stream.connected()["resumed"] is True
        assert [event.id for event in stream.take(5)] == ids[1:]
    assert [event["id"] for event in history(site, "room:1")] == ids


@pytest.mark.parametrize("bad", ["nonsense", "0000-5", "0000-99999999999999999999", "-", "%00", "a b",
                                 "x" * 2000])
def test_a_bad_id_is_a_gap_on_an_open_stream(site, bad):
    sent = publish(site, "room:1", [1, 2])
    with Stream(site, channel="room:1", last_id=bad) as stream:
        assert stream.status == 200
        seen = [stream.next(), stream.next()]
        assert {event.event for event in seen} == {"connected", "gap"}
        gap = json.loads(next(event.data for event in seen if event.event == "gap"))
        assert gap["reason"] == "unknown" and gap["channels"] and "requested" in gap
        hello = json.loads(next(event.data for event in seen if event.event == "connected"))
        assert hello["resumed"] is False
        # From the oldest kept.
        assert [event.id for event in stream.take(2)] == sent
        live = site.send("room:1", {"n": 3})
        assert stream.next().id == live


@pytest.mark.channels({"short:*": {"keep": 3}})
def test_a_pruned_id_is_a_gap_and_goes_on_from_the_oldest_kept(site):
    ids = publish(site, "short:1", range(10))
    until(lambda: len(history(site, "short:1")) == 3)
    with Stream(site, channel="short:1", last_id=ids[1]) as stream:
        gap = json.loads(stream.until_event("gap").data)
        assert gap["reason"] == "pruned" and gap["channels"] == ["short:1"]
        assert gap["requested"] == ids[1] and gap["oldest"]
        assert [e.id for e in stream.take(3)] == ids[7:]
    with Stream(site, channel="short:1", last_id=ids[7]) as stream:
        assert stream.connected()["resumed"] is True
        assert [e.id for e in stream.take(2)] == ids[8:]


def come_back_past_a_floor(site, last_id, gone, came):
    """By every way there is: `gone`, where a gap is due, says up to where; `came` comes."""
    def judge(gap, ids):
        assert (gap and (gap["reason"], gap["oldest"])) == (gone and ("pruned", gone)), gap
        assert ids == came

    for names in ({"channel": "short:1"}, {"channel": "short:*"}):
        with Stream(site, last_id=last_id, **names) as stream:
            assert stream.connected()["resumed"] is (gone is None)
            gap = gone and json.loads(stream.until_event("gap").data)
            judge(gap, [event.id for event in stream.take(len(came))])
            stream.quiet(0.1)
        answer = poll(site, cursor=last_id, **names)
        judge(answer["gap"], [event["id"] for event in answer["events"]])
    with Stream(site, channel="other", envelope=1) as stream:
        answer = site.post("/subscribe", {"clientId": stream.connected()["clientId"],
                                          "channel": "short:1", "cursor": last_id})
        assert answer.status == 200, answer.text
        gap = gone and json.loads(stream.until_event("gap").data)
        judge(gap, [json.loads(event.data)["id"] for event in stream.take(len(came))])
        stream.quiet(0.1)


@pytest.mark.channels({"short:*": {"keep": 3}})
def test_what_the_worker_still_has_is_no_gap(worker, site):
    with Stream(site, channel="short:1,short:*") as witness:
        witness.connected()
        ids = publish(site, "short:1", range(12))
        witness.take(12)
        until(lambda: len(history(site, "short:1")) == 3)
        come_back_past_a_floor(site, ids[1], None, ids[2:])
    worker.restart()
    until(lambda: site.get("/ready").status == 200)
    come_back_past_a_floor(site, ids[1], ids[8], ids[9:])


@pytest.mark.channels({"short:*": {"keep": 3}})
@pytest.mark.options(ring_events=16)
def test_a_gap_ends_where_the_worker_goes_on(site):
    with Stream(site, channel="short:1,short:*") as witness:
        witness.connected()
        ids = publish(site, "short:1", range(20))
        witness.take(20)
        until(lambda: len(history(site, "short:1")) == 3)
        come_back_past_a_floor(site, ids[1], ids[3], ids[4:])


def test_no_false_gap_on_a_quiet_channel(site):
    with Stream(site, channel="quiet") as stream:
        left = stream.connected()["cursor"]
    publish(site, "busy", range(50))
    with Stream(site, channel="quiet", last_id=left) as stream:
        assert stream.connected()["resumed"] is True
        sent = site.send("quiet", {"n": 1})
        assert stream.next().id == sent


def test_long_poll_and_history_agree_with_the_stream(site):
    with Stream(site, channel="room:1,room:2", envelope=1) as stream:
        start = stream.connected()["cursor"]
        for n in range(6):
            site.send("room:%d" % (1 + n % 2), {"n": n}, event="tick")
        streamed = [json.loads(event.data) for event in stream.take(6)]
    first = poll(site, channel="room:1,room:2", cursor=start, limit=4)
    assert first["more"] is True and first["gap"] is None
    second = poll(site, channel="room:1,room:2", cursor=first["cursor"])
    assert second["more"] is False
    assert first["events"] + second["events"] == streamed
    assert history(site, "room:1") == [e for e in streamed if e["channel"] == "room:1"]
    assert set(streamed[0]) == {"id", "channel", "event", "data", "user", "time"}
    assert streamed[0]["event"] == "tick" and streamed[0]["user"] is None


def test_a_long_poll_waits_and_is_answered_by_an_event(site):
    start = poll(site, channel="room:1", wait=0)
    assert start["events"] == []
    assert poll(site, channel="room:1", cursor=start["cursor"], wait=0)["events"] == []
    waiting = subprocess.Popen(["curl", "-sS", "%s/events/poll?channel=room:1&wait=20&cursor=%s" % (
        site.url, start["cursor"])], stdout=subprocess.PIPE)
    until(lambda: "room:1" in command(site.world, "streams").stdout, 10, "the poll waits")
    sent = site.send("room:1", {"n": 1})
    answer = json.loads(waiting.communicate(timeout=10 * PATIENCE)[0])
    assert [event["id"] for event in answer["events"]] == [sent] and answer["cursor"] == sent


def test_publishing_by_zeromq_prints_the_id(hub, site):
    with Stream(site, channel="room:1") as stream:
        stream.connected()
        client = zmq.Context.instance().socket(zmq.REQ)
        client.setsockopt(zmq.RCVTIMEO, int(10000 * PATIENCE))
        client.connect(hub.endpoint("publish"))
        client.send_multipart([b"room:1", b"note", b"hello"])
        verdict, sent = client.recv_multipart()
        client.close(0)
        assert verdict == b"ok"
        event = stream.next()
        assert (event.id, event.event, event.data) == (sent.decode(), "note", "hello")


def test_the_tap_sees_the_event(hub, site):
    tap = zmq.Context.instance().socket(zmq.SUB)
    tap.connect(hub.endpoint("tap"))
    tap.setsockopt(zmq.SUBSCRIBE, b"room:")
    seen = []

    def publish_until_seen():
        # A SUB joins when it can: publish until it has.
        sent = site.send("room:1", {"n": 1}, event="tick")
        while tap.poll(200):
            seen.append(tap.recv_multipart())
        return any(frames[1] == sent.encode() for frames in seen)
    until(publish_until_seen)
    channel, _, event, data = seen[-1]
    assert (channel, event, json.loads(data)) == (b"room:1", b"tick", {"n": 1})
    tap.close(0)


def test_the_shell_publishes(site):
    with Stream(site, channel="room:1") as stream:
        stream.connected()
        done = command(site.world, "pub", "room:1", "from the shell")
        assert done.returncode == 0, done.stderr
        event = stream.next()
        assert (event.id, event.data) == (done.stdout.strip(), "from the shell")


@pytest.mark.options(workers=2)
def test_subscribe_through_another_worker(site):
    """Each connection goes to whichever worker takes it: some of these posts reach the other one."""
    streams = []
    for n in range(8):
        stream = Stream(site)
        client = stream.connected()["clientId"]
        answer = site.post("/subscribe", {"clientId": client, "channel": "far:%d" % n})
        assert answer.status == 200, answer.text
        streams.append(stream)
    for n, stream in enumerate(streams):
        sent = site.send("far:%d" % n, {"n": n})
        assert stream.next().id == sent
        stream.close()


def test_a_second_worker_on_a_live_folder_is_refused(world, worker):
    second = Worker(world).start(wait=False)
    assert second.program.wait() not in (0, None)
    assert worker.alive


def test_health_and_ready_and_metrics(site):
    assert site.get("/health").status == 200
    assert site.get("/ready").status == 200
    metrics = site.get("/metrics")
    assert metrics.status == 200 and "belfry_" in metrics.text
    assert request(site, "HEAD", "/events").status == 200
