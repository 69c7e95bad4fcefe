"""Several connections with one key: the one that sent last gets the packets.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import time

import nacl.public
import nacl.utils
import pytest

from derp_client import PATIENCE, Frame, PeerPresent, Timeout, frame
from relay import wait_until


def twin(door, key):
    """A connection with that key that takes no texts for users: who gets which packets is looked at here."""
    return door.client(key, CanAckPings=False)


def expect_active(sender, active):
    """A packet for the key comes to that connection."""
    packet = nacl.utils.random(20)
    sender.send_packet(active.key, packet)
    active.expect_packet(sender.key, packet)


def wait_active(sender, active):
    """After a connection left, packets come to @active as soon as the relay knows; earlier ones are lost."""
    sent = []

    def arrived():
        sent.append(nacl.utils.random(20))
        sender.send_packet(active.key, sent[-1])
        try:
            data = active.expect(Frame.RECV_PACKET, timeout=0.1)
        except Timeout:
            return None
        assert data[:32] == sender.key and data[32:] in sent
        return data[32:]
    try:
        first = wait_until(arrived, "packets reach the connection that should be active", PATIENCE)
    except AssertionError as error:
        raise AssertionError("another connection kept the packets") from error
    # A packet that took its time is not lost, nor is what was sent behind it meanwhile.
    for packet in sent[sent.index(first) + 1:]:
        active.expect_packet(sender.key, packet)


def expect_nothing_got(connection):
    """Only its own pong comes. This makes it active."""
    connection.ping(b"anything")


def test_newest_connection_is_active(door):
    key = nacl.public.PrivateKey.generate()
    sender = door.client()
    a = twin(door, key)
    expect_active(sender, a)
    b = twin(door, key)
    expect_active(sender, b)
    c = twin(door, key)
    expect_active(sender, c)
    expect_nothing_got(a)
    expect_nothing_got(b)


def test_the_table_of_states(door):
    """A, B, C log in, B pings, A sends, A leaves, B leaves."""
    key = nacl.public.PrivateKey.generate()
    sender = door.client()
    a, b, c = twin(door, key), twin(door, key), twin(door, key)
    expect_active(sender, c)
    b.ping(b"12345678")
    expect_active(sender, b)
    a.send_packet(sender.key, b"mine")
    sender.expect_packet(a.key, b"mine")
    expect_active(sender, a)
    a.close()
    wait_active(sender, b)
    b.close()
    wait_active(sender, c)
    expect_nothing_got(c)


def test_history_is_by_last_activity(door):
    """A, B, C log in; A speaks, C speaks; when C leaves it is A, then B."""
    key = nacl.public.PrivateKey.generate()
    sender = door.client()
    a, b, c = twin(door, key), twin(door, key), twin(door, key)
    a.ping(b"12345678")
    c.ping(b"12345678")
    expect_active(sender, c)
    c.close()
    wait_active(sender, a)
    a.close()
    wait_active(sender, b)


def test_leaving_while_inactive_changes_nothing(door):
    key = nacl.public.PrivateKey.generate()
    sender = door.client()
    a, b = twin(door, key), twin(door, key)
    expect_active(sender, b)
    a.close()
    for _ in range(10):
        expect_active(sender, b)


@pytest.mark.parametrize("data", [
    frame(Frame.NOTE_PREFERRED, b"\1"), frame(Frame.KEEP_ALIVE), frame(0x77, b"unknown"), frame(Frame.PONG, bytes(8)),
    frame(Frame.SEND_PACKET, bytes(32) + b"to nobody"),
], ids=["note preferred", "keep-alive", "unknown", "pong", "packet"])
def test_any_frame_is_activity(door, data):
    key = nacl.public.PrivateKey.generate()
    sender = door.client()
    a, b = twin(door, key), twin(door, key)
    expect_active(sender, b)
    a.stream.write(data)
    wait_until_active(sender, a, b)


def wait_until_active(sender, active, before):
    """Packets that come to @before are let pass until they come to @active."""
    def taker():
        packet = nacl.utils.random(20)
        sender.send_packet(active.key, packet)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for connection in (active, before):
                with contextlib.suppress(Timeout):
                    connection.expect_packet(sender.key, packet, timeout=0.02)
                    return connection
        raise AssertionError("a packet comes to neither")
    wait_until(lambda: taker() is active, "the connection that spoke becomes active")


def test_inactive_connections_are_served_otherwise(door):
    """An inactive one gets pongs, and can send; its packets come from the key."""
    key = nacl.public.PrivateKey.generate()
    other = door.client()
    a, b = twin(door, key), twin(door, key)
    a.ping(b"12345678")
    b.ping(b"12345678")
    a.send_packet(other.key, b"from a")
    other.expect_packet(a.key, b"from a")
    b.send_packet(other.key, b"from b")
    other.expect_packet(a.key, b"from b")


def test_peers_hear_only_of_the_last_one(door):
    """No PeerGone while a connection remains."""
    key = nacl.public.PrivateKey.generate()
    peer = door.client()
    a, b = twin(door, key), twin(door, key)
    for connection in (a, b):
        connection.send_packet(peer.key, b"hello")
        peer.expect_packet(connection.key, b"hello")
    a.close()
    wait_active(peer, b)
    assert peer.frames_until_own() == []
    b.close()
    peer.expect_gone(b.key, 0)


def test_watchers_see_each_login_and_one_leaving(door):
    key = nacl.public.PrivateKey.generate()
    public = bytes(key.public_key)
    sender, watcher = door.client(), door.mesh_client()
    watcher.send(Frame.WATCH_CONNS)

    def next_about_key():
        while True:
            kind, payload = watcher.recv()
            if payload[:32] == public:
                return kind, payload

    a = twin(door, key)
    kind, payload = next_about_key()
    assert kind == Frame.PEER_PRESENT and PeerPresent(payload).flags == 1
    b = twin(door, key)
    assert next_about_key()[0] == Frame.PEER_PRESENT
    a.close()
    wait_active(sender, b)
    b.close()
    kind, payload = next_about_key()
    assert (kind, payload) == (Frame.PEER_GONE, public + b"\0")


def test_a_key_with_many_connections(door):
    key = nacl.public.PrivateKey.generate()
    sender = door.client()
    connections = [twin(door, key) for _ in range(20)]
    expect_active(sender, connections[-1])
    for connection in connections:
        connection.ping(b"12345678")
        expect_active(sender, connection)
    while len(connections) > 1:
        connections.pop().close()
        wait_active(sender, connections[-1])
