"""Both record layers of TLS: packets, and OpenSSL as a client that changes its keys.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import shutil
import ssl
import subprocess
import threading

import pytest

from derp_client import PATIENCE
from relay import EVERYTHING, wait_until, with_keys

LAYERS = ["gnutls", "export"]


def relay_with(make_relay, layer):
    """A relay with that record layer."""
    return make_relay(with_keys(EVERYTHING, "transport https", record_layer=layer))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_packets_of_every_size(make_relay, layer, version):
    door = relay_with(make_relay, layer).door("tls")
    sender, receiver = (door.client(stream=door.stream(tls={"minimum": version, "maximum": version})) for _ in range(2))
    for size in [0, 1, 15, 16, 17, 1400, 8191, 16384, 16385, 40000, 65536]:
        packet = bytes(i * 7 % 256 for i in range(size))
        for one, other in ((sender, receiver), (receiver, sender), (sender, sender)):
            one.send_packet(other.key, packet)
            other.expect_packet(one.key, packet)


@pytest.mark.parametrize("layer", LAYERS)
def test_many_clients_at_once(make_relay, layer):
    """More than a worker keeps expanded keys for."""
    door = relay_with(make_relay, layer).door("tls")
    clients = [door.client() for _ in range(150)]
    for turn in range(12):
        for i, client in enumerate(clients):
            client.send_packet(clients[i - 1].key, b"%d of %d" % (i, turn))
        for i, client in enumerate(clients):
            client.expect_packet(clients[(i + 1) % 150].key, b"%d of %d" % ((i + 1) % 150, turn))


class OpenSSL:
    """openssl s_client on pipes: what it says is collected."""

    def __init__(self, address, *options):
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"{address[0]}:{address[1]}", "-servername", "relay.test", "-msg", *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = b""
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        """The thread that collects."""
        while data := self.process.stdout.read1(65536):
            self.said += data

    def write(self, data):
        """A line at a time: commands are lines of their own."""
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait(self, pattern, count=1):
        """Until it has said that so many times."""
        wait_until(lambda: len(re.findall(pattern, self.said)) >= count or self.process.poll() is not None, pattern)
        assert len(re.findall(pattern, self.said)) >= count, self.said.decode(errors="replace")

    def close(self):
        """Its exit status."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE)
        self.reader.join()
        return status


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_openssl_changes_keys(make_relay, layer, suite):
    relay = relay_with(make_relay, layer)
    client = OpenSSL(relay.address("tls"), "-tls1_3", "-ciphersuites", suite)
    client.wait(rb"Cipher is " + suite.encode())
    client.wait(rb"Verify return code")
    updates = 0
    for command in (b"k\n", b"K\n", b"K\n", b"k\n"):
        client.write(command)
        updates += 1
        client.wait(rb"KEYUPDATE", updates)
    client.write(b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n")
    client.wait(rb"HTTP/1\.1 200 ")
    client.wait(rb"<<< TLS 1\.3, Handshake \[length 0005\], KeyUpdate")  # OpenSSL's wish was heard
    client.close()
