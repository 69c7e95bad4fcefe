"""Links to other relays that workers have: two real daemons, with tests/trial/service-trial.c as the plugin that dials.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib

import pytest

from control import ask, counter, detourctl
from derp_client import Frame
from relay import BUILD, EVERYTHING, MESH_KEY, wait_until, with_keys, without_group

pytestmark = pytest.mark.skipif(not (BUILD / "tests" / "trial" / "service-trial.so").exists(),
                                reason="there is no service-trial.so: the build has no tests (-Dtests=false)")

# It has a protocol of its own for /derp, and a path has one owner.
TRIAL = with_keys(without_group(EVERYTHING, "transport websocket"), "core", plugin_path=f"{BUILD}/plugins; {BUILD}/tests/trial")
TRIAL = with_keys(TRIAL, "service trial", listen="127.0.0.1:{admin}")


def dialling(config, other, way="tls-export", **keys):
    """The configuration of a relay with a link to @other that joins."""
    pin = hashlib.sha256(other.door("tls-export").client().stream.certificates()[0]).hexdigest()
    return with_keys(config, "service trial", dial="127.0.0.1:%d" % other.address(way)[1],
                     dialer="plain" if way == "http" else "tls", pin=f"sha256-raw:{pin}", joins="true",
                     **({"mesh_key": MESH_KEY} | keys))


@pytest.mark.parametrize("way", ["http", "tls-export", "tls-gnutls"])
def test_two_relays_are_one_region(make_relay, way):
    west = make_relay(TRIAL)
    east = make_relay(dialling(TRIAL, west, way))
    east.wait_log("the link is up")
    since = len(west.log)
    west.reload(dialling(TRIAL, east, way))
    west.wait_log("the link is up", since)
    a, b = west.door("tls-export").client(), east.door("http").client()
    meet(a, b)
    meet(b, a)
    for size in (1, 1400, 65504):
        packet = bytes(i % 249 for i in range(size))
        for source, target in ((a, b), (b, a)):
            source.send_packet(target.key, packet)
            target.expect_packet(source.key, packet)
    # Whoever received from one that leaves hears of it, across the region.
    b.close()
    a.expect_gone(b.key, 0)
    # The other relay stops: all its clients are gone at once.
    c = east.door("http").client()
    meet(c, a)
    since = len(west.log)
    east.stop()
    a.expect_gone(c.key, 0)
    west.wait_log("the link is down: ", since)


def meet(source, target):
    """Until the relay of @source knows of @target, nobody is there; then nothing more of that is on its way."""
    def is_reached():
        source.send_packet(target.key, b"are you there?")
        return (Frame.RECV_PACKET, source.key + b"are you there?") in target.frames_until_own()
    wait_until(is_reached, "the other relay tells of a client")
    source.fence_to(target)


def test_a_link_to_itself_ends(make_relay):
    relay = make_relay(TRIAL)
    since = len(relay.log)
    relay.reload(dialling(TRIAL, relay))
    relay.wait_log("the link is down: it is this relay itself", since)


def test_without_the_mesh_key_nothing_is_gained(make_relay):
    west = make_relay(TRIAL)
    east = make_relay(dialling(TRIAL, west, mesh_key="ab" * 32))
    east.wait_log("the link is down: ")


def test_an_upgrade_keeps_links(upgraded):
    west = upgraded(TRIAL)
    east = upgraded(dialling(TRIAL, west))
    east.wait_log("the link is up")
    a, b = west.door("tls-export").client(), east.door("tls-export").client()
    meet(b, a)
    since = len(east.log)
    for n in range(3):
        east.upgrade(kept=1)
        # The first packet finds its way already.
        packet = b"after upgrade %d" % n
        b.send_packet(a.key, packet)
        a.expect_packet(b.key, packet)
    assert len(east.wait_log("the link came along", since)[0]) > 0
    assert "the link is up" not in east.log[since:]
    # What it learns over the old link is as before.
    late = west.door("http").client()
    meet(b, late)
    late.close()
    west.stop()
    east.wait_log("the link is down: ", since)


def test_a_link_that_nobody_asks_for_ends(upgraded):
    west = upgraded(TRIAL)
    config = dialling(TRIAL, west)
    east = upgraded(config)
    east.wait_log("the link is up")
    key, client = east.door("http").client().server_key, west.door("http").client()
    assert not is_absent(client, key)
    east.write_config(without_group(config, "service trial"))
    east.upgrade()
    assert not is_absent(client, key)
    wait_until(lambda: is_absent(client, key), "the link ends", timeout=60)


def is_absent(client, key):
    """Whether the relay says that nobody has @key."""
    client.send_packet(key, DISCO)
    return any(kind == Frame.PEER_GONE for kind, _ in client.frames_until_own())


DISCO = bytes.fromhex("5453f09f92ac") + bytes(80)


def test_a_link_is_no_client(make_relay):
    """Lists, kicks, bans and a drain are about clients, whom nobody takes a link for."""
    west = make_relay(TRIAL)
    east = make_relay(dialling(TRIAL, west))
    east.wait_log("the link is up")
    since = len(east.log)
    west_key = west.door("http").client().server_key
    a, b = west.door("tls-export").client(), east.door("tls-export").client()
    meet(b, a)
    assert [row["key"] for row in ask(east, "clients")["clients"]] == [f"nodekey:{b.key.hex()}"]
    assert counter(east, "packets_forwarded_out") >= 1
    detourctl(east, "kick", f"nodekey:{west_key.hex()}", code=1)
    detourctl(east, "ban", f"nodekey:{west_key.hex()}")
    detourctl(east, "drain", "--for=1h", "--no-wait")
    # Whoever is still here reaches the others.
    b.send_packet(a.key, b"still here")
    a.expect_packet(b.key, b"still here")
    assert "the link is down" not in east.log[since:]
