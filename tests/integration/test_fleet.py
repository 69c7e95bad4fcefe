"""detourctl fleet: the inventory, and asking several relays at once, by socket, by ssh and by a command.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess

import pytest

from control import DETOURCTL, detourctl
from fake_relay import fake_relay
from fleet import Inventory, Sshd
from mesh import wait_peer, with_peer
from relay import EVERYTHING, SMALL, Relay, daemon_environment, with_keys


@pytest.fixture(name="two", scope="module")
def fixture_two(tmp_path_factory):
    """Two relays of a region."""
    directory = tmp_path_factory.mktemp("two")
    with Relay(directory / "a", with_keys(SMALL, "core", hostname="a.test")) as one, \
            Relay(directory / "b", with_keys(SMALL, "core", hostname="b.test")) as other:
        yield one.start(), other.start()


@pytest.fixture(name="inventory")
def fixture_inventory(tmp_path):
    """An empty inventory."""
    return Inventory(tmp_path)


def rows_of(table):
    """Words of the lines of a table, without what stands below it."""
    return [line.split() for line in re.split(r"^! ", table, flags=re.M)[0].splitlines()]


def test_status_of_all(two, inventory):
    inventory.relay("fra1", two[0]).relay("fra2", two[1])
    two[0].door("http").client()
    table, _ = inventory.run("status")
    rows = rows_of(table)
    assert rows[0] == ["RELAY", "REGION", "VERSION", "CLIENTS", "STATE", "MESH", "DETAIL"]
    assert [(row[0], row[1], row[3], row[4], row[-1]) for row in rows[1:]] == [
        ("fra1", "900", "1", "ready", "a.test"), ("fra2", "900", "0", "ready", "b.test")]
    relays = json.loads(inventory.run("status", "--json")[0])["relays"]
    assert [(relay["relay"], relay["state"], relay["problem"], relay["mesh"]) for relay in relays] == [
        ("fra1", "ready", None, False), ("fra2", "ready", None, False)]
    assert relays[0]["status"]["hostname"] == "a.test" and relays[0]["status"]["peers"] == []
    assert [relay["relay"] for relay in json.loads(inventory.run("status", "fra2", "--json")[0])["relays"]] == ["fra2"]


def test_status_shows_the_links_of_a_mesh(make_relay, inventory):
    one = make_relay(EVERYTHING)
    other = make_relay(with_peer(EVERYTHING, "one", one))
    wait_peer(other, "one")
    inventory.relay("a", one).relay("b", other)
    table, _ = inventory.run("status")
    assert [row[5] for row in rows_of(table)[1:]] == ["yes", "1/1"]
    relays = json.loads(inventory.run("status", "--json")[0])["relays"]
    assert [relay["status"]["mesh"]["links_up"] for relay in relays] == [0, 1]


def test_status_names_who_is_silent_and_shows_the_others(two, inventory, tmp_path):
    with Relay(tmp_path / "stopped", SMALL) as stopped:
        stopped.start()
        stopped.process.send_signal(signal.SIGSTOP)
        inventory.relay("good", two[0]).relay("stopped", stopped)
        nobody = f"{two[0].run_directory}/none"
        inventory.add("relay gone", region=900, socket=nobody).add("relay mute", region=900, command="/bin/false")
        inventory.add("relay odd", region=900, command="/nowhere/ssh host")
        table, _ = inventory.run("status", "--timeout=15s", code=1)
        stopped.process.send_signal(signal.SIGCONT)
    rows = {line.split()[0]: line for line in table.splitlines()}
    assert "ready" in rows["good"]
    assert re.search(r"NO ANSWER .* (no answer within 15s|Connection timed out)", rows["stopped"])
    assert f"no daemon answers on {nobody}: No such file or directory" in rows["gone"]
    assert "ended with status 1, and said nothing" in rows["mute"]
    assert "/nowhere/ssh" in rows["odd"] and "No such file or directory" in rows["odd"]


# Where it ends, and where a number has a sign.
@pytest.mark.parametrize("clock", [2**63 - 1, 2**63, 2**64 - 1])
def test_status_of_one_whose_clock_cannot_be(two, inventory, tmp_path, clock):
    odd = {"Version": ("s", "9.9"), "Hostname": ("s", "odd.test"), "Clock": ("t", clock)}
    inventory.relay("good", two[0]).add("relay odd", region=901, command=fake_relay(tmp_path / "odd", odd))
    table, _ = inventory.run("status", "--exit-code")
    assert [(row[0], row[-1]) for row in rows_of(table)[1:]] == [("good", "a.test"), ("odd", "odd.test")]
    document = json.loads(inventory.run("status", "--json")[0])
    assert document["findings"] == [] and document["relays"][1]["status"]["version"] == "9.9"


def test_status_of_one_with_a_long_name(two, inventory, tmp_path):
    """The table stays readable; programs get all of it."""
    name = "a" * 200 + ".test"
    odd = {"Version": ("s", "9" * 200), "Hostname": ("s", name)}
    inventory.relay("good", two[0]).add("relay odd", region=901, command=fake_relay(tmp_path / "odd", odd))
    table, _ = inventory.run("status")
    assert max(len(line) for line in table.splitlines()) < 150 and re.search("9…9.* a+…a+[.]test$", table, re.M), table
    assert json.loads(inventory.run("status", "--json")[0])["relays"][1]["status"]["hostname"] == name


def test_status_of_one_whose_answers_have_other_types(two, inventory, tmp_path):
    """Such a property is as good as none, and the others are shown."""
    odd = {name: ("d", 1.5) for name in ("Version", "InstalledVersion", "Hostname", "ServerKey", "Clock", "StartTime", "Ready")}
    odd |= {"Load": ("d", float("nan")), "Deep": ("a" * 32 + "s", nested(["x"], 31)), "Announcement": ("s", "hello")}
    peer = {name: ("as", ["x"]) for name in ("State", "ServerKey", "Host", "Keys", "NextTry", "Since")}
    peer |= {"Drops": ("a{sv}", {"full": ("s", "many"), "old": ("t", 3)})}
    inventory.relay("good", two[0]).add("relay odd", region=901, command=fake_relay(tmp_path / "odd", odd, **peer))
    assert [row[0] for row in rows_of(inventory.run("status")[0])[1:]] == ["good", "odd"]
    good, bad = json.loads(inventory.run("status", "--json")[0], parse_constant=pytest.fail)["relays"]
    assert good["status"]["hostname"] == "a.test" and good["state"] == "ready"
    assert (bad["state"], bad["status"]["announcement"], bad["status"]["load"]) == ("not-ready", "hello", None)
    assert "clock" not in bad["status"] and "since" not in bad["status"]["peers"][0]


def test_status_of_one_that_says_something_else(two, inventory, tmp_path):
    """As a login script does that greets whoever comes."""
    script = tmp_path / "greets"
    script.write_text('#!/bin/sh\necho "Welcome to this host, and be good"\nexec cat > /dev/null\n')
    script.chmod(0o755)
    inventory.relay("good", two[0]).add("relay odd", region=901, command=script)
    said, errors = inventory.run("status", code=1)
    assert "what comes from there is no answer of a relay; does a login script write" in said and " ready " in said and errors == ""


def nested(value, depth):
    """In lists in lists."""
    return nested([value], depth - 1) if depth > 0 else value


def test_status_over_ssh(two, inventory, tmp_path):
    with Sshd(tmp_path / "ssh", two[0]) as sshd:
        inventory.add("relay far", region=900, ssh=sshd.destination)
        # Another socket than the one that is found at the other end.
        there = f"ssh -p {sshd.port} 127.0.0.1 detourctl --socket {two[1].run_directory}/control"
        inventory.add("relay further", region=901, command=there)
        relays = json.loads(inventory.run("status", "--json", PATH=sshd.path_with_ssh())[0])["relays"]
        assert [(relay["relay"], relay["status"]["hostname"]) for relay in relays] == [("far", "a.test"), ("further", "b.test")]
        # Without the key nobody is asked for a password.
        table, _ = inventory.run("status", "far", code=1)
        assert re.search(r"far .*NO ANSWER.*(Permission denied|verification failed)", table), table


def test_a_key_of_ssh_that_may_only_run_the_bridge(two, inventory, tmp_path):
    with Sshd(tmp_path / "ssh", two[0]) as sshd:
        keys = sshd.directory / "user.pub"
        keys.write_text('restrict,command="detourctl bridge" ' + keys.read_text())
        inventory.add("relay far", region=900, ssh=sshd.destination)
        path = sshd.path_with_ssh()
        assert " ready " in inventory.run("status", PATH=path)[0]
        done = subprocess.run(["ssh", sshd.destination, "id"], env=os.environ | {"PATH": path}, capture_output=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=30)
        assert b"uid" not in done.stdout


def test_no_shell_reads_the_inventory(two, inventory, tmp_path):
    """Words stay what they are, and those of ssh cannot become options or commands."""
    script = tmp_path / "way there"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {tmp_path}/words\nshift 2\nexec {DETOURCTL} --socket '
                      f'{two[0].run_directory}/control "$@"\n')
    script.chmod(0o755)
    inventory.add("relay odd", region=900, command=f"env {shlex.quote(str(script))} '$(touch {tmp_path}/made)' 'a;b'")
    assert " ready " in inventory.run("status")[0]
    assert (tmp_path / "words").read_text().splitlines() == [f"$(touch {tmp_path}/made)", "a;b", "bridge"]
    assert not (tmp_path / "made").exists()
    inventory.groups.clear()
    inventory.add("relay bad", region=900, ssh=f"-oProxyCommand=touch\t{tmp_path}/made")
    _, errors = inventory.run("status", code=1)
    assert "[relay bad] ssh:" in errors and "expected user@host" in errors
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("text,fault", [
    ("", "no relay; expected a group [relay NAME] for each"),
    ("[relay a]\nregion = 900\n", ":1: [relay a]: none of socket, ssh and command; expected one"),
    ("[relay a]\nsocket = /x\n", ":1: [relay a]: region is missing; expected the number"),
    ("[relay a]\nregion = 0\nsocket = /x\n", ':2: [relay a] region: "0" is out of range'),
    ("[fleet]\nparallel = 99999999999999999999999\n[relay a]\nregion = 900\nsocket = /x\n",
     ':2: [fleet] parallel: "99999999999999999999999" is out of range; it goes from 1 to 64'),
    ("[relay a]\nregion = 900\nsocket = x\n", ":3: [relay a] socket: "),
    ("[relay a]\nregion = 900\nsokcet = /x\n", ':3: [relay a] sokcet: no such key; did you mean "socket"?'),
    ("[relay a]\nregion = 900\nsocket = /x\nssh = b\n", ":1: [relay a]: more than one of socket, ssh and command"),
    ("[relay a]\nregion = 900\ncommand = x 'y\n", ":3: [relay a] command: \"x 'y\" cannot be taken apart into words"),
    ("[relay a]\nregion = 900\nsocket = /x\nipv4 = ::1\n", ':4: [relay a] ipv4: "::1" is no such address'),
    ("[relay #a]\nregion = 900\nsocket = /x\n", ":1: [relay #a]: the name of a relay is one word, which begins with neither # nor -"),
    ("[relay -a]\nregion = 900\nsocket = /x\n", ":1: [relay -a]: the name of a relay is one word, which begins with neither # nor -"),
    (f"[relay {'a' * 65}]\nregion = 900\nsocket = /x\n", f":1: [relay {'a' * 65}]: the name has 65 bytes; expected 64 at most"),
    ("[relay a]\nregion = 900\nsocket = /x\n[region 900]\ncode = a\n[region 0900]\ncode = b\n",
     ":6: [region 0900]: this region is already on line 4; a file has it once"),
    ("[region 901]\ncode = x\n[relay a]\nregion = 900\nsocket = /x\n", ":1: [region 901]: no relay is in this region"),
    ("[region x]\n[relay a]\nregion = 900\nsocket = /x\n", ':1: [region x]: "x" is no number of a region'),
    ("[rely a]\n", ":1: [rely a]: no such group; expected [fleet]"),
])
def test_faults_of_the_inventory_have_their_place(inventory, text, fault):
    inventory.path.write_text(text)
    said, errors = inventory.run("status", code=1)
    assert said == "" and f"{inventory.path}{fault}" in errors.replace(f"{inventory.path}: ", str(inventory.path)), errors


def test_relay_that_is_not_there(two, inventory):
    inventory.relay("fra1", two[0])
    assert 'has no relay "fra9"' in inventory.run("status", "fra9", code=2)[1]


def test_bridge_ends_with_its_peer(two):
    """Neither end outlives the other."""
    environment = daemon_environment() | {"DETOUR_SOCKET": f"{two[0].run_directory}/control"}
    done = subprocess.run([DETOURCTL, "bridge"], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=30, env=environment)
    assert done.returncode == 0 and done.stderr == b""
    done = subprocess.run([DETOURCTL, "bridge"], input=b"this is no message of D-Bus" * 10, capture_output=True, check=False,
                          timeout=30, env=environment)
    assert done.returncode == 0


def test_inventory_of_the_page_is_good(inventory):
    page = pathlib.Path(__file__).resolve().parents[2] / "doc" / "fleet.md"
    inventory.path.write_text(re.search(r"^```ini\n(.*?)^```$", page.read_text(), re.M | re.S)[1])
    table, _ = inventory.run("status", "home", code=1)
    assert "NO ANSWER" in table and "/run/detour/control" in table


def test_completion_offers_relays(two, inventory):
    inventory.relay("fra1", two[0]).relay("nyc1", two[1])
    assert detourctl(None, "complete", "fleet", "status", "--inventory", inventory.path, "f")[0].split() == ["fra1"]
    assert detourctl(None, "complete", "fleet", "sta")[0].split() == ["status"]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_inventory_before_the_command(two, inventory, place):
    inventory.relay("fra1", two[0])
    words = ["fleet", "status"]
    words[place:place] = ["--inventory", str(inventory.path), "--timeout=60s"]
    assert " ready " in detourctl(None, *words)[0]
    assert "--inventory is for the commands that begin with fleet" in detourctl(
        two[0], "--inventory", inventory.path, "status", code=2)[1]
    assert "Unknown option --nonsense" in detourctl(None, "fleet", "--nonsense", "status", code=2)[1]


# What each takes, beside --inventory and what all commands take.
OPTIONS = {
    "status": {"exit-code"},
    "map": {"format", "output", "partial"},
    "publish": {"yes", "dry-run", "partial"},
    "probe": {"ca", "closed", "here", "no-mesh", "mesh-key"},
    "upgrade": {"ca", "closed", "resume", "again", "dry-run"},
    "enter": {"ca", "closed", "for", "yes", "force"},
    "leave": {"for", "yes", "gone"},
    "why": set(),
    "kick": set(),
    "ban": {"for", "reason", "force"},
    "unban": set(),
    "budgets": set(),
    "bans": {"exit-code"},
}


def test_options_that_a_command_does_not_use_are_refused(inventory):
    helped = detourctl(None, "fleet", "--help")[0]
    assert set(re.findall("^  fleet ([a-z]+)", helped, re.M)) == set(OPTIONS)
    everything = set().union(*OPTIONS.values())
    for command, known in OPTIONS.items():
        taken = set(re.findall("^ +--([a-z-]+)", detourctl(None, "fleet", command, "--help")[0], re.M))
        assert taken == known | {"inventory", "json", "color", "socket", "bus", "timeout"}, command
        for option in everything - known:
            said = inventory.run(command, f"--{option}", code=2)[1]
            assert f'Unknown option --{option}; "detourctl fleet {command} --help" lists those of this command' in said
        for option in ("--socket=/x", "--bus=system"):
            words = ["a"] if command in ("enter", "leave", "why", "kick", "ban", "unban") else []
            said = inventory.run(command, *words, option, code=2)[1]
            assert f'{option.split("=", maxsplit=1)[0]} is not for "fleet {command}": how relays are reached stands in the inventory' in said
    assert "--gone and --for exclude each other" in inventory.run("leave", "a", "--gone", "--for=1s", code=2)[1]


def test_no_vendor_goes_with_a_file(two):
    for words in (["check"], ["dump"], ["explain", "core.hostname"]):
        assert "--no-vendor is of no use without --config" in detourctl(two[0], "config", *words, "--no-vendor", code=2)[1]
