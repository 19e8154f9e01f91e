#!/usr/bin/python3
"""Takes the place of a worker's new program: starts that one itself, carries the packets of the
takeover to and fro, and does something bad before one of them.

What is bad, and when, is in the file `between.json` beside it: {"real", "before": 1..8, "do", "old"}:
`kill_new`, `kill_old`, `hang`, `pause` (there is a file `paused` then, until there is a file `go`), `garble`, `version`, `nonsense`, `exit`."""
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
NAME = "FCGI_HERITAGE"


def carry(fr, to, task):
    """One packet; False at the end."""
    data, fds, _, _ = socket.recv_fds(fr, 64, 253)
    if not data:
        return False
    carry.count += 1
    if carry.count == task["before"]:
        data = spoil(data, fds, task)
    socket.send_fds(to, [data], fds)
    for fd in fds:
        os.close(fd)
    return True


carry.count = 0


def spoil(data, fds, task):
    what = task["do"]
    if what == "kill_new":
        os.kill(task["pid"], signal.SIGKILL)
        sys.exit()
    if what == "kill_old":
        os.kill(task["old"], signal.SIGKILL)
        sys.exit()
    if what == "hang":
        signal.pause()
    if what == "pause":
        with open(os.path.join(HERE, "paused"), "wb"):
            pass
        while not os.path.exists(os.path.join(HERE, "go")):
            time.sleep(0.01)
    if what == "version":
        return data[:4] + b"\x09" + data[5:]
    if what == "nonsense":
        return b"nonsense"
    if what == "garble":
        os.pwrite(fds[0], b"\xff\xff", 0)
    return data


def main():
    with open(os.path.join(HERE, "between.json"), encoding="utf-8") as text:
        task = json.load(text)
    if task["do"] == "exit":
        sys.exit(1)
    heritage = os.environ[NAME].split()
    old = socket.socket(fileno=int(heritage[4]))
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    heritage[4] = str(its.fileno())
    keep = [int(fd) for fd in heritage[1:] if int(fd) >= 0]
    new = subprocess.Popen([task["real"], *sys.argv[1:]], pass_fds=keep, start_new_session=False,
                           env=dict(os.environ, **{NAME: " ".join(heritage)}))
    task["pid"] = new.pid
    its.close()
    while True:
        for ready in select.select([old, mine], [], [])[0]:
            if not carry(ready, mine if ready is old else old, task):
                return


main()
