"""A daemon that has few descriptors left, or none: an operator can still ask it and change its limits.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pathlib
import re
import resource
import time

import pytest

from control import ask, detourctl
from control_attacks import NAME, ROOT, Peer, get_all, lets_in
from message_bus import busctl
from relay import SMALL, wait_until, with_keys


def leave_descriptors(relay, number):
    """Lowers the limit of a running daemon until it can open so many more."""
    used = {int(name) for name in os.listdir(f"/proc/{relay.process.pid}/fd")}
    limit = 0
    while sum(fd not in used for fd in range(limit + 1)) <= number:
        limit += 1
    _, hard = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (limit, hard))


def give_descriptors_back(relay):
    """The limit that the daemon had."""
    _, hard = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (hard, hard))


def processor_time(relay):
    """Seconds of processor that the daemon has used."""
    fields = pathlib.Path(f"/proc/{relay.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5])
def test_status_needs_no_free_descriptor(make_relay, number):
    relay = make_relay(SMALL)
    leave_descriptors(relay, number)
    for _ in range(4):
        assert ask(relay)["ready"] is True
    give_descriptors_back(relay)


def test_the_first_call_of_all_needs_no_free_descriptor(make_relay):
    relay = make_relay(SMALL)
    leave_descriptors(relay, 1)
    detourctl(relay, "plugins")
    give_descriptors_back(relay)


def test_connections_that_must_wait_burn_no_processor(make_relay):
    relay = make_relay(SMALL)
    leave_descriptors(relay, 0)
    # More than are kept: the last ones stay in the backlog.
    crowd = [Peer(relay, authenticate=False) for _ in range(20)]
    relay.wait_log("control socket: a connection has to wait: Too many open files")
    before, begin = processor_time(relay), time.monotonic()
    wait_until(lambda: time.monotonic() - begin > 1, "a second")
    assert processor_time(relay) - before < 0.5 * (time.monotonic() - begin)
    for peer in crowd:
        peer.close()
    wait_until(lambda: lets_in(relay), "the next one comes in")
    give_descriptors_back(relay)


def test_a_reload_can_raise_what_is_full(make_relay):
    relay = make_relay(with_keys(SMALL, "limits", connections="100"))
    leave_descriptors(relay, 0)
    relay.write_config(with_keys(SMALL, "limits", connections="200"))
    assert "Reloaded" in detourctl(relay, "reload")[0]
    relay.write_config(with_keys(SMALL, "limits", connections="300"))
    relay.reload()
    assert "connections = 300" in detourctl(relay, "config", "dump")[0]
    give_descriptors_back(relay)


def test_status_says_how_many_are_left(make_relay):
    relay = make_relay(SMALL)
    address = f"unix:path={relay.run_directory}/control"

    def value(name):
        kind, text = busctl(address, "get-property", NAME, ROOT, f"{NAME}.Manager", name).split()
        assert kind in "tu"
        return int(text)

    limit, _ = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
    assert value("DescriptorLimit") == limit
    assert limit - 200 < value("DescriptorsLeft") < limit
    assert value("ControlPeers") == 1
    peers = [Peer(relay) for _ in range(5)]
    for peer in peers:
        peer.socket.sendall(get_all(1))
        peer.answers(1)
    assert value("ControlPeers") >= 6
    leave_descriptors(relay, 7)
    wait_until(lambda: value("DescriptorsLeft") <= 7, "the new limit")
    give_descriptors_back(relay)
    wait_until(lambda: value("DescriptorsLeft") > 7, "the old limit")
    for peer in peers:
        peer.close()


def test_status_says_what_is_held_before_the_login(make_relay):
    relay = make_relay(with_keys(SMALL, "limits", half_open_memory="32M", queue_memory="48M"))
    address = f"unix:path={relay.run_directory}/control"

    def budget(name):
        said = busctl(address, "get-property", NAME, ROOT, f"{NAME}.Manager", "MemoryBudgets")
        return int(re.search(rf'"{name}" t (\d+)', said)[1])

    assert budget("half_open_limit") == 32 << 20
    assert (budget("queues_limit"), budget("queues")) == (48 << 20, 0)
    assert budget("half_open") == 0
    crowd = [relay.door().stream() for _ in range(8)]
    for stream in crowd:
        stream.write(b"GET / HTTP/1.1\r\n")
    wait_until(lambda: budget("half_open") > 0, "bytes of connections before their login")
    for stream in crowd:
        stream.close()
    wait_until(lambda: budget("half_open") == 0, "nothing is held any more")


def test_status_says_what_waits_for_clients(make_relay):
    relay = make_relay(SMALL)
    address = f"unix:path={relay.run_directory}/control"
    door = relay.door()
    sender, receiver = door.client(), door.client()

    def queued():
        said = busctl(address, "get-property", NAME, ROOT, f"{NAME}.Manager", "MemoryBudgets")
        return int(re.search(r'"queues" t (\d+)', said)[1])

    def fill():
        sender.send_packet(receiver.key, bytes(60000))
        return queued() > 0

    wait_until(fill, "packets that wait for a client that does not read")
    receiver.stream.close()
    wait_until(lambda: queued() == 0, "nothing waits any more")
