"""A WebSocket client written from RFC 6455 alone, polite or rude as a test wants it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import base64
import enum
import hashlib
import os
import struct
import time

from derp_client import PATIENCE, Closed, Timeout, read_response

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Op(enum.IntEnum):
    """Kinds of frames."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


def masked(data, mask):
    """@data with the mask put on, or taken off."""
    wide = (mask * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(wide, "big")).to_bytes(len(data), "big")


def frame(op, payload=b"", final=True, mask=None, reserved=0, length=None):
    """Bytes of one frame of a client; @mask b"" for none, @length 16 or 64 for a length of so many bits."""
    mask = os.urandom(4) if mask is None else mask
    bit = 0x80 if mask else 0
    head = bytes([(0x80 if final else 0) | reserved << 4 | op])
    if length == 64 or length is None and len(payload) > 0xFFFF:
        head += struct.pack(">BQ", bit | 127, len(payload))
    elif length == 16 or len(payload) > 125:
        head += struct.pack(">BH", bit | 126, len(payload))
    else:
        head += bytes([bit | len(payload)])
    return head + mask + (masked(payload, mask) if mask else payload)


def request(path="/derp", key=None, protocol="derp", version="13", connection="Upgrade", upgrade="websocket",
            method="GET", http="1.1", fields=()):
    """Bytes of a request for a WebSocket; None leaves a header out."""
    lines = [f"{method} {path} HTTP/{http}", "Host: relay.test"]
    key = base64.b64encode(os.urandom(16)).decode() if key is None else key
    named = {"Upgrade": upgrade, "Connection": connection, "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": version,
             "Sec-WebSocket-Protocol": protocol}
    lines += [f"{name}: {value}" for name, value in named.items() if value is not None]
    lines += [f"{name}: {value}" for name, value in fields]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def accept_of(key):
    """What the server has to answer to a key."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


class WebSocket:
    """A stream over a stream: what is written goes as binary messages, what binary messages carry is read."""

    def __init__(self, stream):
        self.stream = stream
        self.pending = bytearray()
        self.pongs = []
        self.messages = 0
        self.code = None

    @classmethod
    def open(cls, stream, then=b"", **wishes):
        """Asks for a WebSocket, with @then in the same write, and checks the answer."""
        key = base64.b64encode(os.urandom(16)).decode()
        stream.write(request(key=key, **wishes) + then)
        answer = read_response(stream, body=False)
        assert answer.status == 101, answer.line
        assert [value.lower() for value in answer.all("Upgrade") + answer.all("Connection")] == ["websocket", "upgrade"]
        assert answer.all("Sec-WebSocket-Accept") == [accept_of(key)]
        assert answer.all("Sec-WebSocket-Protocol") == ["derp"]
        assert answer.all("Sec-WebSocket-Extensions") == []
        return cls(stream)

    @property
    def sock(self):
        """The socket below."""
        return self.stream.sock

    def write(self, data):
        """One binary message."""
        self.stream.write(frame(Op.BINARY, data))

    def recv_frame(self, timeout=None):
        """The next frame of the server, whose form is checked."""
        first, second = self.stream.read(2, timeout)
        assert first & 0x70 == 0, f"reserved bits in {first:#x}"
        assert second & 0x80 == 0, "the server masks"
        length = second & 0x7F
        if length >= 126:
            size = 2 if length == 126 else 8
            length = int.from_bytes(self.stream.read(size, timeout), "big")
            assert length > (125 if size == 2 else 0xFFFF), "a length that is longer than it has to be"
        op = Op(first & 0x0F)
        assert op in (Op.BINARY, Op.PONG, Op.CLOSE) and first & 0x80, f"an unexpected {op!r}"
        return op, self.stream.read(length, timeout)

    def fill(self, timeout=None):
        """Takes one frame."""
        op, payload = self.recv_frame(timeout)
        if op == Op.BINARY:
            assert 0 < len(payload) <= 16384
            self.messages += 1
            self.pending += payload
        elif op == Op.PONG:
            self.pongs.append(payload)
        else:
            assert len(payload) != 1
            self.code = int.from_bytes(payload[:2], "big") if payload else 1005
            raise Closed(f"closed with {self.code}")

    def read(self, size, timeout=None):
        """Exactly @size bytes."""
        deadline = time.monotonic() + (PATIENCE if timeout is None else timeout)
        while len(self.pending) < size:
            if deadline <= time.monotonic():
                raise Timeout("nothing more came in time")
            self.fill(deadline - time.monotonic())
        data = bytes(self.pending[:size])
        del self.pending[:size]
        return data

    def expect_pong(self, payload):
        """The next pong is that."""
        while not self.pongs:
            self.fill()
        assert self.pongs.pop(0) == payload

    def expect_code(self, code):
        """The server says goodbye with that code and closes; bytes of DERP before it are given."""
        try:
            while True:
                self.fill()
        except Closed as closed:
            assert self.code == code, f"expected {code}: {closed}"
        assert self.stream.expect_closed() == b""
        return bytes(self.pending)

    def expect_closed(self, timeout=None):
        """The server closes; the bytes that came before are returned."""
        try:
            while True:
                self.fill(timeout)
        except Closed:
            return bytes(self.pending)

    def close(self):
        """Without a goodbye."""
        self.stream.close()
