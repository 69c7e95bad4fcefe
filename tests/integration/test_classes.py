"""Classes: who has which one, the rate that goes with it, and that changes reach who is connected.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

from control import ask, counter, detourctl
from derp_client import Frame
from relay import EVERYTHING, wait_until, with_keys
from test_admission import keys_only, new_key
from test_events import monitor, now

PACKET = 60000
BURST = 65536 + 32 + 5  # of a client: the longest frame at least


def friends(*entries):
    """The file of a list of keys; each entry is a key and its class, or None."""
    return "".join(f"nodekey:{bytes(key.public_key).hex()}" + (f" class={name}" if name else "") + "\n"
                   for key, name in entries)


def row(relay, client):
    """What the list of clients has of a client."""
    return next(row for row in ask(relay, "clients")["clients"] if row["key"] == f"nodekey:{client.key.hex()}")


def received(relay, client):
    """Bytes of packets that the relay has taken of a client."""
    return row(relay, client)["bytes_received"]


def is_paused(relay, client):
    return "slowed" in row(relay, client)


def test_the_rate_of_a_class_holds_for_its_clients_alone(make_relay):
    slow, free = new_key(), new_key()
    config = with_keys(keys_only(), "class slow", receive_rate="1K")
    relay = make_relay(config, {"friends": friends((slow, "slow"), (free, None))})
    door = relay.door("tls")
    slow, free = door.client(slow), door.client(free)
    for n in range(4):
        slow.send_packet(free.key, bytes([n]) * PACKET)
    wait_until(lambda: is_paused(relay, slow), "its client is slowed")
    # At a KiB a second the second packet is a minute away.
    assert received(relay, slow) == PACKET
    for n in range(4):
        free.send_packet(free.key, bytes([n]) * PACKET)
    free.expect_packet(slow.key, bytes([0]) * PACKET)
    for n in range(4):
        free.expect_packet(free.key, bytes([n]) * PACKET)
    assert not is_paused(relay, free)
    line = next(line for line in relay.log.splitlines() if "event=client-slowed" in line)
    assert "[class slow] receive-rate = 1024 bytes a second" in line
    assert row(relay, slow)["class"] == "slow"
    assert "class" not in row(relay, free)


def test_who_is_slowed_and_why_is_said_once_for_each_connection(make_relay):
    key = new_key()
    config = with_keys(keys_only(), "class slow", receive_rate="64K")
    relay = make_relay(config, {"friends": friends((key, "slow"))})
    for n in range(1, 3):
        client = relay.door("tls").client(key)
        for _ in range(3):
            waits = counter(relay, "rate_waits")
            for _ in range(3):
                client.send_packet(client.key, bytes(PACKET))
            wait_until(lambda: is_paused(relay, client), "it is slowed")
            assert row(relay, client)["slowed"] == "receive-rate"
            assert "slowed by receive-rate" in detourctl(relay, "clients")[0]
            wait_until(lambda: received(relay, client) % (3 * PACKET) == 0, "all has come")
            assert counter(relay, "rate_waits") > waits
        said = [line for line in relay.log.splitlines() if "event=client-slowed" in line]
        assert len(said) == n and all("[class slow] receive-rate = 65536 bytes a second" in line for line in said)
        client.stream.close()
    wait_until(lambda: not ask(relay, "clients")["clients"], "both have gone")
    slowed = [event for event in ask(relay, "why", key.public_key.encode().hex(), "--at", now())["events"]
              if event["event"] == "slowed"]
    assert [event["text"] for event in slowed] == ["it sends more than [class slow] receive-rate = 65536 bytes a second"] * 2


def test_the_class_of_those_whose_verdict_names_none(make_relay):
    named, other = new_key(), new_key()
    config = with_keys(with_keys(keys_only(**{"class": "guests"}), "class guests", receive_rate="1K"), "class family")
    relay = make_relay(config, {"friends": friends((named, "family"), (other, None))})
    named, other = relay.door().client(named), relay.door().client(other)
    assert (row(relay, named)["class"], row(relay, other)["class"]) == ("family", "guests")
    for _ in range(3):
        other.send_packet(named.key, bytes(PACKET))
    wait_until(lambda: is_paused(relay, other), "the other one is slowed")


def test_an_open_relay_has_a_class_too(make_relay):
    config = with_keys(with_keys(EVERYTHING, "admission", **{"class": "everyone"}), "class everyone", receive_rate="1K")
    relay = make_relay(config)
    client = relay.door().client()
    assert row(relay, client)["class"] == "everyone"
    for _ in range(3):
        client.send_packet(client.key, bytes(PACKET))
    wait_until(lambda: is_paused(relay, client), "it is slowed")


def test_a_class_that_is_not_there_is_said_once(make_relay):
    keys = [new_key() for _ in range(3)]
    config = with_keys(keys_only(**{"class": "guests"}), "class guests")
    relay = make_relay(config, {"friends": friends(*((key, "famly") for key in keys))})
    clients = [relay.door().client(key) for key in keys]
    assert [row(relay, client)["class"] for client in clients] == ["guests"] * 3
    said = [line for line in relay.log.splitlines() if "event=class-missing" in line]
    assert len(said) == 1
    assert 'names the class "famly", and there is no [class famly]; its clients have the class guests' in said[0]


def test_a_reload_changes_the_rate_of_who_is_connected(make_relay):
    key = new_key()
    slow = with_keys(keys_only(), "class guests", receive_rate="1K")
    relay = make_relay(slow, {"friends": friends((key, "guests"))})
    client = relay.door("tls").client(key)
    for n in range(4):
        client.send_packet(client.key, bytes([n]) * PACKET)
    client.expect_packet(client.key, bytes(PACKET))
    client.expect(Frame.HEALTH)
    wait_until(lambda: is_paused(relay, client), "it is slowed")
    relay.reload(with_keys(slow, "class guests", receive_rate="100M"))
    for n in range(1, 4):
        client.expect_packet(client.key, bytes([n]) * PACKET)
    # And without the class that of [limits] holds, which is none.
    waits = counter(relay, "rate_waits")
    relay.reload(keys_only())
    for n in range(20):
        client.send_packet(client.key, bytes([n]) * PACKET)
        client.expect_packet(client.key, bytes([n]) * PACKET)
    assert counter(relay, "rate_waits") == waits


def test_another_class_reaches_who_is_connected(make_relay):
    key = new_key()
    config = with_keys(with_keys(keys_only(), "class slow", receive_rate="1K"), "class fast")
    relay = make_relay(config, {"friends": friends((key, "slow"))})
    client = relay.door("tls").client(key)
    for n in range(4):
        client.send_packet(client.key, bytes([n]) * PACKET)
    client.expect_packet(client.key, bytes(PACKET))
    client.expect(Frame.HEALTH)
    wait_until(lambda: is_paused(relay, client), "it is slowed")
    relay.write_file("friends", friends((key, "fast")))
    for n in range(1, 4):
        client.expect_packet(client.key, bytes([n]) * PACKET)
    assert row(relay, client)["class"] == "fast"
    # What changed, and when, is remembered.
    events = ask(relay, "why", client.key.hex(), "--at", now())["events"]
    assert [event["class"] for event in events if event["event"] == "admitted"] == ["slow", "fast"]
    changed = [event for event in events if event["event"] == "class"]
    assert [(event["text"], event["source"]) for event in changed] == [("class fast instead of slow", "auth/friends")]
    assert "class fast instead of slow" in detourctl(relay, "why", client.key.hex(), "--at", now())[0]


def test_other_terms_of_a_class_are_one_event(make_relay):
    slow = with_keys(with_keys(EVERYTHING, "admission", **{"class": "guests"}), "class guests", receive_rate="1K")
    relay = make_relay(slow)
    clients = [relay.door().client() for _ in range(3)]
    with monitor(relay, "--json") as lines:
        relay.reload(with_keys(slow, "class guests", receive_rate="2K"))
        wait_until(lambda: any('"class/guests"' in line for line in lines()), "it is told")
        told = [event for event in map(json.loads, lines()) if event["event"] == "class"]
    assert [(event["source"], event["text"]) for event in told] == [
        ("class/guests", "receive-rate 2K, receive-burst 2K, connections off; "
                         "before: receive-rate 1K, receive-burst 1K, connections off")]
    assert len(clients) == 3


def test_a_class_may_be_free_of_the_rate_of_all(make_relay):
    key = new_key()
    config = with_keys(with_keys(keys_only(), "limits", receive_rate="1K"), "class fast", receive_rate="off")
    relay = make_relay(config, {"friends": friends((key, "fast"))})
    client = relay.door("tls").client(key)
    for n in range(10):
        client.send_packet(client.key, bytes([n]) * PACKET)
        client.expect_packet(client.key, bytes([n]) * PACKET)
    assert counter(relay, "rate_waits") == 0
