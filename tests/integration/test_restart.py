"""Restarts by a service manager that keeps a descriptor: another process takes over, and no client notices.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import signal
import socket

import pytest

from control import detourctl
from derp_client import PATIENCE, Client, Stream
from keeping import LOST
from relay import StartFailed, wait_until, with_keys
from test_upgrade_versions import next_program
from test_websocket import joined
from upgrading import DONE, PATIENT, Quiet, end_all, relay_goes_on, talk_all_ways

WAYS = ("tls-export", "http", "tls")


def carried(said):
    """How many clients were kept and lost, by the log."""
    found = re.search(DONE, said)
    assert found, said
    return int(found[3]), int(found[4])


@pytest.mark.parametrize("workers", [1, 3])
def test_nobody_notices(kept, workers):
    """Three restarts while clients of all ways in send: none loses, doubles or changes a packet."""
    relay = kept(with_keys(with_keys(PATIENT, "core", workers=workers), "transport websocket"))
    clients = [relay.door(way).client() for way in WAYS] + [joined(relay.door("tls"))]
    talks = talk_all_ways(clients)
    for _ in range(3):
        before = [talk.n_got for talk in talks]
        assert carried(relay.restart()) == (len(clients), 0)
        relay_goes_on(talks, before)
    end_all(talks)
    late = relay.door("tls").client()
    late.send_packet(clients[0].key, b"hello")
    clients[0].expect_packet(late.key, b"hello")
    assert LOST not in relay.log


def test_restarts_and_upgrades_in_turn(kept):
    """The program that took over in the same process leaves its clients to another one, and the other way round."""
    relay = kept()
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    for turn in (relay.restart, lambda: relay.upgrade(kept=len(clients))) * 2:
        before = [talk.n_got for talk in talks]
        turn()
        relay_goes_on(talks, before)
    end_all(talks)
    wait_until(lambda: len(relay.manager.kept) == 1, "the manager to keep one descriptor")
    assert LOST not in relay.log


def test_connections_that_said_nothing_go_along(kept):
    relay = kept(with_keys(PATIENT, "limits", handshake_timeout="5m"))
    quiet = Quiet(relay, WAYS)
    assert carried(relay.restart()) == (0, 0)
    quiet.log_in(relay)
    assert "connections that had not logged in" not in relay.log


def test_who_comes_between_waits(kept):
    """Listening sockets are kept as well: a connection that is made while no program runs is served by the next one."""
    relay = kept()
    client = relay.door("tls").client()
    relay.end()
    stream = Stream.connect(relay.address("http"))
    relay.start_once()
    late = Client(stream).login()
    late.send_packet(client.key, b"hello")
    client.expect_packet(late.key, b"hello")
    stream.close()


def test_sockets_of_socket_units_stay_theirs(kept):
    """Both come from the manager, and are told apart by their names; so does a program in the same process."""
    with socket.create_server(("127.0.0.1", 0)) as plain:
        relay = kept(PATIENT.replace("listen = 127.0.0.1:{http}", "socket = plain"), sockets={"plain": plain}, start=False)
        relay.ports["http"] = plain.getsockname()[1]
        relay.start()
        clients = [relay.door(way).client() for way in WAYS]
        for turn in (relay.restart, relay.upgrade, relay.restart):
            turn()
            clients.append(relay.door("http").client())
        for client in clients[1:]:
            client.send_packet(clients[0].key, b"hello")
            clients[0].expect_packet(client.key, b"hello")
        assert LOST not in relay.log


def test_killed_it_says_that_clients_are_lost(kept):
    relay = kept()
    client = relay.door("http").client()
    wait_until(lambda: relay.manager.kept, "the manager to keep a descriptor")
    relay.process.kill()
    relay.process.wait()
    client.stream.expect_closed()
    since = len(relay.log)
    relay.start_once()
    assert f"{LOST}: it was ended by a signal or a fault" in relay.log[since:]
    relay.door("http").client().ping(b"12345678")
    # It is said once.
    assert LOST not in relay.restart()


def test_a_configuration_that_is_wrong_leaves_clients_where_they_are(kept):
    """A program that cannot start, as the one before left it no configuration, says who waits, and the next one has them."""
    relay = kept()
    client = relay.door("tls").client()
    good = relay.config
    relay.ask("--binary", next_program(relay, "no-config"))
    relay.wait_log("(?s)upgraded from.*ready:")
    wait_until(lambda: len(relay.manager.kept) == 1, "the manager to keep one descriptor")
    relay.end()
    relay.write_config(with_keys(good, "limits", connections="many"))
    with pytest.raises(StartFailed) as failed:
        relay.start_once()
    assert failed.value.code == 78
    assert "[limits] connections" in failed.value.log and "clients of the program before wait in the service manager" in failed.value.log
    relay.write_config(good)
    relay.start_once()
    assert carried(relay.log) == (1, 0)
    client.ping(b"12345678")


def test_stopped_for_good_it_loses_them(kept):
    """A stop looks like a restart, until the manager drops what it kept."""
    relay = kept()
    clients = [relay.door(way).client() for way in WAYS]
    relay.end()
    relay.manager.drop()
    for client in clients:
        client.stream.expect_closed()
    relay.start_once()
    assert LOST not in relay.log


def test_without_a_store_a_restart_closes_them(kept):
    """The manager wants no descriptor: the daemon notices, and stops as ever."""
    relay = kept(most=0)
    client = relay.door("tls").client()
    wait_until(lambda: any("FDSTORE" in said for said in relay.manager.heard), "the manager to be asked")
    relay.end()
    client.stream.expect_closed()
    assert "are kept" not in relay.log and "stopping" in relay.log


def test_a_relay_that_is_drained_keeps_nobody(kept):
    relay = kept()
    client = relay.door("tls").client()
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    relay.end()
    client.stream.expect_closed()


def test_drained_while_it_stops_it_keeps_them(kept):
    """The next program serves as ever."""
    relay = kept()
    client = relay.door("tls").client()
    # Somebody who does not log in: the relay waits for him, but not for long.
    late = Stream.connect(relay.address("http"))
    since = len(relay.log)
    relay.process.terminate()
    relay.wait_log("stopping: clients are kept", since)
    relay.process.send_signal(signal.SIGUSR1)
    assert relay.process.wait(PATIENCE) == 0
    relay.start_once()
    assert carried(relay.log[since:])[0] == 1
    client.ping(b"12345678")
    relay.door("http").client().ping(b"12345678")
    late.close()
