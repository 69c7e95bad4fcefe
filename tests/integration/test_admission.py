"""Admission by key: who is listed comes in, others are held in silence, and changes reach those who wait.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import subprocess
import time

import nacl.public
import pytest

from derp_client import PATIENCE, Client, Closed, Frame
from relay import DETOURD, EVERYTHING, run_detourd, wait_until, with_keys


def keys_only(**admission):
    """A configuration that admits who is in the file `friends`."""
    config = with_keys(EVERYTHING, "auth friends", plugin="keys", file="{dir}/friends")
    return with_keys(config, "admission", **({"chain": "friends"} | admission))


def line(key):
    """A line of the file."""
    return f"nodekey:{bytes(key.public_key).hex()}\n"


def new_key():
    return nacl.public.PrivateKey.generate()


def started(make_relay, *friends, **admission):
    """A relay and the listed keys."""
    keys = friends or (new_key(),)
    relay = make_relay(keys_only(**admission), {"friends": "# friends\n\n" + "".join(line(key) for key in keys)})
    return relay, keys


def waiting(door, key=None, **info):
    """A client that asked for its login, and has no answer yet."""
    client = door.greeted(key)
    client.stream.write(client.client_info(**info))
    return client


@pytest.mark.parametrize("transport", ["http", "tls"])
def test_listed_keys_come_in(make_relay, transport):
    relay, keys = started(make_relay, new_key(), new_key())
    a, b = (relay.door(transport).client(key) for key in keys)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def test_a_class_stays_with_the_session(make_relay):
    with_class, without = new_key(), new_key()
    relay = make_relay(keys_only(), {"friends": f"{line(with_class).strip()} class=family Anna\n{line(without)}"})
    clients = [relay.door().client(key) for key in (with_class, without)]

    def listed(*command):
        output = subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", "--json",
                                 *command], capture_output=True, check=True, timeout=PATIENCE).stdout
        return json.loads(output)

    rows = {row["key"]: row for row in listed("clients")["clients"]}
    anna = rows[f"nodekey:{clients[0].key.hex()}"]
    assert (anna["class"], anna["label"]) == ("family", "Anna")
    assert "class" not in rows[f"nodekey:{clients[1].key.hex()}"]
    verdicts = listed("why", f"nodekey:{clients[0].key.hex()}")["verdicts"]
    assert verdicts[0]["class"] == "family"


@pytest.mark.parametrize("transport", ["http", "tls"])
def test_others_are_held_in_silence_and_then_closed(make_relay, transport):
    relay, _ = started(make_relay, refuse_hold="1500ms")
    client = waiting(relay.door(transport))
    begin = time.monotonic()
    client.stream.expect_open_and_silent(1)
    client.expect_closed()
    assert time.monotonic() - begin >= 1.3


def test_refused_clients_are_closed_at_once_if_so_wanted(make_relay):
    relay, _ = started(make_relay, refuse_hold="0s")
    waiting(relay.door()).expect_closed()


def test_a_held_client_cannot_send_and_is_not_there(make_relay):
    relay, (key,) = started(make_relay, refuse_hold="2s")
    friend = relay.door().client(key)
    stranger = waiting(relay.door())
    stranger.send_packet(friend.key, b"let me in")
    friend.send_packet(stranger.key, b"anybody?")
    assert friend.frames_until_own() == []
    stranger.expect_closed()
    assert friend.frames_until_own() == []


def test_a_held_client_may_leave(make_relay):
    relay, (key,) = started(make_relay, refuse_hold="10m")
    for way in ("close", "abort"):
        for _ in range(20):
            getattr(waiting(relay.door()), way)()
    relay.door().client(key).ping(b"12345678")


@pytest.mark.parametrize("how", ["hangup", "file watched"])
def test_a_change_admits_who_is_held_on_the_spot(make_relay, how):
    relay, (key,) = started(make_relay, refuse_hold="10m")
    stranger = waiting(relay.door("tls"))
    relay.write_file("friends", line(key) + line(stranger.secret))
    if how == "hangup":
        relay.reload()
    stranger.read_server_info()
    friend = relay.door().client(key)
    friend.send_packet(stranger.key, b"welcome")
    stranger.expect_packet(friend.key, b"welcome")


def test_clients_that_were_held_come_in_up_to_the_limit(make_relay):
    """All of them are allowed at one moment, and no more than `connections` of them come in."""
    config = with_keys(keys_only(refuse_hold="10m"), "limits", connections="3")
    relay = make_relay(config, {"friends": ""})
    strangers = [waiting(relay.door(), new_key()) for _ in range(8)]
    wait_until(lambda: relay.log.count("refused nodekey:") == len(strangers), "all are held")
    relay.write_file("friends", "".join(line(stranger.secret) for stranger in strangers))
    relay.reload()
    outcomes = [is_let_in(stranger) for stranger in strangers]
    assert outcomes.count(True) == 3
    relay.door().stream().expect_closed()
    strangers[outcomes.index(True)].close()
    wait_until(lambda: logs_in(relay.door(), strangers[0].secret), "a login after one left")


def logs_in(door, key):
    """Whether a login works now."""
    try:
        return is_let_in(waiting(door, key))
    except Closed:
        return False


def is_let_in(client):
    """Whether the login is answered, and not the connection closed."""
    try:
        client.read_server_info()
    except Closed:
        return False
    return True


def test_what_a_held_client_sent_meanwhile_is_relayed_when_it_is_admitted(make_relay):
    relay, (key,) = started(make_relay, refuse_hold="10m")
    friend = relay.door().client(key)
    stranger = relay.door().greeted()
    stranger.stream.write(stranger.client_info())
    stranger.send_packet(friend.key, b"sent while waiting")
    relay.write_file("friends", line(key) + line(stranger.secret))
    relay.reload()
    stranger.read_server_info()
    friend.expect_packet(stranger.key, b"sent while waiting")


@pytest.mark.parametrize("how", ["hangup", "file watched"])
@pytest.mark.parametrize("workers", ["1", "3"])
def test_a_key_that_is_taken_off_is_closed(make_relay, workers, how):
    one, two = new_key(), new_key()
    relay = make_relay(with_keys(keys_only(), "core", workers=workers), {"friends": line(one) + line(two)})
    a, b = relay.door().client(one), relay.door("tls").client(two)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")
    relay.write_file("friends", line(two))
    if how == "hangup":
        relay.reload()
    a.expect_closed()
    b.expect_gone(a.key, 0)
    b.ping(b"12345678")
    assert f"closing nodekey:{a.key.hex()}, which is not admitted any more: not in" in relay.log


def test_who_came_in_while_the_relay_was_open_is_asked_about_when_it_is_not(make_relay):
    key = new_key()
    relay = make_relay(keys_only(chain="open"), {"friends": line(key)})
    friend, stranger, mesh = relay.door().client(key), relay.door().client(), relay.door().mesh_client()
    relay.reload(keys_only())
    stranger.expect_closed()
    friend.ping(b"12345678")
    mesh.ping(b"12345678")


def test_a_dry_run_closes_nobody(make_relay):
    relay, (one, two) = started(make_relay, new_key(), new_key(), dry_run="true")
    a, b = relay.door().client(one), relay.door().client(two)
    relay.write_file("friends", line(two))
    since = len(relay.log)
    relay.reload()
    relay.wait_log(f"would close nodekey:{a.key.hex()}", since)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def test_an_empty_application_name_is_no_name(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "admission", disallow_app_names="bad;;worse;", refuse_hold="0s"))
    relay.door().client().ping(b"12345678")
    waiting(relay.door(), AppName="worse").expect_closed()
    assert "disallow-app-names: an empty name is left out" in relay.log


def test_mesh_clients_are_not_asked_about(make_relay):
    relay, (key,) = started(make_relay)
    mesh, friend = relay.door().mesh_client(), relay.door().client(key)
    mesh.forward_packet(bytes(32 * [7]), friend.key, b"from afar")
    friend.expect(Frame.RECV_PACKET, bytes(32 * [7]) + b"from afar")


def test_dry_run_lets_all_pass_and_says_so(make_relay):
    relay, _ = started(make_relay, dry_run="true")
    client = relay.door().client()
    client.ping(b"12345678")
    assert client.key.hex()[:8] in relay.log


def test_disallowed_application_names(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "admission", disallow_app_names="bad;worse", refuse_hold="0s"))
    for name in ("bad", "worse"):
        waiting(relay.door(), AppName=name).expect_closed()
    for name in ("", "Bad", "bad ", "good"):
        relay.door().client(AppName=name).ping(b"12345678")
    relay.door().mesh_client(AppName="bad").ping(b"12345678")


def test_refused_clients_do_not_hold_up_others(make_relay):
    relay, (key,) = started(make_relay, refuse_hold="10m")
    strangers = [waiting(relay.door()) for _ in range(100)]
    friend = relay.door("tls").client(key)
    friend.send_packet(friend.key, b"hello")
    friend.expect_packet(friend.key, b"hello")
    for stranger in strangers[:5]:
        stranger.stream.expect_open_and_silent(0.01)


def test_an_empty_list_admits_nobody(make_relay):
    relay = make_relay(keys_only(refuse_hold="0s"), {"friends": ""})
    waiting(relay.door()).expect_closed()


def test_a_directory_of_lists(make_relay):
    one, two = new_key(), new_key()
    config = with_keys(with_keys(EVERYTHING, "auth friends", plugin="keys", directory="{dir}/lists"), "admission",
                       chain="friends", refuse_hold="0s")
    relay = make_relay(config, {"lists/a.keys": line(one), "lists/b.keys": line(two), "lists/c.old": "nonsense"})
    relay.door().client(one).ping(b"12345678")
    relay.door().client(two).ping(b"12345678")
    waiting(relay.door()).expect_closed()


@pytest.mark.parametrize("match, comes_in", [("any", True), ("all", False)])
def test_chain_of_two(make_relay, match, comes_in):
    both, one = new_key(), new_key()
    config = with_keys(EVERYTHING, "auth first", plugin="keys", file="{dir}/first")
    config = with_keys(config, "auth second", plugin="keys", file="{dir}/second")
    config = with_keys(config, "admission", chain="first;second", match=match, refuse_hold="0s")
    relay = make_relay(config, {"first": line(both), "second": line(both) + line(one)})
    relay.door().client(both).ping(b"12345678")
    client = waiting(relay.door(), one)
    if comes_in:
        client.read_server_info()
    else:
        client.expect_closed()


@pytest.mark.parametrize("content", ["nonsense\n", "nodekey:12\n", "nodekey:" + "g" * 64 + "\n"])
def test_a_bad_list_is_refused_with_its_line(tmp_path, content):
    (tmp_path / "friends").write_text("# one\n" + content)
    (tmp_path / "detour.conf").write_text(
        f"[core]\nstate-directory = {tmp_path}\n[admission]\nchain = friends\n[transport http]\nlisten = 127.0.0.1:1\n"
        f"[auth friends]\nplugin = keys\nfile = {tmp_path}/friends\n")
    _, errors = run_detourd("--check-config", "--config", tmp_path / "detour.conf", "--no-vendor", code=78)
    assert "friends:2" in errors


def test_a_client_with_the_zero_key_is_never_asked_about(make_relay):
    relay, _ = started(make_relay, refuse_hold="10m")
    client = relay.door().greeted()
    info = bytearray(client.client_info())
    info[5:37] = bytes(32)
    client.stream.write(bytes(info))
    client.expect_closed()
    assert isinstance(client, Client)


def test_groups_that_decide_nothing_are_said(make_relay):
    config = with_keys(keys_only(chain="friends; resting"), "auth spare", plugin="keys", file="{dir}/friends")
    config = with_keys(config, "auth resting", plugin="keys", file="{dir}/friends", enabled="false")
    relay = make_relay(config, {"friends": line(new_key())})
    said = ["[auth spare]: it decides about nobody, because no chain names it",
            "[admission] chain: auth/resting is not enabled"]
    _, errors = run_detourd("--config", str(relay.config_file), "--check-config")
    for text in said:
        assert f"{text}" in errors and errors.count(text) == 1
        assert text in relay.log
    assert "everyone may use this relay" not in relay.log

    assert "[admission] chain: everyone may use this relay" in relay.reload(keys_only(chain="open"))


def test_an_instance_that_is_stopped_by_hand_is_said(make_relay):
    relay, _ = started(make_relay)

    def switch(what):
        subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", "plugins", what,
                        "auth/friends"], capture_output=True, check=True, timeout=PATIENCE)

    switch("restart")
    switch("disable")
    relay.wait_log("auth/friends was stopped and is not asked any more who may come in; no other auth instance runs")
    switch("enable")
    relay.wait_log("auth/friends is asked again who may come in")
    assert relay.log.count("is not asked any more") == 1
