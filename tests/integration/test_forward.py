"""One port for the relay and web servers: the name asked for in TLS decides before any handshake whose connection it is.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import shutil
import socket
import ssl
import struct
import subprocess
import time

import pytest

import proxy_header
from acceptor import Acceptor
from acme_relay import CONFIG as ACME
from acme_relay import AcmeRelay
from certs import Certificate
from control import counter, detourctl
from derp_client import PATIENCE, Client, Closed, Stream, http_request
from pebble import Pebble
from relay import EVERYTHING, StartFailed, free_port, wait_until, with_keys
from test_guide import BLOCKS

CERTIFICATE = Certificate("www.test", "*.web.test")


class WebServer:
    """A server for somebody else's name: TLS, and what a test wants behind it. Remembers what came before TLS."""

    def __init__(self, directory, serve, path=None, tls=True):
        self.serve = serve
        self.headers, self.protocols, self.problems = [], [], []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
        if tls:
            chain = directory / "web.pem"
            chain.write_text(CERTIFICATE.pem)
            key = directory / "web.key"
            key.write_text(CERTIFICATE.key_pem)
            self.context.load_cert_chain(chain, key)
            self.context.set_alpn_protocols(["acme-tls/1", "h2", "http/1.1"])
        if path:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen(64)
            self.address = f"unix:{path}"
        else:
            listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.address = f"127.0.0.1:{listener.getsockname()[1]}"
        self.acceptor = Acceptor(listener, self.run)

    def run(self, sock):
        """A PROXY header if there is one, TLS, and the rest."""
        try:
            sock.settimeout(PATIENCE)
            start = sock.recv(16, socket.MSG_PEEK)
            if start.startswith(b"PROXY "):
                line = b""
                while not line.endswith(b"\r\n"):
                    line += sock.recv(1)
                self.headers.append(line)
            elif start.startswith(proxy_header.SIGNATURE):
                head = sock.recv(16, socket.MSG_WAITALL)
                self.headers.append(head + sock.recv(struct.unpack(">H", head[14:])[0], socket.MSG_WAITALL))
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
                self.protocols.append(sock.selected_alpn_protocol())
            self.serve(sock)
        except (OSError, ssl.SSLError) as problem:
            self.problems.append(repr(problem))
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    def close(self):
        """No thread waits any more."""
        self.acceptor.close()


def echo(sock):
    """Sends back what comes, until its end."""
    while data := sock.recv(65536):
        sock.sendall(data)


@pytest.fixture
def web(tmp_path):
    """Starts web servers of a test."""
    started = []

    def start(serve=echo, **options):
        server = WebServer(tmp_path, serve, **options)
        started.append(server)
        return server
    yield start
    for server in started:
        server.close()


def forwarding(server, names="www.test", **keys):
    """All listeners with TLS forward @names to @server."""
    config = EVERYTHING
    for name in ("https", "tls-gnutls", "tls-export"):
        forward = ";".join(f"{each}={server.address}" for each in names.split(";"))
        config = with_keys(config, f"transport {name}", forward=forward, **keys)
    return config


def ask_for(relay, name, transport="tls-export", source=None, **tls):
    """A connection with TLS for that name."""
    stream = Stream.connect(relay.address(transport), source=source)
    return stream.start_tls(server_name=name, **tls)


def subject(stream):
    """What the certificate of the other side is for."""
    return stream.certificates()[0]


def is_webs(stream):
    """Whether the web server has answered, and not the relay."""
    return subject(stream) == CERTIFICATE.der


@pytest.mark.parametrize("transport", ["tls-gnutls", "tls-export"])
def test_the_name_decides(make_relay, web, transport):
    server = web()
    relay = make_relay(forwarding(server, "www.test;*.web.test"))
    for name in ("www.test", "WWW.test", "a.web.test"):
        stream = ask_for(relay, name, transport)
        assert is_webs(stream)
        stream.write(b"hello")
        assert stream.read(5) == b"hello"
    for name in ("relay.test", "other.test", "web.test", "a.b.web.test", None):
        stream = ask_for(relay, name, transport)
        assert not is_webs(stream)
        assert http_request(stream, "GET", "/derp/probe").status == 200
    client = relay.door("tls").client()
    client.ping(b"12345678")
    assert counter(relay, "forwarded_begun") == 3
    assert not server.headers


def test_the_relays_own_name_stays_here(make_relay, web):
    server = web()
    relay = make_relay(forwarding(server, "*.test;mail.test").replace(f"mail.test={server.address}", "mail.test=own"))
    assert is_webs(ask_for(relay, "www.test"))
    assert not is_webs(ask_for(relay, "relay.test"))
    assert not is_webs(ask_for(relay, "mail.test"))


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n", b"\x16\x02", b"\x80\x2e\x01\x00\x02"])
def test_what_is_no_hello_is_the_relays(make_relay, web, first):
    """It gets the same answer as without a name to forward."""
    config = with_keys(EVERYTHING, "transport https", forward=f"www.test={web().address}")
    relay = make_relay(config)
    answers = []
    for transport in ("tls", "tls-export"):
        stream = Stream.connect(relay.address(transport))
        stream.write(first)
        stream.sock.shutdown(socket.SHUT_WR)
        with contextlib.suppress(Closed):
            answers.append(stream.read_to_end())
    assert answers[:1] == answers[1:]
    assert counter(relay, "forwarded_begun") == 0


def raw_hello(name):
    """A ClientHello, without the head of its record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing, outgoing.read()[5:]


@pytest.mark.parametrize("name, is_foreign", [("www.test", True), ("relay.test", False)])
@pytest.mark.parametrize("size, pause", [(16384, 0), (100, 0.002), (16, 0), (1, 0)])
def test_a_name_in_several_records(make_relay, web, name, is_foreign, size, pause):
    server = web()
    relay = make_relay(forwarding(server))
    tls, incoming, outgoing, message = raw_hello(name)
    stream = Stream.connect(relay.address("tls-export"))
    for at in range(0, len(message), size):
        part = message[at:at + size]
        stream.write(b"\x16\x03\x01" + struct.pack(">H", len(part)) + part)
        time.sleep(pause)  # so that records come alone; the outcome does not depend on it
    while True:
        stream.fill(time.monotonic() + PATIENCE)
        incoming.write(bytes(stream.pending))
        stream.pending.clear()
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            if data := outgoing.read():
                stream.write(data)
    assert (tls.getpeercert(True) == ssl.PEM_cert_to_DER_cert(CERTIFICATE.pem if isinstance(CERTIFICATE.pem, str)
                                                              else CERTIFICATE.pem.decode())) == is_foreign


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_web_server_is_told_the_clients_address(make_relay, web, version):
    server = web()
    relay = make_relay(forwarding(server, forward_proxy_protocol=version))
    stream = ask_for(relay, "www.test", source=("127.0.0.5", 0))
    host, port = stream.sock.getsockname()
    own = relay.ports["tls-export"]
    expected = (proxy_header.v1(host, port, "127.0.0.1", own) if version == "v1"
                else proxy_header.v2(host, port, "127.0.0.1", own))
    assert server.headers == [expected]


def test_behind_a_proxy_the_address_is_passed_on(make_relay, web):
    server = web()
    relay = make_relay(forwarding(server, forward_proxy_protocol="v1", proxy_protocol="require", trusted_proxies="127.0.0.1"))
    stream = Stream.connect(relay.address("tls-export"))
    stream.write(proxy_header.v2("203.0.113.7", 51820))
    stream.start_tls(server_name="www.test")
    assert server.headers == [proxy_header.v1("203.0.113.7", 51820, "127.0.0.1", relay.ports["tls-export"])]


def test_a_unix_socket_behind(make_relay, web, tmp_path):
    relay = make_relay(start=False)
    server = web(path=os.path.join(relay.run_directory, "web.sock"))
    relay.config = forwarding(server)
    relay.start()
    stream = ask_for(relay, "www.test")
    stream.write(b"hello")
    assert stream.read(5) == b"hello"


def test_challenges_go_to_whom_they_are_for(make_relay, web):
    """acme-tls/1 for a foreign name is for its server; for one of ours the relay answers."""
    server = web()
    relay = make_relay(forwarding(server))
    stream = ask_for(relay, "www.test", alpn=["acme-tls/1"])
    assert stream.sock.selected_alpn_protocol() == "acme-tls/1" and is_webs(stream)
    with contextlib.suppress(Closed, ssl.SSLError):
        # The relay has no challenge to answer, and refuses or serves it; nobody else sees it.
        ask_for(relay, "relay.test", alpn=["acme-tls/1"])
    assert counter(relay, "forwarded_begun") == 1


def test_a_certificate_by_acme_is_renewed_on_the_port(tmp_path, web):
    """The CA asks on the port that forwards: challenges for the relay's name stay here, though `*.test` goes elsewhere."""
    server = web()
    with Pebble(tmp_path / "pebble") as ca:
        config = with_keys(ACME, "transport https", forward=f"*.test={server.address}", forward_proxy_protocol="v2")
        with AcmeRelay(tmp_path / "relay", ca, config) as relay:
            relay.start()
            root = tmp_path / "root.pem"
            root.write_text(ca.roots())
            first = relay.wait_leaf(root)
            assert is_webs(Stream.connect(("127.0.0.1", relay.ports["https"])).start_tls(server_name="www.test"))
            detourctl(relay, "certs", "renew")
            second = relay.wait_leaf(root, other_than=first)
            assert second.serial_number != first.serial_number
            assert "acme-tls/1" not in server.protocols
            relay.login(root).ping(b"12345678")


def test_half_close_and_order(make_relay, web):
    """The end of one direction comes behind its last byte, and the other direction goes on."""
    got = []

    def serve(sock):
        while data := sock.recv(65536):
            got.append(data)
        sock.sendall(b"answer " * 100000)

    server = web(serve, tls=False)
    relay = make_relay(forwarding(server))
    *_, message = raw_hello("www.test")
    hello = b"\x16\x03\x01" + struct.pack(">H", len(message)) + message
    stream = Stream.connect(relay.address("tls-export"))
    stream.write(hello + b"question " * 100000)
    stream.sock.shutdown(socket.SHUT_WR)
    assert stream.read_to_end() == b"answer " * 100000
    assert b"".join(got) == hello + b"question " * 100000
    wait_until(lambda: counter(relay, "forwarded_ended") == 1, "it is over")


def test_the_server_may_end_first(make_relay, web):
    got = []

    def serve(sock):
        sock.sendall(b"enough")
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            got.append(data)

    server = web(serve, tls=False)
    relay = make_relay(forwarding(server))
    *_, message = raw_hello("www.test")
    hello = b"\x16\x03\x01" + struct.pack(">H", len(message)) + message
    stream = Stream.connect(relay.address("tls-export"))
    stream.write(hello)
    assert stream.read_to_end() == b"enough"
    stream.write(b"more " * 300000)
    stream.close()
    wait_until(lambda: counter(relay, "forwarded_ended") == 1, "it is over")
    assert b"".join(got) == hello + b"more " * 300000


def test_a_reader_that_is_slow_holds_up_only_itself(make_relay, web):
    """What one side does not take is not read from the other: memory stays where it is."""
    sent = []

    def flood(sock):
        with contextlib.suppress(OSError):
            while True:
                sent.append(sock.send(bytes(65536)))

    server = web(flood, tls=False)
    relay = make_relay(forwarding(server))
    *_, message = raw_hello("www.test")
    hello = b"\x16\x03\x01" + struct.pack(">H", len(message)) + message
    slow = Stream.connect(relay.address("tls-export"), receive_buffer=65536)
    slow.write(hello)

    def stands():
        before = sum(sent)
        time.sleep(0.3)  # so long nothing may move; with a fault it moves on
        return before > 0 and sum(sent) == before
    wait_until(stands, "the server cannot send more")
    assert sum(sent) < 64 << 20
    # Others are served meanwhile, and the slow one in the end.
    fast = Stream.connect(relay.address("tls-export"))
    fast.write(hello)
    assert len(fast.read(32 << 20)) == 32 << 20
    assert len(slow.read(8 << 20)) == 8 << 20
    relay.door("tls").client().ping(b"12345678")


def test_idle_connections_are_closed(make_relay, web):
    relay = make_relay(forwarding(web(), forward_idle="1s"))
    stream = ask_for(relay, "www.test")
    stream.write(b"hello")
    assert stream.read(5) == b"hello"
    stream.expect_closed()
    assert counter(relay, "forwarded_idle") == 1


def test_limits(make_relay, web):
    relay = make_relay(with_keys(forwarding(web(), forward_connections=3), "limits", connections_per_source=4))
    kept = [ask_for(relay, "www.test") for _ in range(3)]
    with pytest.raises((Closed, ssl.SSLError, OSError)):
        ask_for(relay, "www.test")
    assert counter(relay, "forwarded_over_limit") == 1
    relay.wait_log("3 connections are forwarded at a time, and another one is closed")
    # They count for their address, and no more once they are over.
    kept.append(ask_for(relay, "relay.test"))
    with pytest.raises((Closed, ssl.SSLError, OSError)):
        ask_for(relay, "relay.test")
    for stream in kept:
        stream.close()
    wait_until(lambda: counter(relay, "forwarded_ended") == 3, "they are over")
    assert is_webs(ask_for(relay, "www.test"))


def test_a_server_that_is_not_there(make_relay, web):
    server = web()
    relay = make_relay(forwarding(server))
    server.close()
    with pytest.raises((Closed, ssl.SSLError, OSError)):
        ask_for(relay, "www.test")
    relay.wait_log(r"a connection cannot be forwarded to 127\.0\.0\.1:\d+: Connection refused")
    assert counter(relay, "forwarded_failed") == 1
    relay.door("tls").client().ping(b"12345678")


def test_hellos_that_never_end_keep_nobody_out(make_relay, web):
    """They have a place like all others before their login, and give it up when others want it."""
    relay = make_relay(with_keys(forwarding(web()), "limits", half_open=4))
    *_, message = raw_hello("www.test")
    for _ in range(20):
        Stream.connect(relay.address("tls-export")).write(b"\x16\x03\x01" + struct.pack(">H", len(message)) + message[:-1])
    assert is_webs(ask_for(relay, "www.test"))
    relay.door("tls").client().ping(b"12345678")


def test_a_reload_keeps_what_is_forwarded(make_relay, web):
    relay = make_relay(forwarding(web()))
    stream = ask_for(relay, "www.test")
    relay.reload(EVERYTHING)
    stream.write(b"still there")
    assert stream.read(11) == b"still there"
    assert not is_webs(ask_for(relay, "www.test"))
    assert not is_webs(ask_for(relay, "relay.test"))


@pytest.mark.parametrize("forward, message", [
    ("www.test", "is not NAME=ADDRESS"),
    ("www.test=web:443", "names are not looked up"),
    ("www.test=:443", "leads nowhere"),
    ("www.test=127.0.0.1", "write HOST:PORT"),
    ("*=127.0.0.1:443", "has no name in front"),
    ("www.test=127.0.0.1:1;WWW.test=127.0.0.1:2", "names what another entry names already"),
    ("relay.test=127.0.0.1:443", "is the name of this relay"),
    ("x.test=", '"x.test=" has no address behind the =; write one with a port'),
    ("x.test=127.0.0.1", 'x.test=…: "127.0.0.1"'),
    ("192.0.2.1=127.0.0.1:443", "has an address in front, and clients ask for names only"),
    ("[2001:db8::1]=127.0.0.1:443", "has an address in front, and clients ask for names only"),
    ("bücher.test=127.0.0.1:443", "write xn--bcher-kva.test=…"),
    ("*.bücher.test=127.0.0.1:443", "write *.xn--bcher-kva.test=…"),
])
def test_what_is_refused(make_relay, forward, message):
    with pytest.raises(StartFailed) as failed:
        make_relay(with_keys(EVERYTHING, "transport https", forward=forward))
    assert "[transport https] forward: " in failed.value.log and message in failed.value.log


# What stands around the guide's block.
NGINX = """
daemon off;
pid {dir}/pid;
error_log {dir}/errors;
{user}events {{ }}
http {{
    access_log {dir}/access;
    root {dir}/pages;
    client_body_temp_path {dir}/client_body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
{block}
}}
"""


def printed_server(directory, port):
    """The block of the guide, with this host's port, name and paths."""
    found = [text for tag, text in BLOCKS if tag == "nginx" and "real_ip_header" in text]
    assert len(found) == 1
    return (found[0].replace("127.0.0.1:8443", f"127.0.0.1:{port}").replace("www.example.com", "www.test")
            .replace("/etc/nginx/www.crt", f"{directory}/web.pem").replace("/etc/nginx/www.key", f"{directory}/web.key"))


def test_nginx_behind(make_relay, tmp_path):
    """A real web server on the relay's port: large files whole, and the client's address in its log."""
    assert shutil.which("nginx"), "there is no nginx; tests/tools/packages install test"
    for name, content in {"web.pem": CERTIFICATE.pem, "web.key": CERTIFICATE.key_pem}.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "pages").mkdir()
    content = os.urandom(1 << 20) * 64
    (tmp_path / "pages" / "large").write_bytes(content)
    port = free_port()
    user = "user root;\n" if os.getuid() == 0 else ""
    (tmp_path / "nginx.conf").write_text(NGINX.format(dir=tmp_path, user=user, block=printed_server(tmp_path, port)))
    with open(tmp_path / "output", "wb") as output:
        nginx = subprocess.Popen(["nginx", "-e", tmp_path / "errors", "-p", tmp_path, "-c", tmp_path / "nginx.conf"],
                                 stdout=output, stderr=output)
    try:
        wait_until(lambda: nginx.poll() is not None or socket.socket().connect_ex(("127.0.0.1", port)) == 0, "nginx listens")
        config = with_keys(EVERYTHING, "transport https", forward=f"www.test=127.0.0.1:{port}", forward_proxy_protocol="v2")
        relay = make_relay(config)
        done = subprocess.run(["curl", "-sk", "--interface", "127.0.0.6", "--resolve",
                               f"www.test:{relay.ports['https']}:127.0.0.1", f"https://www.test:{relay.ports['https']}/large"],
                              capture_output=True, check=True, timeout=PATIENCE * 4)
        assert done.stdout == content
        wait_until(lambda: "GET /large" in (tmp_path / "access").read_text(), "nginx has logged it")
        assert (tmp_path / "access").read_text().startswith("127.0.0.6 ")
        assert counter(relay, "forwarded_bytes_out") > len(content)
        relay.door("tls").client().ping(b"12345678")
    finally:
        nginx.terminate()
        nginx.wait(PATIENCE)
