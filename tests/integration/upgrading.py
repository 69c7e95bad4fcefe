"""Relays that are upgraded in place, and clients that talk meanwhile.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import hashlib
import os
import re
import shutil
import signal
import struct
import subprocess
import threading
import time

from control import ask
from derp_client import Frame, Stream, Timeout
from relay import BUILD, EVERYTHING, Relay, wait_until, with_keys
from websocket import WebSocket

DONE = r"upgraded from (\S+) to (\S+): (\d+) clients? kept(?: and \d+ links? of the mesh)?, (\d+) asked to reconnect, paused for (\d+) ms"


# All that clients send while a slow build of the relay starts comes at once behind that, and is a test of upgrades, not
# of limits.
PATIENT = with_keys(EVERYTHING, "limits", queue_packets=4096, queue_bytes="64M")


class UpgradedRelay(Relay):
    """A relay that goes over to the installed program as often as a test likes."""

    def descriptors(self):
        """What its process has open; some may be closed meanwhile."""
        folder, found = f"/proc/{self.process.pid}/fd", []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(f"{folder}/{name}"))
        return found

    def command(self, *arguments):
        """`detourctl upgrade`."""
        program = BUILD / "core" / "app" / "detourctl"
        return [program, "--socket", f"{self.run_directory}/control", "upgrade", "--timeout", "60s", *arguments]

    def ask(self, *arguments, code=0):
        """What it says, both streams in one."""
        done = subprocess.run(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stdout + self.tail()
        return done.stdout

    @contextlib.contextmanager
    def asked(self, *arguments):
        """Asks without waiting for the answer, which may never come."""
        with subprocess.Popen(self.command(*arguments), stderr=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.kill()

    def program(self, name, text):
        """A program that is a script."""
        path = self.directory / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def install(self, version="0.1.0"):
        """Puts a program into a build tree of the relay's own, from which it is started: the one that was built, or the next version
        (see tests/next), which finds its library at another place."""
        place = self.directory / "installed"
        built, library = {"0.1.0": (BUILD / "core", "core"), "0.2.0": (BUILD / "tests" / "next", "core/app")}[version]
        self.detourd = place / "core" / "app" / "detourd"
        self.detourd.parent.mkdir(parents=True, exist_ok=True)
        for name in ("build.ninja", "data", "plugins", "po"):
            if not (place / name).exists():
                (place / name).symlink_to(BUILD / name)
        for source, name in ((built / "libdetour-core.so", f"{library}/libdetour-core.so"), (next(built.glob("**/detourd")), "core/app/detourd")):
            new = place / f"{name}.new"
            shutil.copy(source, new)
            new.rename(place / name)

    def upgrade(self, kept=None, lost=0, ready="ready:"):
        """Sends SIGUSR2 and waits for the new program, and what it says when all is there."""
        since = len(self.log)
        self.process.send_signal(signal.SIGUSR2)
        found = self.wait_log(f"{DONE}|not upgraded", since, timeout=30)
        assert found[0] != "not upgraded", self.log[since:]
        self.wait_log(ready, since + found.end())
        assert self.process.poll() is None
        if kept is not None:
            assert (int(found[3]), int(found[4])) == (kept, lost), self.log[since:]
        return int(found[5])


class Quiet:
    """Connections that have said nothing yet, one for each way."""

    def __init__(self, relay, ways):
        self.streams = [Stream.connect(relay.address(way)) for way in ways]
        self.ways = ways
        wait_until(lambda: ask(relay, "status")["half_open_count"] == len(ways), "all to be accepted")

    def log_in(self, relay):
        """All of them, at last."""
        for way, stream in zip(self.ways, self.streams):
            door = relay.door(way)
            if door.is_secure:
                stream.start_tls(server_name=relay.name)
            door.client(stream=stream).ping(b"12345678")


class Talk:
    """A client that sends numbered packets with checksums to one, and gets such from another, on a thread of its own."""

    def __init__(self, client, source, target, size=700):
        self.client, self.source, self.target = client, source, target
        self.size = size
        self.stopping = threading.Event()
        self.n_sent = self.n_got = 0
        self.has_end = False
        self.problem = None
        self.thread = threading.Thread(target=self.run)

    def run(self):
        """To the end, or to the first thing that is wrong."""
        try:
            while not self.stopping.is_set():
                self.client.send_packet(self.target, self.packet(self.n_sent))
                self.n_sent += 1
                self.take(0.002)
            self.client.send_packet(self.target, b"end")
            deadline = time.monotonic() + 60
            while not self.has_end and time.monotonic() < deadline:
                self.take(1)
        except BaseException as problem:  # pylint: disable=broad-except
            self.problem = problem

    def packet(self, number):
        """The one with that number, of whatever sender."""
        body = struct.pack(">Q", number) + bytes([number % 256]) * (self.size * (number % 7) // 6)
        return body + hashlib.sha256(body).digest()

    def take(self, seconds):
        """What comes within that time."""
        stream = self.client.stream
        with contextlib.suppress(Timeout):
            self.fill(stream, time.monotonic() + seconds)
        while len(stream.pending) >= 5:
            kind, length = struct.unpack(">BI", stream.pending[:5])
            if len(stream.pending) < 5 + length:
                return
            payload = bytes(stream.pending[5:5 + length])
            del stream.pending[:5 + length]
            self.check(kind, payload)

    @staticmethod
    def fill(stream, deadline):
        """Some more bytes; a message that has begun is taken to its end."""
        if not isinstance(stream, WebSocket):
            stream.fill(deadline)
            return
        if not stream.stream.pending:
            stream.stream.fill(deadline)
        stream.fill()

    def check(self, kind, payload):
        """A frame is a keep-alive, or the next packet."""
        if kind != Frame.RECV_PACKET:
            assert kind in (Frame.KEEP_ALIVE, Frame.HEALTH), (kind, payload)
            return
        assert payload[:32] == self.source
        if payload[32:] == b"end":
            self.has_end = True
            return
        assert payload[32:] == self.packet(self.n_got), f"packet {self.n_got} is another one, or was lost or doubled"
        self.n_got += 1


def talk_all_ways(clients, **options):
    """Each of them talks to the next, and hears the one before."""
    talks = [Talk(client, clients[n - 1].key, clients[(n + 1) % len(clients)].key, **options) for n, client in enumerate(clients)]
    for talk in talks:
        talk.thread.start()
    return talks


def end_all(talks):
    """All that was sent has come, once and in order."""
    for talk in talks:
        talk.stopping.set()
    for talk in talks:
        talk.thread.join(90)
    for n, talk in enumerate(talks):
        if talk.problem is not None:
            raise talk.problem
        assert talk.has_end and talk.n_got == talks[n - 1].n_sent > 0


def relay_goes_on(talks, before):
    """Every talk has moved since."""
    wait_until(lambda: all(talk.problem or talk.n_got > n for talk, n in zip(talks, before)), "packets after the upgrade")
    for talk in talks:
        if talk.problem is not None:
            raise talk.problem
