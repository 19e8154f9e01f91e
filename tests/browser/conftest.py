"""Fixtures: `demo`, the web server of a house like the one that scripts/run runs."""
import configparser
import os
import subprocess

import pytest

from belfry import BUILD, ROOT, Server, Worker


@pytest.fixture
def demo_world(world):
    subprocess.run(["bash", "-euc", '. scripts/lib; demo_site "$1" "$2"', "-", BUILD, world.run], cwd=ROOT, check=True)
    world.site = os.path.join(world.run, "site")
    world.set(token_keys=os.path.join(world.run, "tokens.jwks"))
    conf = configparser.ConfigParser()
    conf.read(os.path.join(ROOT, "conf/demo.conf"))
    for section in conf.sections():
        kind, _, pattern = section.partition(" ")
        if kind == "channel":
            world.channels.setdefault(pattern, dict(conf[section]))
        else:
            world.set(**conf[section])
    return world


@pytest.fixture
def demo(demo_world, hub):
    assert hub.world is demo_world
    Worker(demo_world).start()
    return Server(demo_world, "lighttpd").start("/ready")
