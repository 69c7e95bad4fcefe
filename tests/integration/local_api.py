"""A tailscaled as far as its LocalAPI goes, which knows whom a test wants and behaves as badly as a test wants.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import socket
import threading
import time
import urllib.parse

from acceptor import Acceptor


class Tailscaled:
    """Listens on a Unix socket. What it does may be changed at any time."""

    def __init__(self, path):
        self.path = str(path)
        self.nodes = {}           # node key in hex: (name, user)
        self.ids = {}             # node key in hex: number of the node, which it keeps for ever
        self.bus = None           # or "new", "old": what changes is told to those who watch, as before or after 1.100
        self.watchers = []        # connections of those
        self.masks = []           # and what each of them wanted
        self.state = "Running"    # NeedsLogin, Starting, …: then it knows nobody
        self.manner = "answers"   # or "silent", "lies", "closes", "half", "huge", "no http", or a status: 500
        self.delay = 0            # seconds before each answer
        self.gate = threading.Event()   # answers about keys wait until it is set
        self.gate.set()
        self.derp_map = None      # that it has got
        self.asked = []           # keys it was asked for, in hex
        self.acceptor = None

    def add(self, key, name="laptop", user="anna@example.com"):
        """A node joins the tailnet."""
        self.nodes[bytes(key).hex()] = (name, user)

    def remove(self, key):
        """A node leaves the tailnet."""
        del self.nodes[bytes(key).hex()]
        self.tell({"PeersRemoved": [self.id_of(bytes(key).hex())]})

    def expire(self, key):
        """The key of a node is too old."""
        key = bytes(key).hex()
        del self.nodes[key]
        self.tell({"PeersChanged": [self.describe(key) | {"Key": f"nodekey-expired:{key}", "Expired": True}]})

    def log_in_anew(self, old, new):
        """A node has another key from now on."""
        old, new = bytes(old).hex(), bytes(new).hex()
        self.ids[new] = self.id_of(old)
        self.nodes[new] = self.nodes.pop(old)
        self.tell({"PeersChanged": [self.describe(new)]})

    def id_of(self, key):
        """The number of the node that has or had a key, in hex."""
        return self.ids.setdefault(key, len(self.ids) + 1)

    def describe(self, key):
        """The node that has a key, in hex."""
        name = self.nodes.get(key, ("laptop", ""))[0]
        return {"ID": self.id_of(key), "StableID": f"n{self.id_of(key)}CNTRL", "Name": f"{name}.tail1234.ts.net.",
                "ComputedName": name, "Key": f"nodekey:{key}", "Hostinfo": {"OS": "linux", "ID": 1}}

    def tell(self, change):
        """Tells those who watch what has changed; before 1.100 it was all nodes each time."""
        if self.bus == "old":
            change = {"NetMap": {"SelfNode": {"ID": 1000}, "Peers": [self.describe(key) for key in self.nodes]}}
        notify = {"Version": "1.82.0", "ErrMessage": None, "State": None, "Prefs": None} | change
        for watcher in list(self.watchers):
            self.put_chunk(watcher, json.dumps(notify).encode() + b"\n")

    @staticmethod
    def put_chunk(connection, data):
        """A piece of a body that does not end; who went does not hear it."""
        try:
            connection.sendall(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        except OSError:
            pass

    def start(self):
        """Binds the socket, over that of a dead one."""
        if os.path.exists(self.path):
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.path)
        listener.listen(128)
        self.acceptor = Acceptor(listener, self.serve)
        return self

    def stop(self):
        """Dies: every connection ends, and the socket stays behind."""
        self.gate.set()
        if self.acceptor is not None:
            self.acceptor.close()

    @property
    def connections(self):
        """Those that are open."""
        return self.acceptor.connections

    def serve(self, connection):
        """All requests of a connection."""
        while self.serve_one(connection):
            pass

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
        if target.path == "/localapi/v0/derpmap" and self.derp_map:
            return self.answer(connection, 200, self.derp_map)
        if target.path == "/localapi/v0/watch-ipn-bus" and self.bus:
            return self.watch(connection, int(urllib.parse.parse_qs(target.query)["mask"][0]))
        if target.path == "/localapi/v0/whois":
            return self.whois(connection, urllib.parse.parse_qs(target.query)["addr"][0].removeprefix("nodekey:"))
        return self.answer(connection, 404, b"404 not found\n")

    def watch(self, connection, mask):
        """Tells what changes for as long as somebody listens."""
        self.masks.append(mask)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.watchers.append(connection)
        try:
            connection.recv(1)
        finally:
            self.watchers.remove(connection)
        return False

    def whois(self, connection, key):
        """Answers which node has the key."""
        self.asked.append(key)
        self.gate.wait()
        if key not in self.nodes or self.state != "Running":
            return self.answer(connection, 404, b"no match for IP:port\n")
        user = self.nodes[key][1]
        return self.answer(connection, 200, {
            "Node": self.describe(key),
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
