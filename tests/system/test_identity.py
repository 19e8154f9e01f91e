"""Who asks, and what that one may: tokens, rights by channel, and what other sites may not do."""
import base64
import json
import os
import re
import subprocess
import time

import pytest

from belfry import BUILD, PATIENCE, World, command, now, request, until
from sse import Stream
from test_cgi import cgi_server

CHANNELS = {
    "room:vip*": {"subscribe": "closed", "publish": "granted"},
    "room:*": {"subscribe": "authenticated", "publish": "granted"},
    "open:*": {"subscribe": "open", "publish": "open"},
}


@pytest.fixture
def world(world):
    """Closed to all but those with a token, by the rules above."""
    path = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", path).returncode == 0
    world.set(token_keys=path, access="granted")
    world.channels.update(CHANNELS)
    return world


def token(world, user="alice", **grants):
    flags = ["--%s=%s" % item for item in grants.items()]
    done = command(world, "token", user, *flags)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def secret_of(world):
    """What the tokens of `keygen --jwt` are signed with."""
    with open(world.options["token_keys"], encoding="utf-8") as keys:
        text = json.load(keys)["keys"][0]["k"]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def bearer(world, user="alice", **grants):
    return {"Authorization": "Bearer " + token(world, user, **grants)}


def test_a_token_says_who_it_is(server):
    alice = bearer(server.world, publish="room:*")
    with Stream(server, channel="room:1", headers=alice) as stream:
        hello = stream.connected()
        assert hello["user"] == "alice" and "user:alice" in hello["channels"]
        sent = server.post("/send", {"channel": "room:1", "data": 1}, headers=alice)
        assert sent.status == 200 and stream.next().id == sent.json["id"]
    cookie = {"Cookie": "a=b; belfry_token=" + token(server.world, "bob")}
    with Stream(server, channel="room:1", headers=cookie) as stream:
        assert stream.connected()["user"] == "bob"
    bad = server.get("/poll", channel="open:1", headers={"Authorization": "Bearer a.b.c"})
    problem = bad.problem(401, "invalid_token")
    assert problem["detail"] == "invalid_token"
    assert bad.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert server.get("/health", headers={"Authorization": "Bearer a.b.c"}).status == 200


def test_what_nothing_allows_is_refused_by_name(site):
    nobody = site.get("/poll", channel="room:1").problem(403, "forbidden")
    assert nobody["detail"] == "channel: room:1: subscribe is not allowed"
    alice = bearer(site.world, subscribe="a*")
    refused = site.post("/send", {"channel": "room:1", "data": 1}, headers=alice)
    assert refused.problem(403)["detail"] == "channel: room:1: publish is not allowed"
    for channel in ("b", "*", "user:bob", "room:vip", "room:vip*", "user:*"):
        site.get("/history", channel=channel, headers=alice).problem(403)
        site.get("/poll", channel=channel, wait=0, headers=alice).problem(403)
    for channel in ("abc", "a*", "ab*", "room:*", "user:alice", "open:*", "all"):
        assert site.get("/history", channel=channel, headers=alice).status == 200
    with Stream(site, channel="a", headers=alice) as stream:
        hello = stream.connected()
        more = site.post("/subscribe", {"clientId": hello["clientId"], "channels": ["ab", "b"]},
                         headers=alice)
        assert more.problem(403)["detail"] == "channels: b: subscribe is not allowed"


def test_a_pattern_delivers_what_each_channel_allows(site):
    world = site.world
    alice = bearer(world, publish="*")
    with Stream(site, channel="room:*", headers=alice) as stream:
        hello = stream.connected()
        ids = [site.post("/send", {"channel": channel, "data": 1}, headers=alice).json["id"]
               for channel in ("room:1", "room:vip", "room:vip2", "room:2")]
        assert [event.id for event in stream.take(2)] == [ids[0], ids[3]]
    with Stream(site, channel="room:*", headers=alice, last_id=hello["cursor"]) as stream:
        stream.connected()
        assert [event.id for event in stream.take(2)] == [ids[0], ids[3]]
    for path in ("/history", "/poll"):
        page = site.get(path, headers=alice, channel="room:*", after=hello["cursor"],
                        cursor=hello["cursor"]).json
        assert [event["id"] for event in page["events"]] == [ids[0], ids[3]]


def test_a_stream_ends_with_its_token(site):
    short = bearer(site.world, ttl="2s")
    exp = time.time() + 2
    with Stream(site, channel="room:1", headers=short) as stream:
        stream.connected()
        bye = stream.until_event("bye", 10)
        assert json.loads(bye.data) == {"reason": "expired"}
        assert time.time() < exp + 1.5 * PATIENCE
    began = now()
    short = bearer(site.world, ttl="1s")
    assert site.get("/poll", channel="room:1", wait=20, headers=short).status == 200
    assert now() - began < 10


def test_keys_change_while_streams_go_on(worker, site):
    world = worker.world
    before = bearer(world, subscribe="a")
    path = world.options["token_keys"]
    with Stream(site, channel="a", headers=before) as stream:
        stream.connected()
        assert command(world, "keygen", "--jwt", "--alg", "ES256", path).returncode == 0
        worker.program.wait_line(r"token keys file=\S+ keys=2")
        after = bearer(world, "bob", subscribe="a", publish="a")
        sent = site.post("/send", {"channel": "a", "data": 1}, headers=after)
        assert sent.status == 200 and stream.next().id == sent.json["id"]
        assert site.get("/history", channel="a", headers=before).status == 200
        with open(path, "w", encoding="utf-8") as keys:
            keys.write("short")
        worker.program.wait_line("the secret has 5 bytes")
        assert site.get("/history", channel="a", headers=after).status == 200


def test_a_page_of_another_site_does_nothing_in_a_users_name(site):
    cookie = {"Cookie": "belfry_token=" + token(site.world, publish="room:*")}
    body = {"channel": "room:1", "data": 1}
    host = "127.0.0.1:%d" % site.port

    def status(kind="application/json", raw=None, **headers):
        headers = dict(cookie, **{name.replace("_", "-"): value for name, value in headers.items()})
        return site.post("/send", body, headers=headers, raw=raw, kind=kind).status

    form = "channel=room:1&data=1"
    assert status(Origin="http://" + host) == 200
    assert status(Origin="https://evil.example") == 403
    assert status(Origin="null") == 403
    assert status() == 403
    assert status(kind="text/plain", raw=json.dumps(body), Origin="http://" + host) == 403
    assert status(kind="application/x-www-form-urlencoded", raw=form, Origin="http://" + host) == 403
    assert status(kind="application/x-www-form-urlencoded", raw=form, Origin="http://" + host,
                  X_Requested_With="x") == 200


@pytest.mark.options(origins="https://app.example")
def test_only_listed_origins_read_with_credentials(site):
    for origin in ("null", "https://app.example.evil.example", "https://evilapp.example",
                   "http://app.example", "https://app.example:444", "*"):
        answer = request(site, "OPTIONS", "/events/send", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST"})
        assert "Access-Control-Allow-Origin" not in answer.headers and "Origin" in answer.headers["Vary"]
    ours = {"Origin": "https://app.example", "Cookie": "belfry_token=" + token(site.world)}
    with Stream(site, channel="room:1", headers=ours) as stream:
        assert stream.status == 200
        assert stream.headers["access-control-allow-origin"] == "https://app.example"
        assert stream.headers["access-control-allow-credentials"] == "true"


def test_bad_keys_stop_the_start(world):
    with open(world.options["token_keys"], "w", encoding="utf-8") as keys:
        keys.write("short")
    done = subprocess.run([os.path.join(BUILD, "belfry-fcgi"), "--config", world.write_config()],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and "the secret has 5 bytes, at least 32" in done.stderr


def test_logs_hold_no_token(site, worker, hub):
    good, bad = token(site.world, subscribe="a"), token(site.world)[:-8] + "AAAAAAAA"
    for text in (good, bad, "Secret.Secret.Secret"):
        for header in ({"Authorization": "Bearer " + text}, {"Cookie": "belfry_token=" + text}):
            site.get("/poll", channel="a", wait=0, headers=header)
            site.post("/send", {"channel": "a", "data": 1}, headers=header)
    worker.program.wait_line('token refused reason="signature: does not fit"')
    for program in (worker, hub, site.program):
        assert "Secret" not in program.log() and "eyJ" not in program.log()
    assert "eyJ" not in site.error_log()


def test_a_secret_in_a_log_is_found():
    """At the end of whatever test it was."""
    told = World()
    command(told, "keygen", "--jwt", told.dir + "/keys")
    told.set(token_keys=told.dir + "/keys")
    text = token(told)
    talker = told.program("sh", "-c", "echo it was " + text.split(".")[2])
    talker.wait_line("it was")
    with pytest.raises(AssertionError, match="secrets in logs"):
        told.close()


@pytest.mark.web("lighttpd")
def test_a_resident_worker_believes_what_a_cgi_program_hands_over(worker):
    server = cgi_server(worker.world, "lighttpd", "lighttpd-cgi").start()
    with Stream(server, channel="room:1", headers=bearer(worker.world)) as stream:
        assert stream.connected()["user"] == "alice"
    assert server.get("/poll", channel="room:1").status == 403


@pytest.mark.options(workers="2")
def test_another_token_lets_a_stream_go_on(site):
    """Whichever worker is asked, and whichever has the stream."""
    world = site.world
    streams = [Stream(site, channel="room:1", headers=bearer(world, ttl="5s", subscribe="a"))
               for _ in range(4)]
    exp = time.time() + 5
    later = bearer(world, ttl="90s")
    clients = [stream.connected()["clientId"] for stream in streams]
    for client in clients:
        assert site.post("/refresh", {"clientId": client}, headers=later).status == 204
    for stream, client in zip(streams, clients):
        assert stream.until_event("token").data.startswith('{"expires":')
        body = {"clientId": client}
        site.post("/refresh", body, headers=bearer(world, "mallory")).problem(403)
        site.post("/refresh", body).problem(401, "unauthorized")
        site.post("/refresh", {"clientId": "0123456789abcdef"}, headers=later).problem(404)
        more = {"clientId": client, "channel": "a"}
        site.post("/subscribe", more, headers=bearer(world, subscribe="a")).problem(403)
    sender = bearer(world, publish="room:*")
    until(lambda: time.time() > exp + 1, 10)
    sent = site.post("/send", {"channel": "room:1", "data": 1}, headers=sender).json["id"]
    for stream in streams:
        assert stream.until_event("message").id == sent
        stream.close()


def test_rights_move_with_a_stream_to_the_next_worker(worker, site):
    """What was granted, and when it ends; the rules are those of the new worker."""
    world = worker.world
    sender = bearer(world, publish="*")
    with Stream(site, channel="x:*,room:*,room:1",
                headers=bearer(world, subscribe="x:*", ttl="8s")) as stream:
        exp = time.time() + 8
        stream.connected()
        assert stream.until_event("token")
        world.channels["x:shut"] = {"subscribe": "closed"}
        worker.renew()
        sent = [site.post("/send", {"channel": channel, "data": 1}, headers=sender).json["id"]
                for channel in ("x:1", "x:shut", "room:vip", "room:1", "room:2")]
        assert [event.id for event in stream.take(3)] == [sent[0], sent[3], sent[4]]
        bye = stream.until_event("bye", 12)
        assert json.loads(bye.data) == {"reason": "expired"} and time.time() < exp + 1.5 * PATIENCE
        assert stream.raw.count(b"event: token\n") == 1


def test_a_storm_of_tokens_costs_one_signature_each(worker, site):
    tokens = [bearer(worker.world, "user%d" % n) for n in range(5)]
    for _ in range(20):
        streams = [Stream(site, channel="room:1", headers=headers) for headers in tokens]
        for n, stream in enumerate(streams):
            assert stream.connected()["user"] == "user%d" % n
            stream.close()
    until(lambda: re.search(r"tokens_checked_total 5$", site.get("/metrics").text, re.M))


def test_the_command_line_makes_keys_and_tokens(world, tmp_path):
    keys = str(tmp_path / "keys")

    def run(*args, code=0, says=""):
        done = command(world, *args)
        assert done.returncode == code and says in done.stderr, (done.returncode, done.stderr)
        return done.stdout

    run("keygen", "--jwt", "--alg", "RS256", keys)
    assert os.stat(keys).st_mode & 0o777 == 0o600
    with open(keys, encoding="utf-8") as private, open(keys + ".pub", encoding="utf-8") as public:
        private, public = json.load(private)["keys"], json.load(public)["keys"]
    assert "d" in private[0] and not {"d", "p", "q", "dp", "dq", "qi"} & set(public[0])
    os.chmod(keys, 0o640)
    run("keygen", "--jwt", "--keep", "1h", keys)
    assert os.stat(keys).st_mode & 0o777 == 0o640
    with open(keys, encoding="utf-8") as text:
        both = json.load(text)["keys"]
    assert both[0]["alg"] == "HS256" and "exp" not in both[0]
    assert abs(both[1]["exp"] - time.time() - 3600) < 60
    assert run("token", "alice", "--token_keys", keys).count(".") == 2
    run("token", "a:b", "--token_keys", keys, code=65, says="user: has a ':'")
    run("token", "alice", "--token_keys", keys, "--publish", "a,,b", code=65, says="publish: is empty")
    run("token", "alice", "--token_keys", keys, "--public", "red", code=65, says="public: ")
    run("token", "alice", "--token_keys", keys, "--public", '"%s"' % ("x" * 1024), code=65, says="1024 bytes")
    run("token", "alice", "--token_keys", keys, "--ttl", "367d", code=65, says="token_life is ")
    run("token", "alice", "--token_keys", keys + ".pub", code=78, says="can sign")
    run("token", "alice", "--token_keys", keys + ".not", code=78, says="No such file")
    run("keygen", keys, code=64, says="--jwt")
    run("keygen", "--jwt", "--alg", "none", keys, code=65, says="is none of")
