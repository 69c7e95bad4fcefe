"""The last word of the relay arrives: the connection is kept until the peer has read it and answered, however late.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import fcntl
import signal
import socket
import struct
import termios

import pytest

from control import detourctl
from derp_client import Client, Frame, Stream
from derp_client import frame as derp_frame
from relay import SMALL, wait_until, with_keys
from test_websocket import entered, joined
from websocket import Op, WebSocket, frame

SOCKET = with_keys(SMALL, "transport websocket")
# Of TCP: nothing has ended; the other side has ended its direction. One that was reset has another one.
ESTABLISHED, CLOSE_WAIT = 1, 8
GOODBYE = frame(Op.CLOSE, b"\x03\xe8")


def taken(sock):
    """The system at the other end has taken all that was sent, although no more comes from there."""
    def is_taken():
        state = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        assert state in (ESTABLISHED, CLOSE_WAIT), "it was reset"
        waits = struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        return state == CLOSE_WAIT and waits == 0

    wait_until(is_taken, "what was sent is taken")


def answers_late(websocket, code):
    """It reads the goodbye to the end of the stream, answers only then, and meets no reset."""
    websocket.expect_code(code)
    for _ in range(3):
        websocket.stream.write(GOODBYE)
        taken(websocket.sock)
    websocket.close()


def sockets(relay):
    """Those that the daemon has."""
    return {name for name in relay.descriptors() if name.startswith("socket:")}


def ends_cleanly(stream):
    """What comes until the end of the stream, which is no reset."""
    data = bytearray()
    while True:
        more = stream.sock.recv(65536)
        if not more:
            return bytes(data)
        data += more


BAD = {
    "text": (frame(Op.TEXT, b"text"), 1003),
    "not-masked": (frame(Op.BINARY, b"x", mask=b""), 1002),
    "wrong-frame": (frame(Op.BINARY, derp_frame(Frame.SEND_PACKET, bytes(3))), 1000),
    "its-own-goodbye": (frame(Op.CLOSE, b"\x03\xe9"), 1001),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("logged_in", [False, True], ids=["before the login", "after the login"])
def test_a_websocket_is_answered_late(door, name, logged_in):
    data, code = BAD[name]
    websocket = WebSocket.open(door.stream())
    if logged_in:
        entered(websocket)
    else:
        Client(websocket).read_server_key()
    # More comes behind it, which nobody reads any more.
    websocket.stream.write(data + frame(Op.BINARY, bytes(30000)) * 8)
    answers_late(websocket, code)


def test_those_that_must_go_answer_late(make_relay):
    relay = make_relay(with_keys(SOCKET, "limits", login_timeout="1s"))
    before = sockets(relay)
    client, too_slow = joined(relay.door()), WebSocket.open(relay.door().stream())
    Client(too_slow).read_server_key()
    assert len(sockets(relay) - before) >= 2
    answers_late(too_slow, 1000)
    detourctl(relay, "kick", "nodekey:" + client.key.hex())
    answers_late(client.stream, 1000)
    wait_until(lambda: sockets(relay) <= before, "the sockets are closed once the peers are gone")


def test_the_daemon_stops_when_all_have_answered(make_relay):
    relay = make_relay(SOCKET)
    clients = [joined(relay.door()) for _ in range(3)]
    waiting = WebSocket.open(relay.door().stream())
    Client(waiting).read_server_key()
    relay.process.send_signal(signal.SIGTERM)
    answers_late(waiting, 1000)
    for client in clients:
        answers_late(client.stream, 1000)
    relay.wait_end()


def test_the_daemon_stops_without_an_answer(make_relay):
    relay = make_relay(SOCKET)
    client, native = joined(relay.door()), relay.door().client()
    relay.process.send_signal(signal.SIGTERM)
    client.stream.expect_code(1000)
    native.expect_closed()
    relay.wait_end()


def test_the_end_of_a_client_that_goes_on_sending(door):
    """Nothing but the end of the stream tells it, and it may be in the middle of a flood."""
    client = door.client()
    client.ping(b"before!!")
    client.stream.write(derp_frame(Frame.SEND_PACKET, bytes(3)) + derp_frame(0x7f, bytes(60000)) * 8)
    assert ends_cleanly(client.stream) == b""


@pytest.mark.usefixtures("detour_only")
def test_an_alert_arrives(tls_door):
    stream = Stream.connect(tls_door.address)
    stream.write(b"\x16\x03\x01\0\5\x01\xff\xff\xff\xff" + bytes(500000))
    alert = ends_cleanly(stream)
    assert alert[:3] == b"\x15\x03\x03" and alert[5] == 2
    stream.close()
