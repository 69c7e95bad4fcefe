"""Completion of detourctl: what it offers, and how bash, zsh and fish take it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import fcntl
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios

import pytest

from control import DETOURCTL, detourctl, environment_has
from derp_client import PATIENCE
from relay import EVERYTHING, daemon_environment, wait_until


@pytest.fixture(name="relay")
def fixture_relay(make_relay):
    """A relay whose plugins can be named."""
    return make_relay(EVERYTHING)


def candidates(relay, *words):
    """The candidates that a shell gets."""
    return detourctl(relay, "complete", *words)[0].split()


def test_candidates(relay):
    client = relay.door().client()
    assert {"status", "plugins", "clients", "config"} <= set(candidates(relay, ""))
    assert "complete" not in candidates(relay, "")
    assert candidates(relay, "plugins", "") == ["enable", "disable", "restart"]
    assert "service/stun" in candidates(relay, "plugins", "disable", "")
    assert candidates(relay, "plugins", "disable", "service/s") == ["service/stun"]
    assert candidates(relay, "kick", "") == [client.key.hex()]
    assert candidates(relay, "config", "explain", "limits.write") == ["limits.write-timeout"]
    assert candidates(relay, "--bus", "sy") == ["system"]
    assert candidates(relay, "clients", "--sort", "tr") == ["traffic"]
    assert "--persist" in candidates(relay, "plugins", "enable", "--")
    assert candidates(None, "--socket", f"{relay.run_directory}/control", "plugins", "disable", "cert") == ["cert/main"]
    assert candidates(None, "--socket", "/nonexistent", "plugins", "disable", "") == []
    # An option and its value are one word, or three for bash; a value is not the command.
    assert candidates(relay, "derpmap", "--format=head") == ["--format=headscale"]
    assert candidates(relay, "derpmap", "--format", "=", "head") == ["headscale"]
    assert candidates(relay, "derpmap", "--format", "=") == ["tailscale", "headscale", "json"]
    assert candidates(relay, "--color", "never", "plu") == ["plugins"]
    assert candidates(None, "--socket", "=", f"{relay.run_directory}/control", "plugins", "disable", "cert") == ["cert/main"]


COMPLETIONS = pathlib.Path(__file__).resolve().parents[2] / "data" / "completions"
# How to start a shell that reads nobody's files, and how it learns our completion.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], f"source {COMPLETIONS}/detourctl.bash"),
    "zsh": (["zsh", "-f", "-i"], f"fpath=({COMPLETIONS} $fpath); autoload -Uz compinit; compinit -u -D; PS1='$ '"),
}
# The line before the key Tab, and its end after it.
LINES = {
    "detourctl plugins disable service/st": "service/stun ",
    "detourctl clients --sor": "--sort ",
    "detourctl derpmap --format=head": "--format=headscale ",
    "detourctl --color never plu": "plugins ",
}


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, command, environment):
        self.text = ""
        self.child, self.master = pty.fork()
        if self.child == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text):
        """Waits until it has shown that since the last time."""
        def seen():
            if select.select([self.master], [], [], 0.05)[0]:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            return text in self.text
        try:
            wait_until(seen, f"{text!r}")
        except AssertionError as error:
            raise AssertionError(f"{error} in {self.text!r}") from None
        self.text = self.text.partition(text)[2]

    def close(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        os.close(self.master)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_in_a_shell(relay, shell, line, tmp_path):
    if not environment_has(shell):
        pytest.skip(f"there is no {shell}")
    environment = {"PATH": f"{DETOURCTL.parent}:{os.environ['PATH']}", "DETOUR_SOCKET": f"{relay.run_directory}/control",
                   "HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "TERM": "dumb", "PS1": "$ ", "INPUTRC": "/dev/null"}
    command, setup = SHELLS[shell]
    terminal = Terminal(command, environment | {k: v for k, v in daemon_environment().items() if k.startswith("ASAN")})
    try:
        terminal.type(f"{setup}; echo is-'read'\n")
        terminal.wait_for("is-read")
        terminal.type(line + "\t")
        terminal.wait_for(line.rpartition(" ")[0] + " " + LINES[line])
    finally:
        terminal.close()


def test_in_fish(relay, tmp_path):
    if not environment_has("fish"):
        pytest.skip("there is no fish")
    environment = daemon_environment() | {"PATH": f"{DETOURCTL.parent}:{os.environ['PATH']}", "HOME": str(tmp_path),
                                "DETOUR_SOCKET": f"{relay.run_directory}/control", "LC_ALL": "C.UTF-8"}
    for line, end in LINES.items():
        done = subprocess.run(["fish", "--no-config", "-c", f"source {COMPLETIONS}/detourctl.fish; complete -C '{line}'"],
                              capture_output=True, text=True, check=True, env=environment, timeout=PATIENCE)
        assert end.strip() in done.stdout.split(), (line, done)
