"""The application that a hub asks and tells (hook): over HTTP or ZeroMQ, good or bad as a test wants it."""
import hashlib
import hmac
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import zmq

from belfry import free_port

ANSWERS = {"allow": True, "for": 3600}


class Application:
    """What it was asked and told; `answer` decides, from a question, what to say: an object, bytes as they are, or
    None for never. A status may stand before it."""

    def __init__(self, answer=None):
        self.answer = answer or (lambda question: ANSWERS)
        self.asked, self.told, self.headers = [], [], []
        self.hears = True
        self.lock = threading.Lock()
        self.released = threading.Event()

    def take(self, text):
        """What comes back: status and bytes."""
        message = json.loads(text)
        with self.lock:
            if "tell" in message:
                if not self.hears:
                    return 500, b"not now"
                self.told += message["tell"]
                return 204, b""
            self.asked.append(message)
        said = self.answer(message)
        status, said = said if isinstance(said, tuple) else (200, said)
        if said is None:
            self.released.wait(60)
            return 503, b""
        return status, said if isinstance(said, bytes) else json.dumps(said).encode()

    def questions(self, **fields):
        with self.lock:
            return [q for q in self.asked if fields.items() <= q.items()]

    def events(self, *names):
        """(event, user or channel) in their order."""
        with self.lock:
            return [(t["event"], t.get("user", t.get("channel"))) for t in self.told if not names or t["event"] in names]


class Http(Application):
    """On a port of its own, which stays its own while it is away."""

    def __init__(self, answer=None):
        super().__init__(answer)
        self.port = free_port()
        self.server, self.connections = None, []
        self.endpoint = "http://127.0.0.1:%d/belfry" % self.port

    def start(self):
        app = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                app.connections.append(self.request)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                app.headers.append((dict(self.headers), body))
                status, said = app.take(body)
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(said)))
                    self.end_headers()
                    self.wfile.write(said)
                except OSError:
                    pass  # the hub did not wait

            def log_message(self, *args):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        self.released.set()
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            for connection in self.connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it had ended
            self.connections = []


class Zmq(Application):
    """A REP, as any tool has one; with a ROUTER it answers in any order."""

    def __init__(self, endpoint, answer=None, keys=None):
        super().__init__(answer)
        self.endpoint, self.keys, self.context, self.thread = endpoint, keys, None, None

    def start(self):
        self.context = zmq.Context()
        rep = self.context.socket(zmq.REP)
        rep.linger = 0
        if self.keys:
            rep.curve_secretkey, rep.curve_publickey = self.keys
            rep.curve_server = True
        rep.bind(self.endpoint)
        self.thread = threading.Thread(target=self.serve, args=(rep,), daemon=True)
        self.thread.start()
        return self

    def serve(self, rep):
        try:
            while True:
                rep.send(self.take(rep.recv())[1])
        except zmq.ContextTerminated:
            rep.close()

    def stop(self):
        self.released.set()
        if self.context:
            self.context.destroy(linger=0) if not self.thread.is_alive() else self.context.term()
            self.thread.join()
            self.context = None


def is_signed(headers, body, secret):
    """By whoever has the secret."""
    parts = dict(part.split("=", 1) for part in headers["Belfry-Signature"].split(","))
    wanted = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(wanted, parts["v1"])
