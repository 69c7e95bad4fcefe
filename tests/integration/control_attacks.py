"""What a hostile peer of the control socket can try, at any size; test_control_limits.py and tests/attack/control use it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import pathlib
import socket
import struct

from derp_client import PATIENCE
from relay import wait_until

NAME = "io.github.detourd.Detour1"
ROOT = "/io/github/detourd/Detour1"
CALL, ANSWER, ERROR, SIGNAL = 1, 2, 3, 4
NO_REPLY = 1


def padded(data):
    """Filled up to a multiple of eight."""
    return data + bytes(-len(data) % 8)


def text(value):
    """A string of D-Bus."""
    value = value.encode()
    return struct.pack("<I", len(value)) + value + b"\0"


def message(kind, serial, fields, body=b"", flags=0, announced=None):
    """A message of D-Bus; @fields: code, type and value of header fields; @announced: a body size that is a lie."""
    head = b""
    for code, signature, value in fields:
        if signature == "u":
            data = struct.pack("<I", value)
        elif signature == "g":
            data = bytes([len(value)]) + value.encode() + b"\0"
        else:
            data = text(value)
        head = padded(head) + bytes([code, len(signature)]) + signature.encode() + b"\0" + data
    size = len(body) if announced is None else announced
    return padded(struct.pack("<cBBBIII", b"l", kind, flags, 1, size, serial, len(head)) + head) + body


def get_all(serial, flags=0):
    """A call for all properties of the daemon."""
    return message(CALL, serial, [(1, "o", ROOT), (2, "s", "org.freedesktop.DBus.Properties"), (3, "s", "GetAll"),
                                  (8, "g", "s")], text(f"{NAME}.Manager"), flags)


class Peer:
    """A connection to the control socket that speaks without a library."""

    def __init__(self, relay, authenticate=True):
        self.socket = socket.socket(socket.AF_UNIX)
        # With a time limit, a connect() would fail instead of waiting for a place in the backlog.
        self.socket.connect(f"{relay.run_directory}/control")
        self.socket.settimeout(PATIENCE)
        self.buffer = b""
        if authenticate:
            self.socket.sendall(b"\0AUTH EXTERNAL\r\nDATA\r\n")
            while self.buffer.count(b"\n") < 2:
                self.buffer += self.receive()
            assert self.buffer.startswith(b"DATA\r\nOK "), self.buffer
            self.buffer = b""
            self.socket.sendall(b"BEGIN\r\n")

    def receive(self):
        """Some bytes; fails when there are no more."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the daemon")
        return data

    def next_message(self):
        """Takes the next message; gives its kind."""
        while len(self.buffer) < 16:
            self.buffer += self.receive()
        kind = self.buffer[1]
        body, _, fields = struct.unpack_from("<III", self.buffer, 4)
        size = 16 + fields + -fields % 8 + body
        while len(self.buffer) < size:
            self.buffer += self.receive()
        self.buffer = self.buffer[size:]
        return kind

    def answers(self, number):
        """Reads so many answers, and signals that come between; how many of them were errors."""
        errors = 0
        while number > 0:
            kind = self.next_message()
            number -= kind in (ANSWER, ERROR)
            errors += kind == ERROR
        return errors

    def send_what_it_takes(self, data, patience=0.5):
        """How many of the bytes went in before the daemon took no more for a while."""
        self.socket.settimeout(patience)
        sent = 0
        view = memoryview(data)
        with contextlib.suppress(TimeoutError):
            while sent < len(data):
                sent += self.socket.send(view[sent:sent + 65536])
        self.socket.settimeout(PATIENCE)
        return sent

    def wait_closed(self, timeout=PATIENCE):
        """Waits until the daemon has closed it."""
        self.socket.settimeout(timeout)
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            while self.socket.recv(65536):
                pass

    def is_open(self):
        """Whether the daemon has it open; what it sent is thrown away."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def close(self):
        """Goes."""
        self.socket.close()


def resident(relay):
    """Bytes of memory that the daemon has."""
    pages = pathlib.Path(f"/proc/{relay.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def threads(relay):
    """How many threads the daemon has."""
    return len(os.listdir(f"/proc/{relay.process.pid}/task"))


def unread_answers(relay, number, flags=0):
    """Makes calls and reads no answer: (bytes taken, growth of the daemon), and then all answers to what was taken."""
    peer = Peer(relay)
    before = resident(relay)
    calls = b"".join(get_all(serial + 1, flags) for serial in range(number))
    taken = peer.send_what_it_takes(calls)
    growth = resident(relay) - before
    whole = taken // len(get_all(1))
    assert peer.answers(whole) == 0
    peer.close()
    return taken, growth


def descriptors(relay):
    """How many descriptors the daemon has."""
    return len(os.listdir(f"/proc/{relay.process.pid}/fd"))


def crowd_before_login(relay, number):
    """Connections that never authenticate: how many threads and descriptors they cost at most, until all are closed."""
    before = (threads(relay), descriptors(relay))
    most = list(before)

    def look():
        most[0] = max(most[0], threads(relay))
        most[1] = max(most[1], descriptors(relay))

    crowd = []
    for i in range(number):
        crowd.append(Peer(relay, authenticate=False))
        if i % 20 == 19:
            look()

    def all_closed():
        look()
        return not any(peer.is_open() for peer in crowd)

    wait_until(all_closed, "connections that do not authenticate are closed")
    for peer in crowd:
        peer.close()
    return most[0] - before[0], most[1] - before[1]


def announced_message(relay, size):
    """Announces a message that is too long: growth of the daemon until it has closed the connection."""
    peer = Peer(relay)
    before = resident(relay)
    peer.socket.sendall(message(CALL, 1, [(1, "o", ROOT), (2, "s", "org.freedesktop.DBus.Peer"), (3, "s", "Ping"),
                                          (8, "g", "s")], announced=size))
    peer.wait_closed()
    growth = resident(relay) - before
    peer.close()
    return growth


def lets_in(relay):
    """Whether one more peer gets a place and an answer."""
    try:
        peer = Peer(relay)
        peer.socket.sendall(get_all(1))
        good = peer.answers(1) == 0
    except OSError:
        return False
    peer.close()
    return good
