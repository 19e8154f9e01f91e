"""Fixtures: `world` (folder and processes of one test), `hub` and `worker` (started and ready),
`server` (each of the five web servers), `site` (one of them, where the server does not matter).

Options: @pytest.mark.options(max_event="4k", …) sets them before anything starts,
@pytest.mark.channels({"room:*": {"keep": 5}}) the retention of channels,
@pytest.mark.web("lighttpd") the server behind `site`. Long tests bear @pytest.mark.long.
"""
import os
import resource
import sys

import pytest

for folder in ("system", "fault"):
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), folder))

from belfry import Hub, SERVERS, Server, Worker, World, adopt_orphans  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="also the tests that take minutes")


def pytest_configure(config):
    config.addinivalue_line("markers", "options(**options): options of the three programs")
    config.addinivalue_line("markers", "channels(table): retention for patterns of channels")
    config.addinivalue_line("markers", "web(name): the web server behind `site`")
    config.addinivalue_line("markers", "long: takes minutes; only with --long")
    adopt_orphans()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--long"):
        skipped = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=skipped)
        items[:] = [item for item in items if item not in skipped]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where a test failed, what its programs said is shown."""
    outcome = yield
    report = outcome.get_result()
    world = item.funcargs.get("world") if hasattr(item, "funcargs") else None
    if report.when == "call" and report.failed and world:
        for program in world.programs:
            report.sections.append((program.name, program.log()[-4000:]))


@pytest.fixture
def world(request):
    made = World()
    for mark in request.node.iter_markers("options"):
        made.set(**mark.kwargs)
    for mark in request.node.iter_markers("channels"):
        made.channels.update(mark.args[0])
    yield made
    made.close()


@pytest.fixture
def hub(world):
    return Hub(world).start()


@pytest.fixture
def worker(hub):
    return Worker(hub.world).start()


@pytest.fixture(params=SERVERS)
def server(request, worker):
    return Server(worker.world, request.param).start("/ready")


@pytest.fixture
def site(request, worker):
    mark = request.node.get_closest_marker("web")
    return Server(worker.world, mark.args[0] if mark else "nginx").start("/ready")
