"""How much one address, one user may have and ask for, and that nobody else pays for it."""
import os

import pytest

from belfry import command, now, until
from sse import Stream

MANY = 100


def forwarded(address):
    return {"X-Forwarded-For": address}


def poll(site, headers=None):
    return site.get("/poll", channel="a", wait=0, headers=headers)


def history(site, headers=None):
    return site.get("/history", channel="a", headers=headers)


def send(site, headers=None):
    return site.post("/send", {"channel": "a", "data": 1}, headers=headers)


def change(site, headers=None):
    return site.post("/unsubscribe", {"clientId": "0" * 16, "channel": "a"}, headers=headers)


RATES = {"rate_connects": poll, "rate_publishes": send, "rate_subscribes": change, "rate_history": history}


def figure(site, name):
    """What /metrics says of it."""
    lines = site.get("/metrics").text.splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(name + " "))


def refusal(answer):
    assert int(answer.headers["Retry-After"]) > 0
    return answer.problem(429, "limit")["detail"]


@pytest.mark.options(trusted_proxies="", max_streams_address=3)
def test_an_address_has_so_many_streams(server):
    streams = [Stream(server, channel="a") for _ in range(3)]
    for stream in streams:
        stream.connected()
    with Stream(server, channel="a") as late:
        assert late.next().event == "bye" and 10000 <= late.retry <= 60000
    assert refusal(poll(server, forwarded("192.0.2.1"))) == "max_streams_address is 3"
    assert send(server).status == 200
    until(lambda: figure(server, "belfry_streams_limited_total") == 2)
    for stream in streams:
        stream.next()
        stream.close()
    # Some web servers notice that a browser went only when they write to it.
    until(lambda: send(server).status == 200 and poll(server).status == 200)


@pytest.mark.options(trusted_proxies="127.0.0.1, 10.9.9.9", max_streams_address=2)
def test_behind_a_trusted_proxy_the_forwarded_address_counts(site):
    first = "198.51.100.7, 192.0.2.1, 10.9.9.9"
    with Stream(site, channel="a", headers=forwarded(first)) as one, \
            Stream(site, channel="a", headers=forwarded("192.0.2.1")) as two:
        one.connected()
        two.connected()
        refusal(poll(site, forwarded("203.0.113.9,192.0.2.1")))
        assert poll(site, forwarded("192.0.2.2")).status == 200
    with Stream(site, channel="a", headers=forwarded("2001:db8::1")) as one, \
            Stream(site, channel="a", headers=forwarded("[2001:db8::2]:4711")) as two:
        one.connected()
        two.connected()
        refusal(poll(site, forwarded("2001:db8::3")))
        assert poll(site, forwarded("2001:db8:0:1::3")).status == 200


@pytest.mark.options(max_streams_address=2, rate_connects=1, rate_burst="1s")
def test_a_storm_through_a_trusted_proxy_is_not_refused(site):
    """A whole site comes back at once: its addresses are many, and the proxy's own is none of them."""
    streams = [Stream(site, channel="a", headers=forwarded("192.0.2.%d" % i)) for i in range(MANY)]
    streams += [Stream(site, channel="a") for _ in range(MANY)]
    for stream in streams:
        stream.connected()
    event = site.send("a", 1)
    for stream in streams:
        assert stream.next().id == event
        stream.close()


@pytest.mark.options(trusted_proxies="", max_streams_address=3)
def test_who_takes_over_counts_on(site, worker):
    streams = [Stream(site, channel="a") for _ in range(3)]
    for stream in streams:
        stream.connected()
    worker.renew()
    refusal(poll(site))
    for stream in streams:
        stream.close()
    until(lambda: poll(site).status == 200)


@pytest.mark.options(rate_burst="60s", **dict.fromkeys(RATES, 1))
def test_an_address_may_ask_so_often(site):
    """Sixty at once, that is, and then one a second."""
    flood, other = forwarded("192.0.2.1"), forwarded("192.0.2.2")
    sent = [{"channel": "a", "data": i} for i in range(100)]
    assert site.post("/send", sent, headers=flood).status == 200
    assert refusal(send(site, flood)) == "rate_publishes is 1 a second"
    for name, ask in RATES.items():
        answer = until(lambda ask=ask: [a for a in [ask(site, flood)] if a.status == 429], 60)[0]
        assert refusal(answer) == name + " is 1 a second"
        assert ask(site, other).status in (200, 404)
        counter = "belfry_%s_limited_total" % name.partition("_")[2]
        until(lambda counter=counter: figure(site, counter) > 0)

    def is_sent_away():
        with Stream(site, channel="a", headers=flood) as late:
            return late.next().event == "bye" and late.retry >= 10000
    until(is_sent_away, what="a stream that is one too many in its second")
    assert site.get("/health", headers=flood).status == 200


@pytest.fixture
def users(world):
    """Headers by which a user is known."""
    keys = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", keys).returncode == 0
    world.set(token_keys=keys)
    return lambda name: {"Authorization": "Bearer " + command(world, "token", name).stdout.strip()}


@pytest.mark.options(workers=2, max_streams_user=3)
def test_a_user_has_so_many_streams_over_all_workers(users, site):
    alice, bob = users("alice"), users("bob")
    streams = [Stream(site, channel="a", headers=alice) for _ in range(3)]
    for stream in streams:
        stream.connected()
    with Stream(site, channel="a", headers=alice) as late:
        assert late.next().event == "bye" and late.retry >= 10000
    assert "max_streams_user" in refusal(poll(site, alice))
    assert poll(site, bob).status == 200 and poll(site).status == 200
    streams.pop().close()
    until(lambda: poll(site, alice).status == 200)
    assert figure(site, "belfry_hub_streams_limited_total") >= 2
    for stream in streams:
        stream.close()


@pytest.mark.options(workers=2, max_streams_channel=2)
def test_a_channel_has_so_many_streams_over_all_workers(site):
    streams = [Stream(site, channel="a") for _ in range(2)]
    for stream in streams:
        stream.connected()
    with Stream(site, channel="a") as late, Stream(site, channel="b") as other:
        assert late.next().event == "bye" and late.retry >= 10000
        client = other.connected()["clientId"]
        refused = site.post("/subscribe", {"clientId": client, "channel": "a"})
        assert refusal(refused) == "channel: a: max_streams_channel is 2"
        streams.pop().close()
        until(lambda: site.post("/subscribe", {"clientId": client, "channel": "a"}).status == 200)
    assert figure(site, "belfry_hub_channel_limited_total") >= 2
    streams.pop().close()


@pytest.mark.options(workers=2, rate_burst="60s", **dict.fromkeys(RATES, 1))
def test_a_user_may_ask_so_often_from_anywhere(users, site):
    alice, bob = users("alice"), users("bob")
    for name, ask in RATES.items():
        def limited(ask=ask):
            answer = ask(site, alice)
            return answer if answer.status == 429 else None
        assert name in refusal(until(limited, 60))
        assert ask(site, bob).status in (200, 404)
        counter = "belfry_hub_%s_limited_total" % name.partition("_")[2]
        assert figure(site, counter) > 0


@pytest.mark.options(rate_burst="2s", rate_tokens=1)
def test_a_flood_of_bad_tokens_is_not_looked_at(users, site, worker):
    good, flood = users("alice"), forwarded("192.0.2.1")
    bad = {"Authorization": good["Authorization"] + "x", **flood}
    assert history(site, {**good, **flood}).status == 200
    checked, began = figure(site, "belfry_tokens_checked_total"), now()
    answers = [history(site, bad) for _ in range(30)]
    assert answers[0].problem(401, "invalid_token")
    assert refusal(until(lambda: [a for a in [history(site, bad)] if a.status == 429], 20)[0]) == "rate_tokens is 1 a second"
    # Whoever was known is; another address pays nothing.
    assert history(site, {**good, **flood}).status == 200
    history(site, {"Authorization": bad["Authorization"], **forwarded("192.0.2.2")}).problem(401)
    until(lambda: figure(site, "belfry_tokens_limited_total") > 20)
    most = 5 + now() - began
    assert figure(site, "belfry_tokens_checked_total") < checked + most
    assert worker.log().count("token refused") < most


@pytest.mark.options(trusted_proxies="")
def test_nobody_notices_the_limits_as_they_are(site):
    """A page that is opened in a hundred tabs, and says a thousand things at once."""
    streams = [Stream(site, channel="a") for _ in range(MANY)]
    for stream in streams:
        stream.connected()
    said = [{"channel": "a", "data": i} for i in range(900)]
    assert site.post("/send", said).status == 200
    assert send(site).status == 200
    for stream in streams:
        stream.close()
