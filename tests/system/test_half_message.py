"""A hub that dies while a message of several parts is on its way takes nobody with it."""
import os
import signal

import zmq

from belfry import command, until
from sse import Stream


def flood(hub, context, count):
    """Publishes that nobody waits for; what was not taken is lost with the hub."""
    socket = context.socket(zmq.PUSH)
    socket.connect(hub.endpoint("intake"))
    for number in range(count):
        socket.send_multipart([b"flood", b"", b"%d" % number + b"." * 100])
    socket.close(linger=5000)


def test_a_hub_killed_mid_message_leaves_worker_and_streams(hub, worker, site):
    """libzmq aborts a process whose IMMEDIATE socket loses its peer between two parts."""
    before = worker.pid
    stream = Stream(site, channel="flood")
    stream.connected()
    context = zmq.Context()
    for _ in range(8):
        seen = len(stream.raw)
        flood(hub, context, 3000)
        until(lambda: stream.pump(0.01) or len(stream.raw) > seen, what="the flood")
        os.kill(hub.pid, signal.SIGKILL)
        hub.program.wait()
        hub.start()
    context.destroy(linger=0)
    mark = command(hub.world, "pub", "flood", "the end").stdout.strip()
    assert mark, "the hub takes publishes again"
    until(lambda: stream.pump(0.01) or mark.encode() in bytes(stream.raw), within=30,
          what="the last event")
    assert worker.alive and worker.pid == before
    assert not stream.closed
