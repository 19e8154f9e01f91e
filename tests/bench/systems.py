"""What is measured: Belfry behind two web servers, its peers, and the floor. Each is started with
everything it needs in a folder of its own, says how streams are opened and events published, and
which of its processes used how much CPU and memory.
"""
import http.client
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

from belfry import (  # noqa: E402
    BUILD, Hub, ROOT, Server, Worker, World, command, free_port, session, until, web_user)

BENCH = os.path.join(BUILD, "tests/bench")
PEERS = os.path.join(BENCH, "peers")
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_us(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1e6 / TICKS


def pss_kib(pid):
    with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))


class System:
    """One system that streams and publishes."""

    name = None
    opened = ""         # a stream is open when this came
    flags = ()          # more for the readers
    stream = "/events?channel=%s"
    send = "/pub?channel=%s"
    body, kind = "@", "text/plain"
    batch_kind = None   # the media type that takes a line for each event; None: there is none
    durable = False

    def __init__(self, **options):
        self.options = options
        self.world = World()
        self.port = self.send_port = free_port()
        self.programs = {}

    def start(self):
        try:
            self.launch()
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self):
        raise NotImplementedError

    def stop(self):
        self.world.close()

    def home(self, name):
        """A folder that the web server may write to."""
        path = self.world.folder(name)
        if os.getuid() == 0:
            shutil.chown(path, *web_user())
        return path

    def fill(self, name, **values):
        path = os.path.join(self.world.dir, name)
        with open(path, "w", encoding="utf-8") as out:
            subprocess.run([os.path.join(ROOT, "scripts/fill"), os.path.join(HERE, "peers", name),
                            *("%s=%s" % item for item in values.items())], check=True, stdout=out)
        return path

    def until_it_answers(self, path="/"):
        def answers():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", path)
                connection.getresponse() # a stream has no end
                return True
            except (OSError, http.client.HTTPException):
                return False
            finally:
                connection.close()
        until(answers, 20, self.name + " answers")

    def send_path(self, channel):
        return self.send % channel if "%s" in self.send else self.send

    def send_body(self, channel):
        return self.body.replace("CHANNEL", channel)

    def pids(self):
        return {name: session(program.pid) for name, program in self.programs.items()}

    def cpu(self):
        return {name: sum(map(cpu_us, pids)) for name, pids in self.pids().items()}

    def memory(self):
        return {name: sum(map(pss_kib, pids)) for name, pids in self.pids().items()}


class Belfry(System):
    server = None
    opened = "event: connected"
    send = "/events/send"
    body, kind = '{"channel":"CHANNEL","data":"@"}', "application/json"
    batch_kind = "application/x-ndjson"
    durable = True
    workers = 1
    channels = {"many": {"presence": "anonymous"},
                "shut:*": {"subscribe": "granted", "publish": "open"}}

    def launch(self):
        keys = os.path.join(self.world.dir, "keys")
        command(self.world, "keygen", "--jwt", keys)
        self.world.set(log_level="warn", workers=self.workers, token_keys=keys, **self.options)
        self.world.channels.update(self.channels)
        self.hub = Hub(self.world).start()
        self.worker = Worker(self.world).start()
        self.web = Server(self.world, self.server)
        self.web.start()
        self.port = self.send_port = self.web.port
        self.programs = {"hub": self.hub.program, "worker": self.worker.program,
                         self.server: self.web.program}


    def bearer(self, user, *grants):
        done = command(self.world, "token", user, *["--subscribe=" + ",".join(grants)] * bool(grants))
        return "Authorization: Bearer " + done.stdout.strip()


class BelfryNginx(Belfry):
    name, server = "belfry/nginx", "nginx"


class BelfryLighttpd(Belfry):
    name, server = "belfry/lighttpd", "lighttpd"


class BelfryTwo(Belfry):
    name, server, workers = "belfry/nginx, two workers", "nginx", 2


class Nchan(System):
    name = "nchan"

    def launch(self):
        user, group = web_user()
        home = self.home("nchan")
        path = self.fill("nchan.conf", PORT=self.port, RUN=home, USER=user, GROUP=group)
        self.programs["nginx"] = self.world.program(
            "nginx", "-p", home, "-e", home + "/error.log", "-c", path)
        self.until_it_answers()


class Bare(System):
    """Not a system but the floor: a loop of writes."""

    name, opened = "bare writes", ": hi"

    def launch(self):
        self.programs["bare"] = self.world.program(os.path.join(BENCH, "bare"), str(self.port),
                                                   ready="^ready")
        self.programs["bare"].wait_ready()


def node_program(system, script, port):
    program = system.world.program("node", os.path.join(PEERS, script), str(port), ready="^ready")
    return program.wait_ready()


class BetterSse(System):
    name = "better-sse"

    def launch(self):
        self.programs["node"] = node_program(self, "better-sse.js", self.port)


class SocketIo(System):
    name, opened, flags = "socket.io", "40{", ("--websocket",)
    stream = "/socket.io/?EIO=4&transport=websocket&channel=%s"

    def launch(self):
        self.programs["node"] = node_program(self, "socket-io.js", self.port)


class Pushpin(System):
    name, opened, send = "pushpin", ": hi", "/publish/"
    kind = "application/json"
    body = json.dumps({"items": [{"channel": "CHANNEL", "formats": {
        "http-stream": {"content": "data: @\n\n"}}}]})

    def launch(self):
        home = self.world.folder("pushpin")
        origin = free_port()
        self.send_port = free_port()
        path = self.fill("pushpin.conf", RUN=home, PORT=self.port, PUSH=free_port(),
                         SUB=free_port(), CONTROL=self.send_port, COMMAND=free_port())
        with open(home + "/routes", "w", encoding="utf-8") as routes:
            routes.write("* 127.0.0.1:%d\n" % origin)
        node_program(self, "grip-origin.js", origin)
        zurl = self.fill("zurl.conf", RUN=home)
        self.programs["zurl"] = self.world.program("zurl", "--loglevel=1", "--config=" + zurl)
        self.programs["pushpin"] = self.world.program("pushpin", "--config=" + path)
        self.until_it_answers("/events?channel=none")


SYSTEMS = {system.name: system for system in (
    Bare, Nchan, BelfryNginx, BelfryLighttpd, BelfryTwo, BetterSse, SocketIo, Pushpin)}


def prepare_peers():
    """Puts the peers from npm where the build is; returns the names of those that cannot be had."""
    missing = []
    os.makedirs(PEERS, exist_ok=True)
    for name in ("package.json", "better-sse.js", "socket-io.js", "grip-origin.js"):
        shutil.copy(os.path.join(HERE, "peers", name), PEERS)
    if not shutil.which("node") or not shutil.which("npm"):
        missing = ["better-sse", "socket.io", "pushpin"]
    elif not os.path.isdir(os.path.join(PEERS, "node_modules/socket.io")):
        done = subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"],
                              cwd=PEERS, capture_output=True, check=False)
        if done.returncode:
            missing = ["better-sse", "socket.io"]
    if not shutil.which("pushpin"):
        missing.append("pushpin")
    if not os.path.exists("/usr/lib/nginx/modules/ngx_nchan_module.so"):
        missing.append("nchan")
    return set(missing)
