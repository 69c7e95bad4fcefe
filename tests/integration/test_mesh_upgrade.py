"""Links to the other servers of a region while the relay becomes another program: in place, in another process, by a restart.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import signal

import pytest

from mesh import key_of, peers, wait_peer, with_peer
from relay import EVERYTHING, wait_until
from test_mesh_links import logged_in

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
        assert after["server_key"] == own["server_key"] == key_of(other)
        assert connections(other, key_of(relay)) == numbers
        talk(here, there)
        assert wait_until(lambda: (peer := peers(relay)["b"])["packets_sent"] == n and peer, "it is counted")["keys"] == 2
        now = peers(other)["a"]
        assert [now[what] for what in ("state", "since", "links", "keys")] == ["up", back["since"], 1, 2]
    assert not re.search(r"\[peer .\] (no link|the link to .* ended)", relay.log + other.log)
    # They are watched as before: one that ends is made again.
    other.stop(signal.SIGKILL, code=-signal.SIGKILL)
    relay.wait_log(r"\[peer b\] the link to .* ended: ")
    other.start_once()
    wait_peer(relay, "b")


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
