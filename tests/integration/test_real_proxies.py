"""HAProxy, nginx and Caddy in front of the relay, each with the configuration that the guide prints.
SPDX-License-Identifier: LGPL-2.1-or-later

Only ports, paths and the name differ, and what their packages' own main files have around such a text.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from adapted import AdaptedRelay
from certs import Certificate
from control import ask
from derp_client import Client, Frame, Stream, http_request, meta_key
from relay import free_port, wait_until
from test_guide import AUTHORITY, BLOCKS
from test_proxy_protocol import addresses, key_text
from websocket import Op, WebSocket, frame

CLIENT = "127.0.0.7"  # a client's address as the proxy sees it

BASE = """
[core]
hostname = relay.test

[admission]
chain = open

[cert main]
plugin = file
chain-file = /etc/detour/private/fullchain.pem
key-file = /etc/detour/private/privkey.pem

[service mesh]
key-file = /etc/detour/private/mesh.key

"""

# What stands around the blocks of the guide in a main file.
AROUND = {
    "haproxy": "global\n    stats timeout 1m\n    log {run}/log local0\n\n{block}",
    "nginx": "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\npid {dir}/pid;\nerror_log {dir}/errors;\n"
             "{user}events {{ }}\n{block}",
    "caddy": "{{\n    admin off\n    auto_https disable_redirects\n    storage file_system {dir}\n}}\n{block}",
}

COMMANDS = {
    "haproxy": lambda file: ["haproxy", "-db", "-f", file],
    "nginx": lambda file: ["nginx", "-e", file.parent / "errors", "-p", file.parent, "-c", file],
    "caddy": lambda file: ["caddy", "run", "--config", file, "--adapter", "caddyfile"],
}


def printed(kind, word):
    """The block of the guide that has @word."""
    found = [text for tag, text in BLOCKS if tag == kind and word in text]
    assert len(found) == 1, f"{len(found)} blocks of kind {kind} have {word}"
    return found[0]


# Each way: the program, a word of its block, a word of the relay's block.
WAYS = {
    "haproxy-passes": ("haproxy", "send-proxy-v2", "proxy-protocol = require"),
    "haproxy-ends": ("haproxy", "forwardfor", "X-Forwarded-For"),
    "nginx-passes": ("nginx", "proxy_protocol on", "proxy-protocol = require"),
    "nginx-ends": ("nginx", "X-Real-IP", "X-Real-IP"),
    "caddy-ends": ("caddy", "reverse_proxy", "X-Forwarded-For"),
}


class FrontProxy:
    """One proxy with the configuration of the guide, between clients and @relay."""

    def __init__(self, directory, way, relay):
        self.kind, word, _ = WAYS[way]
        self.passes = way.endswith("passes")
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.port = free_port()
        certificate = Certificate("relay.test", issuer=AUTHORITY)
        for name, content in {"relay.pem": certificate.pem + certificate.key_pem, "relay.crt": certificate.pem,
                              "relay.key": certificate.key_pem}.items():
            (self.directory / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        self.directory.chmod(0o755)
        text = printed(self.kind, word).replace("relay.example.com", "relay.test")
        text = text.replace("127.0.0.1:8443", f"127.0.0.1:{relay.ports.get('https')}")
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{relay.ports.get('behind')}")
        text = re.sub(r"(listen |bind :)443\b", rf"\g<1>{self.port}", text)
        text = text.replace("/run/detour/", f"{relay.run_directory}/detour/")
        text = re.sub(r"/etc/(haproxy|nginx)/", f"{self.directory}/", text)
        if self.kind == "caddy":
            text = text.replace("relay.test {", f"relay.test:{self.port} {{\n    tls {self.directory}/relay.crt "
                                                       f"{self.directory}/relay.key")
        # Where a user who is not root may write.
        text = text.replace("http {\n", "http {\n" + "".join(f"    {kind}_temp_path {self.directory}/{kind};\n" for kind in
                                                            ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")), 1)
        self.file = self.directory / "proxy.conf"
        user = "user root;\n" if os.getuid() == 0 else ""
        self.file.write_text(AROUND[self.kind].format(dir=self.directory, run=relay.run_directory, block=text, user=user))
        self.output = open(self.directory / "output", "wb")
        home = {"HOME": str(self.directory), "XDG_DATA_HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory)}
        self.process = subprocess.Popen([str(word) for word in COMMANDS[self.kind](self.file)], stdout=self.output,
                                        stderr=subprocess.STDOUT, env=os.environ | home, cwd=self.directory)
        wait_until(self.answers, f"{way} listens")

    def answers(self):
        """Whether it takes connections; an error if it has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"{self.kind} has ended:\n{self.file.read_text()}\n{(self.directory / 'output').read_text()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stream(self, source=CLIENT):
        """A connection of a client, with TLS."""
        stream = Stream.connect(("127.0.0.1", self.port), source=(source, 0))
        stream.start_tls(server_name="relay.test", alpn=["http/1.1"])
        return stream

    def stop(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait(30)
        self.output.close()


@pytest.fixture(params=WAYS)
def proxied(request, tmp_path):
    """A relay and a proxy in front of it."""
    kind, _, word = WAYS[request.param]
    assert shutil.which(kind), f"there is no {kind}; tests/tools/packages install test"
    certificate = Certificate("relay.test", issuer=AUTHORITY)
    text = printed("conf", word)
    if os.getuid() != 0:
        text = text.replace("unix-owner = :www-data\n", "")
    files = {"etc/detour/private/fullchain.pem": certificate.pem, "etc/detour/private/privkey.pem": certificate.key_pem,
             "etc/detour/private/mesh.key": "6d657368" * 8 + "\n"}
    with AdaptedRelay(tmp_path / "relay", BASE + text, files) as relay:
        os.makedirs(os.path.join(relay.run_directory, "detour"), exist_ok=True)
        relay.start()
        proxy = FrontProxy(tmp_path / "proxy", request.param, relay)
        try:
            yield relay, proxy
        finally:
            proxy.stop()


def test_clients_come_through_and_keep_their_addresses(proxied):
    relay, proxy = proxied
    a, b = proxy.stream(), proxy.stream("127.0.0.8")
    addresses_of_sockets = {}
    clients = []
    for stream in (a, b):
        client = Client(stream)
        if proxy.passes:
            # The relay's certificates are the relay's own, its key among them: a round trip less.
            client.server_key = meta_key(stream.certificates())
            assert client.server_key is not None
        client.login(fast=proxy.passes)
        addresses_of_sockets[key_text(client)] = stream.sock.getsockname()
        clients.append(client)
    for key, (host, port) in addresses_of_sockets.items():
        assert addresses(relay)[key] == f"{host}:{port if proxy.passes else 0}"

    a, b = clients
    # Both ways, of all sizes, many at a time.
    for size in (1, 1200, 16384, 65535):
        a.send_packet(b.key, b"x" * size)
        b.expect_packet(a.key, b"x" * size)
        b.send_packet(a.key, b"y" * size)
        a.expect_packet(b.key, b"y" * size)
    for i in range(16):
        a.send_packet(b.key, bytes([i]) * 1300)
    for i in range(16):
        b.expect_packet(a.key, bytes([i]) * 1300)
    # The end comes through.
    a.close()
    b.expect_gone(a.key, 0)


def test_websockets_come_through(proxied):
    relay, proxy = proxied
    clients = []
    for source in (CLIENT, "127.0.0.8"):
        client = Client(WebSocket.open(proxy.stream(source)))
        client.read_server_key()
        client.stream.write(client.client_info())
        clients.append(client.read_server_info())
        assert addresses(relay)[key_text(client)].rsplit(":", 1)[0] == source
    a, b = clients
    for size in (0, 1, 1400, 65536):
        a.send_packet(b.key, bytes(size))
        b.expect_packet(a.key, bytes(size))
    a.stream.stream.write(frame(Op.PING, b"through"))
    a.stream.expect_pong(b"through")
    a.stream.stream.write(frame(Op.CLOSE, b"\x03\xe8"))
    a.stream.expect_code(1000)
    b.expect_gone(a.key, 0)


def test_a_mesh_peer_behind_the_proxy_sees_them(proxied):
    relay, proxy = proxied
    watcher = Client(proxy.stream("127.0.0.9")).login(meshKey=relay.mesh_key)
    watcher.send(Frame.WATCH_CONNS)
    client = Client(proxy.stream()).login()
    while True:
        payload = watcher.expect(Frame.PEER_PRESENT)
        if payload[:32] == client.key:
            break
    assert payload[32:48] == bytes(10) + b"\xff\xff" + socket.inet_aton(CLIENT)


def test_pages_come_through(proxied):
    relay, proxy = proxied
    stream = proxy.stream()
    for target, status in (("/derp/probe", 200), ("/generate_204", 204), ("/nothing", 404), ("/derp", 426)):
        assert http_request(stream, "GET", target, host="relay.test").status == status


def test_checks_of_the_proxy_leave_no_trace(proxied):
    """HAProxy's `check` connects every two seconds, in LOCAL connections."""
    relay, proxy = proxied
    client = Client(proxy.stream()).login()
    client.ping(b"12345678")
    assert "proxy-refused" not in relay.log and "closed: " not in relay.log
    assert [row["address"].split(":")[0] for row in ask(relay, "clients")["clients"]] == [CLIENT]
