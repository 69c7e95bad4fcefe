"""CONNECT through the relay: to allowed hosts of the public Internet and nowhere else, with back-pressure, half-close and limits.
SPDX-License-Identifier: LGPL-2.1-or-later

The Internet is a network namespace of the test's own, with public addresses on its loopback and names in its /etc/hosts.
"""

import contextlib
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest

from acceptor import Acceptor
from control import counter, detourctl
from derp_client import PATIENCE, Closed, Stream, http_request, read_response
from namespaces import apart
from relay import EVERYTHING, Relay, run_detourd, wait_until, with_keys

PUBLIC, PUBLIC_6, SILENT = "8.8.4.4", "2606:4700::99", "9.9.9.9"
INSIDE = ("10.0.0.1", "100.64.0.1", "192.168.7.7", "fd00::7")
HOSTS = f"""
127.0.0.1 localhost
{PUBLIC} www.allowed.test
{PUBLIC_6} six.allowed.test
10.0.0.1 ten.allowed.test
100.64.0.1 shared.allowed.test
127.0.0.1 loop.allowed.test
::1 loop6.allowed.test
fd00::7 local6.allowed.test
::ffff:192.168.7.7 mapped.allowed.test
64:ff9b::a00:1 nat64.allowed.test
2002:a00:1::1 sixtofour.allowed.test
192.168.7.7 both.allowed.test
{PUBLIC} both.allowed.test
{SILENT} silent.allowed.test
8.8.8.8 nobody.allowed.test
{PUBLIC} www.other.test
{PUBLIC} derp1.allowed.test
"""
REFUSED = ("ten", "shared", "loop", "loop6", "local6", "mapped", "nat64", "sixtofour")

CONFIG = with_keys(EVERYTHING, "http ace", allow="*.allowed.test")


def run_ip(*arguments):
    """Changes the namespace's network."""
    subprocess.run(["ip", *arguments], check=True)


class Internet:
    """Servers at public addresses, and one that nobody may reach."""

    def __init__(self, tmp_path):
        for address in (PUBLIC, SILENT, "8.8.8.8", *INSIDE):
            run_ip("addr", "add", address + ("/128" if ":" in address else "/32"), "dev", "lo", *(["nodad"] if ":" in address else []))
        run_ip("addr", "add", PUBLIC_6 + "/128", "dev", "lo", "nodad")
        hosts = tmp_path / "hosts"
        hosts.write_text(HOSTS)
        subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
        # Nobody accepts here, and the kernel drops who comes when the queue is full.
        self.hole = [socket.create_server((SILENT, 443), backlog=0)]
        for _ in range(4):
            self.hole.append(socket.socket())
            self.hole[-1].setblocking(False)
            self.hole[-1].connect_ex((SILENT, 443))
        self.serve = echo
        self.inside = []
        self.acceptors = [Acceptor(socket.create_server((PUBLIC, port), backlog=64), self.run) for port in (80, 443)]
        self.acceptors.append(Acceptor(socket.create_server((PUBLIC_6, 443), family=socket.AF_INET6), self.run))
        self.acceptors += [Acceptor(socket.create_server((address, 443), family=socket.AF_INET6 if ":" in address else socket.AF_INET),
                                    self.inside.append) for address in (*INSIDE, "127.0.0.1", "::1")]

    def run(self, sock):
        """A connection to a public server."""
        self.serve(sock)

    def close(self):
        """No thread waits any more."""
        for acceptor in self.acceptors:
            acceptor.close()
        for sock in self.hole:
            sock.close()


def echo(sock):
    """Sends back what comes, until its end."""
    while data := sock.recv(65536):
        sock.sendall(data)


def with_internet(tmp_path, scenario, config=CONFIG):
    """Runs @scenario(relay, internet) in a network of its own."""
    def work():
        internet = Internet(tmp_path)
        try:
            with Relay(tmp_path / "relay", config) as relay:
                relay.start()
                scenario(relay, internet)
        finally:
            internet.close()
    apart(work, network=True, mounts=True)


def ask(relay, target, way="tls-export", behind=b""):
    """A connection that has asked for a tunnel, and the answer's head."""
    stream = relay.door(way).stream()
    stream.write(b"CONNECT " + target.encode() + b" HTTP/1.1\r\nHost: " + target.encode() + b"\r\n\r\n" + behind)
    return stream, stream.read_until(b"\r\n\r\n")


def status(relay, target, way="tls-export"):
    """What is answered to a request for a tunnel, which is over then."""
    stream, head = ask(relay, target, way)
    stream.close()
    answer = int(head.split()[1])
    assert head.count(b"X-Content-Type-Options: nosniff") == (answer >= 400), head
    return answer


def ace(relay, name):
    """A counter of the plugin."""
    return counter(relay, name, instance="http/ace")


class HalfClosing:
    """TLS whose sides end one after the other, which Python's sockets do not do."""

    def __init__(self, address):
        self.sock = socket.create_connection(address, timeout=PATIENCE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.run(self.tls.do_handshake)

    def flush(self):
        """Sends what waits."""
        if data := self.outgoing.read():
            self.sock.sendall(data)

    def run(self, step):
        """Does a step for which bytes may have to come."""
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                self.flush()
                data = self.sock.recv(65536)
                self.incoming.write(data) if data else self.incoming.write_eof()
            finally:
                self.flush()

    def write(self, data):
        """Sends."""
        self.tls.write(data)
        self.flush()

    def end(self):
        """Says goodbye, and goes on reading."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()
        self.sock.shutdown(socket.SHUT_WR)

    def read_to_end(self):
        """All that comes before the other side's goodbye, without which it would be an error."""
        got = bytearray()
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while data := self.run(lambda: self.tls.read(65536)):
                got += data
        return bytes(got)


def test_allowed_hosts_and_no_others(tmp_path):
    def scenario(relay, internet):
        for way in ("tls-export", "tls-gnutls", "tls12"):
            for target in ("www.allowed.test:443", "www.allowed.test:80", "WWW.Allowed.test:443", "six.allowed.test:443",
                           "both.allowed.test:443"):
                stream, head = ask(relay, target, way, b"early")
                assert head == b"HTTP/1.1 200 OK\r\n\r\n"
                assert stream.read(5) == b"early"
                stream.write(b"later" * 20000)
                assert stream.read(100000) == b"later" * 20000
                stream.close()
        assert counter(relay, "tunnels_begun") == 15
        wait_until(lambda: counter(relay, "tunnels_ended") == 15, "they are over")
        assert counter(relay, "tunnels_bytes_in") == counter(relay, "tunnels_bytes_out") == 15 * 100005
        assert counter(relay, "forwarded_begun") == 0

        # Names and ports that are not allowed.
        targets = ("www.other.test:443", "allowed.test:443", "derp1.allowed.test:443", "www.allowed.test:22",
                   "www.allowed.test:8443", "8.8.4.4:443", "[2606:4700::99]:443", "www.allowed.test.:443", "127.0.0.1:443")
        for target in targets:
            assert status(relay, target) == 403, target
        assert ace(relay, "refused_names") == len(targets)

        # Allowed names whose addresses are not of the Internet, though somebody listens there.
        for name in REFUSED:
            assert status(relay, f"{name}.allowed.test:443") == 403, name
        assert ace(relay, "refused_addresses") == len(REFUSED)
        assert not internet.inside

        # A name that does not exist, and one where nobody listens.
        assert status(relay, "absent.allowed.test:443") == 502
        assert status(relay, "nobody.allowed.test:443") == 502
        assert ace(relay, "failed") == 2

        # As in derper: nowhere but where connections are encrypted.
        for way in ("http", "port80"):
            assert status(relay, "www.allowed.test:443", way) == 404
        # A tunnel that is asked for like a page is none.
        assert http_request(relay.door("tls-export").stream(), "GET", "http://www.allowed.test/").status == 200
    with_internet(tmp_path, scenario)


def events(relay, event):
    """Fields and texts of the lines of the log about an event."""
    return [(line, dict(re.findall(r"(\w+)=(\S+)", line))) for line in relay.log.splitlines() if f"event={event} " in line]


def test_log(tmp_path):
    """One event for each tunnel that was refused, with the reason, and for each that is over, with what went through."""
    def scenario(relay, internet):
        wishes = {"www.other.test:443": ("name", 403), "www.allowed.test:22": ("name", 403), "loop.allowed.test:443": ("address", 403),
                  "nobody.allowed.test:443": ("unreachable", 502)}
        for target, (_, code) in wishes.items():
            assert status(relay, target) == code
        for target, (reason, _) in wishes.items():
            found = [fields for line, fields in events(relay, "tunnel-refused") if f"no tunnel to {target}: " in line]
            assert [(fields["reason"], fields["instance"]) for fields in found] == [(reason, "http/ace")], target
            assert found[0]["address"].startswith("127.0.0.1:")

        kept, head = ask(relay, "www.allowed.test:443", behind=b"early")
        assert head == b"HTTP/1.1 200 OK\r\n\r\n"
        assert status(relay, "www.allowed.test:443") == 429
        assert [fields["reason"] for _, fields in events(relay, "tunnel-refused")].count("limit") == 1
        assert events(relay, "tunnel-end") == []
        kept.write(b"later")
        assert kept.read(10) == b"earlylater"
        host, port = kept.sock.getsockname()
        kept.close()
        wait_until(lambda: counter(relay, "tunnels_ended") == 1, "it is over")
        (line, fields), = wait_until(lambda: events(relay, "tunnel-end"), "the log tells of it")
        assert "tunnel to www.allowed.test:443 ended after " in line
        assert fields["address"] == f"{host}:{port}" and fields["listener"] == "transport/tls-export"
        assert fields["bytes_in"] == fields["bytes_out"] == "10" and int(fields["duration_ms"]) >= 0
    with_internet(tmp_path, scenario, with_keys(CONFIG, "http ace", connections=1))


def test_a_program_uses_it_as_its_proxy(tmp_path):
    def scenario(relay, internet):
        def serve(sock):
            while not sock.recv(65536).endswith(b"\r\n\r\n"):
                pass
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")
        internet.serve = serve
        host, port = relay.address("tls-export")
        done = subprocess.run(["curl", "--silent", "--show-error", "--proxytunnel", "--proxy", f"https://{host}:{port}", "--proxy-insecure",
                               "http://www.allowed.test/"], capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (done.returncode, done.stdout) == (0, "hello\n"), done.stderr
    with_internet(tmp_path, scenario)


def test_half_close_and_order(tmp_path):
    """The end of one direction comes behind its last byte, and the other direction goes on."""
    def scenario(relay, internet):
        got = []

        def serve(sock):
            while data := sock.recv(65536):
                got.append(data)
            sock.sendall(b"answer " * 300000)
        internet.serve = serve
        for way in ("tls-export", "tls-gnutls"):
            got.clear()
            client = HalfClosing(relay.address(way))
            client.write(b"CONNECT www.allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.run(lambda: client.tls.read(100)) == b"HTTP/1.1 200 OK\r\n\r\n"
            for _ in range(100):
                client.write(b"question " * 3000)
            client.end()
            assert client.read_to_end() == b"answer " * 300000
            assert b"".join(got) == b"question " * 300000

        # The server may end first.
        def end_first(sock):
            sock.sendall(b"enough")
            sock.shutdown(socket.SHUT_WR)
            while data := sock.recv(65536):
                got.append(data)
        internet.serve = end_first
        got.clear()
        client = HalfClosing(relay.address("tls-export"))
        client.write(b"CONNECT www.allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.read_to_end() == b"HTTP/1.1 200 OK\r\n\r\nenough"
        client.write(b"more " * 3000)
        client.end()
        wait_until(lambda: counter(relay, "tunnels_ended") == 3, "all are over")
        assert b"".join(got) == b"more " * 3000
    with_internet(tmp_path, scenario)


def test_a_reader_that_is_slow_holds_up_only_itself(tmp_path):
    def scenario(relay, internet):
        sent = []

        def flood(sock):
            with contextlib.suppress(OSError):
                while True:
                    sent.append(sock.send(bytes(65536)))
        internet.serve = flood
        slow, head = ask(relay, "www.allowed.test:443")
        assert head == b"HTTP/1.1 200 OK\r\n\r\n"

        def stands():
            before = sum(sent)
            time.sleep(0.3)  # so long nothing may move; with a fault it moves on
            return before > 0 and sum(sent) == before
        wait_until(stands, "the server cannot send more")
        internet.serve = echo
        stream, _ = ask(relay, "www.allowed.test:443")
        stream.write(b"hello")
        assert stream.read(5) == b"hello"
        slow.read(sum(sent) // 2)
        slow.abort()
        wait_until(lambda: counter(relay, "tunnels_ended") == 1, "the slow one is over")

        # The other way round: what the server does not take is not read from the client.
        gate = threading.Event()
        internet.serve = lambda sock: gate.wait(PATIENCE)
        stuck = relay.door("tls-export").stream()
        stuck.write(b"CONNECT www.allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        stuck.read_until(b"\r\n\r\n")
        stuck.sock.settimeout(1)
        with pytest.raises((TimeoutError, ssl.SSLError)):
            for _ in range(2000):
                stuck.sock.send(bytes(65536))
        gate.set()
        wait_until(lambda: counter(relay, "tunnels_ended") == 2, "the stuck one is over")
    with_internet(tmp_path, scenario)


def test_limits(tmp_path):
    def scenario(relay, internet):
        kept = [ask(relay, "www.allowed.test:443") for _ in range(2)]
        assert [head.split()[1] for _, head in kept] == [b"200"] * 2
        assert status(relay, "www.allowed.test:443") == 429
        other = Stream.connect(relay.address("tls-export"), source=("127.0.0.9", 0)).start_tls()
        other.write(b"CONNECT www.allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 200 " in other.read_until(b"\r\n\r\n")
        last = Stream.connect(relay.address("tls-export"), source=("127.0.0.10", 0)).start_tls()
        last.write(b"CONNECT www.allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = read_response(last)
        assert (answer.status, answer.get("Retry-After")) == (429, "10")
        assert ace(relay, "refused_limit") == 2
        kept[0][0].close()
        wait_until(lambda: counter(relay, "tunnels_ended") == 1, "one is over")
        wait_until(lambda: status(relay, "www.allowed.test:443") == 200, "there is room again")

        # A host that says nothing costs its place for connect-timeout.
        other.close()
        kept[1][0].close()
        wait_until(lambda: counter(relay, "tunnels_ended") == counter(relay, "tunnels_begun"), "all are over")
        before = time.monotonic()
        assert status(relay, "silent.allowed.test:443") == 502
        assert time.monotonic() - before >= 0.5
    with_internet(tmp_path, scenario, with_keys(CONFIG, "http ace", connections=3, connections_per_source=2, connect_timeout="500ms"))


def test_tunnels_from_a_banned_network_end(tmp_path):
    def scenario(relay, internet):
        stream, head = ask(relay, "www.allowed.test:443")
        assert head.split()[1] == b"200"
        stream.write(b"hello")
        assert stream.read(5) == b"hello"
        detourctl(relay, "ban", "198.51.100.0/24")
        stream.write(b"again")
        assert stream.read(5) == b"again"
        detourctl(relay, "ban", "127.0.0.0/8")
        stream.expect_closed()
        wait_until(lambda: counter(relay, "tunnels_ended") == 1, "it is over")
        assert counter(relay, "tunnels_banned") == 1
    with_internet(tmp_path, scenario)


def test_a_silent_tunnel_ends_by_itself(tmp_path):
    def scenario(relay, internet):
        internet.serve = lambda sock: sock.recv(1)
        idle, _ = ask(relay, "www.allowed.test:443")
        assert idle.expect_closed() == b""
        assert counter(relay, "tunnels_idle") == 1
    with_internet(tmp_path, scenario, with_keys(CONFIG, "http ace", idle="1s"))


def test_tunnels_end_with_the_instance(tmp_path):
    def scenario(relay, internet):
        client = relay.door("tls").client()
        stream, _ = ask(relay, "www.allowed.test:443")
        waiting = relay.door("tls-export").stream()
        waiting.write(b"CONNECT silent.allowed.test:443 HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: "2 tunnels" in detourctl(relay, "plugins", "--json")[0], "both are there")
        detourctl(relay, "plugins", "disable", "http/ace")
        with contextlib.suppress(Closed):
            assert stream.expect_closed() == b""
        answer = read_response(waiting)
        assert answer.status == 503 and int(answer.get("Retry-After")) > 0
        assert status(relay, "www.allowed.test:443") == 403
        wait_until(lambda: counter(relay, "tunnels_ended") == 1, "core knows")
        client.ping(b"12345678")
        detourctl(relay, "plugins", "enable", "http/ace")
        stream, head = ask(relay, "www.allowed.test:443")
        assert b" 200 " in head
        # The daemon may end while there is one.
        assert internet.inside == []
    with_internet(tmp_path, scenario)


@pytest.mark.parametrize("allow, said", [("*", "is not a host name"), ("10.0.0.1", "is not a host name"),
                                         ("https://x.test/", "is not a host name"), ("", "nothing is allowed")])
def test_the_check_knows_what_cannot_be(tmp_path, allow, said):
    path = tmp_path / "detour.conf"
    path.write_text(f"[admission]\nchain = open\n\n[http ace]\nallow = {allow}\n")
    _, errors = run_detourd("--check-config", "--config", path, "--no-vendor", code=78)
    assert said in errors and "detour.conf:5: [http ace] allow" in errors
