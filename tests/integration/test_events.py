"""What happened to clients: told as it happens, remembered, and found again after a restart.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import signal
import subprocess
import time

import nacl.public
import pytest

from control import DETOURCTL, ask, detourctl
from relay import SMALL, daemon_environment, wait_until, with_keys

FRIENDS = with_keys(SMALL, "admission", chain="friends", refuse_hold="0s") + "\n[auth friends]\nplugin = keys\nfile = {dir}/friends\n"


@contextlib.contextmanager
def monitor(relay, *options):
    """`detourctl monitor`; gives a function for the lines so far, and ends it as a person does."""
    log = relay.directory / f"monitor{'-'.join(options)}.log"
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen([DETOURCTL, "monitor", *options], stdout=out, stderr=subprocess.PIPE, text=True,
                                   env=daemon_environment() | {"DETOUR_SOCKET": f"{relay.run_directory}/control", "LC_ALL": "C.UTF-8"})
    try:
        # A reload is an event, so that it is known when it listens.
        wait_until(lambda: (relay.reload(), time.sleep(0.2), "reload" in log.read_text())[-1], "it listens")
        yield lambda: log.read_text().splitlines()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def events_of(lines, key):
    """Names of the events of a key, out of lines of JSON."""
    return [event["event"] for event in map(json.loads, lines) if event.get("key") == f"nodekey:{key.hex()}"]


def refuse(door, secret):
    """A client that does not come in."""
    refused = door.greeted(secret)
    refused.stream.write(refused.client_info())
    refused.expect_closed()


def test_monitor_tells_as_it_happens(make_relay):
    friend, stranger = nacl.public.PrivateKey.generate(), nacl.public.PrivateKey.generate()
    key = bytes(friend.public_key)
    relay = make_relay(FRIENDS, {"friends": f"nodekey:{key.hex()} the friend\n"})
    door = relay.door()
    with monitor(relay, "--json") as lines, monitor(relay) as texts:
        first = door.client(friend)
        second = door.client(friend)
        detourctl(relay, "kick", key.hex()[:8])
        for client in (first, second):
            client.stream.expect_closed()
        refuse(door, stranger)
        wait_until(lambda: "refused" in events_of(lines(), bytes(stranger.public_key)), "the refusal")
        told = events_of(lines(), key)
        assert sorted(name for name in told if name != "admitted") == ["duplicate", "gone", "gone", "join", "join", "kick"]
        # The second verdict only repeats the first one, and both are told as one when they come close together.
        repeated = [event for event in map(json.loads, lines()) if event["event"] == "admitted"]
        assert [event["count"] for event in repeated] in ([1, 2], [2])
        assert {event.get("label") for event in repeated} == {"the friend"}
        wait_until(lambda: any("refused" in line and "auth/friends" in line for line in texts()), "the text")
        assert any(f"joined  {key.hex()[:8]}  127.0.0.1:" in line and "transport/http" in line for line in texts())
    assert not relay.log.count("g_dbus")


def test_nobody_is_told_who_did_not_ask(make_relay):
    """Other peers of the socket get no event, and after Unsubscribe nobody does."""
    relay = make_relay(SMALL)
    plain = subprocess.Popen(["gdbus", "monitor", "--address", f"unix:path={relay.run_directory}/control", "--dest",
                              "io.github.detourd.Detour1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        with monitor(relay, "--json") as lines:
            client = relay.door().client()
            wait_until(lambda: events_of(lines(), client.key) == ["join"], "the join")
    finally:
        plain.kill()
        assert "Events" not in plain.stdout.read()
        plain.wait()
        plain.stdout.close()


def test_why_at_ten_past_three(make_relay):
    friend = nacl.public.PrivateKey.generate()
    key = bytes(friend.public_key).hex()
    relay = make_relay(FRIENDS, {"friends": f"nodekey:{key} the friend\n"})
    client = relay.door().client(friend)
    clock = time.strftime("%H:%M:%S", time.localtime(time.time() + 1))
    wait_until(lambda: time.strftime("%H:%M:%S") > clock or time.strftime("%H") != clock[:2], "a second later")
    text, _ = detourctl(relay, "why", key, "--at", clock)
    assert "it was connected, since " in text and "from 127.0.0.1:" in text and " joined " in text
    client.stream.close()
    wait_until(lambda: [event["event"] for event in ask(relay, "why", key, "--at", now())["events"]][-1:] == ["gone"], "the end")
    time.sleep(1.1)  # what is asked for is a whole second
    text, _ = detourctl(relay, "why", key[:8], "--at", now())
    assert "it was not connected: it had left at " in text
    before = detourctl(relay, "why", key, "--at", "2001-01-01 03:10")[0]
    assert before == "Nothing is known of this key at 2001-01-01 03:10:00 or before.\n"
    _, errors = detourctl(relay, "why", key, "--at", "half past", code=2)
    assert "is not a time" in errors


def now():
    """The time of day, as a person has it."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("privacy, shown", [("full", 64), ("prefix", 8), ("none", 0)])
def test_events_survive_a_restart(make_relay, privacy, shown):
    config = with_keys(SMALL, "core", events_file="{dir}/events.json", events_privacy=privacy)
    relay = make_relay(config)
    client = relay.door().client()
    key = client.key.hex()
    client.stream.close()
    path = relay.directory / "events.json"
    wait_until(lambda: path.exists() and '"gone"' in path.read_text(), "it is on disk")
    text = path.read_text()
    assert [json.loads(line)["event"] for line in text.splitlines()] == ["join", "gone"]
    assert (key in text) == (shown == 64) and (key[:8] in text) == (shown >= 8)
    assert ("127.0.0.1" in text) == (shown == 64)
    assert path.stat().st_mode & 0o777 == 0o600
    relay.stop()
    relay.start()
    found = [event["event"] for event in ask(relay, "why", key, "--at", now())["events"]]
    assert found == (["join", "gone"] if shown else [])


def test_a_source_that_cannot_say_is_an_event(make_relay):
    config = with_keys(with_keys(SMALL, "core", events_file="{dir}/events.json"), "admission", chain="tailscaled", refuse_hold="0s")
    relay = make_relay(with_keys(config, "auth tailscaled", plugin="tailscaled", socket="{run}/none.sock"))
    refuse(relay.door(), nacl.public.PrivateKey.generate())
    path = relay.directory / "events.json"
    wait_until(lambda: path.exists() and '"source"' in path.read_text(), "it is on disk")
    told = next(event for event in map(json.loads, path.read_text().splitlines()) if event["event"] == "source")
    assert (told["source"], told["reason"].startswith("cannot say who may come in: ")) == ("auth/tailscaled", True), told


def test_the_file_is_bounded(make_relay):
    config = with_keys(SMALL, "core", events_file="{dir}/events.json", events_file_size="64K")
    relay = make_relay(config)
    path, before = relay.directory / "events.json", relay.directory / "events.json.1"
    door = relay.door()

    def went_round():
        for _ in range(20):
            door.client().stream.close()
        return before.exists() and path.exists() and path.stat().st_size > 8192
    wait_until(went_round, "it went round")
    assert before.stat().st_size <= 32768 and path.stat().st_size <= 32768
    for line in before.read_text().splitlines() + path.read_text().splitlines():
        assert json.loads(line)["event"] in ("join", "gone")


def test_a_folder_that_is_not_there_is_told_once(make_relay):
    relay = make_relay(with_keys(SMALL, "core", events_file="{dir}/nowhere/events.json"))
    client = relay.door().client()
    wait_until(lambda: "events are kept in memory only" in relay.log, "the warning")
    client.ping(b"12345678")
    assert relay.log.count("events are kept in memory only") == 1
