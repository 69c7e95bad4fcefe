"""What a plugin can be given, used by tests/trial/service-trial.c in the real daemon.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import socket
import ssl
import struct

import pytest

from certs import Certificate
from derp_client import PATIENCE, Client, Frame, Stream, frame, http_request, read_response
from relay import BUILD, EVERYTHING, wait_until, with_keys, without_group
from test_goodbye import taken

pytestmark = pytest.mark.skipif(not (BUILD / "tests" / "trial" / "service-trial.so").exists(),
                                reason="there is no service-trial.so: the build has no tests (-Dtests=false)")

# It has a protocol of its own for /derp, and a path has one owner.
TRIAL = with_keys(without_group(EVERYTHING, "transport websocket"), "core", plugin_path=f"{BUILD}/plugins; {BUILD}/tests/trial")
TRIAL = with_keys(TRIAL, "service trial", listen="127.0.0.1:{admin}")


class Framed:
    """The test's own channel over a stream: two bytes of length, then bytes turned over."""

    def __init__(self, stream):
        self.stream = stream
        self.plain = bytearray()

    def write(self, data):
        """As frames of up to 30,000 bytes."""
        for start in range(0, len(data), 30000):
            part = data[start:start + 30000]
            self.stream.write(struct.pack(">H", len(part)) + bytes(byte ^ 0x5a for byte in part))

    def read(self, size, timeout=None):
        """Exactly @size bytes of payload."""
        while len(self.plain) < size:
            length, = struct.unpack(">H", self.stream.read(2, timeout))
            self.plain += bytes(byte ^ 0x5a for byte in self.stream.read(length, timeout))
        data = bytes(self.plain[:size])
        del self.plain[:size]
        return data


@pytest.fixture
def trial(make_relay):
    """A relay with the plugin."""
    return make_relay(TRIAL)


def begin(relay, way, path="/trial/frames", fields=(), then=b""):
    """Asks for the test's protocol; gives the stream and the answer."""
    stream = relay.door(way).stream()
    lines = [f"GET {path} HTTP/1.1", "Host: relay.test", "Connection: Upgrade", "Upgrade: Trial", *fields]
    stream.write(("\r\n".join(lines) + "\r\n\r\n").encode() + then)
    return stream, read_response(stream, body=False)


# ---- routes, sites, bodies

@pytest.mark.parametrize("size", [0, 1, 20000, 65536])
def test_body_is_read(trial, size):
    stream = trial.door("tls-export").stream()
    body = bytes(i % 251 for i in range(size))
    for _ in range(2):
        stream.write(f"POST /trial/echo HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + body)
        answer = read_response(stream)
        assert (answer.status, answer.body) == (200, body)
        assert answer.get("Connection") is None


def test_body_comes_in_pieces(trial):
    stream = trial.door("http").stream()
    stream.write(b"POST /trial/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n")
    for piece in (b"\r\n", b"ab", b"", b"cde", b"f"):
        stream.write(piece)
    assert read_response(stream).body == b"abcdef"


@pytest.mark.parametrize("path, size", [("/trial/echo", 65537), ("/trial/short", 11)])
def test_longer_body_is_refused_before_it_came(trial, path, size):
    stream = trial.door("http").stream()
    stream.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
    answer = read_response(stream)
    assert (answer.status, answer.get("Connection")) == (413, "close")


def test_everything_below_a_path(trial):
    for way in ("http", "port80", "tls-export"):
        assert http_request(trial.door(way).stream(), "GET", "/trial/below/a/b?c").body == b"/trial/below/a/b"
    assert http_request(trial.door("http").stream(), "GET", "/trial/below").status == 404


def test_admin_route_is_on_the_admin_listener_only(trial):
    for way in ("http", "tls-export"):
        assert http_request(trial.door(way).stream(), "GET", "/trial/metrics").status == 404
    assert http_request(trial.door("port80").stream(), "GET", "/trial/metrics").status == 302
    page = http_request(Stream.connect(trial.address("admin")), "GET", "/trial/metrics")
    assert page.status == 200
    # And the other way round: an administrator's listener serves neither clients nor their pages.
    for path in ("/derp", "/derp/probe", "/", "/trial/below/x", "/generate_204"):
        assert http_request(Stream.connect(trial.address("admin")), "GET", path).status == 404, path


# ---- metrics, and an answer from the main thread

def test_every_number_is_listed_once_and_in_groups(trial):
    trial.door("tls-export").client()
    page = http_request(Stream.connect(trial.address("admin")), "GET", "/trial/metrics").body.decode()
    lines = page.splitlines()
    names = [line.split("{")[0].split(" ")[0] for line in lines]
    assert len(set(line.rsplit(" ", 1)[0] for line in lines)) == len(lines)
    groups = [name for i, name in enumerate(names) if i == 0 or names[i - 1] != name]
    assert len(groups) == len(set(groups))
    assert 'clients 1' in lines and 'connections_joined 1' in lines
    assert 'packets_dropped{reason="queue_head",kind="disco"} 0' in lines
    assert 'connections_closed{stage="handshake",reason="served"} 0' in lines
    assert 'service-trial:pages{kind="metrics",instance="service/trial"} 1' in lines
    assert 'service-trial:mood{instance="service/trial"} 42' in lines


# ---- answers that come later

@pytest.mark.parametrize("way", ["http", "tls-gnutls", "tls-export"])
def test_answer_from_another_thread(trial, way):
    stream = trial.door(way).stream()
    for i in range(20):
        assert http_request(stream, "GET", f"/trial/later?{i}").body == str(i).encode()


def test_pipelined_requests_are_answered_in_order(trial):
    stream = trial.door("http").stream()
    stream.write(b"".join(b"GET /trial/later?%d HTTP/1.1\r\nHost: x\r\n\r\n" % i for i in range(10)))
    assert [read_response(stream).body for _ in range(10)] == [str(i).encode() for i in range(10)]


def test_connection_ends_before_the_answer(trial):
    for _ in range(50):
        stream = trial.door("http").stream()
        stream.write(b"GET /trial/later?x HTTP/1.1\r\nHost: x\r\n\r\n")
        stream.abort()
    stream = trial.door("http").stream()
    stream.write(b"GET /trial/never HTTP/1.1\r\nHost: x\r\n\r\n")
    stream.close()
    assert http_request(trial.door("http").stream(), "GET", "/trial/later?y").body == b"y"


def test_instance_stops_before_the_answer(trial):
    streams = [trial.door("http").stream() for _ in range(3)]
    for stream in streams:
        stream.write(b"GET /trial/never HTTP/1.1\r\nHost: x\r\n\r\n")
    wait_until(lambda: b"connections_half_open 4" in http_request(
        Stream.connect(trial.address("admin")), "GET", "/trial/metrics").body, "three that wait")
    trial.reload(with_keys(TRIAL, "service trial", enabled="false"))
    for stream in streams:
        assert read_response(stream).status == 503
        # The connection goes on without the plugin.
        assert http_request(stream, "GET", "/trial/never").status == 404
    trial.reload(TRIAL)
    assert http_request(streams[0], "GET", "/trial/later?z").body == b"z"


# ---- other protocols over the channel that is there

@pytest.mark.parametrize("way", ["http", "tls-gnutls", "tls-export"])
@pytest.mark.parametrize("path", ["/trial/frames", "/derp"])
@pytest.mark.parametrize("status", [101, 200])
def test_derp_over_a_channel_of_a_plugin(trial, way, path, status):
    native = trial.door("tls-export").client()
    stream, answer = begin(trial, way, path, [f"Trial: {status}"])
    assert (answer.status, answer.get("Trial")) == (status, "yes")
    assert (answer.get("Upgrade"), answer.get("Connection")) == (("trial", "Upgrade") if status == 101 else (None, None))
    assert answer.get("Content-Length") is None
    client = Client(Framed(stream))
    client.read_server_key()
    client.stream.write(client.client_info())
    client.read_server_info()
    for size in (1, 1400, 65504):
        packet = bytes(i % 253 for i in range(size))
        client.send_packet(native.key, packet)
        native.expect_packet(client.key, packet)
        native.send_packet(client.key, packet)
        client.expect_packet(native.key, packet)


def test_bytes_behind_the_request_are_the_channels(trial):
    """A client that knows the server's key may send its login at once."""
    key = trial.door("tls-export").client().server_key
    client = Client(None)
    client.server_key = key
    info = client.client_info()
    login = struct.pack(">H", len(info)) + bytes(byte ^ 0x5a for byte in info)
    for way in ("http", "tls-export"):
        stream, answer = begin(trial, way, then=login)
        assert answer.status == 101
        client.stream = Framed(stream)
        client.read_server_key()
        client.read_server_info()


def test_protocol_that_is_refused(trial):
    stream, answer = begin(trial, "http", fields=["Trial: refuse"])
    assert answer.status == 400
    stream = trial.door("http").stream()
    assert http_request(stream, "GET", "/trial/frames").status == 426
    assert http_request(stream, "GET", "/derp").status == 426
    # No DERP, no other protocol that leads to it.
    assert http_request(trial.door("port80").stream(), "GET", "/trial/frames",
                        [("Upgrade", "trial"), ("Connection", "Upgrade")]).status == 302


# ---- links to other relays

@pytest.mark.parametrize("way", ["http", "tls-gnutls", "tls-export"])
def test_link_to_another_relay(make_relay, way):
    other = make_relay(EVERYTHING)
    client = other.door("tls-export").client()
    pin = hashlib.sha256(client.stream.certificates()[0]).hexdigest()
    config = with_keys(TRIAL, "service trial", dial="127.0.0.1:%d" % other.address(way)[1],
                       dialer="plain" if way == "http" else "tls", pin=f"sha256-raw:{pin}")
    relay = make_relay(config)
    own_key = relay.door("tls-export").client().server_key
    relay.wait_log("the link is up")
    for size in (1, 1400, 65504):
        packet = bytes(i % 249 for i in range(size))
        client.send_packet(own_key, packet)
        client.expect_packet(own_key, packet)
    # The instance stops, and the link with it.
    relay.reload(with_keys(config, "service trial", enabled="false"))
    client.expect_gone(own_key, 0)
    since = len(relay.log)
    relay.reload(config)
    relay.wait_log("the link is up", since)
    client.send_packet(own_key, b"again")
    assert (Frame.RECV_PACKET, own_key + b"again") in [client.recv() for _ in range(1)]
    # The other relay stops, and the plugin hears of it.
    other.stop()
    relay.wait_log("the link is down: ", since)


def test_any_transport_that_runs_dials(make_relay):
    other = make_relay(EVERYTHING)
    pin = hashlib.sha256(other.door("tls-export").client().stream.certificates()[0]).hexdigest()
    config = with_keys(TRIAL, "service trial", dial="127.0.0.1:%d" % other.address("tls-export")[1], pin=f"sha256-raw:{pin}")
    relay = make_relay(config)
    relay.wait_log("the link is up")
    # The one that dialled stops, two more run.
    config = with_keys(config, "transport https", enabled="false")
    relay.reload(with_keys(config, "service trial", enabled="false"))
    since = len(relay.log)
    relay.reload(config)
    relay.wait_log("the link is up", since)
    # No more run: the last one takes the name along.
    for name in ("tls-gnutls", "tls-export"):
        config = with_keys(config, f"transport {name}", enabled="false")
    relay.reload(with_keys(config, "service trial", enabled="false"))
    since = len(relay.log)
    relay.reload(config)
    relay.wait_log('cannot dial: no transport that runs can dial "tls"', since)


def test_link_to_a_stranger_is_not_made(make_relay):
    other = make_relay(EVERYTHING)
    config = with_keys(TRIAL, "service trial", dial="127.0.0.1:%d" % other.address("tls-export")[1],
                       pin="sha256-raw:" + "00" * 32)
    relay = make_relay(config)
    relay.wait_log("the link is down: ")
    assert "the link is up" not in relay.log


def test_link_to_a_relay_that_sends_records_without_data(make_relay, tmp_path):
    certificate = Certificate("127.0.0.1")
    (tmp_path / "cert.pem").write_text(certificate.pem)
    (tmp_path / "key.pem").write_text(certificate.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        relay = make_relay(with_keys(TRIAL, "service trial", dial="127.0.0.1:%d" % listener.getsockname()[1],
                                     pin=f"sha256-raw:{hashlib.sha256(certificate.der).hexdigest()}"))
        # OpenSSL sends two tickets at the end of the handshake, each in a record of its own.
        with listener.accept()[0] as accepted, context.wrap_socket(accepted, server_side=True) as stream:
            stream.settimeout(PATIENCE)
            assert stream.recv(1000).startswith(b"GET /derp ")
            # What it says about the answer shows that it has read the tickets before it.
            stream.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            relay.wait_log("the link is down: the other side does not begin DERP")


def test_link_to_a_server_with_another_greeting(make_relay):
    """The frame that names its key begins with what all DERP servers say; nothing is shown to one that does not."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        relay = make_relay(with_keys(TRIAL, "service trial", dial="127.0.0.1:%d" % listener.getsockname()[1], dialer="plain"))
        with listener.accept()[0] as accepted:
            accepted.settimeout(PATIENCE)
            assert accepted.recv(1000).startswith(b"GET /derp ")
            accepted.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(Frame.SERVER_KEY, b"DERPderp" + bytes(range(32))))
            relay.wait_log("the link is down: its first frame does not begin as that of a DERP server does")
            assert accepted.recv(1000) == b""


def test_a_link_that_is_dropped_resets_nothing(make_relay):
    """The other relay gets all that was sent, and may be in the middle of an answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        config = with_keys(TRIAL, "service trial", dial="127.0.0.1:%d" % listener.getsockname()[1], dialer="plain")
        relay = make_relay(config)
        with listener.accept()[0] as accepted:
            accepted.settimeout(PATIENCE)
            assert accepted.recv(1000).startswith(b"GET /derp ")
            accepted.sendall(b"HTTP/1.1 101 ")
            relay.reload(with_keys(config, "service trial", enabled="false"))
            assert accepted.recv(1000) == b""
            for _ in range(3):
                accepted.sendall(b"too late")
                taken(accepted)
        relay.door("tls-export").client().ping(b"12345678")


def test_link_to_nobody(make_relay):
    relay = make_relay(with_keys(TRIAL, "service trial", dial="127.0.0.1:{nobody}", dialer="plain"))
    relay.wait_log("the link is down: Connection refused")
    relay = make_relay(with_keys(TRIAL, "service trial", dial="127.0.0.1:{nobody}", dialer="carrier-pigeon"))
    relay.wait_log('cannot dial: no transport that runs can dial "carrier-pigeon"')
