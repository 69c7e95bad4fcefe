"""detourctl refused: who is kept out, how often, from where and why, and the command that lets each in.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import shlex

import nacl.public
import pytest

from control import ask, detourctl
from relay import SMALL, wait_until, with_keys


def new_key():
    return nacl.public.PrivateKey.generate()


def text_of(key):
    """A key as Tailscale writes it."""
    return f"nodekey:{bytes(key.public_key).hex()}"


def friends_only(place="file", path="{dir}/friends", **admission):
    config = with_keys(SMALL, "auth friends", plugin="keys", **{place: path})
    return with_keys(config, "admission", **({"chain": "friends", "refuse_hold": "60s"} | admission))


def waiting(door, key, **info):
    """A client that asked for its login, and has no answer yet."""
    client = door.greeted(key)
    client.stream.write(client.client_info(**info))
    return client


def refused(relay):
    return {row["key"]: row for row in ask(relay, "refused")["refused"]}


def held_row(relay, key):
    """The row of a client as soon as it is held."""
    return wait_until(lambda: (row := refused(relay).get(text_of(key))) and row["held"] and row, "a client that is held")


@pytest.mark.parametrize("place", ["file", "directory"])
def test_the_command_that_is_shown_lets_a_client_in(make_relay, place):
    path = "{dir}/friends" if place == "file" else "{dir}/lists"
    listed = "friends" if place == "file" else "lists/a.keys"
    relay = make_relay(friends_only(place, path), {listed: f"{text_of(new_key())}\n"})
    key = new_key()
    assert detourctl(relay, "refused")[0] == "Nobody was refused lately.\n"
    client = waiting(relay.door("http"), key)
    row = held_row(relay, key)
    assert (row["source"], row["plugin"], row["verdict"], row["address"]) == ("auth/friends", "auth-keys", "deny", "127.0.0.1")
    assert row["count"] == 1 and row["held"] == 1 and "not in" in row["reason"]
    text, _ = detourctl(relay, "refused")
    assert text_of(key) in text and "held now" in text and row["remedy"] in text
    words = shlex.split(row["remedy"])
    assert words[0] == "detourctl"
    detourctl(relay, *words[1:])
    client.read_server_info()
    wait_until(lambda: refused(relay) == {}, "nobody is kept out")


def test_how_often_and_who_went_away(make_relay):
    relay = make_relay(friends_only(refuse_hold="0s"), {"friends": f"{text_of(new_key())}\n"})
    one, other = new_key(), new_key()
    for _ in range(3):
        waiting(relay.door("http"), one).stream.expect_closed()
    waiting(relay.door("http"), other).stream.expect_closed()
    rows = ask(relay, "refused")["refused"]
    assert [(row["key"], row["count"], row["held"]) for row in rows] == [(text_of(other), 1, 0), (text_of(one), 3, 0)]
    assert "3 times, last at 20" in detourctl(relay, "refused")[0]
    assert [row["key"] for row in ask(relay, "refused", "--limit", "1")["refused"]] == [text_of(other)]
    assert "--limit" in detourctl(relay, "refused", "--limit", "0", code=2)[1]


def test_several_lists_bans_and_names_of_applications(make_relay):
    config = with_keys(friends_only(disallow_app_names="bad", chain="friends; guests", match="any"),
                       "auth guests", plugin="keys", file="{dir}/guests")
    relay = make_relay(config, {"friends": f"{text_of(new_key())}\n", "guests": f"{text_of(new_key())}\n"})
    stranger, banned, bad = new_key(), new_key(), new_key()
    detourctl(relay, "ban", text_of(banned), "--reason", "spam")
    clients = [waiting(relay.door("http"), key, **({"appName": "bad"} if key is bad else {})) for key in (stranger, banned, bad)]
    # The file has to be named where there are several.
    row = held_row(relay, stranger)
    assert row["remedy"].endswith(f" {relay.directory}/{row['source'].removeprefix('auth/')}")
    row = held_row(relay, banned)
    assert (row["source"], row["ban"], row["remedy"]) == ("bans", text_of(banned), f"detourctl unban {text_of(banned)}")
    row = held_row(relay, bad)
    assert row["source"] == "admission" and "remedy" not in row
    assert "[admission] disallow-app-names keeps it out" in " ".join(detourctl(relay, "refused")[0].split())
    del clients


def test_a_flood_of_strangers_is_bounded_and_a_dry_run_refuses_nobody(make_relay):
    relay = make_relay(friends_only(refuse_hold="0s"), {"friends": f"{text_of(new_key())}\n"})
    for _ in range(150):
        waiting(relay.door("http"), new_key()).stream.expect_closed()
    assert len(ask(relay, "refused")["refused"]) == 100
    assert len(ask(relay, "refused", "--limit", "1000")["refused"]) == 150
    relay.reload(relay.config.replace("refuse-hold = 0s", "refuse-hold = 0s\ndry-run = true"))
    key = new_key()
    relay.door("http").client(key)
    assert text_of(key) not in refused(relay)
