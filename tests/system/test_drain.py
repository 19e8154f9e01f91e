"""A worker that stops: goodbyes are spread, what is open is served."""
import signal

import fastcgi
from belfry import PATIENCE, now, until
from test_takeover import open_connections, open_streams


def test_a_drain_spreads_goodbyes_and_ends(worker, site):
    count = 500
    streams = open_streams(site, count)
    begin, gone, retries = now(), [], set()
    worker.program.signal(signal.SIGTERM)
    left = list(streams)
    while left:
        assert now() - begin < 15 * PATIENCE, "%d streams are left" % len(left)
        for stream in list(left):
            stream.pump(0)
            if stream.closed:
                left.remove(stream)
                gone.append(now() - begin)
                assert [event.event for event in stream.came()] == ["bye"]
                retries.add(stream.retry)
    assert worker.program.wait() == 0
    assert gone[-1] < 10 * PATIENCE and gone[count // 2] - gone[0] > 1, (gone[0], gone[-1])
    assert len(retries) > count // 10 and min(retries) >= 1000 and max(retries) <= 5000


def test_a_request_that_comes_while_it_drains(worker):
    """On a connection that was there: what is half read is answered, a new stream is refused, what
    is kept serves on."""
    worker.program.wait_line("link welcome")
    peer, idle = fastcgi.connect(worker), fastcgi.connect(worker)
    stream = fastcgi.connect(worker)
    stream.sendall(fastcgi.get("/events?channel=a"))
    while b"connected" not in fastcgi.read_record(stream)[2]:
        pass
    whole = fastcgi.get("/events?channel=a")
    peer.sendall(whole[:50])
    until(lambda: open_connections(worker) == 3)
    worker.program.signal(signal.SIGTERM)
    worker.program.wait_line("stopping")
    for n in range(2):
        idle.sendall(fastcgi.send(n))
        assert b"Status: 200" in fastcgi.answer(idle)
    peer.sendall(whole[50:])
    assert b"Status: 503 Stopping" in fastcgi.answer(peer)
    assert b"drain" in fastcgi.answer(stream)
    assert fastcgi.is_closed(idle)
    assert worker.program.wait() == 0


def test_a_connection_that_is_never_quiet_ends_with_the_drain(worker):
    """It is served to the end, and closed after an answer."""
    worker.program.wait_line("link welcome")
    peer = fastcgi.connect(worker)
    begin, served = now(), 0
    peer.sendall(fastcgi.send(0))
    assert b"Status: 200" in fastcgi.answer(peer)
    worker.program.signal(signal.SIGTERM)
    while True:
        try:
            peer.sendall(fastcgi.get(keep=True))
        except BrokenPipeError:
            break
        answer = fastcgi.answer(peer)
        if not answer:
            break
        assert b"Status: 200" in answer
        served += 1
    assert served > 10 and now() - begin < 9 * PATIENCE
    assert worker.program.wait() == 0
