"""Connections that say nothing, at every stage, and the limits that keep them few.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import concurrent.futures
import contextlib
import os
import resource
import socket

import pytest

from control import ask, counter
from derp_client import Client, Closed, Stream
from relay import EVERYTHING, SMALL, wait_until, with_keys
from test_tls import client_hello

PATIENT = with_keys(EVERYTHING, "limits", handshake_timeout="10m", login_timeout="10m")


def sources():
    """Addresses on loopback, so that the limit for each source is not what is tried."""
    return [(f"127.0.1.{n}", 0) for n in range(1, 201)]


def silent(relay, stage):
    """200 connections that stopped at a stage."""
    tls = stage in ("tcp before tls", "half a hello", "tls")
    streams = []
    for source in sources():
        stream = Stream.connect(relay.address("tls" if tls else "http"), source=source)
        streams.append(stream)
        if stage == "half a hello":
            stream.write(client_hello()[:100])
        elif stage == "tls":
            stream.start_tls()
        elif stage == "half a head":
            stream.write(b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgr")
        elif stage == "served once":
            stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n")
        elif stage in ("no client info", "half a client info"):
            client = Client(stream).upgrade()
            if stage == "half a client info":
                stream.write(client.client_info()[:60])
    return streams


@pytest.mark.parametrize("stage", ["tcp before tls", "half a hello", "tls", "tcp", "half a head", "served once",
                                   "no client info", "half a client info"])
def test_silent_connections_delay_nobody(make_relay, stage):
    relay = make_relay(PATIENT)
    before = [relay.door("tls").client(), relay.door("http").client()]
    streams = silent(relay, stage)
    after = [relay.door("tls").client(), relay.door("http").client()]
    for a in before + after:
        for b in before + after:
            a.send_packet(b.key, b"hello")
            b.expect_packet(a.key, b"hello")
    for stream in streams[::2]:
        stream.abort()
    for stream in streams[1::2]:
        stream.close()
    relay.door("tls").client().ping(b"12345678")


def test_half_open_connections_of_one_source_are_few(make_relay):
    relay = make_relay(with_keys(PATIENT, "limits", half_open_per_source="3"))
    idle = [Stream.connect(relay.address("http"), source=("127.0.1.1", 0)) for _ in range(3)]
    idle[-1].write(b"GET ")
    Stream.connect(relay.address("http"), source=("127.0.1.1", 0)).expect_closed()
    door = relay.door("http")
    clients = [door.client(stream=door.stream(source=("127.0.1.2", 0))) for _ in range(10)]
    for client in clients:
        client.ping(b"12345678")
    for stream in idle:
        stream.expect_open_and_silent(0)
        stream.close()
    wait_until(lambda: logs_in(door, ("127.0.1.1", 0)), "a login of the source that was full")


@pytest.mark.parametrize("said", [0, 100])
def test_who_must_go_before_anything_was_agreed_is_reset(make_relay, said):
    """The kernel keeps nothing of it, where an orderly end would have it keep each connection for a minute."""
    relay = make_relay(with_keys(EVERYTHING, "limits", handshake_timeout="1s"))
    with socket.create_connection(relay.address("tls")) as stranger:
        stranger.sendall(client_hello()[:said])
        stranger.settimeout(60)
        with pytest.raises(ConnectionResetError):
            stranger.recv(1)


@pytest.mark.parametrize("limit", ["half_open_per_source", "half_open"])
@pytest.mark.parametrize("what", [b"", b"GET /derp HTTP/1.1\r\nHost: x\r\nUpgr"])
def test_who_speaks_takes_the_place_of_who_rests(make_relay, limit, what):
    """A client comes in although its address has more resting connections than may be half open."""
    relay = make_relay(with_keys(PATIENT, "limits", **{limit: "5"}))
    streams = [Stream.connect(relay.address("http")) for _ in range(8)]
    for stream in streams:
        stream.write(what)
    relay.door("http").client().ping(b"12345678")
    relay.door("tls").client().ping(b"12345678")
    assert counter(relay, "connections_waited") > 0
    for stream in streams:
        stream.close()


@pytest.mark.parametrize("limit", ["half_open_per_source", "half_open"])
@pytest.mark.parametrize("door", ["tls", "http"])
def test_a_crowd_from_one_address_is_served_in_turn(make_relay, limit, door):
    """All come at once, many more than may be half open; nobody is turned away."""
    relay = make_relay(with_keys(PATIENT, "limits", **{limit: "3"}))
    streams = [Stream.connect(relay.address(door)) for _ in range(60)]
    with concurrent.futures.ThreadPoolExecutor(len(streams)) as crowd:
        clients = list(crowd.map(lambda stream: relay.door(door).client(stream=start(stream, door)), streams))
    for client in clients:
        client.ping(b"12345678")
    assert counter(relay, "connections_waited") > 0


def start(stream, door):
    """@stream, with TLS where that is spoken."""
    if door == "tls":
        stream.start_tls()
    return stream


def test_who_waits_for_a_turn_may_leave(make_relay):
    relay = make_relay(with_keys(PATIENT, "limits", half_open="1"))
    first = Stream.connect(relay.address("http"))
    first.write(b"GET ")
    streams = [Stream.connect(relay.address("http")) for _ in range(40)]
    for n, stream in enumerate(streams):
        if n % 4 < 2:
            stream.write(b"GET /derp/probe HTTP/1.1\r\n")
        if n % 2:
            stream.abort()
    wait_until(lambda: counter(relay, "connections_waited") > 0, "some of them wait")
    first.close()
    relay.door("http").client().ping(b"12345678")
    for stream in streams[::2]:
        stream.close()


def test_connections_that_wait_leave_descriptors_to_others(make_relay):
    """A quarter of them may wait; then those that waited longest are closed."""
    relay = make_relay(with_keys(SMALL, "limits", half_open="1", handshake_timeout="10m"))
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (264, 264))
    streams = [Stream.connect(relay.address("http")) for _ in range(120)]
    for stream in streams[1:60]:
        stream.expect_closed()
    streams[-1].write(b"GET ")
    streams[-1].expect_open_and_silent(0)
    for stream in streams:
        stream.abort()
    wait_until(lambda: logs_in(relay.door("http"), ("127.0.0.1", 0)), "a login after the flood")


def logs_in(door, source):
    """Whether a login from there works now."""
    try:
        door.client(stream=door.stream(source=source)).ping(b"12345678")
    except Closed:
        return False
    return True


def test_half_open_connections_are_limited_in_all(make_relay):
    """100 silent connections from 100 addresses: all of them are accepted, no more than 20 are half open at a time."""
    relay = make_relay(with_keys(PATIENT, "limits", half_open="20"))
    door = relay.door("http")
    client = door.client()
    streams = [Stream.connect(relay.address("http"), source=source) for source in sources()[:100]]
    wait_until(lambda: counter(relay, "connections_accepted") >= 101, "the relay has accepted all of them")
    assert 0 < ask(relay)["half_open_count"] <= 20
    client.send_packet(client.key, b"still here")
    client.expect_packet(client.key, b"still here")
    for stream in streams:
        stream.close()
    wait_until(lambda: logs_in(door, ("127.0.0.1", 0)), "a login after the flood")


def test_connections_are_limited_in_all(make_relay):
    door = make_relay(with_keys(SMALL, "limits", connections="3")).door()
    clients = [door.client() for _ in range(3)]
    with pytest.raises(Closed):
        door.client().ping(b"12345678")
    for client in clients:
        client.ping(b"12345678")
    clients.pop().close()
    wait_until(lambda: logs_in(door, ("127.0.0.1", 0)), "a login after one left")


def test_connections_of_one_source_are_limited(make_relay):
    door = make_relay(with_keys(SMALL, "limits", connections_per_source="2")).door()
    one, two = ("127.0.1.1", 0), ("127.0.1.2", 0)
    clients = [door.client(stream=door.stream(source=one)) for _ in range(2)]
    assert not logs_in(door, one)
    assert logs_in(door, two)
    clients.pop().close()
    wait_until(lambda: logs_in(door, one), "a login after one left")


def test_accept_rate(make_relay):
    """Connections over the rate are closed, and the daemon goes on."""
    relay = make_relay(with_keys(SMALL, "limits", accept_rate="2", accept_burst="5"))
    streams = [Stream.connect(relay.address("http")) for _ in range(40)]
    closed = 0
    for stream in streams:
        try:
            stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n")
            stream.read_until(b"\r\n\r\n")
        except Closed:
            closed += 1
    assert 0 < closed <= 35
    wait_until(lambda: logs_in(relay.door(), ("127.0.0.1", 0)), "a login after the storm")


def test_without_free_descriptors_others_go_on_and_the_log_says_so(make_relay):
    relay = make_relay(SMALL)
    a, b = relay.door().client(), relay.door().client()
    pid = relay.process.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    n_open = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (n_open + 4, hard))
    streams = [Stream.connect(relay.address("http"), source=source) for source in sources()[:20]]
    for stream in streams[8:]:
        with pytest.raises((Closed, ConnectionError)):
            stream.read(1)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")
    relay.wait_log("only 64 descriptors are left")
    assert relay.log.count("only 64 descriptors are left") <= 2  # one for each thread of the pool
    for stream in streams:
        stream.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    relay.door().client().ping(b"12345678")
