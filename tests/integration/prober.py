"""Runs detourctl probe on maps that a test makes.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import json
import ssl
import subprocess

from control import DETOURCTL
from derp_client import PATIENCE
from doctor import UNHURRIED, commands_environment
from relay import ALARMS

STATUS = ["good", "warning", "failed", "skipped"]


def node(name, server, region=900, **others):
    """An entry for the node of a server; members that are None are left out."""
    entry = {"Name": name, "RegionID": region, "HostName": "127.0.0.1", "IPv4": "127.0.0.1", "DERPPort": server.address("tls")[1],
             "STUNPort": server.ports["stun"]} | others
    return {key: value for key, value in entry.items() if value is not None}


def region_of(*nodes, number=900, code="own", **others):
    """A region with these nodes."""
    return {str(number): {"RegionID": number, "RegionCode": code, "RegionName": code.title(), "Nodes": list(nodes)} | others}


def write_map(folder, *regions, **others):
    """A file with the map of these regions."""
    place = folder / "map.json"
    place.write_text(json.dumps({"Regions": {key: value for region in regions for key, value in region.items()}} | others))
    return place


def run_probe(relay, *arguments, limit=UNHURRIED, **environment):
    """What it does; @relay is the one of this host."""
    done = subprocess.run([DETOURCTL, "probe", limit, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=commands_environment(relay) | environment, timeout=4 * PATIENCE)
    assert not ALARMS.search(done.stderr), done.stderr
    return done


class Found:
    """What it says to a program."""

    def __init__(self, done):
        self.document = json.loads(done.stdout)
        self.exit = done.returncode
        self.checks = {}
        for check in self.document["checks"]:
            key = (check["node"], check["check"]) if "to" not in check else (check["node"], check["check"], check["to"])
            assert key not in self.checks, done.stdout
            self.checks[key] = check
        counted = {status: sum(check["status"] == status for check in self.checks.values()) for status in STATUS}
        assert counted == {status: self.document[status] for status in STATUS}, done.stdout

    def codes(self, *status):
        """What has one of these states, by node and check."""
        return {key: check["code"] for key, check in self.checks.items() if check["status"] in (status or ("failed",))}

    def client(self):
        """What a client would have done: codes, with the node where there is one."""
        return {(advice.get("node"), advice["code"]) for advice in self.document["client"]}


def probe(*arguments, relay=None, **options):
    """What is found; the exit status must fit it."""
    done = run_probe(relay, "--json", *arguments, **options)
    assert done.stdout, done.stderr
    found = Found(done)
    bad = found.document["failed"] > 0 or found.document["map_errors"] > 0
    assert found.exit == int(bad or ("--strict" in arguments and found.document["warning"] > 0)), done.stdout
    return found


def pin_of(server):
    """The pin of its certificate, as the map has it."""
    text = ssl.get_server_certificate(server.address("tls"))
    return "sha256-raw:" + hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest()
