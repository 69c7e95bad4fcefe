"""detourctl fleet probe: every relay from here and from the hosts of the others.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

import pytest

from control import DETOURCTL
from fleet import Inventory, Sshd
from relay import EVERYTHING, Relay, with_keys


def named(hostname):
    """A relay of that name, with a pin, in IPv4 only."""
    own = with_keys(with_keys(EVERYTHING, "core", hostname=hostname), "cert main", names=hostname)
    return with_keys(own, "derpmap", ipv4="127.0.0.1", ipv6="none")


@pytest.fixture(name="relays", scope="module")
def fixture_relays(tmp_path_factory):
    """Two relays of two regions."""
    directory = tmp_path_factory.mktemp("relays")
    with Relay(directory / "a", named("a.test")) as one, Relay(directory / "b", named("b.test")) as other:
        yield one.start(), other.start()


@pytest.fixture(name="inventory")
def fixture_inventory(relays, tmp_path):
    """An inventory of both."""
    return Inventory(tmp_path).relay("one", relays[0]).relay("other", relays[1], 901)


def test_matrix(relays, inventory):
    table, _ = inventory.run("probe")
    rows = [line.split() for line in table.splitlines()]
    assert rows[0][:4] == ["FROM", "TO", "REGION", "TLS4"]
    assert [tuple(row[:3]) for row in rows[1:]] == [
        ("here", "one", "900"), ("here", "other", "901"), ("one", "other", "901"), ("other", "one", "900")]
    document = json.loads(inventory.run("probe", "--json")[0])["from"]
    assert [place["relay"] for place in document] == [None, "one", "other"]
    good = {(check["relay"], check["check"]) for check in document[0]["checks"] if check["status"] == "good"}
    assert {(relay, check) for relay in ("one", "other") for check in ("stun4", "tls4", "login")} <= good
    assert {check["relay"] for check in document[1]["checks"]} == {"other"}
    assert [place["relay"] for place in json.loads(inventory.run("probe", "--here", "--json")[0])["from"]] == [None]


def test_matrix_from_a_host_over_ssh(relays, inventory, tmp_path):
    with Sshd(tmp_path / "ssh", relays[0]) as sshd:
        far = Inventory(tmp_path).add("relay far", region=900, ssh=sshd.destination).relay("other", relays[1], 901)
        document = json.loads(far.run("probe", "--json", PATH=sshd.path_with_ssh())[0])["from"]
        assert [(place["relay"], place["problem"]) for place in document] == [(None, None), ("far", None), ("other", None)]
        assert {(check["relay"], check["status"]) for check in document[1]["checks"] if check["check"] == "login"} == {("other", "good")}
        # Where the key may only run the bridge, that is said, and nothing else is lost.
        keys = sshd.directory / "user.pub"
        keys.write_text('restrict,command="detourctl bridge" ' + keys.read_text())
        document = json.loads(far.run("probe", "--json", code=1, PATH=sshd.path_with_ssh())[0])["from"]
        assert document[1]["problem"] == "detourctl probe gave no answer there"
        assert document[0]["problem"] is None and document[2]["problem"] is None


def test_faults_of_a_row_are_clauses(relays, tmp_path):
    """What another program says ends with a full stop, behind which something may follow."""
    checks = [{"node": "901a", "region": 901, "check": check, "status": "failed", "text": f"no {check}."} for check in ("tls4", "login")]
    (tmp_path / "seen").write_text(json.dumps({"checks": checks}))
    there = tmp_path / "there"
    there.write_text(f'#!/bin/sh\n[ "$1" = probe ] && cat >/dev/null && exec cat {tmp_path}/seen\n'
                     f'exec {DETOURCTL} --socket {relays[0].run_directory}/control "$@"\n')
    there.chmod(0o755)
    inventory = Inventory(tmp_path).add("relay one", region=900, command=there).relay("other", relays[1], 901)
    table, _ = inventory.run("probe", code=1)
    assert "tls4: no tls4; login: no login\n" in table, table


def test_region_without_a_mesh_is_seen(relays, tmp_path):
    """Two relays of one region that are not linked: packets between them are lost."""
    inventory = Inventory(tmp_path).relay("one", relays[0]).relay("other", relays[1])
    table, _ = inventory.run("probe", "--here", code=1)
    rows = {line.split()[1]: line for line in table.splitlines()[1:]}
    assert "FAILED" in rows["one>other"] and "FAILED" in rows["other>one"] and "FAILED" not in rows["one"]
    inventory.run("probe", "--here", "--no-mesh")


def test_relay_that_nobody_reaches(relays, tmp_path):
    inventory = Inventory(tmp_path).relay("one", relays[0]).relay("other", relays[1], 901, ipv4="127.0.0.9")
    table, _ = inventory.run("probe", "--here", code=1)
    rows = {line.split()[1]: line for line in table.splitlines()[1:]}
    assert "FAILED" in rows["other"] and "tls4: " in rows["other"] and "FAILED" not in rows["one"]
    inventory.add("relay gone", region=902, socket=f"{tmp_path}/none")
    assert "gone: no daemon answers" in inventory.run("probe", "--here", code=1)[1]
