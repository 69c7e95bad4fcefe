"""The watchdog: a thread that makes no progress is named in the log, and the service manager hears nothing.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import signal
import socket
import subprocess
import time

import pytest

from control_attacks import Peer, get_all
from derp_client import PATIENCE
from held_threads import held, hold
from relay import DETOURD, SMALL, daemon_environment, wait_until

LIMIT_US = 3000000


class Watched:
    """A daemon whose service manager is the test."""

    def __init__(self, relay):
        self.relay = relay
        relay.write_config()
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(f"{relay.run_directory}/notify")
        environment = daemon_environment() | {"NOTIFY_SOCKET": f"{relay.run_directory}/notify", "WATCHDOG_USEC": str(LIMIT_US)}
        environment.pop("WATCHDOG_PID", None)
        with open(relay.log_file, "wb") as log:
            relay.process = subprocess.Popen([DETOURD, "--config", relay.config_file, "--no-vendor"], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log, env=environment)
        relay.wait_log("ready:")

    def heard(self):
        """What came since it was asked last."""
        said = []
        self.manager.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                said.append(self.manager.recv(4096).decode())
        return said

    def wait_fed(self):
        """Waits until the manager is told that all is well."""
        self.heard()
        wait_until(lambda: "WATCHDOG=1" in self.heard(), "WATCHDOG=1")

    def stopped(self, name):
        """One thread does nothing for a while; None: the main thread."""
        return hold(self.relay.process.pid) if name is None else held(self.relay.process, name)


@pytest.mark.parametrize("thread, name", [("worker-0", "worker-0"), ("handshake-0", "handshake-0"), (None, "the main loop")])
def test_a_thread_that_hangs_is_named(make_relay, thread, name):
    relay = make_relay(SMALL, start=False)
    watched = Watched(relay)
    watched.wait_fed()
    with watched.stopped(thread):
        relay.wait_log(rf"warning .*watchdog: {name} has made no progress for \d\.\d s; the service manager ends the daemon after 3 s")
        said = watched.heard()
        assert any(line.startswith(f"STATUS={name} has made no progress") for line in said)
        since = len(relay.log)
        relay.wait_log(f"watchdog: {name} has made no progress", since)
        assert "WATCHDOG=1" not in watched.heard()
        assert len(set(line for line in relay.log.splitlines() if "no progress" in line and name not in line)) == 0
    relay.wait_log(f"watchdog: {name} goes on")
    watched.wait_fed()


def test_a_hostile_peer_does_not_starve_it(make_relay):
    relay = make_relay(SMALL, start=False)
    watched = Watched(relay)
    peers = [Peer(relay) for _ in range(40)]
    calls = b"".join(get_all(serial + 1) for serial in range(200))
    end = time.monotonic() + PATIENCE
    fed = 0
    while fed < 5:
        for peer in peers:
            peer.socket.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.socket.send(calls)
            with contextlib.suppress(BlockingIOError):
                while peer.socket.recv(65536):
                    pass
        fed += watched.heard().count("WATCHDOG=1")
        assert time.monotonic() < end, "the service manager was not told"
    assert "no progress" not in relay.log
    for peer in peers:
        peer.close()


def test_it_needs_no_descriptor(make_relay):
    relay = make_relay(SMALL, start=False)
    watched = Watched(relay)
    watched.wait_fed()
    limit = subprocess.run(["prlimit", f"--pid={relay.process.pid}", "--nofile=3:"], check=False).returncode
    assert limit == 0
    for _ in range(3):
        watched.wait_fed()
    subprocess.run(["prlimit", f"--pid={relay.process.pid}", "--nofile=1024:"], check=True)
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_log("reloaded")
