"""The unit with a user that systemd makes for it, by the drop-in that comes with the documents.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pytest

from installed import DROPINS, UNIT, install, said, set_up, talkers

EXAMPLE = "/usr/share/doc/detour/examples/systemd/dynamic-user.conf"


@pytest.fixture(name="relay", scope="module")
def _relay(machine):
    """A machine on which the relay has run as its own user, and restarts as one that was not there before."""
    install(machine, "detour", "detour-doc")
    set_up(machine)
    machine.run("systemctl", "enable", "--now", UNIT)
    machine.run("useradd", "-r", "-G", "detour-status", "reader")
    machine.run("useradd", "-r", "stranger")
    yield machine
    machine.shell(f"rm -rf {DROPINS}; systemctl daemon-reload")
    machine.run("dpkg", "-P", "detour", "detour-doc")
    machine.shell("userdel reader; userdel stranger")


def server_key(relay):
    """What the relay is known by, as the folder of its state has it."""
    return relay.run("sha256sum", "/var/lib/detour/server.key").stdout


def user_of(relay):
    """The number of the user as whom the relay runs."""
    return int(relay.run("stat", "-c", "%u", f"/proc/{relay.unit(UNIT, 'MainPID')}").stdout)


def test_it_restarts_as_another_user(relay):
    """Clients stay, what the relay keeps goes along, and nobody owns it but that user."""
    key = server_key(relay)
    relay.shell(f"mkdir -p {DROPINS} && cp {EXAMPLE} {DROPINS}/ && systemctl daemon-reload")
    with talkers(relay) as end:
        relay.run("systemctl", "restart", UNIT)
        assert "2 clients kept" in said(relay)
        assert end() > 0
    assert 61184 <= user_of(relay) <= 65519
    assert server_key(relay) == key
    assert relay.run("readlink", "/var/lib/detour").stdout.strip() == "private/detour"
    assert relay.run("stat", "-c", "%u %a", "/var/lib/private/detour/server.key").stdout.split() == [str(user_of(relay)), "600"]


def test_it_upgrades_and_writes_what_lasts(relay):
    """In place, and a file of the configuration by the group that stays."""
    with talkers(relay) as end:
        assert "2 clients kept" in relay.run("detourctl", "upgrade").stdout
        assert end() > 0
    relay.run("detourctl", "plugins", "disable", "--persist", "service/stun")
    assert "service" in relay.shell("cat /etc/detour/conf.d/*").stdout
    relay.run("systemctl", "reload", UNIT)
    told = relay.run("detourctl", "doctor", "files", check=False)
    assert told.returncode == 0, told.stdout


def test_the_socket_is_for_the_group(relay):
    """Members may read; others may not even connect."""
    assert relay.run("stat", "-c", "%G %a", "/run/detour/control").stdout.split() == ["detour-status", "660"]
    as_user = ("setpriv", "--init-groups", "--regid=nogroup")
    assert relay.run(*as_user, "--reuid=reader", "detourctl", "status").stdout.startswith("relay.example.com")
    assert relay.run(*as_user, "--reuid=stranger", "detourctl", "status", check=False).returncode != 0


def test_it_leaves_the_bus_alone(relay):
    """The bus would not let such a user in, and the relay does not try again and again."""
    assert "environment:DETOUR_CORE_DBUS" in relay.run("detourctl", "config", "explain", "core.dbus").stdout
    assert "bus" not in said(relay)


def test_the_start_of_the_system_changes_nothing(relay):
    """systemd-tmpfiles, which makes the folders of the ordinary user."""
    relay.run("systemd-tmpfiles", "--create", "detour.conf")
    assert relay.run("readlink", "/var/lib/detour").stdout.strip() == "private/detour"
    assert int(relay.run("stat", "-c", "%u", "/var/lib/private/detour").stdout) == user_of(relay)
    relay.run("systemctl", "restart", UNIT)


def test_an_upgrade_of_the_package_keeps_it_so(relay):
    """Scripts of the package give nothing to the ordinary user."""
    with talkers(relay) as end:
        assert "2 clients kept" in install(relay, "detour").stdout
        assert end() > 0
    assert 61184 <= user_of(relay) <= 65519


def test_without_the_drop_in_it_is_as_before(relay):
    """The ordinary user has all of it again."""
    key = server_key(relay)
    relay.shell(f"rm -r {DROPINS} && systemctl daemon-reload")
    with talkers(relay) as end:
        relay.run("systemctl", "restart", UNIT)
        assert end() > 0
    assert relay.run("id", "-u", "detour").stdout.strip() == str(user_of(relay))
    assert server_key(relay) == key


def test_a_purge_leaves_nothing_of_either(relay):
    """Not below `private` either."""
    relay.shell(f"mkdir -p {DROPINS} && cp {EXAMPLE} {DROPINS}/ && systemctl daemon-reload && systemctl restart {UNIT}")
    relay.run("dpkg", "-P", "detour")
    for path in ("/var/lib/detour", "/var/lib/private/detour", "/var/log/private/detour", "/etc/detour", "/run/detour"):
        assert relay.shell(f"test -e {path} || test -L {path}", check=False).returncode != 0, path
    install(relay, "detour")
