"""Links to the other servers of a region while the relay becomes another program: in place, in another process, by a restart.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import signal
import time

import pytest

from control import ask, detourctl
from mesh import key_of, peers, wait_peer, with_peer
from relay import DETOURD, EVERYTHING, wait_until, with_keys
from test_mesh_links import logged_in, rows
from test_metrics import METRICS, scrape
from test_upgrade_versions import NEXT

CHANGES = {"upgraded": lambda relay: relay.upgrade(), "handed": lambda relay: relay.hand_over(relay.successor()), "kept": lambda relay: relay.restart()}


@pytest.fixture(name="make", params=CHANGES)
def _make(request):
    """A function that makes relays, and one by which such a relay becomes another program."""
    return request.getfixturevalue(request.param), CHANGES[request.param]


def talk(here, there):
    """One packet each way."""
    here.send_packet(there.key, b"over there")
    there.expect_packet(here.key, b"over there")
    there.send_packet(here.key, b"and back")
    here.expect_packet(there.key, b"and back")


def connections(relay, key):
    """The numbers of the connections that the relay has of that key."""
    return [client["connection"] for client in logged_in(relay, key)]


def test_links_go_on(make):
    """Those that the relay made and those that were made to it are the same connections afterwards, and nobody had to dial."""
    make, change = make
    other = make(EVERYTHING)
    relay = make(with_peer(EVERYTHING, "b", other))
    other.reload(with_peer(EVERYTHING, "a", relay))
    own, back = wait_peer(relay, "b"), wait_peer(other, "a")
    here, there = relay.door("http").client(), other.door("http").client()
    wait_until(lambda: peers(relay)["b"]["keys"] == 2 and peers(other)["a"]["keys"] == 2, "both know of the other's client")
    talk(here, there)
    numbers = connections(other, key_of(relay))
    assert len(numbers) == 1
    for n in (2, 3):
        change(relay)
        after = wait_peer(relay, "b")
        for what in ("server_key", "address", "links", "since", "accepted"):
            assert after[what] == own[what], what
        assert connections(other, key_of(relay)) == numbers
        talk(here, there)
        assert wait_until(lambda: (peer := peers(relay)["b"])["packets_sent"] == n and peer, "it is counted")["keys"] == 2
        now = peers(other)["a"]
        assert [now[what] for what in ("state", "since", "links", "keys")] == ["up", back["since"], 1, 2]
    assert not re.search(r"\[peer .\] (no link|the link to .* ended)", relay.log + other.log)
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    events = [event["text"] for event in ask(relay, "why", key_of(other), "--at", at)["events"] if event["event"] == "link"]
    assert events == ["peer b: the link is up"]
    # They are watched as before: one that ends is made again.
    other.stop(signal.SIGKILL, code=-signal.SIGKILL)
    relay.wait_log(r"\[peer b\] the link to .* ended: ")
    other.start_once()
    wait_peer(relay, "b")


def kick_clients(relay):
    """Whoever looked at its certificate, for one."""
    for client in ask(relay, "clients")["clients"]:
        if not client["mesh"]:
            detourctl(relay, "kick", client["key"])
    wait_until(lambda: all(client["mesh"] for client in ask(relay, "clients")["clients"]), "they are gone")


def test_links_are_no_clients(upgraded):
    """Whoever made them."""
    other = upgraded(EVERYTHING)
    relay = upgraded(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")
    kick_clients(other)
    client = other.door("http").client()
    said = detourctl(other, "upgrade", "--check")[0]
    assert said == "could upgrade to 0.1.0: 1 client would be kept and 1 link of the mesh, 0 asked to reconnect (TLS 1.2)\n"
    said = detourctl(other, "upgrade")[0]
    assert said.startswith("upgraded to 0.1.0: 1 client kept and 1 link of the mesh, 0 asked to reconnect (TLS 1.2), paused for "), said
    assert ": 1 client kept and 1 link of the mesh, 0 asked" in other.log
    last = ask(other, "status")["last_upgrade"]
    assert (last["kept"], last["links"], last["lost"]) == (1, 1, 0)
    other.reload(with_peer(EVERYTHING, "a", relay))
    wait_peer(other, "a")
    kick_clients(relay)
    said = json.loads(detourctl(relay, "upgrade", "--json")[0])
    assert (said["kept"], said["links"]) == (0, 2)
    client.ping(b"12345678")


def totals(relay):
    """What the relay has counted of keys behind several links, and of keys that several connections had."""
    found = scrape(relay)
    return [int(found[f"detour_{name}_total"]) for name in ("multiforwarder_created", "multiforwarder_deleted", "duplicates")]


def test_what_was_counted_goes_along(upgraded):
    """Also of links that have ended, and which one of several gets the packets."""
    other, third = upgraded(EVERYTHING), upgraded(EVERYTHING)
    relay = upgraded(with_peer(with_peer(with_keys(METRICS, "core", workers=3), "b", other), "c", third))
    wait_peer(relay, "b")
    wait_peer(relay, "c")
    here, first = relay.door("http").client(), other.door("http").client()
    twin = relay.door("http").client(here.secret)
    twin.ping(b"12345678")
    wait_until(lambda: peers(relay)["b"]["keys"] == 2, "the first is known")
    second = third.door("http").client(first.secret)
    wait_until(lambda: totals(relay) == [1, 0, 1], "the second is known")
    here = relay.door("http").client()
    here.send_packet(first.key, b"one")
    first.expect_packet(here.key, b"one")
    other.stop(signal.SIGKILL, code=-signal.SIGKILL)
    wait_until(lambda: totals(relay)[:2] == [1, 1], "the link to the first is gone")
    other.start_once()
    wait_peer(relay, "b")
    other.door("http").client(first.secret)
    wait_until(lambda: totals(relay)[:2] == [2, 1], "both are known again")
    wait_until(lambda: rows(relay, "b")["mesh_link_packets_total"] == 1, "it is counted")
    counted, before = totals(relay), {name: rows(relay, name) for name in "bc"}
    assert before["b"]["mesh_links_made_total"] == 2
    for n in (1, 2, 3):
        relay.upgrade()
        wait_peer(relay, "b")
        wait_peer(relay, "c")
        here.send_packet(second.key, b"%d" % n)
        second.expect_packet(here.key, b"%d" % n)
        wait_until(lambda: rows(relay, "c")["mesh_link_packets_total"] == before["c"]["mesh_link_packets_total"] + n, "it is counted")
        assert rows(relay, "b") == before["b"]
        assert totals(relay) == counted
        assert peers(relay)["b"]["links"] == 2


def test_to_the_next_version_and_back(upgraded):
    other = upgraded(EVERYTHING)
    relay = upgraded(with_peer(EVERYTHING, "b", other))
    before, numbers = wait_peer(relay, "b"), connections(other, key_of(relay))
    here, there = relay.door("http").client(), other.door("http").client()
    wait_until(lambda: peers(relay)["b"]["keys"] == 2, "the client is known")
    for n, program in enumerate((NEXT, DETOURD) * 2, 1):
        assert relay.ask("--binary", program).startswith("upgraded to")
        after = wait_peer(relay, "b")
        assert [after[what] for what in ("since", "links", "keys")] == [before["since"], 1, 2]
        assert connections(other, key_of(relay)) == numbers
        here.send_packet(there.key, b"hello")
        there.expect_packet(here.key, b"hello")
        wait_until(lambda: peers(relay)["b"]["packets_sent"] == n, "it is counted")


def test_an_upgrade_in_which_a_peer_has_another_address(upgraded):
    """What is said of it is not what the link was made by, so it is made anew."""
    other = upgraded(EVERYTHING)
    relay = upgraded(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")
    numbers = connections(other, key_of(relay))
    relay.write_config(with_peer(EVERYTHING, "b", other, host="127.0.0.1", address="127.0.0.1:%d" % other.address("tls-export")[1]))
    relay.upgrade()
    peer = wait_peer(relay, "b")
    assert peer["server_key"] == key_of(other) and peer["host"] == "127.0.0.1:443"
    wait_until(lambda: (now := connections(other, key_of(relay))) != numbers and len(now) == 1, "there is another link, and only one")


def test_an_upgrade_in_which_a_peer_is_removed(upgraded):
    other = upgraded(EVERYTHING)
    relay = upgraded(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")
    relay.write_config(EVERYTHING)
    relay.upgrade()
    assert peers(relay) == {}
    wait_until(lambda: not logged_in(other, key_of(relay)), "the link is gone", 60)


def test_an_upgrade_in_which_a_peer_becomes_another_server(upgraded):
    other = upgraded(EVERYTHING)
    third = upgraded(EVERYTHING)
    relay = upgraded(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")
    relay.write_config(with_peer(EVERYTHING, "b", third))
    relay.upgrade()
    # The link that came along has the name, and is of the server that was called so before.
    wait_until(lambda: (peer := peers(relay)["b"])["state"] == "up" and peer["server_key"] == key_of(third), "it is the other one")
    wait_until(lambda: not logged_in(other, key_of(relay)), "the old link is gone")
    assert len(logged_in(third, key_of(relay))) == 1
