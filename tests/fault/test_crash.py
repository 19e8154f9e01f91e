"""Kill loops: nothing acknowledged is lost, doubled or out of order, whatever dies and wherever."""
import pytest

from crash import Crashes, POINTS


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


@pytest.mark.long
@pytest.mark.parametrize("web", ["apache", "caddy", "h2o"])
def test_kills_behind_other_servers(world, web):
    loop(world, web, 60, 50000)
