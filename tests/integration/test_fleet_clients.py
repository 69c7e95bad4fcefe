"""detourctl fleet why, kick, ban, unban and budgets: what all relays of a fleet say of a client, and what is done on all of them.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import shlex

import pytest

from control import ask, detourctl
from fleet import Inventory
from relay import SMALL, Relay, wait_until, with_keys


# Nobody is on the list, and everyone is let in all the same.
WATCHED = with_keys(with_keys(SMALL, "admission", chain="friends", dry_run="true"), "auth friends", plugin="keys", file="{dir}/friends")
NOBODY = {"friends": "# nobody\n"}


@pytest.fixture(name="relays", scope="module")
def fixture_relays(tmp_path_factory):
    """Two relays."""
    directory = tmp_path_factory.mktemp("relays")
    with Relay(directory / "a", WATCHED, NOBODY) as one, \
            Relay(directory / "b", with_keys(WATCHED, "class guests", quota="1G"), NOBODY) as other:
        yield one.start(), other.start()


@pytest.fixture(name="inventory")
def fixture_inventory(relays, tmp_path):
    """An inventory of both."""
    return Inventory(tmp_path).relay("one", relays[0]).relay("other", relays[1], 901)


def test_why_joins_verdicts(relays, inventory):
    with relays[0].lent_door() as door, relays[1].lent_door() as other:
        client = door.client()
        other.client(client.secret)
        key = f"nodekey:{client.key.hex()}"
        table, _ = inventory.run("why", key)
        rows = [line.split() for line in table.splitlines()]
        assert rows[0][:4] == ["RELAY", "LAST", "TIMES", "VERDICT"]
        assert [(row[0], row[3]) for row in rows[1:]] == [("one", "refused"), ("other", "refused")]
        # The first digits will do, on whichever relay it is.
        assert inventory.run("why", key[8:20])[0].splitlines()[0] == table.splitlines()[0]
        document = json.loads(inventory.run("why", key, "--json")[0])["relays"]
        assert [(relay["relay"], len(relay["verdicts"])) for relay in document] == [("one", 1), ("other", 1)]
    assert inventory.run("why", "nodekey:" + "12" * 32)[0] == "There was no verdict on this key lately.\n"
    assert "no relay knows a client whose key begins with" in inventory.run("why", "1234567890", code=1)[1]


def test_why_shows_bans_as_one_relay_does(relays, inventory):
    """The same words and remedies, with the relays that have them."""
    one, other = relays
    with one.lent_door() as door:
        client = door.client()
        key = f"nodekey:{client.key.hex()}"
        ask(one, "ban", key, "--for=1h", "--reason=a flood, twice")
        client.expect_closed()
    lift = f"To lift the ban: detourctl fleet unban {key} --inventory {inventory.path}"
    words, = [line for line in detourctl(one, "why", key)[0].splitlines() if "banned by" in line]
    said = inventory.run("why", key)[0].splitlines()
    assert said[:2] == [f"one: {words}", lift] and said[2].startswith("RELAY ")
    # On all of them by one command, which is one line; otherwise on another, it is two.
    inventory.run("ban", key, "--reason=again")
    said = inventory.run("why", key[8:16])[0].splitlines()
    assert re.fullmatch("all relays: This key is banned by the operator since .*, until it is lifted: again", said[0]) and said[1] == lift
    ask(other, "ban", key, "--for=1h")
    said = inventory.run("why", key)[0].splitlines()
    assert [line.split(":")[0] for line in said[:3]] == ["one", "other", "To lift the ban"]
    # The network of an address that only one relay has seen is banned on the other.
    inventory.run("unban", key)
    ask(other, "ban", "127.0.0.0/8", "--reason=loop")
    said = inventory.run("why", key)[0].splitlines()
    assert said[0].startswith("other: 127.0.0.1, where it came from, is in 127.0.0.0/8, which is banned by the operator since "), said
    assert said[1] == f"To lift the ban: detourctl fleet unban 127.0.0.0/8 --inventory {inventory.path}"
    document = json.loads(inventory.run("why", key, "--json")[0])["relays"]
    inventory.run("unban", "127.0.0.0/8")
    assert [[(ban["target"], ban["reason"]) for ban in relay["bans"]] for relay in document] == [[], [("127.0.0.0/8", "loop")]]
    # Of one that was never here the first digits will do when it is banned; not when it could be another one.
    ask(other, "ban", "nodekey:" + "5c" * 32)
    assert inventory.run("why", "5c5c5c5c")[0].startswith("other: This key is banned by the operator since ")
    assert "no relay knows a client whose key begins with" in inventory.run("kick", "5c5c5c5c", code=1)[1]
    ask(one, "ban", "nodekey:" + "5c" * 31 + "00")
    assert '"5c5c5c5c" begins several keys: ' in inventory.run("why", "5c5c5c5c", code=1)[1]
    for relay in relays:
        ask(relay, "unban", *(ban["target"] for ban in ask(relay, "bans")["bans"]))


def test_why_without_all_of_them(relays, inventory, tmp_path):
    inventory.add("relay gone", region=900, socket=f"{tmp_path}/none")
    key = "nodekey:" + "5d" * 32
    ask(relays[0], "ban", key)
    said, errors = inventory.run("why", key, code=1)
    assert said.startswith("one: This key is banned") and errors.count("gone: no daemon answers") == 1
    gone = json.loads(inventory.run("why", key, "--json", code=1)[0])["relays"][2]
    assert (gone["verdicts"], gone["bans"]) == (None, None) and "no daemon answers" in gone["problem"]
    ask(relays[0], "unban", key)


def test_kick_where_it_is(relays, inventory):
    with relays[1].lent_door() as door:
        client = door.client()
        wait_until(lambda: ask(relays[1], "clients")["clients"], "the client is listed")
        assert inventory.run("kick", client.key.hex())[0] == "other: 1 connection was closed\n"
        client.expect_closed()
    assert "connected to none of them" in inventory.run("kick", client.key.hex(), code=1)[1]


def test_ban_is_everywhere_or_said_not_to_be(relays, inventory, tmp_path):
    with relays[0].lent_door() as door:
        client = door.client()
        said, _ = inventory.run("ban", client.key.hex(), "--for=1h", "--reason=flood")
        assert said == "Banned on 2 relays; 1 connection was closed\n"
        client.expect_closed()
    for relay in relays:
        assert [(ban["target"], ban["reason"]) for ban in ask(relay, "bans")["bans"]] == [(f"nodekey:{client.key.hex()}", "flood")]
    assert inventory.run("unban", f"nodekey:{client.key.hex()}")[0] == "Lifted on 2 relays\n"
    assert not ask(relays[0], "bans")["bans"] and not ask(relays[1], "bans")["bans"]
    # What no relay would take is banned on none.
    inventory.run("ban", "198.51.100.0/24", "10.0.0.0/1", code=2)
    assert not ask(relays[0], "bans")["bans"]
    inventory.add("relay gone", region=900, socket=f"{tmp_path}/none")
    said, errors = inventory.run("ban", "198.51.100.0/24", code=1)
    assert said.startswith("Banned on 2 relays;") and "gone: no daemon answers" in errors
    inventory.run("unban", "198.51.100.0/24", code=1)


def test_unban_of_what_some_do_not_have(relays, inventory):
    """They keep nothing of the others for that; what no relay has was written wrong."""
    one, other = relays
    inventory.run("ban", "198.51.100.0/24", "203.0.113.7")
    ask(one, "ban", "192.0.2.1")
    assert inventory.run("unban", "198.51.100.0/24", "192.0.2.1", "203.0.113.7")[0] == "Lifted on 2 relays\n"
    assert not ask(one, "bans")["bans"] and not ask(other, "bans")["bans"]
    ask(one, "ban", "192.0.2.1")
    said, errors = inventory.run("unban", "192.0.2.1", "192.0.2.2", code=1)
    assert said == "Lifted on 1 relay\n" and errors == (
        'detourctl: 192.0.2.2: no relay that answers has banned it; "detourctl fleet bans" lists what is\n')
    ask(one, "ban", "192.0.2.1")
    assert [relay["lifted"] for relay in json.loads(inventory.run("unban", "192.0.2.1", "--json")[0])["relays"]] == [["192.0.2.1"], []]


def test_ban_of_more_than_one_message_holds(relays, inventory):
    keys = [f"nodekey:{i:064x}" for i in range(1, 1202)]
    assert inventory.run("ban", *keys)[0] == "Banned on 2 relays; 0 connections were closed\n"
    assert [sorted(ban["target"] for ban in ask(relay, "bans")["bans"]) for relay in relays] == [keys, keys]
    assert inventory.run("unban", *keys)[0] == "Lifted on 2 relays\n"
    assert [ask(relay, "bans")["bans"] for relay in relays] == [[], []]


def findings(inventory, code=0):
    """What differs: (code, target, with, without)."""
    document = json.loads(inventory.run("bans", "--json", "--exit-code", code=code)[0])
    return [(found["code"], found["target"], found["with"], found["without"]) for found in document["findings"]], document


def test_bans_of_all(relays, inventory, tmp_path):
    assert inventory.run("bans", "--exit-code")[0] == "Nothing is banned.\n"
    inventory.run("ban", "198.51.100.0/24", "--for=2h", "--reason=a flood, twice")
    inventory.run("ban", "203.0.113.7")
    # One command is heard a little later by the second, and is the same ban.
    table, _ = inventory.run("bans", "--exit-code")
    rows = [line.split(maxsplit=3) for line in table.splitlines()]
    assert rows[0] == ["TARGET", "RELAYS", "UNTIL", "REASON"]
    assert {row[0]: (row[1], *row[3:]) for row in rows[1:]} == {
        "198.51.100.0/24": ("all", "a flood, twice"), "203.0.113.7": ("all",)}
    found, document = findings(inventory)
    ban, = [ban for ban in document["bans"] if ban["target"] == "198.51.100.0/24"]
    assert found == [] and [(part["relay"], part["reason"], part["refused"]) for part in ban["relays"]] == [
        ("one", "a flood, twice", 0), ("other", "a flood, twice", 0)]
    assert all(part["since"] < part["until"] for part in ban["relays"])
    # What one relay does not have, and the command that mends it.
    ask(relays[1], "unban", "198.51.100.0/24")
    ask(relays[1], "unban", "203.0.113.7")
    ask(relays[1], "ban", "203.0.113.7", "--reason=another")
    found, document = findings(inventory, code=1)
    assert sorted(found) == [("ban_differs", "203.0.113.7", ["one"], ["other"]), ("ban_missing", "198.51.100.0/24", ["one"], ["other"])]
    remedy, = [finding["remedy"] for finding in document["findings"] if finding["code"] == "ban_missing"]
    command = re.search("on all of them: detourctl fleet (ban .*) --inventory .*, or on none: detourctl fleet unban 198.51.100.0/24 ", remedy)[1]
    table, _ = inventory.run("bans", "--exit-code", code=1)
    said = " ".join(table.split())
    assert "! 198.51.100.0/24 is banned on one, and not on other. ban it on all of them: detourctl fleet ban" in said, said
    assert "! the ban of 203.0.113.7 has another end or reason on other than on one. ban it" in said, said
    assert len(re.findall("^203.0.113.7 ", table, re.M)) == 2
    inventory.run(*shlex.split(command))
    assert findings(inventory, code=1)[0] == [("ban_differs", "203.0.113.7", ["one"], ["other"])]
    # What is too many to read is counted, for programs all is there.
    ask(relays[0], "ban", *(f"192.0.2.{i}" for i in range(20)))
    assert len(findings(inventory, code=1)[0]) == 21
    assert "! 11 more bans differ; --json has all\n" in inventory.run("bans")[0]
    for relay in relays:
        ask(relay, "unban", *(ban["target"] for ban in ask(relay, "bans")["bans"]))
    # One that does not answer is no difference.
    inventory.add("relay gone", region=900, socket=f"{tmp_path}/none")
    said, errors = inventory.run("bans", code=1)
    assert said == "Nothing is banned.\n" and "gone: no daemon answers" in errors


def test_bans_of_more_than_one_page(relays, inventory):
    keys = [f"nodekey:{i:064x}" for i in range(1, 1202)]
    inventory.run("ban", *keys)
    found, document = findings(inventory)
    assert found == [] and sorted(ban["target"] for ban in document["bans"]) == keys
    inventory.run("unban", *keys)
    assert findings(inventory)[1]["bans"] == []


def test_budgets_by_relay(inventory):
    table, _ = inventory.run("budgets")
    assert [line.split()[:3] for line in table.splitlines()[1:]] == [
        ["one", "relay", "-"], ["other", "relay", "-"], ["other", "class", "guests"]]
    document = json.loads(inventory.run("budgets", "--json")[0])["relays"]
    assert [len(relay["budgets"]) for relay in document] == [1, 2]
