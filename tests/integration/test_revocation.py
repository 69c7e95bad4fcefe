"""A revoked node is cut off: within `recheck`, and at once where the source says so by itself.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

import pytest

from relay import EVERYTHING, wait_until
from test_admission import new_key
from test_grace import Daemon, Scene


class Keys:
    """A list of keys in a file, which the daemon looks after."""

    def __init__(self, relay):
        self.file = relay.directory / "friends.keys"
        self.listed = []
        self.keys = {"plugin": "keys", "file": "{dir}/friends.keys"}
        # A list without a key lets nobody in, and the start says so.
        self.allow(new_key())

    def start(self):
        """It is there already."""

    def stop(self):
        """A list with an error; the one before is in force."""
        self.file.write_text("no key\n")

    def write(self):
        """In one step, so that no half of it is read."""
        fresh = self.file.with_name(".fresh")
        fresh.write_text("".join(f"nodekey:{key.public_key.encode().hex()}\n" for key in self.listed))
        fresh.rename(self.file)

    def allow(self, key):
        """The key is on the list from now on."""
        self.listed.append(key)
        self.write()

    def deny(self, key):
        """It is not."""
        self.listed.remove(key)
        self.write()


@pytest.fixture(name="scene")
def fixture_scene(make_relay):
    """Makes a relay and whom it asks."""
    made = []

    def make(kind, **admission):
        made.append(Scene(make_relay(EVERYTHING, start=False), CLASSES.get(kind, kind), **admission))
        return made[-1]

    yield make
    for scene in made:
        scene.source.stop()


def asked(scene):
    """How often the source was asked; a connected client is asked about anew each time."""
    sources = json.loads(scene.ctl("--json", "status"))["admission_sources"]
    return next(source["asked"] for source in sources if source["instance"] == "auth/it")


# Whether the source says by itself that something changed; of the others nobody could know without asking.
PUSHES = {"keys": True, "tailscale-api": True, "tailscaled": True, "tailscaled before 1.100": True, "tailscaled without a bus": False,
          "url": False}


class Watched(Daemon):
    """A tailscaled that tells of changes."""

    bus = "new"

    def __init__(self, relay):
        super().__init__(relay)
        self.server.bus = self.bus


class WatchedOfOld(Watched):
    """One that tells of all nodes when one has changed."""

    bus = "old"


CLASSES = {"keys": Keys, "tailscaled": Watched, "tailscaled before 1.100": WatchedOfOld, "tailscaled without a bus": "tailscaled"}


@pytest.mark.parametrize("kind", PUSHES)
def test_a_revoked_node_is_cut_off(scene, kind):
    scene = scene(kind, recheck="off" if PUSHES[kind] else "2s")
    stays, goes = new_key(), new_key()
    scene.source.allow(stays)
    scene.source.allow(goes)
    scene.start()
    friend, client = scene.comes_in(stays), scene.comes_in(goes)
    scene.source.deny(goes)
    client.expect_closed()
    friend.ping(b"12345678")
    scene.relay.wait_log(f"closing nodekey:{client.key.hex()}, which is not admitted any more: ")
    scene.stays_out(goes)


@pytest.mark.parametrize("bus", ["new", "old"])
def test_what_tailscaled_tells_is_heard(make_relay, bus):
    """Whatever happens to a node, it shows at once, although nothing is asked again by itself."""
    scene = Scene(make_relay(EVERYTHING, start=False), CLASSES["tailscaled" if bus == "new" else "tailscaled before 1.100"], recheck="off",
                  refuse_hold="1h")
    tailscaled = scene.source.server
    stays, expires, renews, renewed, joins = (new_key() for _ in range(5))
    for key in (stays, expires, renews):
        scene.source.allow(key)
    scene.start()
    try:
        wait_until(lambda: tailscaled.watchers, "somebody listens")
        friend, late, old = (scene.comes_in(key) for key in (stays, expires, renews))
        # One that is not known yet is held, and comes in when it is.
        held = scene.relay.door().greeted(joins)
        held.stream.write(held.client_info())
        scene.relay.wait_log(f"refused nodekey:{held.key.hex()}")
        tailscaled.add(joins.public_key)
        tailscaled.tell({"PeersChanged": [tailscaled.describe(held.key.hex())]})
        held.read_server_info()
        tailscaled.expire(expires.public_key)
        late.expect_closed()
        tailscaled.log_in_anew(renews.public_key, renewed.public_key)
        old.expect_closed()
        scene.comes_in(renewed).ping(b"12345678")
        friend.ping(b"12345678")
        held.ping(b"12345678")
        # No list of all nodes is wanted, and no private keys; before 1.100 no more than one every few seconds.
        assert tailscaled.masks == ([45072] if bus == "new" else [45072, 272])
        assert scene.relay.log.count("which is not admitted any more") == 2
    finally:
        scene.source.stop()


def test_what_happened_while_nobody_told_is_found_out(make_relay):
    scene = Scene(make_relay(EVERYTHING, start=False), Watched, recheck="off")
    tailscaled = scene.source.server
    stays, goes, leaves = (new_key() for _ in range(3))
    for key in (stays, goes, leaves):
        scene.source.allow(key)
    scene.start()
    try:
        friend, first, second = (scene.comes_in(key) for key in (stays, goes, leaves))
        wait_until(lambda: tailscaled.watchers, "somebody listens")
        del tailscaled.nodes[first.key.hex()]
        first.ping(b"12345678")
        # What is no JSON ends the connection. The next one may have come too late for something.
        tailscaled.put_chunk(tailscaled.watchers[0], b"<html>\n")
        first.expect_closed()
        assert len(tailscaled.masks) == 2
        # It starts again, without a word of what happened meanwhile.
        tailscaled.stop()
        scene.relay.wait_log("auth/it.*(cannot connect|closed)")
        del tailscaled.nodes[second.key.hex()]
        second.ping(b"12345678")
        tailscaled.start()
        second.expect_closed()
        friend.ping(b"12345678")
    finally:
        scene.source.stop()


@pytest.mark.parametrize("how", ["told", "asked", "restarted"])
def test_a_ban_follows_the_node_that_tailscaled_knows(make_relay, how):
    scene = Scene(make_relay(EVERYTHING, start=False), Watched if how == "told" else "tailscaled", recheck="off")
    tailscaled = scene.source.server
    old, new, other = new_key(), new_key(), new_key()
    scene.source.allow(old)
    scene.source.allow(other)
    scene.start()
    try:
        client = scene.comes_in(old)
        scene.ctl("ban", f"nodekey:{client.key.hex()}", "--for", "1h", "--reason", "spam")
        client.expect_closed()
        if how == "told":
            wait_until(lambda: tailscaled.watchers, "somebody listens")
        if how == "restarted":
            scene.relay.stop()
        tailscaled.log_in_anew(old.public_key, new.public_key)
        if how == "restarted":
            scene.relay.start()
        again = scene.relay.door().greeted(new)
        again.stream.write(again.client_info())
        scene.relay.wait_log(f"nodekey:{again.key.hex()} is banned: it is the new key of the node that had nodekey:{client.key.hex()}, which the "
                             "operator has banned: spam")
        scene.relay.wait_log(f"refused nodekey:{again.key.hex()} .*banned by the operator until .*: spam")
        scene.comes_in(other).ping(b"12345678")
        # It is lifted as any other.
        scene.ctl("unban", f"nodekey:{again.key.hex()}")
        scene.comes_in(new).ping(b"12345678")
    finally:
        scene.source.stop()


@pytest.mark.parametrize("kind", PUSHES)
def test_nobody_is_cut_off_while_nothing_can_be_said(scene, kind):
    scene = scene(kind, recheck="1s", grace="1s")
    key = new_key()
    scene.source.allow(key)
    scene.start()
    client = scene.comes_in(key)
    scene.source.stop()
    # Beyond grace, which is short, and over several rechecks.
    scene.relay.wait_log({"keys": "auth/it: the list before it is in force"}.get(kind, "auth/it.*(cannot connect|refused)"))
    seen = asked(scene)
    wait_until(lambda: asked(scene) >= seen + 3, "three rechecks")
    if kind not in ("keys", "tailscale-api"):
        assert scene.verdict(key)["verdict"] == "unavailable"
    client.ping(b"12345678")
    assert "which is not admitted any more" not in scene.relay.log
