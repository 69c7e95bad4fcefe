"""Ping: the first eight bytes come back, and a flood costs the sender more than us.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import struct

import nacl.utils
import pytest

from derp_client import Frame, frame
from relay import wait_until


@pytest.mark.parametrize("size", [8, 9, 500, 1000])
def test_pong_has_the_first_eight_bytes(door, size):
    client = door.client()
    data = nacl.utils.random(size)
    client.send(Frame.PING, data)
    client.expect(Frame.PONG, data[:8])


def test_pings_one_after_another(door):
    client = door.client()
    for n in range(200):
        client.ping(struct.pack(">Q", n))


def test_at_most_one_pong_waits(door):
    """Pings in one write: the first is answered, others may be forgotten; no pong is made up."""
    client = door.client()
    pings = [struct.pack(">Q", n) for n in range(2000)]
    client.stream.write(b"".join(frame(Frame.PING, data) for data in pings))
    frames = client.frames_until_own()
    pongs = [payload for kind, payload in frames if kind == Frame.PONG]
    assert len(frames) == len(pongs)
    assert pongs[0] == pings[0]
    assert set(pongs) <= set(pings)

    def answered():  # a ping is forgotten while a pong still waits
        client.send(Frame.PING, b"and next")
        return (Frame.PONG, b"and next") in client.frames_until_own()
    wait_until(answered, "a pong after the flood")


def test_pongs_come_between_packets(door):
    client = door.client()
    for n in range(20):
        client.stream.write(frame(Frame.SEND_PACKET, client.key + b"x" * 1000) + frame(Frame.PING, struct.pack(">Q", n)))
        kinds = sorted(client.recv()[0] for _ in range(2))
        assert kinds == [Frame.RECV_PACKET, Frame.PONG]


def test_mesh_clients_get_pongs(door):
    door.mesh_client().ping(b"12345678")
