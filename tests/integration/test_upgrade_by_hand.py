"""Upgrades in place: what an operator has set by hand goes along.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import socket

from control import ask, detourctl
from derp_client import Frame, Stream
from relay import wait_until, with_keys
from upgrading import PATIENT


def states(relay):
    """How each instance is."""
    return {entry["id"]: entry["state"] for entry in ask(relay, "plugins")["plugins"]}


def test_the_announcement_the_log_level_and_switched_instances(upgraded):
    """Twice: what was carried once is carried again, and what was taken back is not."""
    relay = upgraded(with_keys(PATIENT, "http home", enabled="false"))
    before = states(relay)
    assert (before["http/home"], before["http/captive"], before["transport/port80"]) == ("disabled", "running", "running")
    detourctl(relay, "plugins", "enable", "http/home")
    detourctl(relay, "plugins", "disable", "http/captive")
    detourctl(relay, "plugins", "disable", "transport/port80")
    detourctl(relay, "say", "back at noon")
    detourctl(relay, "log-level", "info")
    client = relay.door("tls").client()
    assert client.expect(Frame.HEALTH) == b"back at noon"
    switched = states(relay)
    for _ in range(2):
        relay.upgrade(kept=1)
        assert states(relay) == switched
        assert switched["http/home"] == "running" and switched["http/captive"] == switched["transport/port80"] == "stopped"
        status = ask(relay, "status")
        assert (status["announcement"], status["log_level"]) == ("back at noon", "info")
        relay.expect_refused("port80")
    assert relay.door("tls").client().expect(Frame.HEALTH) == b"back at noon"
    detourctl(relay, "plugins", "enable", "transport/port80")
    detourctl(relay, "plugins", "enable", "http/captive")
    detourctl(relay, "plugins", "disable", "http/home")
    detourctl(relay, "say", "--clear")
    detourctl(relay, "log-level", "configured")
    relay.upgrade(kept=2)
    assert states(relay) == before
    status = ask(relay, "status")
    assert (status["announcement"], status["log_level"]) == ("", "")
    Stream.connect(relay.address("port80")).close()


def test_out_of_service_stays_so_and_can_be_taken_back(upgraded):
    """The new program listens nowhere, not for a moment, and closes whom the old one would have closed; then it is taken back."""
    relay = upgraded(with_keys(PATIENT, "transport http", listen="127.0.0.1:{http};unix:{run}/http"))
    door = relay.door("tls")
    clients = [door.client(), door.client()]
    detourctl(relay, "say", "moving to another host")
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    before = ask(relay, "status")["drain_progress"]
    for client in clients:
        assert client.expect(Frame.HEALTH) == b"moving to another host"
    path = f"{relay.run_directory}/http"
    with socket.socket(socket.AF_UNIX) as other:
        # The file is another program's from now on.
        other.bind(path)
        other.listen()
        for _ in range(2):
            relay.upgrade(kept=2, ready="draining goes on: 2 connections are left")
            relay.expect_refused("tls", "http", "port80")
            assert os.path.exists(path)
        status = ask(relay, "status")
        assert (status["draining"], status["ready"]) == (True, False)
        assert status["drain_progress"] == before
    os.unlink(path)
    detourctl(relay, "drain", "--cancel")
    assert ask(relay, "status")["ready"] is True
    relay.door("http").client().close()
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(path)
    clients[0].send_packet(clients[1].key, b"stayed")
    clients[1].frames_until(clients[0].key, b"stayed")


def test_a_drain_goes_on_to_its_end(upgraded):
    """All are closed in the time that was given to the old program, and the new one ends as it was asked to."""
    relay = upgraded()
    clients = [relay.door(way).client() for way in ("tls", "http", "tls-export")]
    detourctl(relay, "drain", "--for=60s", "--end", "--no-wait")
    relay.upgrade(ready="draining goes on")
    for client in clients:
        client.stream.read_to_end(90)
    relay.wait_log("event=drained", timeout=90)
    relay.wait_end()


def test_what_was_drained_stays_so(upgraded):
    relay = upgraded()
    relay.door("tls").client()
    relay.door("http").client()
    detourctl(relay, "drain", "--for=0s", "--keep=1")
    wait_until(lambda: ask(relay, "status")["drain_progress"]["done"], "the drain to be done")
    left = ask(relay, "status")["drain_progress"]["left"]
    relay.upgrade(ready="draining goes on: 1 connection is left")
    progress = ask(relay, "status")["drain_progress"]
    assert (progress["done"], progress["left"], progress["keep"]) == (True, left, 1)
    assert relay.log.count("event=drained") == 1
