"""Clients that are not Go: how they ask, what they say, and that nothing comes that would end them.
SPDX-License-Identifier: LGPL-2.1-or-later

The requests and logins are those of clients in the field, byte for byte where that matters: tailscale-rs (POST, an
absolute target, an address as Host, members in snake_case, the end for every frame but four), small programs in C and on
microcontrollers (fast start always, or never; ClientInfo with one member), and pages.
"""

import json
import time

import pytest
from control import ask, counter, detourctl
from derp_client import Client, Frame, Stream, disco, frame, http_request
from relay import EVERYTHING, Relay, wait_until, with_keys

# The longest packet that fits a frame of 64 KiB, key included.
STRICT_MAX = 65504
RUST = {"plain": b'{"can_ack_pings":false,"is_prober":false,"mesh_key":"none","version":2}'}
SMALL = {"plain": b'{"version":2}'}


@pytest.fixture(name="relay", scope="module")
def relay_fixture(tmp_path_factory):
    """A relay for tests that leave it as it is."""
    with Relay(tmp_path_factory.mktemp("clients"), EVERYTHING) as relay:
        yield relay.start()


def rust_request(address, host=None):
    """As tailscale-rs asks: the address it is connected to is all that it knows."""
    return (f"POST https://{address[0]}:{address[1]}/derp HTTP/1.1\r\nhost: {host or address[0]}\r\nupgrade: DERP\r\n"
            "connection: Upgrade\r\n\r\n").encode()


def small_request(host="relay.test", fields=""):
    """As a small client asks."""
    return f"GET /derp HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: Upgrade\r\nUpgrade: DERP\r\n\r\n".encode()


def logged_in(door, request, info, stream=None):
    """A client with a request and a ClientInfo of its own."""
    client = Client(stream or door.stream())
    client.stream.write(request)
    assert client.stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    client.read_server_key()
    client.stream.write(client.client_info(**info))
    return client.read_server_info()


def kind_of(relay, client):
    """What the daemon takes the client for."""
    return row_of(relay, client)["kind"]


def row_of(relay, client):
    """The client's entry."""
    return {row["key"]: row for row in ask(relay, "clients")["clients"]}["nodekey:" + client.key.hex()]


@pytest.mark.parametrize("way", ["http", "tls", "tls-export", "tls12"])
def test_tailscale_rs_gets_nothing_that_would_end_it(relay, way):
    """KeepAlive, Ping, PeerGone with its reason, and RecvPacket are all that it takes."""
    with relay.lent_door(way) as door:
        rust = logged_in(door, rust_request(door.address), RUST)
        go = door.client()
        before = counter(relay, "packets_dropped", reason="too_long")
        assert kind_of(relay, rust) == "rust"
        for size in (0, 1, 1400, STRICT_MAX):
            go.send_packet(rust.key, b"x" * size)
            rust.expect_packet(go.key, b"x" * size)
        for size in (STRICT_MAX + 1, 65536):
            go.send_packet(rust.key, b"y" * size)
        go.send_packet(rust.key, disco(STRICT_MAX + 1))
        assert not go.fence_to(rust)
        assert counter(relay, "packets_dropped", reason="too_long") == before + 3
        assert row_of(relay, rust)["packets_dropped_too_long"] == 3
        # It may send such packets itself, and a client that takes them gets them.
        rust.send_packet(go.key, b"z" * 65536)
        go.expect_packet(rust.key, b"z" * 65536)
        rust.send_packet(go.key, disco())
        go.expect_packet(rust.key, disco())
        # A peer that goes, and one that is not here.
        go.close()
        rust.expect(Frame.PEER_GONE, go.key + b"\x00")
        rust.send_packet(bytes([7]) * 32, disco())
        rust.expect(Frame.PEER_GONE, bytes([7]) * 32 + b"\x01")
        assert not rust.frames_until_own()


def test_drops_for_size_are_shown(make_relay):
    relay = make_relay(EVERYTHING)
    door = relay.door("http")
    rust, go = logged_in(door, rust_request(door.address), RUST), door.client()
    go.send_packet(rust.key, bytes(65536))
    assert not go.fence_to(rust)
    assert ask(relay, "status")["drops"] == {"too_long": 1}
    assert "1 longer than their receivers take" in " ".join(detourctl(relay)[0].split())
    lines = detourctl(relay, "clients")[0].splitlines()
    assert lines[0].split() == ["KEY", "ADDRESS", "KIND", "FOR", "HOME", "IN", "OUT", "DROPS", "LABEL"]
    assert {line.split()[2] for line in lines[1:]} == {"rust", "go"}
    shown = " ".join(detourctl(relay, "client", rust.key.hex()[:12])[0].split())
    assert "program in Rust: tailscale-rs" in shown
    assert "dropped 1, of which 1 were longer than the client takes" in shown
    assert "packets_dropped_too_long" not in row_of(relay, go)


def test_drops_are_an_event(make_relay):
    """One for each keep-alive, with all of them."""
    relay = make_relay(with_keys(EVERYTHING, "limits", keep_alive="1s"))
    door = relay.door("http")
    rust, go = logged_in(door, rust_request(door.address), RUST), door.client()
    for _ in range(3):
        go.send_packet(rust.key, bytes(65536))

    def told():
        found = ask(relay, "why", rust.key.hex(), "--at", time.strftime("%Y-%m-%d %H:%M:%S"))["events"]
        return [event for event in found if event["event"] == "drops"]
    wait_until(lambda: sum(int(event["text"].split()[0]) for event in told()) == 3, "all are told")
    assert all(event["text"].endswith(" packets for it were dropped since its last keep-alive") for event in told())
    assert {event["source"] for event in told()} == {"transport/http"}, told()


@pytest.mark.parametrize("reads", [True, False], ids=["reads", "stalled"])
def test_long_packets_are_left_out_of_a_queue_as_well(relay, reads):
    """A receiver that stopped reading for a while gets the others when it reads again."""
    with relay.lent_door("http") as door:
        stream = door.stream(receive_buffer=4096)
        small, go = logged_in(door, small_request(), SMALL, stream), door.client()
        sent = [bytes([n]) * (1000 if n % 2 else 65536) for n in range(20)]
        filler = 0
        if not reads:
            while not row_of(relay, small)["blocked"]:
                go.send_packet(small.key, b"f" * 60000)
                filler += 1
        for packet in sent:
            go.send_packet(small.key, packet)
        got = [data for kind, data in go.fence_to(small) if data[32:33] != b"f"]
        # The oldest may have made room for newer ones, but what came is in order, and is short.
        kept = [packet for packet in sent if len(packet) == 1000]
        assert [data[32:] for data in got] == kept[len(kept) - len(got):]
        assert got and (filler or len(got) == len(kept))


@pytest.mark.parametrize("info, kind, gets_all", [
    (RUST, "rust", False),
    (SMALL, "other", False),
    ({"plain": b"{}"}, "other", False),
    ({"plain": b'{"Version":2,"CanAckPings":true,"IsProber":false}'}, "other", True),
    ({"plain": b'{"version":2,"IsProber":true}'}, "other", True),
    # Nothing of this is a mesh key, and none of it is an attack.
    ({"plain": b'{"mesh_key":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","version":2}'}, "rust", False),
    ({"plain": b'{"meshKey":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff","version":2}'}, "other", False),
], ids=["tailscale-rs", "one-member", "empty", "microcontroller", "prober", "snake-mesh-key", "stray-mesh-key"])
def test_kinds_of_login(relay, info, kind, gets_all):
    with relay.lent_door("http") as door:
        client, go = logged_in(door, small_request(), info), door.client()
        row = row_of(relay, client)
        assert row["kind"] == kind and not row["mesh"]
        go.send_packet(client.key, bytes(65536))
        frames = go.fence_to(client)
        assert [len(data) for _, data in frames] == ([65568] if gets_all else [])


def test_a_key_in_snake_case_opens_nothing(relay):
    """The right mesh key under the wrong name is no mesh key."""
    with relay.lent_door("http") as door:
        plain = json.dumps({"mesh_key": relay.mesh_key, "version": 2}).encode()
        client = logged_in(door, small_request(), {"plain": plain})
        assert not row_of(relay, client)["mesh"]
        client.send(Frame.WATCH_CONNS)
        client.expect_closed()


def test_go_clients_that_do_not_say_that_they_ack_pings_get_all(relay):
    """derper's and derpprobe's do not; mesh watchers go on hearing of clients and carrying long packets."""
    with relay.lent_door("tls") as door:
        quiet, go = door.client(plain=b'{"version":2}'), door.client()
        watcher = door.client(plain=json.dumps({"version": 2, "meshKey": relay.mesh_key}).encode())
        assert (kind_of(relay, quiet), row_of(relay, quiet)["mesh"]) == ("go", False)
        for receiver in (quiet, watcher):
            go.send_packet(receiver.key, bytes(65536))
            receiver.expect_packet(go.key, bytes(65536))
        watcher.send(Frame.WATCH_CONNS)
        told = {data[:32] for _, data in watcher.frames_until_own()}
        assert {quiet.key, go.key} <= told
        late = door.client()
        assert watcher.expect(Frame.PEER_PRESENT)[:32] == late.key
        watcher.forward_packet(bytes([9]) * 32, quiet.key, b"w" * 65536)
        quiet.expect_packet(bytes([9]) * 32, b"w" * 65536)


def test_who_pings_is_answered(relay):
    """Pong is the answer to the client's own Ping, whatever it said of itself."""
    with relay.lent_door("http") as door:
        client = logged_in(door, small_request(), SMALL)
        client.ping(b"12345678")


@pytest.mark.parametrize("way", ["http", "tls"])
def test_byte_after_byte(relay, way):
    """A client without buffers sends each byte on its own, request and login, and reads each frame whole."""
    with relay.lent_door(way) as door:
        client = Client(door.stream())
        for byte in small_request():
            client.stream.write(bytes([byte]))
        assert client.stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        client.read_server_key()
        for byte in client.client_info(**SMALL):
            client.stream.write(bytes([byte]))
        client.read_server_info()
        assert client.server_info == {"version": 2}
        for byte in frame(Frame.NOTE_PREFERRED, b"\x01") + frame(Frame.SEND_PACKET, client.key + b"me"):
            client.stream.write(bytes([byte]))
        client.expect_packet(client.key, b"me")
        assert row_of(relay, client)["home"]


def test_fast_start_without_tls_and_with_an_empty_host(relay):
    """A client that always asks for fast start waits for the greeting, which has 40 bytes and no head before it."""
    with relay.lent_door("http") as door:
        client = Client(door.stream())
        client.stream.write(small_request(host="", fields="Derp-Fast-Start: 1\r\n"))
        kind, payload = client.recv()
        assert kind == Frame.SERVER_KEY and len(payload) == 40
        client.server_key = payload[8:]
        client.stream.write(client.client_info(**SMALL))
        client.read_server_info()


HOSTS = ["relay.test", "127.0.0.1", "127.0.0.1:1", "[::1]", "[2001:db8::1]:443", "elsewhere.example", "", "443"]


@pytest.mark.parametrize("host", HOSTS)
def test_nothing_is_chosen_by_host(relay, host):
    """The same answers and the same relay, in both forms of target, whatever the name is."""
    with relay.lent_door("tls") as door:
        for target in ("/derp/latency-check", f"https://{host or 'x'}/derp/latency-check"):
            response = http_request(door.stream(), "GET", target, host=host)
            assert response.status == 200, (target, response.line)
        client = logged_in(door, small_request(host=host), SMALL)
        assert client.server_key == door.client().server_key
        other = logged_in(door, rust_request(door.address, host or "x"), RUST)
        client.send_packet(other.key, b"reached")
        other.expect_packet(client.key, b"reached")


@pytest.mark.parametrize("name", [None, "elsewhere.example", "127.0.0.1"])
def test_a_name_that_is_not_known_gets_the_default_certificate(relay, name):
    with relay.lent_door("tls") as door:
        usual = door.stream().certificates()[0]
        stream = Stream.connect(door.address).start_tls(server_name=name)
        door.opened.append(stream)
        assert stream.certificates()[0] == usual
        assert stream.sock.selected_alpn_protocol() is None
        logged_in(door, rust_request(door.address), RUST, stream)


def test_a_client_that_leaves_at_once_leaves_nothing(relay):
    """A login and the end in one write: tailscale-rs closes connections that it used once."""
    with relay.lent_door("http") as door:
        client = logged_in(door, rust_request(door.address), RUST)
        key = "nodekey:" + client.key.hex()
        client.close()
        wait_until(lambda: key not in {row["key"] for row in ask(relay, "clients")["clients"]}, "it is gone")
