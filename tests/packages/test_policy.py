"""Who may call the relay on the system bus of a Debian machine, without polkit and with it, and that the bus starts it.
SPDX-License-Identifier: LGPL-2.1-or-later

The order matters: polkit comes with the fourth test.
"""

import pathlib
import textwrap

import pytest

from installed import UNIT, install, set_up
from machine import until

TOP = pathlib.Path(__file__).resolve().parents[2]
NAME = "io.github.detourd.Detour1"
MANAGER = (NAME, "/io/github/detourd/Detour1", f"{NAME}.Manager")
READ = ("busctl", "get-property", *MANAGER, "Version")
CHANGE = ("busctl", "call", *MANAGER, "Reload")
UPGRADE = ("busctl", "call", *MANAGER, "Upgrade", "s", "")


@pytest.fixture(scope="module", autouse=True)
def relay(machine):
    """A relay that is enabled, with a stranger, one of the group noc and one who may read."""
    install(machine, "detour")
    set_up(machine)
    machine.run("systemctl", "enable", "--now", UNIT)
    machine.shell("groupadd -r noc && useradd -r stranger && useradd -r -G noc keeper && useradd -r -G detour-status reader")
    until(lambda: machine.run(*READ, check=False).returncode == 0, 30, "the relay is on the bus")
    yield
    machine.shell("dpkg -P detour; userdel stranger; userdel keeper; userdel reader; groupdel noc; rm -f /etc/polkit-1/rules.d/50-detour.rules", check=False)


def call(machine, user, command):
    """What somebody's call came to: 0 and the answer, or another number and the complaint."""
    done = machine.run("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *command, check=False)
    return done.returncode, done.stdout + done.stderr


def allowed(machine, user, command):
    """Whether somebody may call that; polkit wants a proof of whom it does not know."""
    code, text = call(machine, user, command)
    assert code == 0 or "polkit wants you to prove who you are" in text, text
    return code == 0


def test_without_polkit_the_relay_decides(machine):
    """Root and the relay's own user may do everything, readers may read, others nothing."""
    for user in ("root", "detour"):
        for command in (READ, CHANGE):
            assert call(machine, user, command)[0] == 0, user
    assert call(machine, "reader", READ)[0] == 0
    for user, command in (("reader", CHANGE), ("stranger", READ), ("stranger", CHANGE), ("keeper", READ)):
        code, text = call(machine, user, command)
        assert code != 0 and "there is no polkit on this host that could allow it" in text, (user, text)


def test_a_reader_sees_the_status(machine):
    """By the control socket, which a stranger may not open."""
    code, text = call(machine, "reader", ("detourctl", "status"))
    assert code == 0 and text.startswith("relay.example.com"), text
    code, text = call(machine, "reader", ("detourctl", "reload"))
    assert code != 0 and "reloaded" not in text, text
    assert call(machine, "stranger", ("detourctl", "status"))[0] != 0


def test_a_call_starts_the_relay_if_it_is_enabled(machine):
    """The alias of the unit is there only then."""
    machine.run("systemctl", "stop", UNIT)
    assert call(machine, "reader", READ)[0] == 0
    assert machine.unit(UNIT, "ActiveState") == "active"
    machine.run("systemctl", "disable", "--now", UNIT)
    assert machine.run(*READ, check=False).returncode != 0
    assert machine.unit(UNIT, "ActiveState") == "inactive"
    machine.run("systemctl", "enable", "--now", UNIT)
    until(lambda: machine.run(*READ, check=False).returncode == 0, 30, "the relay is on the bus")


def test_with_polkit_strangers_are_to_prove_who_they_are(machine):
    """It is installed while the relay runs, and is asked from then on; those who need not be asked about are not."""
    machine.shell("DEBIAN_FRONTEND=noninteractive dpkg -i /later/*.deb 2>&1")
    until(lambda: "polkit wants you to prove who you are" in call(machine, "stranger", READ)[1], 30, "polkit answers")
    assert not allowed(machine, "stranger", CHANGE) and not allowed(machine, "reader", CHANGE) and not allowed(machine, "keeper", READ)
    assert allowed(machine, "reader", READ) and allowed(machine, "root", CHANGE)


def test_the_rule_of_the_document_allows_what_it_says(machine):
    """Members of a group look and change, but do not upgrade; nobody else does."""
    text = (TOP / "doc" / "control.md").read_text()
    rule = textwrap.dedent(text[text.index("    // /etc/polkit-1/rules.d/50-detour.rules"):text.index("\nWithout polkit such a caller")])
    machine.shell("cat > /etc/polkit-1/rules.d/50-detour.rules", text=rule)
    until(lambda: allowed(machine, "keeper", READ), 30, "polkit has read the rule")
    assert allowed(machine, "keeper", CHANGE) and not allowed(machine, "keeper", UPGRADE)
    assert not allowed(machine, "stranger", READ) and not allowed(machine, "reader", CHANGE)
