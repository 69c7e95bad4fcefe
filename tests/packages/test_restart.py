"""Restarts under a real systemd, which keeps one descriptor for the relay: clients stay, or the log says why not.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pytest

from installed import CONFIG, UNIT, install, said, set_up, talkers
from machine import until

LOST = "all clients of the program before are lost"


@pytest.fixture(name="relay", scope="module")
def _relay(machine):
    """A machine on which the relay runs as installed; it is gone afterwards."""
    install(machine, "detour")
    set_up(machine)
    machine.run("systemctl", "enable", "--now", UNIT)
    yield machine
    machine.run("dpkg", "-P", "detour")


def connections(relay):
    """To the port that clients come to, as the kernel knows them."""
    return relay.run("ss", "-Htn", "state", "established", "sport", "=", ":443").stdout


def test_restart_keeps_the_clients(relay):
    """Three times another process: every packet comes, once and in order, over the same connections."""
    with talkers(relay) as end:
        before = connections(relay)
        assert len(before.splitlines()) == 2
        for _ in range(3):
            pid = relay.unit(UNIT, "MainPID")
            relay.run("systemctl", "restart", UNIT)
            assert relay.unit(UNIT, "MainPID") not in (pid, "0")
            assert "2 clients kept, 0 asked to reconnect" in said(relay)
            assert relay.unit(UNIT, "NFileDescriptorStore") == "1"
        peers = [line.split()[-1] for line in connections(relay).splitlines()]
        assert sorted(peers) == sorted(line.split()[-1] for line in before.splitlines())
        assert end() > 0


def test_restart_and_upgrade_in_turn(relay):
    """What the program stored before it went over to another one in its process is of no use any more, and replaced."""
    with talkers(relay) as end:
        for command in (("detourctl", "upgrade"), ("systemctl", "restart", UNIT), ("detourctl", "upgrade"), ("systemctl", "restart", UNIT)):
            relay.run(*command)
            until(lambda: relay.unit(UNIT, "NFileDescriptorStore") == "1", 30, "one descriptor is kept")
        assert "2 clients kept, 0 asked to reconnect" in said(relay)
        assert end() > 0


def test_a_kill_loses_the_clients_and_the_log_says_so(relay):
    """Keys that were in use are taken up by nobody."""
    with talkers(relay):
        pid = relay.unit(UNIT, "MainPID")
        relay.shell(f"kill -KILL {pid}")
        until(lambda: relay.unit(UNIT, "MainPID") not in (pid, "0") and relay.unit(UNIT, "ActiveState") == "active", 60, "another process runs")
        until(lambda: connections(relay) == "", 30, "the connections are closed")
    assert f"{LOST}: it was ended by a signal or a fault" in said(relay)
    relay.run("systemctl", "restart", UNIT)
    assert LOST not in said(relay)


def test_a_file_that_is_wrong_loses_nobody(relay):
    """The new program goes on with what was in force, and says what is wrong; with the file mended all is well."""
    relay.shell(f"cp -p {CONFIG} /tmp/good.conf && echo lisen=1 >> {CONFIG}")
    with talkers(relay) as end:
        for _ in range(2):
            relay.run("systemctl", "restart", UNIT)
            assert "lisen: no such key" in said(relay) and "the configuration that was in force before stays so" in said(relay)
            assert "2 clients kept" in said(relay)
        assert relay.run("systemctl", "reload", UNIT, check=False).returncode != 0
        relay.shell(f"cp -p /tmp/good.conf {CONFIG} && rm /tmp/good.conf")
        relay.run("systemctl", "reload", UNIT)
        assert end() > 0
    assert LOST not in said(relay)


def test_a_start_that_fails_at_first_loses_nobody(relay):
    """A program that ends before it has read what was kept leaves it to the next try."""
    relay.shell("mkdir -p /run/systemd/system/detour.service.d && printf '[Service]\\nRestartSec=100ms\\n' > /run/systemd/system/detour.service.d/soon.conf"
                " && systemctl daemon-reload")
    with talkers(relay) as end:
        relay.shell("mv /var/lib/detour/server.key /tmp/server.key && mkdir /var/lib/detour/server.key")
        relay.run("systemctl", "restart", UNIT, check=False)
        until(lambda: int(relay.unit(UNIT, "NRestarts")) >= 2, 60, "some tries")
        relay.shell("rmdir /var/lib/detour/server.key && mv /tmp/server.key /var/lib/detour/server.key")
        until(lambda: relay.unit(UNIT, "ActiveState") == "active", 60, "a try that succeeds")
        assert "2 clients kept" in said(relay)
        assert end() > 0
    relay.shell("rm -r /run/systemd/system/detour.service.d && systemctl daemon-reload")


def test_a_stop_closes_the_connections(relay):
    """systemd drops what it kept, and a later start has nothing to complain about."""
    with talkers(relay):
        relay.run("systemctl", "stop", UNIT)
        until(lambda: connections(relay) == "", 30, "the connections are closed")
        assert relay.unit(UNIT, "NFileDescriptorStore") == "0"
    relay.run("systemctl", "start", UNIT)
    assert LOST not in said(relay)
