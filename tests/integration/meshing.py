"""Relays of one region that are linked to each other, each a process of its own.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import subprocess
import time

import nacl.utils
from certs import Certificate
from derp_client import PATIENCE, Frame, Timeout
from relay import free_port
from upgrading import UpgradedRelay

NODE = """
[core]
hostname = {name}.test
state-directory = {{dir}}/state
control-socket = {{run}}/control
dbus = none
workers = {workers}

[limits]
half-open-per-source = off

[admission]
chain = open

[transport https]
plugin = tls
listen = {address}:{{https}}

[transport http]
plugin = http
listen = 127.0.0.1:{{http}}
redirect = none

[cert main]
plugin = file
chain-file = {{dir}}/cert.pem
key-file = {{dir}}/key.pem

[service mesh]
key-file = {{dir}}/mesh.key

[log stderr]
plugin = stderr
level = debug
"""


class Node(UpgradedRelay):
    """One of them. Its port is known before it starts, so that the others can be told of it."""

    authority = None  # one for all of them in this process

    def __init__(self, directory, name, address="127.0.0.1", workers=1, **options):
        super().__init__(directory, NODE.format(name=name, address=address, workers=workers), **options)
        if Node.authority is None:
            Node.authority = Certificate("mesh", authority=True)
        certificate = Certificate(f"{name}.test", issuer=Node.authority)
        self.write_file("cert.pem", certificate.pem)
        self.write_file("key.pem", certificate.key_pem)
        self.write_file("ca.pem", Node.authority.pem)
        self.name, self.listens_at = name, address
        self.alone = self.config
        self.ports["https"] = free_port()

    def knows(self, *others):
        """Writes the configuration with @others as its peers; the node may run or not."""
        self.write_config(self.alone + "".join(
            f"\n[peer {other.name}]\nhost = {other.name}.test\nport = {other.ports['https']}\n"
            f"address = {other.listens_at}:{other.ports['https']}\nca-file = {self.directory}/ca.pem\n" for other in others))
        return self

    def client(self, **login):
        """A client of this node, in the clear."""
        return self.door().client(**login)

    def kill(self):
        """Ends it as a power cut would."""
        process, self.process = self.process, None
        process.kill()
        process.wait()


def links_to(*nodes):
    """The local ports of connections to the TLS port of each of the nodes, which are its links."""
    ports = []
    for node in nodes:
        text = subprocess.run(["ss", "-Htn", "state", "established", f"dport = :{node.ports['https']}"], capture_output=True, text=True, check=True).stdout
        ports.append(sorted(line.split()[2].rsplit(":", 1)[1] for line in text.splitlines()))
    return ports


def reaches(a, b, timeout=PATIENCE):
    """Waits until packets of @a arrive at @b, which may hear nothing else meanwhile."""
    deadline = time.monotonic() + timeout
    sent = set()
    while time.monotonic() < deadline:
        packet = nacl.utils.random(32)
        sent.add(packet)
        a.send_packet(b.key, packet)
        with contextlib.suppress(Timeout):
            while True:
                kind, payload = b.recv(0.3)
                if kind == Frame.KEEP_ALIVE:
                    continue
                assert (kind, payload[:32]) == (Frame.RECV_PACKET, a.key) and payload[32:] in sent, (kind, payload[:80])
                if payload[32:] == packet:
                    return
    raise AssertionError("nothing arrives")


def reach_each_other(*clients):
    """Each of them reaches each other."""
    for a in clients:
        for b in clients:
            if a is not b:
                reaches(a, b)


def hears_nothing(client, seconds):
    """Nothing but keep-alives comes for that long."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(Timeout):
        while True:
            kind, payload = client.recv(deadline - time.monotonic())
            assert kind == Frame.KEEP_ALIVE, (kind, payload[:80])


def reaches_nothing(a, b, seconds=1.0):
    """No packet of @a arrives at @b, and @b hears nothing."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        a.send_packet(b.key, os.urandom(32))
        with contextlib.suppress(Timeout):
            kind, payload = b.recv(0.05)
            raise AssertionError(f"{kind}: {payload[:80]}")
