"""What a page of another site may do in Debian's Chromium with a user's cookie, or with the password that the
web server asked for: nothing; the own page: all."""
import base64
import http.server
import os
import threading

import pytest

from belfry import Server, command, until
from test_page import Page

PASSWORD = "alice:correct-horse"

FORMS = """<!doctype html><title>evil</title><script>
function post(type, name, value) {
    const form = document.createElement('form');
    Object.assign(form, { method: 'POST', action: '%(to)s/events/send', enctype: type });
    const input = document.createElement('input');
    Object.assign(input, { type: 'hidden', name, value });
    form.append(input);
    document.body.append(form);
    form.submit();
}
</script><body></body>"""

OWN = """<!doctype html><title>own</title><script>
const got = [];
const events = new EventSource('/events?channel=room:1');
events.onmessage = (event) => got.push(event.data);
events.addEventListener('connected', (event) => { window.user = JSON.parse(event.data).user; });
</script>"""


class Evil(http.server.BaseHTTPRequestHandler):
    page = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def world(world):
    path = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", path).returncode == 0
    world.set(token_keys=path, access="granted")
    world.channels["room:*"] = {"subscribe": "authenticated", "publish": "authenticated"}
    with open(os.path.join(world.site, "index.html"), "w", encoding="utf-8") as page:
        page.write(OWN)
    return world


@pytest.fixture(params=["cookie", "password"])
def login(request):
    """What the browser sends by itself."""
    return request.param


@pytest.fixture
def site(worker, login):
    if login == "cookie":
        return Server(worker.world, "lighttpd").start("/ready")
    worker.set(trust_remote_user="1")
    worker.restart()
    users = os.path.join(worker.world.dir, "users")
    with open(users, "w", encoding="utf-8") as file:
        file.write(PASSWORD + "\n")
    ask = """server.modules += ("mod_auth", "mod_authn_file")
auth.backend = "plain"
auth.backend.plain.userfile = "%s"
auth.require = ("" => ("method" => "basic", "realm" => "x", "require" => "valid-user"))
""" % users
    return Server(worker.world, "lighttpd", change=lambda text: text + ask).start("/ready", (401,))


@pytest.fixture
def evil(site):
    """Another port is another origin, and of the same site, so that cookies of every kind are sent."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Evil) as server:
        Evil.page = FORMS % {"to": site.url}
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield "http://127.0.0.1:%d/" % server.server_port
        server.shutdown()


@pytest.fixture
def token(world):
    return command(world, "token", "alice").stdout.strip()


@pytest.fixture
def page(site, login, token):
    opened = Page(site)
    if login == "cookie":
        opened.driver.add_cookie({"name": "belfry_token", "value": token, "httpOnly": True,
                                  "sameSite": "Lax"})
        opened.driver.get(site.url + "/")
    else:
        opened.driver.get(site.url.replace("//", "//%s@" % PASSWORD) + "/")
        opened.driver.get(site.url + "/")
    yield opened
    opened.close()


def history(site, login, token):
    shown = "Bearer " + token if login == "cookie" else \
        "Basic " + base64.b64encode(PASSWORD.encode()).decode()
    answer = site.get("/history", channel="room:1", headers={"Authorization": shown})
    assert answer.status == 200, answer.text
    return [event["data"] for event in answer.json["events"]]


def test_the_own_page_works_and_a_strange_form_does_nothing(page, site, evil, login, token):
    until(lambda: page.driver.execute_script("return window.user;") == "alice")
    assert page.driver.execute_async_script("""
        const done = arguments[0];
        fetch('/events/send', { method: 'POST', headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify({ channel: 'room:1', data: 'own' }) }).then((r) => done(r.status));
        """) == 200
    until(lambda: page.driver.execute_script("return got;") == ["own"])

    for kind, name, value in (("application/x-www-form-urlencoded", "channel", "room:1"),
                              ("text/plain", '{"channel":"room:1","data":"', '"}'),
                              ("multipart/form-data", "channel", "room:1")):
        page.driver.get(evil)
        page.driver.execute_script("post(arguments[0], arguments[1], arguments[2]);", kind, name, value)
        until(lambda: "forbidden" in page.driver.page_source, what="the form is refused")
        assert page.driver.current_url == site.url + "/events/send"

    page.driver.get(evil)
    assert page.driver.execute_async_script("""
        const done = arguments[1], to = arguments[0] + '/events';
        const all = [
            fetch(to + '/send', { method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json' },
                body: '{"channel":"room:1","data":"evil"}' }),
            fetch(to + '/send', { method: 'POST', credentials: 'include', headers: { 'Content-Type': 'text/plain' },
                body: '{"channel":"room:1","data":"evil"}' }),
            fetch(to + '/history?channel=room:1', { credentials: 'include' }),
        ];
        Promise.allSettled(all).then((results) => done(results.map((result) => result.status)));
        """, site.url) == ["rejected"] * 3
    assert page.driver.execute_async_script("""
        const done = arguments[1];
        const events = new EventSource(arguments[0] + '/events?channel=room:1', { withCredentials: true });
        events.onerror = () => done(events.readyState);
        events.addEventListener('connected', () => done('read'));
        """, site.url) == 2
    assert history(site, login, token) == ["own"]
