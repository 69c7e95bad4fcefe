"""STUN: one question, one answer, and silence for everything else.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import socket
import struct
import zlib

import pytest

from control import ask as ask_control
from derp_client import PATIENCE
from relay import EVERYTHING, with_keys

COOKIE = bytes.fromhex("2112a442")
SOFTWARE = b"\x80\x22\x00\x08tailnode"


def request(transaction, attributes=SOFTWARE, kind=b"\0\1", length=None, fingerprint=None, cookie=COOKIE):
    """A binding request; the attributes get a fingerprint behind them."""
    size = len(attributes) + 8
    head = kind + struct.pack(">H", size if length is None else length) + cookie + transaction + attributes
    if fingerprint is None:
        fingerprint = zlib.crc32(head) ^ 0x5354554E
    return head + b"\x80\x28\x00\x04" + struct.pack(">I", fingerprint)


@pytest.fixture
def ask(server):
    """A socket that asks the shared server, with a way to see that nothing was answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(PATIENCE)
        sock.connect(server.address("stun"))
        yield sock


def expected_v4(transaction, sock):
    address, port = sock.getsockname()[:2]
    mapped = bytes(a ^ b for a, b in zip(socket.inet_aton(address), COOKIE))
    return b"\x01\x01\x00\x0c" + COOKIE + transaction + b"\x00\x20\x00\x08\x00\x01" + struct.pack(">H", port ^ 0x2112) + mapped


def test_the_published_request():
    assert request(bytes(range(12))).hex() == (
        "000100142112a442000102030405060708090a0b802200087461696c6e6f6465802800048aabad90")


def test_request_is_answered(ask):
    for _ in range(20):
        transaction = os.urandom(12)
        ask.send(request(transaction))
        assert ask.recv(2048) == expected_v4(transaction, ask)


ANSWERED = {
    "header length not checked": {"length": 0},
    "attribute of another kind before": {"attributes": b"\x00\x03\x00\x04abcd" + SOFTWARE},
    "padded attribute": {"attributes": b"\x00\x03\x00\x01a\0\0\0" + SOFTWARE},
    "second software": {"attributes": b"\x80\x22\x00\x04test" + SOFTWARE},
}

DROPPED = {
    "software of others": request(bytes(12), b"\x80\x22\x00\x08other123"),
    "software longer": request(bytes(12), b"\x80\x22\x00\x09tailnodeX\0\0\0"),
    "no software": request(bytes(12), b""),
    "bad fingerprint": request(bytes(12), fingerprint=1),
    "no fingerprint": (b"\0\1" + struct.pack(">H", 12) + COOKIE + bytes(12) + SOFTWARE),
    "attribute behind": request(bytes(12)) + b"\x00\x03\x00\x04abcd",
    "stray bytes behind": request(bytes(12)) + b"\0\0",
    "indication": request(bytes(12), kind=b"\x00\x11"),
    "success response": request(bytes(12), kind=b"\x01\x01"),
    "top bits set": request(bytes(12), kind=b"\x80\x01"),
    "other cookie": request(bytes(12), cookie=b"\x21\x12\xa4\x43"),
    "header only": b"\0\1\0\0" + COOKIE + bytes(12),
    "attribute longer than the rest": request(bytes(12), b"\x80\x22\x00\xfftailnode"),
    "19 bytes": (b"\0\1\0\0" + COOKIE + bytes(12))[:19],
    "one byte": b"\0",
    "nothing": b"",
    "large": bytes(9000),
}


@pytest.mark.parametrize("variant", ANSWERED.values(), ids=ANSWERED.keys())
def test_variant_is_answered(ask, variant):
    transaction = os.urandom(12)
    ask.send(request(transaction, **variant))
    assert ask.recv(2048) == expected_v4(transaction, ask)


@pytest.mark.parametrize("datagram", DROPPED.values(), ids=DROPPED.keys())
def test_datagram_is_dropped(ask, datagram):
    """The next answer is that of the good request behind it."""
    ask.send(datagram)
    transaction = os.urandom(12)
    ask.send(request(transaction))
    assert ask.recv(2048) == expected_v4(transaction, ask)


def test_every_prefix_is_dropped(ask):
    whole = request(b"q" * 12)
    for size in range(len(whole)):
        ask.send(whole[:size])
    transaction = os.urandom(12)
    ask.send(request(transaction))
    assert ask.recv(2048) == expected_v4(transaction, ask)


def test_answer_comes_from_the_address_that_was_asked(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "service stun", listen=":{stun}"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.bind(("127.0.0.1", 0))
        transaction = os.urandom(12)
        sock.sendto(request(transaction), ("127.0.0.2", relay.ports["stun"]))
        answer, source = sock.recvfrom(2048)
        assert source[0] == "127.0.0.2"
        assert answer == expected_v4(transaction, sock)


def test_ipv6(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "service stun", listen="[::1]:{stun}"))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(("::1", relay.ports["stun"]))
        transaction = os.urandom(12)
        sock.send(request(transaction))
        mapped = bytes(a ^ b for a, b in zip(socket.inet_pton(socket.AF_INET6, "::1"), COOKIE + transaction))
        assert sock.recv(2048) == (b"\x01\x01\x00\x18" + COOKIE + transaction + b"\x00\x20\x00\x14\x00\x02" +
                                   struct.pack(">H", sock.getsockname()[1] ^ 0x2112) + mapped)


def test_several_listeners(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "service stun", listen="127.0.0.1:{stun};127.0.0.1:{stun2}"))
    for name in ("stun", "stun2"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.bind(("127.0.0.1", 0))
            sock.connect(("127.0.0.1", relay.ports[name]))
            sock.send(request(bytes(12)))
            assert sock.recv(2048) == expected_v4(bytes(12), sock)


def test_compat_any_answers_generic_clients(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "service stun", compat="any"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.bind(("127.0.0.1", 0))
        sock.connect(relay.address("stun"))
        # A bare header is all that the clients of coturn, pion and aioice send.
        sock.send(b"\0\1\0\0" + COOKIE + b"a" * 12)
        sock.send(b"\0\1\0\4" + COOKIE + b"b" * 12 + b"\x80\x22\0\0")
        sock.send(b"\0\1\0\x08" + COOKIE + b"c" * 12 + b"\x80\x22\x00\x04test")
        # A client of RFC 3489 sends no cookie and is not answered.
        sock.send(b"\0\1\0\0" + bytes(4) + b"d" * 12)
        sock.send(b"\0\1\0\0" + COOKIE + b"e" * 12)
        for letter in (b"a", b"b", b"c", b"e"):
            answer = sock.recv(2048)
            assert len(answer) == 32 and answer[:20] == b"\x01\x01\x00\x0c" + COOKIE + letter * 12
    counters = {counter["name"]: counter["value"] for counter in ask_control(relay, "counters")["counters"]}
    assert counters["requests_success"] == 4 and counters["not_stun_cookie"] == 1
