"""The other pages of scripts/run in Debian's Chromium: each does its job, against real servers."""
import os
import signal
import subprocess

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from belfry import PATIENCE, clean_environment, command, request, until
from test_page import Page

PAGES = ("index", "chat", "notifications", "dashboard", "progress", "lab")
NARROW = (900, 900)                     # no second user beside the first

# The least contrast between the words of a page and what is behind them, and which words.
CONTRAST = """
const paint = (text) => { const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    c.fillStyle = text; c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data]; };
const over = (top, low) => [0, 1, 2].map((n) => (top[n] * top[3] + low[n] * (255 - top[3])) / 255).concat(255);
const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => v / 255).map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
const ground = (one) => one ? over(paint(getComputedStyle(one).backgroundColor), ground(one.parentElement)) : [255, 255, 255, 255];
const words = [...document.querySelectorAll('body *')].filter((one) => one.checkVisibility() && !one.closest('svg, [disabled]') &&
    !one.getAnimations().length && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
return words.map((one) => { const back = ground(one), a = light(over(paint(getComputedStyle(one).color), back)), b = light(back);
    return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), one.className + ' ' + one.textContent.slice(0, 40)]; })
    .sort((a, b) => a[0] - b[0])[0];"""
# Everything that can be worked with has a name, and everything that scrolls can be reached by keyboard.
NAMELESS = """
return [...document.querySelectorAll('input, button, nav, iframe, progress, section, [role=log], [role=img], fieldset')].filter((one) =>
    one.checkVisibility() && !(one.labels?.length || one.ariaLabel || one.getAttribute('aria-labelledby') || one.title
    || one.textContent.trim())).map((one) => one.outerHTML).concat(
    [...document.querySelectorAll('main *')].filter((one) => one.checkVisibility() && one.scrollHeight > one.clientHeight + 1
    && /auto|scroll/.test(getComputedStyle(one).overflowY) && one.tabIndex < 0 && !one.querySelector('button, a, input')).map((one) => one.outerHTML));"""


class Demo(Page):
    """A browser of its own with one of the pages."""

    def __init__(self, server, name, query="", size=NARROW, live=True):
        super().__init__(server, "/events/demo/%s.html%s" % (name, query), size)
        if live:
            self.wait_state("live")

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def device(self, name, **values):
        self.driver.execute_cdp_cmd("Emulation." + name, values)

    def texts(self, selector="#events li"):
        return self.run("return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent);", selector)

    def until_texts(self, selector, wanted, within=15):
        until(lambda: self.texts(selector) == wanted, within, "%s says %s" % (selector, wanted))

    def click(self, name):
        self.find(name).click()

    def said(self):
        """[text, state] of the messages of the room that is shown."""
        return self.run("""return [...document.querySelectorAll('.messages:not([hidden]) li:not(.begin)')].map(
            (one) => [one.querySelector('p').textContent, one.dataset.state ?? '']);""")

    def shell(self):
        return self.texts("#command code")[0]


@pytest.fixture
def browse(demo):
    opened = []

    def start(*args, **more):
        opened.append(Demo(demo, *args, **more))
        return opened[-1]
    yield start
    try:
        assert [error for page in opened for error in page.errors()] == []
    finally:
        for page in opened:
            page.close()


class Shell:
    """A command line that a page shows, run as its reader would; ended with all that it began."""

    def __init__(self, page):
        self.process = subprocess.Popen(["sh", "-c", page.shell()], stdout=subprocess.DEVNULL, start_new_session=True,
                                        env=clean_environment())

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10 * PATIENCE)


def test_they_are_served_with_a_policy(demo):
    for name in PAGES:
        answer = request(demo, "GET", "/events/demo/%s.html" % name)
        assert answer.status == 200 and "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "style=" not in answer.text and "<style" not in answer.text and " on" + "click" not in answer.text
    assert "demo/index.html" in request(demo, "GET", "/").text


def test_they_fit_phone_and_desktop_light_and_dark(demo, browse):
    for n in range(3):
        assert command(demo.world, "pub", "--user", "alice", "--event", "notice", "--json", '{"text":"notice"}').returncode == 0
        demo.send("room:lobby", {"text": "a long word: " + "x" * 300}, event="message.new")
        demo.send("machine", {"load": n, "running": n})
        demo.send("job:one", {"done": n + 1, "of": 5, "line": "line"}, event="progress")
        demo.send("lab", {"n": n}, event="n")
    page = browse("index")
    for width, height in ((390, 844), (1280, 900)):
        page.device("setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        for dark in (False, True):
            page.device("setEmulatedMedia", features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce"}])
            for name in PAGES:
                page.driver.get("%s/events/demo/%s.html" % (demo.url, name))
                page.wait_state("live")
                look_at(page, dark)
                where = os.environ.get("SCREENSHOTS")
                if where:
                    page.driver.save_screenshot("%s/%s-%d-%s.png" % (where, name, width, "dark" if dark else "light"))
            page.driver.get("about:blank")


def look_at(page, dark):
    wide, seen = page.run("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide <= seen, "nothing sticks out sideways"
    ground = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == dark
    ratio, words = page.run(CONTRAST)
    assert ratio >= 4.5, words
    assert page.run(NAMELESS) == []
    assert page.run("return document.getAnimations().length") == 0, "motion is reduced"


# Chat

@pytest.mark.options(presence_grace="1s")
def test_two_users_chat(browse):
    """Who is here, who types, what is said, and who has left."""
    alice, bob = browse("chat"), browse("chat", "?user=bob")
    for page, names in ((alice, ["alice (you)", "bob"]), (bob, ["alice", "bob (you)"])):
        until(lambda: sorted(page.texts("#members li")) == names, 20, "%s are here" % names)
    alice.find("text").send_keys("hel")
    until(lambda: bob.find("typing").text == "alice is typing …")
    assert alice.find("typing").text == ""
    alice.find("text").send_keys("lo" + Keys.ENTER)
    until(lambda: alice.said() == [["hello", "sent"]])
    until(lambda: bob.said() == [["hello", ""]])
    until(lambda: bob.find("typing").text == "")
    bob.find("text").send_keys("<b>good day</b>" + Keys.ENTER)
    until(lambda: alice.said() == [["hello", "sent"], ["<b>good day</b>", ""]])
    until(lambda: bob.said() == [["hello", ""], ["<b>good day</b>", "sent"]])
    bob.driver.get("about:blank")
    until(lambda: alice.texts("#members li") == ["alice (you)"], 30, "bob has left")


def test_other_rooms_of_the_chat(demo, browse):
    """One that is not looked at counts what comes; in one nobody may speak, and a message says so."""
    page = browse("chat")
    demo.send("room:kitchen", {"text": "soup"}, event="message.new")
    page.until_texts("#rooms .badge:not([hidden])", ["1"])
    page.driver.find_elements(By.CSS_SELECTOR, "#rooms button")[1].click()
    until(lambda: page.said() == [["soup", ""]])
    page.until_texts("#rooms .badge:not([hidden])", [])
    page.driver.find_elements(By.CSS_SELECTOR, "#rooms button")[2].click()
    page.find("text").send_keys("may I?" + Keys.ENTER)
    until(lambda: page.said() == [["may I?", "failed"]])
    assert "publish is not allowed" in page.texts(".fate")[-1]
    page.driver.find_element(By.CSS_SELECTOR, ".fate button").click()
    until(lambda: page.said() == [["may I?", "failed"]])
    page.driver.get_log("browser")          # of the refusals


def test_chat_history_comes_as_one_scrolls(demo, browse):
    for n in range(80):
        demo.send("room:lobby", {"text": "n %d" % n}, event="message.new")
    page = browse("chat")
    wanted = [["n %d" % n, ""] for n in range(80)]
    until(lambda: page.said() == wanted[50:])
    assert page.run("const { scrollTop, scrollHeight, clientHeight } = document.querySelector('.messages');"
                    "return scrollHeight - scrollTop - clientHeight") < 2, "the newest is seen"
    place = "return document.querySelectorAll('.messages li')[arguments[0]].getBoundingClientRect().top"
    before = page.run("document.querySelector('.messages').scrollTop = 90;" + place, 0)
    until(lambda: page.said() == wanted[20:])
    assert abs(page.run(place, 30) - before) < 2, "what was read stays where it was"
    page.run("document.querySelector('.messages').scrollTop = 0")
    until(lambda: page.said() == wanted)
    page.run("document.querySelector('.messages').scrollTop = 0")
    until(lambda: page.texts(".messages .begin") == ["The room begins here."])
    demo.send("room:lobby", {"text": "new"}, event="message.new")
    until(lambda: page.said() == wanted + [["new", ""]])
    page.run("document.querySelector('.messages').scrollTop = 50")
    until(lambda: page.run("return document.querySelector('.messages').ariaBusy") != "true")
    assert page.said() == wanted + [["new", ""]], "what is here is not fetched again"


def test_a_chat_message_waits_for_the_hub_and_arrives_once(browse, hub):
    page = browse("chat")
    page.find("text").send_keys("before" + Keys.ENTER)
    until(lambda: page.said() == [["before", "sent"]])
    hub.kill()
    page.find("text").send_keys("meanwhile" + Keys.ENTER)
    until(lambda: page.said() == [["before", "sent"], ["meanwhile", "sending"]])
    hub.start()
    until(lambda: page.said() == [["before", "sent"], ["meanwhile", "sent"]], 30)


def test_two_users_of_the_chat_side_by_side(browse):
    page = browse("chat", size=(1280, 900))
    page.driver.switch_to.frame("other")
    page.wait_state("live")
    assert page.find("me").text == "You are bob"
    page.find("text").send_keys("from beside" + Keys.ENTER)
    until(lambda: page.said() == [["from beside", "sent"]])
    page.driver.switch_to.default_content()
    until(lambda: page.said() == [["from beside", ""]])
    page.click("second")
    assert not page.find("other").is_displayed()


# Notifications

def test_what_is_read_on_one_device_is_read_on_all(browse):
    laptop, phone = browse("notifications"), browse("notifications", "?device=Phone")
    with Shell(laptop) as shell:
        assert shell.wait(10 * PATIENCE) == 0
    phone.find("text").clear()
    phone.find("text").send_keys("A parcel" + Keys.ENTER)
    for page in (laptop, phone):
        page.until_texts(".notices .unread p", ["A parcel", "The kettle boils"])
        assert page.find("unread").text == "2 unread" and page.driver.title.startswith("(2) ")
    phone.driver.find_element(By.CSS_SELECTOR, ".notices button").click()
    for page in (laptop, phone):
        page.until_texts(".notices .unread p", ["The kettle boils"])
    laptop.click("all")
    for page in (laptop, phone):
        until(lambda: page.find("unread").text == "0 unread")
    laptop.driver.refresh()
    laptop.until_texts(".notices .read p", ["A parcel", "The kettle boils"])


# Dashboard

def test_the_dashboard_draws_what_a_shell_tells(demo, browse):
    page = browse("dashboard")
    page.driver.execute_cdp_cmd("Browser.grantPermissions", {
        "origin": demo.url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    page.driver.find_element(By.CSS_SELECTOR, "#command button").click()
    page.until_texts("#command [role=status]", ["Copied. Paste it into a shell."])
    assert page.driver.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == page.shell()
    drawn = "return document.querySelector('#running .bars')?.getAttribute('d').split('M').length - 1"
    with Shell(page):
        until(lambda: (page.run(drawn) or 0) >= 3, 20, "three values are drawn")
    assert float(page.texts("#load strong")[0]) >= 0
    assert page.run("return document.querySelector('#load .curve').getAttribute('d')").count("L") >= 2
    until(lambda: "now" in page.run("return document.querySelector('#load svg').getAttribute('aria-label')"))
    logged = lambda: len(demo.get("/history", channel="machine").json["events"])
    until(lambda: page.run(drawn) == logged(), 20, "all values are drawn")
    page.driver.refresh()
    until(lambda: page.run(drawn) == logged(), 20, "the chart is drawn from the log")


# Progress

def steps(page):
    """How far the only job is, and how many lines its log has."""
    return page.run("""const bars = document.querySelectorAll('#jobs progress');
        return [bars.length && bars[0].value, document.querySelectorAll('#jobs .log li').length];""")


def test_progress_of_a_job_survives_a_reload(browse):
    page = browse("progress")
    with Shell(page):
        until(lambda: steps(page)[0] >= 3, 20)
        page.driver.refresh()
        until(lambda: steps(page)[0] >= 6, 20)
    done, lines = steps(page)
    assert lines == done, "each line once"


def test_a_job_of_the_page_goes_on_after_a_reload(browse):
    page = browse("progress")
    page.click("run")
    until(lambda: steps(page)[0] >= 3, 20)
    page.driver.refresh()
    until(lambda: steps(page)[0] >= 8, 20)
    done, lines = steps(page)
    assert lines == done and page.run("return document.querySelectorAll('#jobs > li').length") == 1


# Connection lab

def lab_way(page, name):
    page.driver.find_element(By.CSS_SELECTOR, "#ways input[value=%s]" % name).click()


def strip(page):
    return page.run("return [...document.querySelectorAll('#events li')].map((one) => one.className + ' ' + one.firstChild.data);")


def test_the_lab_shows_replay_and_gap(browse):
    page = browse("lab")
    page.click("five")
    live = ["live %d" % n for n in range(1, 6)]
    until(lambda: strip(page) == live)
    lab_way(page, "cut")
    page.wait_state("waiting")
    page.click("five")
    until(lambda: "up to 10" in page.find("outcome").text)
    assert strip(page) == live
    lab_way(page, "open")
    page.wait_state("live")
    replayed = live + ["replayed %d" % n for n in range(6, 11)]
    until(lambda: strip(page) == replayed)
    lab_way(page, "cut")
    page.wait_state("waiting")
    page.click("many")
    until(lambda: "up to 60" in page.find("outcome").text)
    lab_way(page, "open")
    page.wait_state("live")
    kept = ["replayed %d" % n for n in range(41, 61)]
    until(lambda: strip(page) == replayed + ["gap gap: pruned"] + kept)
    assert page.find("tally").text.endswith(", 1")
    assert "event: gap" in page.run("return document.getElementById('raw').textContent")


def test_the_lab_kills_pauses_and_slows(browse):
    page = browse("lab")
    before = int(page.find("connections").text)
    page.click("kill")
    until(lambda: int(page.find("connections").text) > before and page.state() == "live", 20)
    lab_way(page, "paused")
    page.click("one")
    until(lambda: "up to 1" in page.find("outcome").text)
    assert strip(page) == []
    lab_way(page, "slow")
    until(lambda: strip(page) == ["live 1"])
    page.click("one")
    until(lambda: strip(page) == ["live 1", "live 2"])


def test_the_lab_goes_on_by_polls(browse):
    page = browse("lab")
    lab_way(page, "held")
    page.click("kill")
    until(lambda: page.find("transport").text == "poll" and page.state() == "live", 20)
    page.click("one")
    until(lambda: strip(page) == ["live 1"])
