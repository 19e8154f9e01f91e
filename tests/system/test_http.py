"""Every row and every error of the HTTP contract (fcgi/HTTP.md)."""
import gzip
import json
import re
import time

import pytest
import zmq

from belfry import PATIENCE, Server, now, request, until
from sse import Stream, numbers


def poll(site, **query):
    answer = site.get("/poll", **dict({"wait": 0}, **query))
    assert answer.status == 200, answer.text
    return answer.json


def history(site, channel, **query):
    answer = site.get("/history", channel=channel, **query)
    assert answer.status == 200, answer.text
    return answer.json


# GET /events

def test_name_in_the_path(site):
    with Stream(site, "/events/stocks") as stream, Stream(site, "/events/user/bob") as refused:
        assert "stocks" in stream.connected()["channels"]
        sent = site.send("stocks", 7)
        assert stream.next().id == sent
        assert refused.status == 403


def test_text_is_one_data_line_for_each_line(site):
    with Stream(site, channel="a") as stream:
        stream.connected()
        site.send("a", "one\r\ntwo\rthree\nfour")
        assert stream.next().data == "one\ntwo\nthree\nfour"
        site.send("a", " leading and trailing ")
        assert stream.next().data == " leading and trailing "
        site.send("a", "")
        assert stream.next().data == ""


def test_json_is_the_publishers_own_text(site):
    with Stream(site, channel="a") as stream:
        stream.connected()
        body = '{"channel":"a","data":{ "big" : 12345678901234567890 , "f":1.10,"u":"\\u00e9", "l": [ 1 , 2 ] }}'
        assert site.post("/send", raw=body).status == 200
        assert stream.next().data == \
            '{"big":12345678901234567890,"f":1.10,"u":"\\u00e9","l":[1,2]}'


def test_an_event_without_a_name_is_a_message(site):
    with Stream(site, channel="a") as stream:
        stream.connected()
        site.send("a", 1)
        site.send("a", 2, event="named")
        assert [e.event for e in stream.take(2)] == ["message", "named"]
        assert b"event: message" not in stream.raw


def test_envelope(site):
    with Stream(site, channel="a", envelope=1) as stream:
        stream.connected()
        sent = site.send("a", {"x": 1}, event="tick")
        event = stream.next()
        assert event.event == "message" and event.id == sent
        inside = json.loads(event.data)
        assert abs(inside.pop("time") - time.time() * 1000) < 60000
        assert inside == {"id": sent, "channel": "a", "event": "tick", "data": {"x": 1}, "user": None}
        site.send("a", "plain text")
        assert json.loads(stream.next().data)["data"] == "plain text"


def test_last_since_earliest(site):
    ids = [site.send("a", {"n": n}) for n in range(10)]
    with Stream(site, channel="a", last=3) as stream:
        event = stream.next()
        assert event.event == "connected" and event.id is None
        assert [e.id for e in stream.take(3)] == ids[7:]
    with Stream(site, channel="a", earliest="") as stream:
        stream.connected()
        assert [e.id for e in stream.take(10)] == ids
    for since in ("-300", str(int(time.time()) - 300),
                  time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 300))):
        with Stream(site, channel="a", since=since) as stream:
            stream.connected()
            assert numbers(stream.take(10)) == list(range(10)), since
    with Stream(site, channel="a", last=3, last_id=ids[4]) as stream:
        stream.connected()
        assert [e.id for e in stream.take(5)] == ids[5:]


def test_a_subscribe_with_last_0_replays_nothing(site):
    site.send("b", "old")
    with Stream(site, channel="a") as stream:
        hello = stream.connected()
        for last in (0, "0"):
            answer = site.post("/subscribe", {"clientId": hello["clientId"], "channel": "b", "last": last})
            assert answer.status == 200 and answer.json["cursor"] == site.get("/poll", wait=0).json["cursor"]
        sent = site.send("b", "new")
        assert stream.next().id == sent
        more = site.post("/subscribe", {"clientId": hello["clientId"], "channel": "c", "last": -1})
        more.problem(422, "wrong_field")


def test_patterns(site):
    with Stream(site, channel="room:*") as rooms, Stream(site, channel="*") as every:
        rooms.connected()
        every.connected()
        one, _, two = site.send("room:1", 1), site.send("other", 2), site.send("room:2", 3)
        assert [e.id for e in rooms.take(2)] == [one, two]
        assert len(every.take(3)) == 3
    with Stream(site, channel="room:*", last=1) as stream:
        stream.connected()
        assert stream.take(1)[0].id == two


@pytest.mark.options(trust_remote_user="yes")
def test_user_channels_are_out_of_reach_of_patterns_and_strangers(worker):
    site = Server(worker.world, "nginx", change=as_user).start("/ready")
    with Stream(site, channel="*", headers={"X-User": "mallory"}) as stream:
        assert stream.connected()["user"] == "mallory"
        assert site.post("/send", {"user": "alice", "data": 1}).status in (200, 403)
        last = site.post("/send", {"channel": "open", "data": 2}).json["id"]
        assert stream.next().id == last
    with Stream(site, channel="user:alice", headers={"X-User": "mallory"}) as stream:
        assert stream.status == 403
    with Stream(site, channel="user:*", headers={"X-User": "mallory"}) as stream:
        assert stream.status == 403
    with Stream(site, channel="$client", headers={"X-User": "mallory"}) as stream:
        assert stream.status in (400, 403, 422)


def as_user(conf):
    """As if nginx had proved who it is: only tests let a browser say so itself."""
    return conf.replace("# fastcgi_param REMOTE_USER     $remote_user;",
                        "fastcgi_param REMOTE_USER $http_x_user;")


@pytest.mark.options(trust_remote_user="yes")
def test_a_user_has_one_channel_on_all_devices(hub, worker):
    site = Server(worker.world, "nginx", change=as_user).start("/ready")
    alice = {"X-User": "alice"}
    with Stream(site, headers=alice) as phone, Stream(site, headers=alice) as desk, \
            Stream(site, headers={"X-User": "bob"}) as bob:
        for stream in (phone, desk):
            hello = stream.connected()
            assert hello["user"] == "alice" and "user:alice" in hello["channels"]
        bob.connected()
        client = zmq.Context.instance().socket(zmq.REQ)
        client.connect(hub.endpoint("publish"))
        client.setsockopt(zmq.RCVTIMEO, int(10000 * PATIENCE))
        client.send_multipart([b"user:alice", b"note", b"for alice"])
        answer = client.recv_multipart()
        client.close(0)
        assert answer[0] == b"ok", answer
        assert [s.next().id for s in (phone, desk)] == [answer[1].decode()] * 2
        last = site.send("all", 1)
        assert bob.next().id == last


def test_remote_user_is_not_believed_by_default(worker):
    site = Server(worker.world, "nginx", change=as_user).start("/ready")
    with Stream(site, headers={"X-User": "alice"}) as stream:
        assert stream.connected()["user"] is None


def test_everybody_is_reached_by_all(site):
    with Stream(site) as nothing, Stream(site, channel="a") as some:
        nothing.connected()
        some.connected()
        sent = site.send("all", 1)
        assert nothing.next().id == some.next().id == sent


def test_ids_never_go_down_over_channels(site):
    start = site.send("z", 0)
    ids = [site.send("abc"[n % 3], {"n": n}) for n in range(60)]
    with Stream(site, channel="c,a", last_event_id=start) as stream:
        stream.connected()
        want = [i for n, i in enumerate(ids) if n % 3 != 1]
        assert [e.id for e in stream.take(40)] == want


def test_heartbeats_keep_the_cursor_young(site):
    with Stream(site, channel="quiet", ping=5) as stream:
        first = stream.connected()["cursor"]
        for n in range(20):
            last = site.send("busy", n)
        until(lambda: stream.pump(1) and stream.last_id == last, 15, "an id-only block")
        assert last != first
        assert b"\nid: " + last.encode() + b"\n\n" in stream.raw


def test_ping_out_of_range(site):
    for ping in ("0", "4", "51", "x", "-1"):
        answer = site.get("", channel="a", ping=ping)
        problem = answer.problem(answer.status)
        assert answer.status in (400, 422) and "ping" in problem["detail"]


@pytest.mark.parametrize("channel", ["", " ", "a" * 129, "a b*c", "**", "*a", "x\x01", "$hub", "a\n", " a"])
def test_bad_channel_names_are_refused(site, channel):
    answer = site.post("/send", {"channel": channel, "data": 1})
    assert answer.status in (400, 403, 422), answer.text
    answer.problem(answer.status)
    assert "channel" in answer.json["detail"].lower()


@pytest.mark.parametrize("query", ["channel=%ff", "channel=a%00b", "channel=a%0ab", "channel=" + "b" * 129,
                                   "channel=a*b", "channel=%24hub",
                                   "&".join("channel=%d" % n for n in range(200))])
def test_bad_channels_of_a_stream_are_refused(site, query):
    answer = request(site, "GET", "/events?" + query)
    assert answer.status in (400, 403, 422), (answer.status, answer.text)
    assert "channel" in answer.problem(answer.status)["detail"].lower()


def test_client_is_kept_over_reconnects(site):
    client = "0123456789abcdefABCDEF_-"
    with Stream(site, client=client) as stream:
        assert stream.connected()["clientId"] == client
        assert site.post("/subscribe", {"clientId": client, "channel": "later"}).status == 200
        first = site.send("later", 1)
        assert stream.next().id == first
    second = site.send("later", 2)
    with Stream(site, client=client, last_id=first) as stream:
        hello = stream.connected()
        assert "later" in hello["channels"]
        assert stream.next().id == second


@pytest.mark.parametrize("client", ["short", "x" * 65, "has space 0123456789", "ü" * 20])
def test_bad_client_names(site, client):
    answer = site.get("", client=client)
    assert answer.status in (400, 422)
    assert "client" in answer.problem(answer.status)["detail"]


# GET /events/poll

def test_poll_shape(site):
    fresh = poll(site, channel="a")
    assert set(fresh) >= {"cursor", "clientId", "gap", "more", "events"}
    sent = site.send("a", {"n": 1})
    answer = poll(site, channel="a", cursor=fresh["cursor"])
    assert [e["id"] for e in answer["events"]] == [sent] and answer["gap"] is None
    bad = poll(site, channel="a", cursor="nonsense")
    assert bad["gap"]["reason"] == "unknown" and [e["id"] for e in bad["events"]] == [sent]


@pytest.mark.parametrize("query", [{"wait": 51}, {"wait": -1}, {"limit": 0}, {"limit": 1001}, {"limit": "x"}])
def test_poll_limits(site, query):
    answer = site.get("/poll", channel="a", **query)
    assert answer.status in (400, 422)
    assert list(query)[0] in answer.problem(answer.status)["detail"]


def test_poll_time_out_is_an_empty_answer(site):
    began = now()
    answer = site.get("/poll", channel="a", wait=1).json
    assert answer["events"] == [] and answer["cursor"] and now() - began >= 0.9


# POST /events/subscribe

def test_subscribe_errors(site):
    site.post("/subscribe", {"clientId": "unknown-unknown-unknown", "channel": "a"}).problem(404)
    with Stream(site) as stream:
        client = stream.connected()["clientId"]
        site.post("/subscribe", {"clientId": client, "channel": "user:bob"}).problem(403)
        assert site.post("/subscribe", {"clientId": client}).status in (400, 422)
        assert site.post("/subscribe", {"clientId": 5, "channel": "a"}).status in (400, 422)
        # Nothing of a refused request is done.
        site.post("/subscribe", {"clientId": client, "channels": ["ok", "user:bob"]}).problem(403)
        site.send("ok", 1)
        last = site.send("all", 2)
        assert stream.next().id == last


def test_subscribe_with_a_cursor_and_last(site):
    ids = [site.send("a", {"n": n}) for n in range(5)]
    with Stream(site) as stream:
        client = stream.connected()["clientId"]
        answer = site.post("/subscribe", {"clientId": client, "channel": "a", "cursor": ids[2]})
        assert answer.status == 200 and answer.json["cursor"] == ids[2]
        back = stream.take(2)
        assert numbers(back) == [3, 4]
        # Below the stream's id: replayed without id lines.
        assert [e.id for e in back] == [None, None]
        site.post("/subscribe", {"clientId": client, "channel": "b", "last": 1})
    with Stream(site) as stream:
        client = stream.connected()["clientId"]
        site.post("/subscribe", {"clientId": client, "channel": "a", "last": 2})
        assert numbers(stream.take(2)) == [3, 4]


def test_the_held_start(site):
    """A plain page that subscribes in its `connected` handler misses nothing over a reconnect."""
    ids = [site.send("ab"[n % 2], {"n": n}) for n in range(6)]
    with Stream(site, last_id=ids[1]) as stream:
        client = stream.connected()["clientId"]
        site.post("/subscribe", {"clientId": client, "channel": "a"})
        site.post("/subscribe", {"clientId": client, "channel": "b"})
        assert [e.id for e in stream.take(4)] == ids[2:]


# POST /events/send

def test_send_answers_id_and_time(site):
    answer = site.post("/send", {"channel": "a", "data": None}).json
    assert re.match(r"^\S+-\d+$", answer["id"]) and abs(answer["time"] - time.time() * 1000) < 60000


def test_send_to_several(site):
    with Stream(site, channel="a,b") as both:
        both.connected()
        answer = site.post("/send", {"channels": ["a", "b"], "data": 1}).json
        assert len(answer["ids"]) == 2 and answer["id"] == answer["ids"][-1]
        assert [e.id for e in both.take(2)] == answer["ids"]


def test_send_as_a_form(site):
    with Stream(site, channel="a") as stream:
        stream.connected()
        answer = site.post("/send", raw="channel=a&data=hello+w%C3%B6rld&event=tick",
                           kind="application/x-www-form-urlencoded")
        assert answer.status == 200, answer.text
        event = stream.next()
        assert (event.data, event.event) == ("hello wörld", "tick")


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/json"])
def test_a_batch_refuses_a_bad_line_alone(site, kind):
    sends = [{"channel": "a", "data": 1}, {"channel": "a*", "data": 2}, {"channel": "a", "data": 3}]
    raw = "\n".join(map(json.dumps, sends)) if "ndjson" in kind else json.dumps(sends)
    answer = site.post("/send", raw=raw, kind=kind)
    assert answer.status == 200, answer.text
    good, bad, last = answer.json["results"]
    assert good["id"] and last["id"] and "id" not in bad and bad["status"] in (400, 422)
    assert [e["data"] for e in history(site, "a")["events"]] == [1, 3]


def test_a_batch_of_more_than_a_thousand(site):
    raw = "\n".join('{"channel":"a","data":1}' for _ in range(1001))
    answer = site.post("/send", raw=raw, kind="application/x-ndjson")
    assert answer.status in (400, 413, 422) and "1000" in answer.json["detail"]
    raw = "\n".join('{"channel":"a","data":%d}' % n for n in range(1000))
    answer = site.post("/send", raw=raw, kind="application/x-ndjson")
    assert len(answer.json["results"]) == 1000


def test_idempotency(site):
    first = site.post("/send", {"channel": "a", "data": 1, "idempotencyKey": "k1"})
    again = site.post("/send", {"channel": "a", "data": 1, "idempotencyKey": "k1"})
    assert first.status == again.status == 200 and first.json["id"] == again.json["id"]
    site.post("/send", {"channel": "a", "data": 2, "idempotencyKey": "k1"}).problem(409)
    header = {"Idempotency-Key": "k2"}
    one = site.post("/send", {"channel": "a", "data": 1}, headers=header).json["id"]
    assert site.post("/send", {"channel": "a", "data": 1}, headers=header).json["id"] == one
    assert len(history(site, "a")["events"]) == 2


def test_an_empty_key_is_refused_wherever_it_is_named(server):
    if server.name != "lighttpd":       # it hands on no header that is empty
        problem = server.post("/send", {"channel": "a", "data": 1}, headers={"Idempotency-Key": ""}).problem(400)
        assert "Idempotency-Key: has 0 characters, 1 to 128 are allowed" in problem["detail"]
    problem = server.post("/send", raw="channel=a&data=1&idempotencyKey=",
                          kind="application/x-www-form-urlencoded").problem(422)
    assert "idempotencyKey: has 0 characters, 1 to 128 are allowed" in problem["detail"]
    assert history(server, "a")["events"] == []


def test_idempotency_survives_kill_9_of_the_hub(hub, site):
    send = {"channel": "a", "data": 1, "idempotencyKey": "k1"}
    first = site.post("/send", send).json["id"]
    hub.kill()
    hub.start()
    until(lambda: site.get("/ready").status == 200)
    assert site.post("/send", send).json["id"] == first


def test_the_sender_is_excluded_live_and_in_replay(site):
    me = "the-sender-0123456789"
    with Stream(site, channel="a", client=me) as mine, Stream(site, channel="a") as other:
        start = mine.connected()["cursor"]
        other.connected()
        sent = site.send("a", 1, exclude=me)
        last = site.send("a", 2)
        assert [e.id for e in other.take(2)] == [sent, last]
        assert mine.next().id == last
    with Stream(site, channel="a", client=me, last_id=start) as mine:
        mine.connected()
        assert mine.next().id == last
    assert me not in json.dumps(history(site, "a"))


def test_ephemeral_events_are_not_logged(site):
    with Stream(site, channel="a") as stream:
        before = stream.connected()["cursor"]
        answer = site.post("/send", {"channel": "a", "data": 1, "ephemeral": True})
        assert answer.status == 200 and answer.json["id"] is None
        event = stream.next()
        assert event.id is None and stream.last_id == before
        site.send("a", {"n": 2}, event="typing")
        assert stream.next().id is None
    assert history(site, "a")["events"] == []


def test_ttl(site):
    site.send("a", "short", ttl=1)
    lasting = site.send("a", "long", ttl=600)
    until(lambda: [e["id"] for e in history(site, "a")["events"]] == [lasting])
    with Stream(site, channel="a", earliest="") as stream:
        stream.connected()
        assert stream.next().id == lasting


def test_to_one_client(site):
    with Stream(site, channel="a") as stream, Stream(site, channel="a") as other:
        client = stream.connected()["clientId"]
        other.connected()
        answer = site.post("/send", {"client": client, "data": "psst"})
        assert answer.status == 200 and answer.json["id"] is None, answer.text
        assert stream.next().data == "psst"
        last = site.send("a", 1)
        assert other.next().id == last
    gone = {"client": "gone-gone-gone-gone-gone", "data": 1}
    site.post("/send", gone).problem(404)


@pytest.mark.parametrize("body, status, word", [
    ("", 400, None), ("{", 400, None), ("[]", (400, 422), None), ("7", (400, 422), None),
    ('{"channel":"a"', 400, None), ('{"channel":"a","data":1}x', 400, None),
    ('{"channel":"a","channel":"b","data":1}', 400, None),
    ('{"data":1}', 422, "channel"), ('{"channel":7,"data":1}', 422, "channel"),
    ('{"channel":"a"}', 422, "data"), ('{"channel":"a","user":"b","data":1}', 422, None),
    ('{"channels":[],"data":1}', 422, "channels"), ('{"channels":"a","data":1}', 422, "channels"),
    ('{"channel":"a","data":1,"event":"a\\nb"}', 422, "event"),
    ('{"channel":"a","data":1,"event":"connected"}', 422, "event"),
    ('{"channel":"a","data":1,"event":"error"}', 422, "event"),
    ('{"channel":"a","data":1,"event":"%s"}' % ("x" * 65), 422, "event"),
    ('{"channel":"a","data":1,"ttl":-1}', 422, "ttl"),
    ('{"channel":"a","data":1,"ttl":"x"}', 422, "ttl"),
    ('{"channel":"a","data":1,"ephemeral":"yes"}', 422, "ephemeral"),
    ('{"channel":"a","data":1,"idempotencyKey":7}', 422, "idempotencyKey"),
    ('{"channel":"a","data":%s1%s}' % ("[" * 70, "]" * 70), (400, 422), None),
    ('{"channel":"\\u0000","data":1}', (400, 422), None),
])
def test_bad_sends(site, body, status, word):
    answer = site.post("/send", raw=body)
    wanted = status if isinstance(status, tuple) else (status,)
    assert answer.status in wanted, (answer.status, answer.text)
    problem = answer.problem(answer.status)
    assert word is None or word in problem["detail"], problem


def test_data_that_is_not_utf8(site):
    answer = site.post("/send", raw=b'{"channel":"a","data":"\xff\xfe"}')
    assert answer.status in (400, 422)
    assert "base64" in answer.problem(answer.status)["detail"]


@pytest.mark.options(max_event="1k", max_body="4k")
def test_sizes_name_the_limit(site):
    problem = site.post("/send", {"channel": "a", "data": "x" * 1100}).problem(413)
    assert "max_event" in problem["detail"] and "1024" in problem["detail"]
    problem = site.post("/send", {"channel": "a", "data": "x" * 5000}).problem(413)
    assert "max_body" in problem["detail"]


def test_unsupported_content_type(site):
    site.post("/send", raw="<a/>", kind="application/xml").problem(415)


def test_a_coded_body_is_not_guessed_at(site):
    body = json.dumps({"channel": "a", "data": 1})
    kind = {"Content-Type": "application/json"}
    for path in ("/send", "/subscribe"):
        coded = request(site, "POST", site.mount + path, dict(kind, **{"Content-Encoding": "gzip"}),
                        gzip.compress(body.encode()))
        assert coded.problem(415)["detail"].startswith("Content-Encoding: gzip")
    plain = request(site, "POST", site.mount + "/send",
                    dict(kind, **{"Content-Encoding": "identity"}), body)
    assert plain.status == 200


@pytest.mark.options(max_replay_bytes="64k")
def test_a_replay_is_bounded_in_bytes(site):
    ids = [site.send("a", "%02d" % n + "x" * 10000) for n in range(20)]
    with Stream(site, channel="a", last_id=ids[0]) as stream:
        stream.connected()
        gap = json.loads(stream.until_event("gap").data)
        assert gap["reason"] == "limit" and gap["oldest"] == ids[13]
        assert [e.id for e in stream.take(6)] == ids[14:], "the newest of 64 KiB"
    with Stream(site, channel="a", last_id=ids[14]) as stream:
        assert stream.connected()["resumed"]
        assert [e.id for e in stream.take(5)] == ids[15:]


# GET /events/history

def test_history_pages_both_ways(site):
    ids = [site.send("a", {"n": n}) for n in range(25)]
    page = history(site, "a", limit=10)
    assert [e["id"] for e in page["events"]] == ids[:10]
    seen = list(page["events"])
    while page["next"]:
        page = request(site, "GET", page["next"]).json
        seen += page["events"]
    assert [e["id"] for e in seen] == ids
    back = history(site, "a", order="desc", limit=5)
    assert [e["id"] for e in back["events"]] == ids[:-6:-1]
    assert [e["id"] for e in history(site, "a", after=ids[20])["events"]] == ids[21:]
    assert [e["id"] for e in history(site, "a", before=ids[3])["events"]] == ids[:3]


@pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 1001}, {"order": "up"}, {"since": "yesterday"}])
def test_history_limits(site, query):
    answer = site.get("/history", channel="a", **query)
    assert answer.status in (400, 422)
    assert list(query)[0] in answer.problem(answer.status)["detail"]


def test_history_needs_a_channel(site):
    answer = site.get("/history")
    assert answer.status in (400, 422) and "channel" in answer.json["detail"]
    site.get("/history", channel="user:bob").problem(403)


# Access, methods, CORS

@pytest.mark.options(access="closed")
def test_closed_by_default(site):
    with Stream(site, channel="a") as stream:
        assert stream.status == 403
    site.post("/send", {"channel": "a", "data": 1}).problem(403)
    site.get("/history", channel="a").problem(403)
    site.get("/poll", channel="a").problem(403)


def test_methods_and_paths(site):
    for path, allowed in (("/send", "POST"), ("/subscribe", "POST"), ("/unsubscribe", "POST")):
        wrong = site.get(path)
        wrong.problem(405)
        assert allowed in wrong.headers["Allow"]
    for path in ("/history", "/poll", "/health", "/ready", "/metrics"):
        wrong = site.post(path, {})
        wrong.problem(405)
        assert "GET" in wrong.headers["Allow"]
    request(site, "DELETE", "/events").problem(405)
    site.get("/a/b/c").problem(404)
    request(site, "GET", "/eventsx").problem(404)
    for path in ("/history?channel=a", "/poll?channel=a&wait=20", "/ready"):
        began = now()
        head = request(site, "HEAD", "/events" + path)
        assert head.status == 200 and not head.body and now() - began < min(5 * PATIENCE, 15)


@pytest.mark.options(origins="https://app.example")
def test_cors(site):
    ours = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type"}
    answer = request(site, "OPTIONS", "/events/send", headers=ours)
    assert answer.status == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "Origin" in answer.headers["Vary"]
    other = request(site, "OPTIONS", "/events/send", headers=dict(ours, Origin="https://evil.example"))
    assert "Access-Control-Allow-Origin" not in other.headers
    with Stream(site, channel="a", headers={"Origin": "https://app.example"}) as stream:
        assert stream.headers["access-control-allow-origin"] == "https://app.example"


def test_encoded_paths(site):
    with Stream(site, "/events/caf%C3%A9") as stream:
        assert "café" in stream.connected()["channels"]
    assert request(site, "GET", "/%65vents/health").status == 200


@pytest.mark.parametrize("header", ["a\tb", "x" * 6000])
def test_odd_headers_do_no_harm(site, header):
    assert request(site, "GET", "/events/health", headers={"X-Odd": header}).status in (200, 400, 413, 431)
    assert site.get("/health").status == 200
