"""A Debian machine with a real systemd, in a container whose network is its own.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import shutil
import subprocess
import time

BOOT_LIMIT = 120.0
TOP = pathlib.Path(__file__).resolve().parents[2]


def until(condition, limit, what):
    """Waits for a condition to hold, and says what it was when it never did; returns what it gave."""
    end = time.monotonic() + limit
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"{what}: not within {limit:g} s"
        time.sleep(0.1)


def make_root(suite, root, include, later=()):
    """Lays a small Debian with systemd into a folder; in /later are packages that it has not."""
    fetch = ('rm -f "$1"/var/cache/apt/archives/*.deb && mkdir "$1/later" && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get --yes --no-install-recommends '
             f'--download-only install {" ".join(later)} && mv "$1"/var/cache/apt/archives/*.deb "$1/later"')
    subprocess.run([TOP / "tests" / "tools" / "make-root", *([f"--customize-hook={fetch}"] if later else []), suite, root,
                    "systemd", "systemd-sysv", "dbus", "iproute2", *include], check=True, capture_output=True, text=True)


class Machine:
    """One container; its root is a folder that outlives it."""

    def __init__(self, root, log):
        self.root = pathlib.Path(root)
        self.log = pathlib.Path(log)
        self.nspawn = None
        self.leader = None

    def boot(self):
        """Starts systemd and waits until it has come up."""
        pathlib.Path("/run/systemd/nspawn").mkdir(parents=True, exist_ok=True)
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--register=no", "--keep-unit", "-D", self.root, "--private-network", f"--machine=detour-{self.root.name}", "-b"],
            stdin=subprocess.DEVNULL, stdout=self.log.open("a"), stderr=subprocess.STDOUT)
        until(self._is_up, BOOT_LIMIT, "the system runs")
        return self

    def _is_up(self):
        """The first child of systemd-nspawn is another one at the beginning, so it is looked for each time."""
        self.leader = self._first_child()
        return self.leader is not None and self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def _first_child(self):
        assert self.nspawn.poll() is None, self.log.read_text()
        children = pathlib.Path(f"/proc/{self.nspawn.pid}/task/{self.nspawn.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def run(self, *command, check=True, text=None):
        """Runs a command inside as root, and returns it with what it wrote."""
        result = subprocess.run(["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", *map(str, command)],
                                capture_output=True, text=True, input=text, check=False, timeout=120)
        assert not check or result.returncode == 0, f"{command}: {result.returncode}\n{result.stdout}{result.stderr}"
        return result

    def shell(self, line, **how):
        """Runs a line of sh inside."""
        return self.run("sh", "-c", line, **how)

    def unit(self, name, prop):
        """One property of a unit."""
        return self.run("systemctl", "show", "-p", prop, "--value", name).stdout.strip()

    def stop(self):
        """Ends the container."""
        if self.nspawn is None:
            return
        if self.leader is not None:
            self.run("systemctl", "poweroff", "--force", check=False)
        try:
            self.nspawn.wait(20)
        except subprocess.TimeoutExpired:
            self.nspawn.kill()
            self.nspawn.wait()
        self.nspawn = None

    def remove(self):
        """Ends it and gives the folder up."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)
