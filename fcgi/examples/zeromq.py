#!/usr/bin/python3
"""zeromq.py CHANNEL TEXT -- publishes over ZeroMQ (python3-zmq); prints the event's id when it is on the hub's disk."""
import json
import os
import sys
import uuid

import zmq

ENDPOINT = os.environ.get("BELFRY_PUBLISH", "ipc:///run/belfry/publish.ipc")


def publish(channel, data, event=""):
    """The event's id. It is tried again under one key, so that it is published once, whatever happens."""
    options = {"json": True, "idempotencyKey": str(uuid.uuid4())}
    for _ in range(3):
        with zmq.Context.instance().socket(zmq.REQ) as hub:
            hub.rcvtimeo, hub.linger = 5000, 0
            hub.connect(ENDPOINT)
            hub.send_multipart([each.encode() for each in (
                channel, event, json.dumps(data), json.dumps(options))])
            try:
                said, *what = (each.decode() for each in hub.recv_multipart())
            except zmq.Again:
                continue
        if said != "ok":
            raise RuntimeError(": ".join(what))
        return what[0]
    raise TimeoutError("no answer from " + ENDPOINT)


if __name__ == "__main__":
    print(publish(sys.argv[1], {"text": sys.argv[2]}))
