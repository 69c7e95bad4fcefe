"""Upgrades in place: what the relay remembers and has counted goes along.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import socket

from control import ask, counter
from derp_client import PATIENCE, Stream, http_request
from relay import wait_until, with_keys
from test_events import now
from test_log import lines_of
from test_stun import request
from test_tenants import enter, files, two_tenants
from upgrading import PATIENT


def events_of(relay, key):
    """What happened to it, the oldest first."""
    return [(event["event"], event["first"], event.get("count")) for event in ask(relay, "why", key, "--at", now())["events"]]


def messages(relay):
    """Of the lines that the relay keeps of its log."""
    return [line["message"] for line in lines_of(relay, "--lines=1000", "--level=message")]


def test_events_the_log_and_rates(upgraded):
    """Twice, so that what was carried once is carried again."""
    relay = upgraded(with_keys(PATIENT, "core", log_memory="4M"))
    door = relay.door("tls")
    gone, stays = door.client(), door.client()
    key = gone.key.hex()
    for _ in range(5):
        gone.send_packet(stays.key, b"hello")
        stays.expect_packet(gone.key, b"hello")
    gone.stream.close()
    wait_until(lambda: [name for name, *_ in events_of(relay, key)] == ["join", "gone"], "the end")
    events = events_of(relay, key)
    first = messages(relay)[0]
    received = ask(relay, "status")["last_hour"]["packets_received"]
    assert received == 5
    for number in range(2):
        relay.upgrade(kept=1)
        assert events_of(relay, key) == events
        kept = messages(relay)
        # In their order: the first program's, then the next one's.
        assert kept[0] == first
        words = [text.split()[0] for text in kept if text.startswith(("upgrading from", "upgraded from"))]
        assert words == ["upgrading", "upgraded"] * (number + 1)
        hour = ask(relay, "status")["last_hour"]
        assert (hour["packets_received"], hour["joined"], hour["left"]) == (5, 2, 1)


def test_the_file_has_every_event_once(upgraded):
    relay = upgraded(with_keys(PATIENT, "core", events_file="{dir}/events.json"))
    path = relay.directory / "events.json"
    clients = [relay.door("tls").client()]
    for _ in range(2):
        relay.upgrade()
        clients.append(relay.door("tls").client())
    joined = ["nodekey:" + client.key.hex() for client in clients]

    def in_file():
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line["key"] for line in lines if line["event"] == "join"]
    wait_until(lambda: joined[-1] in in_file(), "the last one is on disk")
    assert in_file() == joined
    assert [name for name, *_ in events_of(relay, clients[0].key.hex())] == ["join"]


def test_what_plugins_have_counted(upgraded):
    relay = upgraded()

    def ask_stun():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(relay.address("stun"))
            sock.settimeout(PATIENCE)
            sock.send(request(bytes(12)))
            assert sock.recv(2048)
    for _ in range(3):
        ask_stun()
    answered = wait_until(lambda: counter(relay, "requests_success", instance="service/stun"), "the service counts")
    assert answered == 3
    for number in range(2):
        relay.upgrade()
        assert counter(relay, "requests_success", instance="service/stun") == 3 + number
        ask_stun()
        wait_until(lambda: counter(relay, "requests_success", instance="service/stun") > 3 + number, "the service counts on")


def test_totals_of_tenants(upgraded):
    relay = upgraded(two_tenants(chain="open"), files=files())
    clients = [enter(relay, name) for name in ("red.relay.test", "red.relay.test", "blue.relay.test")]
    clients[0].send_packet(clients[1].key, b"hello")
    clients[1].expect_packet(clients[0].key, b"hello")
    clients.pop(0).stream.close()

    def totals():
        return {row["name"]: {name: row[name] for name in ("connections", "joined", "refused", "bytes_received", "bytes_sent")}
                for row in ask(relay, "status")["tenants"]}
    wait_until(lambda: totals()["red"]["connections"] == 1 and totals()["red"]["bytes_sent"] > 0, "all is counted")
    before = totals()
    assert before["red"]["joined"] == 2 and before["red"]["bytes_received"] > 0 and before["blue"]["joined"] == 1
    for _ in range(2):
        relay.upgrade(kept=2)
        assert totals() == before


def test_charts_go_on(upgraded):
    """What an instance freezes comes back: the pages have their lines at once."""
    pages = with_keys(with_keys(PATIENT, "service metrics", listen="127.0.0.1:{metrics}"), "http debug")
    relay = upgraded(pages)

    def overview():
        stream = Stream.connect(relay.address("metrics"))
        try:
            answer = http_request(stream, "GET", "/debug/")
        finally:
            stream.close()
        assert answer.status == 200
        return answer.body.decode()
    assert "no values yet" in overview()
    wait_until(lambda: 'class="line"' in overview(), "two values of a chart", timeout=3 * PATIENCE)
    relay.upgrade()
    assert 'class="line"' in overview()
