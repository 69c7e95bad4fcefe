"""An admission server, which knows whom a test wants and behaves as badly as a test wants; and a proxy on the way to it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import socket
import ssl
import threading
import time

from acceptor import Acceptor


def read_head(connection):
    """(head, what came behind it); an empty head: there is no request any more."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            return b"", b""
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


class AdmissionServer:
    """Listens on 127.0.0.1. What it does may be changed at any time."""

    def __init__(self, certificate=None, client_ca=None, directory=None):
        self.allowed = {}          # node key in hex: further members of the answer
        self.manner = "answers"    # or "silent", "lies", "closes", "half", "huge", "no http", a status, a whole body, …
        self.headers = ""          # of the answer, each with its line end
        self.delay = 0             # seconds before each answer
        self.gate = threading.Event()   # questions wait until it is set
        self.gate.set()
        self.hangs_up = False      # closes the connection behind each answer, without a word
        self.asked = []            # (key in hex, source)
        self.heads = []            # of all requests
        self.now = 0               # questions that are there
        self.most = 0              # at the same time
        self.lock = threading.Lock()
        self.port = None
        self.acceptor = None
        self.context = None
        if certificate is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            (directory / "server.pem").write_text(certificate.pem)
            (directory / "server.key").write_text(certificate.key_pem)
            self.context.load_cert_chain(directory / "server.pem", directory / "server.key")
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(cadata=client_ca.pem)
        self.start()

    def start(self):
        """Begins to listen, at the port of before if there was one."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port or 0))
        listener.listen(1024)
        self.port = listener.getsockname()[1]
        self.acceptor = Acceptor(listener, self.serve)
        return self

    def stop(self):
        """Dies: every connection ends."""
        self.gate.set()
        self.acceptor.close()

    def url(self, host="127.0.0.1"):
        """Where it is asked."""
        return f"http{'s' if self.context else ''}://{host}:{self.port}/verify"

    def allow(self, key, **members):
        """From now on; @members come into the answer as well."""
        self.allowed[bytes(key).hex()] = members

    def deny(self, key):
        """From now on."""
        del self.allowed[bytes(key).hex()]

    def serve(self, connection):
        """All requests of a connection."""
        if self.context is not None:
            connection = self.context.wrap_socket(connection, server_side=True)
        while self.serve_one(connection) and not self.hangs_up:
            pass
        connection.close()

    def serve_one(self, connection):
        """One request; false: the connection is over."""
        head, body = read_head(connection)
        if not head:
            return False
        self.heads.append(head)
        if head.startswith(b"HEAD "):
            return self.answer(connection, self.manner if isinstance(self.manner, int) else 405, b"", 0)
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(4096)
        question = json.loads(body)
        key = question["NodePublic"].removeprefix("nodekey:")
        with self.lock:
            self.asked.append((key, question["Source"]))
            self.now += 1
            self.most = max(self.most, self.now)
        self.gate.wait()
        time.sleep(self.delay)
        with self.lock:
            self.now -= 1
        return self.behave(connection, key)

    def behave(self, connection, key):
        """The answer about a key, or anything else."""
        if self.manner == "answers":
            return self.answer(connection, 200, json.dumps({"Allow": key in self.allowed, **self.allowed.get(key, {})}).encode())
        if isinstance(self.manner, int):
            return self.answer(connection, self.manner, b"oops\n")
        if isinstance(self.manner, bytes):
            return self.answer(connection, 200, self.manner)
        if self.manner == "half":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"Allow\":")
        elif self.manner == "huge":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (1 << 20))
        elif self.manner == "no http":
            connection.sendall(b"220 ready\r\n")
        elif self.manner == "silent":
            connection.recv(1)
        return False

    def answer(self, connection, status, body, length=None):
        """A whole answer."""
        length = len(body) if length is None else length
        connection.sendall(f"HTTP/1.1 {status} Status\r\n{self.headers}Content-Length: {length}\r\n\r\n".encode() + body)
        return True


class Proxy:
    """An HTTP proxy on 127.0.0.1 that hands on what CONNECT and plain requests ask for, to the place that a test names."""

    def __init__(self, target, status=200):
        self.target = target
        self.status = status
        self.heads = []
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self.acceptor = Acceptor(listener, self.serve)

    def stop(self):
        """Every connection ends."""
        self.acceptor.close()

    def serve(self, connection):
        """One connection."""
        head, rest = read_head(connection)
        if not head:
            return
        self.heads.append(head)
        if self.status != 200:
            connection.sendall(f"HTTP/1.1 {self.status} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        with socket.create_connection(self.target) as onward:
            if head.startswith(b"CONNECT "):
                connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                onward.sendall(head + b"\r\n\r\n" + rest)
            back = threading.Thread(target=self.pump, args=(onward, connection), daemon=True)
            back.start()
            self.pump(connection, onward)
            back.join()

    @staticmethod
    def pump(source, sink):
        """Bytes of one way, to their end."""
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
