"""detourctl fleet upgrade, enter and leave: one relay after the other, stopping at the first that is not well, and resumed.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import fcntl
import json
import pathlib
import re
import signal

import pytest
import yaml

from control import DETOURCTL, ask
from derp_client import Frame
from fake_relay import fake_relay
from fleet import Gate, Inventory, Watched
from mesh import wait_peer, with_peer
from relay import EVERYTHING, Relay, wait_until, with_keys
from upgrading import UpgradedRelay


def named(hostname, **limits):
    """A relay of that name, with a pin, in IPv4 only, which is drained quickly."""
    own = with_keys(with_keys(EVERYTHING, "core", hostname=hostname), "cert main", names=hostname)
    return with_keys(with_keys(own, "derpmap", ipv4="127.0.0.1", ipv6="none"), "limits", drain_time="1s", **limits)


# ---- upgrade

@pytest.fixture(name="trio")
def fixture_trio(tmp_path):
    """Three relays that are upgraded to the next version, and their inventory."""
    inventory = Inventory(tmp_path)
    relays = [UpgradedRelay(tmp_path / name, named(f"{name}.test")) for name in "abc"]
    try:
        for relay, name in zip(relays, "abc"):
            relay.install()
            relay.start()
            inventory.relay(name, relay, 900 if name < "c" else 901)
        yield inventory, relays
    finally:
        for relay in relays:
            with relay:
                pass


def versions(relays):
    """Of the programs that run."""
    return [ask(relay, "status")["version"] for relay in relays]


def test_upgrade_of_all(trio):
    inventory, relays = trio
    said, _ = inventory.run("upgrade")
    assert said.splitlines() == [f"{name}: runs 0.1.0, which is installed" for name in "abc"]
    client = relays[0].door("tls").client()
    for relay in relays:
        relay.install("0.2.0")
    assert "0.2.0 is installed" in inventory.run("status")[0]
    said, _ = inventory.run("upgrade", "--dry-run")
    assert said.splitlines() == [f"{name}: would be upgraded from 0.1.0 to 0.2.0" for name in "abc"]
    assert versions(relays) == ["0.1.0"] * 3
    said, _ = inventory.run("upgrade", "b", "c")
    assert said.splitlines() == [f"{name}: upgraded to 0.2.0, 0 clients kept" for name in "bc"]
    said, _ = inventory.run("upgrade")
    assert said.splitlines()[0] == "a: upgraded to 0.2.0, 1 client kept"
    assert versions(relays) == ["0.2.0"] * 3
    client.ping(b"12345678")


def test_upgrade_stops_and_is_resumed(trio, tmp_path):
    inventory, relays = trio
    for relay in relays:
        relay.install("0.2.0")
    # The second one is not where the map says: clients would not get to it.
    good = inventory.path.read_text()
    inventory.path.write_text(good.replace("[relay b]\n", "[relay b]\nipv4 = 127.0.0.9\n"))
    said, errors = inventory.run("upgrade", code=1)
    assert said.startswith("a: upgraded to 0.2.0") and "b: it is not well before the upgrade: " in errors
    assert "stopped. Done: a. Failed: b. Not begun: c" in errors
    assert f"go on with: detourctl fleet upgrade --resume --inventory {inventory.path}\n" in errors
    assert versions(relays) == ["0.2.0", "0.1.0", "0.1.0"]
    document = json.loads(inventory.run("upgrade", "--resume", "--json", code=1)[0])
    assert (document["done"], document["failed"], document["left"]) == (["a"], "b", ["c"])
    # One that would not have it: the old one goes on, and nothing else is begun.
    inventory.path.write_text(good)
    program = relays[1].directory / "installed" / "core" / "app" / "detourd"
    kept = program.read_bytes()
    program.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    _, errors = inventory.run("upgrade", "--resume", "--again", code=1)
    assert "Done: a. Failed: b. Not begun: c" in errors
    assert versions(relays) == ["0.2.0", "0.1.0", "0.1.0"]
    program.write_bytes(kept)
    said, _ = inventory.run("upgrade", "--resume")
    assert [line.split(":")[0] for line in said.splitlines()] == ["b", "c"]
    assert versions(relays) == ["0.2.0"] * 3
    # All are done with, whatever is installed since.
    assert inventory.run("upgrade", "--resume")[0] == (
        f"Nothing is left of the last upgrade. For another one: detourctl fleet upgrade --inventory {inventory.path}\n")
    assert json.loads(inventory.run("upgrade", "--resume", "--json")[0])["done"] == ["a", "b", "c"]


def test_upgrade_without_a_program_to_go_over_to(trio):
    """One that is missing, and one that is none of the relay's: nobody knows that this is installed."""
    inventory, relays = trio
    program = relays[1].detourd
    program.unlink()
    for attempt in ("", "garbage"):
        if attempt:
            program.write_text(attempt)
            program.chmod(0o755)
        said, errors = inventory.run("upgrade", code=1)
        assert said == "a: runs 0.1.0, which is installed\n"
        assert "b: it does not know which version is installed" in errors and "Done: a. Failed: b. Not begun: c" in errors
        _, errors = inventory.run("upgrade", "--dry-run", code=1)
        assert "b: it does not know which version is installed" in errors
        # What is in its place is not taken either.
        assert "b: not upgraded" in inventory.run("upgrade", "--again", "b", code=1)[1]
    assert versions(relays) == ["0.1.0"] * 3
    relays[1].install("0.2.0")
    said, _ = inventory.run("upgrade", "b")
    assert said.startswith("b: upgraded to 0.2.0")


def test_upgrade_over_a_slow_way(trio, tmp_path):
    """That it answers late is no sign that the other program does not."""
    inventory, relays = trio
    relays[0].install("0.2.0")
    way = tmp_path / "way"
    way.write_text(f'#!/bin/sh\nsleep 3\nexec {DETOURCTL} --socket {relays[0].run_directory}/control "$@"\n')
    way.chmod(0o755)
    inventory.path.write_text(inventory.path.read_text().replace(f"socket = {relays[0].run_directory}/control", f"command = {way}"))
    assert inventory.run("upgrade", "a")[0] == "a: upgraded to 0.2.0, 0 clients kept\n"


def test_two_upgrades_at_once(trio):
    """They would upgrade two relays of one region at a time."""
    inventory, relays = trio
    for relay in relays:
        relay.install("0.2.0")
    with open(f"{inventory.path}.state.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said, errors = inventory.run("upgrade", code=1)
        assert said == "" and f"another command upgrades this fleet: it has locked {inventory.path}.state.lock" in errors
        assert "another command upgrades this fleet" in inventory.run("upgrade", "--resume", code=1)[1]
        assert "a: would be upgraded" in inventory.run("upgrade", "--dry-run")[0]
    assert versions(relays) == ["0.1.0"] * 3
    assert inventory.run("upgrade", "a")[0].startswith("a: upgraded to 0.2.0")


# ---- enter and leave

@pytest.fixture(name="pair")
def fixture_pair(tmp_path):
    """Two relays of two regions, and an inventory that writes a map for Headscale."""
    with Relay(tmp_path / "a", named("a.test")) as one, Relay(tmp_path / "b", named("b.test")) as other:
        yield Inventory(tmp_path).relay("a", one.start()).relay("b", other.start(), 901).add(
            "headscale", file=tmp_path / "derp.yaml"), one, other


def regions(tmp_path):
    """What is published."""
    return yaml.safe_load((tmp_path / "derp.yaml").read_text())["regions"]


def test_leave_waits_for_homes_and_enter_comes_back(pair, tmp_path):
    inventory, one, _ = pair
    client = one.door("tls").client()
    client.send(Frame.NOTE_PREFERRED, b"\1")
    wait_until(lambda: [row["home"] for row in ask(one, "clients")["clients"]] == [True], "the client is at home")
    # In service already.
    assert "a: it is in service already" in inventory.run("enter", "a")[0]
    # It gives up when it is told to, and has closed nobody.
    _, errors = inventory.run("leave", "a", "--for=1s", code=1)
    assert "a: gave up: waiting until 1 client has another home. Run this again to go on" in errors
    assert regions(tmp_path)[900]["nomeasurenohome"] is True and "nomeasurenohome" not in regions(tmp_path)[901]
    assert " leaving" in inventory.run("status", "a")[0] and not ask(one, "status")["draining"]
    client.ping(b"12345678")
    watched = Watched(inventory, "leave", "a")
    watched.wait_for("waiting until 1 client has another home")
    client.send(Frame.NOTE_PREFERRED, b"\0")
    assert watched.end() == 0, watched.lines
    assert watched.lines[-1].startswith("a: ") or "derp.yaml" in watched.lines[-1]
    assert ask(one, "status")["draining"] and list(regions(tmp_path)) == [901]
    client.expect_closed()
    assert json.loads(inventory.run("leave", "a", "--json")[0]) == {"relay": "a", "stage": "out", "done": True}
    # And back: nobody measures it before it is well.
    said, _ = inventory.run("enter", "a")
    assert said.index("a: entering") < said.index("a: open")
    assert not ask(one, "status")["draining"]
    assert list(regions(tmp_path)) == [900, 901] and "nomeasurenohome" not in regions(tmp_path)[900]


def test_clients_in_use_leave_by_a_drain(pair, tmp_path):
    """The map alone does not move them: who waits for them to go goes on when somebody drains the relay."""
    inventory, one, _ = pair
    client = one.door("tls").client()
    client.send(Frame.NOTE_PREFERRED, b"\1")
    wait_until(lambda: [row["home"] for row in ask(one, "clients")["clients"]] == [True], "the client is at home")
    watched = Watched(inventory, "leave", "a")
    watched.wait_for("waiting until 1 client has another home")
    assert not ask(one, "status")["draining"]
    ask(one, "drain")
    client.expect_closed()
    assert watched.end() == 0, watched.lines
    assert list(regions(tmp_path)) == [901] and " out of service" in inventory.run("status", "a")[0]


def test_enter_stays_closed_while_it_is_not_well(pair, tmp_path):
    inventory, _, _ = pair
    good = inventory.path.read_text()
    inventory.path.write_text(good.replace("[relay b]\n", "[relay b]\nipv4 = 127.0.0.9\n"))
    _, errors = inventory.run("enter", "b", "--for=1s", code=1)
    assert "b: gave up: waiting until it serves clients: " in errors
    assert regions(tmp_path)[901]["nomeasurenohome"] is True
    inventory.path.write_text(good)
    inventory.run("enter", "b")
    assert "nomeasurenohome" not in regions(tmp_path)[901]


@pytest.fixture(name="region")
def fixture_region(pair, tmp_path):
    """The two as one region, not linked yet."""
    inventory, one, other = pair
    inventory.groups.clear()
    return inventory.relay("a", one).relay("b", other).add("headscale", file=tmp_path / "derp.yaml"), one, other


def link(one, other):
    """Both ways."""
    for here, name, there in ((one, "b", other), (other, "a", one)):
        here.reload(with_peer(here.config, name, there))
    wait_peer(one, "b")
    wait_peer(other, "a")


def test_relay_of_a_region_that_others_serve(region, tmp_path):
    """It goes from the region, whose other relay serves on."""
    inventory, one, other = region
    link(one, other)
    inventory.run("leave", "b")
    assert [node["name"] for node in regions(tmp_path)[900]["nodes"]] == ["900a"]
    assert "nomeasurenohome" not in regions(tmp_path)[900]
    # The last one stays in service, and in the map.
    assert "a: no other relay is open, and without one there is no map." in inventory.run("leave", "a", code=1)[1]
    assert not ask(one, "status")["draining"] and inventory.run("status", "a")[0].count("leaving") == 0
    assert "nomeasurenohome" not in regions(tmp_path)[900]
    # Others serve meanwhile, so it is not in the map before it is well.
    said, _ = inventory.run("enter", "b")
    assert said.index("b: entering: not in the map until it is well, because others serve its region") < said.index("b: open")
    assert [node["name"] for node in regions(tmp_path)[900]["nodes"]] == ["900a", "900b"]
    inventory.run("leave", "b")
    # One that is out of service need not answer.
    other.stop()
    assert "has this map already" in inventory.run("publish")[0]


def test_enter_waits_for_the_links_of_the_region(region, tmp_path):
    """Clients of a relay that has none do not reach those of the others."""
    inventory, one, other = region
    inventory.run("leave", "b")
    # It says what it waits for, and what helps.
    said, errors = inventory.run("enter", "b", "--for=1s", code=1)
    assert "b: open" not in said
    assert re.search("b: gave up: waiting for its links: a does not have b among its peers: .*What helps: add a .peer NAME. .*"
                     "Run this again to go on", errors), errors
    assert [node["name"] for node in regions(tmp_path)[900]["nodes"]] == ["900a"]
    assert json.loads(inventory.run("enter", "b", "--for=1s", "--json", code=1)[0]) == {"relay": "b", "stage": "entering", "done": False}
    # It goes on by itself when they are there.
    watched = Watched(inventory, "enter", "b")
    watched.wait_for("waiting for its links: ")
    link(one, other)
    assert watched.end() == 0, watched.lines
    assert [node["name"] for node in regions(tmp_path)[900]["nodes"]] == ["900a", "900b"]
    # Whoever wants it without them gets it.
    for here in (one, other):
        here.reload(here.config)
    inventory.run("leave", "b")
    said, _ = inventory.run("enter", "b", "--force")
    assert "waiting for" not in said and "b: open" in said


def test_enter_of_one_that_is_open_changes_nothing(region, tmp_path):
    """It has no clients, and nobody can know by that."""
    inventory, one, other = region
    inventory.run("leave", "b")
    inventory.run("enter", "b", "--force")
    before = (tmp_path / "derp.yaml").read_bytes()
    state = inventory.path.with_name("fleet.conf.state")
    stages = state.read_bytes()
    said, _ = inventory.run("enter", "b")
    assert said.splitlines() == ["b: it is in service already", f"{tmp_path}/derp.yaml: has this map already"]
    assert (tmp_path / "derp.yaml").read_bytes() == before and state.read_bytes() == stages
    # What an interrupted command did not bring to clients comes there.
    (tmp_path / "derp.yaml").unlink()
    assert "written" in inventory.run("enter", "b")[0] and (tmp_path / "derp.yaml").read_bytes() == before
    # One that is drained by hand serves nobody.
    ask(other, "drain")
    said, _ = inventory.run("enter", "b", "--force")
    assert "b: entering" in said and not ask(other, "status")["draining"] and not ask(one, "status")["draining"]


def test_leave_of_one_that_is_gone(pair, tmp_path):
    inventory, one, other = pair
    inventory.run("publish")
    _, errors = inventory.run("leave", "b", "--gone", code=1)
    assert (f"b: it answers, so it is not gone, and clients may have it as their home; let it leave in stages: "
            f"detourctl fleet leave b --inventory {inventory.path}") in errors
    assert list(regions(tmp_path)) == [900, 901]
    other.stop()
    # It was on its way out.
    assert "b: no daemon answers" in inventory.run("leave", "b", code=1)[1]
    said, _ = inventory.run("leave", "b", "--gone")
    assert "b: it does not answer: no daemon answers" in said and "Nobody could count the clients that have it as their home" in said
    assert list(regions(tmp_path)) == [900]
    assert json.loads(inventory.run("leave", "b", "--gone", "--json")[0]) == {"relay": "b", "stage": "out", "done": True}
    # Nor can the last one leave in this way.
    one.stop()
    assert "a: no other relay is open" in inventory.run("leave", "a", "--gone", code=1)[1]
    # It comes back as others do.
    one.start_once()
    other.start_once()
    inventory.run("enter", "b")
    assert list(regions(tmp_path)) == [900, 901]


def test_commands_do_not_mind_one_that_is_out_and_away(pair):
    inventory, _, other = pair
    inventory.run("leave", "b")
    # It answers, and nobody is to come to it: that it takes no logins is as it should be.
    said, errors = inventory.run("probe", "--here")
    assert "b: out of service, so nobody looks at it" in errors and " 901 " not in said and " 900 " in said
    other.stop()
    away = "out of service, and does not answer: no daemon answers on "
    row = [line for line in inventory.run("status")[0].splitlines() if line.startswith("b ")][0].split(maxsplit=6)
    assert row[4] == "out" and row[6].startswith(away)
    relays = json.loads(inventory.run("status", "--json")[0])["relays"]
    assert [(relay["stage"], relay["state"], relay["problem"] is None) for relay in relays] == [
        ("open", "ready", True), ("out", "no-answer", False)]
    inventory.run("probe", "--here")
    assert f"b: {away}" in inventory.run("why", "nodekey:" + "12" * 32)[1]
    assert f"b: {away}" in inventory.run("budgets")[1]
    said, errors = inventory.run("ban", "198.51.100.0/24")
    assert said.startswith("Banned on 1 relay;") and f"b: {away}" in errors
    assert ("b: it did not get the ban. When it is back, run this again before: "
            f"detourctl fleet enter b --inventory {inventory.path}\n") in errors
    relays = json.loads(inventory.run("ban", "198.51.100.0/24", "--json")[0])["relays"]
    assert [(relay["stage"], relay["closed"]) for relay in relays] == [("open", 0), ("out", None)]
    assert "b: a ban stays there." in inventory.run("unban", "198.51.100.0/24")[1]
    said, _ = inventory.run("upgrade", "--dry-run", "--again")
    assert f"b: out of service, and does not answer, so it is left out: {away.rsplit(': ', maxsplit=1)[1]}" in said
    document = json.loads(inventory.run("upgrade", "--dry-run", "--again", "--json")[0])
    assert (document["done"], document["failed"], document["skipped"]) == (["a"], None, ["b"])
    # Who asks for that one gets an answer.
    assert "b: no daemon answers" in inventory.run("upgrade", "b", code=1)[1]
    # One that ought to serve is missed.
    inventory.path.with_name("fleet.conf.state").write_text("[stages]\nb = leaving\n")
    assert "NO ANSWER" in inventory.run("status", code=1)[0]


def helpers_of(relay):
    """Programs that commands have started for that relay."""
    lines = [words_of(path) for path in pathlib.Path("/proc").glob("[0-9]*/cmdline")]
    return [line for line in lines if f"{relay.run_directory}/control".encode() in line and b"bridge" in line.split(b"\0")]


def words_of(path):
    """Of a process; none when it has ended meanwhile."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("wait,stage", [("homes", "leaving"), ("probe", "entering"), ("links", "entering")])
def test_a_wait_that_is_interrupted(region, tmp_path, wait, stage):
    """Nothing that it started stays, and the command goes on when it is run again."""
    inventory, _, other = region
    if wait == "homes":
        client = other.door("tls").client()
        client.send(Frame.NOTE_PREFERRED, b"\1")
        wait_until(lambda: [row["home"] for row in ask(other, "clients")["clients"]] == [True], "the client is at home")
    else:
        inventory.run("leave", "b")
    good = inventory.path.read_text()
    if wait == "probe":
        inventory.path.write_text(good.replace("[relay b]\n", "[relay b]\nipv4 = 127.0.0.9\n"))
    watched = Watched(inventory, "leave" if wait == "homes" else "enter", "b")
    watched.wait_for("b: waiting ")
    watched.process.send_signal(signal.SIGINT)
    assert watched.end() == -signal.SIGINT
    wait_until(lambda: not helpers_of(other), "the programs that reach it have ended")
    assert {relay["relay"]: relay["stage"] for relay in json.loads(inventory.run("status", "--json")[0])["relays"]} == {
        "a": "open", "b": stage}
    assert [node["name"] for node in regions(tmp_path)[900]["nodes"]] == ["900a"]
    inventory.path.write_text(good)
    if wait == "homes":
        client.send(Frame.NOTE_PREFERRED, b"\0")
    again = ["leave", "b"] if wait == "homes" else ["enter", "b", "--force"]
    assert inventory.run(*again)[0].splitlines()[-2].startswith("b: o")


def test_one_that_does_not_say_whether_it_drains(pair, tmp_path):
    """It is named: nobody is left without a word."""
    inventory = pair[0].add("relay odd", region=902, command=fake_relay(tmp_path / "odd", {"Version": ("s", "9.9")}))
    assert "odd: it does not say whether it drains (DrainProgress)" in inventory.run("enter", "odd", code=1)[1]


def test_without_a_relay_in_service_there_is_no_map(pair):
    inventory = pair[0]
    inventory.path.with_name("fleet.conf.state").write_text("[stages]\na = out\nb = out\n")
    for command in ("map", "probe", "publish"):
        assert "are out of service" in inventory.run(command, code=1)[1]


# ---- what happens beside a command that waits

def test_a_wait_keeps_what_others_write(pair, tmp_path):
    """Other stages, another inventory, another command for the same relay."""
    inventory, one, other = pair
    client = one.door("tls").client()
    client.send(Frame.NOTE_PREFERRED, b"\1")
    wait_until(lambda: [row["home"] for row in ask(one, "clients")["clients"]] == [True], "the client is at home")
    with Relay(tmp_path / "c", named("c.test")) as third:
        third.start()
        watched = Watched(inventory, "leave", "a")
        watched.wait_for("waiting until 1 client has another home")
        inventory.relay("c", third, 902)
        inventory.run("publish")
        assert list(regions(tmp_path)) == [900, 901, 902]
        inventory.run("leave", "b")
        client.send(Frame.NOTE_PREFERRED, b"\0")
        assert watched.end() == 0, watched.lines
        assert list(regions(tmp_path)) == [902]
        stages = {relay["relay"]: relay["stage"] for relay in json.loads(inventory.run("status", "--json")[0])["relays"]}
        assert stages == {"a": "out", "b": "out", "c": "open"}
        assert not ask(third, "status")["draining"] and ask(other, "status")["draining"]


def test_a_wait_ends_when_another_command_has_the_relay(pair, tmp_path):
    inventory, one, _ = pair
    client = one.door("tls").client()
    client.send(Frame.NOTE_PREFERRED, b"\1")
    wait_until(lambda: [row["home"] for row in ask(one, "clients")["clients"]] == [True], "the client is at home")
    watched = Watched(inventory, "leave", "a")
    watched.wait_for("waiting until 1 client has another home")
    # Nobody else can take the last one that is open.
    assert "b: no other relay is open" in inventory.run("leave", "b", code=1)[1]
    inventory.run("enter", "a")
    assert watched.end() == 1, watched.lines
    assert re.search('a: another command has made it "(entering|open)" meanwhile; this one stops\n', watched.lines[-1]), watched.lines
    assert not ask(one, "status")["draining"] and "nomeasurenohome" not in regions(tmp_path)[900]
    # Nor does it go on for a relay that is in the inventory no more.
    watched = Watched(inventory, "leave", "a")
    watched.wait_for("waiting until 1 client has another home")
    inventory.path.write_text(inventory.path.read_text().replace("[relay a]", "[relay z]"))
    assert watched.end() == 2 and 'has no relay "a"' in watched.lines[-1], watched.lines


@pytest.mark.parametrize("first,second", [("publish", "publish"), ("publish", "map"), ("map", "publish"), ("map", "map")])
def test_two_that_write_a_map(pair, tmp_path, first, second):
    """The second one, which knows more, is not overwritten by the first."""
    inventory, one, _ = pair
    gate = Gate(tmp_path / "gate")
    inventory.path.write_text(inventory.path.read_text().replace(
        f"socket = {one.run_directory}/control", f"command = {gate.way(one)}"))
    words = {"publish": ["publish"], "map": ["map", "--format=headscale", "--output", str(tmp_path / "derp.yaml")]}
    early = Watched(inventory, *words[first], **gate.environment)
    with gate.closed():
        inventory.path.with_name("fleet.conf.state").write_text("[stages]\nb = out\n")
        late = Watched(inventory, *words[second])
        late.wait_for(f"{tmp_path}: waiting for another command that writes there")
    assert (early.end(), late.end()) == (0, 0), (early.lines, late.lines)
    assert list(regions(tmp_path)) == [900]


@pytest.mark.parametrize("text,fault", [
    ("nonsense\n", "fleet.conf.state: "),
    ("[stages]\na = closed\n", 'fleet.conf.state: [stages] a: "closed" is no stage; expected open, entering, leaving or out'),
])
def test_a_broken_state_file_is_named(pair, text, fault):
    """Nothing is taken for open because nobody knows what it is."""
    inventory = pair[0]
    inventory.path.with_name("fleet.conf.state").write_text(text)
    for command in (["status"], ["map"], ["probe"], ["upgrade", "--dry-run"], ["leave", "a"], ["why", "nodekey:" + "12" * 32]):
        assert fault in inventory.run(*command, code=1)[1]
