"""The client of fcgi/js in Debian's Chromium and in Node, against real servers: tabs, hubs that die, hostile proxies."""
import gzip
import os
import signal
import subprocess

import pytest

from belfry import PATIENCE, ROOT, Server, command, now, request as ask, until
from hostile import Proxy
from test_identity import bearer
from test_page import Page

MODULE = """<!doctype html><title>client</title><script type="module">
import { Belfry } from '/events/client.js';
window.open_hub = (options) => {
    window.hub = new Belfry('/events', options);
    window.ways = [];
    hub.on('state', (state, { transport }) => ways.push(`${state} ${transport}`));
    window.room = hub.channel('room:1', options);
    window.seen = [];
    for (const name of ['join', 'leave', 'typing'])
        room.on(name, ({ user, typing }) => seen.push(`${name} ${user} ${typing ?? ''}`.trim()));
    window.got = [];
    room.on('n', (data) => got.push(data));
};
window.ready = true;
</script>"""
CLASSIC = """<!doctype html><title>classic</title><script src="/events/client.classic.js"></script>
<script>
new Belfry().connect().then((hub) => { window.state = hub.state; });
const classic = new BelfrySocket('/events');
</script>
<script type="module">
import { BelfrySocket } from '/events/socket.js';
const module = new BelfrySocket(location.href.replace('http:', 'ws:').replace('classic.html', 'events'));
module.onopen = () => module.send('{"type":"join","room":"x"}');
module.onmessage = (event) => JSON.parse(event.data).type === 'joined' && classic.send('{"type":"message","room":"x","content":"hi"}');
module.on('message', (message) => { window.said = message.content; });
</script>"""


@pytest.fixture
def front(request, worker):
    for name, text in (("index.html", MODULE), ("classic.html", CLASSIC)):
        with open(os.path.join(worker.world.site, name), "w", encoding="utf-8") as page:
            page.write(text)
    mark = request.node.get_closest_marker("web")
    return Server(worker.world, mark.args[0] if mark else "lighttpd").start("/ready")


class Client(Page):
    """A tab in which the client is loaded, and other tabs of the same browser."""

    def open(self, **options):
        self.wait("return window.ready;")
        self.run("open_hub(arguments[0]);", options)
        return self

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def wait(self, script, within=20):
        return until(lambda: self.run(script), within, script)

    def live(self, within=20):
        self.wait("return window.hub?.state === 'live' && room.joined;", within)
        return self

    def got(self):
        return self.run("return got;")

    def members(self):
        return self.run("return room.members.map((one) => one.user).sort().join();")

    def tab(self, url):
        self.driver.switch_to.new_window("tab")
        self.driver.get(url)
        return self.driver.current_window_handle


@pytest.fixture
def browser():
    opened = []

    def start(server):
        opened.append(Client(server))
        return opened[-1]
    yield start
    for one in opened:
        one.close()


def streams(front):
    return front.get("/health").json["streams"]


def send(front, first, last):
    for n in range(first, last):
        answer = front.post("/send", {"channel": "room:1", "event": "n", "data": n})
        assert answer.status == 200, answer.text


def test_it_is_served_as_files_are(front):
    answer = front.get("/client.js")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/javascript")
    assert "max-age" in answer.headers["Cache-Control"]
    again = ask(front, "GET", "/events/client.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304 and again.body == b""
    head = ask(front, "HEAD", "/events/client.js")
    assert head.status == 200 and head.headers["ETag"] == answer.headers["ETag"] and head.body == b""
    assert len(gzip.compress(front.get("/socket.js").body, 9)) <= 3.25 * 1024
    assert front.get("/client.d.ts").status == front.get("/socket.d.ts").status == 200
    assert len(gzip.compress(answer.body, 9)) <= 6 * 1024


def test_its_own_logic_in_node():
    files = [os.path.join(ROOT, "fcgi/js", name) for name in ("client.test.js", "tabs.test.js")]
    done = subprocess.run(["node", "--test", *files], capture_output=True, text=True, check=False,
                          timeout=60 * PATIENCE)
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_classic_script_and_a_socket(front, browser):
    page = browser(front)
    page.driver.get(front.url + "/classic.html")
    page.wait("return window.state === 'live';")
    page.wait("return window.said === 'hi';")


def test_tabs_share_one_stream_and_hand_it_over(front, browser):
    page = browser(front).open().live()
    first = page.driver.current_window_handle
    second = page.tab(front.url)
    page.open().live()
    third = page.tab(front.url)
    page.open(last=3).live()
    until(lambda: streams(front) == 1)
    send(front, 0, 5)
    for tab in (third, second, first):
        page.driver.switch_to.window(tab)
        until(lambda: page.got() == [0, 1, 2, 3, 4], what="all tabs hear all")
    page.run("room.send('n', 5);")
    page.driver.close()                 # the one that has the stream
    send(front, 6, 12)
    for tab in (third, second):
        page.driver.switch_to.window(tab)
        until(lambda: sorted(page.got()) == list(range(12)) or sorted(page.got()) == [n for n in range(12) if n != 5],
              what="nothing is lost when it goes over")
        assert len(set(page.got())) == len(page.got())
    until(lambda: streams(front) == 1)


@pytest.mark.channels({"room:*": {"presence": "anonymous"}})
@pytest.mark.options(presence_grace="1s")
def test_who_is_here_in_all_tabs(front, browser):
    ann = browser(front).open(name="ann", presence=True).live()
    first = ann.driver.current_window_handle
    until(lambda: ann.members() == "ann")
    ann.tab(front.url)
    ann.open(name="ann", presence=True).live()
    until(lambda: ann.members() == "ann", what="a tab that comes late asks")
    ben = browser(front).open(name="ben", presence=True)
    until(lambda: ben.members() == ann.members() == "ann,ben", what="both see both")
    ben.run("room.typing();")
    until(lambda: "typing null true" in ann.run("return seen;"))
    ben.run("room.typing(false);")
    until(lambda: ann.run("return seen;") == ["join ben", "typing null true", "typing null false"])
    ben.driver.get("about:blank")
    until(lambda: ann.members() == "ann")
    ann.driver.switch_to.window(first)
    assert ann.members() == "ann" and ann.run("return seen;")[-1] == "leave ben"
    ann.driver.close()                  # the tab that has the stream
    ann.driver.switch_to.window(ann.driver.window_handles[0])
    ben.driver.get(front.url)
    ben.open(name="ben", presence=True)
    until(lambda: ben.members() == ann.members() == "ann,ben", what="presence goes over with the stream")
    assert "leave ann" not in ann.run("return seen;")


def test_a_tab_that_hangs_is_robbed_of_the_stream(front, browser):
    page = browser(front).open(patience=700).live()
    first = page.driver.current_window_handle
    second = page.tab(front.url)
    page.open(patience=700).live()
    page.driver.switch_to.window(first)
    page.run("setTimeout(() => { for (const end = Date.now() + 12000; Date.now() < end;); window.woken = true; }, 100);")
    page.driver.switch_to.window(second)
    send(front, 0, 5)
    until(lambda: page.got() == [0, 1, 2, 3, 4], 11, "another one takes it over")
    page.driver.switch_to.window(first)
    page.wait("return window.woken;", 30)
    send(front, 5, 8)
    for tab in (first, second):
        page.driver.switch_to.window(tab)
        until(lambda: page.got() == list(range(8)), what="all of it once, also in the one that hung")
    until(lambda: streams(front) == 1)


class Chat:
    """Two who talk on: nothing is lost, nothing is said twice, both hear the same, and both are seen."""

    def __init__(self, *pages):
        self.pages, self.said = pages, 0

    def talk(self):
        for page in self.pages * 2:
            page.run("room.send('n', arguments[0]);", self.said)
            self.said += 1

    def heard(self, within=40):
        until(lambda: all(len(page.got()) >= self.said for page in self.pages), within, "all of it comes")
        until(lambda: {page.members() for page in self.pages} == {"ann,ben"}, within, "both are seen")
        one, other = [page.got() for page in self.pages]
        assert sorted(one) == list(range(self.said)) and one == other


@pytest.mark.web("nginx")
@pytest.mark.channels({"room:*": {"presence": "anonymous"}})
@pytest.mark.options(presence_grace="2s")
def test_two_browsers_chat_whatever_breaks(front, browser, hub, worker):
    proxy = Proxy(front.port)
    try:
        ann, ben = [browser(way).open(name=name, presence=True, patience=1500, ping=5).live()
                    for way, name in ((front, "ann"), (proxy, "ben"))]
        chat = Chat(ann, ben)
        chat.talk()
        hub.kill()
        chat.talk()
        hub.start()
        chat.heard()
        assert ann.run("return ways;").count("live stream") == 1, "no stream was closed"
        worker.renew()
        chat.talk()
        front.program.signal(signal.SIGHUP)
        chat.talk()
        chat.heard()
        began = now()
        proxy.ways = ("void",)
        chat.talk()
        until(lambda: now() - began > 10, 15, "ten seconds are over")
        chat.talk()
        proxy.ways = ()
        chat.heard(60)
    finally:
        proxy.close()


def test_a_reload_goes_on_where_it_was(front, browser):
    page = browser(front).open(resume=True).live()
    send(front, 0, 3)
    until(lambda: page.got() == [0, 1, 2])
    page.driver.get("about:blank")
    send(front, 3, 5)
    page.driver.get(front.url)
    page.open(resume=True)
    until(lambda: page.got() == [3, 4])
    page.driver.get("about:blank")
    send(front, 5, 7)
    page.driver.back()                  # the browser has kept the page as it was
    until(lambda: page.got() == [3, 4, 5, 6])


@pytest.mark.parametrize("way,transport", [("buffer", "poll"), ("cut", "poll"), ("strip", "stream")])
def test_a_hostile_proxy(front, browser, way, transport):
    proxy = Proxy(front.port, way)
    try:
        page = browser(proxy).open(patience=700 if way == "buffer" else 2000)
        until(lambda: page.run("return `${hub.state} ${hub.transport}`;") == "live " + transport, 40,
              "it is live by " + transport)
        send(front, 0, 5)
        page.run("room.send('n', 5);")
        until(lambda: sorted(page.got()) == list(range(6)), 20, "all come through")
        assert page.run("return hub.transport;") == transport
        if way == "buffer":
            proxy.ways = ()
            until(lambda: page.run("return hub.transport;") == "stream", 40, "streams are tried again")
        proxy.ways = ("dead",)
        send(front, 6, 8)
        proxy.ways = ()
        until(lambda: sorted(page.got()) == list(range(8)), 60, "and what was sent while it was dead")
    finally:
        proxy.close()


@pytest.fixture
def tokens(world):
    """Of two users, in the environment."""
    path = world.dir + "/keys"
    assert command(world, "keygen", "--jwt", path).returncode == 0
    world.set(token_keys=path)
    return {name.upper(): bearer(world, name)["Authorization"].split()[1] for name in ("alice", "bob")}


@pytest.mark.channels({"room:secret": {"subscribe": "closed"}, "room:hidden*": {"presence": "closed"}})
@pytest.mark.options(presence_grace="1s")
def test_the_shapes_that_others_write(tokens, front):
    """Each in its own words, on BelfrySocket."""
    done = subprocess.run(["node", "--test", os.path.join(ROOT, "tests/browser/shapes.test.mjs")], capture_output=True, text=True,
                          check=False, timeout=60 * PATIENCE, env=dict(os.environ, BELFRY=front.url + "/events", **tokens))
    assert done.returncode == 0, done.stdout[-6000:]
