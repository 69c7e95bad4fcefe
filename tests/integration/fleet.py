"""Several relays and the inventory that names them; a real sshd on the way to one.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import getpass
import os
import pathlib
import shlex
import subprocess
import tempfile
import threading

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


class Watched:
    """`detourctl fleet` in the background, whose lines come as it says them."""

    def __init__(self, inventory, *words, **environment):
        # Tests that run in the background of a shell have SIGINT ignored.
        command = ["env", "--default-signal=INT", DETOURCTL, "fleet", *words, "--inventory", inventory.path]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        env=daemon_environment() | {"LC_ALL": "C.UTF-8", "LANGUAGE": ""} | environment)
        self.lines = []
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        """Line by line."""
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_for(self, text):
        """Until it says so."""
        wait_until(lambda: any(text in line for line in self.lines), f"{text!r} in {self.lines}", timeout=60)

    def end(self):
        """Its exit status."""
        code = self.process.wait(PATIENCE * 4)
        self.reader.join()
        self.process.stdout.close()
        return code


class Gate:
    """A way to a relay that commands with `environment` stand before until it opens."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.environment = {"DETOUR_TEST_GATE": str(self.path)}
        os.mkfifo(self.path)

    def way(self, relay):
        """For `command =`."""
        program = self.path.with_name(f"{self.path.name}.sh")
        program.write_text('#!/bin/sh\n[ -z "$DETOUR_TEST_GATE" ] || read -r line < "$DETOUR_TEST_GATE"\n'
                           f'exec {DETOURCTL} --socket {relay.run_directory}/control "$@"\n')
        program.chmod(0o755)
        return shlex.quote(str(program))

    def reach(self):
        """The gate, when somebody stands before it."""
        with contextlib.suppress(OSError):
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        return None

    @contextlib.contextmanager
    def closed(self):
        """From when one stands before it; they go on at the end."""
        door = wait_until(self.reach, "a command stands before the gate")
        try:
            yield
        finally:
            os.close(door)
