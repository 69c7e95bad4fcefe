"""Bytes that no honest client sends, at every stage; the daemon outlives them all.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import random

import pytest

from derp_client import Closed, Frame, frame, Timeout

JUNK = {
    "zeros": bytes(5000),
    "ones": b"\xff" * 5000,
    "random": random.Random(1).randbytes(70000),
    "lines": b"\r\n" * 3000,
    "letters": b"A" * 100000,
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10,
    "small frames": frame(0x77) * 3000,
}


def healthy(door):
    """The server still does its work."""
    a, b = door.client(), door.client()
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def send_and_leave(client, data, way):
    """Writes, or is cut off while writing, and leaves."""
    with contextlib.suppress(Closed):
        client.stream.write(data)
    with contextlib.suppress(OSError):
        getattr(client.stream, way)()


@pytest.mark.parametrize("way", ["close", "abort"])
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_junk_instead_of_a_head(door, junk, way):
    send_and_leave(door.fresh(), junk, way)
    healthy(door)


@pytest.mark.parametrize("way", ["close", "abort"])
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_junk_instead_of_client_info(door, junk, way):
    send_and_leave(door.greeted(), junk, way)
    healthy(door)


@pytest.mark.parametrize("way", ["close", "abort"])
@pytest.mark.parametrize("junk", JUNK.values(), ids=JUNK.keys())
def test_junk_after_the_login(door, junk, way):
    send_and_leave(door.client(), junk, way)
    healthy(door)


def test_leaving_between_any_two_bytes_of_a_login(door):
    client = door.greeted()
    whole = client.request_head() + client.client_info() + frame(Frame.SEND_PACKET, client.key + b"hello")
    for size in range(0, len(whole), 7):
        client = door.fresh()
        send_and_leave(client, whole[:size], "abort" if size % 2 else "close")
    healthy(door)


def test_damaged_sessions(door):
    """A whole session with a few bytes changed, many times over."""
    chance = random.Random(7)
    client = door.greeted()
    whole = (client.request_head() + client.client_info() + frame(Frame.NOTE_PREFERRED, b"\1") +
             frame(Frame.SEND_PACKET, client.key + b"hello") + frame(Frame.PING, b"12345678"))
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        client = door.fresh()
        with contextlib.suppress(Closed):
            client.stream.write(bytes(damaged))
            with contextlib.suppress(Timeout):
                client.stream.read_to_end(timeout=0.005)
        client.stream.abort()
    healthy(door)


def test_frames_of_random_types_and_lengths(door):
    chance = random.Random(11)
    for _ in range(100):
        client = door.client()
        with contextlib.suppress(Closed):
            for _ in range(20):
                client.stream.write(frame(chance.choice([*range(0, 0x20), 0xFF]), chance.randbytes(chance.randrange(0, 120))))
        client.stream.abort()
    healthy(door)


def test_mesh_frames_of_random_content(door):
    chance = random.Random(13)
    for _ in range(50):
        client = door.mesh_client()
        with contextlib.suppress(Closed):
            client.send(Frame.WATCH_CONNS)
            for _ in range(20):
                kind = chance.choice([Frame.FORWARD_PACKET, Frame.CLOSE_PEER, Frame.WATCH_CONNS, Frame.SEND_PACKET])
                size = {Frame.CLOSE_PEER: 32, Frame.WATCH_CONNS: 0}.get(kind, chance.randrange(64, 200))
                client.send(kind, chance.randbytes(size))
        client.stream.abort()
    healthy(door)


def test_many_who_come_and_go(door):
    """Connections opened and reset without a word, logins that vanish at once."""
    for n in range(150):
        client = door.fresh()
        if n % 3:
            client.stream.write(client.request_head())
        if n % 3 == 2:
            client.stream.read_until(b"\r\n\r\n")
        client.stream.abort()
    for _ in range(50):
        client = door.client()
        client.send_packet(client.key, bytes(1000))
        client.stream.abort()
    healthy(door)
