"""Texts for the users of clients: what the operator says, and why a client is slowed or finds its key in use.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import socket

import pytest
from control import ask, at_terminal, detourctl
from derp_client import Client, Frame, Stream
from relay import EVERYTHING, wait_until, with_keys

QUIET = {"plain": b'{"version":2}'}


def expect_health(client, *parts):
    """The next frame is a text with these parts in this order; none: the empty one."""
    text = client.expect(Frame.HEALTH).decode()
    at = 0
    for part in parts:
        assert part in text[at:], text
        at = text.index(part, at) + len(part)
    assert parts or text == ""
    return text


def told(relay, client):
    """Why the client's user is told something, as status has it."""
    rows = {row["connection"]: row for row in ask(relay, "client", client.key.hex())["connections"]}
    return sorted(row.get("told", []) for row in rows.values())


def test_all_are_told_until_it_is_taken_back(make_relay):
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    before, quiet, mesh = door.client(), door.client(**QUIET), door.mesh_client(plain=json.dumps(
        {"version": 2, "meshKey": relay.mesh_key}).encode())
    detourctl(relay, "say", "down for maintenance at 20:00 UTC, for an hour")
    assert expect_health(before, "down") == "down for maintenance at 20:00 UTC, for an hour"
    after = door.client()
    expect_health(after, "down for maintenance")
    assert told(relay, after) == [["announcement"]]
    assert told(relay, quiet) == [[]]
    # A reload changes nothing; another text replaces the first.
    relay.reload()
    late = door.client()
    expect_health(late, "down for maintenance")
    detourctl(relay, "say", "it is postponed: „später“")
    for client in (before, after, late):
        expect_health(client, "it is postponed: „später“")
    assert ask(relay, "status")["announcement"] == "it is postponed: „später“"
    assert "told it is postponed" in " ".join(detourctl(relay)[0].split())
    assert 'event=announcement' in relay.log
    detourctl(relay, "say", "--clear")
    for client in (before, after, late):
        expect_health(client)
        assert not client.frames_until_own()
    # Clients that may not take such frames got none, and whoever comes now hears nothing.
    for client in (quiet, mesh, door.client()):
        assert not client.frames_until_own()
    assert " told " not in detourctl(relay)[0]


@pytest.mark.parametrize("text, fault", [
    ("", "is empty"), ("   ", "is empty"), ("two\nlines", "control character"), ("bell\a", "control character"),
    ("turned\u202eround", "control character"), ("x" * 257, "257 bytes; write at most 256"),
    ("ü" * 129, "258 bytes; write at most 256")])
def test_texts_that_are_refused(make_relay, text, fault):
    relay = make_relay(EVERYTHING)
    assert fault in detourctl(relay, "say", text, code=2)[1]
    assert ask(relay, "status")["announcement"] == ""


def test_the_longest_text(make_relay):
    relay = make_relay(EVERYTHING)
    client = relay.door("http").client()
    detourctl(relay, "say", "ü" * 128)
    assert expect_health(client, "ü") == "ü" * 128
    for columns in (40, 80):
        assert "ü" in at_terminal(relay, columns, "status")


def test_usage_of_say(make_relay):
    relay = make_relay(EVERYTHING)
    for arguments in ([], ["text", "--clear"], ["two", "texts"]):
        detourctl(relay, "say", *arguments, code=2)
    detourctl(relay, "say", "--clear")
    assert json.loads(detourctl(relay, "say", "noon", "--json")[0])["announcement"] == "noon"


def test_who_is_slowed_is_told_until_it_is_not(make_relay):
    """Once, however often it has to wait; a text comes back when all of it is over."""
    relay = make_relay(with_keys(EVERYTHING, "limits", receive_rate="50K", keep_alive="1s"))
    door = relay.door("http")
    hasty, quiet, calm = door.client(), door.client(**QUIET), door.client()
    for client in (hasty, quiet):
        for n in range(3):
            client.send_packet(calm.key, bytes([n]) * 60000)
    frames = []
    while not frames or frames[-1] != (Frame.HEALTH, b""):
        frame = hasty.recv()
        if frame[0] != Frame.KEEP_ALIVE:
            frames.append(frame)
        if len(frames) == 1 and frame[0] == Frame.HEALTH:
            assert told(relay, hasty) == [["slowed"]]
    assert [kind for kind, _ in frames] == [Frame.HEALTH, Frame.HEALTH]
    assert b"slowed down" in frames[0][1]
    assert {kind for kind, _ in quiet.frames_until_own()} <= {Frame.KEEP_ALIVE}


def test_several_reasons_come_in_their_order(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", receive_rate="50K"))
    door = relay.door("http")
    client, other = door.client(), door.client()
    for n in range(3):
        client.send_packet(other.key, bytes([n]) * 60000)
    expect_health(client, "slowed down")
    detourctl(relay, "say", "back at noon")
    expect_health(client, "back at noon; ", "slowed down")
    again = door.client(client.secret)
    expect_health(again, "back at noon")
    client.send(Frame.NOTE_PREFERRED, b"\x01")
    expect_health(client, "back at noon; ", "another device", "; ", "slowed down")
    expect_health(again, "back at noon; ", "another device")
    assert told(relay, client) == [["announcement", "duplicate"], ["announcement", "duplicate", "slowed"]]
    shown = " ".join(detourctl(relay, "client", client.key.hex())[0].split())
    assert 'told what "detourctl say" says, that another device has its key, that it is slowed down' in shown


def test_a_key_on_two_machines(make_relay):
    """Both are told once an older connection speaks again, and the one that is left that it is over."""
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    first = door.client()
    second = door.client(first.secret)
    second.send(Frame.NOTE_PREFERRED, b"\x01")
    first.send(Frame.NOTE_PREFERRED, b"\x01")
    for client in (first, second):
        expect_health(client, "another device is connected with the key of this one")
    third = door.client(first.secret)
    expect_health(third, "another device")
    third.close()
    first.send(Frame.NOTE_PREFERRED, b"\x00")
    second.close()
    expect_health(first)
    assert not first.frames_until_own()
    assert told(relay, first) == [[]]


def test_a_client_that_dials_again_is_told_nothing(make_relay):
    """Its old connection says nothing any more, though the relay has not noticed its end yet."""
    relay = make_relay(EVERYTHING)
    door = relay.door("http")
    old = door.client()
    old.send(Frame.NOTE_PREFERRED, b"\x01")
    old.ping(b"12345678")
    new = door.client(old.secret)
    new.send(Frame.NOTE_PREFERRED, b"\x01")
    assert not new.frames_until_own()
    old.close()
    wait_until(lambda: len(ask(relay, "client", new.key.hex())["connections"]) == 1, "the old connection is gone")
    assert not new.frames_until_own()


def test_a_client_that_does_not_read_gets_the_text_later(make_relay):
    relay = make_relay(EVERYTHING)
    door = relay.door("http")
    slow, sender = door.client(stream=door.stream(receive_buffer=4096)), door.client()
    sent = 0
    while not ask(relay, "client", slow.key.hex())["connections"][0]["blocked"]:
        sender.send_packet(slow.key, bytes(60000))
        sent += 1
    detourctl(relay, "say", "noon")
    kinds = []
    while Frame.HEALTH not in kinds:
        kind, payload = slow.recv()
        kinds.append(kind)
    assert payload == b"noon" and sent > 0
    slow.stream.sock.shutdown(socket.SHUT_RDWR)


def test_no_text_comes_before_the_end(make_relay):
    """Official clients would go on to show it."""
    relay = make_relay(EVERYTHING)
    # Not a door's, because a door closes what it opened before the relay stops.
    kicked, stopped = (Client(Stream.connect(relay.address("http"))).login() for _ in range(2))
    detourctl(relay, "say", "down at noon")
    for client in (kicked, stopped):
        expect_health(client, "down at noon")
    detourctl(relay, "kick", kicked.key.hex())
    kicked.expect_closed()
    relay.stop()
    stopped.expect_closed()
    for client in (kicked, stopped):
        client.close()
