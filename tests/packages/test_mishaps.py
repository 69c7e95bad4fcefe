"""What goes wrong around an upgrade: a dpkg that is killed, a disk that is full, a file that cannot be read, no bus, a masked unit. Each test goes on where the one before ended.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pytest

from installed import CONFIG, UNIT, install, set_up, talkers

NAMES = ("detour", "detour-curl")
# dpkg is killed with the script of the package, when that has come to the upgrade.
KILL = """\
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
printf '#!/bin/sh\\necho $$ $PPID > /tmp/reached.new; mv /tmp/reached.new /tmp/reached\\nexec sleep 600\\n' > /usr/local/sbin/detourctl
chmod +x /usr/local/sbin/detourctl
dpkg -i --force-confold /packages/detour_*.deb > /tmp/dpkg.log 2>&1 & dpkg=$!
while [ ! -e /tmp/reached ]; do sleep 0.1; done
kill -9 $dpkg $(cat /tmp/reached)
wait
rm /usr/local/sbin/detourctl /tmp/reached
dpkg --audit | grep -q 'half configured'
"""


@pytest.fixture(name="relay", scope="module")
def _relay(machine):
    """A machine with a relay that runs as installed."""
    install(machine, *NAMES)
    set_up(machine)
    machine.run("systemctl", "enable", "--now", UNIT)
    yield machine
    machine.run("dpkg", "-P", *NAMES)


def test_a_dpkg_that_is_killed_is_made_good(relay):
    """The relay goes on, and `dpkg --configure -a` does what is left to do."""
    pid = relay.unit(UNIT, "MainPID")
    with talkers(relay) as end:
        relay.shell(KILL)
        assert relay.unit(UNIT, "ActiveState") == "active"
        assert "2 connected" in relay.run("detourctl", "status").stdout
        relay.run("dpkg", "--configure", "-a")
        assert relay.run("dpkg", "--audit").stdout == ""
        assert end() > 0
    assert relay.unit(UNIT, "MainPID") == pid


def test_a_full_disk_does_not_hinder_an_upgrade(relay):
    """Where the state is there is no room left."""
    relay.shell("mkdir /tmp/state && cp -a /var/lib/detour/. /tmp/state && systemctl stop detour && mount -t tmpfs -o size=128k tmpfs /var/lib/detour"
                " && cp -a /tmp/state/. /var/lib/detour && chown detour:detour /var/lib/detour && chmod 700 /var/lib/detour && systemctl start detour")
    relay.shell("cat /dev/zero > /var/lib/detour/fill", check=False)
    with talkers(relay) as end:
        assert "2 clients kept" in install(relay, *NAMES).stdout
        assert end() > 0
    relay.shell("systemctl stop detour; umount /var/lib/detour && rm -r /tmp/state && systemctl start detour")


def test_a_configuration_that_cannot_be_read_changes_nothing(relay):
    """The relay that runs goes on, and its operator is told who may not read what."""
    pid = relay.unit(UNIT, "MainPID")
    relay.run("chmod", "0", CONFIG)
    with talkers(relay) as end:
        text = install(relay, *NAMES).stdout
        assert f"{CONFIG}: cannot be read: Permission denied" in text and "the program of before goes on" in text
        assert f"chmod o+r {CONFIG}" in relay.run("detourctl", "doctor", "files", check=False).stdout
        assert end() > 0
    relay.run("chmod", "644", CONFIG)
    assert relay.unit(UNIT, "MainPID") == pid


def test_it_needs_no_bus(relay):
    """It starts and is upgraded without one, and is found there when there is one again."""
    relay.shell("systemctl stop dbus.socket dbus.service; systemctl restart detour")
    with talkers(relay) as end:
        assert "2 clients kept" in install(relay, *NAMES).stdout
        assert end() > 0
    relay.run("systemctl", "start", "dbus.socket")


def test_a_masked_unit_is_upgraded_and_removed(relay):
    """Nothing starts it, and nothing fails over it."""
    relay.run("systemctl", "mask", UNIT)
    with talkers(relay) as end:
        assert "2 clients kept" in install(relay, *NAMES).stdout
        assert end() > 0
    relay.run("dpkg", "-r", *NAMES)
    assert relay.run("ss", "-Hltun").stdout == ""
    relay.run("systemctl", "unmask", UNIT)
