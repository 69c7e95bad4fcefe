"""Several workers: everything that one worker does, across them.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import os
import pathlib
import random

import nacl.public
import nacl.utils
import pytest

from derp_client import Closed, Frame, disco
from relay import EVERYTHING, TRANSPORTS, Relay, with_keys
from test_duplicates import expect_active, wait_active
from test_relaying import send_large


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A relay with three workers; enough clients in each test that all workers have some."""
    with Relay(tmp_path_factory.mktemp("crowd"), with_keys(EVERYTHING, "core", workers="3")) as relay:
        yield relay.start()


def test_handshakes_give_way_to_packets(crowd):
    """Whoever waits for the processor with packets interrupts a thread that shakes hands."""
    own = os.getpriority(os.PRIO_PROCESS, crowd.process.pid)
    seen = set()
    for task in pathlib.Path(f"/proc/{crowd.process.pid}/task").iterdir():
        kind = (task / "comm").read_text().split("-")[0]
        policy, nice = os.sched_getscheduler(int(task.name)), os.getpriority(os.PRIO_PROCESS, int(task.name))
        if kind in ("worker", "handshake"):
            seen.add(kind)
            assert (policy, nice) == ((os.SCHED_BATCH, min(own + 5, 19)) if kind == "handshake" else (os.SCHED_OTHER, own))
    assert seen == {"worker", "handshake"}


@pytest.fixture(params=TRANSPORTS)
def door(crowd, request):
    with crowd.lent_door(request.param) as door:
        yield door


def test_everyone_reaches_everyone(door):
    clients = [door.client() for _ in range(12)]
    for a in clients:
        for b in clients:
            packet = nacl.utils.random(random.randrange(0, 3000))
            a.send_packet(b.key, packet)
            b.expect_packet(a.key, packet)


def test_large_packets_cross_whole(door):
    clients = [door.client() for _ in range(6)]
    for window in range(5):
        sums = {}
        for a in clients:
            for b in clients:
                packet = nacl.utils.random(65536)
                sums.setdefault(b.key, []).append((a.key, hashlib.sha256(packet).digest()))
                a.send_packet(b.key, packet)
        for client in clients:
            for _ in clients:
                data = client.expect(Frame.RECV_PACKET)
                sums[client.key].remove((data[:32], hashlib.sha256(data[32:]).digest()))
        assert not any(sums.values()), window


def test_thirty_large_packets_on_their_way_between_any_two(door):
    clients = [door.client() for _ in range(4)]
    for sender in clients:
        for receiver in clients:
            send_large(sender, receiver)


def test_order_is_kept_across_workers(door):
    clients = [door.client() for _ in range(6)]
    target = clients[0]
    for window in range(30):
        for sender in clients[1:]:
            for n in range(6):
                sender.send_packet(target.key, b"%d" % (window * 6 + n))
        seen = {}
        for _ in range(6 * 5):
            data = target.expect(Frame.RECV_PACKET)
            seen.setdefault(data[:32], []).append(int(data[32:]))
        for numbers in seen.values():
            assert numbers == list(range(window * 6, window * 6 + 6))


def test_gone_notices_cross(door):
    clients = [door.client() for _ in range(9)]
    leaving = clients.pop()
    for client in clients:
        leaving.send_packet(client.key, b"hello")
        client.expect_packet(leaving.key, b"hello")
    leaving.close()
    for client in clients:
        client.expect_gone(leaving.key, 0)


def test_not_here_is_said_on_every_worker(door):
    for client in [door.client() for _ in range(6)]:
        unknown = nacl.utils.random(32)
        client.send_packet(unknown, disco())
        client.expect_gone(unknown, 1)


def test_duplicates_on_different_workers(door):
    key = nacl.public.PrivateKey.generate()
    senders = [door.client() for _ in range(3)]
    connections = [door.client(key, CanAckPings=False) for _ in range(6)]
    for sender in senders:
        expect_active(sender, connections[-1])
    for connection in connections:
        connection.ping(b"12345678")
        for sender in senders:
            wait_active(sender, connection)
    while len(connections) > 1:
        connections.pop().close()
        wait_active(senders[0], connections[-1])


def test_watchers_hear_of_every_worker(door):
    watcher = door.mesh_client()
    watcher.send(Frame.WATCH_CONNS)
    clients = {door.client().key for _ in range(9)}
    while clients:
        kind, payload = watcher.recv()
        if kind == Frame.PEER_PRESENT:
            clients.discard(payload[:32])


def test_close_peer_reaches_every_worker(door):
    mesh = door.mesh_client()
    for client in [door.client() for _ in range(6)]:
        mesh.send(Frame.CLOSE_PEER, client.key)
        client.expect_closed()


def test_forwarded_packets_reach_every_worker(door):
    mesh = door.mesh_client()
    source = nacl.utils.random(32)
    for client in [door.client() for _ in range(6)]:
        mesh.forward_packet(source, client.key, b"from afar")
        client.expect_packet(source, b"from afar")


def test_a_crowd_that_comes_and_goes_under_traffic(door):
    steady = [door.client() for _ in range(4)]
    chance = random.Random(3)
    passing = []
    for n in range(150):
        passing.append(door.client())
        chance.choice(steady).send_packet(passing[-1].key, b"hello %d" % n)
        passing[-1].expect(Frame.RECV_PACKET)
        if len(passing) > 5:
            leaving = passing.pop(chance.randrange(len(passing)))
            (leaving.close if n % 2 else leaving.abort)()
        a, b = chance.sample(steady, 2)
        a.send_packet(b.key, b"steady %d" % n)
        b.expect_packet(a.key, b"steady %d" % n)


def test_one_that_does_not_read_bothers_no_worker(make_relay):
    config = with_keys(with_keys(EVERYTHING, "core", workers="3"), "limits", write_timeout="10m")
    door = make_relay(config).door("tls")
    slow = door.client(stream=door.stream(receive_buffer=4096))
    clients = [door.client() for _ in range(6)]
    for n in range(200):
        sender = clients[n % 6]
        sender.send_packet(slow.key, bytes(65536))
        sender.send_packet(clients[(n + 1) % 6].key, b"round")
        clients[(n + 1) % 6].expect_packet(sender.key, b"round")
    slow.abort()
    with pytest.raises((Closed, OSError)):
        slow.ping(b"12345678")
