"""Programs that hang in an upgrade under a real systemd with a watchdog: beforehand nobody notices, and afterwards it starts the relay anew.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from installed import DROPINS, UNIT, host_pid, install, said, set_up, talkers
from machine import until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from stepping import Steps  # noqa: E402  # pylint: disable=wrong-import-position

WATCHDOG_S = 4  # less than a rehearsal has
DETOURD = "/usr/sbin/detourd"
LOST = "all clients of the program before are lost: it was ended by a signal or a fault"


@pytest.fixture(name="relay", scope="module")
def _relay(machine):
    """A machine on which the relay runs as installed, but for a watchdog that is in a hurry; it is gone afterwards."""
    install(machine, "detour")
    set_up(machine)
    machine.shell(f"mkdir -p {DROPINS} && printf '[Service]\\nWatchdogSec={WATCHDOG_S}s\\nRestartSec=100ms\\n' > {DROPINS}/watchdog.conf && systemctl daemon-reload")
    machine.run("systemctl", "enable", "--now", UNIT)
    yield machine
    machine.shell(f"rm -r {DROPINS}")
    machine.run("dpkg", "-P", "detour")


def program(relay, text):
    """A program that is a script."""
    path = relay.root / "usr/local/sbin/detourd-that-hangs"
    path.write_text("#!/bin/sh\n" + text + "\n")
    path.chmod(0o755)
    return "/usr/local/sbin/detourd-that-hangs"


@contextlib.contextmanager
def upgrade(relay, *arguments):
    """`detourctl upgrade`; gives a function that waits for its end, and says how it ended and what it said."""
    command = ["nsenter", "-t", str(relay.leader), "-m", "-u", "-i", "-n", "-p", "-C", "detourctl", "upgrade", "--timeout", "100s", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        def end():
            out = process.communicate(timeout=120)[0]
            return process.returncode, out
        try:
            yield end
        finally:
            process.kill()


def follow(relay, argument):
    """Steps of a program with that argument, once it is there and has stopped itself."""
    steps = Steps(until(lambda: host_pid(relay, lambda _, state, words: argument in words and state == "T"), 30, "a program that stands"))
    os.kill(steps.pid, signal.SIGCONT)
    return steps


def serves_on(relay, pid, end):
    """The same process, which nobody ended, has all clients, and goes over to a program that is good."""
    assert relay.unit(UNIT, "MainPID") == pid and relay.unit(UNIT, "NRestarts") == "0"
    assert "no progress" not in said(relay)
    assert "2 clients kept" in relay.run("detourctl", "upgrade").stdout
    assert end() > 0
    assert relay.unit(UNIT, "MainPID") == pid and relay.unit(UNIT, "ActiveState") == "active"


@pytest.mark.parametrize("then", ["sleep 1000", "kill -STOP $$", "echo 'can take over: 9.9'; sleep 1000"])
def test_one_that_hangs_in_the_rehearsal_changes_nothing(relay, then):
    """For longer than the watchdog waits."""
    with talkers(relay) as end:
        pid = relay.unit(UNIT, "MainPID")
        with upgrade(relay, "--binary", program(relay, then)) as answer:
            code, text = answer()
        assert code == 1 and "did not say within 8 s" in text, text
        serves_on(relay, pid, end)


@pytest.mark.parametrize("calls", [50, 200, 400])
def test_the_real_program_that_hangs_in_the_rehearsal_changes_nothing(relay, calls):
    """Wherever it is."""
    with talkers(relay) as end:
        pid = relay.unit(UNIT, "MainPID")
        with upgrade(relay, "--binary", program(relay, f'kill -STOP $$\nexec {DETOURD} "$@"')) as answer:
            steps = follow(relay, "--try-takeover")
            steps.until_exec()
            assert steps.calls(calls) == calls
            steps.let_go(signal.SIGSTOP)
            code, text = answer()
        assert code == 1 and "did not say within 8 s" in text, text
        serves_on(relay, pid, end)


def starts_anew(relay, pid, answer):
    """The watchdog ended the process, clients are gone, the next one says so and serves; and the operator heard of it."""
    code, text = answer()
    assert code == 3 and "was started and ended at once, and all connections with it" in text, text
    until(lambda: relay.unit(UNIT, "MainPID") not in (pid, "0") and relay.unit(UNIT, "ActiveState") == "active", 60, "another process runs")
    journal = relay.run("journalctl", "-o", "cat", "-u", UNIT).stdout
    assert f"Watchdog timeout (limit {WATCHDOG_S}s)" in journal, journal[-3000:]
    assert LOST in said(relay), said(relay)
    with talkers(relay) as end:
        assert "2 clients kept" in relay.run("detourctl", "upgrade").stdout
        assert end() > 0


def test_one_that_hangs_when_it_was_executed_is_ended_by_the_watchdog(relay):
    """A program whose rehearsal was good, and that does not even begin."""
    path = program(relay, f'case " $* " in *" --try-takeover "*) exec {DETOURD} "$@" ;; esac\nexec sleep 1000')
    with talkers(relay), upgrade(relay, "--binary", path) as answer:
        starts_anew(relay, relay.unit(UNIT, "MainPID"), answer)


@pytest.mark.parametrize("calls", [0, 200, 500])
def test_the_real_program_that_hangs_when_it_was_executed_is_ended_by_the_watchdog(relay, calls):
    """Wherever it is: nobody can go back."""
    pid = relay.unit(UNIT, "MainPID")
    steps = Steps(host_pid(relay, lambda number, *_: number == pid))
    with talkers(relay), upgrade(relay) as answer:
        steps.until_exec()
        assert steps.calls(calls) == calls
        steps.let_go(signal.SIGSTOP)
        starts_anew(relay, pid, answer)
