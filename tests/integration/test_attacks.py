"""What strangers try before they have logged in: each attack with small numbers, and friends come in all the while.
`tests/attack/front` repeats them with large ones.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import resource

import pytest

from control import ask, counter
from crowd import Crowd, addresses
from derp_client import Closed, Stream, http_request, read_response
from local_api import Tailscaled
from relay import DETOURD, EVERYTHING, SMALL, wait_until, with_keys
from test_silent import PATIENT
from test_tls import client_hello

PROBE = b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n"
BASE = with_keys(PATIENT, "limits", http_time="1h", http_requests="1000000")


def friends_come_in(relay, source=("127.0.0.1", 0)):
    """Five logins through each door, every one at the first attempt."""
    for transport in ("http", "tls"):
        door = relay.door(transport)
        for _ in range(5):
            door.client(stream=door.stream(source=source)).ping(b"12345678")


def held_up(make_relay, **limits):
    """A relay whose only place is taken by a login that waits for its verdict, and its tailscaled, which never answers."""
    config = with_keys(BASE, "limits", half_open="1", **limits)
    config = with_keys(config, "auth tailscaled", socket="{run}/tailscaled.sock", timeout="1m")
    relay = make_relay(with_keys(config, "admission", chain="tailscaled", timeout="10m"), start=False)
    tailscaled = Tailscaled(f"{relay.run_directory}/tailscaled.sock")
    tailscaled.manner = "silent"
    tailscaled.start()
    relay.start()
    client = relay.door().greeted()
    client.stream.write(client.client_info())
    wait_until(lambda: tailscaled.connections, "the question")
    return relay, tailscaled


# ---- keep-alive

@pytest.mark.parametrize("limit, sources", [("half_open", addresses(8)), ("half_open_per_source", ("127.0.0.1",))])
def test_connections_that_are_kept_alive_keep_no_places(make_relay, limit, sources):
    relay = make_relay(with_keys(BASE, "limits", **{limit: "10"}))
    with Crowd(relay.address("http"), 40, sources, first=PROBE, then=PROBE, every=0.2) as crowd:
        wait_until(lambda: crowd.n_bytes > 100 * crowd.count, "the crowd is served")
        friends_come_in(relay)


def test_listeners_do_not_spend_each_others_places(make_relay):
    relay = make_relay(with_keys(BASE, "limits", half_open="5"))
    streams = [Stream.connect(relay.address(door)) for door in ("http", "port80") for _ in range(9)]
    wait_until(lambda: ask(relay)["half_open_count"] == 10, "the places of both are taken")
    for stream in streams:
        stream.close()


def test_a_connection_has_so_many_requests(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", http_requests="3"))
    for transport in ("http", "tls"):
        stream = relay.door(transport).stream()
        for n in range(3):
            assert http_request(stream, "GET", "/derp/probe").get("Connection") == ("close" if n == 2 else None)
        stream.expect_closed()
    pipelined = relay.door().stream()
    pipelined.write(5 * PROBE)
    for _ in range(3):
        assert read_response(pipelined).status == 200
    pipelined.expect_closed()


def test_a_connection_has_so_much_time_for_requests(make_relay):
    """However quick each of them is."""
    relay = make_relay(with_keys(BASE, "limits", http_time="1s"))
    stream = relay.door().stream()

    def ends():
        try:
            http_request(stream, "GET", "/derp/probe")
        except Closed:
            return True
        return False
    wait_until(ends, "the end of a connection that asks all the time")
    assert counter(relay, "connections_closed", reason="served", stage="handshake") >= 1


# ---- requests that come together

def test_requests_that_come_together_hold_up_nobody(make_relay):
    relay = make_relay(with_keys(BASE, "limits", half_open="off"))
    with Crowd(relay.address("http"), 200, addresses(4), first=400 * PROBE, again=False) as crowd:
        wait_until(lambda: crowd.n_bytes > 0, "the first answers")
        relay.door().client().ping(b"12345678")
        answered = counter(relay, "http_requests")
        assert answered < 200 * 400 / 2


def test_requests_that_come_together_are_all_answered(make_relay):
    relay = make_relay(BASE)
    stream = relay.door().stream()
    stream.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % n for n in range(300)))
    for _ in range(300):
        assert read_response(stream).status == 404
    assert http_request(stream, "GET", "/derp/probe").status == 200


# ---- waiting

def test_dripping_bytes_keep_no_place(make_relay):
    relay = make_relay(with_keys(BASE, "limits", half_open="20"))
    with Crowd(relay.address("http"), 120, addresses(6), first=b"G", then=b"E", every=0.3):
        friends_come_in(relay)


@pytest.mark.parametrize("how", ["close", "abort"])
def test_the_end_of_a_connection_that_waits_is_seen(make_relay, how):
    relay, tailscaled = held_up(make_relay)
    for _ in range(20):
        stream = Stream.connect(relay.address("http"))
        stream.write(b"G")
        getattr(stream, how)()
    wait_until(lambda: counter(relay, "connections_closed", reason="peer", stage="handshake") == 20, "all 20 are gone")
    tailscaled.stop()


def test_the_one_that_waited_longest_goes_and_addresses_have_shares(make_relay):
    """200 descriptors, 64 of them kept: 34 may wait on one listener of five, which is 6."""
    relay, tailscaled = held_up(make_relay)
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (200, 200))
    few = [Stream.connect(relay.address("http"), source=("127.0.2.2", 0)) for _ in range(2)]
    many = [Stream.connect(relay.address("http"), source=("127.0.2.1", 0)) for _ in range(12)]
    for stream in many[:8]:
        stream.expect_closed()
    for stream in few:
        stream.write(b"G")
    many[-1].write(b"G")
    wait_until(lambda: counter(relay, "connections_closed", reason="limit", stage="handshake") == 8, "the others are there")
    for stream in few + many[-1:]:
        stream.expect_open_and_silent(0)
    for stream in few + many:
        stream.close()
    tailscaled.stop()


# ---- descriptors and memory

def test_descriptors_are_left_for_control_and_reload(make_relay):
    relay = make_relay(with_keys(SMALL, "limits", half_open="off", half_open_per_source="off"))
    a, b = relay.door().client(), relay.door().client()
    pid = relay.process.pid
    folder = pathlib.Path(f"/proc/{pid}/fd")
    limit = max(int(entry.name) for entry in folder.iterdir()) + 100
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, limit))
    with Crowd(relay.address("http"), 300, addresses(20), again=False):
        relay.wait_log("only 64 descriptors are left")
        assert max(int(entry.name) for entry in folder.iterdir()) <= limit - 64
        assert ask(relay)["client_count"] == 2
        relay.reload(with_keys(SMALL, "limits", half_open="5"))
        a.send_packet(b.key, b"hello")
        b.expect_packet(a.key, b"hello")
    wait_until(lambda: comes_in(relay), "a login after the flood")


def comes_in(relay):
    """Whether a login works now."""
    try:
        relay.door().client().ping(b"12345678")
    except Closed:
        return False
    return True


def test_the_start_says_which_limit_of_descriptors_is_short(make_relay, tmp_path, monkeypatch):
    """300 of them, 64 kept, a quarter of the rest for connections that log in."""
    limited = tmp_path / "detourd"
    limited.write_text(f'#!/bin/sh\nulimit -n 300\nexec "{DETOURD}" "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setattr("relay.Relay.detourd", limited)
    relay = make_relay(SMALL)
    relay.wait_log("300 descriptors are enough for 59 connections")
    monkeypatch.setattr("relay.Relay.detourd", DETOURD)
    assert "descriptors are enough" not in make_relay(with_keys(SMALL, "limits", half_open="100")).log


def test_heads_without_end_share_a_budget_of_memory(make_relay):
    """Three quarters of it on five listeners: 157 KB; a head grows behind the place that it was given."""
    relay = make_relay(with_keys(BASE, "limits", half_open_memory="1M"))
    door = relay.door("http")
    streams = [door.stream() for _ in range(40)]
    for stream in streams:
        stream.write(b"GET / HTTP/1.1\r\n")
    wait_until(lambda: ask(relay)["half_open_count"] == len(streams), "all have a place")
    for stream in streams:
        stream.write(b"X: " + b"a" * 8000)
    wait_until(lambda: ask(relay)["half_open_count"] <= 20, "heads that have no room are closed")
    friends_come_in(relay)


def test_half_open_connections_share_a_budget_of_memory(make_relay):
    """Three quarters of it on five listeners: 1.2 MB, and a handshake counts as 34 KB."""
    relay = make_relay(with_keys(BASE, "limits", half_open_memory="8M"))
    with Crowd(relay.address("tls"), 120, addresses(10), first=client_hello()[:100]) as crowd:
        wait_until(lambda: crowd.n_closed > 0, "places are taken away")
        assert 10 <= ask(relay)["half_open_count"] <= 37
        friends_come_in(relay)
