"""Random users and changing rights against a simple model, on the real programs."""
import os
import random

import pytest

from belfry import LONG_SCALE, command
from modelled import Play
from rights import CHANNELS
from test_identity import secret_of


@pytest.fixture
def world(world):
    keys = os.path.join(world.dir, "keys")
    assert command(world, "keygen", "--jwt", keys).returncode == 0
    world.set(token_keys=keys, access="granted", workers="2", presence_grace="1s", max_streams_user="0",
              rate_publishes="0", rate_subscribes="0", rate_history="0", log_level="info")
    world.channels.update(CHANNELS)
    return world


def play(hub, worker, operations, seconds=None):
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    played = Play(hub, worker, secret_of(worker.world), seed)
    print("seed", seed)
    done = played.run(operations, seconds)
    counts = played.counts
    print("rights: operations=%d deliveries=%d changes=%d leaks=0" % (
        done, counts["deliveries"], counts["change_rights"]))


def test_nobody_sees_what_was_not_granted(hub, worker):
    play(hub, worker, 30000, 15)


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_nobody_sees_what_was_not_granted_in_a_million_operations(hub, worker, part):
    play(hub, worker, int(250000 * LONG_SCALE))
