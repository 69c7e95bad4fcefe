"""Fixtures: a shared server and the ways into it, relays of a test's own.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import pathlib
import tempfile

import pytest

import relay as relay_module
from acme_relay import AcmeRelay
from handing import HandedRelay
from keeping import KeptRelay
from pebble import Program
from reference import Derper
from relay import TRANSPORTS, Relay, daemon_environment
from upgrading import PATIENT, UpgradedRelay

# For programs that a test starts by itself, too.
os.environ["ASAN_OPTIONS"] = daemon_environment()["ASAN_OPTIONS"]


def pytest_addoption(parser):
    """--server=derper runs what is pure protocol against the reference server (DERPER=/path)."""
    parser.addoption("--server", default="detour", choices=["detour", "derper"])


def dealt(items):
    """The slow tests of certificates dealt evenly between the others, so that no process ends long after the rest."""
    slow, rest = [], []
    for item in items:
        (slow if item.path.stem in ("test_acme", "test_acme_faults", "test_acme_odd") else rest).append(item)
    places = [(place + 0.5) / len(list_) for list_ in (slow, rest) for place in range(len(list_))]
    return [item for _, item in sorted(zip(places, slow + rest), key=lambda pair: pair[0])]


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
    items[:] = dealt(items)


@pytest.fixture(scope="session", autouse=True)
def no_program_left():
    """Test CAs and name servers end with their tests; whatever is left is an error of the last test, and is ended."""
    yield
    left = list(Program.running)
    for program in left:
        program.stop()
    assert not left, f"nobody stopped what writes {', '.join(sorted(str(program.log_file) for program in left))}"


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
def short_folder():
    """A folder whose path leaves room for the name of a socket."""
    with tempfile.TemporaryDirectory(prefix="detour-") as folder:
        yield pathlib.Path(folder)


@contextlib.contextmanager
def relays_of_a_test(kind, folder):
    """A function that makes relays of that class, and starts them; they are stopped, and looked at, at the end."""
    made = []

    def make(*arguments, start=True, **options):
        relay = kind(folder / f"relay{len(made)}", *arguments, **options)
        made.append(relay)
        return relay.start() if start else relay

    yield make
    problems = []
    for relay in reversed(made):
        try:
            relay.stop()
        except AssertionError as problem:
            problems.append(str(problem))
        relay.remove()
    assert not problems, "\n".join(problems)


@pytest.fixture
def make_relay(tmp_path):
    """Starts relays that belong to one test."""
    with relays_of_a_test(Relay, tmp_path) as make:
        yield make


@pytest.fixture
def make_acme_relay(tmp_path):
    """The same with certificates from a CA, which is the first argument."""
    with relays_of_a_test(AcmeRelay, tmp_path) as make:
        yield make


@pytest.fixture
def upgraded(tmp_path):
    """The same that go over to the installed program as often as a test likes."""
    with relays_of_a_test(UpgradedRelay, tmp_path) as make:
        yield lambda config=PATIENT, **options: make(config, **options)


@pytest.fixture
def kept(tmp_path):
    """The same under a service manager that keeps a descriptor over restarts."""
    with relays_of_a_test(KeptRelay, tmp_path) as make:
        yield lambda config=PATIENT, **options: make(config, **options)


@pytest.fixture
def handed(tmp_path):
    """The same with programs that wait to take over in another process."""
    with relays_of_a_test(HandedRelay, tmp_path) as make:
        yield lambda config=PATIENT, **options: make(config, **options)


@pytest.fixture
def since_104(server):
    """For what the reference does only since 1.104."""
    if server.version < (1, 104):
        pytest.skip("this reference server is older than 1.104")


@pytest.fixture
def detour_only():
    """For rules of Detour's own that the reference does not have."""
