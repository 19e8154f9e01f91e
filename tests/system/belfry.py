"""A house for one test: its own short folder, ports, hub, workers and web server, gone at the end.

Everything waits for a ready line or an answer, with a deadline; nothing waits for time.
"""
import contextlib
import ctypes
import grp
import http.client
import json
import os
import pwd
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import types
import urllib.parse

import secrets_told as secrets

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
SERVERS = ("nginx", "lighttpd", "apache", "caddy", "h2o")
MOUNT = "/events"
# Sanitizers and loaded machines are slow: every deadline is multiplied by this.
PATIENCE = float(os.environ.get("PATIENCE", "1"))
# How long the long tests are: 0.1 is a tenth.
LONG_SCALE = float(os.environ.get("LONG_SCALE", "1"))


def now():
    return time.monotonic()


def until(check, within=10, what=None):
    """Calls `check` until it returns something true, and returns that; fails after the deadline."""
    end = now() + within * PATIENCE
    while True:
        found = check()
        if found:
            return found
        if now() > end:
            raise AssertionError("not within %gs: %s" % (within * PATIENCE, what or check))
        select.select([], [], [], 0.01)


def free_port():
    """A port that nobody listens on, below those that the kernel gives to clients. A name that goes
    with this process claims it, so that no other test process takes it before it is bound."""
    for _ in range(15000):
        free_port.last = (free_port.last + 1) % 15000
        port = 15000 + free_port.last
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                claim.bind("\0belfry-test-port-%d" % port)
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        free_port.claims.append(claim)
        return port
    raise AssertionError("no free port")


free_port.last = os.getpid() * 31 % 15000
free_port.claims = []


def web_user():
    """Whom web servers run as: themselves refuse or distrust root."""
    if os.getuid():
        return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    return "www-data", "www-data"


def option_sections():
    with open(os.path.join(ROOT, "hub/base/options.def"), encoding="utf-8") as table:
        return {name: section for section, name in
                re.findall(r'^OPTION\("(\w+)", (\w+),', table.read(), re.M)}


class Program:
    """One process and the session it leads; what it says on stdout and stderr is in a file."""

    def __init__(self, world, name, args, env=None, ready=None, stdin=None):
        self.name, self.args, self.ready = name, args, ready
        self.path = os.path.join(world.dir, "%s.%d.log" % (name, world.started))
        world.started += 1
        self.is_over = False    # it ended, and all of its session: its pid may be another one's
        with open(self.path, "wb") as log:
            # Whatever ends this test ends the program: nothing outlives a killed pytest. SIGINT is
            # there again where pytest runs in the background of a shell.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "env", "--default-signal=INT"] + args, stdin=stdin or subprocess.DEVNULL,
                stdout=log, stderr=log, env=env, cwd=world.dir, start_new_session=True)
        world.programs.append(self)

    @property
    def pid(self):
        return self.process.pid

    @property
    def alive(self):
        return self.process.poll() is None

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def wait_line(self, pattern, within=15):
        """Waits for a line of its log that matches, and returns the match."""
        def look():
            found = re.search(pattern, self.log(), re.M)
            if not found and not self.alive:
                found = re.search(pattern, self.log(), re.M)
                if not found:
                    raise AssertionError("%s ended (%s) before %r:\n%s" % (
                        self.name, self.process.returncode, pattern, self.log()[-3000:]))
            return found
        try:
            return until(look, within, "line %r of %s" % (pattern, self.name))
        except AssertionError as late:
            raise AssertionError("%s\n%s" % (late, self.log()[-3000:])) from None

    def wait_ready(self, within=15):
        if self.ready:
            self.wait_line(self.ready, within)
        return self

    def kill(self, sig=signal.SIGKILL):
        """Ends it without a word, and everything that it started."""
        if self.alive:
            self.signal(sig)
        code = self.wait()
        for pid in session(self.pid):
            signal_pid(pid, signal.SIGKILL)
        until(lambda: not session(self.pid), 5, "%s: processes of its session are gone" % self.name)
        self.is_over = True
        return code

    def stop(self, within=20):
        """Asks it to end; returns its exit code."""
        if self.alive:
            self.signal(signal.SIGTERM)
        code = self.wait(within)
        self.is_over = self.is_over or not session(self.pid)
        return code

    def signal(self, sig):
        signal_pid(self.pid, sig)

    def wait(self, within=20):
        try:
            return self.process.wait(within * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s (pid %d) does not end:\n%s" % (
                self.name, self.pid, self.log()[-3000:])) from None


def adopt_orphans():
    """Whose parent ends becomes a child of this process, so that it can be waited for."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)     # PR_SET_CHILD_SUBREAPER


class Heir(Program):
    """The process that took over from another one, with its log, its session and everything else."""

    def __init__(self, world, old, pid):        # pylint: disable=super-init-not-called
        self.name, self.args, self.ready, self.path = old.name, old.args, old.ready, old.path
        self.is_over = False
        self.process = types.SimpleNamespace(pid=pid, returncode=None, poll=self._poll)
        world.programs.append(self)

    def _poll(self):
        if self.process.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                return None                     # its parent is still there
            if pid:
                self.process.returncode = os.waitstatus_to_exitcode(status)
        return self.process.returncode

    def wait(self, within=20):
        until(lambda: not self.alive, within, "%s (pid %d) ends" % (self.name, self.pid))
        return self.process.returncode


def signal_pid(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def session(leader):
    """The living processes of the session that `leader` began."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] not in "ZX" and int(fields[3]) == leader:
                found.append(int(entry))
    return found


def cpu_ms(pid):
    """What it has used so far."""
    with open("/proc/%d/stat" % pid, encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) // os.sysconf("SC_CLK_TCK")


class World:
    """The folder of one test and everything that runs in it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="bf-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.run = self.folder("run", 0o750)
        self.data = self.folder("data", 0o750)
        self.site = self.folder("site", 0o755)
        self.programs = []
        self.started = 0        # also those that are no longer listed
        self.secrets = set()    # tokens, tickets, keys: no log may have one of them
        self.options = {"run": self.run, "data": self.data, "access": "open",
                        "log_level": "debug",
                        "trusted_proxies": "127.0.0.1",  # which is thus not limited,
                        "max_streams_address": "0", "rate_connects": "0", "rate_tokens": "0"}  # nor are its neighbours
        self.channels = {}
        if os.getuid() == 0:
            # Web servers may walk through the run folder to their own socket, and no further.
            os.chown(self.run, 0, grp.getgrnam(web_user()[1]).gr_gid)
            self.options["socket_group"] = web_user()[1]
        self.config = os.path.join(self.dir, "belfry.conf")

    def folder(self, name, mode=0o755):
        path = os.path.join(self.dir, name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        return path

    def set(self, **options):
        """Options of hub, worker and command line, from their next start on."""
        self.options.update(options)

    def write_config(self):
        """The options as a file. Put in place whole: a program that starts may be reading it."""
        where = option_sections()
        lines = []
        for name, value in sorted(self.options.items(), key=lambda item: where[item[0]]):
            lines.append("[%s]\n%s = %s" % (where[name], name, value))
        for pattern, values in self.channels.items():
            lines.append("[channel %s]" % pattern)
            lines += ["%s = %s" % item for item in values.items()]
        fresh = "%s.%d" % (self.config, threading.get_ident())
        with open(fresh, "w", encoding="utf-8") as config:
            config.write("\n".join(lines) + "\n")
        os.rename(fresh, self.config)
        return self.config

    def program(self, name, *args, **more):
        more.setdefault("env", dict(clean_environment(), BELFRY_CONFIG=self.config))
        return Program(self, name.rpartition("/")[2], [name, *args], **more)

    def close(self):
        """Ends everything; what would have outlived its parent is a failure."""
        left = []
        running = [program for program in self.programs if program.alive]
        # All at once: some web servers wait for their streams, which the worker ends.
        for program in running:
            program.signal(signal.SIGTERM)
        for program in running:
            try:
                program.wait()
            except AssertionError as slow:
                left.append(str(slow))
                program.kill()
        for program in [program for program in self.programs if not program.is_over]:
            with contextlib.suppress(AssertionError):   # h2o's helper sees that it is alone, and ends
                until(lambda leader=program.pid: not session(leader), 2)
            for pid in session(program.pid):
                left.append("%s left pid %d running" % (program.name, pid))
                signal_pid(pid, signal.SIGKILL)
        crashes = [crash for crash in map(crash_of, self.programs) if crash]
        told = secrets.told(self.dir, self.secrets)
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not left, left
        assert not crashes, "\n".join(crashes)
        assert not told, "secrets in logs:\n" + "\n".join(told)


def remember(server, *told):
    """What its world's logs must not have."""
    if hasattr(server, "world"):
        server.world.secrets.update(told)


def crash_of(program):
    """A failed assertion or a sanitizer's report, wherever it happened."""
    log = program.log()
    found = re.search(r"(AddressSanitizer|runtime error:|LeakSanitizer|Assertion .* failed)", log)
    died = program.process.returncode in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS)
    if found or died:
        at = max(0, found.start() - 200) if found else max(0, len(log) - 2500)
        return "%s crashed (%s): %s" % (program.name, program.process.returncode, log[at:at + 2500])
    return None


def clean_environment():
    keep = ("PATH", "HOME", "LANG", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS")
    env = {name: os.environ[name] for name in keep if name in os.environ}
    env["PATH"] = env.get("PATH", "") + ":/usr/sbin:/sbin"
    return env


class Daemon:
    """The hub or a worker: a program that is started, killed, stopped and started again."""

    binary = None

    def __init__(self, world, *args):
        self.world, self.args, self.program = world, args, None

    def start(self, wait=True):
        config = self.world.write_config()
        self.program = self.world.program(os.path.join(BUILD, self.binary), "--config", config,
                                          *self.args, ready=r"^.*\bready\b")
        return self.wait_ready() if wait else self

    def wait_ready(self, within=15):
        self.program.wait_ready(within)
        return self

    def kill(self):
        return self.program.kill()

    def stop(self, within=20):
        return self.program.stop(within)

    def restart(self):
        assert self.stop() == 0, self.log()[-2000:]
        return self.start()

    @property
    def alive(self):
        return self.program is not None and self.program.alive

    @property
    def pid(self):
        return self.program.pid

    @property
    def run(self):
        return self.world.run

    @property
    def data(self):
        return self.world.data

    def log(self):
        return self.program.log()

    def set(self, **options):
        self.world.set(**options)
        return self


class Hub(Daemon):
    binary = "belfryd"

    def endpoint(self, name):
        return "ipc://%s/%s.ipc" % (self.run, name)


class Worker(Daemon):
    binary = "belfry-fcgi"

    @property
    def socket(self):
        return self.world.options.get("socket") or os.path.join(self.run, "fcgi.sock")

    def renew(self, within=20):
        """Has it replaced by a new process, and goes on with that one; returns the log lines about
        it, one for each worker."""
        pattern = r"taken over by=(\d+) .*frozen_ms=(\d+).*"
        before = len(re.findall(pattern, self.log()))
        wanted = before + int(self.world.options.get("workers", 1))
        self.world.write_config()
        self.program.signal(signal.SIGHUP)

        def look():
            assert self.program.alive or wanted - before == 1, self.log()[-3000:]
            assert "takeover failed" not in self.log()[mark:], self.log()[mark:]
            found = list(re.finditer(pattern, self.log()))
            return found if len(found) >= wanted else None
        mark = len(self.log())
        found = until(look, within, "the worker is replaced")[before:]
        if wanted - before == 1:
            self.program = Heir(self.world, self.program, int(found[0][1]))
        return [line[0] for line in found]


def command(world, *args, stdin=None, within=20):
    """Runs `belfry ARGS`; returns the finished process with text in stdout and stderr."""
    world.write_config()
    done = subprocess.run([os.path.join(BUILD, "belfry"), *args], input=stdin, text=True,
                          stdin=None if stdin is not None else subprocess.DEVNULL,
                          capture_output=True, timeout=within * PATIENCE, check=False,
                          env=dict(clean_environment(), BELFRY_CONFIG=world.config))
    world.secrets.update(secrets.of_command(args, done))
    return done


class Server:
    """A real web server with its file from conf/."""

    def __init__(self, world, name, conf=None, mount=MOUNT, fcgi=None, change=None, **values):
        self.world, self.name, self.mount = world, name, mount
        self.conf = conf or name
        self.change = change or (lambda text: text)
        user, group = web_user()
        self.port = free_port()
        self.home = world.folder("web-" + self.conf.replace("/", "-"))
        if os.getuid() == 0:
            shutil.chown(self.home, user, group)
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        self.values = dict({"PORT": self.port, "FCGI": fcgi or world.run + "/fcgi.sock",
                            "ROOT": world.site, "RUN": self.home, "MOUNT": mount, "USER": user,
                            "GROUP": group, "FILES": min(files, 65535),
                            "STREAMS": min(files, 65535) // 2, "CONFIG": world.config}, **values)
        self.program = None

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def fill(self):
        name = next(n for n in os.listdir(os.path.join(ROOT, "conf"))
                    if n == self.conf or n.partition(".")[0] == self.conf)
        values = ["%s=%s" % item for item in self.values.items()]
        text = subprocess.run([os.path.join(ROOT, "scripts/fill"),
                               os.path.join(ROOT, "conf", name), *values],
                              check=True, capture_output=True, text=True).stdout
        path = os.path.join(self.world.dir, name)
        with open(path, "w", encoding="utf-8") as filled:
            filled.write(self.change(text))
        return path

    def arguments(self, path):
        return {
            "nginx": ["nginx", "-p", self.home, "-e", self.home + "/error.log", "-c", path],
            "lighttpd": ["lighttpd", "-D", "-f", path],
            "apache": ["apache2", "-D", "FOREGROUND", "-d", self.home, "-f", path],
            "caddy": ["caddy", "run", "--adapter", "caddyfile", "--config", path],
            "h2o": self.other_user() + ["h2o", "-m", "worker", "-c", path],
        }[self.name]

    def other_user(self):
        """For a server that cannot be told to become another user only where it is root."""
        if os.getuid():
            return []
        user, group = web_user()
        return ["setpriv", "--reuid=" + user, "--regid=" + group, "--init-groups", "--",
                "setpriv", "--pdeathsig", "KILL", "--"]

    def start(self, probe="/health", status=(200,)):
        path = self.fill()
        env = dict(clean_environment(), HOME=self.home, XDG_DATA_HOME=self.home,
                   XDG_CONFIG_HOME=self.home)
        args = self.arguments(path)
        self.program = self.world.program(*args, env=env)

        def answers():
            if not self.program.alive:
                raise AssertionError("%s ended:\n%s\n%s" % (self.name, self.program.log()[-3000:],
                                                            self.error_log()[-2000:]))
            try:
                return request(self, "GET", self.mount + probe).status in status
            except OSError:
                return False
            except http.client.HTTPException:
                return False
        until(answers, 20, "%s answers %s" % (self.name, probe))
        return self

    def error_log(self):
        path = os.path.join(self.home, "error.log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def stop(self):
        return self.program.stop()

    def kill(self):
        return self.program.kill()

    # Short requests.

    def get(self, path, headers=None, **query):
        return request(self, "GET", self.mount + path, headers=headers, query=query)

    def post(self, path, body=None, headers=None, raw=None, kind="application/json"):
        headers = dict({"Content-Type": kind} if kind else {}, **(headers or {}))
        payload = raw if raw is not None else json.dumps(body)
        return request(self, "POST", self.mount + path, headers=headers, body=payload)

    def send(self, channel, data, **more):
        """Publishes and returns the id."""
        answer = self.post("/send", dict({"channel": channel, "data": data}, **more))
        assert answer.status == 200, (answer.status, answer.text)
        return answer.json["id"]


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    def problem(self, status, code=None):
        """Asserts that this is problem+json of that status, and returns it."""
        assert self.status == status, (self.status, self.text)
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.headers
        problem = self.json
        assert problem["status"] == status and problem["title"] and problem["detail"], problem
        assert problem["type"].startswith("about:blank#"), problem
        if code:
            assert problem["type"] == "about:blank#" + code, problem
        return problem


def request(server, method, path, headers=None, body=None, query=None, within=20):
    if query:
        path += "?" + urllib.parse.urlencode(query, doseq=True)
    if isinstance(body, str):
        body = body.encode("utf-8")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=within * PATIENCE)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        answer = Answer(response, response.read())
        remember(server, *secrets.of_headers(headers), *secrets.of_answer(path, answer))
        return answer
    finally:
        connection.close()
