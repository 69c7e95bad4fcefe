"""Several relays and the inventory that names them; a real sshd on the way to one.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import getpass
import os
import pathlib
import subprocess
import tempfile

from control import DETOURCTL
from derp_client import PATIENCE
from relay import ALARMS, daemon_environment, free_port, wait_until

SSHD = next((path for path in ("/usr/sbin/sshd", "/usr/bin/sshd") if os.path.exists(path)), "/usr/sbin/sshd")

SSHD_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {dir}/host
PidFile none
AuthorizedKeysFile {dir}/user.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
SetEnv PATH={path} DETOUR_SOCKET={socket} ASAN_OPTIONS={asan}
"""


class Sshd:
    """An sshd on loopback with keys that are thrown away; whoever comes with the user's key is as on the host of @relay."""

    def __init__(self, directory, relay):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.relay = relay
        self.port = free_port()
        self.process = None
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name], check=True)
        path = f"{DETOURCTL.parent}:/usr/bin:/bin"
        (self.directory / "config").write_text(SSHD_CONFIG.format(
            port=self.port, dir=self.directory, path=path, socket=f"{relay.run_directory}/control",
            asan=daemon_environment()["ASAN_OPTIONS"]))
        (self.directory / "client").write_text(
            f"IdentityFile {self.directory}/user\nUserKnownHostsFile {self.directory}/known\nStrictHostKeyChecking accept-new\n")
        self.log = self.directory / "log"

    def __enter__(self):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", self.directory / "config"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        wait_until(lambda: "listening on" in self.text or self.process.poll() is not None, "sshd listens")
        assert self.process.poll() is None, self.text
        return self

    def __exit__(self, kind, error, trace):
        self.process.terminate()
        self.process.wait(PATIENCE)

    @property
    def text(self):
        """Its log."""
        return self.log.read_text(errors="replace")

    @property
    def destination(self):
        """For `ssh =`."""
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}"

    def path_with_ssh(self):
        """A PATH whose ssh takes the throw-away keys, and is the real one in all else."""
        folder = self.directory / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "ssh"
        program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {self.directory}/client "$@"\n')
        program.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"


class Inventory:
    """An inventory file."""

    def __init__(self, directory):
        self.path = pathlib.Path(directory) / "fleet.conf"
        self.groups = []

    def add(self, group, **keys):
        """One more group; `_` in keys is `-`."""
        lines = [f"{key.replace('_', '-')} = {value}" for key, value in keys.items()]
        self.groups.append("\n".join([f"[{group}]", *lines]))
        self.path.write_text("\n\n".join(self.groups) + "\n")
        return self

    def relay(self, name, relay, region=900, **keys):
        """A relay of this host."""
        return self.add(f"relay {name}", region=region, socket=f"{relay.run_directory}/control", **keys)

    def run(self, *words, code=0, **environment):
        """detourctl fleet WORDS; gives (standard output, standard error)."""
        clean = {name: value for name, value in daemon_environment().items()
                 if not name.startswith(("LC_", "LANG", "DETOUR_SOCKET"))}
        # On a busy machine ssh and a sanitizer take their time.
        patience = [] if any(word.startswith("--timeout") for word in words) else ["--timeout=60s"]
        done = subprocess.run([DETOURCTL, "fleet", *words, *patience, "--inventory", self.path], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, timeout=PATIENCE * 8,
                              env=clean | {"LC_ALL": "C.UTF-8"} | environment)
        assert not ALARMS.search(done.stderr), done.stderr
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout, done.stderr


def short_directory():
    """For what has to have a short path."""
    return tempfile.TemporaryDirectory(prefix="fleet-")
