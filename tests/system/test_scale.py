"""Thousands of streams on one worker behind nginx; every event to every stream."""
import json
import resource
import selectors

import pytest

from belfry import PATIENCE, now, until
from sse import Stream


def crowd(site, size):
    streams = [Stream(site, channel="crowd", within=60) for _ in range(size)]
    for stream in streams:
        stream.connected(60)
    return streams


def read_all(streams, wanted, within):
    """Reads all streams until each has `wanted` events; returns the ids that each saw."""
    seen = {stream: [] for stream in streams}
    missing = set(streams)
    end = now() + within * PATIENCE
    with selectors.DefaultSelector() as watch:
        for stream in streams:
            watch.register(stream, selectors.EVENT_READ)
        while missing:
            assert now() < end, "%d streams lack events" % len(missing)
            for key, _ in watch.select(1):
                stream = key.fileobj
                stream.pump(0)
                seen[stream] += [event.id for event in stream.came()]
                if len(seen[stream]) >= wanted:
                    missing.discard(stream)
                assert not stream.closed, stream.raw[-300:]
    return seen


@pytest.mark.parametrize("size, events", [
    (1000, 30), pytest.param(8000, 300, marks=pytest.mark.long)])
def test_every_stream_gets_every_event(site, size, events):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files < size * 2 + 500:
        pytest.skip("%d descriptors are too few for %d streams" % (files, size))
    streams = crowd(site, size)
    sent = [site.send("crowd", {"n": n}) for n in range(events)]
    for ids in read_all(streams, events, 120).values():
        assert ids == sent
    for stream in streams:
        stream.close()


@pytest.mark.channels({"many": {"presence": "anonymous"}})
@pytest.mark.parametrize("size", [300, pytest.param(3000, marks=pytest.mark.long)])
def test_a_crowd_that_comes_is_told_of_once_a_second(site, size):
    """With the state that comes first; in the end everybody knows of everybody."""
    came, streams = {}, []
    with selectors.DefaultSelector() as watch:
        def look(wait):
            for key, _ in watch.select(wait):
                stream = key.fileobj
                stream.pump(0)
                came[stream] += [json.loads(event.data) for event in stream.came()
                                 if event.event == "presence"]
        began = now()
        for n in range(size):
            stream = Stream(site, channel="many", presence=1, name="u%d" % n, within=60)
            streams.append(stream)
            came[stream] = []
            watch.register(stream, selectors.EVENT_READ)
            look(0)
        counts = lambda: {news[-1].get("state", news[-1])["count"] if news else 0 for news in came.values()}
        until(lambda: look(0.1) or counts() == {size}, 30, "everybody is counted by everybody")
    most = max(len(news) for news in came.values())
    assert most <= now() - began + 2, (most, now() - began)
    for stream in streams:
        stream.close()
