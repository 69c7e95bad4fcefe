"""Peers that are gone: who is told, how often, and of which kind.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import struct

import nacl.public
import nacl.utils
import pytest

from derp_client import Frame, disco, frame
from relay import EVERYTHING, wait_until, with_keys

DISCONNECTED, NOT_HERE = 0, 1


def hello(source, target):
    source.send_packet(target.key, b"hello")
    target.expect_packet(source.key, b"hello")


@pytest.mark.parametrize("leave", ["close", "abort"])
def test_receivers_hear_that_a_sender_left(door, leave):
    sender, receiver, bystander = door.client(), door.client(), door.client()
    hello(sender, receiver)
    getattr(sender, leave)()
    receiver.expect_gone(sender.key, DISCONNECTED)
    assert bystander.frames_until_own() == []
    assert receiver.frames_until_own() == []


def test_a_half_closed_connection_is_gone(door):
    sender, receiver = door.client(), door.client()
    hello(sender, receiver)
    sender.stream.finish_writing()
    receiver.expect_gone(sender.key, DISCONNECTED)


def test_who_only_sent_hears_nothing(door):
    sender, receiver, witness = door.client(), door.client(), door.client()
    hello(sender, receiver)
    hello(receiver, witness)
    receiver.close()
    witness.expect_gone(receiver.key, DISCONNECTED)
    assert sender.frames_until_own() == []


def test_one_notice_for_many_packets(door):
    sender, receiver = door.client(), door.client()
    for _ in range(5):
        hello(sender, receiver)
    sender.close()
    receiver.expect_gone(sender.key, DISCONNECTED)
    assert receiver.frames_until_own() == []


def test_all_receivers_hear(door):
    sender, receivers = door.client(), [door.client() for _ in range(10)]
    for receiver in receivers:
        hello(sender, receiver)
    sender.close()
    for receiver in receivers:
        receiver.expect_gone(sender.key, DISCONNECTED)


def test_receiver_that_left_first_does_no_harm(door):
    sender, receiver, witness = door.client(), door.client(), door.client()
    hello(sender, receiver)
    hello(sender, witness)
    hello(receiver, witness)
    receiver.close()
    witness.expect_gone(receiver.key, DISCONNECTED)
    sender.close()
    witness.expect_gone(sender.key, DISCONNECTED)


def test_senders_of_forwarded_packets_are_no_local_matter(door):
    """A forwarded packet's source has no connection here, and nothing is said when the mesh peer leaves it unsaid."""
    mesh, receiver = door.mesh_client(), door.client()
    source = nacl.utils.random(32)
    mesh.forward_packet(source, receiver.key, b"from afar")
    receiver.expect_packet(source, b"from afar")
    assert receiver.frames_until_own() == []


# ---- not here

def test_disco_to_an_unknown_key_is_answered(door):
    client = door.client()
    unknown = nacl.utils.random(32)
    client.send_packet(unknown, disco())
    client.expect_gone(unknown, NOT_HERE)


@pytest.mark.parametrize("packet", [
    disco(61), b"x" * 62, b"TS\xf0\x9f\x92\xad" + bytes(56), b"", disco()[1:],
], ids=["61 bytes", "no magic", "almost magic", "empty", "shifted"])
def test_other_packets_to_an_unknown_key_are_not(door, packet):
    client = door.client()
    client.send_packet(nacl.utils.random(32), packet)
    assert client.frames_until_own() == []


def send_disco(client, keys):
    client.stream.write(b"".join(frame(Frame.SEND_PACKET, key + disco()) for key in keys))


def expect_not_here(client, keys):
    """Notices for just these keys, in any order."""
    assert {client.expect(Frame.PEER_GONE) for _ in keys} == {key + b"\1" for key in keys}


def test_three_notices_at_once(door):
    """One limit for all destinations: three, then one a second."""
    client = door.client()
    keys = [nacl.utils.random(32) for _ in range(6)]
    send_disco(client, keys)
    expect_not_here(client, keys[:3])
    assert len(client.frames_until_own()) <= 1  # a slow machine may let a second pass


def test_the_limit_recovers(door):
    client = door.client()
    keys = [nacl.utils.random(32) for _ in range(4)]
    send_disco(client, keys)
    expect_not_here(client, keys[:3])
    unknown = nacl.utils.random(32)

    def answered():
        client.send_packet(unknown, disco())
        return any(payload == unknown + b"\1" for kind, payload in client.frames_until_own() if kind == Frame.PEER_GONE)
    wait_until(answered, "a notice after the pause")


def test_packets_that_are_not_disco_take_no_token(door):
    client = door.client()
    client.stream.write(b"".join(frame(Frame.SEND_PACKET, nacl.utils.random(32) + b"data") for _ in range(20)))
    keys = [nacl.utils.random(32) for _ in range(3)]
    send_disco(client, keys)
    expect_not_here(client, keys)


def test_each_connection_has_its_own_limit(door):
    for client in (door.client(), door.client()):
        keys = [nacl.utils.random(32) for _ in range(3)]
        send_disco(client, keys)
        expect_not_here(client, keys)


def test_a_mesh_peer_is_told_of_what_it_forwards_in_vain(door):
    mesh = door.mesh_client()
    unknown = nacl.utils.random(32)
    mesh.forward_packet(nacl.utils.random(32), unknown, disco())
    mesh.expect_gone(unknown, NOT_HERE)
    mesh.forward_packet(nacl.utils.random(32), unknown, b"data")
    assert mesh.frames_until_own() == []


def test_a_key_that_left_is_not_here(door):
    client, other = door.client(), door.client()
    hello(other, client)
    other.close()
    client.expect_gone(other.key, DISCONNECTED)
    client.send_packet(other.key, disco())
    client.expect_gone(other.key, NOT_HERE)


def test_a_key_that_returned_is_here(door):
    client, other = door.client(), door.client(nacl.public.PrivateKey.generate())
    hello(other, client)
    other.close()
    client.expect_gone(other.key, DISCONNECTED)
    other = door.client(other.secret)
    client.send_packet(other.key, disco())
    other.expect_packet(client.key, disco())
    assert client.frames_until_own() == []


@pytest.mark.parametrize("buffer", [None, 4096])
def test_the_notice_comes_behind_the_packets(make_relay, buffer):
    """Whether the receiver reads or not, and on whichever workers the two are."""
    door = make_relay(with_keys(with_keys(EVERYTHING, "core", workers=2), "limits", queue_packets=1000,
                                queue_bytes="64M")).door("tls-export")
    receiver = door.client(stream=door.stream(receive_buffer=buffer))
    for _ in range(8):
        sender = door.client()
        for n in range(60):
            sender.send_packet(receiver.key, struct.pack(">I", n) + bytes(10000))
        sender.close()
        for n in range(60):
            kind, payload = receiver.recv()
            assert (kind, payload[:36]) == (Frame.RECV_PACKET, sender.key + struct.pack(">I", n))
        receiver.expect_gone(sender.key, 0)
