"""detourctl doctor from outside, at a relay of either kind: with --server=derper it is the reference.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

import pytest

from doctor import examine


def look(server, *arguments, port=None):
    """What is found of the server."""
    return examine(None, f"--host=127.0.0.1:{port or server.address('tls')[1]}", f"--stun-port={server.ports['stun']}", *arguments)


def test_from_outside(server):
    certificate = look(server, "certificate")["certificate_self_signed"]
    pin = json.loads("{" + certificate["command"] + "}")["CertName"]
    found = look(server, f"--pin={pin}")
    # Nothing answers at the plain port, which is 80 for clients.
    assert set(found) - {"captive_wrong", "captive_good"} == {"certificate_good", "stun_good", "login_good", "clock_good"}, found


@pytest.mark.parametrize("area, code", [("login", "no_tls"), ("certificate", "no_handshake")])
def test_what_is_no_relay(server, area, code):
    found = look(server, area, port=server.address("http")[1])
    assert set(found) == {code}


def test_map(server, tmp_path):
    certificate = look(server, "certificate")["certificate_self_signed"]
    node = {"Name": "900a", "RegionID": 900, "HostName": "127.0.0.1", "DERPPort": server.address("tls")[1]}
    place = tmp_path / "map.json"

    def compare():
        place.write_text(json.dumps({"Regions": {"900": {"RegionID": 900, "RegionCode": "own", "RegionName": "Own", "Nodes": [node]}}}))
        return look(server, f"--map={place}", "map")
    finding = compare()["map_pin_missing"]
    assert finding["command"] == certificate["command"]
    node.update(json.loads("{" + finding["command"] + "}"))
    assert set(compare()) == {"map_good"}

