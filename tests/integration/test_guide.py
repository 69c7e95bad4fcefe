"""The operator's guide, and the README: their configurations are good, their maps obey the rules, the guide's commands run.
SPDX-License-Identifier: LGPL-2.1-or-later

Commands run as they stand, but for the paths of the relay's files. In front of PATH lies a folder of programs:
detourd, curl and derpprobe are the real ones, told where the relay of this test is; tailscale prints a status of the
form it has; systemctl and `go install` say that they were called. What would ask Tailscale's servers gets a map of ours.
"""

import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess

import nacl.public
import pytest
import yaml

from adapted import AdaptedRelay, adapted
from certs import Certificate
from relay import DETOURD, daemon_environment, run_detourd

TOP = pathlib.Path(__file__).resolve().parents[2]
GUIDE = (TOP / "doc" / "guide.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", GUIDE + (TOP / "README.md").read_text(), re.M | re.S)
AUTHORITY = Certificate("authority", authority=True)


def blocks(kind):
    """Texts of one kind."""
    return [text for tag, text in BLOCKS if tag == kind]


def node_key():
    return f"nodekey:{bytes(nacl.public.PrivateKey.generate().public_key).hex()}"


class GuideRelay(AdaptedRelay):
    """The relay of the guide's first configuration; other blocks are files in conf.d."""

    def __init__(self, directory):
        certificate = Certificate("relay.example.com", "localhost", issuer=AUTHORITY)
        super().__init__(directory, blocks("conf")[0], {
            "etc/detour/private/fullchain.pem": certificate.pem,
            "etc/detour/private/privkey.pem": certificate.key_pem,
            "etc/detour/private/derper.key": json.dumps({"PrivateKey": "privkey:" + "40" * 32}),
            "etc/detour/private/mesh.key": "6d" * 32 + "\n",
            "etc/detour/friends.keys": node_key() + " a friend\n",
            "authority.pem": AUTHORITY.pem,
        })

    def add(self, text):
        """One more block."""
        self.write_file("conf.d/50-guide.conf", self.fill(adapted(text)))


@pytest.fixture
def relay(tmp_path):
    """Not started."""
    with GuideRelay(tmp_path / "relay") as relay:
        yield relay


def test_every_block_has_a_kind_with_a_test():
    assert {tag for tag, _ in BLOCKS} == {"conf", "json", "sh", "yaml"}


# ---- configurations

@pytest.mark.parametrize("block", blocks("conf"), ids=lambda block: block.splitlines()[-1])
def test_configuration_is_good(relay, block):
    relay.write_config()
    relay.add(block)
    run_detourd("--config", relay.config_file, "--check-config")


# ---- maps

HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
OF_REGION = {"RegionID", "RegionCode", "RegionName", "Nodes"}
OF_NODE = {"Name", "RegionID", "HostName", "CertName", "IPv4", "IPv6", "STUNPort", "DERPPort", "CanPort80"}


def check_node(node, number, names):
    """The rules for one node."""
    assert {"Name", "RegionID", "HostName"} <= set(node) <= OF_NODE
    assert node["RegionID"] == number
    assert node["Name"] not in names
    names.add(node["Name"])
    assert HOST.match(node["HostName"])
    assert node.get("IPv4") in (None, "none") or ipaddress.IPv4Address(node["IPv4"])
    assert node.get("IPv6") in (None, "none") or ipaddress.IPv6Address(node["IPv6"])
    assert not (node.get("CanPort80") and node.get("IPv4") == "none")
    assert re.fullmatch(r"|sha256-raw:[0-9a-f]{64}", node.get("CertName", ""))


def check_map(derp_map):
    """The rules for a map in a policy, or for a prober."""
    assert set(derp_map) <= {"Regions", "OmitDefaultRegions"}
    names = set()
    for text, region in derp_map["Regions"].items():
        number = int(text)
        if region is None:
            assert 1 <= number < 900, "only regions of Tailscale's are taken away"
            continue
        assert 900 <= number <= 999, "numbers for operators"
        assert set(region) == OF_REGION and region["RegionID"] == number
        assert len(region["Nodes"]) == 1, "nodes of one region would have to be meshed"
        for node in region["Nodes"]:
            check_node(node, number, names)
    if derp_map.get("OmitDefaultRegions"):
        assert len(names) > 1


@pytest.mark.parametrize("block", blocks("json"), ids=lambda block: f"{len(block)} bytes")
def test_map_obeys_the_rules(block):
    document = json.loads(block)
    assert set(document) in ({"derpMap"}, {"Regions"})
    check_map(document.get("derpMap", document))


def test_map_of_headscale_is_the_same():
    """Its keys are those of Tailscale in lower case."""
    headscale, config = (yaml.safe_load(block) for block in blocks("yaml"))
    spelling = {name.lower(): name for name in OF_REGION | OF_NODE}

    def spelled(value):
        if isinstance(value, dict):
            return {spelling.get(key, key) if isinstance(key, str) else str(key): spelled(item) for key, item in value.items()}
        return [spelled(item) for item in value] if isinstance(value, list) else value

    document = {"Regions": spelled(headscale["regions"])}
    check_map(document)
    assert document == json.loads(blocks("json")[0])["derpMap"]
    assert set(config["derp"]) == {"urls", "paths", "auto_update_enabled", "update_frequency"}


# ---- commands

STATUS = {"Self": {"PublicKey": node_key(), "HostName": "relay"},
          "Peer": {node_key(): {"PublicKey": node_key(), "HostName": name} for name in ("laptop", "Anna's phone")}}
DEFAULT_MAP = {"Regions": {str(n): {"RegionID": n, "RegionName": name} for n, name in ((1, "New York City"), (2, "San Francisco"))}}


def derpprobe(directory):
    """The official prober, built from the module that the tests of interoperation pin; None without Go."""
    if not shutil.which("go"):
        return None
    program = directory / "derpprobe"
    subprocess.run(["go", "build", "-o", program, "tailscale.com/cmd/derpprobe"], cwd=TOP / "tests" / "interop",
                   check=True)
    return program


class Shell:
    """Runs blocks of commands; `calls` has what was asked of programs that only say so."""

    def __init__(self, relay, directory):
        self.relay = relay
        self.bin = directory
        self.directory = directory.parent
        self.calls_file = self.directory / "calls"
        self.calls_file.write_text("")
        map_file = relay.write_file("default-map.json", json.dumps(DEFAULT_MAP))
        status_file = relay.write_file("status.json", json.dumps(STATUS))
        self.program("detourd", f'exec "{DETOURD}" --config "{relay.config_file}" "$@"')
        self.program("detourctl", f'exec "{DETOURD.with_name("detourctl")}" --socket="{relay.run_directory}/control" "$@"')
        self.program("curl", f'case "$*" in *://controlplane.tailscale.com/*) exec cat "{map_file}" ;; esac\n'
                             f'exec {shutil.which("curl")} --cacert "{relay.directory}/authority.pem" '
                             f'--connect-to ::127.0.0.1:$(case "$*" in *https://*) echo {{https}} ;; *) echo {{http}} ;; esac) "$@"')
        self.program("systemctl", f'echo "systemctl $*" >> "{self.calls_file}"')
        self.program("go", f'echo "go $*" >> "{self.calls_file}"')
        self.program("tailscale", f'case $* in "status --json") cat "{status_file}" ;; '
                                  f'*) echo "tailscale $*" >> "{self.calls_file}" ;; esac')

    def program(self, name, script):
        """Puts a program in front of PATH."""
        self.bin.mkdir(exist_ok=True)
        path = self.bin / name
        path.write_text("#!/bin/sh\n" + self.relay.fill(script) + "\n")
        path.chmod(0o755)

    def run(self, block, code=0, **environment):
        """Runs a block; gives what it printed, both ways."""
        block = re.sub(r"(?<=[\s/=])/etc/", f"{self.relay.directory}/etc/", block)
        block = block.replace("-g detour", f"-g {os.getgid()}").replace("chgrp detour", f"chgrp {os.getgid()}")
        done = subprocess.run(["bash", "-e", "-u", "-o", "pipefail", "-c", block], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, cwd=self.directory,
                              env=daemon_environment() | {"PATH": f"{self.bin}:{os.environ['PATH']}"} | environment)
        assert done.returncode == code, f"{block}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @property
    def calls(self):
        """The commands that were called, one a line."""
        return self.calls_file.read_text().splitlines()


@pytest.fixture
def shell(relay, tmp_path):
    """With the relay running."""
    relay.start()
    return Shell(relay, tmp_path / "bin")


def block_with(text):
    """The one block of commands that has @text in it."""
    found = [block for block in blocks("sh") if text in block]
    assert len(found) == 1, text
    return found[0]


def test_every_command_is_run_below():
    """Each block of commands is asked for by a test of this file."""
    asked = re.findall(r"block_with\(\"(.*?)\"\)", pathlib.Path(__file__).read_text())
    assert len(blocks("sh")) == len({block_with(text) for text in asked})


def test_check_and_start(shell):
    output = shell.run(block_with("--check-config"))
    assert "the configuration is good" in output and "relay.example.com" in output
    assert shell.calls == ["systemctl enable --now detour"]


def test_hook_of_certbot(shell, relay, tmp_path):
    renewed = tmp_path / "renewed"
    renewed.mkdir()
    certificate = Certificate("relay.example.com", issuer=AUTHORITY)
    (renewed / "fullchain.pem").write_text(certificate.pem)
    (renewed / "privkey.pem").write_text(certificate.key_pem)
    since = len(relay.log)
    shell.run(block_with("RENEWED_LINEAGE"), RENEWED_LINEAGE=str(renewed))
    assert (relay.directory / "etc/detour/private/privkey.pem").stat().st_mode & 0o777 == 0o640
    relay.wait_log("cert/main", since)
    assert relay.door("tls").stream().certificates()[0] == certificate.der


def test_relay_answers(shell):
    assert shell.run(block_with("/derp/probe")) == "200\n204\n"


def test_control_tool(shell):
    output = shell.run(block_with("detourctl clients"))
    assert output.startswith("relay.example.com ") and "tailscaled" in output


def test_control_tool_writes_the_map(shell, relay):
    """Of the map in the guide it leaves out what is not so here: this relay has other ports, and nothing on 80."""
    written = json.loads("{" + shell.run(block_with("detourctl derpmap")).rstrip().rstrip(",") + "}")
    region = written["derpMap"]["Regions"]["900"]
    node = region["Nodes"][0]
    assert (node.pop("DERPPort"), node.pop("STUNPort")) == (relay.ports["https"], relay.ports["stun"])
    expected = json.loads(blocks("json")[0])
    del expected["derpMap"]["Regions"]["900"]["Nodes"][0]["CanPort80"]
    assert written == expected


def test_who_does_not_get_in(shell, relay):
    """Whom nobody asked about has no verdicts; whom tailscaled cannot be asked about has one that says so."""
    block = block_with("detourctl why")
    shell.run(block)
    stranger = relay.door("tls").fresh().upgrade()
    stranger.stream.write(stranger.client_info())
    relay.wait_log("refused")
    key = f"nodekey:{stranger.key.hex()}"
    assert "auth/tailscaled" in shell.run(re.sub(r"nodekey:\w+", key, block))


def test_list_of_all_nodes(shell, relay):
    shell.run(block_with("friends.keys"))
    lines = (relay.directory / "etc/detour/friends.keys").read_text().splitlines()
    assert len(lines) == 3 and lines[0] == f"{STATUS['Self']['PublicKey']} relay"
    relay.add(next(block for block in blocks("conf") if "friends.keys" in block))
    run_detourd("--config", relay.config_file, "--check-config")


def test_looking_from_a_node(shell):
    """Whether Tailscale has these commands is shown by the tests with the real client."""
    shell.run(block_with("netcheck"))
    assert shell.calls == ["tailscale netcheck", "tailscale debug derp 900"]


def test_regions_of_tailscale(shell):
    assert shell.run(block_with("jq -r '.Regions")) == "1 New York City\n2 San Francisco\n"


def test_probing(shell, relay):
    """Without the mesh key the probe of packets is bad, as the guide says; with it all are good."""
    install = block_with("go install")
    prober = derpprobe(shell.directory)
    if prober is None:
        pytest.skip("there is no Go to build derpprobe with")
    shell.program("derpprobe", f'SSL_CERT_FILE="{relay.directory}/authority.pem" exec "{prober}" "$@"')

    # The map of the guide, for this relay: a name that leads to loopback, ports, and no IPv6.
    derp_map = next(document for document in map(json.loads, blocks("json")) if "Regions" in document)
    node = derp_map["Regions"]["900"]["Nodes"][0]
    del node["IPv6"]
    node |= {"HostName": "localhost", "IPv4": "127.0.0.1", "DERPPort": relay.ports["https"], "STUNPort": relay.ports["stun"]}
    relay.write_file("etc/detour/derpmap.json", json.dumps(derp_map))
    # A refusal is only silence; the prober need not wait for the end of it.
    relay.add("[admission]\nrefuse-hold = 0s\n")
    relay.reload()

    output = shell.run(install, code=1)
    assert shell.calls == ["go install tailscale.com/cmd/derpprobe@latest"]
    assert "bad: derp/own/900a/900a/mesh" in output
    for probe in ("derp/own/900a/tls", "derp/own/900a/udp", "derpmap-probe"):
        assert f"good: {probe}" in output

    shell.run(block_with("openssl rand"))
    relay.add(next(block for block in blocks("conf") if "[service mesh]" in block))
    relay.reload()
    output = shell.run(block_with("--mesh-psk-file"))
    assert "bad:" not in output and "good: derp/own/900a/900a/mesh" in output


# ---- coming from derper

# Those of derper 1.104, in the order of its usage text.
FLAGS = """a accept-connection-burst accept-connection-limit ace acme-eab-key acme-eab-kid acme-email acme-ip-certs
bootstrap-dns-names c certdir certmode derp dev disallow-app-names home hostname http-port mesh-psk-file mesh-with rate-config
secrets-cache-dir secrets-path-prefix secrets-url socket stun stun-port tcp-keepalive-time tcp-user-timeout tcp-write-timeout
unpublished-bootstrap-dns-names verify-client-url verify-client-url-fail-open verify-clients version""".split()


def test_every_flag_of_derper_is_spoken_of():
    section = re.search(r"^## Coming from derper\n(.*?)^## ", GUIDE, re.M | re.S)[1]
    assert [flag for flag in FLAGS if not re.search(rf"`-{flag}[ =`]", section)] == []


def test_every_key_of_the_table_exists(relay):
    """Left flags of derper, right keys of Detour."""
    table = re.search(r"^\| derper \| Detour \|\n.*\n((?:\|.*\n)+)", GUIDE, re.M)[1]
    relay.write_config()
    named = set()
    for line in table.splitlines():
        flags, ours = line.strip("| ").split(" | ")
        assert re.fullmatch(r"(`-[a-z-]+[^`]*`(, )?)+", flags)
        named |= set(re.findall(r"`\[([a-z]+(?: [a-z]+)?)\] ([a-z-]+)`", ours))
        for option in re.findall(r"`detourd (--[a-z]+)`", ours):
            assert option in run_detourd("--help")[0]
    assert len(named) > 20
    for group, key in named:
        relay.add(f"[{group}]\n{key} =\n")
        done = subprocess.run([DETOURD, "--config", relay.config_file, "--check-config"], capture_output=True, text=True,
                              check=False)
        assert f"[{group}] {key}: no such key" not in done.stderr and "no such group" not in done.stderr, done.stderr
