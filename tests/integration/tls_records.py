"""Records of TLS 1.3, taken between client and relay and opened with the secrets that the client wrote down.
SPDX-License-Identifier: LGPL-2.1-or-later

From RFC 8446 alone: nothing here counts as the relay or a TLS library does.
"""

import contextlib
import select
import socket
import threading

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

# Cipher, bytes of its key, hash.
SUITES = {
    "TLS_AES_128_GCM_SHA256": (AESGCM, 16, hashes.SHA256),
    "TLS_AES_256_GCM_SHA384": (AESGCM, 32, hashes.SHA384),
    "TLS_CHACHA20_POLY1305_SHA256": (ChaCha20Poly1305, 32, hashes.SHA256),
}

CHANGE_CIPHER_SPEC, HANDSHAKE, APPLICATION_DATA = 20, 22, 23
KEY_UPDATE = 24


class Recorder:
    """Stands between one client and a relay, and keeps all bytes that the relay sent."""

    def __init__(self, target):
        self.target = target
        self.taken = bytearray()
        self.reading = threading.Event()
        self.reading.set()
        self.ending = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()
        self.listener.close()

    def run(self):
        """Carries bytes both ways to the end."""
        self.listener.settimeout(30)
        with self.listener.accept()[0] as client, socket.socket() as relay, contextlib.suppress(ConnectionError):
            # A small window: what is not read waits at the relay.
            relay.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            relay.connect(self.target)
            while not self.ending.is_set():
                sources = [client, relay] if self.reading.is_set() else [client]
                for source in select.select(sources, [], [], 0.02)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is relay:
                        self.taken += data
                    (client if source is relay else relay).sendall(data)


def secrets_of(path):
    """What a client wrote into the file that SSLKEYLOGFILE names: secrets by their labels."""
    lines = [line.split() for line in path.read_text().splitlines() if not line.startswith("#")]
    return {label: bytes.fromhex(secret) for label, _, secret in lines}


class Opener:
    """Opens records of one side; knows one number only, the next."""

    def __init__(self, suite, secret):
        self.cipher, self.key_size, self.hash = SUITES[suite]
        self.secret = secret
        self.used = []
        self.take_secret(secret)

    def expand(self, label, size):
        """HKDF-Expand-Label with no context."""
        label = b"tls13 " + label
        return HKDFExpand(self.hash(), size, size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0").derive(self.secret)

    def take_secret(self, secret):
        """Numbers begin anew with another secret."""
        self.secret = secret
        self.aead = self.cipher(self.expand(b"key", self.key_size))
        self.vector = int.from_bytes(self.expand(b"iv", 12), "big")
        self.number = 0

    def open(self, record):
        """Type and content of the record, which must have the next number; None when it does not."""
        nonce = (self.vector ^ self.number).to_bytes(12, "big")
        try:
            plain = self.aead.decrypt(nonce, record[5:], record[:5]).rstrip(b"\0")
        except InvalidTag:
            return None
        self.used.append((self.secret, self.number))
        self.number += 1
        if plain[-1] == HANDSHAKE and plain[0] == KEY_UPDATE:
            self.take_secret(self.expand(b"traffic upd", self.hash.digest_size))
        return plain[-1], plain[:-1]


def records_in(data):
    """Whole records, one after the other."""
    begin = 0
    while begin < len(data):
        end = begin + 5 + int.from_bytes(data[begin + 3:begin + 5], "big")
        assert end <= len(data), "half a record at the end"
        yield bytes(data[begin:end])
        begin = end


def open_all(data, suite, secrets):
    """Opens what a server sent; gives each secret and number that it used, and the application data."""
    handshake = Opener(suite, secrets["SERVER_HANDSHAKE_TRAFFIC_SECRET"])
    traffic = Opener(suite, secrets["SERVER_TRAFFIC_SECRET_0"])
    plain = bytearray()
    for n, record in enumerate(records_in(data)):
        if record[0] != APPLICATION_DATA:
            assert record[0] in (HANDSHAKE, CHANGE_CIPHER_SPEC) and not traffic.used, f"record {n} is not encrypted"
            continue
        if not traffic.used and handshake.open(record):
            continue
        found = traffic.open(record)
        assert found, f"record {n} does not have number {traffic.number}"
        if found[0] == APPLICATION_DATA:
            plain += found[1]
    return handshake.used + traffic.used, plain
