"""Clients that were silent, and whose network swallows what they are sent.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import time

import namespaces
from control import ask, counter
from derp_client import Frame
from lines import Line
from relay import SMALL, wait_until, with_keys

CONFIG = with_keys(with_keys(SMALL, "transport http", listen="0.0.0.0:{http}"), "limits", keep_alive="1s", tcp_user_timeout="off")


def row_of(relay, client):
    rows = [row for row in ask(relay, "clients")["clients"] if row["key"] == f"nodekey:{client.key.hex()}"]
    return rows[0] if rows else None


def events_of(relay, client):
    return [event["text"] for event in ask(relay, "why", f"nodekey:{client.key.hex()}", "--at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))["events"]
            if event["event"] == "suspect"]


def silent_client(relay, line):
    """One that has been told so: two keep-alives came since it sent something."""
    client = relay.door("http").client(stream=line.connect(relay.ports["http"]))
    for _ in range(3):
        client.expect(Frame.KEEP_ALIVE)
    return client


def in_network(make_relay, work, **limits):
    def run():
        relay, line = make_relay(with_keys(CONFIG, "limits", **limits)), Line(1)
        try:
            work(relay, line)
        finally:
            line.close()
    namespaces.apart(run, network=True)


def kinds_until_packet(client):
    """Types of the frames up to the next packet, without keep-alives."""
    kinds = []
    while Frame.RECV_PACKET not in kinds:
        kinds.append(client.recv()[0])
    return [kind for kind in kinds if kind != Frame.KEEP_ALIVE]


def test_a_silent_client_is_pinged_with_what_it_is_sent(make_relay):
    relay = make_relay(with_keys(CONFIG, "limits", black_hole_timeout="4s"))
    door = relay.door("http")
    sender, silent = door.client(), door.client()
    for _ in range(3):
        silent.expect(Frame.KEEP_ALIVE)
    sender.send_packet(silent.key, b"wake up")
    assert kinds_until_packet(silent) == [Frame.PING, Frame.RECV_PACKET]
    pinged = time.monotonic()
    # It does not answer, but its system acknowledges: that is no black hole.
    while time.monotonic() < pinged + 5:
        sender.send_packet(silent.key, b"and more")
        assert kinds_until_packet(silent)[-1] == Frame.RECV_PACKET
        time.sleep(0.1)
    assert counter(relay, "connections_suspected") == 0 and not row_of(relay, silent)["suspect"]


def test_a_client_that_sends_is_not_pinged(make_relay):
    door = make_relay(with_keys(CONFIG, "limits", keep_alive="3s")).door("http")
    sender, lively = door.client(), door.client()
    end = time.monotonic() + 7
    while time.monotonic() < end:
        lively.send_packet(sender.key, b"not silent")
        kinds_until_packet(sender)
        sender.send_packet(lively.key, b"neither")
        assert kinds_until_packet(lively) == [Frame.RECV_PACKET]
        time.sleep(0.1)


def test_a_client_into_which_all_disappears_is_suspect_until_it_is_back(make_relay):
    def work(relay, line):
        sender, silent = relay.door("http").client(), silent_client(relay, line)
        line.cut()
        sender.send_packet(silent.key, b"wake up")
        wait_until(lambda: row_of(relay, silent)["suspect"], "the client is suspect")
        assert counter(relay, "connections_suspected") == 1
        assert "nothing arrives" in events_of(relay, silent)[0]
        line.mend()
        wait_until(lambda: not row_of(relay, silent)["suspect"], "it is not any more")
        assert "it answers again" in events_of(relay, silent)
        assert counter(relay, "connections_suspected") == 1
    in_network(make_relay, work)


def test_it_is_closed_after_a_limit_of_its_own(make_relay):
    def work(relay, line):
        sender, silent = relay.door("http").client(), silent_client(relay, line)
        line.cut()
        sender.send_packet(silent.key, b"wake up")
        wait_until(lambda: row_of(relay, silent) is None, "the client is closed")
        assert counter(relay, "connections_closed", stage="registered", reason="black_hole") == 1
        assert counter(relay, "connections_suspected") == 1
        line.mend()
        again = relay.door("http").client(silent.secret, stream=line.connect(relay.ports["http"]))
        sender.send_packet(again.key, b"back")
        again.expect_packet(sender.key, b"back")
    in_network(make_relay, work, black_hole_timeout="2s")
