"""Relaying: what was sent arrives, whole, in order and from whom it says.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import random

import nacl.utils
import pytest

from derp_client import PACKET_MAX, Frame, disco, frame

SIZES = [0, 1, 2, 31, 32, 33, 61, 62, 63, 100, 1024, 1400, 1437, 4095, 4096, 8192, 16347, 16383, 16384, 16385, 20000,
         32767, 32768, 32769, 49152, 65499, 65535, 65536]


def test_packets_of_all_sizes(door):
    a, b = door.client(), door.client()
    for size in SIZES:
        packet = nacl.utils.random(size)
        a.send_packet(b.key, packet)
        b.expect_packet(a.key, packet)
        b.send_packet(a.key, packet[::-1])
        a.expect_packet(b.key, packet[::-1])


def test_disco_packets_of_all_sizes(door):
    a, b = door.client(), door.client()
    for size in [size for size in SIZES if size >= 62]:
        a.send_packet(b.key, disco(size))
        b.expect_packet(a.key, disco(size))


def test_packets_to_oneself(door):
    client = door.client()
    for size in (0, 1, 1400, PACKET_MAX):
        packet = nacl.utils.random(size)
        client.send_packet(client.key, packet)
        client.expect_packet(client.key, packet)


def test_order_is_kept(door):
    """In windows, for a relay may drop what stands in a full queue of 32."""
    a, b = door.client(), door.client()
    for window in range(40):
        numbers = range(window * 30, window * 30 + 30)
        a.stream.write(b"".join(frame(Frame.SEND_PACKET, b.key + b"%05d" % n * random.randrange(1, 300)) for n in numbers))
        for n in numbers:
            data = b.expect(Frame.RECV_PACKET)
            assert data[:32] == a.key
            assert data[32:37] == b"%05d" % n


def send_large(sender, receiver):
    """30 packets of 64 KiB on their way at once, as a bandwidth probe has them."""
    digests = []
    for n in range(30):
        packet = bytes([n]) + nacl.utils.random(PACKET_MAX - 1)
        digests.append(hashlib.sha256(packet).digest())
        sender.send_packet(receiver.key, packet)
        receiver.stream.drain()
    for digest in digests:
        data = receiver.expect(Frame.RECV_PACKET)
        assert data[:32] == sender.key
        assert hashlib.sha256(data[32:]).digest() == digest


def test_thirty_large_packets_on_their_way(door):
    a, b = door.client(), door.client()
    for _ in range(3):
        send_large(a, b)
        send_large(b, a)


def test_both_directions_at_once(door):
    a, b = door.client(), door.client()
    for window in range(10):
        for n in range(15):
            a.send_packet(b.key, b"ab%d.%d" % (window, n) + bytes(3000))
            b.send_packet(a.key, b"ba%d.%d" % (window, n) + bytes(3000))
        for n in range(15):
            b.expect_packet(a.key, b"ab%d.%d" % (window, n) + bytes(3000))
            a.expect_packet(b.key, b"ba%d.%d" % (window, n) + bytes(3000))


def test_many_clients_get_what_is_theirs(door):
    clients = [door.client() for _ in range(20)]
    expected = {client.key: set() for client in clients}
    for source in clients:
        for target in clients:
            packet = source.key + target.key + nacl.utils.random(random.randrange(0, 200))
            source.send_packet(target.key, packet)
            expected[target.key].add((source.key, packet))
    for client in clients:
        for _ in range(len(clients)):
            data = client.expect(Frame.RECV_PACKET)
            expected[client.key].remove((data[:32], data[32:]))
    assert not any(expected.values())


def test_a_packet_in_random_pieces(door):
    a, b = door.client(), door.client()
    chance = random.Random(5)
    for size in (10, 1000, 40000, PACKET_MAX):
        packet = chance.randbytes(size)
        data = frame(Frame.SEND_PACKET, b.key + packet)
        while data:
            cut = chance.randrange(1, min(len(data), 9000) + 1)
            a.stream.write(data[:cut])
            data = data[cut:]
        b.expect_packet(a.key, packet)


def test_packets_to_an_unknown_key_vanish(door):
    client = door.client()
    client.send_packet(nacl.utils.random(32), b"hello?")
    client.send_packet(bytes(32), b"hello?")
    assert client.frames_until_own() == []


def test_a_client_that_left_is_unknown(door):
    a, b = door.client(), door.client()
    b.send_packet(a.key, b"hello")
    a.expect_packet(b.key, b"hello")
    b.close()
    a.expect_gone(b.key, 0)
    a.send_packet(b.key, b"hello?")
    assert a.frames_until_own() == []


def test_a_key_that_comes_back_is_known_again(door):
    a, b = door.client(), door.client()
    b.send_packet(a.key, b"hello")
    a.expect_packet(b.key, b"hello")
    b.close()
    a.expect_gone(b.key, 0)
    b = door.client(key=b.secret)
    a.send_packet(b.key, b"welcome back")
    b.expect_packet(a.key, b"welcome back")


@pytest.mark.usefixtures("detour_only")
def test_between_plain_and_tls(server):
    plain, tls = server.door("http"), server.door("tls")
    a, b = plain.client(), tls.client()
    for size in SIZES:
        packet = nacl.utils.random(size)
        a.send_packet(b.key, packet)
        b.expect_packet(a.key, packet)
        b.send_packet(a.key, packet)
        a.expect_packet(b.key, packet)
    plain.close()
    tls.close()
