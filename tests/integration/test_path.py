"""detourctl path: why a client gets its packets slowly.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import subprocess
import time

import pytest

import path_causes
from control import DETOURCTL, ask, detourctl
from derp_client import PATIENCE
from lines import meanwhile
from relay import SMALL, daemon_environment, wait_until, with_keys

LOOKS_MAX = 8  # that a relay has at a time

PATIENT = with_keys(SMALL, "limits", write_timeout="10m")


def text_of(client):
    return f"nodekey:{bytes(client.key).hex()}"


@contextlib.contextmanager
def starting(relay, *arguments):
    """The process of a detourctl that runs meanwhile."""
    with subprocess.Popen([DETOURCTL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=daemon_environment() | {"LC_ALL": "C.UTF-8", "DETOUR_SOCKET": f"{relay.run_directory}/control"}) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def watched(relay, client):
    """As many looks at the client as there may be, which have begun and are to take a minute; gives their processes."""
    with contextlib.ExitStack() as stack:
        looks = [stack.enter_context(starting(relay, "path", text_of(client), "--for", "60s")) for _ in range(LOOKS_MAX + 1)]
        surplus = wait_until(lambda: [look for look in looks if look.poll() is not None], "one is too many")
        # It is told so, though the others hold more calls than the control socket has turns.
        assert len(surplus) == 1 and "too many clients are watched" in surplus[0].communicate(timeout=PATIENCE)[1]
        yield [look for look in looks if look not in surplus]


def path(relay, client, wanted="1s"):
    return ask(relay, "path", text_of(client), "--for", wanted)["path"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_client_whose_packets_go_out_at_once(make_relay, workers):
    relay = make_relay(with_keys(PATIENT, "core", workers=workers))
    door = relay.door("http")
    sender, receiver = door.client(), door.client()

    def pass_one():
        sender.send_packet(receiver.key, b"x" * 500)
        receiver.expect_packet(sender.key, b"x" * 500)
        time.sleep(0.005)
    pass_one()
    with meanwhile(pass_one):
        report = path(relay, receiver)
    assert report["cause"] in ("none", "relay-cpu"), report  # the latter where others have the processors
    assert report["key"] == text_of(receiver) and report["packets_sent"] > 5
    assert 900_000 < report["time_us"] and report["round_trip_us"] > 0
    assert report["sender_count"] == 1 and report["senders"][0]["key"] == text_of(sender)
    assert report["senders"][0]["bytes_received"] > 0
    # The client that sends gets nothing.
    assert path(relay, sender, "200ms")["cause"] == "quiet"


def test_a_client_that_does_not_read(make_relay):
    relay = make_relay(PATIENT)
    door = relay.door("http")
    sender = door.client()
    receiver = door.client(stream=door.stream(receive_buffer=4096))
    for _ in range(400):
        sender.send_packet(receiver.key, b"f" * 60000)
    sender.ping(b"all sent")

    def send_one():
        sender.send_packet(receiver.key, b"x" * 500)
        time.sleep(0.01)
    with meanwhile(send_one):
        report = path(relay, receiver)
        text = detourctl(relay, "path", text_of(receiver)[:24], "--for", "500ms")[0]
    assert report["cause"] == "reader" and report["waiting"] == 1 and report["limited_by_window"] > 0.5
    assert report["waiting_bytes"] > 0 and report["packets_dropped"] > 0 and report["queue_delay_us"] > 500_000
    assert text.startswith("This client reads too slowly") and text_of(receiver) in text


def test_a_client_that_is_not_there(make_relay):
    relay = make_relay(SMALL)
    door = relay.door("http")
    gone = door.client()
    gone.close()
    assert "not connected" in detourctl(relay, "path", "nodekey:" + "ab" * 32, code=1)[1]
    assert detourctl(relay, "path", "abc", code=2)[1]
    assert "--for" in detourctl(relay, "path", "abcd", "--for", "5m", code=2)[1]


def test_a_client_that_leaves_while_it_is_watched(make_relay):
    """The looks end then, and not after the minute."""
    relay = make_relay(with_keys(SMALL, "core", workers=2))
    client = relay.door("http").client()
    with watched(relay, client) as looks:
        client.close()
        for look in looks:
            assert "the client left while it was watched" in look.communicate(timeout=PATIENCE)[1] and look.returncode == 1
    # The relay has room for others then.
    assert path(relay, relay.door("http").client(), "200ms")["cause"] == "quiet"


def test_the_daemon_does_not_wait_for_the_end_of_a_look(make_relay):
    relay = make_relay(SMALL)
    client = relay.door("http").client()
    with watched(relay, client) as looks:
        relay.stop()
        for look in looks:
            told = look.communicate(timeout=PATIENCE)[1]
            assert look.returncode != 0 and ("the daemon stops" in told or "closed" in told), told


@pytest.mark.parametrize("cause", path_causes.CAUSES)
def test_each_cause_is_named(make_relay, cause):
    """Each is made by what makes it in the world. On a host that is very busy one of three looks may be at the wrong moment."""
    seen = []
    while cause not in seen and len(seen) < 3:
        seen.append(path_causes.report_of(make_relay, cause)["cause"])
    assert cause in seen, seen
