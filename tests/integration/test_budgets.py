"""Quotas: what is counted, what happens when one is used up, and that it outlasts the daemon.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import signal
import time

import pytest

from control import ask, detourctl
from derp_client import Frame
from relay import EVERYTHING, wait_until, with_keys
from shifted_clock import ShiftedClock
from test_admission import keys_only, new_key, waiting
from test_classes import PACKET, friends, is_paused, row
from test_metrics import scrape

MIB = 1 << 20
DAY = 86400


# What users are told.
USED_UP = b"the traffic budget of this month is used up"


def budgets(relay):
    """Rows of the list, by kind and name."""
    return {(row["kind"], row.get("name")): row for row in ask(relay, "budgets")["budgets"]}


def used(relay, kind="class", name="guests"):
    return budgets(relay)[kind, name]["used"]


def spend(client, bytes_):
    """Sends a little more than that to itself, and reads it."""
    for _ in range(bytes_ // PACKET + 1):
        client.send_packet(client.key, bytes(PACKET))
        client.expect_packet(client.key, bytes(PACKET))


def with_quota(over, **keys):
    """A list of keys, and a class with a quota of a MiB."""
    config = with_keys(keys_only(refuse_hold="1s"), "core", events_file="{dir}/events.json")
    return with_keys(config, "class guests", quota="1M", over_quota=over, **keys)


def spent(make_relay, over, **keys):
    """A relay, a client whose class has used up its quota, and the key of another one that is on the list, too."""
    key, other = new_key(), new_key()
    relay = make_relay(with_quota(over, **keys), {"friends": friends((key, "guests"), (other, "guests"))})
    client = relay.door("tls").client(key)
    spend(client, MIB)
    wait_until(lambda: "event=budget-over" in relay.log, "it is said that the quota is used up")
    return relay, client, other


def test_what_clients_send_is_counted_once(make_relay):
    guest, other = new_key(), new_key()
    config = with_keys(with_keys(keys_only(), "class guests", quota="1G", quota_day="15"), "class family")
    relay = make_relay(config, {"friends": friends((guest, "guests"), (other, None))})
    guest, other = relay.door().client(guest), relay.door().client(other)
    for _ in range(3):
        guest.send_packet(other.key, bytes(1000))
        other.expect_packet(guest.key, bytes(1000))
    other.send_packet(guest.key, bytes(70))
    guest.expect_packet(other.key, bytes(70))
    wait_until(lambda: used(relay) == 3000, "the class has what its client sent")
    wait_until(lambda: used(relay, "relay", None) == 3070, "the relay has all of it")
    rows = budgets(relay)
    assert rows["class", "family"]["used"] == 0
    guests = rows["class", "guests"]
    assert (guests["quota"], guests["left"], guests["over_quota"], guests["level"]) == (1 << 30, (1 << 30) - 3000, "warn", "ok")
    assert guests["connections"] == 1
    assert guests["until"].endswith("-15T00:00:00Z") and guests["since"].endswith("-15T00:00:00Z")
    assert "quota" not in rows["relay", None]
    text, _ = detourctl(relay, "budgets")
    assert [line.split()[0] for line in text.splitlines()] == ["BUDGET", "relay", "class", "class"]
    assert "1 GiB" in text
    # A client that has gone is not forgotten.
    guest.send_packet(other.key, bytes(500))
    other.expect_packet(guest.key, bytes(500))
    guest.close()
    wait_until(lambda: used(relay) == 3500, "what it sent last is there")
    assert budgets(relay)["class", "guests"]["connections"] == 0


def test_warn_says_so_and_does_nothing_else(make_relay):
    relay, client, other = spent(make_relay, "warn")
    wait_until(lambda: '"budget"' in (relay.directory / "events.json").read_text(), "the event is on disk")
    assert relay.log.count("event=budget-near") <= 1
    spend(client, MIB)
    spend(relay.door().client(other), MIB)
    assert relay.log.count("event=budget-over") == 1
    told = [event for event in map(json.loads, (relay.directory / "events.json").read_text().splitlines()) if event["event"] == "budget"]
    assert told[-1]["source"] == "class/guests" and "has used up its quota" in told[-1]["reason"], told
    text, _ = detourctl(relay, "status")
    assert "! class guests has used up its quota of 1 MiB" in " ".join(text.split())
    assert "used up" in detourctl(relay, "budgets")[0]
    assert budgets(relay)["class", "guests"]["left"] == 0


def test_a_line_in_status_at_80_percent(make_relay):
    key = new_key()
    config = with_keys(with_quota("deny"), "service metrics", listen="127.0.0.1:{metrics}")
    relay = make_relay(config, {"friends": friends((key, "guests"))})
    client = relay.door().client(key)
    spend(client, MIB // 2)
    wait_until(lambda: used(relay) > MIB // 2, "it is counted")
    assert "quota" not in detourctl(relay, "status")[0]
    spend(client, MIB * 32 // 100)
    wait_until(lambda: "event=budget-near" in relay.log, "it is said")
    assert "class guests has used 8" in " ".join(detourctl(relay, "status")[0].split())
    assert budgets(relay)["class", "guests"]["level"] == "near"
    numbers = scrape(relay)
    assert [numbers[f'detour_budget_{name}{{kind="class",name="guests"}}'] for name in ("used_bytes", "quota_bytes", "connections")] == [
        str(used(relay)), str(MIB), "1"]


def test_slow_reads_clients_at_the_slow_rate(make_relay):
    relay, client, other = spent(make_relay, "slow", slow_rate="1K")
    other = relay.door("tls").client(other)
    for slowed in (client, other):
        assert slowed.expect(Frame.HEALTH) == USED_UP
        sent = row(relay, slowed)["bytes_received"]
        for _ in range(4):
            slowed.send_packet(slowed.key, bytes(PACKET))
        wait_until(lambda slowed=slowed: row(relay, slowed).get("slowed") == "quota", "it is slowed")
        # The first one is in the full bucket, the second a minute away.
        assert row(relay, slowed)["bytes_received"] <= sent + PACKET
        assert row(relay, slowed)["told"] == ["budget", "slowed"]
    assert "slow-rate = 1024 bytes a second, as the quota of class/guests is used up" in relay.log
    # A larger quota lets them go on at once, and nothing was lost.
    relay.reload(with_keys(with_quota("slow", slow_rate="1K"), "class guests", quota="1G"))
    for slowed in (client, other):
        got = [slowed.recv() for _ in range(6)]
        texts = [data for kind, data in got if kind == Frame.HEALTH]
        assert texts[0].startswith(USED_UP + b"; this device sends faster") and texts[1].startswith(b"this device sends faster")
        assert [data for kind, data in got if kind == Frame.RECV_PACKET] == [slowed.key + bytes(PACKET)] * 4


def test_deny_lets_nobody_new_in(make_relay):
    relay, client, other = spent(make_relay, "deny")
    refused = waiting(relay.door(), other)
    wait_until(lambda: "class guests has used up its quota of 1M" in relay.log.split("event=client-refused")[-1],
               "it is refused")
    refused.expect_closed()
    assert client.expect(Frame.HEALTH) == USED_UP
    spend(client, MIB)
    # Who is held, here for longer than the test can last, comes in when the quota is larger.
    config = with_keys(with_quota("deny"), "admission", refuse_hold="60s")
    relay.reload(config)
    held = waiting(relay.door(), other)
    wait_until(lambda: relay.log.count("event=client-refused") == 2, "it is held")
    relay.reload(with_keys(config, "class guests", quota="1G"))
    held.expect(Frame.SERVER_INFO)
    verdicts = detourctl(relay, "why", "nodekey:" + other.public_key.encode().hex())[0]
    assert "class/guests" in verdicts


def test_close_closes_who_is_there(make_relay):
    relay, client, other = spent(make_relay, "close")
    client.expect_closed()
    waiting(relay.door(), other).expect_closed()
    wait_until(lambda: "quota is used up" in relay.log, "the end says why")
    assert budgets(relay)["class", "guests"]["connections"] == 0


def test_the_quota_of_the_relay_holds_for_everyone(make_relay):
    config = with_keys(with_keys(EVERYTHING, "limits", quota="1M", over_quota="close"), "admission", refuse_hold="0s")
    relay = make_relay(config)
    client, mesh = relay.door().client(), relay.door("tls").mesh_client()
    spend(client, MIB)
    client.expect_closed()
    waiting(relay.door()).expect_closed()
    assert "the relay has used up its quota of 1M" in relay.log
    # Other relays are not closed.
    mesh.ping(b"still up")


def test_the_next_one_of_a_full_class_is_refused(make_relay):
    keys = [new_key() for _ in range(3)]
    config = with_keys(keys_only(refuse_hold="0s"), "class guests", connections="2")
    relay = make_relay(config, {"friends": friends(*((key, "guests") for key in keys))})
    clients = [relay.door().client(key) for key in keys[:2]]
    third = waiting(relay.door(), keys[2])
    wait_until(lambda: "class guests has its 2 connections (class/guests)" in relay.log, "it is refused")
    third.expect_closed()
    clients[0].close()
    wait_until(lambda: budgets(relay)["class", "guests"]["connections"] == 1, "a place is free")
    relay.door().client(keys[2])
    # A larger number lets those in that are held, here for longer than the test can last.
    config = with_keys(config, "admission", refuse_hold="60s")
    relay.reload(config)
    held = waiting(relay.door(), keys[0])
    wait_until(lambda: relay.log.count("has its 2 connections") == 2, "it is held")
    relay.reload(with_keys(config, "class guests", connections="3"))
    held.expect(Frame.SERVER_INFO)


def test_an_open_relay_may_be_full_as_well(make_relay):
    config = with_keys(with_keys(EVERYTHING, "admission", refuse_hold="1s", **{"class": "all"}), "class all", connections="1")
    relay = make_relay(config)
    relay.door().client()
    second = waiting(relay.door("tls"))
    wait_until(lambda: "class all has its 1 connections" in relay.log, "it is refused")
    second.expect_closed()


# ---- what outlasts a daemon


def kept(relay):
    """What stands in the file."""
    try:
        return (relay.directory / "state" / "budgets").read_text()
    except FileNotFoundError:
        return ""


def test_a_restart_goes_on_with_what_was_used(make_relay):
    key = new_key()
    relay = make_relay(with_keys(keys_only(), "class guests", quota="1G"), {"friends": friends((key, "guests"))})
    client = relay.door().client(key)
    client.send_packet(client.key, bytes(4000))
    client.expect_packet(client.key, bytes(4000))
    relay.stop()
    relay.start()
    assert (used(relay), used(relay, "relay", None)) == (4000, 4000)
    client = relay.door().client(key)
    client.send_packet(client.key, bytes(100))
    client.expect_packet(client.key, bytes(100))
    wait_until(lambda: used(relay) == 4100, "it goes on")


def test_a_crash_forgets_at_most_a_minute(make_relay, tmp_path):
    key = new_key()
    clock = ShiftedClock(tmp_path)
    with clock:
        relay = make_relay(with_keys(keys_only(), "class guests", quota="1G"), {"friends": friends((key, "guests"))})
    client = relay.door().client(key)
    client.send_packet(client.key, bytes(4000))
    client.expect_packet(client.key, bytes(4000))
    wait_until(lambda: used(relay) == 4000, "it is counted")
    clock.pass_time(55)
    wait_until(lambda: "used=4000" in kept(relay), "it is written within a minute")
    relay.stop(signal.SIGKILL, code=-signal.SIGKILL)
    relay.start()
    assert used(relay) == 4000


def test_a_used_up_quota_is_not_forgotten_by_a_crash(make_relay):
    relay, _, other = spent(make_relay, "deny")
    wait_until(lambda: "[class/guests]" in kept(relay), "it is written at once")
    relay.stop(signal.SIGKILL, code=-signal.SIGKILL)
    relay.start()
    waiting(relay.door(), other).expect_closed()
    assert "class guests has used up its quota" in relay.log


def test_a_broken_file_is_set_aside(make_relay):
    key = new_key()
    relay = make_relay(with_keys(keys_only(), "class guests", quota="1G"), {"friends": friends((key, "guests"))})
    relay.stop()
    (relay.directory / "state" / "budgets").write_text("[budgets]\nversion=1\n[relay]\nused=-1\n")
    relay.start()
    assert "budgets cannot be used: [relay] day is no number" in relay.log
    assert "used=-1" in (relay.directory / "state" / "budgets.broken").read_text()
    assert used(relay) == 0


def test_it_begins_anew_on_the_day(make_relay, tmp_path):
    key, other = new_key(), new_key()
    clock = ShiftedClock(tmp_path)
    with clock:
        relay = make_relay(with_quota("deny", quota_day="31"), {"friends": friends((key, "guests"), (other, "guests"))})
    client = relay.door().client(key)
    spend(client, MIB)
    wait_until(lambda: "event=budget-over" in relay.log, "it is used up")
    waiting(relay.door(), other).expect_closed()
    clock.jump(32 * DAY)
    wait_until(lambda: "event=budget-anew" in relay.log, "a new month has begun")
    assert "class guests begins its quota anew" in relay.log
    assert client.expect(Frame.HEALTH) == USED_UP and client.expect(Frame.HEALTH) == b"", "and that it is over"
    second = relay.door().client(other)
    second.send_packet(client.key, bytes(10))
    client.expect_packet(second.key, bytes(10))
    wait_until(lambda: used(relay) == 10, "it counts from zero")
    # The clock is set back into the month before: what was used then counts again.
    clock.jump(-32 * DAY)
    wait_until(lambda: used(relay) > MIB, "the month before goes on")


@pytest.mark.parametrize("command", [["budgets", "--help"], ["budgets", "--json"]])
def test_budgets_without_a_quota(make_relay, command):
    relay = make_relay()
    text, _ = detourctl(relay, *command)
    assert "quota" in text if "--help" in command else '"kind": "relay"' in text or '"kind":"relay"' in text
    assert time.strptime(budgets(relay)["relay", None]["until"], "%Y-%m-01T00:00:00Z")
