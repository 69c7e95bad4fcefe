"""The packages on a Debian machine with a real systemd: they install, run, upgrade and leave. Each test goes on where the one before ended.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import subprocess

import pytest

from installed import UNIT, install, said, talkers
from machine import until

# What systemd-analyze calls `OK` ends at 4.9, and 0 is nothing but a sandbox. It may get better; then this number follows.
EXPOSURE = 1.6


def all_files(machine):
    """What is on the disk of the machine, without what packages and logs of the system itself write."""
    out = machine.shell("find / -xdev -path /proc -prune -o -path /sys -prune -o -path /run -prune -o -path /tmp -prune -o -path /var/log -prune -o "
                        "-path /var/cache -prune -o -path /var/lib/dpkg -prune -o -path /var/lib/systemd -prune -o -print").stdout
    return set(out.splitlines())


@pytest.fixture(scope="module")
def files_before(machine):
    """What was there before the packages were."""
    return all_files(machine)


def test_installed_it_is_neither_enabled_nor_open(machine, files_before):
    """A package that was installed has asked nobody yet, and listens nowhere."""
    assert files_before
    install(machine, "detour", "detour-curl", "detour-doc")
    assert machine.run("systemctl", "is-enabled", UNIT, check=False).stdout.strip() == "disabled"
    assert machine.run("systemctl", "is-active", UNIT, check=False).stdout.strip() == "inactive"
    assert machine.run("ss", "-Hltun").stdout == ""
    assert machine.run("detourctl", "--version").stdout.startswith("detour")
    assert machine.run("getent", "passwd", "detour").stdout.startswith("detour:")
    assert "/etc/detour/detour.conf has only comments; write a first configuration with: detourctl setup" in machine.run("detourctl", check=False).stderr


def test_set_up_it_runs(machine):
    """`detourctl setup` writes the file in the place of the sample, and the unit runs under it."""
    told = machine.run("detourctl", "setup", "relay.example.com", "--yes", "--admission=open", "--certificate=selfsigned").stdout
    assert "the one before is /etc/detour/detour.conf." in told
    machine.run("detourd", "--check-config")
    machine.run("systemctl", "enable", "--now", UNIT)
    assert machine.unit(UNIT, "ActiveState") == "active"
    assert ":443" in machine.run("ss", "-Hltn").stdout
    assert "relay.example.com" in machine.run("detourctl").stdout


def test_an_empty_relay_loads_no_second_library_of_ciphers(machine):
    """What no instance asks for is not in memory: neither libcurl nor another crypto library."""
    pid = machine.unit(UNIT, "MainPID")
    maps = machine.run("cat", f"/proc/{pid}/maps").stdout
    assert "libgnutls" in maps
    for library in ("libcurl", "libcrypto", "libssl"):
        assert library not in maps


def test_without_the_plugins_for_http_their_package_is_named(machine):
    """It is recommended only, and the configuration of the README needs it."""
    wanted = ("the plugin \"acme\" is not installed; install the package detour-curl", "the plugin \"tailscaled\" is not installed; install the package detour-curl")
    machine.run("dpkg", "-r", "detour-curl")
    told = machine.run("detourctl", "setup", "relay.example.com", "--yes", "--admission=tailscaled", "--output=/tmp/acme.conf", check=False).stdout
    assert all(words in told for words in wanted), told
    told = machine.run("detourctl", "derpmap", "list", "https://relay.example.com/map", check=False).stderr
    assert "the program that fetches it is not installed; install the package detour-curl" in told
    install(machine, "detour-curl")
    machine.run("detourd", "--check-config", "--config=/tmp/acme.conf")
    machine.shell("rm /tmp/acme.conf")


def test_reload_keeps_the_process(machine):
    """`systemctl reload` reads the file again."""
    pid = machine.unit(UNIT, "MainPID")
    machine.run("systemctl", "reload", UNIT)
    until(lambda: machine.unit(UNIT, "ActiveState") == "active", 20, "the reload ends")
    assert machine.unit(UNIT, "MainPID") == pid


def test_reload_of_a_bad_file_fails_and_changes_nothing(machine):
    """`systemctl reload` says that the file is wrong; the relay goes on as it was."""
    pid = machine.unit(UNIT, "MainPID")
    machine.shell("cp -p /etc/detour/detour.conf /tmp/good.conf && echo lisen=1 >> /etc/detour/detour.conf")
    assert machine.run("systemctl", "reload", UNIT, check=False).returncode != 0
    assert "lisen: no such key" in machine.run("journalctl", "-u", UNIT, "-o", "cat").stdout
    assert machine.unit(UNIT, "ActiveState") == "active" and machine.unit(UNIT, "MainPID") == pid
    machine.shell("cp -p /tmp/good.conf /etc/detour/detour.conf && rm /tmp/good.conf")
    machine.run("systemctl", "reload", UNIT)


def test_reload_finds_a_relay_on_another_socket(machine):
    """Where it cannot be asked it gets the signal, if the file is good."""
    machine.shell("mkdir -p /etc/detour/conf.d && printf '[core]\\ncontrol-socket = /run/detour/elsewhere\\n' > /etc/detour/conf.d/socket.conf"
                  " && chmod 644 /etc/detour/conf.d/socket.conf && systemctl restart detour && echo '# more' >> /etc/detour/conf.d/socket.conf")
    pid = machine.unit(UNIT, "MainPID")
    machine.run("systemctl", "reload", UNIT)
    until(lambda: said(machine).splitlines().count("reloaded") == 1, 20, "the relay has read its files")
    machine.shell("echo lisen=1 >> /etc/detour/conf.d/socket.conf")
    assert machine.run("systemctl", "reload", UNIT, check=False).returncode != 0
    assert "lisen: no such key" in said(machine) and machine.unit(UNIT, "MainPID") == pid
    machine.shell("rm /etc/detour/conf.d/socket.conf && systemctl restart detour")


def test_the_journal_has_fields(machine):
    """Events are found by their name, and the process by its unit."""
    fields = machine.run("journalctl", "-u", UNIT, "-o", "export").stdout
    assert re.search(r"^DETOUR_[A-Z_]*=", fields, re.M)


def test_the_sandbox_is_tight(machine):
    """The exposure that systemd computes."""
    text = machine.run("systemd-analyze", "security", "--no-pager", UNIT).stdout
    level = re.search(r"Overall exposure level for detour.service: ([0-9.]+)", text)
    assert level is not None and float(level[1]) <= EXPOSURE, text


def test_the_system_bus_has_it(machine):
    """The name on the bus, read by root, and closed to a user who is in no group of ours."""
    assert "io.github.detourd.Detour1" in machine.run("busctl", "list", "--no-pager").stdout
    get = ("busctl", "get-property", "io.github.detourd.Detour1", "/io/github/detourd/Detour1", "io.github.detourd.Detour1.Manager", "Version")
    assert machine.run(*get).stdout.startswith("s ")
    assert machine.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *get, check=False).returncode != 0


def test_a_daemon_that_hangs_is_started_anew(machine):
    """The watchdog, with a shorter time."""
    machine.shell("mkdir -p /run/systemd/system/detour.service.d && printf '[Service]\\nWatchdogSec=2s\\nRestartSec=100ms\\n' > /run/systemd/system/detour.service.d/watchdog.conf"
                  " && systemctl daemon-reload && systemctl restart detour")
    pid = machine.unit(UNIT, "MainPID")
    machine.shell(f"kill -STOP {pid}")
    until(lambda: machine.unit(UNIT, "MainPID") not in (pid, "0") and machine.unit(UNIT, "ActiveState") == "active", 30, "another process runs")
    assert "watchdog" in machine.run("journalctl", "-u", UNIT, "-o", "cat").stdout.lower()


def test_an_upgrade_drops_nobody_and_keeps_the_configuration(machine):
    """The installed program takes over in the same process; clients stay connected, and what an operator wrote stays."""
    machine.shell("rm -r /run/systemd/system/detour.service.d && systemctl daemon-reload && systemctl restart detour")
    before = machine.run("cat", "/etc/detour/detour.conf").stdout
    pid = machine.unit(UNIT, "MainPID")
    with talkers(machine) as end:
        text = install(machine, "detour", "detour-curl", "detour-doc").stdout
        assert "2 clients kept" in text, text
        assert end() > 0
    assert machine.run("cat", "/etc/detour/detour.conf").stdout == before
    assert machine.unit(UNIT, "MainPID") == pid and machine.unit(UNIT, "ActiveState") == "active"


def test_removed_it_stops_and_purged_it_leaves_nothing(machine, files_before):
    """Its files, those of `setup` and those of the daemon; its user stays, as of other packages."""
    machine.run("dpkg", "-r", "detour-curl", "detour-doc", "detour")
    assert machine.run("systemctl", "is-active", UNIT, check=False).stdout.strip() != "active"
    assert machine.run("ss", "-Hltun").stdout == ""
    assert machine.run("cat", "/etc/detour/detour.conf").stdout
    machine.run("dpkg", "-P", "detour-curl", "detour-doc", "detour")
    left = all_files(machine) - files_before
    left = {path for path in left if not re.match(r"/etc/(passwd|group|shadow|gshadow)-?$", path)}
    assert not left, subprocess.list2cmdline(sorted(left))
