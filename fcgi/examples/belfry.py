#!/usr/bin/python3
"""Belfry from Python, with its standard library alone.

    belfry.py token alice 'room:*'        a token with which alice may read and write these, for an hour
    belfry.py publish room:1 'hello'      prints the event's id when it is on the hub's disk
"""
import base64
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

URL = os.environ.get("BELFRY_URL", "http://127.0.0.1:8080/events")
SECRET = os.environ.get("BELFRY_SECRET", "/etc/belfry/secret")      # the file that token_keys names


def token(user, seconds=3600, **rights):
    """A JSON Web Token; rights are subscribe, publish, presence: lists of channels and patterns."""
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    now = int(time.time())
    claims = {"sub": user, "iat": now, "exp": now + seconds, "belfry": rights}
    signed = b".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256"}, claims))
    with open(SECRET, "rb") as file:
        key = file.read().strip()
    return (signed + b"." + part(hmac.digest(key, signed, "sha256"))).decode()


def publish(channel, data, event=None):
    """The event's id. It is tried again under one key, so that it is published once, whatever happens."""
    body = {"channel": channel, "data": data}
    if event:
        body["event"] = event
    request = urllib.request.Request(URL + "/send", json.dumps(body).encode(), {
        "Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4()),
        "Authorization": "Bearer " + token("application", 60, publish=[channel])})
    for pause in (0.3, 1, 3, 0):
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return json.load(answer)["id"]
        except urllib.error.HTTPError as refusal:
            if refusal.code not in (429, 503) or not pause:
                raise RuntimeError(refusal.read().decode()) from None
        except OSError:
            if not pause:
                raise
        time.sleep(pause)
    return None


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["token", user, *channels]:
            print(token(user, subscribe=channels, publish=channels))
        case ["publish", channel, text]:
            print(publish(channel, {"text": text}))
        case _:
            sys.exit(__doc__)
