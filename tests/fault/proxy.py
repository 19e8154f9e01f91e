"""Between a hub and its workers: a proxy of messages that drops, holds up, doubles and swaps them and
cuts links, by a seed, until it is calmed; and one of bytes that stalls and cuts connections. To workers
they are the hub, to the hub a worker each."""
import collections
import heapq
import os
import random
import selectors
import socket
import threading

import zmq

from belfry import now

UP, DOWN = "up", "down"         # towards the hub, towards a worker


class Proxy(threading.Thread):
    """`faults`: how often, of each message, as {"drop": 0.01, …}; only in `ways`."""

    def __init__(self, front, back, seed, faults, ways=(UP, DOWN)):
        super().__init__(daemon=True)
        self.dice, self.faults, self.ways = random.Random(seed), faults, ways
        self.context = zmq.Context()
        self.back = "ipc://" + back
        self.front = self.context.socket(zmq.ROUTER)
        for option, value in ((zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.LINGER, 0)):
            self.front.setsockopt(option, value)
        self.front.bind("ipc://" + front)
        self.poller = zmq.Poller()
        self.poller.register(self.front, zmq.POLLIN)
        self.links = {}                 # a worker's identity: its socket to the hub
        self.stalled = {}               # (identity, way): until when
        self.held = []                  # what comes late, by its time
        self.number = 0
        self.counts = collections.Counter()
        self.is_calm, self.is_over = threading.Event(), threading.Event()

    def calm(self):
        """From now on all goes through, in order; what was held up comes first."""
        self.is_calm.set()
        return self

    def close(self):
        self.is_over.set()
        self.join(10)
        for link in self.links.values():
            link.close()
        self.front.close()
        self.context.term()

    def run(self):
        while not self.is_over.is_set():
            ready = dict(self.poller.poll(5))
            if self.front in ready:
                self.take(self.front)
            for identity, link in list(self.links.items()):
                if link in ready:
                    self.take(link, identity)
            self.release()

    def link(self, identity):
        if identity not in self.links:
            link = self.context.socket(zmq.DEALER)
            for option, value in ((zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.LINGER, 0)):
                link.setsockopt(option, value)
            link.connect(self.back)
            self.links[identity] = link
            self.poller.register(link, zmq.POLLIN)
        return self.links[identity]

    def take(self, link, identity=None):
        for _ in range(100):
            try:
                frames = link.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if identity is None:
                self.pass_on(UP, frames[0], frames[1:])
            else:
                self.pass_on(DOWN, identity, frames)
            if link.closed:
                return

    def happens(self, what):
        hit = self.dice.random() < self.faults.get(what, 0)
        self.counts[what] += hit
        return hit

    def pass_on(self, way, identity, frames):
        self.counts["messages"] += 1
        late = max(0, self.stalled.get((identity, way), 0) - now())
        if not self.is_calm.is_set() and way in self.ways:
            if self.happens("drop"):
                return
            if self.happens("stall"):
                late = max(late, self.dice.random())
                self.stalled[identity, way] = now() + late
            if self.happens("double"):
                self.hold(way, identity, frames, late + self.dice.random() * 0.2)
            if self.happens("swap"):
                late += self.dice.random() * 0.1
            if self.happens("cut"):
                self.cut(identity)
                return
        self.hold(way, identity, frames, late)

    def hold(self, way, identity, frames, late):
        self.number += 1
        if late or self.held:
            heapq.heappush(self.held, (now() + late, self.number, way, identity, frames))
        else:
            self.send(way, identity, frames)

    def release(self):
        while self.held and (self.is_calm.is_set() or self.held[0][0] <= now()):
            self.send(*heapq.heappop(self.held)[2:])

    def send(self, way, identity, frames):
        if way == UP:
            self.link(identity).send_multipart(frames)
        else:
            self.front.send_multipart([identity] + frames)

    def cut(self, identity):
        """The hub sees somebody else come; the worker is not told."""
        link = self.links.pop(identity, None)
        if link:
            self.poller.unregister(link)
            link.close()


class Wire(threading.Thread):
    """Bytes between two sockets: cut in the middle of whatever it is, or stopped for a while."""

    def __init__(self, front, back):
        super().__init__(daemon=True)
        self.back, self.lock = back, threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(front):
            os.unlink(front)
        self.listener.bind(front)
        self.listener.listen(16)
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers = {}
        self.stalled_until, self.cut_after = 0, None
        self.cuts, self.is_over = 0, False

    def stall(self, seconds):
        self.stalled_until = now() + seconds

    def cut(self, after):
        """All connections, when so many bytes more have passed."""
        self.cut_after = after

    def calm(self):
        self.stalled_until, self.cut_after = 0, None
        return self

    def close(self):
        self.is_over = True
        self.join(10)
        self.cut_all()
        self.listener.close()

    def run(self):
        while not self.is_over:
            for key, _ in self.selector.select(0.02):
                if now() < self.stalled_until:
                    break
                if key.fileobj is self.listener:
                    self.accept()
                elif key.fileobj in self.peers:
                    self.carry(key.fileobj)

    def accept(self):
        near, _ = self.listener.accept()
        far = socket.socket(socket.AF_UNIX)
        try:
            far.connect(self.back)
        except OSError:
            near.close()
            far.close()
            return
        for one, other in ((near, far), (far, near)):
            one.settimeout(2)
            self.peers[one] = other
            self.selector.register(one, selectors.EVENT_READ)

    def carry(self, one):
        try:
            got = one.recv(65536)
            if self.cut_after is not None and len(got) >= self.cut_after:
                self.peers[one].sendall(got[:self.cut_after])
                self.cut_after = None
                self.cuts += 1
                self.cut_all()
                return
            if self.cut_after is not None:
                self.cut_after -= len(got)
            self.peers[one].sendall(got)
        except OSError:
            got = b""
        if not got:
            self.drop(one)

    def drop(self, one):
        other = self.peers.pop(one, None)
        for end in (one, other):
            if end:
                self.peers.pop(end, None)
                self.selector.unregister(end)
                end.close()

    def cut_all(self):
        for one in list(self.peers):
            if one in self.peers:
                self.drop(one)
