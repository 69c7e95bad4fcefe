"""Runs the real detourctl against a test's relay.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import fcntl
import json
import os
import pty
import struct
import subprocess
import termios

from derp_client import PATIENCE
from relay import ALARMS, BUILD, daemon_environment

DETOURCTL = BUILD / "core" / "app" / "detourctl"


def detourctl(relay, *arguments, code=0, **environment):
    """Runs detourctl; gives its (standard output, standard error)."""
    socket = {"DETOUR_SOCKET": f"{relay.run_directory}/control"} if relay else {}
    clean = {name: value for name, value in daemon_environment().items() if not name.startswith(("LC_", "LANG", "DETOUR_SOCKET"))}
    done = subprocess.run([DETOURCTL, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=clean | {"LC_ALL": "C.UTF-8"} | socket | environment, timeout=PATIENCE)
    assert not ALARMS.search(done.stderr), done.stderr
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def at_terminal(relay, columns, *arguments, **environment):
    """Runs detourctl on a terminal with so many columns; gives its output."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 30, columns, 0, 0))
    told = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "LANGUAGE": "", "DETOUR_SOCKET": f"{relay.run_directory}/control"}
    process = subprocess.Popen([DETOURCTL, *arguments], stdin=slave, stdout=slave, stderr=slave,
                               env=daemon_environment() | told | environment)
    os.close(slave)
    text = b""
    # The master reads until the last process that has the terminal open is gone; then Linux says EIO.
    with contextlib.suppress(OSError):
        while data := os.read(master, 65536):
            text += data
    os.close(master)
    assert process.wait(PATIENCE) == 0, text
    return text.decode().replace("\r\n", "\n")


def ask(relay, *arguments, code=0):
    """The document that detourctl prints for programs."""
    return json.loads(detourctl(relay, *arguments, "--json", code=code)[0])


def counter(relay, name, **labels):
    """A counter by its name and labels; the sum of all with that name where none is given."""
    found = [entry["value"] for entry in ask(relay, "counters")["counters"]
             if entry["name"] == name and labels.items() <= entry["labels"].items()]
    assert found, f"there is no counter {name} {labels}"
    return sum(found)


def plugin(relay, identity):
    """One plugin's entry."""
    return {entry["id"]: entry for entry in ask(relay, "plugins")["plugins"]}[identity]


def environment_has(program):
    """Whether a program is to be found."""
    return any(os.access(os.path.join(folder, program), os.X_OK) for folder in os.environ["PATH"].split(os.pathsep))
