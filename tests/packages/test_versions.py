"""Other versions of the packages: to a newer one with apt, back, the same once more, one that cannot take over, and gone and back again.
SPDX-License-Identifier: LGPL-2.1-or-later

Each test goes on where the one before ended.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

from installed import CONFIG, UNIT, install, repack, said, server_key, set_up, talkers
from machine import until

TOP = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("detour", "detour-curl", "detour-doc")
NEWER = "0.99-1"
OLDER = "0.0.1-1"
HINT = "# A hint that only the newer package has.\n"


def no_change(_):
    """The same files."""


def other_hint(tree):
    """The sample of the configuration differs."""
    sample = tree / "etc" / "detour" / "detour.conf"
    sample.write_text(sample.read_text() + HINT)


def cannot_take_over(tree):
    """A program that does not know how to take over from one that runs; a restart by systemd is as ever."""
    program = tree / "usr" / "sbin" / "detourd"
    program.rename(program.with_name("detourd-of-before"))
    program.write_text("#!/bin/sh\n"
                       'if [ -n "$DETOUR_HANDOVER" ]; then echo "detourd 0.0.1"; exit 0; fi\n'
                       'exec /usr/sbin/detourd-of-before "$@"\n')
    program.chmod(0o755)


@pytest.fixture(name="official", scope="module")
def _official(tmp_path_factory):
    """Two official clients that talk; see tests/interop/talkers."""
    if shutil.which("go") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("there is no Go that could build the official client")
    program = tmp_path_factory.mktemp("official") / "talkers"
    subprocess.run(["go", "build", "-o", program, "./talkers"], cwd=TOP / "tests" / "interop", check=True)
    return [program]


@pytest.fixture(name="relay", scope="module")
def _relay(machine, packages):
    """A machine with a relay that runs as installed, and packages of other versions in /repository."""
    repository = machine.root / "repository"
    repository.mkdir()
    for name in NAMES:
        repack(packages[name], repository, NEWER, other_hint if name == "detour" else no_change)
    (repository / "older").mkdir()
    for name in NAMES:
        repack(packages[name], repository / "older", OLDER, cannot_take_over if name == "detour" else no_change)
    index = subprocess.run(["dpkg-scanpackages", "--multiversion", "."], cwd=repository, check=True, capture_output=True, text=True).stdout
    index = "\n\n".join(entry for entry in index.split("\n\n") if "/older/" not in entry)
    (repository / "Packages").write_text(index)
    machine.shell("mkdir -p /tmp/sources && mv /etc/apt/sources.list.d/* /tmp/sources/; cp /etc/apt/sources.list /tmp/ 2> /dev/null; rm -f /etc/apt/sources.list;"
                  " echo 'deb [trusted=yes] file:/repository ./' > /etc/apt/sources.list.d/test.list")
    install(machine, *NAMES)
    yield machine
    machine.run("dpkg", "-P", *NAMES)
    shutil.rmtree(repository)


def kept(relay):
    """What must outlast every change of the version: the operator's file, the key, bans."""
    return relay.shell("sha256sum /etc/detour/detour.conf /var/lib/detour/server.key; detourctl bans --json").stdout


def version(relay):
    """Of the package."""
    return relay.run("dpkg-query", "-W", "-f", "${Version}", "detour").stdout


def test_the_sample_follows_the_package_while_nobody_has_touched_it(relay):
    """A file of the package that is as it came is replaced, on the way to a newer package and back."""
    relay.shell("DEBIAN_FRONTEND=noninteractive dpkg -i /repository/detour_*.deb /repository/detour-curl_*.deb /repository/detour-doc_*.deb 2>&1")
    assert HINT in relay.run("cat", CONFIG).stdout
    text = install(relay, *NAMES).stdout
    assert "downgrading" in text and HINT not in relay.run("cat", CONFIG).stdout
    assert relay.unit(UNIT, "ActiveState") == "inactive"


def test_apt_upgrades_it_under_official_clients(relay, official):
    """Tailscale's own client stays connected; the operator's file stays, and the new sample lies beside it."""
    set_up(relay)
    relay.run("systemctl", "enable", "--now", UNIT)
    relay.run("detourctl", "ban", "nodekey:" + "ab" * 32)
    before, pid = kept(relay), relay.unit(UNIT, "MainPID")
    relay.run("apt-get", "update")
    with talkers(relay, official) as end:
        text = relay.shell("DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Options::=--force-confold upgrade 2>&1").stdout
        assert "2 clients kept" in text and "not upgraded" not in text.replace("0 not upgraded", ""), text
        assert end() > 0
    assert version(relay) == NEWER
    assert relay.unit(UNIT, "MainPID") == pid and kept(relay) == before
    assert HINT in relay.run("cat", f"{CONFIG}.dpkg-dist").stdout


def test_the_version_of_before_takes_over_again(relay, official):
    """A downgrade to a version that reads what the newer one writes: nobody notices."""
    before, pid = kept(relay), relay.unit(UNIT, "MainPID")
    with talkers(relay, official) as end:
        text = install(relay, *NAMES).stdout
        assert "downgrading" in text and "2 clients kept" in text, text
        assert end() > 0
    assert version(relay) != NEWER
    assert relay.unit(UNIT, "MainPID") == pid and kept(relay) == before


def test_the_same_version_once_more(relay, official):
    """As `apt-get install --reinstall` does; a file that went missing comes back."""
    before, pid = kept(relay), relay.unit(UNIT, "MainPID")
    relay.shell("rm /usr/lib/*/detour/plugins/service-stun.so")
    with talkers(relay, official) as end:
        assert "2 clients kept" in install(relay, *NAMES).stdout
        assert end() > 0
    relay.shell("test -e /usr/lib/*/detour/plugins/service-stun.so")
    assert relay.unit(UNIT, "MainPID") == pid and kept(relay) == before


def test_a_version_that_cannot_take_over_is_started_anew(relay):
    """By systemd, which keeps the clients for it; the relay runs with its configuration and its key. And so it is on the way back."""
    before, key = kept(relay), server_key(relay)
    with talkers(relay) as end:
        for names, expected in ((("/repository/older/*.deb",), OLDER), ([f"/packages/{name}_*.deb" for name in NAMES], None)):
            pid = relay.unit(UNIT, "MainPID")
            text = relay.shell(f"DEBIAN_FRONTEND=noninteractive dpkg -i --force-confold {' '.join(names)} 2>&1").stdout
            assert "not upgraded" in text, text
            until(lambda: relay.unit(UNIT, "ActiveState") == "active" and relay.unit(UNIT, "MainPID") != pid, 60, "the other program runs")  # pylint: disable=cell-var-from-loop
            assert "2 clients kept" in said(relay)
            assert (version(relay) == OLDER) == (expected == OLDER)
            assert (kept(relay), server_key(relay)) == (before, key)
        assert end() > 0


def test_with_a_file_that_is_wrong_the_program_of_before_goes_on(relay):
    """One that is started anew would not come up; clients notice nothing, and the operator is told."""
    pid, good = relay.unit(UNIT, "MainPID"), relay.run("cat", CONFIG).stdout
    relay.shell(f"echo lisen=1 >> {CONFIG}")
    with talkers(relay) as end:
        text = install(relay, *NAMES).stdout
        assert "lisen: no such key" in text and "the program of before goes on" in text, text
        assert relay.unit(UNIT, "MainPID") == pid
        relay.shell(f"cat > {CONFIG}", text=good)
        assert "2 clients kept" in relay.run("detourctl", "upgrade").stdout
        assert end() > 0


def test_removed_and_installed_again_it_is_the_same_relay(relay):
    """What an operator and the relay wrote stays until the package is purged; it starts when it is told to."""
    before, key = kept(relay), server_key(relay)
    relay.run("dpkg", "-r", *NAMES)
    assert relay.unit(UNIT, "ActiveState") != "active" and relay.run("ss", "-Hltun").stdout == ""
    install(relay, *NAMES)
    assert relay.run("systemctl", "is-enabled", UNIT, check=False).stdout.strip() == "enabled"
    assert relay.unit(UNIT, "ActiveState") == "inactive" and relay.run("ss", "-Hltun").stdout == ""
    relay.run("systemctl", "start", UNIT)
    assert (kept(relay), server_key(relay)) == (before, key)
