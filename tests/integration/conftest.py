"""Fixtures: a shared server and the ways into it, relays of a test's own.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os

import pytest

import relay as relay_module
from reference import Derper
from relay import EVERYTHING, TRANSPORTS, Relay


def pytest_addoption(parser):
    """--server=derper runs what is pure protocol against the reference server (DERPER=/path)."""
    parser.addoption("--server", default="detour", choices=["detour", "derper"])


def pytest_collection_modifyitems(config, items):
    """With another server, only what it can do; without a daemon nothing, and that must be seen."""
    if config.getoption("--server") == "derper":
        fit = [item for item in items if "server" in item.fixturenames and "detour_only" not in item.fixturenames
               and "tls-gnutls" not in item.name]
        config.hook.pytest_deselected(items=[item for item in items if item not in fit])
        items[:] = fit
    elif not relay_module.DETOURD.exists():
        if os.environ.get("CI") == "true":
            raise pytest.UsageError(f"there is no {relay_module.DETOURD}")
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"there is no {relay_module.DETOURD}"))


@pytest.fixture(scope="session")
def server(request, tmp_path_factory):
    """One server for all tests that only speak the protocol: tests use keys of their own and do not meet."""
    directory = tmp_path_factory.mktemp("server")
    kind = Derper if request.config.getoption("--server") == "derper" else Relay
    with kind(directory) as server:
        yield server.start()


@pytest.fixture(params=TRANSPORTS)
def door(server, request):
    """Each way into the shared server; closes what the test opened."""
    with server.lent_door(request.param) as door:
        yield door


@pytest.fixture(params=["tls-gnutls", "tls-export"])
def tls_door(server, request):
    """The ways into the shared server that speak TLS 1.3."""
    with server.lent_door(request.param) as door:
        yield door


@pytest.fixture
def make_relay(tmp_path):
    """Starts relays that belong to one test; they are stopped, and looked at, when it ends."""
    started = []

    def make(config=EVERYTHING, files=None, start=True):
        relay = Relay(tmp_path / f"relay{len(started)}", config, files)
        started.append(relay)
        return relay.start() if start else relay

    yield make
    problems = []
    for relay in reversed(started):
        try:
            relay.stop()
        except AssertionError as problem:
            problems.append(str(problem))
        relay.remove()
    assert not problems, "\n".join(problems)


@pytest.fixture
def since_104(server):
    """For what the reference does only since 1.104."""
    if server.version < (1, 104):
        pytest.skip("this reference server is older than 1.104")


@pytest.fixture
def detour_only():
    """For rules of Detour's own that the reference does not have."""
