"""The file that always has the relay's entry for a DERP map: who may read it, when it is written anew, and what is said when it cannot be.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import stat

import pytest
import yaml

from control import detourctl
from relay import free_port, wait_until, with_keys
from test_config import run_detourd

ONE_LISTENER = """
[core]
hostname = relay.test
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1

[admission]
chain = open

[transport https]
plugin = tls
listen = 127.0.0.1:{https}

[cert main]
plugin = selfsigned

[log stderr]
plugin = stderr
"""


def node(path):
    """The only one of the only region; nothing while the file is not there."""
    try:
        regions = yaml.safe_load(path.read_text())["regions"]
    except FileNotFoundError:
        return None
    (region,) = regions.values()
    return region["nodes"][0]


def test_it_follows_the_listener(make_relay):
    relay = make_relay(with_keys(ONE_LISTENER, "derpmap", file="{dir}/derpmap.yaml", region=901, code="here"))
    path = relay.directory / "derpmap.yaml"
    relay.wait_log("this relay's entry for DERP maps is in .*derpmap.yaml")
    first = node(path)
    assert first["derpport"] == relay.ports["https"] and first["name"] == "901a" and first["certname"].startswith("sha256-raw:")
    # A program of another user reads it.
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    # It is what detourctl says, and good.
    assert path.read_text() == detourctl(relay, "derpmap", "--region=901", "--code=here", "--format=headscale")[0]
    assert ": 1 region, 1 node; 0 errors" in detourctl(None, "derpmap", "check", str(path))[0]

    # A reader never finds a half of it: the one that was there stays as it was, and is not in its place any more.
    path.chmod(0o640)
    port = free_port()
    with path.open() as before:
        relay.reload(relay.config.replace(f"127.0.0.1:{relay.ports['https']}", f"127.0.0.1:{port}").replace("{https}", str(port)))
        wait_until(lambda: node(path)["derpport"] == port, "the entry has the new port")
        assert yaml.safe_load(before.read())["regions"][901]["nodes"][0] == first
    assert node(path) == first | {"derpport": port}
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    detourctl(None, "derpmap", "check", str(path))
    # What does not change the entry does not change the file.
    n = relay.log.count("this relay's entry for DERP maps is in")
    relay.reload(relay.config + "\n[http home]\npage = default\n")
    wait_until(lambda: json.loads(detourctl(relay, "--json", "plugins")[0]), "it answers")
    assert relay.log.count("this relay's entry for DERP maps is in") == n


def test_it_follows_the_certificate(make_relay):
    relay = make_relay(with_keys(ONE_LISTENER, "derpmap", file="{dir}/map.json", format="json"))
    path = relay.directory / "map.json"
    wait_until(path.exists, "the entry")
    before = json.loads(path.read_text())["Regions"]["900"]["Nodes"][0]["CertName"]
    # The instance starts again, and makes a certificate for the new name.
    relay.reload(with_keys(relay.config, "cert main", names="relay.test; second.test"))
    wait_until(lambda: json.loads(path.read_text())["Regions"]["900"]["Nodes"][0]["CertName"] != before, "the entry has the new pin")


@pytest.mark.parametrize("way", ["reload", "by itself"])
def test_what_cannot_be_written_is_told(make_relay, way):
    relay = make_relay(with_keys(ONE_LISTENER, "derpmap", file="{dir}/maps/derpmap.yaml"))
    trouble = r"\[derpmap\] file: .*/maps/derpmap.yaml cannot be written: .*No such file or directory.*; the directory has to belong to the user"
    relay.wait_log("warning.*" + trouble)
    hints = json.loads(detourctl(relay, "--json", "status")[0])["hints"]
    assert "map_file" in [hint["code"] for hint in hints]
    assert "! [derpmap] file:" in detourctl(relay, "status")[0]
    (relay.directory / "maps").mkdir()
    if way == "reload":
        relay.reload()
    wait_until(lambda: node(relay.directory / "maps" / "derpmap.yaml"), "the entry", 60)
    wait_until(lambda: "map_file" not in detourctl(relay, "--json", "status")[0], "nothing is to be said any more")
    assert relay.log.count("cannot be written") == 1


def test_a_relay_that_goes_leaves_its_entry(make_relay):
    relay = make_relay(with_keys(ONE_LISTENER, "derpmap", file="{dir}/derpmap.yaml"))
    path = relay.directory / "derpmap.yaml"
    wait_until(path.exists, "the entry")
    text = path.read_text()
    relay.stop()
    assert path.read_text() == text


@pytest.mark.parametrize("keys,told", [
    ("file = /x\nipv4 = 2001:db8::5", '[derpmap] ipv4: "2001:db8::5" is no such address; write one, or none'),
    ("file = /x\nipv4 = none\nipv6 = none", "[derpmap] ipv6: with neither IPv4 nor IPv6 no client could connect"),
    ("file = /x\nregion = 0", "[derpmap] region: "),
    ("file = map.yaml", "[derpmap] file: "),
    ("file = /x\nfrmat = json", '[derpmap] frmat: no such key; did you mean "format"?'),
    ("file = /x", "[derpmap] file: an entry needs the name of the relay: [core] hostname"),
])
def test_what_is_refused(tmp_path, keys, told):
    path = tmp_path / "detour.conf"
    hostname = "" if "needs the name" in told else "[core]\nhostname = relay.test\n"
    path.write_text(f"{hostname}[admission]\nchain = open\n[derpmap]\n{keys}\n")
    _, errors = run_detourd("--check-config", "--config", str(path), "--no-vendor", code=78)
    assert told in errors
