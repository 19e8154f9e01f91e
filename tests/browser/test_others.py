"""What others wrote, unchanged, on Belfry: readers of event streams, React, htmx, Turbo, a reader in Go."""
import json
import os
import re
import shutil
import subprocess

import pytest

from belfry import BUILD, PATIENCE, ROOT, Server, command, until
from npm import node_modules
from sse import Stream
from test_client import Client

HERE = os.path.dirname(os.path.realpath(__file__))
DEMO = os.path.join(ROOT, "fcgi/demo")
CDN = re.compile(r"https://cdn\.jsdelivr\.net/npm/((?:@\w+/)?[\w.-]+)@([\d.]+)/")


@pytest.fixture
def front(worker):
    return Server(worker.world, "lighttpd").start("/ready")


@pytest.fixture
def show(front):
    """A browser's tab; `show(html)` serves one and opens it."""
    opened = []

    def one(html):
        with open(os.path.join(front.world.site, "index.html"), "w", encoding="utf-8") as file:
            file.write(html)
        opened.append(Client(front))
        return opened[0]
    yield one
    for tab in opened:
        tab.close()


def at_home(name, site):
    """A page of the demo, with what it takes of a CDN served from here: its hashes are checked all the same."""
    with open(os.path.join(DEMO, name), encoding="utf-8") as file:
        text = file.read()
    modules = node_modules()
    shutil.copytree(DEMO, site, dirs_exist_ok=True)
    for package, version in CDN.findall(text):
        with open(os.path.join(modules, package, "package.json"), encoding="utf-8") as file:
            assert json.load(file)["version"] == version
        shutil.copytree(os.path.join(modules, package), os.path.join(site, "npm", package), dirs_exist_ok=True)
    assert CDN.search(text)
    return CDN.sub(r"npm/\1/", text)


def lines(page, selector):
    return page.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent);", selector)


def pub(front, *arguments):
    assert command(front.world, "pub", *arguments).returncode == 0


def test_readers_from_npm(front):
    done = subprocess.run(["node", "--test", os.path.join(HERE, "readers.test.mjs")], capture_output=True, text=True, check=False,
                          timeout=90 * PATIENCE, env=dict(os.environ, BELFRY=front.url + "/events", MODULES=node_modules()))
    assert done.returncode == 0, done.stdout[-6000:]


def test_htmx(front, show):
    pub(front, "html:htmx", "<li>before</li>")
    page = show(at_home("htmx.html", front.world.site))
    until(lambda: lines(page, "#orders li") == ["before"], what="what the log has is shown")
    pub(front, "html:htmx", "<li>from a shell</li>")
    pub(front, "html:htmx", "--event", "total", "17")
    until(lambda: lines(page, "#total") == ["17"])
    page.run("document.querySelector('form button').click();")
    until(lambda: lines(page, "#orders li") == ["before", "from a shell", "an order from this page"], what="all three, in order")
    assert page.errors() == []


def test_turbo(front, show):
    page = show(at_home("turbo.html", front.world.site))
    for n in range(2):
        pub(front, "html:turbo", '<turbo-stream action="append" target="orders"><template><li>%d</li></template></turbo-stream>' % n)
    pub(front, "html:turbo", '<turbo-stream action="update" target="total"><template>17</template></turbo-stream>')
    until(lambda: lines(page, "#total") == ["17"])
    assert lines(page, "#orders li") == ["0", "1"]
    assert page.errors() == []


@pytest.mark.channels({"room:*": {"presence": "anonymous", "subscribe": "open", "publish": "open"}})
def test_react(front, show):
    bundle = os.path.join(front.world.site, "app.js")
    modules = node_modules()
    subprocess.run([os.path.join(modules, ".bin/esbuild"), os.path.join(HERE, "react_app.mjs"), "--bundle", "--outfile=" + bundle,
                    '--define:process.env.NODE_ENV="development"', "--log-level=warning"],
                   check=True, env=dict(os.environ, NODE_PATH=modules))
    for n in range(4):
        front.send("room:1", {"n": n})
    page = show('<!doctype html><title>react</title><link rel="icon" href="data:,"><body><script type="module" src="app.js"></script>')
    until(lambda: lines(page, ".room") == ["true 2,3"] * 2, what="both components show the newest two")
    assert "false" in page.run("return onServer;") and lines(page, "main#live")
    page.run("room.send('say', { n: 4 });")
    front.send("room:2", {"n": 20})
    until(lambda: lines(page, ".room") == ["true 2,3,4"] * 2)
    guest = Stream(front, channel="room:1", name="Bea")
    front.post("/send", {"channel": "room:1", "event": "typing", "data": True, "exclude": guest.connected()["clientId"]})
    until(lambda: page.run("return document.querySelector('.room').title;").split(" ")[0] == "Bea", what="who is there is shown")
    guest.close()
    page.run("setRooms(['room:1', 'room:2']);")
    until(lambda: lines(page, ".room") == ["true 2,3,4", "true 20"], what="one component went to another room")
    page.run("setRooms(['room:2']);")
    until(lambda: "room:1" not in command(front.world, "streams").stdout, what="a room that nobody shows is left")
    front.send("room:2", {"n": 21})
    until(lambda: lines(page, ".room") == ["true 20,21"])
    assert page.errors() == []


@pytest.mark.long
def test_a_reader_in_go(front):
    reader = os.path.join(BUILD, "reader")
    subprocess.run(["go", "build", "-o", reader, os.path.join(HERE, "reader.go")], check=True, timeout=300 * PATIENCE,
                   env=dict(os.environ, GO111MODULE="off", GOPATH="/usr/share/gocode", GOCACHE=os.path.join(BUILD, "go")))
    first, second = front.send("room:1", "one\ntwo"), front.send("room:1", {"a": 1})
    with subprocess.Popen([reader, front.url + "/events?channel=room:1&ping_form=comment", first],
                          stdout=subprocess.PIPE, text=True) as going:
        try:
            assert json.loads(going.stdout.readline())[1] == "connected"
            assert json.loads(going.stdout.readline()) == [second, "", '{"a":1}']
            third = front.send("room:1", "one\ntwo")
            assert json.loads(going.stdout.readline()) == [third, "", "one\ntwo"]
        finally:
            going.kill()
