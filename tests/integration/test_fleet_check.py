"""detourctl fleet status: what is wrong between relays, which none of them sees alone.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

import pytest

from fleet import Inventory
from mesh import LINK_PATIENCE, wait_peer, with_peer
from relay import EVERYTHING, SMALL, free_port, wait_until, with_keys
from shifted_clock import ShiftedClock

OTHER_KEY = "6f746865" * 8


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path):
    """An empty inventory."""
    return Inventory(tmp_path)


def findings(inventory, **environment):
    """What is found: code -> (relay, other), and the texts by code."""
    document = json.loads(inventory.run("status", "--json", **environment)[0])
    found = [(finding["code"], finding["relay"], finding["other"]) for finding in document["findings"]]
    return found, {finding["code"]: finding for finding in document["findings"]}


@pytest.fixture(name="pair")
def fixture_pair(make_relay, inventory):
    """Two relays of a region that are linked both ways."""
    one, other = make_relay(with_keys(EVERYTHING, "core", hostname="a.test")), make_relay(with_keys(EVERYTHING, "core", hostname="b.test"))
    inventory.relay("a", one).relay("b", other)
    one.alone, other.alone = one.config, other.config
    one.reload(with_peer(one.alone, "b", other))
    other.reload(with_peer(other.alone, "a", one))
    wait_peer(one, "b")
    wait_peer(other, "a")
    return one, other


def test_a_pair_that_is_linked(pair, inventory):
    assert findings(inventory) == ([], {})
    table, _ = inventory.run("status", "--exit-code")
    assert "!" not in table
    # Where one is out of service it need not be.
    pair[0].reload(pair[0].alone)
    assert findings(inventory)[0] == [("pair_unlisted", "a", "b")]
    text, _ = inventory.run("status", "--exit-code", code=1)
    assert "! a does not have b among its peers" in text and "[peer NAME]" in text
    (inventory.path.parent / "fleet.conf.state").write_text("[stages]\nb = out\n")
    assert findings(inventory)[0] == []


def test_a_pair_of_which_one_link_is_missing(pair, inventory):
    one, other = pair
    # It is known by its name until it has shown its key.
    one.reload(with_peer(one.alone, "b", other, host="b.test", address=f"127.0.0.1:{free_port()}"))
    wait_peer(one, "b", "waiting")
    found, texts = findings(inventory)
    assert found == [("pair_unlinked", "a", "b")]
    assert texts["pair_unlinked"]["text"].startswith("a has no link to b: ")
    assert texts["pair_unlinked"]["remedy"] == "see what helps, on a: detourctl doctor mesh"
    one.reload(with_peer(one.alone, "b", other))
    wait_peer(one, "b")
    assert findings(inventory)[0] == []


def test_a_peer_that_was_never_reached(make_relay, inventory):
    """Its key is not known, and its name may be another one than that of the relay."""
    one, other = (make_relay(with_keys(EVERYTHING, "core", hostname=f"{name}.test")) for name in "ab")
    inventory.relay("a", one).relay("b", other)
    alone, nowhere = one.config, f"127.0.0.1:{free_port()}"
    # Known by the name of its group.
    one.reload(with_peer(alone, "b", other, host="b.internal", address=nowhere))
    wait_peer(one, "b", "waiting")
    found, texts = findings(inventory)
    assert found == [("pair_unlinked", "a", "b"), ("pair_unlisted", "b", "a")]
    assert texts["pair_unlinked"]["text"].startswith("a has no link to b: ") and "refused" in texts["pair_unlinked"]["text"]
    assert texts["pair_unlisted"]["text"] == ("b does not have a among its peers: what clients of b send does not reach "
                                              "those of a")
    assert texts["pair_unlisted"]["remedy"] == "add a [peer NAME] with the host of a to the configuration of b, and reload it"
    # Known by nothing: it may be the other one.
    one.reload(with_peer(alone, "x", other, host="x.internal", address=nowhere))
    wait_peer(one, "x", "waiting")
    found, texts = findings(inventory)
    assert found[0] == ("pair_unlinked", "a", "b") and texts["pair_unlinked"]["remedy"] == "see what helps, on a: detourctl doctor mesh"
    assert "no link to b, unless that is its peer x (x.internal:443), which it has never reached: " in texts["pair_unlinked"]["text"]
    # By an address that the inventory has; that of a third relay is not taken for this one.
    other_address = f"{nowhere.rsplit(':', 1)[0]}:{free_port()}"
    one.reload(with_peer(alone, "x", other, host=other_address))
    wait_peer(one, "x", "waiting")
    inventory.add("relay c", region=901, socket=f"{one.run_directory}/none", ipv4="127.0.0.1")
    document = json.loads(inventory.run("status", "a", "b", "--json")[0])
    assert [finding["code"] for finding in document["findings"]] == ["pair_unlisted", "pair_unlisted"]


def test_a_pair_with_two_mesh_keys(pair, inventory):
    _, other = pair
    other.write_file("mesh.key", OTHER_KEY + "\n")
    other.stop()
    other.start_once()
    # They are dialled again meanwhile.
    text = wait_until(lambda: findings(inventory)[1].get("mesh_key_differs"), "it is refused", LINK_PATIENCE)
    assert "into its mesh" in text["text"] and text["remedy"].startswith(("give a and b the", "give b and a the"))


def test_a_pair_without_a_mesh(make_relay, inventory):
    one, other = make_relay(SMALL), make_relay(SMALL)
    inventory.relay("a", one).relay("b", other)
    found, texts = findings(inventory)
    assert found == [("pair_without_mesh", "a", "b")] and "do not reach each other" in texts["pair_without_mesh"]["text"]


def test_two_regions_need_no_links(make_relay, inventory):
    inventory.relay("a", make_relay(SMALL)).relay("b", make_relay(SMALL), region=901)
    assert findings(inventory)[0] == []


def test_two_with_one_server_key(make_relay, inventory):
    one, other = make_relay(SMALL), make_relay(SMALL)
    key, = one.directory.rglob("server.key")
    other.stop()
    copy = other.directory / key.relative_to(one.directory)
    copy.write_bytes(key.read_bytes())
    other.start_once()
    # In whatever regions.
    inventory.relay("a", one).relay("b", other, region=901)
    found, texts = findings(inventory)
    assert found == [("server_key_shared", "a", "b")] and "remove the copied server.key" in texts["server_key_shared"]["remedy"]
    other.stop()
    copy.unlink()
    other.start_once()
    assert findings(inventory)[0] == []


def test_a_clock_that_differs(make_relay, inventory, tmp_path):
    clock = ShiftedClock(tmp_path)
    with clock:
        wrong = make_relay(SMALL)
    for region, relay in enumerate((wrong, make_relay(SMALL), make_relay(SMALL)), 900):
        inventory.relay(f"r{region}", relay, region=region)
    assert findings(inventory)[0] == []
    for shift, word in ((3700, "ahead of"), (-2 * 3700, "behind")):
        clock.jump(shift)
        found, texts = findings(inventory)
        assert found == [("clock_differs", "r900", None)] and f"the clock of r900 is 61 minutes {word} the others" in texts["clock_differs"]["text"]
    clock.jump(3700)
    assert findings(inventory)[0] == []
    # The one here may be the wrong one.
    clock.jump(3700)
    here = {"LD_PRELOAD": clock.preload, "TEST_CLOCK_FILE": str(clock.file)}
    inventory.path.unlink()
    inventory.groups.clear()
    inventory.relay("one", make_relay(SMALL), region=901).relay("two", make_relay(SMALL), region=902)
    found, texts = findings(inventory, **here)
    assert found == [("clock_differs", None, None)] and "the clock of this host is 61 minutes ahead" in texts["clock_differs"]["text"]
