"""detourctl with a daemon that says what none would: numbers as large as they can be.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import socket
import struct
import threading

import pytest

from control import detourctl
from control_attacks import ANSWER, NAME, ROOT, message
from fake_relay import read_calls, write

KEY = "nodekey:" + "5a" * 32


class OddDaemon:
    """Answers calls by their names with pairs of a type and a value; a context manager."""

    def __init__(self, folder, answers):
        self.run_directory = folder
        self.answers = answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{folder}/control")
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def serve(self):
        """One connection after the other, until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                connection = self.listener.accept()[0]
                with connection, contextlib.suppress(ConnectionError):
                    self.log_in(connection)
                    self.answer(connection)

    @staticmethod
    def log_in(connection):
        """The words before the first message; whoever connects may be anybody."""
        words = connection.makefile("rb", buffering=0)
        while not (line := words.readline().strip(b"\0\r\n")).startswith(b"BEGIN"):
            if line.startswith((b"AUTH EXTERNAL", b"DATA")):
                connection.sendall(b"OK " + b"5a" * 16 + b"\r\n")
            elif line == b"AUTH":
                connection.sendall(b"REJECTED EXTERNAL\r\n")
            elif line:
                connection.sendall(b"ERROR\r\n")
            else:
                raise ConnectionError("closed before the login")

    def answer(self, connection):
        """Calls that come, to the end."""
        for number, call in enumerate(read_calls(lambda: connection.recv(65536)), 1):
            name = next(name for name in self.answers if b"\0" + name.encode() + b"\0" in call)
            body = bytearray()
            for signature, value in self.answers[name]:
                write(body, signature, value)
            signature = "".join(signature for signature, _ in self.answers[name])
            serial, = struct.unpack("<I", call[8:12])
            connection.sendall(message(ANSWER, number, [(5, "u", serial), (8, "g", signature)], bytes(body)))


@pytest.fixture(params=[2**63 - 1, 2**63, 2**64 - 1], ids=["most", "least", "last"])
def odd(request, short_folder):
    """A daemon whose times are all the same, which is none."""
    time = ("t", request.param)
    certificate = {"Instance": ("s", "cert/main"), "Names": ("as", ["relay.test"]), "Error": ("s", "none"), "State": ("s", "failing")}
    certificate |= {name: time for name in ("NotBefore", "NotAfter", "NextTry", "RenewTime", "ErrorTime")}
    plugin = {"Id": ("s", "http/home"), "Plugin": ("s", "http-home"), "State": ("s", "running"), "Since": time}
    mesh = {"Id": ("s", "service/mesh"), "Plugin": ("s", "service-mesh"), "State": ("s", "running"), "Since": time}
    peer = {"Name": ("s", "b"), "Host": ("s", "b.test"), "State": ("s", "waiting"), "Error": ("s", "silence"), "NextTry": time, "Since": time}
    objects = {f"{ROOT}/{path}": {f"{NAME}.{interface}": properties} for path, interface, properties in (
        ("certificate/a", "Certificate", certificate), ("plugin/home", "Plugin", plugin), ("plugin/mesh", "Plugin", mesh), ("peer/b", "Peer", peer))}
    progress = {name: time for name in ("begin", "duration", "connections", "left", "keep")}
    manager = {"Hostname": ("s", "relay.test"), "Version": ("s", "0.1.0"), "DrainProgress": ("a{sv}", progress),
               "LastUpgrade": ("a{sv}", {name: time for name in ("attempts", "time", "kept", "lost", "paused_us")}),
               "Recent": ("a{sv}", {name: time for name in ("duration_us", "packets_received", "bytes_received", "packets_dropped_slow")})}
    manager |= {name: time for name in ("Uptime", "Workers", "ClientCount", "DescriptorsLeft", "DescriptorLimit", "StartTime")}
    client = {"key": ("s", KEY), "since": time, "connection": time, "bytes_received": time, "packets_dropped": time}
    verdict = {"key": ("s", KEY), "verdict": ("s", "deny"), "last": time, "first": time, "count": time}
    event = {"event": ("s", "join"), "key": ("s", KEY), "first": time, "last": time, "count": ("u", 2**32 - 1)}
    ban = {"target": ("s", KEY), "since": time, "until": time, "refused": time}
    objects, counters = ("a{oa{sa{sv}}}", objects), ("a(sa{ss}ts)", [])
    with OddDaemon(short_folder, {
            "GetAll": [("a{sv}", manager)], "GetManagedObjects": [objects], "GetCounters": [counters],
            "ListClients": [("aa{sv}", [client]), ("s", "")], "GetClient": [("aa{sv}", [client])], "Why": [("aa{sv}", [verdict])],
            "ListEvents": [("aa{sv}", [event])], "ListBans": [("aa{sv}", [ban]), ("s", "")]}) as daemon:
        yield daemon


@pytest.mark.parametrize("command", [
    ["status"], ["certs"], ["plugins"], ["peers"], ["clients"], ["client", KEY], ["why", KEY], ["why", KEY, "--at", "03:10"], ["bans"],
], ids=" ".join)
def test_times_that_are_none(odd, command):
    """Sanitizers complain of what overflows; whatever comes, the command goes on to its end."""
    assert detourctl(odd, *command)[0]
    assert isinstance(json.loads(detourctl(odd, *command, "--json")[0]), dict)
