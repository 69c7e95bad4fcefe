"""TLS 1.3 key updates in the midst of a session, made by openssl s_client, which can be told to.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import select
import subprocess
import time

import nacl.utils
import pytest

from derp_client import PATIENCE, Client, Closed, Stream, Timeout
from relay import wait_until


# Commands of openssl s_client: it carries them out, instead of sending them, where they come first in a read.
COMMANDS = b"BCKQRk"


class OpensslStream(Stream):
    """A stream through the pipes of openssl s_client."""

    def __init__(self, address, errors, options=()):
        self.errors = errors
        with open(errors, "wb") as file:
            self.process = subprocess.Popen(
                ["openssl", "s_client", "-connect", f"{address[0]}:{address[1]}", "-tls1_3", "-servername", "relay.test",
                 *options],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, bufsize=0)
        super().__init__(None)
        self.read_until(b"Verify return code")
        self.read_until(b"---\n")

    def write(self, data):
        """Bytes to the server; the first of them is no command."""
        assert data[0] not in COMMANDS
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view):]

    def fill(self, deadline, size=65536):
        left = max(0, deadline - time.monotonic())
        if not select.select([self.process.stdout], [], [], left)[0]:
            raise Timeout("nothing more came in time")
        data = os.read(self.process.stdout.fileno(), size)
        if not data:
            raise Closed("end of stream")
        self.pending += data

    def update_keys(self, ask_for_theirs):
        """Sends a KeyUpdate; with @ask_for_theirs the server must change its keys as well."""
        before = self.n_updates()
        # s_client must have read all that was written before, or it would send the command as data.
        self.process.stdin.write(b"K\n" if ask_for_theirs else b"k\n")
        wait_until(lambda: self.n_updates() > before, "the key update")

    def n_updates(self):
        """Updates that were made so far."""
        return self.errors.read_bytes().count(b"KEYUPDATE")

    def close(self):
        """Ends it."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()


def harmless(size):
    """Random bytes, none of which openssl could take for a command where one of its reads begins."""
    return nacl.utils.random(size).translate(bytes(byte if byte not in COMMANDS else 0 for byte in range(256)))


def log_in(stream):
    """A client on top of it."""
    client = Client(stream)
    stream.write(b"GET /derp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n")
    stream.read_until(b"HTTP/1.1 101 ")
    stream.read_until(b"\r\n\r\n")
    client.read_server_key()
    stream.write(client.client_info())
    return client.read_server_info()


@pytest.fixture
def openssl(tls_door, tmp_path):
    """Makes streams through openssl."""
    made = []

    def make(*options):
        made.append(OpensslStream(tls_door.address, tmp_path / f"openssl{len(made)}.log", options))
        return made[-1]
    yield make
    for stream in made:
        stream.close()


@pytest.fixture
def updating(openssl):
    """A client that can change its keys, logged in."""
    return log_in(openssl())


@pytest.mark.parametrize("cipher", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_every_cipher_carries_packets_and_changes_keys(tls_door, openssl, cipher):
    a, b = log_in(openssl("-ciphersuites", cipher)), tls_door.client()
    for size in (0, 1, 1400, 16384, 65536):
        packet = harmless(size)
        a.send_packet(b.key, packet)
        b.expect_packet(a.key, packet)
        b.send_packet(a.key, packet)
        a.expect_packet(b.key, packet)
    a.stream.update_keys(True)
    a.send_packet(b.key, b"with new keys")
    b.expect_packet(a.key, b"with new keys")


@pytest.mark.parametrize("ask_for_theirs", [False, True], ids=["one side", "both sides"])
def test_packets_pass_before_and_after_key_updates(tls_door, updating, ask_for_theirs):
    other = tls_door.client()
    for size in (100, 3000, 16384, 60000):
        packet = harmless(size)
        updating.send_packet(other.key, packet)
        other.expect_packet(updating.key, packet)
        other.send_packet(updating.key, packet)
        updating.expect_packet(other.key, packet)
        updating.stream.update_keys(ask_for_theirs)


def test_several_key_updates(tls_door, updating):
    """As many as GnuTLS allows in a second."""
    other = tls_door.client()
    for n in range(8):
        updating.stream.update_keys(n % 2 == 0)
        updating.send_packet(other.key, b"%d" % n)
        other.expect_packet(updating.key, b"%d" % n)
        other.send_packet(updating.key, b"%d" % n)
        updating.expect_packet(other.key, b"%d" % n)


def test_key_update_before_the_login(openssl):
    stream = openssl()
    stream.update_keys(True)
    stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n")
    stream.read_until(b"HTTP/1.1 200 ")
    stream.update_keys(False)
    stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n")
    stream.read_until(b"HTTP/1.1 200 ")
