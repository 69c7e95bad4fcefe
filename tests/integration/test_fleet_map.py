"""detourctl fleet map: one DERP map of what real relays are, and the contradictions that it finds.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import shutil

import pytest
import yaml

from control import ask
from fake_relay import fake_relay
from fleet import Inventory
from relay import EVERYTHING, Relay, with_keys


def configured(hostname, **keys):
    """A relay's file with [derpmap] keys."""
    return with_keys(with_keys(EVERYTHING, "core", hostname=hostname), "derpmap", **keys)


@pytest.fixture(name="three", scope="module")
def fixture_three(tmp_path_factory):
    """Two relays of one region, one of another."""
    directory = tmp_path_factory.mktemp("three")
    with Relay(directory / "a", configured("a.test", region=900, code="fra", name="Frankfurt", ipv4="127.0.0.1")) as one, \
            Relay(directory / "b", configured("b.test", ipv6="none")) as two, \
            Relay(directory / "c", configured("c.test", region=901)) as three:
        yield one.start(), two.start(), three.start()


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path):
    """An empty inventory."""
    return Inventory(tmp_path)


def test_map_of_three(three, inventory, tmp_path):
    inventory.relay("c", three[2], 901, hostname="sea.example.com", ipv4="203.0.113.7", ipv6="none", node="sea-1")
    inventory.relay("a", three[0]).relay("b", three[1]).add("region 901", name="By the sea")
    document, _ = inventory.run("map")
    regions = json.loads(document)["Regions"]
    assert [(key, region["RegionCode"], region["RegionName"]) for key, region in regions.items()] == [
        ("900", "fra", "Frankfurt"), ("901", "sea", "By the sea")]
    nodes = [node for region in regions.values() for node in region["Nodes"]]
    assert [(node["Name"], node["RegionID"], node["HostName"]) for node in nodes] == [
        ("900a", 900, "a.test"), ("900b", 900, "b.test"), ("sea-1", 901, "sea.example.com")]
    # Of each what its own entry says: port, pin, addresses.
    own = ask(three[1], "derpmap")["Regions"]["900"]["Nodes"][0]
    assert nodes[1] == own | {"Name": "900b", "IPv6": "none"}
    assert nodes[1]["CertName"].startswith("sha256-raw:")
    assert (nodes[0]["IPv4"], nodes[2]["IPv4"], nodes[2]["IPv6"]) == ("127.0.0.1", "203.0.113.7", "none")
    # The other forms, into a file that only changes when the map does.
    assert inventory.run("map", "--format=headscale", f"--output={tmp_path}/derp.yaml")[0] == (
        f"{tmp_path}/derp.yaml: written: 2 regions, 3 nodes\n")
    written = yaml.safe_load((tmp_path / "derp.yaml").read_text())["regions"]
    assert [node["name"] for node in written[900]["nodes"]] == ["900a", "900b"]
    before = (tmp_path / "derp.yaml").stat().st_mtime_ns
    assert inventory.run("map", "--format=headscale", f"--output={tmp_path}/derp.yaml")[0] == (
        f"{tmp_path}/derp.yaml: has this map already: 2 regions, 3 nodes\n")
    assert (tmp_path / "derp.yaml").stat().st_mtime_ns == before
    assert inventory.run("map", "--format=tailscale")[0].startswith('  "derpMap": {')


def test_region_that_a_relay_does_not_set_is_no_contradiction(three, inventory):
    inventory.relay("b", three[1], 905)
    assert list(json.loads(inventory.run("map")[0])["Regions"]) == ["905"]


def test_no_map_without_those_that_are_silent(three, inventory, tmp_path):
    inventory.add("relay gone", region=900, socket=f"{tmp_path}/none").relay("b", three[1], 900)
    said, errors = inventory.run("map", f"--output={tmp_path}/map", code=1)
    assert said == "" and "gone: no daemon answers on" in errors and "--partial of fleet map and fleet publish leaves them out" in errors
    assert not (tmp_path / "map").exists()
    said, errors = inventory.run("map", "--partial")
    # Its letter does not depend on who answers.
    assert [node["Name"] for node in json.loads(said)["Regions"]["900"]["Nodes"]] == ["900b"]
    assert "gone: no daemon answers on" in errors


def test_contradictions_name_both_sides(three, inventory, tmp_path):
    inventory.relay("a", three[0], 902).relay("b", three[1], node="x").relay("c", three[2], 901, node="x", hostname="b.test")
    said, errors = inventory.run("map", f"--output={tmp_path}/map", code=1)
    place = str(inventory.path)
    assert f"{place}:1: a: the inventory has it in region 902, and [derpmap] region of its own configuration is 900" in errors
    assert f'{place}:10: b and c are both the node "x"; set node of one of them in the inventory' in errors
    assert "nothing is written while there are errors" in errors
    assert said == "" and not (tmp_path / "map").exists()


def test_codes_that_disagree(three, inventory, tmp_path):
    with Relay(tmp_path / "d", configured("d.test", code="ffm", region=900)) as other:
        other.start()
        inventory.relay("a", three[0]).relay("d", other)
        _, errors = inventory.run("map", code=1)
        assert 'a calls region 900 by the code "fra", and d by "ffm"; set code in [region 900] of the inventory' in errors
        inventory.add("region 900", code="eu")
        assert json.loads(inventory.run("map")[0])["Regions"]["900"]["RegionCode"] == "eu"


def test_two_regions_of_one_code(inventory, tmp_path):
    """It is the word that is taken where nobody knows one; the way out is in the inventory."""
    for number, name in ((900, "one"), (901, "other")):
        inventory.add(f"relay {name}", region=number, command=fake_relay(tmp_path / name, {"Hostname": ("s", name)}))
    _, errors = inventory.run("map", code=1)
    assert 'Regions.901.RegionCode: "own" is the code of Regions.900, too; set another code in [region 901] of the inventory\n' in errors
    inventory.add("region 901", code="sea", name="Sea")
    assert [region["RegionCode"] for region in json.loads(inventory.run("map")[0])["Regions"].values()] == ["own", "sea"]


def test_a_server_key_that_two_relays_share(three, inventory, tmp_path):
    copy = Relay(tmp_path / "copy", configured("copy.test"))
    (tmp_path / "copy" / "state").mkdir()
    shutil.copy(three[0].directory / "state" / "server.key", tmp_path / "copy" / "state" / "server.key")
    with copy:
        copy.start()
        inventory.relay("a", three[0]).relay("copy", copy)
        _, errors = inventory.run("map", code=1)
        key = ask(copy, "status")["server_key"]
        assert f"a and copy have the same server key, {key}; each relay needs its own [core] key-file" in errors


def test_two_relays_at_one_place(three, inventory):
    inventory.relay("a", three[0]).relay("again", three[0])
    _, errors = inventory.run("map", code=1)
    assert "a and again are both reached at a.test; set hostname, ipv4 or ipv6" in errors


@pytest.mark.parametrize("hostname,derpmap,member", [
    ("a\u202e.test", (), "HostName"),
    ("a\x1b[2J.test", (), "HostName"),
    ("a.test", (("code", "f\u202era"),), "RegionCode"),
    ("a.test", (("name", "Frank\x1bfurt"),), "RegionName"),
    ("a.test", (("ipv4", "192.0.2.1\u200b"),), "IPv4"),
])
def test_characters_that_nobody_sees(inventory, tmp_path, hostname, derpmap, member):
    """A relay that says such a thing of itself is not passed on to clients, and rules no terminal."""
    inventory.add("relay odd", region=900, command=fake_relay(tmp_path / "odd", {"Hostname": ("s", hostname)}, derpmap))
    said, errors = inventory.run("map", code=1)
    assert said == "" and f"odd has characters that nobody sees in its {member}" in errors
    assert not any(character in errors for character in "\u202e\u200b\x1b")
    # As a text for programs it is there, and harmless.
    document, _ = inventory.run("status", "--json")
    assert json.loads(document)["relays"][0]["status"]["hostname"] == hostname
    assert not any(character in document for character in "\u202e\u200b\x1b")
