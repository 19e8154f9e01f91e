"""The wall clock jumps, by hours, under a hub and a worker that go on. Order and times never go back,
keys hold for as long as they should, streams and heartbeats do not notice, and retention by age goes by
the clock as it is."""
import json

import pytest

from belfry import until
from faults import ask, post, Browser, FaultyHub, FaultyWorker, Ledger, get, is_ready, rest_of_log

HOUR = 3600


@pytest.fixture
def pair(world):
    hub, worker = FaultyHub(world).start(), FaultyWorker(world).start()
    until(lambda: is_ready(worker))

    def jump(hours):
        hub.faults.jump(hours * HOUR)
        worker.faults.jump(hours * HOUR)
    return hub, worker, jump


def times(worker, channel):
    page = get(worker, "/history?limit=1000&earliest=1&channel=" + channel)
    return [event["time"] for event in json.loads(page.text)["events"]]


@pytest.mark.parametrize("hours", [[3, 0], [-3, 0], [5, -5, 2, 0], [24 * 300, 0]])
@pytest.mark.options(age="365d")
def test_order_and_streams(pair, hours):
    hub, worker, jump = pair
    ledger, browser = Ledger(worker, "a"), Browser(worker, "a")
    browser.open()
    for n, ahead in enumerate([0] + hours):
        jump(ahead)
        for k in range(3):
            assert ledger.publish("%d-%d" % (n, k)) == 200
        browser.follow(ledger.ids.values())
    assert browser.opened == 1, browser.told
    ledger.check(browser)
    assert times(worker, "a") == sorted(times(worker, "a")), "time never goes back in the log"
    hub.restart()
    until(lambda: is_ready(worker))
    assert ledger.publish("after the start") == 200
    ledger.check(browser)
    assert browser.opened == 1, "a stream outlives jumps and the hub"
    assert times(worker, "a") == sorted(times(worker, "a"))
    browser.drop()


@pytest.mark.parametrize("hours", [3, -3, 24 * 30])
@pytest.mark.options(age="365d")
def test_keys_hold_over_a_jump(pair, hours):
    """Ten minutes are ten minutes, whatever the clock says."""
    _, worker, jump = pair
    ledger = Ledger(worker, "a")
    assert ledger.publish("first", "k1") == 200
    jump(hours)
    assert ledger.publish("second", "k2") == 200
    for body, key in (("first", "k1"), ("second", "k2")):
        assert ledger.publish(body, key) == 200, "the same id: the ledger asserts it"
    jump(0)
    for body, key in (("first", "k1"), ("second", "k2")):
        assert ledger.publish(body, key) == 200
    assert [body for _, body in rest_of_log(worker, "a")] == ["first", "second"]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.options(idempotency_age="1s", idempotency_keys=3)
def test_keys_go_though_the_clock_was_set_back(pair, restarts):
    """A second is a second, also where the log's time stands still for an hour."""
    hub, worker, jump = pair

    def send(body, key):
        return ask(worker, post("/send", {"channel": "a", "data": body, "idempotencyKey": key})).status
    assert send("an hour ahead", "k0") == 200
    jump(-1)
    for key in ("k1", "k2"):
        until(lambda key=key: send("first", key) == 200)
    if restarts:
        hub.restart()
        until(lambda: is_ready(worker))
    until(lambda: send("second", "k2") == 200, 10, "a key that is used again is new")
    for key in ("k3", "k4", "k5"):
        until(lambda key=key: send("more", key) == 200, 10, "the old ones make room")


@pytest.mark.options(age="1h")
def test_age_goes_by_the_clock_as_it_is(pair):
    """Back: nothing goes early. Ahead by less than the age: nothing goes. Ahead by more: what is older
    by that clock, as documented; what was published since stays."""
    _, worker, jump = pair
    ledger = Ledger(worker, "a")
    assert ledger.publish("old") == 200
    for hours in (-5, 0.5):
        jump(hours)
        assert ledger.publish("at %g" % hours) == 200
        assert [body for _, body in rest_of_log(worker, "a")][0] == "old"
    jump(3)
    assert ledger.publish("new") == 200
    until(lambda: [body for _, body in rest_of_log(worker, "a")] == ["new"], 10, "what is too old goes")
    jump(0)
    assert ledger.publish("newest") == 200
    assert [body for _, body in rest_of_log(worker, "a")] == ["new", "newest"]
