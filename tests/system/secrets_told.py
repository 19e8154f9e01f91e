"""What no log may have: tokens, tickets, keys, and the names that clients alone know. Each test's world gathers
those that pass through it, and looks for them in all logs when it ends, whatever the test was about."""
import json
import os
import re

SHORTEST = 12   # of what is looked for: shorter ones stand in logs by chance
# nginx writes whole request lines there, with the query, and cannot be told otherwise (conf/README.md).
WITH_QUERIES = re.compile(r"web-nginx[^/]*/error\.log$")


def of_headers(headers):
    """Bearers and cookies."""
    for name, value in (headers or {}).items():
        if name.lower() == "authorization":
            yield from value.split()[1:]
        elif name.lower() == "cookie":
            yield from re.findall(r"belfry_token=([^;\s]+)", value)


def of_answer(path, answer):
    if path.partition("?")[0].endswith("/ticket") and answer.status == 200:
        yield answer.json["ticket"]


def of_command(args, done):
    """What `belfry` made and printed, or wrote into a file."""
    if done.returncode == 0 and (args[:1] == ("token",) or args[:2] == ("user", "token")):
        yield done.stdout.strip()
    if done.returncode == 0 and args[:1] == ("keygen",):
        yield from of_file(args[-1])


def of_file(path):
    """Of a JWKS the secret members; else the text."""
    with open(path, encoding="utf-8") as keys:
        text = keys.read()
    if '"keys"' not in text:
        yield text.strip()
        return
    for key in json.loads(text)["keys"]:
        yield from (key[name] for name in ("k", "d", "p", "q", "dp", "dq", "qi") if name in key)


def logs(folder):
    for where, _, names in os.walk(folder):
        yield from (os.path.join(where, name) for name in names if name.endswith(".log"))


def told(folder, secrets):
    """A line for each log that has one of them, or what a token says, or its signature."""
    parts = {part for secret in secrets for part in [secret, *secret.split(".")[1:]] if len(part) >= SHORTEST}
    found = []
    for path in logs(folder) if parts else ():
        with open(path, encoding="utf-8", errors="replace") as log:
            text = log.read()
        for secret in parts:
            at = text.find(secret)
            if at >= 0 and not (WITH_QUERIES.search(path) and "." not in secret and "ticket=" in text):
                found.append("%s: …%s…" % (path, text[max(0, at - 120):at + 40]))
    return found
