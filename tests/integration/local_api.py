"""A tailscaled as far as its LocalAPI goes, which knows whom a test wants and behaves as badly as a test wants.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import socket
import threading
import time
import urllib.parse


class Tailscaled:
    """Listens on a Unix socket. What it does may be changed at any time."""

    def __init__(self, path):
        self.path = str(path)
        self.nodes = {}           # node key in hex: (name, user)
        self.state = "Running"    # NeedsLogin, Starting, …: then it knows nobody
        self.manner = "answers"   # or "silent", "lies", "closes", "half", "huge", "no http", or a status: 500
        self.delay = 0            # seconds before each answer
        self.gate = threading.Event()   # answers about keys wait until it is set
        self.gate.set()
        self.asked = []           # keys it was asked for, in hex
        self.listener = None
        self.connections = set()
        self.lock = threading.Lock()

    def add(self, key, name="laptop", user="anna@example.com"):
        """A node joins the tailnet."""
        self.nodes[bytes(key).hex()] = (name, user)

    def remove(self, key):
        """A node leaves the tailnet."""
        del self.nodes[bytes(key).hex()]

    def start(self):
        """Binds the socket, over that of a dead one."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(128)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()
        return self

    def stop(self):
        """Dies: every connection ends, and the socket stays behind."""
        self.gate.set()
        listener, self.listener = self.listener, None
        if listener is None:
            return
        # Closing alone would leave the thread in accept().
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self.lock:
            connections, self.connections = self.connections, set()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def accept(self, listener):
        """Thread of the listener."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections.add(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        """Thread of a connection."""
        try:
            while self.serve_one(connection):
                pass
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections.discard(connection)
            connection.close()

    def serve_one(self, connection):
        """One request; false: the connection is over."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(4096)
            if not data:
                return False
            head += data
        target = urllib.parse.urlsplit(head.split(b" ")[1].decode())
        fields = [line.lower() for line in head.split(b"\r\n")[1:]]
        if b"host: local-tailscaled.sock" not in fields or any(f.startswith((b"origin:", b"referer:")) for f in fields):
            return self.answer(connection, 403, b"invalid localapi request\n")
        if self.delay:
            time.sleep(self.delay)
        if self.manner != "answers":
            return self.misbehave(connection)
        if target.path == "/localapi/v0/status":
            return self.answer(connection, 200, {"Version": "1.82.0", "BackendState": self.state})
        if target.path == "/localapi/v0/whois":
            return self.whois(connection, urllib.parse.parse_qs(target.query)["addr"][0].removeprefix("nodekey:"))
        return self.answer(connection, 404, b"404 not found\n")

    def whois(self, connection, key):
        """Answers which node has the key."""
        self.asked.append(key)
        self.gate.wait()
        if key not in self.nodes or self.state != "Running":
            return self.answer(connection, 404, b"no match for IP:port\n")
        name, user = self.nodes[key]
        return self.answer(connection, 200, {
            "Node": {"ID": 1, "Name": f"{name}.tail1234.ts.net.", "ComputedName": name, "Key": f"nodekey:{key}"},
            "UserProfile": {"ID": 2, "LoginName": user}, "CapMap": None})

    def misbehave(self, connection):
        """Anything but an answer."""
        if isinstance(self.manner, int):
            return self.answer(connection, self.manner, b"oops\n")
        if self.manner == "lies":
            return self.answer(connection, 200, b"<html>Welcome to the hotel</html>")
        if self.manner == "half":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"Node\":")
        elif self.manner == "huge":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * (1 << 21))
        elif self.manner == "no http":
            connection.sendall(b"220 ready\r\n")
        elif self.manner == "silent":
            connection.recv(1)
        return False

    @staticmethod
    def answer(connection, status, body):
        """A whole answer."""
        if not isinstance(body, bytes):
            body = json.dumps(body, indent="\t").encode() + b"\n"
        connection.sendall(f"HTTP/1.1 {status} Status\r\nTailscale-Version: 1.82.0\r\nContent-Length: {len(body)}\r\n\r\n"
                           .encode() + body)
        return True
