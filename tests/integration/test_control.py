"""detourctl against the real daemon, over its control socket: every command, for people and for programs.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import subprocess

import nacl.public
import pytest

from control import DETOURCTL, ask, at_terminal, detourctl, plugin
from derp_client import PATIENCE, Frame, Stream, disco, http_request
from german import german
from relay import DETOURD, EVERYTHING, SMALL, Relay, daemon_environment, wait_until, with_keys, without_group

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@pytest.fixture(scope="module")
def relay(tmp_path_factory):
    """A relay for tests that leave it as it is."""
    with Relay(tmp_path_factory.mktemp("control")) as relay:
        yield relay.start()


@pytest.fixture
def door(relay):
    """A way into it."""
    with relay.lent_door() as door:
        yield door


def gone(relay):
    """No client is left from the test before."""
    wait_until(lambda: ask(relay)["client_count"] == 0, "no clients")


def key_text(client):
    """A client's key as Tailscale writes it."""
    return f"nodekey:{client.key.hex()}"


# ---- status

def test_status_is_the_default_and_fits_80_columns(relay, door):
    gone(relay)
    clients = [door.client() for _ in range(3)]
    text, errors = detourctl(relay)
    assert errors == ""
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert re.match(r"relay\.test   running \d+ seconds?, detour \S+, 1 worker\n", text)
    for title in ("clients", "traffic", "admission", "certificate", "listeners", "plugins", "room"):
        assert re.search(rf"^  {title} +\S", text, re.M), title
    assert re.search(r"^  clients +3 connected \(\d+ joined, \d+ left in the last minute\)$", text, re.M)
    assert "open to everyone" in text and "0 % dropped" in text
    assert re.search(r"room [\d,]+ descriptors left; before logins \S+ \w+ of \S+ \w+; in queues \S+ \w+ of \S+ \w+ !", " ".join(text.split())), text
    assert re.search(r"^  certificate +127\.0\.0\.1 relay\.test, [\d,]+ days left, from selfsigned$", text, re.M)
    assert f"127.0.0.1:{relay.ports['https']} tls" in text
    assert [line for line in text.splitlines() if line.startswith("!")] == [
        "! everyone may use this relay ([admission] chain = open). To limit it: man"]
    assert detourctl(relay, "status")[0].splitlines()[1] == text.splitlines()[1]
    for client in clients:
        client.close()


def test_status_for_programs(relay, door):
    gone(relay)
    a, b = door.client(), door.client()
    a.send_packet(b.key, b"x" * 1000)
    b.expect_packet(a.key, b"x" * 1000)
    status = ask(relay)
    assert status == json.loads(json.dumps(status))
    assert status["ready"] is True and status["draining"] is False
    assert status["hostname"] == "relay.test" and status["version"]
    assert re.fullmatch(r"nodekey:[0-9a-f]{64}", status["server_key"])
    assert TIME.fullmatch(status["start_time"]) and status["uptime_us"] > 0
    assert status["client_count"] == status["connection_count"] == 2 and status["duplicate_count"] == 0
    assert status["packets_received"] >= 1 and status["bytes_received"] >= 1000
    assert status["packets_sent"] >= 1 and status["bytes_sent"] >= 1000
    for span in ("recent", "last_minute", "last_hour"):
        assert status[span]["duration_us"] > 0
        assert all(isinstance(value, int) for value in status[span].values())
    assert status["last_hour"]["packets_received"] >= 1
    assert status["admission_summary"] == {"open": True, "chain": [], "match": "any", "dry_run": False}
    assert {listener["instance"] for listener in status["listeners"]} >= {"transport/https", "transport/http", "service/stun"}
    assert [certificate["self_signed"] for certificate in status["certificates"]] == [True]
    assert all(entry["state"] == "running" for entry in status["plugins"])
    assert status["hints"] == [{"code": "admission_open", "about": ""}]
    assert sum(status["drops"].values()) == status["packets_dropped"]


def test_hints_say_what_is_wrong(make_relay):
    config = with_keys(EVERYTHING, "admission", chain="friends", dry_run="true")
    config = without_group(config, "cert main") + "\n[auth friends]\nplugin = keys\nfile = {dir}/friends\n"
    relay = make_relay(config, {"friends": "# nobody\n"})
    assert {hint["code"] for hint in ask(relay)["hints"]} == {"no_certificate", "admission_dry_run",
                                                          "plugin_trouble"}
    detourctl(relay, "plugins", "disable", "auth/friends")
    relay.write_file("mesh.key", "not a key\n")
    detourctl(relay, "plugins", "restart", "service/mesh", code=1)
    text, _ = detourctl(relay)
    assert detourctl(relay, "log-level", "debug")[0] == "All logs are written from level debug on, until the daemon ends.\n"
    text, _ = detourctl(relay, "status", "--exit-code", code=1)
    hints = {(hint["code"], hint["about"]) for hint in ask(relay)["hints"]}
    assert hints == {("no_certificate", ""), ("admission_dry_run", ""), ("admission_stopped", ""), ("log_level", ""),
                     ("plugin_failed", "service/mesh"), ("plugin_stopped", "auth/friends")}
    assert len(re.findall(r"^! ", text, re.M)) == 6
    assert "1 failed (service/mesh), 1 stopped (auth/friends)" in re.sub(r"\s+", " ", text)
    assert all(len(line) <= 80 or " " not in line.strip() for line in text.splitlines()), text


def test_a_log_that_cannot_start_is_trouble_and_not_the_end(make_relay):
    relay = make_relay(EVERYTHING + "\n[log journal]\nsocket = {run}/nothing\n\n[log file]\npath = {dir}/none/log\n")
    text, _ = detourctl(relay)
    failed = {hint["about"] for hint in ask(relay)["hints"] if hint["code"] == "plugin_failed"}
    assert failed == {"log/journal", "log/file"}
    assert re.search(r"! log/journal failed: .* no journal at", re.sub(r"\s+", " ", text))
    relay.wait_log("warning detour: log/file did not start: ")
    relay.door().client().ping(b"12345678")


def test_status_tells_by_its_exit_status_whether_there_is_something_to_look_at(make_relay):
    config = with_keys(SMALL, "admission", chain="friends") + "\n[auth friends]\nplugin = keys\nfile = {dir}/friends\n"
    relay = make_relay(config, {"friends": f"nodekey:{'ab' * 32}\n"})
    assert "!" not in detourctl(relay, "status", "--exit-code")[0]
    assert ask(relay, "status", "--exit-code")["hints"] == []
    detourctl(relay, "log-level", "info")
    detourctl(relay, "status")
    assert ask(relay, "status", "--exit-code", code=1)["hints"] == [{"code": "log_level", "about": ""}]


def test_status_says_why_packets_were_dropped(make_relay):
    relay = make_relay()
    client = relay.door().client()
    for _ in range(3):
        client.send_packet(bytes([7]) * 32, b"to nobody")
    wait_until(lambda: ask(relay)["drops"] == {"unknown_dest": 3}, "the drops are counted")
    assert re.search(r"^  dropped +3 to keys that are not connected$", detourctl(relay)[0], re.M)


# ---- clients

def test_clients_and_their_numbers(relay, door):
    gone(relay)
    busy, quiet = door.client(), door.client()
    for _ in range(5):
        busy.send_packet(quiet.key, b"x" * 200)
        quiet.expect_packet(busy.key, b"x" * 200)
    quiet.send_packet(busy.key, disco())
    busy.expect_packet(quiet.key, disco())
    rows = ask(relay, "clients", "--sort", "received")["clients"]
    assert [row["key"] for row in rows] == [key_text(busy), key_text(quiet)]
    first = rows[0]
    assert first["packets_received"] == 5 and first["bytes_received"] == 1000
    assert first["packets_sent"] == 1 and first["packets_dropped"] == 0 and first["waiting_bytes"] == 0
    assert re.fullmatch(r"127\.0\.0\.1:\d+", first["address"]) and first["listener"] == "transport/http"
    assert TIME.fullmatch(first["since"]) and first["worker"] == 0 and first["connection"] > 0
    assert first["home"] is first["mesh"] is first["prober"] is first["watcher"] is first["blocked"] is False
    text, _ = detourctl(relay, "clients", "--sort", "received", "--limit", "1")
    lines = text.splitlines()
    assert lines[0].split() == ["KEY", "ADDRESS", "KIND", "FOR", "HOME", "IN", "OUT", "DROPS", "LABEL"]
    assert len(lines) == 2 and lines[1].startswith(busy.key.hex()[:8])


def test_nobody_is_a_line_for_people_and_an_empty_list_for_programs(make_relay):
    relay = make_relay(SMALL)
    assert detourctl(relay, "clients")[0] == "No client is connected.\n"
    assert ask(relay, "clients") == {"clients": []}


def test_every_order_and_its_reverse(relay, door):
    gone(relay)
    for _ in range(4):
        door.client()
    for order in ("connection", "traffic", "received", "sent", "dropped", "waiting", "since", "key", "address", "label"):
        rows = [row["connection"] for row in ask(relay, "clients", "--sort", order)["clients"]]
        back = [row["connection"] for row in ask(relay, "clients", "--sort", order, "--reverse")["clients"]]
        assert len(rows) == 4 and rows == back[::-1], order
    _, errors = detourctl(relay, "clients", "--sort", "beauty", code=2)
    assert "traffic" in errors


def test_a_client_that_is_home_and_a_mesh_peer(relay, door):
    gone(relay)
    home, mesh = door.client(), door.mesh_client()
    home.send(Frame.NOTE_PREFERRED, b"\x01")
    home.ping(b"12345678")
    mesh.send(Frame.WATCH_CONNS)
    mesh.expect(Frame.PEER_PRESENT)
    rows = {row["key"]: row for row in ask(relay, "clients")["clients"]}
    assert rows[key_text(home)]["home"] is True
    assert rows[key_text(mesh)]["mesh"] is True and rows[key_text(mesh)]["watcher"] is True


def test_one_client_by_its_key_or_the_beginning(relay, door):
    gone(relay)
    client = door.client()
    twin = door.client(client.secret)
    for key in (key_text(client), client.key.hex(), client.key.hex()[:8], client.key.hex()[:5].upper()):
        rows = ask(relay, "client", key)["connections"]
        assert [row["key"] for row in rows] == [key_text(client)] * 2, key
    assert detourctl(relay, "client", client.key.hex()[:8])[0].count(key_text(client)) == 2
    assert ask(relay)["duplicate_count"] == 1
    twin.close()


def test_no_such_client(relay):
    _, errors = detourctl(relay, "client", "nodekey:" + "00" * 32, code=1)
    assert "not connected" in errors
    for key in ("xyz", "nodekey:xyzt", "123", "nodekey:" + "0" * 65, ""):
        _, errors = detourctl(relay, "client", key, code=2)
        assert "64 hex digits" in errors, key


def test_kicked_clients_are_closed(relay, door):
    gone(relay)
    client, other = door.client(), door.client()
    assert detourctl(relay, "kick", client.key.hex()[:10])[0] == "1 connection was closed\n"
    client.expect_closed()
    other.ping(b"12345678")
    assert ask(relay, "kick", key_text(other)) == {"closed": 1}
    _, errors = detourctl(relay, "kick", key_text(other), code=1)
    assert "not connected" in errors


def test_why_a_client_was_let_in_or_kept_out(make_relay):
    config = with_keys(SMALL, "admission", chain="friends", refuse_hold="0s") \
        + "\n[auth friends]\nplugin = keys\nfile = {dir}/friends\n"
    relay = make_relay(config, {"friends": ""}, start=False)
    friend, stranger = nacl.public.PrivateKey.generate(), nacl.public.PrivateKey.generate()
    relay.write_file("friends", f"nodekey:{bytes(friend.public_key).hex()} the friend\n")
    relay.start()
    door = relay.door()
    client = door.client(friend)
    refused = door.greeted(stranger)
    refused.stream.write(refused.client_info())
    refused.expect_closed()
    verdicts = ask(relay, "why", client.key.hex()[:8])["verdicts"]
    assert [(v["verdict"], v["source"], v["label"]) for v in verdicts] == [("allow", "auth/friends", "the friend")]
    assert TIME.fullmatch(verdicts[0]["first"]) and verdicts[0]["count"] == 1
    key = f"nodekey:{bytes(stranger.public_key).hex()}"
    assert [v["verdict"] for v in ask(relay, "why", key)["verdicts"]] == ["deny"]
    text, _ = detourctl(relay, "why", key)
    assert re.search(r"refused +auth/friends +127\.0\.0\.1 ", text)
    assert detourctl(relay, "why", "nodekey:" + "11" * 32)[0] == "There was no verdict on this key lately.\n"
    assert ask(relay, "clients")["clients"][0]["label"] == "the friend"
    assert ask(relay)["last_hour"]["refused"] == 1
    assert "; 1 refused in the last hour" in detourctl(relay)[0]


# ---- the rest

def test_plugins_listeners_and_certificates(relay):
    text, _ = detourctl(relay, "plugins")
    assert text.splitlines()[0].split() == ["ID", "PLUGIN", "STATE", "SINCE", "WHAT"]
    assert re.search(r"^service/stun +service-stun +running +\d+\w .*listening on 127\.0\.0\.1", text, re.M)
    entry = plugin(relay, "cert/main")
    assert entry["plugin"] == "cert-selfsigned" and entry["kind"] == "cert" and TIME.fullmatch(entry["since"])
    assert entry["error"] == "" and entry["trouble"] == "" and entry["about"]
    listeners = {entry["instance"]: entry for entry in ask(relay, "listeners")["listeners"]}
    assert listeners["transport/https"]["secure"] is True and listeners["transport/https"]["derp"] is True
    assert listeners["transport/port80"]["derp"] is False
    assert listeners["service/stun"]["addresses"] == [f"127.0.0.1:{relay.ports['stun']}"]
    certificate, = ask(relay, "certs")["certificates"]
    assert certificate["names"] == ["127.0.0.1", "relay.test"] and TIME.fullmatch(certificate["not_after"])
    shown = detourctl(relay, "certs")[0]
    assert shown.startswith("127.0.0.1 relay.test   cert/main: ")
    assert re.search(r"^  pin +sha256-raw:[0-9a-f]{64}$", shown, re.M)


def test_counters(relay, door):
    door.client().close()
    counters = ask(relay, "counters")["counters"]
    by_name = {(entry["name"], *sorted(entry["labels"].items())): entry for entry in counters}
    assert len(by_name) == len(counters)
    assert by_name["logins",]["value"] >= 1 and by_name["logins",]["help"]
    assert ("packets_dropped", ("kind", "disco"), ("reason", "unknown_dest")) in by_name
    assert ("admission_verdicts", ("result", "deny")) in by_name
    assert ("requests_success", ("instance", "service/stun")) in by_name
    assert all(isinstance(entry["value"], int) for entry in counters)
    assert len(detourctl(relay, "counters")[0]) < len(detourctl(relay, "counters", "--all")[0])


def test_version(relay):
    versions = ask(relay, "version")
    assert versions["detourctl"] == versions["detourd"]
    assert detourctl(None, "--version")[0] == f"detourctl {versions['detourctl']}\n"


def test_reload_says_how_it_went(make_relay):
    relay = make_relay(EVERYTHING)
    assert detourctl(relay, "reload") == ("Reloaded.\n", "")
    relay.write_config(with_keys(EVERYTHING, "limits", write_timeout="2 secs"))
    _, errors = detourctl(relay, "reload", code=1)
    assert f'{relay.config_file}:' in errors and '"2 secs" is not a duration' in errors and "not reloaded" in errors
    answer = ask(relay, "reload", code=1)
    assert answer["outcome"] == "refused" and "2 secs" in answer["problems"][0]
    relay.write_file("mesh.key", "rubbish")
    relay.write_config(with_keys(EVERYTHING, "service mesh", key_file="{dir}/nothing"))
    answer = ask(relay, "reload", code=1)
    assert answer["outcome"] in ("partly", "refused") and answer["problems"]


def test_reload_names_what_waits_for_a_restart(make_relay):
    relay = make_relay(with_keys(SMALL, "core", hostname="before.test"))
    relay.write_config(with_keys(SMALL, "core", hostname="after.test"))
    output, _ = detourctl(relay, "reload")
    assert output == "Reloaded.\ncore.hostname stays before.test until the daemon is restarted; then it is after.test\n"
    said = ask(relay, "reload")
    assert said["waiting"] == [{"key": "core.hostname", "in_force": "before.test", "waiting": "after.test"}]
    assert "before.test" in detourctl(relay, "config", "explain", "core.hostname")[0]
    relay.write_config(with_keys(SMALL, "core", hostname="before.test"))
    assert detourctl(relay, "reload")[0] == "Reloaded.\n"


def test_log_level(make_relay):
    relay = make_relay(with_keys(SMALL, "log stderr", level="message"))
    detourctl(relay, "log-level", "debug")
    assert ask(relay)["log_level"] == "debug"
    since = len(relay.log)
    client = relay.door().client()
    detourctl(relay, "kick", key_text(client))
    relay.wait_log(r"info detour: client [0-9a-f]{8}: session ended after \d+\.\d{3} s, 0 bytes in, 0 bytes out: it was told to go "
                   r"event=session-end conn=\d+ key=nodekey:[0-9a-f]{64} listener=transport/http reason=kicked duration_ms=\d+ "
                   r"bytes_in=0 bytes_out=0$", since)
    detourctl(relay, "log-level", "configured")
    assert ask(relay)["log_level"] == ""
    since = len(relay.log)
    client = relay.door().client()
    detourctl(relay, "kick", key_text(client))
    client.expect_closed()
    assert "info" not in relay.log[since:]
    _, errors = detourctl(relay, "log-level", "loud", code=2)
    assert "critical" in errors and "configured" in errors


def test_config_commands(relay):
    assert detourctl(relay, "config", "check")[0] == "The configuration is good.\n"
    assert ask(relay, "config", "check") == {"problems": []}
    dump, _ = detourctl(relay, "config", "dump")
    assert "[service stun]\nplugin = stun" in dump.replace("service-stun", "stun")
    facts = ask(relay, "config", "explain", "limits.write-timeout")["key"]
    assert facts["value"] == "2s" and facts["type"] == "duration" and facts["maximum"] == "1h"
    assert "origin" not in facts
    facts = ask(relay, "config", "explain", "service/stun.listen")["key"]
    assert re.fullmatch(re.escape(str(relay.config_file)) + r":\d+", facts["origin"])
    # A name will do where it is of one group only, as it does for an instance.
    assert ask(relay, "config", "explain", "stun.listen")["key"] == facts
    assert "range        100ms to 1h" in detourctl(relay, "config", "explain", "limits.write-timeout")[0]
    _, errors = detourctl(relay, "config", "explain", "limits.write-timeuot", code=1)
    assert 'did you mean "limits.write-timeout"?' in errors


def test_config_of_a_file_without_a_daemon(tmp_path):
    good, bad = tmp_path / "good.conf", tmp_path / "bad.conf"
    good.write_text("[admission]\nchain = open\n[transport http]\nlisten = 127.0.0.1:80\n")
    bad.write_text("[admission]\nchain = open\nmatch = some\n")
    options = ("--no-vendor", "--config")
    assert detourctl(None, "config", "check", *options, str(good))[0] == "The configuration is good.\n"
    _, errors = detourctl(None, "config", "check", *options, str(bad), code=1)
    assert f"{bad}:3: [admission] match:" in errors
    assert ask(None, "config", "check", *options, str(bad), code=1)["problems"]
    assert "chain = open" in detourctl(None, "config", "dump", *options, str(good))[0]
    assert ask(None, "config", "explain", "admission.match", *options, str(good))["key"]["words"] == ["any", "all"]


def map_of(relay, *options):
    """The one node of the map."""
    region, = json.loads(detourctl(relay, "derpmap", "--format", "json", *options)[0])["Regions"].values()
    node, = region["Nodes"]
    return region, node


def test_derpmap_tells_what_the_relay_does(relay):
    region, node = map_of(relay)
    certificate = relay.door("tls").stream().certificates()[0]
    assert region["RegionID"] == 900 and node["Name"] == "900a" and node["RegionID"] == 900
    assert node == {"Name": "900a", "RegionID": 900, "HostName": "relay.test", "IPv4": "127.0.0.1", "DERPPort": relay.ports["https"],
                    "STUNPort": relay.ports["stun"],
                    "CertName": f"sha256-raw:{hashlib.sha256(certificate).hexdigest()}"}
    region, node = map_of(relay, "--region", "901", "--code", "lab", "--name", 'My "lab"', "--hostname", "203.0.113.5",
                          "--ipv6", "none")
    assert (region["RegionCode"], region["RegionName"]) == ("lab", 'My "lab"')
    assert (node["Name"], node["HostName"], node["IPv4"], node["IPv6"]) == ("901a", "203.0.113.5", "203.0.113.5", "none")
    assert map_of(relay, "--node-name", "fra-b")[1]["Name"] == "fra-b"


def test_derpmap_follows_the_running_configuration(make_relay):
    relay = make_relay(EVERYTHING)
    secure = [listener["instance"] for listener in ask(relay, "listeners")["listeners"] if listener["secure"]]
    detourctl(relay, "plugins", "disable", "service/stun", *secure)
    text, errors = detourctl(relay, "derpmap", "--json")
    node = json.loads(text)["Regions"]["900"]["Nodes"][0]
    assert node["STUNPort"] == -1 and "DERPPort" not in node and "CertName" not in node
    assert "no listener speaks TLS" in errors


def test_derpmap_forms(relay):
    member, _ = detourctl(relay, "derpmap")
    assert json.loads("{" + member.rstrip().rstrip(",") + "}")["derpMap"] == ask(relay, "derpmap")
    yaml, _ = detourctl(relay, "derpmap", "--format", "headscale", "--region", "905")
    assert yaml.startswith("regions:\n  905:\n    regionid: 905\n")
    assert f"        derpport: {relay.ports['https']}\n" in yaml
    for bad in (("--region", "0"), ("--format", "xml"), ("--ipv4", "relay"), ("--ipv4", "::1"),
                ("--ipv4", "none", "--ipv6", "none"), ("--region", "65536"), ("--hostname", "https://relay.test"),
                ("--node-name", ""), ("--node-name", "a\u202eb"), ("--node-name", "a\nb"), ("--code", ""), ("--name", "a\u200b"),
                ("--hostname", "relay.test:443"), ("--hostname", "relay test"), ("--hostname", "-x"), ("--hostname", "")):
        _, errors = detourctl(relay, "derpmap", *bad, code=2)
        assert bad[0] in errors or "IPv4" in errors, bad
    for region, warned in ((1, True), (899, True), (900, False), (65535, False)):
        text, errors = detourctl(relay, "derpmap", "--json", "--region", str(region))
        assert str(region) in json.loads(text)["Regions"] and ("Tailscale" in errors) == warned, region


def test_derpmap_without_relaying_is_for_stun_only(make_relay):
    config = EVERYTHING
    for group in ("https", "tls-gnutls", "tls-export", "http"):
        config = with_keys(config, f"transport {group}", derp="false")
    relay = make_relay(config)
    text, errors = detourctl(relay, "derpmap", "--json")
    node = json.loads(text)["Regions"]["900"]["Nodes"][0]
    assert node == {"Name": "900a", "RegionID": 900, "HostName": "relay.test", "STUNPort": relay.ports["stun"], "STUNOnly": True}
    assert errors == ""
    assert "        stunonly: true\n" in detourctl(relay, "derpmap", "--format", "headscale")[0]


# ---- how it behaves on a command line

def test_exit_status(relay, tmp_path):
    detourctl(relay, "status", code=0)
    detourctl(relay, "plugins", "disable", "service/nothing", code=1)
    for usage in (("statsu",), ("status", "more"), ("kick",), ("--nonsense",), ("--color", "red"), ("--bus", "city"),
                  ("clients", "--limit", "0"), ("clients", "--limit", "x"), ("config",), ("plugins", "enable")):
        _, errors = detourctl(relay, *usage, code=2)
        assert errors, usage
    for command in ("status", "clients", "plugins", "reload", "derpmap", "version"):
        output, errors = detourctl(None, command, "--socket", str(tmp_path / "nothing"), code=3)
        assert "Start it with: " in errors
        assert output == "" or command == "version"
    detourctl(None, "--json", "--socket", str(tmp_path / "nothing"), "clients", code=3)


def test_a_daemon_that_is_stopped_is_not_waited_for(make_relay):
    relay = make_relay(SMALL)
    detourctl(relay, "status")
    relay.process.send_signal(signal.SIGSTOP)
    try:
        for command in ("status", "plugins", "version"):
            _, errors = detourctl(relay, command, "--timeout", "300ms", code=4)
            assert "no answer within 300ms; the daemon is stopped, or hangs" in errors
        detourctl(relay, "--timeout=1s", "reload", code=4)
    finally:
        relay.process.send_signal(signal.SIGCONT)
    for unlimited in ("off", "0", "0s"):
        detourctl(relay, "status", f"--timeout={unlimited}")
    assert "off or 0: for ever" in detourctl(None, "--help")[0]


@pytest.mark.parametrize("command", ("status", "bridge"))
def test_the_pause_of_an_upgrade_is_no_missing_daemon(relay, command):
    """The old program's socket ends with callers that it has not heard yet, and the new one's is not there at once."""
    place = pathlib.Path(relay.run_directory) / f"pause-{command}"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(place))
        old.listen()
        process = subprocess.Popen([DETOURCTL, "--socket", place, command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=daemon_environment())
        old.accept()[0].close()
    new = place.with_suffix(".new")
    new.symlink_to(f"{relay.run_directory}/control")
    new.rename(place)
    with process:
        _, errors = process.communicate(timeout=PATIENCE)
    place.unlink()
    assert process.returncode == 0 and not errors, errors


def test_a_bad_time_limit_is_a_wrong_command_line(relay):
    for text in ("soon", "10", "-1s", ""):
        assert "--timeout: " in detourctl(relay, "status", f"--timeout={text}", code=2)[1]


def test_a_wrong_command_names_the_right_one(relay):
    assert 'did you mean "status"?' in detourctl(relay, "statsu", code=2)[1]
    assert 'did you mean "config check"?' in detourctl(relay, "config", "chek", code=2)[1]
    assert "behind it: begin, done, failed" in detourctl(relay, "acme", "frobnicate", "a", "b", "c", "d", code=2)[1]
    assert 'did you mean "plugins disable"?' in detourctl(relay, "plugins", "disabel", "stun", code=2)[1]
    assert "check, dump, explain" in detourctl(relay, "config", code=2)[1]
    assert 'did you mean "plugins disable"?' in detourctl(relay, "disable", "stun", code=2)[1]
    assert 'did you mean "config check"?' in detourctl(relay, "check", code=2)[1]
    for asked in ("--help", "-h"):
        told, _ = detourctl(relay, "config", asked)
        assert re.findall(r"^  (config [a-z]+)", told, re.M) == ["config check", "config dump", "config explain"], told
        assert "plugins" not in told and "Show what a key means" in told
    assert 'did you mean "service/stun"?' in detourctl(relay, "plugins", "disable", "service/stnu", code=1)[1]


def test_help_names_every_command(relay):
    text, _ = detourctl(None, "--help")
    for command in ("status", "plugins", "plugins enable ID…", "clients", "client KEY", "kick KEY", "why KEY", "listeners",
                    "certs", "certs renew", "certs rollover", "setup", "reload", "log-level LEVEL", "config check", "config dump", "config explain KEY", "derpmap",
                    "counters", "monitor", "metrics", "say", "version"):
        assert re.search(rf"^  {command} ", text, re.M), command
        words = re.sub(r" [A-Z]+…?$", "", command).split()
        own, _ = detourctl(None, *words, "--help")
        assert " ".join(words) in own.splitlines()[1] and "--json" in own
        for language in ({}, german()):
            own, _ = detourctl(None, *words, "--help", **language)
            assert all(len(line) <= 110 for line in own.splitlines() if not line.startswith(" ")), own
    assert "complete" not in text
    assert detourctl(None, "help")[0] == text


def test_the_socket_may_be_given_before_or_behind(relay):
    path = f"{relay.run_directory}/control"
    assert detourctl(None, "--socket", path, "version") == detourctl(None, "version", f"--socket={path}")


def test_colour_only_where_it_is_wanted(relay):
    assert "\033" not in detourctl(relay)[0]
    assert "\033[1m" in detourctl(relay, "--color=always")[0]
    for environment, expected in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        text = at_terminal(relay, 100, "plugins", **environment)
        assert ("\033" in text) is expected, environment


def test_german(relay):
    text, _ = detourctl(relay, **german())
    assert re.search(r"^  Zulassung +offen für alle$", text, re.M)
    assert re.search(r"noch [\d.]+ Tage, von selfsigned", text)
    assert all(len(line) <= 80 for line in text.splitlines()), text
    assert "Befehle:" in detourctl(None, "--help", **german())[0]
    assert "ist kein Schlüssel" in detourctl(relay, "kick", "zz", **german(), code=2)[1]
    assert "der Client ist nicht verbunden" in detourctl(relay, "kick", "nodekey:" + "00" * 32, **german(), code=1)[1]
    assert 'war "status" gemeint?' in detourctl(None, "statsu", **german(), code=2)[1]
    assert ask(relay)["ready"] is json.loads(detourctl(relay, "--json", **german())[0])["ready"]


def test_german_errors_of_a_configuration(tmp_path):
    bad = tmp_path / "bad.conf"
    bad.write_text("[limits]\nwrite-timeout = 2 secs\n")
    _, errors = detourctl(None, "config", "check", "--no-vendor", "--config", str(bad), **german(), code=1)
    assert '"2 secs" ist keine Dauer; möglich sind 2s, 500ms, 10m oder off' in errors
    assert "2 Fehler; die Konfiguration wurde nicht benutzt" in errors
    # The daemon speaks so, too, while it is asked by somebody at a terminal; its log is English.
    environment = daemon_environment() | german()
    for options, words in (["--check-config"], '"2 secs" ist keine Dauer'), ([], '"2 secs" is not a duration'):
        done = subprocess.run([DETOURD, "--no-vendor", "--config", bad, *options], capture_output=True, text=True,
                              check=False, env=environment, timeout=PATIENCE)
        assert done.returncode == 78 and words in done.stderr, done
    done = subprocess.run([DETOURD, "--help"], capture_output=True, text=True, check=True, env=environment, timeout=PATIENCE)
    assert "Die Konfiguration prüfen und enden" in done.stdout


# ---- the socket

def test_a_socket_left_behind_is_replaced(make_relay):
    relay = make_relay(SMALL, start=False)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{relay.run_directory}/control")
    relay.start()
    assert ask(relay)["ready"] is True
    relay.stop()
    assert not os.path.exists(f"{relay.run_directory}/control")


def test_what_else_is_in_the_place_of_the_socket_stays(make_relay, tmp_path):
    relay = make_relay(SMALL, start=False)
    path = f"{relay.run_directory}/control"
    with open(path, "w", encoding="utf-8") as file:
        file.write("mine")
    relay.start()
    relay.wait_log("warning .*control-socket: .*something else is there")
    relay.door().client().ping(b"12345678")
    relay.stop()
    with open(path, encoding="utf-8") as file:
        assert file.read() == "mine"


def test_another_daemon_keeps_its_socket(make_relay):
    first = make_relay(SMALL)
    second = make_relay(SMALL.replace("{run}", first.run_directory))
    second.wait_log("warning .*control-socket: .*another daemon answers there")
    second.stop()
    assert ask(first)["ready"] is True


def test_a_place_that_cannot_be_made_is_one_warning(make_relay):
    relay = make_relay(SMALL.replace("{run}/control", "{dir}/detour.conf/control"))
    assert len(re.findall("warning.*control-socket", relay.log)) == 1
    relay.door().client().ping(b"12345678")


def test_many_peers_at_a_time(relay):
    streams = []
    for _ in range(80):
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(f"{relay.run_directory}/control")
        streams.append(peer)
    for peer in streams:
        peer.close()
    wait_until(lambda: detourctl(relay, "version")[0], "an answer")


def test_rude_peers(relay):
    chance = random.Random(5)
    for opening in (b"", b"\0", b"\0AUTH EXTERNAL\r\n", b"\0AUTH ANONYMOUS\r\n", b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n",
                    b"\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" + b"A" * 100000):
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as rude:
                rude.settimeout(0.05)
                rude.connect(f"{relay.run_directory}/control")
                try:
                    rude.sendall(opening + b"l\1\0\1" + chance.randbytes(chance.randrange(300)))
                    rude.recv(4096)
                except OSError:
                    pass
    assert ask(relay)["ready"] is True


def test_http_goes_on_beside(relay):
    response = http_request(Stream.connect(relay.address("http")), "GET", "/generate_204")
    assert response.status == 204


def test_what_it_repeats_of_its_caller_does_not_rule_the_terminal(make_relay):
    relay = make_relay(SMALL)
    for arguments in (["x\033]0;t\007y"], ["drain", "--for=\033[2J\u202e"], ["client", "\033[2J\u202e"], ["--socket=/none\033[2J", "status"]):
        done = subprocess.run([DETOURCTL, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=PATIENCE,
                              env=daemon_environment() | {"LC_ALL": "C.UTF-8", "DETOUR_SOCKET": f"{relay.run_directory}/control"})
        assert done.returncode != 0 and done.stderr.startswith("detourctl: "), done
        assert "\033" not in done.stderr and "\u202e" not in done.stderr and "\\x1b" in done.stderr, done


@pytest.mark.parametrize("command", [[], ["plugins"], ["clients", "--json"], ["config", "dump"], ["counters", "--all"], ["version"], ["doctor", "ports"],
                                     ["monitor"], ["log", "--follow"]], ids=" ".join)
def test_what_cannot_be_written_is_no_success(relay, command):
    """A disk that is full: whoever keeps the output takes a part of it for all."""
    told = {"LC_ALL": "C.UTF-8", "DETOUR_SOCKET": f"{relay.run_directory}/control"}

    def has_ended_by_an_event():
        detourctl(relay, "say", "hello")
        return process.poll() is not None

    with open("/dev/full", "wb") as full, subprocess.Popen([DETOURCTL, *command], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE,
                                                           text=True, env=daemon_environment() | told) as process:
        if command == ["monitor"]:
            wait_until(has_ended_by_an_event, "its end")
            detourctl(relay, "say", "--clear")
        errors = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1, errors
    assert "detourctl: what was to be printed could not be written\n" in errors


@pytest.mark.parametrize("option", ["--dump-config", "--list-plugins"])
def test_what_the_daemon_cannot_write_is_no_success(relay, option):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([DETOURD, "--no-vendor", "--config", relay.config_file, option], stdin=subprocess.DEVNULL, stdout=full,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=PATIENCE, env=daemon_environment() | {"LC_ALL": "C.UTF-8"})
    assert done.returncode == 1 and done.stderr.endswith("what was to be printed could not be written\n"), done
