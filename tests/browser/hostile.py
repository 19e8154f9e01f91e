"""Between a browser and the web server: a proxy that does what bad ones do. `buffer`: an answer is held back until it is
whole; `cut`: no answer lives longer than a second; `strip`: headers are taken off, both ways; `dead`: nothing is answered;
`void`: whatever passes is lost, and what was open stays so, without a word ever again."""
import http.client
import http.server
import socket
import threading

from belfry import free_port

ASKED = {"accept", "cache-control", "last-event-id", "accept-encoding"}
ANSWERED = {"content-type", "cache-control", "x-accel-buffering", "incremental", "retry-after", "vary", "etag"}
ALWAYS = {"connection", "transfer-encoding", "keep-alive", "host", "content-length"}
LIFE = 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.close_connection = True
        if "dead" in proxy.ways:
            return
        self.fall_into_the_void()
        back = http.client.HTTPConnection("127.0.0.1", proxy.back, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if self.passes(name, ASKED)}
            headers["Host"] = self.headers["Host"]
            back.request(self.command, self.path, body or None, headers)
            if "cut" in proxy.ways:
                timer = threading.Timer(LIFE, self.cut)
                timer.daemon = True
                timer.start()
            answer = back.getresponse()
            self.fall_into_the_void()
            self.answer(answer)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            back.close()

    do_GET = do_POST = pass_on

    def passes(self, name, stripped):
        # Of a script the type stays: no browser would run it without.
        strips = "strip" in self.server.ways and ".js" not in self.path
        return name.lower() not in ALWAYS and not (strips and name.lower() in stripped)

    def answer(self, answer):
        held = answer.read() if "buffer" in self.server.ways else None
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if self.passes(name, ANSWERED):
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        if held is not None:
            self.wfile.write(held)
            return
        while True:
            part = answer.read1(65536)
            if not part:
                return
            self.fall_into_the_void()
            self.wfile.write(part)
            self.wfile.flush()

    def fall_into_the_void(self):
        if "void" in self.server.ways:
            self.server.closed.wait()

    def cut(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, back, *ways):
        super().__init__(("127.0.0.1", free_port()), Handler)
        self.back, self.ways, self.closed = back, ways, threading.Event()
        self.url = "http://127.0.0.1:%d" % self.server_port
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.closed.set()
        self.shutdown()
        self.server_close()
