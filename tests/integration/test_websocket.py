"""DERP in a WebSocket: every way in, every form of message, every end.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import signal

import pytest

from control import ask, counter, detourctl
from derp_client import Client, Frame, http_request, read_response
from derp_client import frame as derp_frame
from relay import EVERYTHING, SMALL, with_keys
from test_listeners import unix_stream
from test_switching import flowing
from websocket import Op, WebSocket, frame, request

SOCKET = with_keys(SMALL, "transport websocket")


def entered(websocket, key=None):
    """A client that is logged in."""
    client = Client(websocket, key)
    client.read_server_key()
    websocket.write(client.client_info())
    return client.read_server_info()


def joined(door, **options):
    """The same on a fresh connection."""
    return entered(WebSocket.open(door.stream(**options)))


@pytest.fixture
def http_door(server):
    """The plain way into the shared server."""
    with server.lent_door("http") as door:
        yield door


# ---- what is carried

@pytest.mark.parametrize("size", [0, 1, 1400, 16379, 16380, 32768, 65536])
def test_packets(door, size):
    a, b, native = joined(door), joined(door), door.client()
    packet = bytes(i * 7 % 251 for i in range(size))
    for source, target in ((a, b), (a, native), (native, a)):
        source.send_packet(target.key, packet)
        target.expect_packet(source.key, packet)


def test_a_whole_frame_may_be_one_message(http_door):
    a, b = joined(http_door), joined(http_door)
    packet = bytes(65536)
    a.stream.write(derp_frame(Frame.SEND_PACKET, b.key + packet) * 3)
    for _ in range(3):
        b.expect_packet(a.key, packet)


def test_frames_that_are_there_together_are_one_message(http_door):
    a, b = joined(http_door), joined(http_door)
    before = b.stream.messages
    a.stream.write(b"".join(derp_frame(Frame.SEND_PACKET, b.key + bytes([i])) for i in range(50)))
    for i in range(50):
        b.expect_packet(a.key, bytes([i]))
    assert b.stream.messages - before < 50


@pytest.mark.parametrize("size", [1, 2, 3, 7, 40, 1000])
def test_messages_cut_frames_anywhere(door, size):
    socket = WebSocket.open(door.stream())
    client = Client(socket)
    client.read_server_key()
    data = client.client_info() + derp_frame(Frame.SEND_PACKET, client.key + b"to myself") \
        + derp_frame(Frame.PING, b"12345678")
    for start in range(0, len(data), size):
        socket.write(data[start:start + size])
    client.read_server_info()
    assert sorted([client.recv(), client.recv()]) == [(Frame.RECV_PACKET, client.key + b"to myself"),
                                                      (Frame.PONG, b"12345678")]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_fragments_and_control_frames_between_them(door, size):
    socket = WebSocket.open(door.stream())
    client = Client(socket)
    client.read_server_key()
    data = client.client_info() + derp_frame(Frame.PING, b"12345678")
    wire = bytearray(frame(Op.BINARY, b"", final=False))
    for start in range(0, len(data), size):
        wire += frame(Op.CONTINUATION, data[start:start + size], final=False)
        wire += frame(Op.PONG, b"nobody asked")
        wire += frame(Op.PING, start.to_bytes(2, "big"))
    socket.stream.write(wire + frame(Op.CONTINUATION, b""))
    client.read_server_info()
    client.expect(Frame.PONG, b"12345678")
    while not socket.pongs or socket.pongs[-1] != start.to_bytes(2, "big"):
        socket.fill()


def test_a_byte_at_a_time(http_door):
    socket = WebSocket.open(http_door.stream())
    client = Client(socket)
    client.read_server_key()
    packet = bytes(range(200))
    for byte in frame(Op.BINARY, client.client_info()) + frame(Op.PING, b"slow") \
            + frame(Op.BINARY, derp_frame(Frame.SEND_PACKET, client.key + packet)):
        socket.stream.write(bytes([byte]))
    client.read_server_info()
    client.expect_packet(client.key, packet)
    assert socket.pongs == [b"slow"]


def test_bytes_right_behind_the_request(door):
    known = door.greeted().server_key
    client = Client(None)
    client.server_key = known
    client.stream = WebSocket.open(door.stream(), then=frame(Op.PING, b"early") + frame(Op.BINARY, client.client_info()))
    client.read_server_key()
    client.read_server_info()
    client.ping(b"12345678")
    assert client.stream.pongs == [b"early"]


def test_pings_are_answered_before_and_after_the_login(door):
    socket = WebSocket.open(door.stream())
    for payload in (b"", b"x", bytes(range(125))):
        socket.stream.write(frame(Op.PING, payload))
        socket.expect_pong(payload)
    client = entered(socket)
    for payload in (b"", b"x", bytes(range(125))):
        socket.stream.write(frame(Op.PING, payload))
        socket.expect_pong(payload)
    client.ping(b"12345678")


def test_pings_without_end_are_answered_with_less(make_relay):
    relay = make_relay(SOCKET)
    greedy, other = joined(relay.door(), receive_buffer=4096), joined(relay.door())
    pings = b"".join(frame(Op.PING, bytes(125)) for _ in range(500))
    for _ in range(100):
        greedy.stream.stream.write(pings)
    other.ping(b"12345678")
    greedy.stream.stream.write(frame(Op.PING, b"last"))
    while b"last" not in greedy.stream.pongs:
        greedy.stream.fill()
    assert len(greedy.stream.pongs) <= 50000
    greedy.ping(b"12345678")


def test_a_slow_reader_gets_whole_messages(make_relay):
    door = make_relay(SOCKET).door()
    a, slow = joined(door), joined(door, receive_buffer=4096)
    for i in range(2000):
        a.send_packet(slow.key, i.to_bytes(4, "big") + bytes(8000))
    a.send_packet(a.key, b"done")
    a.expect_packet(a.key, b"done")
    last = -1
    slow.send_packet(slow.key, b"end")
    while True:
        payload = slow.expect(Frame.RECV_PACKET)
        if payload == slow.key + b"end":
            break
        number = int.from_bytes(payload[32:36], "big")
        assert number > last and payload[36:] == bytes(8000)
        last = number
    assert last > 0


# ---- how it ends

ENDS = {
    "text": (frame(Op.TEXT, b"hello"), 1003),
    "text-fragment": (frame(Op.TEXT, b"hello", final=False), 1003),
    "no-mask": (frame(Op.BINARY, b"hello", mask=b""), 1002),
    "no-mask-ping": (frame(Op.PING, b"", mask=b""), 1002),
    "reserved-1": (frame(Op.BINARY, b"hello", reserved=4), 1002),
    "reserved-2": (frame(Op.BINARY, b"hello", reserved=2), 1002),
    "reserved-3": (frame(Op.BINARY, b"hello", reserved=1), 1002),
    "data-kind": (frame(3, b"hello"), 1002),
    "control-kind": (frame(11, b"hello"), 1002),
    "fragmented-ping": (frame(Op.PING, b"hello", final=False), 1002),
    "long-ping": (frame(Op.PING, bytes(126)), 1002),
    "fragment-first": (frame(Op.CONTINUATION, b"hello"), 1002),
    "message-in-message": (frame(Op.BINARY, b"", final=False) + frame(Op.BINARY, b""), 1002),
    "long-form-of-a-length": (frame(Op.BINARY, b"", length=16), 1002),
    "longer-form-of-a-length": (frame(Op.BINARY, bytes(200), length=64), 1002),
    "negative-length": (b"\x82\xff\x80" + bytes(11), 1002),
    "too-long": (b"\x82\xff\0\0\0\0\0\x10\0\x01" + bytes(4), 1009),
    "very-long": (b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff" + bytes(4), 1009),
    "goodbye": (frame(Op.CLOSE, b"\x03\xe8"), 1000),
    "going-away": (frame(Op.CLOSE, b"\x03\xe9" + "tschüß".encode()), 1001),
    "no-code": (frame(Op.CLOSE), 1005),
    "application-code": (frame(Op.CLOSE, b"\x0f\xa0"), 4000),
    "half-a-code": (frame(Op.CLOSE, b"\x03"), 1002),
    "code-that-may-not-be-sent": (frame(Op.CLOSE, b"\x03\xed"), 1002),
    "reason-not-text": (frame(Op.CLOSE, b"\x03\xe8\xff"), 1007),
}


@pytest.mark.parametrize("name", ENDS)
def test_end_before_the_login(door, name):
    data, code = ENDS[name]
    socket = WebSocket.open(door.stream())
    Client(socket).read_server_key()
    socket.stream.write(data)
    assert socket.expect_code(code) == b""


@pytest.mark.parametrize("name", ENDS)
def test_end_after_the_login(door, name):
    data, code = ENDS[name]
    client, other = joined(door), joined(door)
    other.send_packet(client.key, b"so that it is told")
    client.expect_packet(other.key, b"so that it is told")
    client.send_packet(other.key, b"before the end")
    client.stream.stream.write(data)
    assert client.stream.expect_code(code) == b""
    other.expect_packet(client.key, b"before the end")
    other.expect_gone(client.key, 0)


def test_what_came_before_the_end_counts(http_door):
    client, other = joined(http_door), joined(http_door)
    packet = derp_frame(Frame.SEND_PACKET, other.key + b"last words")
    client.stream.stream.write(frame(Op.BINARY, packet) + frame(Op.CLOSE, b"\x03\xe8") + frame(Op.BINARY, packet))
    client.stream.expect_code(1000)
    other.expect_packet(client.key, b"last words")


def test_the_relay_says_goodbye(make_relay):
    relay = make_relay(SOCKET)
    client, waiting = joined(relay.door()), WebSocket.open(relay.door().stream())
    Client(waiting).read_server_key()
    relay.process.send_signal(signal.SIGTERM)
    assert client.stream.expect_closed() == b""
    assert client.stream.code == 1000
    waiting.expect_code(1000)


def test_a_login_that_takes_too_long(make_relay):
    relay = make_relay(with_keys(SOCKET, "limits", login_timeout="1s"))
    socket = WebSocket.open(relay.door().stream())
    Client(socket).read_server_key()
    socket.expect_code(1000)


# ---- the request

REFUSED = {
    "http-1.0": ({"http": "1.0"}, 426, {}),
    "no-connection": ({"connection": None}, 426, {"Upgrade": "websocket", "Connection": "Upgrade"}),
    "other-connection": ({"connection": "keep-alive"}, 426, {"Upgrade": "websocket"}),
    "post": ({"method": "POST", "fields": [("Content-Length", "0")]}, 405, {"Allow": "GET"}),
    "head": ({"method": "HEAD"}, 405, {"Allow": "GET"}),
    "no-version": ({"version": None}, 400, {"Sec-WebSocket-Version": "13"}),
    "old-version": ({"version": "8"}, 400, {"Sec-WebSocket-Version": "13"}),
    "no-key": ({"key": ""}, 400, {}),
    "short-key": ({"key": "c2hvcnQ="}, 400, {}),
    "two-keys": ({"fields": [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]}, 400, {}),
    "longer-protocol": ({"protocol": "derpx"}, 400, {}),
    "list-of-upgrades": ({"upgrade": "websocket, derp"}, 426, {}),
}


@pytest.mark.parametrize("name", REFUSED)
def test_request_is_refused_and_another_may_follow(http_door, name):
    wishes, status, fields = REFUSED[name]
    stream = http_door.stream()
    stream.write(request(**wishes))
    answer = read_response(stream, body=wishes.get("method") != "HEAD")
    assert answer.status == status
    assert {field: answer.get(field) for field in fields} == fields
    assert answer.all("X-Content-Type-Options") == ["nosniff"]
    assert not answer.all("Sec-WebSocket-Accept")
    if wishes.get("http") != "1.0":
        entered(WebSocket.open(stream)).ping(b"12345678")


@pytest.mark.parametrize("offer", ["derp", "foo, derp", "derp,foo", " foo ,\tderp ", "DERP, derp, Derp"])
def test_exactly_one_of_the_offers_is_repeated(http_door, offer):
    entered(WebSocket.open(http_door.stream(), protocol=offer))


def test_what_browsers_send(door):
    fields = [("Origin", "https://elsewhere.example"), ("Pragma", "no-cache"), ("Cache-Control", "no-cache"),
              ("User-Agent", "Mozilla/5.0"), ("Accept-Encoding", "gzip, deflate, br"),
              ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
              ("Sec-Fetch-Mode", "websocket"), ("Cookie", "a=b")]
    entered(WebSocket.open(door.stream(), connection="keep-alive, Upgrade", fields=fields)).ping(b"12345678")


@pytest.mark.parametrize("protocol", [None, "", "foo", "DERP"])
def test_without_the_subprotocol_it_is_plain_derp(door, protocol):
    fields = [] if protocol is None else [("Sec-WebSocket-Protocol", protocol)]
    client = door.greeted(request={"upgrade": "WebSocket", "fields": fields})
    assert client.response.get("Upgrade") == "DERP"
    client.stream.write(client.client_info())
    client.read_server_info()
    client.ping(b"12345678")


def test_alpn_stays_at_http_1(server, tls_door):
    stream = tls_door.stream(tls={"alpn": ["h2", "http/1.1"]})
    assert stream.sock.selected_alpn_protocol() == "http/1.1"
    entered(WebSocket.open(stream)).ping(b"12345678")


# ---- listeners

def test_unix_socket(make_relay):
    relay = make_relay(with_keys(SOCKET, "transport local", plugin="http", listen="unix:{run}/relay.sock"))
    a = entered(WebSocket.open(unix_stream(f"{relay.run_directory}/relay.sock")))
    b = joined(relay.door())
    a.send_packet(b.key, b"across")
    b.expect_packet(a.key, b"across")


def test_only_where_there_is_derp(make_relay):
    relay = make_relay(EVERYTHING)
    stream = relay.door("port80").stream()
    stream.write(request())
    answer = read_response(stream)
    assert (answer.status, answer.get("Location")) == (302, f"https://relay.test:{relay.ports['https']}/derp")


def test_a_listener_with_derp_that_sends_others_to_https(make_relay):
    door = make_relay(with_keys(SOCKET, "transport http", redirect="https")).door()
    joined(door).ping(b"12345678")
    assert http_request(door.stream(), "GET", "/elsewhere").status == 302


# ---- the operator

def test_longest_message(make_relay):
    door = make_relay(with_keys(SOCKET, "transport websocket", max_message="70000")).door()
    # Zeros are frames of an unknown type without a payload, which are skipped.
    for parts in ([70000], [69999, 1], [1] * 100 + [69900]):
        client = joined(door)
        for i, part in enumerate(parts):
            client.stream.stream.write(frame(Op.CONTINUATION if i else Op.BINARY, bytes(part), i == len(parts) - 1))
        client.ping(b"12345678")
    client = joined(door)
    client.stream.stream.write(frame(Op.BINARY, bytes(70001)))
    client.stream.expect_code(1009)


def test_switched_off_and_on(make_relay):
    relay = make_relay(EVERYTHING)
    doors = [relay.door(way) for way in ("http", "tls-export")]
    for door in doors:
        with flowing(joined(door), joined(door)) as flow:
            for _ in range(2):
                detourctl(relay, "plugins", "disable", "transport/websocket")
                stream = door.stream()
                stream.write(request())
                assert read_response(stream).status == 426
                door.client().ping(b"12345678")
                flow.go_on()
                detourctl(relay, "plugins", "enable", "transport/websocket")
                joined(door).ping(b"12345678")
                detourctl(relay, "plugins", "restart", "transport/websocket")
                flow.go_on()


def test_counters(make_relay):
    relay = make_relay(SOCKET)
    joined(relay.door())
    stream = relay.door().stream()
    stream.write(request(version="8"))
    assert read_response(stream).status == 400
    assert counter(relay, "accepts", instance="transport/websocket") == 1
    assert counter(relay, "refused", instance="transport/websocket") == 1


def test_how_a_client_came_is_shown(make_relay):
    """The record layer, TLS below it, and both in the words of people."""
    relay = make_relay(EVERYTHING)
    ways = {"http": ("plain", None), "tls-gnutls": ("tls", "1.3"), "tls12": ("tls", "1.2"), "tls-export": ("tls", "1.3")}
    native = {relay.door(way).client().key.hex(): (way, *expected) for way, expected in ways.items()}
    by_websocket = {joined(relay.door(way)).key.hex(): (way, "websocket", ways[way][1]) for way in ("http", "tls12", "tls-export")}
    for row in ask(relay, "clients")["clients"]:
        _, way, tls = (native | by_websocket)[row["key"].removeprefix("nodekey:")]
        assert (row["way"], row.get("tls")) == (way, tls)
    lines = {line.split()[0]: line for line in detourctl(relay, "clients")[0].splitlines()[1:]}
    for key, (door, way, tls) in (native | by_websocket).items():
        assert ("WebSocket" in lines[key[:8]]) == (way == "websocket")
        shown = re.search(r"^ *through +(.*)$", detourctl(relay, "client", key)[0], re.M)[1]
        listener = f"transport/{'https' if door == 'tls12' else door}"
        assert shown == listener + (f", TLS {tls}" if tls else "") + (", WebSocket" if way == "websocket" else "")
