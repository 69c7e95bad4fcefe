"""Login: the upgrade, the greeting, ClientInfo with all its deviations, and the deadlines.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import struct
import time

import nacl.public
import pytest

from derp_client import Client, Closed, Frame, Stream, frame, http_request
from relay import EVERYTHING, SMALL, with_keys

HEX = "0123456789abcdef" * 4


def test_answer_101_says_version_and_key(door):
    client = door.greeted()
    assert client.response.line == "HTTP/1.1 101 Switching Protocols"
    assert sorted(client.response.fields) == sorted([
        ("Upgrade", "DERP"), ("Connection", "Upgrade"), ("Derp-Version", "2"),
        ("Derp-Public-Key", client.server_key.hex())])


def test_server_info_is_version_2(door):
    client = door.greeted()
    client.stream.write(client.client_info())
    payload = client.expect(Frame.SERVER_INFO)
    assert len(payload) == 24 + 16 + 13
    assert client.open_server_info(payload) == b'{"version":2}'


def test_server_info_nonces_differ(door):
    nonces = set()
    for _ in range(3):
        client = door.greeted()
        client.stream.write(client.client_info())
        nonces.add(client.expect(Frame.SERVER_INFO)[:24])
    assert len(nonces) == 3


def test_fast_start_gets_no_http_answer(door):
    key = door.greeted().server_key
    client = door.fresh()
    client.server_key = key
    client.login(fast=True)
    client.ping(b"whatever")


def test_fast_start_greets_before_any_client_info(door):
    client = door.fresh()
    client.stream.write(client.request_head(fast=True))
    client.read_server_key()
    client.stream.write(client.client_info())
    client.read_server_info()


@pytest.mark.parametrize("value", ["0", "true", "1 1", ""])
def test_other_fast_start_values_get_101(door, value):
    client = door.greeted(request={"fields": [("Derp-Fast-Start", value)]})
    client.stream.write(client.client_info())
    client.read_server_info()


def test_server_key_is_the_same_everywhere(door):
    assert door.greeted().server_key == door.greeted().server_key


@pytest.mark.parametrize("request_", [
    {"upgrade": "derp"}, {"upgrade": "WebSocket"}, {"method": "POST"}, {"fields": [("Ideal-Node", "900a")]},
    {"path": "/derp?x=y"},
], ids=str)
def test_upgrade_is_taken_in_all_forms(door, request_):
    door.client(fast=False, request=request_).ping(b"abcdefgh")


def test_upgrade_works_in_http_1_0(door):
    client = door.fresh()
    client.stream.write(b"GET /derp HTTP/1.0\r\nUpgrade: DERP\r\nHost: x\r\n\r\n")
    head = client.stream.read_until(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    client.read_server_key()


def test_frames_behind_client_info_wait_for_the_login(door):
    client = door.greeted()
    client.stream.write(client.client_info() + frame(Frame.NOTE_PREFERRED, b"\1") +
                        frame(Frame.SEND_PACKET, client.key + b"early"))
    client.read_server_info()
    client.expect_packet(client.key, b"early")


def test_all_in_one_write_with_fast_start(door):
    key = door.greeted().server_key
    client = door.fresh()
    client.server_key = key
    client.login(fast=True, then=frame(Frame.NOTE_PREFERRED, b"\1") + frame(Frame.SEND_PACKET, client.key + b"x" * 20000))
    client.expect_packet(client.key, b"x" * 20000)


@pytest.mark.parametrize("fast", [False, True])
def test_server_info_comes_before_the_pong(door, fast):
    """A client that pings before the answer to its login gets that answer first."""
    client = door.fresh()
    client.server_key = door.greeted().server_key
    client.login(fast=fast, then=frame(Frame.PING, b"12345678") + frame(Frame.SEND_PACKET, client.key + b"early"))
    assert {client.recv()[0] for _ in range(2)} == {Frame.PONG, Frame.RECV_PACKET}


def test_login_byte_by_byte(door):
    client = door.fresh()
    for byte in client.request_head():
        client.stream.write(bytes([byte]))
    client.stream.read_until(b"\r\n\r\n")
    client.read_server_key()
    for byte in client.client_info() + frame(Frame.SEND_PACKET, client.key + b"slowly"):
        client.stream.write(bytes([byte]))
    client.read_server_info()
    client.expect_packet(client.key, b"slowly")


ACCEPTED = {
    "empty object": "{}",
    "null": "null",
    "blanks around": ' \t\r\n{ "version" : 2 } \n',
    "keys in other case": '{"VERSION":2,"canackpings":true,"ISPROBER":false,"appNAME":"x"}',
    "key twice": '{"version":2,"version":3}',
    "name twice, the last counts": '{"AppName":"' + "x" * 33 + '","AppName":"ok"}',
    "unknown keys": '{"version":2,"future":{"a":[1,2,{"b":null}],"c":"d"},"more":1e300}',
    "version 0": '{"version":0}',
    "version negative": '{"version":-7}',
    "version large": '{"version":2147483647}',
    "null in a known key": '{"version":null,"CanAckPings":null,"IsProber":null,"AppName":null}',
    "prober": '{"version":2,"IsProber":true}',
    "name of 32": '{"AppName":"' + "x" * 32 + '"}',
    "name of blanks": '{"AppName":" ~"}',
    "name escaped": '{"AppName":"\\u0061\\/b"}',
    "foreign mesh key": '{"meshKey":"' + HEX + '"}',
    "foreign mesh key upper case": '{"meshKey":"' + HEX.upper() + '"}',
    "zero mesh key": '{"meshKey":"' + "0" * 64 + '"}',
    "8000 bytes": '{"x":"' + "y" * 8000 + '"}',
}

REFUSED = {
    "nothing": "",
    "blanks": "  ",
    "array": "[]",
    "string": '"x"',
    "number": "2",
    "true": "true",
    "cut off": '{"version":2',
    "comma behind": '{"version":2,}',
    "text behind": '{"version":2} x',
    "second value": "{}{}",
    "comment": '/* x */{"version":2}',
    "line comment": '{"version":2} // x',
    "single quotes": "{'version':2}",
    "assignment": 'var x = {"version":2}',
    "key without quotes": "{version:2}",
    "version as string": '{"version":"2"}',
    "version as fraction": '{"version":2.5}',
    "version with exponent": '{"version":1e1}',
    "version true": '{"version":true}',
    "version with leading zero": '{"version":02}',
    "bool as number": '{"CanAckPings":1}',
    "bool as string": '{"IsProber":"true"}',
    "name as number": '{"AppName":5}',
    "control byte in string": '{"x":"a\nb"}',
    "bad escape": '{"x":"\\q"}',
    "mesh key empty": '{"meshKey":""}',
    "mesh key null": '{"meshKey":null}',
    "mesh key short": '{"meshKey":"' + HEX[:-1] + '"}',
    "mesh key long": '{"meshKey":"' + HEX + '0"}',
    "mesh key no hex": '{"meshKey":"' + HEX[:-1] + 'g"}',
    "mesh key a number": '{"meshKey":5}',
    "nested without end": '{"x":' + "[" * 12000,
    "nested deep": '{"x":' + "[" * 11000 + "]" * 11000 + "}",
}

REFUSED_SINCE_104 = {
    "name of 33": '{"AppName":"' + "x" * 33 + '"}',
    "name with control": '{"AppName":"a\\u0001"}',
    "name with delete": '{"AppName":"\\u007f"}',
    "name not ASCII": '{"AppName":"ü"}',
    "name with NUL": '{"AppName":"a\\u0000b"}',
}


def send_info(door, plain):
    client = door.greeted()
    client.stream.write(client.client_info(plain.encode()))
    return client


@pytest.mark.parametrize("plain", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_client_info_accepted(door, plain):
    send_info(door, plain).read_server_info().ping(b"stillfit")


@pytest.mark.parametrize("plain", REFUSED.values(), ids=REFUSED.keys())
def test_client_info_refused(door, plain):
    send_info(door, plain).expect_closed()


@pytest.mark.usefixtures("since_104")
@pytest.mark.parametrize("plain", REFUSED_SINCE_104.values(), ids=REFUSED_SINCE_104.keys())
def test_app_name_refused(door, plain):
    send_info(door, plain).expect_closed()


@pytest.mark.usefixtures("since_104")
def test_bad_app_name_is_refused_with_mesh_key_too(door):
    send_info(door, '{"meshKey":"%s","AppName":"%s"}' % (door.server.mesh_key, "x" * 33)).expect_closed()


@pytest.mark.parametrize("deviation", ["damaged box", "damaged nonce", "another key", "zero key", "empty box"])
def test_box_that_does_not_open_is_refused(door, deviation):
    client = door.greeted()
    info = bytearray(client.client_info())
    if deviation == "damaged box":
        info[-1] ^= 1
    elif deviation == "damaged nonce":
        info[5 + 32] ^= 0x80
    elif deviation == "another key":
        info[5:37] = bytes(nacl.public.PrivateKey.generate().public_key)
    elif deviation == "zero key":
        info[5:37] = bytes(32)
    else:
        info = frame(Frame.CLIENT_INFO, client.key + bytes(24))
    client.stream.write(bytes(info))
    client.expect_closed()


@pytest.mark.usefixtures("detour_only")
@pytest.mark.parametrize("key", [b"\1" + bytes(31), bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")],
                         ids=["one", "minus one"])
def test_keys_of_small_order_are_refused(door, key):
    client = door.greeted()
    info = bytearray(client.client_info())
    info[5:37] = key
    client.stream.write(bytes(info))
    client.expect_closed()


@pytest.mark.parametrize("size", [0, 1, 55])
def test_client_info_shorter_than_key_and_nonce(door, size):
    client = door.greeted()
    client.send(Frame.CLIENT_INFO, bytes(size))
    client.expect_closed()


@pytest.mark.parametrize("size", [262145, 1 << 24, 0xFFFFFFFF])
def test_client_info_too_long_is_refused_by_its_header(door, size):
    client = door.greeted()
    client.stream.write(struct.pack(">BI", Frame.CLIENT_INFO, size))
    client.expect_closed()


@pytest.mark.parametrize("kind", [0, 1, 3, Frame.SEND_PACKET, Frame.KEEP_ALIVE, Frame.PING, 0xFF])
def test_first_frame_must_be_client_info(door, kind):
    client = door.greeted()
    client.stream.write(client.client_info().replace(b"\x02", bytes([kind]), 1))
    client.expect_closed()


def test_foreign_mesh_key_gives_no_privilege(door):
    client = door.client(meshKey=HEX)
    client.send(Frame.WATCH_CONNS)
    client.expect_closed()


def test_zero_mesh_key_gives_no_privilege(door):
    client = door.client(meshKey="0" * 64)
    client.send(Frame.WATCH_CONNS)
    client.expect_closed()


# ---- deadlines

def test_login_deadline_is_total_however_bytes_drip(make_relay):
    door = make_relay(with_keys(SMALL, "limits", login_timeout="1s")).door()
    silent, dripping = door.greeted(), door.greeted()
    begin = time.monotonic()
    info = dripping.client_info()
    with pytest.raises(Closed):
        for byte in info:
            dripping.stream.write(bytes([byte]))
            dripping.stream.expect_open_and_silent(0.1)
    silent.expect_closed()
    assert time.monotonic() - begin >= 0.9


def test_head_deadline_is_total_however_bytes_drip(make_relay):
    door = make_relay(with_keys(SMALL, "limits", handshake_timeout="1s")).door()
    silent, stream = door.stream(), door.stream()
    with pytest.raises(Closed):
        while True:
            stream.write(b"G")
            stream.expect_open_and_silent(0.1)
    silent.expect_closed()


def test_handshake_deadline_covers_tls(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", handshake_timeout="1s"))
    stream = Stream.connect(relay.address("tls"))
    stream.expect_closed()
    with contextlib.suppress(Closed):  # the handshake itself may take that long where the machine is busy
        stream = relay.door("tls").stream()
        stream.write(b"GET /derp HT")
        stream.expect_closed()


def test_a_client_that_logged_in_may_be_silent(make_relay):
    door = make_relay(with_keys(SMALL, "limits", login_timeout="3s", handshake_timeout="3s", write_timeout="500ms")).door()
    client = door.client()
    client.stream.expect_open_and_silent(4)
    client.ping(b"awakenow")


def test_login_on_a_connection_that_served_other_requests(door):
    client = door.fresh()
    assert http_request(client.stream, "GET", "/derp/probe").status == 200
    assert http_request(client.stream, "GET", "/derp").status == 426
    client.login()
    client.ping(b"12345678")


def test_upgrade_pipelined_behind_another_request(door):
    client = door.fresh()
    client.stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n" + client.request_head())
    assert client.stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert client.stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
    client.read_server_key()
    client.stream.write(client.client_info())
    client.read_server_info()


def test_vector_of_the_protocol():
    """The client itself, against the published numbers."""
    server_public = bytes.fromhex("8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f")
    secret = nacl.public.PrivateKey(bytes.fromhex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e5f"))
    client = Client(None, secret)
    client.server_key = server_public
    nonce = bytes(range(0x40, 0x58))
    assert client.client_info(nonce=nonce).hex() == (
        "0200000068493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531d"
        "404142434445464748494a4b4c4d4e4f5051525354555657"
        "b74572de1b4fb4f7afd8d00ec8f6274759ff39372832c1f113924bfda7f34f1c24193ad82ac25c1ba685e5b7f0858bd2")
