"""A DERP client written from the protocol's description alone, polite or rude as a test wants it.
SPDX-License-Identifier: LGPL-2.1-or-later

Nothing here knows Detour's code, so a mistake of the daemon cannot hide behind the same mistake here. It runs as
well against the reference server (see reference.py), which is how its own ideas are checked.
"""

import contextlib
import enum
import json
import os
import re
import socket
import ssl
import struct
import time

import nacl.bindings
import nacl.public
import nacl.utils

MAGIC = b"DERP\xf0\x9f\x94\x91"
PACKET_MAX = 65536
DISCO_MAGIC = b"TS\xf0\x9f\x92\xac"

# How long to wait for what must come, in seconds. Nothing passes by being slow; only failures wait that long.
PATIENCE = float(os.environ.get("DETOUR_TEST_PATIENCE", "30"))


class Frame(enum.IntEnum):
    """Frame types."""

    SERVER_KEY = 0x01
    CLIENT_INFO = 0x02
    SERVER_INFO = 0x03
    SEND_PACKET = 0x04
    RECV_PACKET = 0x05
    KEEP_ALIVE = 0x06
    NOTE_PREFERRED = 0x07
    PEER_GONE = 0x08
    PEER_PRESENT = 0x09
    FORWARD_PACKET = 0x0A
    WATCH_CONNS = 0x10
    CLOSE_PEER = 0x11
    PING = 0x12
    PONG = 0x13
    HEALTH = 0x14
    RESTARTING = 0x15


class Closed(Exception):
    """The server ended the connection, gently or not."""


class Timeout(AssertionError):
    """Expected bytes did not arrive in time."""


class Stream:
    """A byte stream to the server, plain or TLS, that reads with deadlines and never loses bytes to them."""

    def __init__(self, sock):
        self.sock = sock
        self.pending = bytearray()

    @classmethod
    def connect(cls, address, receive_buffer=None, source=None, segment=None):
        """Opens TCP; @receive_buffer in bytes makes a reader whose window fills soon, @segment limits what comes at once."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        if source is not None:
            sock.bind(source)
        sock.settimeout(PATIENCE)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(sock)

    def start_tls(self, server_name=None, minimum=None, maximum=None, alpn=None, ciphers=None):
        """Does the TLS handshake; certificates are looked at by tests, not verified here."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if minimum:
            context.minimum_version = minimum
        if maximum:
            context.maximum_version = maximum
        if alpn:
            context.set_alpn_protocols(alpn)
        if ciphers:
            context.set_ciphers(ciphers)
        try:
            self.sock = context.wrap_socket(self.sock, server_hostname=server_name)
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise Closed(str(error)) from error
        except (ConnectionResetError, BrokenPipeError) as error:
            raise Closed(str(error)) from error
        return self

    def certificates(self):
        """All certificates the server sent, in DER, in the order in which they came."""
        if hasattr(self.sock, "get_unverified_chain"):
            return list(self.sock.get_unverified_chain())
        return [c.public_bytes(2) for c in self.sock._sslobj.get_unverified_chain()]

    def write(self, data):
        """Writes all bytes; raises Closed when the server is gone."""
        self.sock.settimeout(PATIENCE)
        try:
            self.sock.sendall(data)
        except (ConnectionError, ssl.SSLError) as error:
            raise Closed(str(error)) from error

    def fill(self, deadline, size=65536):
        """Waits for some more bytes until @deadline on the monotonic clock."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise Timeout("nothing more came in time")
        self.sock.settimeout(left)
        try:
            data = self.sock.recv(size)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
            raise Closed(str(error)) from error
        except ssl.SSLError as error:
            raise Closed(str(error)) from error
        except TimeoutError as error:
            raise Timeout("nothing more came in time") from error
        if not data:
            raise Closed("end of stream")
        self.pending += data

    def drain(self):
        """Takes from the system what is there now, as a program does that reads all the time."""
        with contextlib.suppress(Timeout):
            while True:
                self.fill(time.monotonic() + 0.001)

    def read(self, size, timeout=None):
        """Exactly @size bytes."""
        deadline = time.monotonic() + (PATIENCE if timeout is None else timeout)
        while len(self.pending) < size:
            self.fill(deadline)
        data = bytes(self.pending[:size])
        del self.pending[:size]
        return data

    def read_until(self, mark, timeout=None):
        """Bytes up to and with @mark."""
        deadline = time.monotonic() + (PATIENCE if timeout is None else timeout)
        while mark not in self.pending:
            self.fill(deadline)
        return self.read(self.pending.index(mark) + len(mark))

    def read_to_end(self, timeout=None):
        """All bytes until the server closes."""
        deadline = time.monotonic() + (PATIENCE if timeout is None else timeout)
        with contextlib.suppress(Closed):
            while True:
                self.fill(deadline)
        data = bytes(self.pending)
        self.pending.clear()
        return data

    def expect_closed(self, timeout=None):
        """The server closes; the bytes that came before are returned."""
        return self.read_to_end(timeout)

    def expect_open_and_silent(self, seconds):
        """Nothing comes for that long, not even the end."""
        assert not self.pending, f"unexpected bytes: {bytes(self.pending[:64])!r}"
        try:
            self.fill(time.monotonic() + seconds)
        except Timeout:
            return
        raise AssertionError(f"unexpected bytes: {bytes(self.pending[:64])!r}")

    def finish_writing(self):
        """Half-closes the TCP connection."""
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        """Closes as a program that ends."""
        self.sock.close()

    def abort(self):
        """Vanishes with a reset, in the middle of whatever was going on."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if isinstance(self.sock, ssl.SSLSocket):
            os.close(self.sock.detach())
        else:
            self.sock.close()


class Response:
    """Head of an HTTP response, and its body where one was read."""

    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.line = lines[0]
        self.version, status, _, = (lines[0].split(" ", 2) + ["", ""])[:3]
        self.status = int(status)
        self.fields = []
        for line in lines[1:]:
            if line:
                name, value = line.split(":", 1)
                self.fields.append((name, value.strip()))
        self.body = b""

    def all(self, name):
        """Values of every field of that name."""
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def get(self, name):
        """Value of the first field of that name, or None."""
        return next(iter(self.all(name)), None)


def read_response(stream, body=True, timeout=None):
    """One HTTP response; the body by its stated length."""
    response = Response(stream.read_until(b"\r\n\r\n", timeout))
    if body and response.status not in (101, 204, 304):
        length = response.get("Content-Length")
        if length is not None:
            response.body = stream.read(int(length), timeout)
        elif response.get("Connection") == "close":
            response.body = stream.read_to_end(timeout)
    return response


def http_request(stream, method, target, fields=(), host="127.0.0.1", version="1.1", body=True, timeout=None):
    """Sends one request and reads the answer."""
    head = [f"{method} {target} HTTP/{version}"]
    if host is not None:
        head.append(f"Host: {host}")
    head += [f"{name}: {value}" for name, value in fields]
    stream.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    return read_response(stream, body and method != "HEAD", timeout)


def frame(kind, payload=b""):
    """Bytes of one frame."""
    return struct.pack(">BI", kind, len(payload)) + payload


def disco(size=62, fill=b"d"):
    """A packet that a relay takes for a disco message."""
    return DISCO_MAGIC + fill * (size - len(DISCO_MAGIC))


def meta_key(certificates):
    """The server's DERP key from the first meta certificate, or None."""
    for der in certificates:
        found = re.search(rb"derpkey([0-9a-fA-F]{64})", der)
        if found:
            return bytes.fromhex(found[1].decode())
    return None


class PeerPresent:
    """A PeerPresent frame taken apart."""

    def __init__(self, payload):
        self.size = len(payload)
        self.key = payload[:32]
        self.address = payload[32:48]
        self.port = struct.unpack(">H", payload[48:50])[0]
        self.flags = payload[50]
        self.name = payload[52:52 + payload[51]] if len(payload) > 51 else None


class Client:
    """One DERP connection. Keys are 32 raw bytes everywhere."""

    def __init__(self, stream, key=None):
        self.stream = stream
        self.secret = key or nacl.public.PrivateKey.generate()
        self.server_key = None
        self.response = None
        self.server_info = None

    @property
    def key(self):
        """Our public key."""
        return bytes(self.secret.public_key)

    # ---- login, in steps so that a test can stop between any two

    def request_head(self, fast=False, path="/derp", upgrade="DERP", method="GET", fields=(),
                     agent="Go-http-client/1.1"):
        """Bytes of the HTTP request."""
        lines = [f"{method} {path} HTTP/1.1", "Host: relay.test", f"User-Agent: {agent}", "Connection: Upgrade"]
        if fast:
            lines.append("Derp-Fast-Start: 1")
        lines += [f"{name}: {value}" for name, value in fields]
        lines.append(f"Upgrade: {upgrade}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def upgrade(self, **request):
        """Asks for the upgrade and reads 101 and ServerKey."""
        self.stream.write(self.request_head(**request))
        if not request.get("fast"):
            self.response = read_response(self.stream, body=False)
            assert self.response.status == 101, self.response.line
        self.read_server_key()
        return self

    def read_server_key(self, timeout=None):
        """Reads the greeting."""
        kind, payload = self.recv(timeout)
        assert kind == Frame.SERVER_KEY, f"first frame is {kind}"
        assert payload[:8] == MAGIC and len(payload) >= 40
        if self.server_key is not None:
            assert self.server_key == payload[8:40]
        self.server_key = payload[8:40]

    def client_info(self, plain=None, key=None, nonce=None, **fields):
        """Bytes of a ClientInfo frame: @plain as it is, or JSON of the usual fields changed by @fields."""
        if plain is None:
            info = {"version": 2, "CanAckPings": True}
            info.update(fields)
            plain = json.dumps(info, separators=(",", ":")).encode()
        nonce = nonce or nacl.utils.random(24)
        box = nacl.bindings.crypto_box(plain, nonce, self.server_key, bytes(key or self.secret))
        return frame(Frame.CLIENT_INFO, self.key + nonce + box)

    def open_server_info(self, payload):
        """Plain text of a ServerInfo payload."""
        return nacl.bindings.crypto_box_open(payload[24:], payload[:24], self.server_key, bytes(self.secret))

    def read_server_info(self, timeout=None):
        """Reads the frame that must come second."""
        kind, payload = self.recv(timeout)
        assert kind == Frame.SERVER_INFO, f"second frame is {kind}"
        self.server_info = json.loads(self.open_server_info(payload))
        return self

    def login(self, fast=False, request=None, then=b"", **info):
        """The whole login. @fast needs server_key set; @then is sent in the same write as ClientInfo."""
        request = dict(request or {})
        if fast:
            self.stream.write(self.request_head(fast=True, **request) + self.client_info(**info) + then)
            self.read_server_key()
        else:
            self.upgrade(**request)
            self.stream.write(self.client_info(**info) + then)
        return self.read_server_info()

    # ---- frames out

    def send(self, kind, payload=b""):
        """Any frame."""
        self.stream.write(frame(kind, payload))

    def send_packet(self, destination, packet):
        """A packet to a key."""
        self.send(Frame.SEND_PACKET, destination + packet)

    def forward_packet(self, source, destination, packet):
        """A packet on behalf of another server's client."""
        self.send(Frame.FORWARD_PACKET, source + destination + packet)

    def ping(self, data):
        """A ping and its pong."""
        self.send(Frame.PING, data)
        self.expect(Frame.PONG, data[:8])

    # ---- frames in

    def recv(self, timeout=None):
        """The next frame, as (type, payload)."""
        header = self.stream.read(5, timeout)
        kind, size = struct.unpack(">BI", header)
        assert size <= 1 << 20, f"frame of {size} bytes: {header!r}"
        return kind, self.stream.read(size, timeout)

    def expect(self, kind, payload=None, timeout=None):
        """The next frame is of that type (and payload)."""
        got, data = self.recv(timeout)
        assert got == kind, f"expected {Frame(kind).name}, got type {got:#04x}: {data[:80].hex()}"
        if payload is not None:
            assert data == payload, f"{data[:80].hex()} is not {payload[:80].hex()}"
        return data

    def expect_packet(self, source, packet, timeout=None):
        """The next frame is that packet."""
        data = self.expect(Frame.RECV_PACKET, timeout=timeout)
        assert data[:32] == source, "packet from another source"
        assert data[32:] == packet, f"{len(data) - 32} bytes, expected {len(packet)}"

    def expect_gone(self, key, reason, timeout=None):
        """The next frame says that a peer is gone."""
        self.expect(Frame.PEER_GONE, key + bytes([reason]), timeout)

    def expect_closed(self, timeout=None):
        """The server closes without another frame."""
        rest = self.stream.expect_closed(timeout)
        assert rest == b"", f"bytes before the end: {rest[:80]!r}"

    def frames_until_own(self, mark=None):
        """Sends a packet to ourselves and gives all frames that came before it.

        The relay has then dealt with everything we sent before. Do not use it where being active matters.
        """
        mark = mark or b"fence" + nacl.utils.random(16)
        self.send_packet(self.key, mark)
        return self.frames_until(self.key, mark)

    def frames_until(self, source, mark):
        """All frames before the packet @mark from @source."""
        frames = []
        while True:
            kind, payload = self.recv()
            if kind == Frame.RECV_PACKET and payload == source + mark:
                return frames
            frames.append((kind, payload))

    def fence_to(self, other):
        """Sends a packet to @other and gives what @other got before it: packets of ours sent earlier, for one."""
        mark = b"fence" + nacl.utils.random(16)
        self.send_packet(other.key, mark)
        return other.frames_until(self.key, mark)

    def close(self):
        """Leaves as a program that ends."""
        self.stream.close()

    def abort(self):
        """Vanishes with a reset."""
        self.stream.abort()
