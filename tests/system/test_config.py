"""What --check-config passes starts; what it refuses it says as a start would, and nothing was touched."""
import os
import subprocess

import pytest

from belfry import BUILD, clean_environment

OF_THE_HUB = [
    ({"group": "nobody-is-called-so"}, 'group: \\"nobody-is-called-so\\" is not there'),
    ({"listen": "tcp://127.0.0.1:7000"}, "listen: tcp:// is spoken with CURVE keys alone"),
    ({"listen": "127.0.0.1:7000"}, "is no tcp://HOST:PORT"),
    ({"hook": "ftp://shop"}, "begins with none of http://"),
]
OF_THE_WORKER = [
    ({"trusted_proxies": "10.0.0.0/8"}, "trusted_proxies: 10.0.0.0/8 is no address"),
    ({"channels_for_all": "news,room:*"}, "channels_for_all: is a pattern"),
    ({"mount": "/events?x=1"}, "mount: /events?x=1 is no path"),
    ({"origins": "app.example"}, "origins: app.example is no origin"),
    ({"origins": "https://app.example/"}, "origins: https://app.example/ is no origin"),
    ({"hub": "http://hub.example"}, "is no tcp://HOST:PORT"),
    ({"token_keys": "/nowhere/keys"}, "token_keys: /nowhere/keys: No such file"),
]


def said(world, binary, *flags):
    """Exit code and last line of a program that ends by itself."""
    done = subprocess.run([os.path.join(BUILD, binary), "--config", world.write_config(), *flags],
                          capture_output=True, text=True, timeout=60, check=False,
                          env=clean_environment())
    return done.returncode, done.stderr.strip().rpartition("\n")[2]


@pytest.mark.parametrize("binary, options, why",
                         [("belfryd", *row) for row in OF_THE_HUB] +
                         [("belfry-fcgi", *row) for row in OF_THE_WORKER])
def test_what_a_start_refuses_a_check_refuses(world, binary, options, why):
    assert said(world, binary, "--check-config") == (0, "")
    world.set(**options)
    checked = said(world, binary, "--check-config")
    assert checked[0] == os.EX_CONFIG and why in checked[1]
    assert said(world, binary) == checked
    assert not os.listdir(world.data), "a start in vain opens no log, and no epoch"
