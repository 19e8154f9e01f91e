"""Kill loops: nothing acknowledged is lost, doubled or out of order, whatever dies and wherever."""
import pytest

from belfry import until
from crash import Broken, Crashes, POINTS


def loop(world, web, cycles, events):
    crashes = Crashes(world, web)
    summary = crashes.run(cycles, events)
    print(summary)
    assert crashes.totals["acknowledged"] >= events and crashes.totals["received"] > events
    return crashes


def test_kills_at_named_points(world):
    """Each point ends a hub at least once, or it is not the point it was."""
    crashes = loop(world, "lighttpd", 60, 100000)
    for point in POINTS:
        assert crashes.hits[point] or point in ("prune", "after-prune"), crashes.hits


def test_kills_behind_nginx(world):
    loop(world, "nginx", 12, 10000)


@pytest.mark.options(idempotency_keys=100)
def test_a_load_that_is_not_drained_says_why(world):
    crashes = Crashes(world)
    crashes.new_leg("--drain", "1")
    until(lambda: crashes.load.count("refused"), 20)
    with pytest.raises(Broken, match=r"leg1\.p\d has no outcome, .*keys_full"):
        crashes.end_leg()


@pytest.mark.long
@pytest.mark.parametrize("web", ["apache", "caddy", "h2o"])
def test_kills_behind_other_servers(world, web):
    loop(world, web, 60, 50000)
