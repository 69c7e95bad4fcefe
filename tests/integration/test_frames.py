"""Frames from client to server: every type with lengths on and past its limits.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import struct

import nacl.public
import nacl.utils
import pytest

from derp_client import PACKET_MAX, Client, Frame, frame


def header(kind, size):
    return struct.pack(">BI", kind, size)


def still_fit(client):
    client.ping(b"stillfit")


# ---- SendPacket

@pytest.mark.parametrize("size", [32, 32 + PACKET_MAX])
def test_send_packet_on_its_limits(door, size):
    client = door.client()
    packet = bytes(size - 32)
    client.send_packet(client.key, packet)
    client.expect_packet(client.key, packet)
    still_fit(client)


@pytest.mark.parametrize("size", [0, 1, 31])
def test_send_packet_too_short(door, size):
    client = door.client()
    client.send(Frame.SEND_PACKET, bytes(size))
    client.expect_closed()


@pytest.mark.parametrize("size", [32 + PACKET_MAX + 1, 1 << 20, 0xFFFFFFFF])
def test_send_packet_too_long_closes_before_its_payload(door, size):
    client = door.client()
    client.stream.write(header(Frame.SEND_PACKET, size) + client.key)
    client.expect_closed()


# ---- ForwardPacket

@pytest.mark.parametrize("size", [64, 64 + PACKET_MAX])
def test_forward_packet_on_its_limits(door, size):
    mesh, client = door.mesh_client(), door.client()
    source = nacl.utils.random(32)
    packet = bytes(size - 64)
    mesh.forward_packet(source, client.key, packet)
    client.expect_packet(source, packet)
    still_fit(mesh)


@pytest.mark.parametrize("size", [0, 32, 63])
def test_forward_packet_too_short(door, size):
    mesh = door.mesh_client()
    mesh.send(Frame.FORWARD_PACKET, bytes(size))
    mesh.expect_closed()


@pytest.mark.parametrize("size", [64 + PACKET_MAX + 1, 1 << 24])
def test_forward_packet_too_long(door, size):
    mesh = door.mesh_client()
    mesh.stream.write(header(Frame.FORWARD_PACKET, size) + bytes(64))
    mesh.expect_closed()


def test_forward_packet_needs_the_mesh_key(door):
    client, other = door.client(), door.client()
    client.forward_packet(nacl.utils.random(32), other.key, b"forged")
    client.expect_closed()
    assert other.frames_until_own() == []


@pytest.mark.usefixtures("detour_only")
def test_forward_packet_from_the_zero_key_is_dropped(door):
    mesh, client = door.mesh_client(), door.client()
    mesh.forward_packet(bytes(32), client.key, b"q" * 100)
    assert mesh.fence_to(client) == []


# ---- NotePreferred

@pytest.mark.parametrize("value", [b"\0", b"\1", b"\xff"])
def test_note_preferred_takes_one_byte(door, value):
    client = door.client()
    client.send(Frame.NOTE_PREFERRED, value)
    client.send(Frame.NOTE_PREFERRED, value)
    still_fit(client)


@pytest.mark.parametrize("size", [0, 2, 1000])
def test_note_preferred_of_another_length(door, size):
    client = door.client()
    client.send(Frame.NOTE_PREFERRED, bytes(size))
    client.expect_closed()


# ---- WatchConns and ClosePeer

def test_watch_conns_needs_the_mesh_key(door):
    client = door.client()
    client.send(Frame.WATCH_CONNS)
    client.expect_closed()


def test_watch_conns_has_no_payload(door):
    mesh = door.mesh_client()
    mesh.send(Frame.WATCH_CONNS, b"x")
    mesh.expect_closed()


def test_close_peer_needs_the_mesh_key(door):
    client, other = door.client(), door.client()
    client.send(Frame.CLOSE_PEER, other.key)
    client.expect_closed()
    still_fit(other)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_close_peer_of_another_length(door, size):
    mesh = door.mesh_client()
    mesh.send(Frame.CLOSE_PEER, bytes(size))
    mesh.expect_closed()


def test_close_peer_of_an_unknown_key(door):
    mesh = door.mesh_client()
    mesh.send(Frame.CLOSE_PEER, nacl.utils.random(32))
    still_fit(mesh)


# ---- Ping

@pytest.mark.parametrize("size", [0, 7, 1001])
def test_ping_of_another_length(door, size):
    client = door.client()
    client.send(Frame.PING, bytes(size))
    client.expect_closed()


# ---- what the server does not handle

UNHANDLED = [0x00, Frame.SERVER_KEY, Frame.CLIENT_INFO, Frame.SERVER_INFO, Frame.RECV_PACKET, Frame.KEEP_ALIVE,
             Frame.PEER_GONE, Frame.PEER_PRESENT, 0x0B, 0x0F, Frame.PONG, Frame.HEALTH, Frame.RESTARTING, 0x16, 0xFF]


@pytest.mark.parametrize("kind", UNHANDLED, ids=lambda kind: f"{int(kind):#04x}")
def test_unhandled_types_are_discarded(door, kind):
    client = door.client()
    for size in (0, 1, 33, 65568):
        client.send(kind, b"\xa5" * size)
    still_fit(client)


@pytest.mark.usefixtures("since_104")
@pytest.mark.parametrize("kind", UNHANDLED, ids=lambda kind: f"{int(kind):#04x}")
def test_unhandled_types_too_long_close_at_their_header(door, kind):
    client = door.client()
    client.stream.write(header(kind, 65569))
    client.expect_closed()


@pytest.mark.usefixtures("since_104")
def test_unhandled_types_too_long_close_mesh_too(door):
    mesh = door.mesh_client()
    mesh.stream.write(header(0x7F, 0xFFFFFFFF))
    mesh.expect_closed()


def test_second_client_info_changes_nothing(door):
    client, other = door.client(), door.client()
    another = Client(client.stream, nacl.public.PrivateKey.generate())
    another.server_key = client.server_key
    client.stream.write(another.client_info())
    client.send_packet(other.key, b"who am I")
    other.expect_packet(client.key, b"who am I")


# ---- frames and the stream they come in

def test_frames_cut_at_every_byte(door):
    client = door.client()
    data = frame(Frame.NOTE_PREFERRED, b"\1") + frame(Frame.SEND_PACKET, client.key + b"abc") + frame(0x77, b"junk")
    for cut in range(1, len(data)):
        client.stream.write(data[:cut])
        client.stream.write(data[cut:])
        client.expect_packet(client.key, b"abc")


def test_many_frames_in_one_write(door):
    client = door.client()
    client.stream.write(b"".join(frame(Frame.SEND_PACKET, client.key + b"%d" % n) for n in range(30)))
    for n in range(30):
        client.expect_packet(client.key, b"%d" % n)


@pytest.mark.parametrize("size", [1, 4, 5, 5 + 31, 5 + 32, 5 + 32 + 99])
def test_end_of_stream_inside_a_frame_is_only_a_goodbye(door, size):
    watcher, client = door.client(), door.client()
    client.send_packet(watcher.key, b"hello")
    watcher.expect_packet(client.key, b"hello")
    client.stream.write(frame(Frame.SEND_PACKET, watcher.key + bytes(100))[:size])
    client.close()
    watcher.expect_gone(client.key, 0)


def test_reset_inside_a_frame_is_only_a_goodbye(door):
    watcher, client = door.client(), door.client()
    client.send_packet(watcher.key, b"hello")
    watcher.expect_packet(client.key, b"hello")
    client.stream.write(frame(Frame.SEND_PACKET, watcher.key + bytes(100))[:50])
    client.abort()
    watcher.expect_gone(client.key, 0)
