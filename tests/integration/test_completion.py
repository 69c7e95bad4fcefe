"""Completion of detourctl: what it offers, and how bash, zsh and fish take it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import fcntl
import itertools
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios

import pytest

from control import DETOURCTL, detourctl, environment_has
from derp_client import PATIENCE
from relay import EVERYTHING, daemon_environment, wait_until, with_keys


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
    # Shells offer files by themselves.
    for words in (("derpmap", "check"), ("derpmap", "list"), ("derpmap", "merge"), ("import-derper",), ("probe",), ("keys", "list")):
        assert candidates(relay, *words, "") == [":files"], words
    assert candidates(None, "--socket", "=", f"{relay.run_directory}/control", "plugins", "disable", "cert") == ["cert/main"]


def test_candidates_of_lists_bans_and_classes(make_relay):
    config = with_keys(with_keys(EVERYTHING, "auth friends", plugin="keys", file="{dir}/friends"), "class guests", quota="1G")
    listed = ["11" * 32, "22" * 32]
    relay = make_relay(config, {"friends": "".join(f"nodekey:{key}\n" for key in listed)})
    client = relay.door().client()
    assert candidates(relay, "keys", "remove", "") == listed
    assert candidates(relay, "keys", "remove", "2") == listed[1:]
    assert candidates(relay, "keys", "add", "") == [client.key.hex()]
    assert candidates(relay, "keys", "add", "--class", "") == ["guests"]
    assert candidates(relay, "unban", "") == []
    detourctl(relay, "ban", "33" * 32, "198.51.100.0/24")
    assert candidates(relay, "unban", "") == ["33" * 32, "198.51.100.0/24"]
    assert "03:00" in candidates(relay, "why", client.key.hex(), "--at", "")
    assert "budgets" in candidates(relay, "bud")


def commands():
    """All commands that the help knows, as lists of words."""
    text = detourctl(None, "--help")[0].partition("\nCommands:\n")[2].partition("\n\n")[0]
    return [list(itertools.takewhile(re.compile("[a-z-]+$").match, line.split())) for line in text.splitlines()]


def test_every_option_of_the_help_is_offered():
    nowhere = ("--socket", "/nonexistent")
    seen = set()
    for command in [[], *commands()]:
        text, _ = detourctl(None, *command, "--help")
        options = re.findall(r"^  (?:-\w, )?(--[\w-]+)(=\S+)?", text, re.M)
        assert ("--help", "") in options, command
        offered = candidates(None, *nowhere, *command, "--")
        assert sorted(offered) == sorted(name for name, _ in options), command
        for name, value in options:
            if name in seen:
                continue
            seen.add(name)
            # Of one with a value no option is the value.
            following = candidates(None, *nowhere, *command, name, "--")
            assert ("--help" in following) == (not value), (command, name)
    assert {"--at", "--for", "--class", "--sort", "--persist", "--version"} <= seen


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


def test_shells_complete_files_of_every_option_with_one():
    files = set()
    for command in [[], *commands()]:
        files |= set(re.findall(r"^  (?:-\w, )?--([\w-]+)=(?:FILE|PATH)\b", detourctl(None, *command, "--help")[0], re.M))
    assert {"socket", "output", "api-key-file", "textfile", "map"} <= files
    for name, pattern in (("detourctl.bash", r"--([\w-]+)(?= \||\))"), ("_detourctl", r"--([\w-]+)(?= \||\))"),
                          ("detourctl.fish", r"--long-option ([\w-]+) --require-parameter --force-files")):
        assert set(re.findall(pattern, (COMPLETIONS / name).read_text())) == files, name


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
