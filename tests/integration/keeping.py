"""Relays that a service manager starts anew, which keeps a descriptor for them meanwhile.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import threading
import time

from derp_client import PATIENCE
from relay import DETOURD, StartFailed, daemon_environment, wait_until
from upgrading import UpgradedRelay

NAME = "detour-handover"
LOST = "all clients of the program before are lost"


class Manager:
    """Takes the place of the service manager: hears what the daemon says, and keeps up to @most descriptors."""

    def __init__(self, directory, most=1, watchdog_s=0):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.most = most
        self.kept = []
        self.heard = []
        self.watchdog_s = watchdog_s
        self.fed = time.monotonic()
        self.thread = threading.Thread(target=self.listen)
        self.end = os.pipe()
        self.thread.start()

    def listen(self):
        """In the order in which it is said."""
        while self.end[0] not in select.select([self.socket, self.end[0]], [], [])[0]:
            data, fds, _, _ = socket.recv_fds(self.socket, 4096, 10)
            said = dict(line.split("=", 1) for line in data.decode().split("\n"))
            if "FDSTOREREMOVE" in said:
                assert said["FDNAME"] == NAME
                self.drop()
            if "FDSTORE" in said:
                assert said["FDNAME"] == NAME and said["FDPOLL"] == "0" and len(fds) == 1
                keep = self.most - len(self.kept)
                self.kept += fds[:keep]
                fds = fds[keep:]
            for fd in fds:
                os.close(fd)
            if "WATCHDOG" in said:
                self.fed = time.monotonic()
            self.heard.append(said)

    def watch(self, process):
        """Ends it as soon as it has been silent for too long."""
        end = time.monotonic() + 4 * PATIENCE
        while (left := self.fed + self.watchdog_s - time.monotonic()) > 0:
            assert time.monotonic() < end, "it goes on"
            time.sleep(left)
        process.send_signal(signal.SIGABRT)
        process.send_signal(signal.SIGCONT)

    def drop(self):
        """As when the unit is stopped."""
        while self.kept:
            os.close(self.kept.pop())

    def close(self):
        """The end."""
        os.write(self.end[1], b"x")
        self.thread.join()
        self.drop()
        self.socket.close()
        for fd in self.end:
            os.close(fd)


class KeptRelay(UpgradedRelay):
    """A relay that is started by such a manager; its log goes on. @sockets: by name, as of socket units."""

    def __init__(self, *arguments, most=1, sockets=None, watchdog_s=0, **options):
        super().__init__(*arguments, **options)
        self.manager = Manager(self.run_directory, most, watchdog_s)
        self.sockets = sockets or {}

    def start_once(self):
        """With all that the manager has, by name; the numbers they had before are closed."""
        given = [(name, sock.fileno()) for name, sock in self.sockets.items()] + [(NAME, fd) for fd in self.manager.kept]
        fds = [fd for _, fd in given]
        # First out of the way, then into place.
        script = "".join(f"exec {100 + n}<&{fd} {fd}<&-; " for n, fd in enumerate(fds))
        script += "".join(f"exec {3 + n}<&{100 + n} {100 + n}<&-; " for n in range(len(fds)))
        script += f"LISTEN_FDS={len(given)} LISTEN_FDNAMES={':'.join(name for name, _ in given)} LISTEN_PID=$$ " if given else ""
        since = len(self.log)
        watchdog = {"WATCHDOG_USEC": str(self.manager.watchdog_s * 1000000)} if self.manager.watchdog_s else {}
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                ["bash", "-c", script + 'exec "$0" "$@"', DETOURD, "--config", self.config_file, *self.options], pass_fds=fds,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=daemon_environment() | {"NOTIFY_SOCKET": self.manager.path, "FDSTORE": "1"} | watchdog)
        wait_until(lambda: "ready:" in self.log[since:] or self.process.poll() is not None, "the ready line")
        if self.process.poll() is not None:
            code, self.process = self.process.returncode, None
            raise StartFailed(code, self.log[since:])
        return self

    def end(self, code=0):
        """SIGTERM, as at a restart and at a stop."""
        process, self.process = self.process, None
        process.terminate()
        assert process.wait(PATIENCE) == code, self.tail()

    def restart(self):
        """Gives what the new program logs."""
        since = len(self.log)
        self.end()
        self.start_once()
        return self.log[since:]

    def remove(self):
        """With the manager."""
        with contextlib.suppress(OSError):
            self.manager.close()
        super().remove()
