"""The mesh key: a connection with it may watch all clients, forward packets and close connections.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ipaddress

import nacl.utils
import pytest

from derp_client import Frame, PeerPresent
from relay import EVERYTHING, without_group

REGULAR, MESH, PROBER, NOT_IDEAL = 1, 2, 4, 8


def watch(door):
    """A watcher that has the flood behind it; gives it with what it was told, by key."""
    watcher = door.mesh_client()
    watcher.send(Frame.WATCH_CONNS)
    present = {}
    while watcher.key not in present:
        record = PeerPresent(watcher.expect(Frame.PEER_PRESENT))
        present[record.key] = record
    for kind, payload in watcher.frames_until_own():
        assert kind == Frame.PEER_PRESENT
        present[payload[:32]] = PeerPresent(payload)
    return watcher, present


def next_about(watcher, key, kind):
    """The next frame about a key; others live in this server too."""
    while True:
        got, payload = watcher.recv()
        if payload[:32] == key:
            assert got == kind
            return payload


def mapped(client):
    """Address and port of a client as PeerPresent has them."""
    address, port = client.stream.sock.getsockname()[:2]
    return ipaddress.ip_address("::ffff:" + address).packed, port


def test_watchers_are_told_of_all_that_are_there_with_themselves(door):
    clients = [door.client() for _ in range(5)]
    watcher, present = watch(door)
    assert {client.key for client in clients} | {watcher.key} <= set(present)
    for client in clients:
        record = present[client.key]
        assert (record.address, record.port) == mapped(client)
        assert record.flags == REGULAR
    assert present[watcher.key].flags == MESH


def test_watchers_are_told_of_logins_and_leavings(door):
    watcher, _ = watch(door)
    client = door.client()
    record = PeerPresent(next_about(watcher, client.key, Frame.PEER_PRESENT))
    assert (record.address, record.port, record.flags) == (*mapped(client), REGULAR)
    client.close()
    assert next_about(watcher, client.key, Frame.PEER_GONE) == client.key + b"\0"


@pytest.mark.parametrize("login, flags", [
    ({}, REGULAR),
    ({"IsProber": True}, PROBER),
    ({"request": {"fields": [("Ideal-Node", "900a")]}}, NOT_IDEAL),
    ({"IsProber": True, "request": {"fields": [("Ideal-Node", "900a")]}}, PROBER | NOT_IDEAL),
    ({"meshKey": "own"}, MESH),
    ({"meshKey": "own", "IsProber": True, "request": {"fields": [("Ideal-Node", "x")]}}, MESH | PROBER | NOT_IDEAL),
    ({"request": {"fields": [("Ideal-Node", "")]}}, REGULAR),
], ids=["regular", "prober", "not ideal", "prober not ideal", "mesh", "all", "empty ideal node"])
def test_flags(door, login, flags):
    watcher, _ = watch(door)
    if login.get("meshKey") == "own":
        login = login | {"meshKey": door.server.mesh_key}
    client = door.client(**login)
    assert PeerPresent(next_about(watcher, client.key, Frame.PEER_PRESENT)).flags == flags


@pytest.mark.usefixtures("since_104")
@pytest.mark.parametrize("name", ["", "my app", "~" * 32])
def test_present_frames_have_the_application_name(door, name):
    watcher, _ = watch(door)
    client = door.client(AppName=name)
    payload = next_about(watcher, client.key, Frame.PEER_PRESENT)
    address, port = mapped(client)
    assert payload == client.key + address + port.to_bytes(2, "big") + bytes([REGULAR, len(name)]) + name.encode()


def test_watching_again_repeats_the_flood(door):
    client = door.client()
    watcher, _ = watch(door)
    watcher.send(Frame.WATCH_CONNS)
    next_about(watcher, client.key, Frame.PEER_PRESENT)


def test_two_watchers_hear_of_each_other(door):
    first, _ = watch(door)
    second, present = watch(door)
    assert first.key in present
    assert PeerPresent(next_about(first, second.key, Frame.PEER_PRESENT)).flags == MESH


def test_watchers_get_packets_as_others_do(door):
    watcher, _ = watch(door)
    client = door.client()
    next_about(watcher, client.key, Frame.PEER_PRESENT)
    client.send_packet(watcher.key, b"for the watcher")
    while True:
        kind, payload = watcher.recv()
        if kind == Frame.RECV_PACKET:
            assert payload == client.key + b"for the watcher"
            return


def test_mesh_key_in_upper_case(door):
    client = door.client(meshKey=door.server.mesh_key.upper())
    client.send(Frame.WATCH_CONNS)
    client.expect(Frame.PEER_PRESENT)


def test_close_peer_closes_all_connections_of_a_key(door):
    mesh, peer = door.mesh_client(), door.client()
    first = door.client(CanAckPings=False)
    second = door.client(first.secret, CanAckPings=False)
    first.send_packet(peer.key, b"hello")
    peer.expect_packet(first.key, b"hello")
    mesh.send(Frame.CLOSE_PEER, first.key)
    first.expect_closed()
    second.expect_closed()
    peer.expect_gone(first.key, 0)
    mesh.ping(b"12345678")


def test_close_peer_of_oneself(door):
    mesh = door.mesh_client()
    mesh.send(Frame.CLOSE_PEER, mesh.key)
    mesh.expect_closed()


def test_closed_peers_may_come_back(door):
    mesh, client = door.mesh_client(), door.client()
    mesh.send(Frame.CLOSE_PEER, client.key)
    client.expect_closed()
    door.client(client.secret).ping(b"12345678")


def test_forwarded_packets_go_to_local_clients(door):
    mesh, client = door.mesh_client(), door.client()
    source = nacl.utils.random(32)
    for size in (0, 1, 1400, 65536):
        packet = nacl.utils.random(size)
        mesh.forward_packet(source, client.key, packet)
        client.expect_packet(source, packet)


def test_answers_to_forwarded_packets_find_no_local_key(door):
    """A source that was only forwarded is not reachable; a disco answer is told so."""
    mesh, client = door.mesh_client(), door.client()
    source = nacl.utils.random(32)
    mesh.forward_packet(source, client.key, b"hello")
    client.expect_packet(source, b"hello")
    client.send_packet(source, b"answer")
    assert client.frames_until_own() == []
    assert mesh.frames_until_own() == []


def test_without_a_mesh_key_nobody_is_privileged(make_relay):
    relay = make_relay(without_group(EVERYTHING, "service mesh"))
    for key in (relay.mesh_key, "0" * 64):
        client = relay.door().client(meshKey=key)
        client.send(Frame.WATCH_CONNS)
        client.expect_closed()
