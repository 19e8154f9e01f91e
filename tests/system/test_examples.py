"""What fcgi/examples shows works as it is written: tokens and events from each language, over HTTP and ZeroMQ."""
import json
import os
import subprocess
import threading

import pytest

from belfry import PATIENCE, ROOT
from sse import Stream

EXAMPLES = os.path.join(ROOT, "fcgi/examples")
RUNNERS = {"py": "/usr/bin/python3", "php": "php", "rb": "ruby", "pl": "perl", "mjs": "node", "sh": "sh"}
TEXT = "Grüße \"aus\" <1 & 2> 100 %+"

http = pytest.mark.parametrize("name", ["belfry." + ending for ending in RUNNERS])
over_zeromq = pytest.mark.parametrize("name", ["zeromq.py", "zeromq.php", "zeromq.rb", "zeromq.pl"])


@pytest.fixture
def world(world):
    """Where nothing is allowed that no token grants."""
    path = world.folder("keys") + "/secret"
    with open(path, "w", encoding="ascii") as secret:
        secret.write("0123456789abcdef0123456789abcdef-as-text\n")
    world.set(token_keys=path, access="granted")
    world.secret = path
    return world


def run(world, name, *arguments, url="http://127.0.0.1:1/events"):
    """What one of the examples prints."""
    done = subprocess.run(
        [RUNNERS[name.rpartition(".")[2]], os.path.join(EXAMPLES, name), *arguments],
        capture_output=True, text=True, check=False, timeout=30 * PATIENCE,
        env=dict(os.environ, BELFRY_URL=url, BELFRY_SECRET=world.secret,
                 BELFRY_PUBLISH="ipc://%s/publish.ipc" % world.run))
    return done


def printed(*arguments, **more):
    done = run(*arguments, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def bearer(token):
    return {"Authorization": "Bearer " + token}


@http
def test_http(site, name):
    url = site.url + "/events"
    token = printed(site.world, name, "token", "alice", "room:*")
    assert site.get("/poll", channel="shop", headers=bearer(token)).status == 403
    with Stream(site, channel="room:*", headers=bearer(token)) as stream:
        assert stream.connected()["user"] == "alice"
        made = printed(site.world, name, "publish", "room:1", TEXT, url=url)
        event = stream.next()
        assert event.id == made
        assert event.data == TEXT if name == "belfry.sh" else json.loads(event.data) == {"text": TEXT}
    refused = run(site.world, name, "publish", "*", "x", url=url)
    assert refused.returncode != 0 and "channel" in refused.stderr + refused.stdout


@http
def test_http_waits_for_a_hub(site, hub, name):
    """A hub that is away costs a try, not an event, and no event twice."""
    hub.kill()
    done = []
    trying = threading.Thread(target=lambda: done.append(
        run(site.world, name, "publish", "room:1", "late", url=site.url + "/events")))
    trying.start()
    hub.start()
    trying.join()
    assert done[0].returncode == 0, done[0].stderr
    history = site.get("/history", channel="room:1",
                       headers=bearer(printed(site.world, name, "token", "alice", "room:*")))
    assert [event["id"] for event in history.json["events"]] == [done[0].stdout.strip()]


@over_zeromq
def test_zeromq(worker, site, name):
    token = printed(worker.world, "belfry.py", "token", "alice", "room:*")
    with Stream(site, channel="room:1", headers=bearer(token)) as stream:
        stream.connected()
        made = printed(worker.world, name, "room:1", TEXT)
        event = stream.next()
        assert (event.id, json.loads(event.data)) == (made, {"text": TEXT})
    refused = run(worker.world, name, "room:*", "x")
    assert refused.returncode != 0 and "channel" in refused.stderr + refused.stdout
