"""Rights of the mesh last as long as the mesh key that a connection has shown, and no longer.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import time

import pytest

from control import ask, counter, detourctl
from derp_client import Frame
from mesh import key_of, peers, wait_peer, with_peer
from relay import EVERYTHING, MESH_KEY, wait_until, with_keys, without_group
from test_mesh_links import OTHER_KEY, logged_in
from test_mesh_upgrade import CHANGES

WITHOUT = without_group(EVERYTHING, "service mesh")
CLOSED = r"closed the connections of other servers and of probers that had shown the mesh key \(2\): "


class Region:
    """Two connections with the mesh key, of which one watches, and an ordinary client."""

    def __init__(self, relay):
        self.relay = relay
        door = relay.door("http")
        self.client, self.watcher, self.prober = door.client(), door.mesh_client(), door.mesh_client()
        self.watcher.send(Frame.WATCH_CONNS)
        wait_until(lambda: [row["watcher"] for row in logged_in(relay, self.text(self.watcher))] == [True], "it watches")
        self.watcher.frames_until_own()
        self.all_live()

    @staticmethod
    def text(client):
        """Its key as commands write it."""
        return f"nodekey:{client.key.hex()}"

    def all_live(self):
        """Nobody was closed, and whoever had the rights of the mesh has them."""
        for mesh in (self.watcher, self.prober):
            mesh.send(Frame.FORWARD_PACKET, mesh.key + self.client.key + b"forwarded")
            self.client.expect_packet(mesh.key, b"forwarded")

    def mesh_is_closed(self, why):
        """The client stays, and log and events say what happened to the others."""
        for mesh in (self.watcher, self.prober):
            mesh.stream.read_to_end()
        self.client.frames_until_own()
        self.relay.wait_log(CLOSED + why)
        assert counter(self.relay, "connections_closed", stage="registered", reason="mesh_key") == 2
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        events = ask(self.relay, "why", self.text(self.watcher), "--at", at)["events"]
        assert "the mesh key that it showed is not in force any more" in [event["text"] for event in events]


def gains_nothing(relay, key):
    """That mesh key gives no rights."""
    client = relay.door("http").client(meshKey=key)
    client.send(Frame.WATCH_CONNS)
    client.expect_closed()


def test_a_mesh_that_is_switched_off(make_relay):
    relay = make_relay(EVERYTHING)
    region = Region(relay)
    detourctl(relay, "plugins", "disable", "service/mesh")
    region.mesh_is_closed("no mesh key is in force any more")
    gains_nothing(relay, MESH_KEY)
    detourctl(relay, "plugins", "enable", "service/mesh")
    relay.door("http").mesh_client().send(Frame.WATCH_CONNS)


def test_a_reload_without_the_mesh(make_relay):
    relay = make_relay(EVERYTHING)
    region = Region(relay)
    relay.reload(WITHOUT)
    region.mesh_is_closed("no mesh key is in force any more")


@pytest.mark.parametrize("file", ["mesh.key", "new.key"])
def test_another_key_by_a_reload(make_relay, file):
    """In the same file, or in another one, which starts the instance anew."""
    relay = make_relay(EVERYTHING)
    region = Region(relay)
    relay.write_file(file, OTHER_KEY + "\n")
    relay.reload(with_keys(EVERYTHING, "service mesh", key_file=f"{{dir}}/{file}"))
    region.mesh_is_closed("the mesh key is another one now")
    gains_nothing(relay, MESH_KEY)
    relay.door("http").client(meshKey=OTHER_KEY).send(Frame.WATCH_CONNS)
    # A file that cannot be used changes nothing.
    later = relay.door("http").client(meshKey=OTHER_KEY)
    relay.write_file(file, "nonsense\n")
    relay.reload(outcome="the configuration was not used")
    later.ping(b"12345678")


def test_the_same_key_again_closes_nobody(make_relay):
    """It is given back and set again when the instance starts anew, has another name, or only another file."""
    relay = make_relay(EVERYTHING)
    region = Region(relay)
    relay.write_file("copy.key", MESH_KEY.upper() + "\n")
    relay.reload()
    region.all_live()
    detourctl(relay, "plugins", "restart", "service/mesh")
    region.all_live()
    copied = with_keys(EVERYTHING, "service mesh", key_file="{dir}/copy.key")
    relay.reload(copied)
    region.all_live()
    relay.reload(copied.replace("[service mesh]", "[service region]\nplugin = mesh"))
    region.all_live()
    assert "mesh key (" not in relay.log


def test_a_key_of_zeros_takes_the_rights(make_relay):
    relay = make_relay(EVERYTHING)
    region = Region(relay)
    relay.write_file("mesh.key", "0" * 64 + "\n")
    relay.reload()
    region.mesh_is_closed("no mesh key is in force any more")


@pytest.fixture(name="make", params=CHANGES)
def _make(request):
    """A function that makes relays, and one by which such a relay becomes another program."""
    return request.getfixturevalue(request.param), CHANGES[request.param]


def test_an_upgrade_without_the_mesh(make):
    make, change = make
    relay = make(EVERYTHING)
    region = Region(relay)
    change(relay)
    region.all_live()
    relay.write_config(WITHOUT)
    change(relay)
    region.mesh_is_closed("no mesh key is in force any more")
    # And it does not come back by itself.
    relay.write_config(EVERYTHING)
    change(relay)
    region.client.ping(b"12345678")


def test_an_upgrade_with_another_key(make):
    make, change = make
    relay = make(EVERYTHING)
    region = Region(relay)
    relay.write_file("mesh.key", OTHER_KEY + "\n")
    change(relay)
    region.mesh_is_closed("the mesh key is another one than in the program before")
    relay.door("http").client(meshKey=OTHER_KEY).send(Frame.WATCH_CONNS)


def test_links_are_made_again_when_all_have_the_new_key(make_relay):
    """Of two servers that dial each other, each closes what the other one has dialled, and dials again."""
    other = make_relay(EVERYTHING)
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    other.reload(with_peer(EVERYTHING, "a", relay))
    wait_peer(relay, "b")
    wait_peer(other, "a")
    relay.write_file("mesh.key", OTHER_KEY + "\n")
    relay.reload()
    wait_until(lambda: peers(other)["a"]["state"] != "up", "its link is closed")
    # What this relay has dialled is the other one's to judge.
    assert peers(relay)["b"]["state"] == "up"
    other.write_file("mesh.key", OTHER_KEY + "\n")
    other.reload()
    wait_until(lambda: all(peers(one)[name]["state"] == "up" and peers(one)[name]["accepted"] for one, name in ((relay, "b"), (other, "a"))),
               "both links are up", 90)
    assert len(logged_in(relay, key_of(other))) == len(logged_in(other, key_of(relay))) == 1
