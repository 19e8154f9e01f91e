"""The hub over tcp: whose key is in its list comes in, for what its roles say; nobody else does."""
import os
import re
import socket
import subprocess

import pytest
import zmq

from belfry import BUILD, Hub, PATIENCE, Server, Worker, command, free_port, request, until
from sse import Stream, numbers

PLACES = ("hub", "publish", "intake", "tap", "admin")


def five_ports():
    """The first of five free ones in a row."""
    ports = [free_port()]
    while len(ports) < 5:
        port = free_port()
        ports = ports + [port] if port == ports[-1] + 1 else [port]
    return ports[0]


class Net:
    """A hub that listens on tcp, and keys for everybody. The worker and the command line know it by
    tcp alone: their run folder is another one."""

    def __init__(self, world):
        self.world, self.port = world, five_ports()
        self.listen = "tcp://127.0.0.1:%d" % self.port
        self.list = os.path.join(world.dir, "clients")
        for name in ("hub", "web", "stranger"):
            self.make(name)
        self.let_in(web="worker,publish,tap,admin")
        world.set(hub=self.listen, curve_key=self.path("web"), curve_server=self.path("hub.pub"))
        self.hub = Hub(world, "--run", world.folder("hubrun", 0o750), "--listen", self.listen,
                       "--curve_key", self.path("hub"), "--curve_clients", self.list)
        self.context = zmq.Context()
        self.sockets = []

    def path(self, name):
        name, _, end = name.partition(".")
        return os.path.join(self.world.dir, name + ".key" + ("." + end if end else ""))

    def key(self, name):
        with open(self.path(name), "rb") as file:
            return file.read().strip()

    def make(self, name):
        made = subprocess.run([os.path.join(BUILD, "belfry"), "keygen", "--curve", self.path(name)],
                              check=True, capture_output=True).stdout.strip()
        assert made == self.key(name + ".pub") == zmq.curve_public(self.key(name))
        assert os.stat(self.path(name)).st_mode & 0o777 == 0o600

    def let_in(self, **roles):
        """Puts the list in place whole."""
        with open(self.list + ".new", "w", encoding="utf-8") as file:
            for name, role in roles.items():
                file.write("%s %s %s\n" % (role, self.key(name + ".pub").decode(), name))
        os.rename(self.list + ".new", self.list)

    def connect(self, place, kind, key="web", server="hub"):
        """A socket of somebody's, `key` None: without CURVE."""
        made = self.socket(kind)
        if key:
            made.curve_secretkey = self.key(key)
            made.curve_publickey = zmq.curve_public(self.key(key))
            made.curve_serverkey = self.key(server + ".pub")
        if kind == zmq.SUB:
            made.subscribe(b"")
        made.connect("tcp://127.0.0.1:%d" % (self.port + PLACES.index(place)))
        return made

    def socket(self, kind):
        made = self.context.socket(kind)
        made.linger, made.rcvtimeo, made.sndtimeo = 0, int(10000 * PATIENCE), int(10000 * PATIENCE)
        self.sockets.append(made)
        return made

    def turned_away(self):
        stats = command(self.world, "stats", "--json").stdout
        return int(re.search(r'"turned_away_total": ?(\d+)', stats)[1])

    def close(self):
        for made in self.sockets:
            made.close()
        self.context.term()


@pytest.fixture
def net(world):
    made = Net(world)
    made.hub.start()
    yield made
    made.close()


@pytest.fixture
def site(net):
    Worker(net.world).start()
    return Server(net.world, "nginx").start("/ready")


def publish(made, text, channel=b"a"):
    made.send_multipart([channel, b"", text])
    return made.recv_multipart()


def offer(made, parts):
    """Who is refused may have nobody left to send to."""
    try:
        made.send_multipart(parts, zmq.NOBLOCK)
    except zmq.Again:
        pass


def test_a_worker_over_tcp_serves_a_stream_over_a_killed_hub(net, site):
    assert not os.path.exists(os.path.join(net.world.run, "hub.ipc"))
    stream = Stream(site, channel="a")
    stream.connected()
    site.send("a", {"n": 0})
    for n in range(1, 4):
        net.hub.kill()
        net.hub.start()
        until(lambda: request(site, "GET", "/events/ready").status == 200)
        assert command(net.world, "pub", "a", '{"n":%d}' % n, "--json").returncode == 0
    assert numbers(stream.take(4)) == [0, 1, 2, 3]
    assert not stream.closed
    stream.close()
    assert net.turned_away() == 0


def test_every_tool_speaks_tcp(net):
    made = net.connect("publish", zmq.REQ)
    assert publish(made, b"one")[0] == b"ok"
    tap = net.connect("tap", zmq.SUB)
    until(lambda: publish(made, b"again")[0] == b"ok" and tap.poll(50))
    net.connect("intake", zmq.PUSH).send_multipart([b"b", b"", b"two"])
    until(lambda: "two" in command(net.world, "log", "b").stdout)
    done = command(net.world, "sub", "a", "--last", "1", "--count", "1")
    assert done.returncode == 0 and "again" in done.stdout
    assert command(net.world, "channels").stdout.count("\n") >= 2


@pytest.mark.parametrize("key, server, reason", [
    (None, "hub", "does not speak CURVE"),
    ("web", "stranger", "has another key for this hub"),
    ("stranger", "hub", "is not in curve_clients"),
], ids=["plain", "wrong server", "unknown"])
def test_who_is_refused_gets_nothing_in_and_nothing_out(net, key, server, reason):
    before = net.turned_away()
    tap = net.connect("tap", zmq.SUB, key, server)
    asks = [net.connect(place, zmq.DEALER, key, server) for place in ("hub", "publish", "admin")]
    for made in asks + [net.connect("intake", zmq.PUSH, key, server)]:
        offer(made, [b"secret", b"", b"from a stranger"])
    until(lambda: net.turned_away() >= before + 5)
    line = net.hub.program.wait_line(r"peer refused .*reason=.*" + reason)[0]
    if key == "stranger":
        assert net.key("stranger.pub").decode() in line.replace("\\", "") and "address=127.0.0.1" in line
    assert net.key("hub").decode() not in net.hub.log()
    assert publish(net.connect("publish", zmq.REQ), b"for friends")[0] == b"ok"
    assert not any(made.poll(200) for made in asks + [tap])
    assert "secret" not in command(net.world, "channels").stdout
    # However often they try.
    assert len(re.findall("peer refused", net.hub.log())) <= 3


def test_a_role_is_for_its_sockets_alone(net):
    net.let_in(web="worker,publish,tap,admin", stranger="publish")
    net.hub.program.wait_line(r"curve_clients keys=2 connections=kept")
    assert publish(net.connect("publish", zmq.REQ, "stranger"), b"may")[0] == b"ok"
    admin = net.connect("admin", zmq.DEALER, "stranger")
    offer(admin, [b'{"do":"stats"}'])
    net.hub.program.wait_line(r"peer refused socket=admin .*no role for this socket")
    assert not admin.poll(100)


def test_a_key_that_is_taken_away_is_cut_off(net, site):
    net.let_in(web="worker,publish,tap,admin", stranger="worker,publish,tap,admin")
    net.hub.program.wait_line(r"curve_clients keys=2 connections=kept")
    friend, foe = (net.connect("publish", zmq.REQ, key) for key in ("web", "stranger"))
    tap = net.connect("tap", zmq.SUB, "stranger")
    until(lambda: publish(foe, b"while it may")[0] == b"ok" and tap.poll(50))
    stream = Stream(site, channel="a")
    stream.connected()
    site.send("a", {"n": 0})
    net.let_in(web="worker,publish,tap,admin")
    net.hub.program.wait_line(r"curve_clients keys=1 connections=cut")
    net.hub.program.wait_line(r"peer refused .*is not in curve_clients")
    while tap.poll(50):
        tap.recv_multipart()
    offer(foe, [b"a", b"", b"no longer"])
    until(lambda: site.post("/send", {"channel": "a", "data": {"n": 1}}).status == 200)
    assert publish(friend, b'{"n":2}')[0] == b"ok"
    # Everybody else came back, and missed nothing.
    assert numbers(stream.take(3)) == [0, 1, 2]
    stream.quiet(0.1).close()
    assert not foe.poll(100) and not tap.poll(100)


def test_cutting_all_off_again_and_again_loses_nothing(net, site):
    stream = Stream(site, channel="a")
    stream.connected()
    local = net.socket(zmq.REQ)
    local.connect("ipc://%s/publish.ipc" % net.hub.args[1])
    n = 0
    for cuts in range(1, 6):
        net.let_in(web="worker,publish,tap,admin", stranger="tap")

        def is_cut(times=cuts, name="kept"):
            nonlocal n
            assert publish(local, b'{"n":%d}' % n)[0] == b"ok"
            n += 1
            return net.hub.log().count("connections=" + name) == times
        until(is_cut)
        net.let_in(web="worker,publish,tap,admin")
        until(lambda: is_cut(name="cut"))           # pylint: disable=cell-var-from-loop
    until(lambda: request(site, "GET", "/events/ready").status == 200)
    assert numbers(stream.take(n)) == list(range(n))
    stream.quiet(0.1).close()


def test_a_list_that_cannot_be_read_changes_nothing(net):
    with open(net.list, "a", encoding="utf-8") as file:
        file.write("root\n")
    net.hub.program.wait_line(r'line 2: .*root.* is no role .*kept="those of before"')
    assert publish(net.connect("publish", zmq.REQ), b"still")[0] == b"ok"


def test_garbage_on_the_ports_disturbs_nobody(net, site):
    stream = Stream(site, channel="a")
    stream.connected()
    null = bytes.fromhex("ff00000000000000017f0300") + b"NULL".ljust(20, b"\0") + b"\0" * 32
    curve = null[:12] + b"CURVE".ljust(20, b"\0") + b"\0" * 32
    held = []
    for says in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 4096, b"\xff" * 4096, null[:11], null,
                 null + b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\6DEALER" + b"\x02" + b"\xff" * 900,
                 curve + b"\x04\xff\x05HELLO" + os.urandom(400), b"", curve[:-1]):
        for place in range(5):
            made = socket.create_connection(("127.0.0.1", net.port + place), 5)
            held.append(made)
            try:
                made.sendall(says)
            except OSError:
                pass
    for n in range(20):
        site.send("a", {"n": n})
    assert numbers(stream.take(20, 5)) == list(range(20))
    assert publish(net.connect("publish", zmq.REQ), b"as ever")[0] == b"ok"
    for made in held:
        made.close()
    until(lambda: net.turned_away() >= 5)
    stream.close()


def started(net, *args):
    """The exit code and the log of a hub with other options."""
    done = subprocess.run([os.path.join(BUILD, "belfryd"), "--config", net.world.write_config(),
                           "--run", net.world.folder("other"), "--data", net.world.folder("more"), *args],
                          capture_output=True, text=True, timeout=20 * PATIENCE, check=False)
    return done.returncode, done.stderr


def test_tcp_without_keys_does_not_start(world):
    net = Net(world)
    listen = ("--listen", net.listen, "--curve_key", net.path("hub"), "--curve_clients", net.list)
    for args, says in (
            (listen[:2] + ("--curve_key", ""), "curve_key is not set"),
            (listen[:4], "curve_clients is not set"),
            (("--listen", "tcp://nowhere") + listen[2:], "is no tcp://HOST:PORT"),
            (listen[:3] + (net.path("hub.pub"),) + listen[4:], "0600 or 0640"),
            (listen[:5] + (net.path("not"),), "No such file")):
        code, log = started(net, *args)
        assert code == 78 and says in log, log
    os.chmod(net.path("web"), 0o644)
    done = subprocess.run([os.path.join(BUILD, "belfry-fcgi"), "--config", world.write_config()],
                          capture_output=True, text=True, timeout=20 * PATIENCE, check=False)
    assert done.returncode == 78 and "0600 or 0640" in done.stderr and net.path("web") in done.stderr
    done = command(world, "pub", "a", "b")
    assert done.returncode == 78 and "0600 or 0640" in done.stderr
    os.chmod(net.path("web"), 0o600)
    world.set(curve_server="")
    done = command(world, "pub", "a", "b")
    assert done.returncode == 78 and "curve_server is not set" in done.stderr
    net.close()


def test_tools_and_the_worker_say_which_key_is_wrong(net):
    site = None
    for wrong, code, says in (
            ({"curve_key": net.path("stranger")}, 77, "does not let this key in"),
            ({"curve_server": net.path("stranger.pub")}, 75, "is not the one of curve_server")):
        net.world.set(curve_key=net.path("web"), curve_server=net.path("hub.pub"))
        net.world.set(**wrong)
        for words in (("pub", "a", "b"), ("sub", "a", "--timeout", "%dms" % (1000 * PATIENCE)), ("stats",)):
            done = command(net.world, *words)
            assert done.returncode == code and says in done.stderr, (words, done)
        worker = Worker(net.world).start()
        worker.program.wait_line(r"hub endpoint=.*reason=.*" + says)
        site = site or Server(net.world, "nginx").start("/health")
        done = command(net.world, "doctor", site.url, within=60)
        assert re.search(r"^fail  hub .*" + says, done.stdout, re.M), done.stdout
        assert request(site, "GET", "/events/ready").status == 503
        worker.stop()


def test_a_key_is_never_written_over(net):
    before = net.key("hub")
    done = command(net.world, "keygen", "--curve", net.path("hub"))
    assert done.returncode == 78 and "is there already" in done.stderr
    assert net.key("hub") == before
    assert command(net.world, "keygen", "--curve", "--jwt", net.path("x")).returncode == 64
