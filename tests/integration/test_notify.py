"""Notifications to the service manager, and the vendor's file.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import re
import signal
import socket
import subprocess
import time

from derp_client import PATIENCE
from relay import DETOURD, SMALL, daemon_environment, run_detourd


class Manager:
    """Takes the place of the service manager."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def wait_for(self, pattern):
        """Takes datagrams until one matches."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            self.heard.append(self.socket.recv(4096).decode())
            if re.search(pattern, self.heard[-1]):
                return self.heard[-1]


def test_manager_is_told(make_relay, tmp_path):
    relay = make_relay(SMALL, start=False)
    relay.write_config()
    manager = Manager(relay.run_directory)
    environment = daemon_environment() | {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "30000"}
    environment.pop("WATCHDOG_PID", None)
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen([DETOURD, "--config", relay.config_file, "--no-vendor"], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, env=environment)
    try:
        assert "transport/http" in manager.wait_for(r"^STATUS=ready: ")
        manager.wait_for("^READY=1$")
        assert manager.heard == manager.heard[:1] + ["READY=1"]
        for _ in range(3):
            manager.wait_for("^WATCHDOG=1$")
        process.send_signal(signal.SIGHUP)
        before = time.monotonic_ns() // 1000
        said = manager.wait_for(r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
        assert abs(int(said.split("=")[-1]) - before) < PATIENCE * 1000000
        manager.wait_for("^READY=1$")
        process.send_signal(signal.SIGUSR1)
        manager.wait_for("^STATUS=draining$")
        process.terminate()
        manager.wait_for("^STOPPING=1$")
    finally:
        process.terminate()
        assert process.wait() == 0


def test_vendor_file_needs_only_an_admission(tmp_path):
    path = tmp_path / "detour.conf"
    path.write_text("[admission]\nchain = open\n")
    output, _ = run_detourd("--dump-config", "--config", path)
    for group in ("transport https", "transport http", "transport websocket", "service stun", "http home", "http captive", "http acme",
                  "log main"):
        assert f"[{group}]" in output
    for line in ("listen = [::]:443", "listen = [::]:80", "derp = false", "redirect = https", "listen = [::]:3478"):
        assert line in output
    run_detourd("--check-config", "--config", path)


def test_secure_listener_without_certificate_is_said(make_relay):
    relay = make_relay(SMALL + "\n[transport https]\nplugin = tls\nlisten = 127.0.0.1:{https}\n")
    relay.wait_log(r"transport/https has no certificate")
