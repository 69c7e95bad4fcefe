"""Secrets that a real systemd hands to the relay: the server's key in a file that only root reads, and a list from the unit itself.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib

import pytest

from installed import DROPINS, UNIT, install, said, server_key, set_up, talkers

TOP = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = "/usr/share/doc/detour/examples/systemd/credentials.conf"
CONFIG = "/etc/detour/conf.d/credentials.conf"


@pytest.fixture(name="relay", scope="module")
def _relay(machine):
    """A machine with a relay whose key has been taken to where only root may read it."""
    install(machine, "detour", "detour-doc")
    set_up(machine)
    machine.run("systemctl", "enable", "--now", UNIT)
    yield machine
    machine.shell(f"rm -rf {DROPINS}; systemctl daemon-reload")
    machine.run("dpkg", "-P", "detour", "detour-doc")


def test_the_key_comes_from_systemd(relay):
    """The example that is installed; clients stay over the restart that it needs, and the key is the one of before."""
    key = server_key(relay)
    relay.shell("mv /var/lib/detour/server.key /etc/detour/private/derp.key && chown root:root /etc/detour/private/derp.key && chmod 0600 /etc/detour/private/derp.key")
    relay.shell(f"mkdir -p {DROPINS} && cp {EXAMPLE} {DROPINS}/ && printf '[core]\\nkey-file = ${{CREDENTIALS_DIRECTORY}}/derp.key\\n' > {CONFIG}"
                " && chmod 644 /etc/detour/conf.d/credentials.conf && systemctl daemon-reload")
    with talkers(relay) as end:
        relay.run("systemctl", "restart", UNIT)
        assert "2 clients kept" in said(relay)
        assert end() > 0
    assert server_key(relay) == key
    assert relay.shell("test -e /var/lib/detour/server.key", check=False).returncode != 0


def test_a_reload_and_an_upgrade_find_it(relay):
    """What the unit starts for a reload has it as well, and so has the program that takes over."""
    key = server_key(relay)
    with talkers(relay) as end:
        relay.run("systemctl", "reload", UNIT)
        assert "2 clients kept" in relay.run("detourctl", "upgrade").stdout
        assert end() > 0
    assert server_key(relay) == key


def test_root_beside_the_service_finds_it_while_that_runs(relay):
    """The variable is not in the shell of an operator."""
    relay.run("detourd", "--check-config")
    assert "${CREDENTIALS_DIRECTORY}/derp.key" in relay.run("detourctl", "config", "explain", "core.key-file").stdout
    told = relay.run("detourctl", "doctor", "files", check=False)
    assert told.returncode == 0, told.stdout
    relay.run("systemctl", "stop", UNIT)
    told = relay.run("detourd", "--check-config", check=False)
    assert told.returncode == 78 and "needs the variable CREDENTIALS_DIRECTORY, which is not set" in told.stderr
    relay.run("systemctl", "start", UNIT)


def test_without_the_drop_in_the_start_says_what_is_missing(relay):
    """systemd gives up at once, as with every file that is wrong."""
    relay.shell(f"mv {DROPINS}/credentials.conf /tmp/ && systemctl daemon-reload")
    assert relay.run("systemctl", "restart", UNIT, check=False).returncode != 0
    assert relay.unit(UNIT, "ActiveState") == "failed"
    assert f'{CONFIG}:2: [core] key-file: "${{CREDENTIALS_DIRECTORY}}/derp.key" needs the variable CREDENTIALS_DIRECTORY' in said(relay)
    relay.shell(f"mv /tmp/credentials.conf {DROPINS}/ && systemctl daemon-reload && systemctl start {UNIT}")


def test_a_list_may_stand_in_the_unit(relay):
    """SetCredential=, for a list of keys: files of other plugins are paths, too."""
    relay.shell(f"printf '[Service]\\nSetCredential=friends:nodekey:{'ab' * 32}\\n' > {DROPINS}/friends.conf"
                " && printf '[admission]\\nchain = friends\\n[auth friends]\\nplugin = keys\\nfile = ${CREDENTIALS_DIRECTORY}/friends\\n'"
                f" > {CONFIG.replace('credentials', 'friends')} && systemctl daemon-reload && systemctl restart {UNIT}")
    assert "friends" in relay.run("detourctl", "plugins").stdout
    assert "abababab" in relay.run("detourctl", "keys", "list").stdout
