"""Relays that hand over to a program in another process, and such programs, real ones and scripted ones.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import socket
import subprocess
import time

from derp_client import PATIENCE
from relay import daemon_environment, wait_until
from upgrading import UpgradedRelay


class Successor:
    """detourd --take-over, with a log of its own."""

    def __init__(self, relay, name, config_file=None, expect="waiting at", seat=None, inside=()):
        self.log_file = relay.directory / f"log.{name}"
        command = [*inside, relay.detourd, "--config", config_file or relay.config_file, *relay.options, "--take-over", seat or relay.seat]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=daemon_environment())
        wait_until(lambda: expect in self.log or self.process.poll() is not None, expect)
        assert expect in self.log, self.log

    @property
    def log(self):
        """So far."""
        return self.log_file.read_text()

    def end(self):
        """Whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


class HandedRelay(UpgradedRelay):
    """A relay with programs that wait for it."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.seat = f"{self.run_directory}/next"
        self.successors = []
        self.n_made = 0

    def successor(self, **options):
        """Another one that waits."""
        self.n_made += 1
        self.successors.append(Successor(self, self.n_made, **options))
        return self.successors[-1]

    def hand_over(self, successor, *arguments):
        """What detourctl says; the relay is the other program from then on."""
        said = self.ask("--to", self.seat, *arguments)
        assert self.process.wait(PATIENCE) == 0
        self.follow(successor)
        return said

    def follow(self, successor):
        """The other program is the relay now."""
        self.process, self.log_file = successor.process, successor.log_file
        self.successors.remove(successor)
        self.wait_log("ready:")

    def remove(self):
        """With those that wait."""
        for successor in self.successors:
            successor.end()
        super().remove()


class Scripted:
    """Waits at the relay's socket, or at @seat, and does what a test says, step by step."""

    def __init__(self, relay, seat=None):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(seat or relay.seat)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(seat or relay.seat)
        self.listener.listen(1)
        self.listener.settimeout(PATIENCE)
        self.peer = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.listener.close()
        if self.peer is not None:
            self.peer.close()

    def meet(self):
        """The question, and the record for the rehearsal."""
        self.peer = self.listener.accept()[0]
        self.peer.settimeout(PATIENCE)
        text, fds, _, _ = socket.recv_fds(self.peer, 4096, 1)
        for fd in fds:
            os.close(fd)
        return text.decode(), len(fds)

    def say(self, text):
        """In one message."""
        self.peer.send(text.encode())

    def take(self):
        """The record and what holds all descriptors; closed at once."""
        text, fds, _, _ = socket.recv_fds(self.peer, 4096, 253)
        for fd in fds:
            os.close(fd)
        return len(text), len(fds)

    def wait_closed(self):
        """The relay has given up."""
        deadline = time.monotonic() + PATIENCE
        while self.peer.recv(4096):
            assert time.monotonic() < deadline


class Between(Scripted):
    """Stands between the relay, which finds it at another socket, and the one that waits at the relay's: passes on what the test lets it."""

    def __init__(self, relay):
        super().__init__(relay, f"{relay.run_directory}/between")
        self.next = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.next.settimeout(2 * PATIENCE)
        self.next.connect(relay.seat)

    def __exit__(self, *arguments):
        self.next.close()
        super().__exit__(*arguments)

    def forward(self):
        """A message of the relay's, with what comes along."""
        if self.peer is None:
            self.peer = self.listener.accept()[0]
            self.peer.settimeout(PATIENCE)
        text, fds, _, _ = socket.recv_fds(self.peer, 4096, 253)
        socket.send_fds(self.next, [text], fds)
        for fd in fds:
            os.close(fd)

    def back(self):
        """What the other one answers."""
        text = self.next.recv(4096)
        self.peer.send(text)
        return text.decode()

    def wait_dropped(self):
        """The one that waits has closed it, whatever it said before."""
        while self.next.recv(4096):
            pass
