"""The first page of scripts/run in Debian's Chromium, as a user sees it: publish, break, replay."""
import shutil
import tempfile

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

from belfry import PATIENCE, until

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage")


class Page:
    def __init__(self, server, path="/", size=(1200, 900), extra=()):
        self.profile = tempfile.mkdtemp(prefix="bf-chromium-", dir="/tmp")
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in FLAGS + tuple(extra) + ("--user-data-dir=" + self.profile,
                                            "--window-size=%d,%d" % size):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(30 * PATIENCE)
        self.driver.get(server.url + path)

    def close(self):
        self.driver.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def find(self, name):
        return self.driver.find_element(By.ID, name)

    def state(self):
        return self.find("state").get_attribute("data-state")

    def wait_state(self, state, within=20):
        until(lambda: self.state() == state, within, "the page is %s" % state)

    def rows(self):
        """(class, text, mark) of each row, read in one go."""
        return [tuple(row) for row in self.driver.execute_script("""
            return [...document.querySelectorAll('#events li')].map((row) => [row.className,
                row.querySelector('.text').textContent, row.querySelector('.mark').textContent]);""")]

    def texts(self):
        return [text for _, text, _ in self.rows()]

    def publish(self, text):
        self.find("text").send_keys(text + "\n")

    def errors(self):
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and " 503 " not in entry["message"]]


@pytest.fixture
def page(demo):
    opened = Page(demo)
    until(lambda: opened.driver.current_url.endswith("/events/demo/index.html"))
    yield opened
    try:
        assert opened.errors() == []
    finally:
        opened.close()


def test_the_page_publishes_and_shows(page, demo):
    page.wait_state("live")
    page.publish("hello")
    until(lambda: page.texts() == ["hello"])
    demo.send("demo", {"text": "from elsewhere"})
    until(lambda: page.texts() == ["hello", "from elsewhere"])
    demo.send("demo", "<b>not markup</b>")
    until(lambda: page.texts()[-1] == "<b>not markup</b>")
    assert page.find("client").text not in ("", "–")
    last = demo.get("/history", channel="demo", order="desc", limit=1).json["events"][0]["id"]
    until(lambda: page.find("cursor").text == last)
    assert page.find("count").text == "3"


def test_breaking_and_replay(page, demo):
    page.wait_state("live")
    page.publish("before")
    until(lambda: page.texts() == ["before"])
    page.find("break").click()
    page.wait_state("broken")
    page.find("five").click()
    missed = ["missed %d of 5" % n for n in range(1, 6)]
    until(lambda: [r for r in page.rows() if r[2] == "missed"] == [("missed", t, "missed") for t in missed])
    demo.send("demo", {"text": "from elsewhere"})
    page.find("break").click()
    page.wait_state("live")
    until(lambda: page.rows()[1:] == [("replayed", t, "replayed") for t in missed + ["from elsewhere"]])
    page.publish("after")
    until(lambda: page.rows()[-1] == ("live", "after", ""))
    assert page.find("count").text == "8"


def test_another_channel_is_followed_when_spoken_on(page, demo):
    page.wait_state("live")
    page.find("channel").clear()
    page.find("channel").send_keys("news")
    page.publish("in the news")
    until(lambda: page.texts() == ["in the news"])
    assert page.find("channels").text == "demo, news"
    demo.send("news", {"text": "more"})
    demo.send("demo", {"text": "and still"})
    until(lambda: page.texts() == ["in the news", "more", "and still"])


def test_the_hub_is_killed_meanwhile(page, demo, hub):
    page.wait_state("live")
    page.publish("before")
    until(lambda: page.texts() == ["before"])
    hub.kill()
    page.publish("meanwhile")
    until(lambda: "trying again" in page.find("outcome").text, 20)
    assert page.state() == "live", "the stream stays open"
    hub.start()
    until(lambda: page.texts() == ["before", "meanwhile"], 30)
    until(lambda: page.find("outcome").text.startswith("logged as"))
    assert page.texts() == ["before", "meanwhile"]


def test_the_web_server_dies_and_comes_back(page, demo):
    page.wait_state("live")
    page.publish("before")
    until(lambda: page.texts() == ["before"])
    demo.kill()
    page.wait_state("connecting")
    demo.start("/ready")
    page.wait_state("live", 30)
    page.publish("after")
    until(lambda: page.texts() == ["before", "after"])
    page.driver.get_log("browser")


@pytest.mark.channels({"demo": {"keep": 2}})
def test_a_gap_is_shown(page, demo):
    page.wait_state("live")
    page.publish("before")
    until(lambda: page.texts() == ["before"])
    page.find("break").click()
    page.wait_state("broken")
    for n in range(20):  # more than the worker's ring takes
        demo.send("demo", {"text": "n %d" % n})
    until(lambda: len(demo.get("/history", channel="demo").json["events"]) == 2)
    page.find("break").click()
    page.wait_state("live")
    until(lambda: any(mark == "gap: pruned" for _, _, mark in page.rows()))
    until(lambda: page.texts()[-2:] == ["n 18", "n 19"])


def test_a_pattern_is_refused_in_words(page):
    page.wait_state("live")
    page.find("channel").clear()
    page.find("channel").send_keys("$hub")
    page.publish("x")
    until(lambda: "bad" in page.find("outcome").get_attribute("class") and page.find("outcome").text)
    page.driver.get_log("browser")
