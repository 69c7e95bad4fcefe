"""Listeners behind a proxy: PROXY headers of both versions, from whom they are taken, and what counts from then on.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import resource
import socket
import time

import nacl.public
import pytest

import proxy_header
from admission_server import AdmissionServer
from control import ask, counter
from derp_client import PATIENCE, Client, Closed, Frame, Stream, disco, http_request
from relay import EVERYTHING, SMALL, Relay, StartFailed, wait_until, with_keys
from test_stun import request

CLIENT4, CLIENT6 = ("203.0.113.7", 51820), ("2001:db8::7", 51821)
STRANGER = ("127.0.0.2", 0)  # a peer that is no proxy
LISTENERS = ("https", "tls-gnutls", "tls-export", "http", "port80")


def behind_proxy(mode="require", trusted="127.0.0.1", config=EVERYTHING):
    """All listeners want a header from 127.0.0.1, and know no other proxy."""
    for name in LISTENERS:
        config = with_keys(config, f"transport {name}", proxy_protocol=mode, trusted_proxies=trusted)
    return config


def headers():
    """Headers that say CLIENT4 or CLIENT6, in all ways."""
    return {
        "v1": (proxy_header.v1(*CLIENT4), CLIENT4),
        "v1-v6": (proxy_header.v1(*CLIENT6, destination="2001:db8::1"), CLIENT6),
        "v2": (proxy_header.v2(*CLIENT4), CLIENT4),
        "v2-v6": (proxy_header.v2(*CLIENT6, destination="2001:db8::1"), CLIENT6),
        "v2-fields": (proxy_header.v2(*CLIENT4, tlvs=b"\x02\x00\x0drelay.example\x04\x00\x02\0\0"), CLIENT4),
        "v2-crc": (proxy_header.v2_with_crc(*CLIENT4, tlvs=b"\x01\x00\x08http/1.1"), CLIENT4),
        "v2-mapped": (proxy_header.v2("::ffff:203.0.113.7", 51820, destination="2001:db8::1"), CLIENT4),
        "v2-long": (proxy_header.v2(*CLIENT4, tlvs=b"\x04\x0f\x00" + bytes(3840)), CLIENT4),
    }


def written(address):
    """An address as the status shows it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def addresses(relay):
    """Addresses of all clients, by key."""
    return {client["key"]: client["address"] for client in ask(relay, "clients")["clients"]}


def key_text(client):
    """The key of a client as the status shows it."""
    return "nodekey:" + client.key.hex()


def through(relay, transport, header, source=None):
    """A connection that begins with @header, with TLS behind it where the listener has that."""
    door = relay.door(transport)
    stream = Stream.connect(door.address, source=source)
    stream.write(header)
    return stream.start_tls(server_name=relay.name) if door.is_secure else stream


@pytest.fixture(scope="module")
def proxied(tmp_path_factory):
    """A relay that requires headers on all of its listeners."""
    with Relay(tmp_path_factory.mktemp("proxied"), behind_proxy()) as relay:
        yield relay.start()


@pytest.fixture(scope="module")
def accepting(tmp_path_factory):
    """A relay that takes headers and does without."""
    with Relay(tmp_path_factory.mktemp("accepting"), behind_proxy("accept")) as relay:
        yield relay.start()


@pytest.mark.parametrize("transport", ["http", "tls-gnutls", "tls-export"])
@pytest.mark.parametrize("name", headers())
def test_the_address_in_the_header_is_the_clients(proxied, name, transport):
    header, address = headers()[name]
    client = Client(through(proxied, transport, header)).login()
    other = Client(through(proxied, "http", header)).login()
    assert addresses(proxied)[key_text(client)] == written(address)
    client.send_packet(other.key, b"through a proxy")
    other.expect_packet(client.key, b"through a proxy")


@pytest.mark.parametrize("name", ["v1", "v2-crc", "v2-v6"])
def test_a_header_may_come_byte_by_byte(proxied, name):
    header, address = headers()[name]
    stream = Stream.connect(proxied.address("http"))
    for byte in header:
        stream.write(bytes([byte]))
        time.sleep(0.002)  # so that most bytes come alone; the outcome does not depend on it
    client = Client(stream).login()
    assert addresses(proxied)[key_text(client)] == written(address)


@pytest.mark.parametrize("name", ["v1", "v2", "v2-fields"])
def test_header_and_request_in_one_segment(proxied, name):
    header, address = headers()[name]
    stream = Stream.connect(proxied.address("http"))
    stream.write(header + b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n")
    assert stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_a_second_header_is_the_clients(proxied):
    header = proxy_header.v1(*CLIENT4)
    stream = Stream.connect(proxied.address("http"))
    stream.write(header + header)
    assert stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("header", [
    proxy_header.v2(command=proxy_header.LOCAL),
    proxy_header.v2(*CLIENT4, command=proxy_header.LOCAL),
    proxy_header.v2(command=proxy_header.LOCAL, family=0x11, tlvs=b"\x03\x00\x04\1\2\3\4\x04\x00\x4a" + bytes(74)),
    b"PROXY UNKNOWN\r\n",
    b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n",
    proxy_header.v2(tlvs=b"xyz"),
], ids=["local", "local-with-addresses", "local-with-fields", "unknown", "unknown-with-rest", "no-family"])
def test_without_a_client_the_proxy_is_the_client(proxied, header):
    stream = Stream.connect(proxied.address("http"))
    stream.write(header)
    client = Client(stream).login()
    assert addresses(proxied)[key_text(client)] == written(stream.sock.getsockname())


@pytest.mark.parametrize("header, why", [
    (proxy_header.v2_with_crc(*CLIENT4, wrong=1), "the checksum is wrong"),
    (proxy_header.v2(*CLIENT4, tlvs=b"\x04\x00"), "a field behind the addresses is cut"),
    (proxy_header.v2(*CLIENT4, tlvs=b"\x04\x10\x00" + bytes(4096)), "it is longer than 4096 bytes"),
    (b"PROXY TCP4 203.0.113.07 198.51.100.2 1 443\r\n", "no two addresses"),
    (b"PROXY TCP4 203.0.113.7 198.51.100.2 1 443\n", "does not end with CR and LF"),
    (b"PROXY UNKNOWN " + b"." * 120, "does not end within 107 bytes"),
    (b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n", "not those of a PROXY header"),
    (b"\x16\x03\x01\x02\x00", "not those of a PROXY header"),
])
def test_what_is_no_header_is_refused(make_relay, header, why):
    relay = make_relay(behind_proxy())
    stream = Stream.connect(relay.address("http"))
    stream.write(header)
    stream.expect_closed()
    relay.wait_log(rf"transport/http: connection of 127\.0\.0\.1:\d+ closed: .*{why}")
    assert counter(relay, "connections_closed", stage="handshake", reason="proxy") == 1


def test_strangers_are_closed_where_a_header_is_required(make_relay):
    relay = make_relay(behind_proxy())
    for header in (b"", proxy_header.v2(*CLIENT4), b"GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n"):
        stream = Stream.connect(relay.address("http"), source=STRANGER)
        try:
            stream.write(header)
        except Closed:
            continue
        stream.expect_closed()
    relay.wait_log(r"transport/http: connection of 127\.0\.0\.2:\d+ closed: it is not one of trusted-proxies")


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_strangers_are_clients_where_a_header_is_accepted(accepting, version):
    stream = Stream.connect(accepting.address("http"), source=STRANGER)
    client = Client(stream).login()
    assert addresses(accepting)[key_text(client)] == written(stream.sock.getsockname())
    # Their headers are bytes of a client, and no request.
    liar = Stream.connect(accepting.address("http"), source=STRANGER)
    liar.write(headers()[version][0] + b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n")
    assert liar.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
    liar = Stream.connect(accepting.address("tls-export"), source=STRANGER)
    liar.write(headers()[version][0])
    with pytest.raises(Exception):  # noqa: B017  TLS refuses in one of several ways
        liar.start_tls(server_name=accepting.name)


@pytest.mark.parametrize("transport", ["http", "tls-gnutls", "tls-export"])
def test_a_proxy_may_come_without_header_where_it_is_accepted(accepting, transport):
    header, address = headers()["v2"]
    direct = accepting.door(transport).client()
    proxied = Client(through(accepting, transport, header)).login()
    assert addresses(accepting)[key_text(direct)].startswith("127.0.0.1:")
    assert addresses(accepting)[key_text(proxied)] == written(address)


def test_bytes_that_look_like_a_header_at_first(accepting):
    """`POST` and `PUT` begin like version 1: they are kept until it is known what they are."""
    for method, cut in ((b"POST", 1), (b"PUT", 1), (b"PROPFIND", 3), (b"PROXYING", 5)):
        request = method + b" /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n"
        stream = Stream.connect(accepting.address("http"))
        stream.write(request[:cut])
        time.sleep(0.05)  # so that it comes alone; the outcome does not depend on it
        stream.write(request[cut:])
        direct = Stream.connect(accepting.address("http"), source=STRANGER)
        direct.write(request)
        assert stream.read_until(b"\r\n") == direct.read_until(b"\r\n")


def test_mesh_peers_see_the_clients_address(proxied):
    watcher = Client(through(proxied, "http", proxy_header.v2(command=proxy_header.LOCAL)))
    watcher.login(meshKey=proxied.mesh_key)
    watcher.send(Frame.WATCH_CONNS)
    client = Client(through(proxied, "tls-export", proxy_header.v2(*CLIENT6, destination="2001:db8::1"))).login()
    while True:
        payload = watcher.expect(Frame.PEER_PRESENT)
        if payload[:32] == client.key:
            break
    assert payload[32:48] == socket.inet_pton(socket.AF_INET6, CLIENT6[0])
    assert int.from_bytes(payload[48:50], "big") == CLIENT6[1]


def test_the_log_has_both_addresses(make_relay):
    relay = make_relay(behind_proxy())
    client = Client(through(relay, "http", proxy_header.v2(*CLIENT4))).login()
    client.ping(b"12345678")
    relay.wait_log(r"connected from 203\.0\.113\.7:51820 through 127\.0\.0\.1:\d+")


def test_limits_count_the_clients_address(make_relay):
    relay = make_relay(with_keys(behind_proxy(), "limits", connections_per_source=2))
    kept = [Client(through(relay, "http", proxy_header.v2("203.0.113.1", n))).login() for n in (1, 2)]
    with pytest.raises(Closed):
        Client(through(relay, "http", proxy_header.v2("203.0.113.1", 3))).login()
    # Other clients of the same proxy have their own share, and it has none itself.
    others = [Client(through(relay, "http", proxy_header.v2(f"203.0.113.{n}", 1))).login() for n in range(2, 8)]
    for header in (proxy_header.v2(command=proxy_header.LOCAL),) * 4:
        others.append(Client(through(relay, "http", header)).login())
    kept.pop().close()

    def again():
        try:
            return Client(through(relay, "http", proxy_header.v2("203.0.113.1", 4))).login()
        except Closed:
            return None
    others.append(wait_until(again, "the share of 203.0.113.1 is free again"))
    for client in kept + others:
        client.ping(b"12345678")


def test_a_proxy_is_not_shut_out_by_its_own_share(make_relay):
    """Connections that have not said yet whose they are take no places, and none of an address's share."""
    relay = make_relay(with_keys(behind_proxy(), "limits", half_open=4, half_open_per_source=1))
    silent = [Stream.connect(relay.address("http")) for _ in range(40)]
    halves = [Stream.connect(relay.address("http")) for _ in range(40)]
    for stream in halves:
        stream.write(b"PROXY TCP4 ")
    client = Client(through(relay, "tls-export", proxy_header.v2(*CLIENT4))).login()
    client.ping(b"12345678")
    assert counter(relay, "proxy_headers") == 1
    # One client address has its share, whatever others have.
    greedy = [through(relay, "http", proxy_header.v2("203.0.113.9", n)) for n in range(1, 20)]
    for stream in greedy:
        stream.write(b"GET /derp ")
    client = Client(through(relay, "http", proxy_header.v2(*CLIENT4))).login()
    client.ping(b"12345678")
    # They are closed in the end, because a proxy says at once whose connection it hands on.
    for stream in silent + halves:
        stream.expect_closed()
    assert counter(relay, "connections_closed", stage="handshake", reason="proxy") == 80


def test_the_oldest_without_a_header_make_room(make_relay):
    """Half of the part for connections that wait: an eighth of the descriptors that are usable."""
    relay = make_relay(with_keys(SMALL, "transport http", proxy_protocol="require", trusted_proxies="127.0.0.1"))
    _, hard = resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (64 + 160, hard))
    silent = [Stream.connect(relay.address("http")) for _ in range(60)]
    for stream in silent[:40]:
        stream.expect_closed()
    client = Client(through(relay, "http", proxy_header.v2(*CLIENT4))).login()
    client.ping(b"12345678")
    # One more if the client's own connection had to wait for its header.
    assert counter(relay, "connections_closed", stage="handshake", reason="limit") in (40, 41)
    resource.prlimit(relay.process.pid, resource.RLIMIT_NOFILE, (hard, hard))


def test_a_check_that_sends_nothing_leaves_no_line(make_relay):
    relay = make_relay(with_keys(behind_proxy(), "log stderr", level="info"))
    Stream.connect(relay.address("http")).close()
    wait_until(lambda: counter(relay, "connections_closed", stage="handshake", reason="peer") == 1, "it is gone")
    assert "127.0.0.1:" not in relay.log.split("ready")[-1]


def test_stun_is_untouched(proxied):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.sendto(request(bytes(12)), ("127.0.0.1", proxied.ports["stun"]))
        answer = sock.recv(1500)
    assert answer[:2] == b"\x01\x01"


def test_modes_and_proxies_follow_a_reload(make_relay):
    relay = make_relay()
    old = relay.door("http").client()
    relay.reload(behind_proxy())
    client = Client(through(relay, "http", proxy_header.v2(*CLIENT4))).login()
    assert addresses(relay)[key_text(client)] == written(CLIENT4)
    relay.reload(behind_proxy(trusted="192.0.2.0/24;2001:db8::/32"))
    with pytest.raises(Closed):
        Client(through(relay, "http", proxy_header.v2(*CLIENT4))).login()
    relay.reload(EVERYTHING)
    new = relay.door("http").client()
    for either in (old, client, new):
        either.ping(disco()[:8])


@pytest.mark.parametrize("keys, message", [
    ({"proxy_protocol": "require"}, "nobody is trusted to say whose connection it hands on"),
    ({"proxy_protocol": "accept"}, "write the addresses of the proxies, as in trusted-proxies=192.0.2.7"),
    ({"proxy_protocol": "require", "trusted_proxies": "192.0.2.1/24"}, "bits set beyond the first 24"),
    ({"proxy_protocol": "yes"}, "is not one of off, accept, require"),
    ({"real_ip_header": "X-Real-IP"}, "nobody is trusted to say whose connection it hands on"),
    ({"real_ip_header": "Forwarded", "trusted_proxies": "::1"}, "Forwarded is not read"),
    ({"real_ip_header": "Host", "trusted_proxies": "::1"}, '"Host" has no client\'s address; write the header'),
    ({"real_ip_header": "x-forwarded-proto", "trusted_proxies": "::1"}, "as X-Forwarded-For or X-Real-IP"),
    ({"real_ip_header": "X Real", "trusted_proxies": "::1"}, "is not the name of a header"),
    ({"unix_mode": "rw"}, "write octal digits from 1 to 0777"),
    ({"unix_mode": "0888"}, "write octal digits from 1 to 0777"),
    ({"unix_mode": "1777"}, "write octal digits from 1 to 0777"),
    ({"unix_owner": "nobody-of-that-name"}, 'no user "nobody-of-that-name"'),
    ({"unix_owner": ":none-of-that-name"}, 'no group "none-of-that-name"'),
])
def test_configurations_that_are_refused(make_relay, keys, message):
    with pytest.raises(StartFailed) as failed:
        make_relay(with_keys(EVERYTHING, "transport http", **keys))
    assert message in failed.value.log


def test_a_unix_socket_is_trusted_by_its_file(make_relay):
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock", proxy_protocol="require"))

    def connect():
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE)
        sock.connect(f"{relay.run_directory}/relay.sock")
        return Stream(sock)
    stream = connect()
    stream.write(proxy_header.v2(*CLIENT6, destination="2001:db8::1"))
    client = Client(stream).login()
    assert addresses(relay)[key_text(client)] == written(CLIENT6)
    stream = connect()
    stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n")
    stream.expect_closed()
    relay.wait_log(rf"transport/local: connection of unix:{relay.run_directory}/relay\.sock closed: .*not those of a PROXY header")


# Addresses in headers of HTTP ------------------------------------------------------------------


def real_ip(header="X-Forwarded-For", **keys):
    """A plain listener behind proxies at 127.0.0.1 and 10.0.0.0/8."""
    return with_keys(EVERYTHING, "transport http", real_ip_header=header, trusted_proxies="127.0.0.1;10.0.0.0/8", **keys)


@pytest.mark.parametrize("name, value, address", [
    ("X-Forwarded-For", "203.0.113.7", "203.0.113.7:0"),
    ("X-Forwarded-For", "198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7:0"),
    ("x-forwarded-for", "2001:db8::7", "[2001:db8::7]:0"),
    ("X-Real-IP", "203.0.113.7", "203.0.113.7:0"),
    ("X-Real-IP", "[2001:db8::7]:4711", "[2001:db8::7]:4711"),
])
def test_the_address_in_a_header_of_http(make_relay, name, value, address):
    relay = make_relay(real_ip(name))
    client = Client(Stream.connect(relay.address("http"))).login(request={"fields": [(name, value)]})
    assert addresses(relay)[key_text(client)] == address
    relay.wait_log(r"connected from \S+ through 127\.0\.0\.1:\d+")
    # Whoever is no proxy is believed nothing, and a proxy that says nothing is the client.
    stranger = Stream.connect(relay.address("http"), source=STRANGER)
    client = Client(stranger).login(request={"fields": [(name, value)]})
    assert addresses(relay)[key_text(client)] == written(stranger.sock.getsockname())
    proxy = Stream.connect(relay.address("http"))
    client = Client(proxy).login()
    assert addresses(relay)[key_text(client)] == written(proxy.sock.getsockname())


def test_requests_of_several_clients_on_one_connection(make_relay):
    """A proxy keeps its connections: each request is of the client that it names."""
    relay = make_relay(real_ip())
    stream = Stream.connect(relay.address("http"))
    for host in ("203.0.113.1", "203.0.113.2"):
        assert http_request(stream, "GET", "/derp/probe", fields=[("X-Forwarded-For", host)]).status == 200
    client = Client(stream).login(request={"fields": [("X-Forwarded-For", "203.0.113.3")]})
    assert addresses(relay)[key_text(client)] == "203.0.113.3:0"


def test_limits_count_the_address_in_a_header_of_http(make_relay):
    relay = make_relay(with_keys(real_ip(), "limits", connections_per_source=1, half_open_per_source=1))

    def client(host):
        return Client(Stream.connect(relay.address("http"))).login(request={"fields": [("X-Forwarded-For", host)]})
    kept = [client(f"203.0.113.{n}") for n in range(1, 9)]
    with pytest.raises(Closed):
        client("203.0.113.1")
    # The share of half-open connections is the client's, and an unfinished login takes it.
    half = Client(Stream.connect(relay.address("http"))).upgrade(fields=[("X-Forwarded-For", "203.0.113.20")])
    with pytest.raises(Closed):
        Client(Stream.connect(relay.address("http"))).upgrade(fields=[("X-Forwarded-For", "203.0.113.20")])
    half.close()
    for one in kept:
        one.ping(b"12345678")


@pytest.mark.parametrize("way", ["PROXY", "X-Forwarded-For"])
def test_the_admission_is_asked_about_the_client(make_relay, way):
    """Who decides sees the client's address and not the proxy's, and so does who looks at those that were refused."""
    server = AdmissionServer()
    config = behind_proxy() if way == "PROXY" else real_ip()
    config = with_keys(with_keys(config, "auth url", url=server.url(), timeout="20s", unavailable="deny", proxy="none"), "admission", chain="url",
                       refuse_hold="0s", timeout="30s")

    def arrive(secret, host):
        if way == "PROXY":
            return Client(through(relay, "tls-export", proxy_header.v1(host, 4711)), secret).upgrade()
        return Client(Stream.connect(relay.address("http")), secret).upgrade(fields=[("X-Forwarded-For", host)])

    try:
        relay = make_relay(config)
        friend, stranger = nacl.public.PrivateKey.generate(), nacl.public.PrivateKey.generate()
        server.allow(friend.public_key)
        for secret, host in ((friend, "203.0.113.7"), (stranger, "198.51.100.9")):
            client = arrive(secret, host)
            client.stream.write(client.client_info())
            if secret is friend:
                client.read_server_info()
            else:
                client.expect_closed()
            assert server.asked[-1] == (client.key.hex(), host)
        row, = ask(relay, "refused")["refused"]
        assert row["key"] == key_text(client) and row["address"].split(":")[0] == "198.51.100.9"
    finally:
        server.stop()
