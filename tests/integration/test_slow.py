"""Receivers that do not read: others do not notice, and what they get stays whole.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import ssl
import struct
import time

import nacl.utils
import pytest

from control import ask
from derp_client import PACKET_MAX, PATIENCE, Frame, Timeout, disco, frame
from relay import EVERYTHING, TRANSPORTS, with_keys

PATIENT = with_keys(EVERYTHING, "limits", write_timeout="10m")


@pytest.fixture(params=TRANSPORTS)
def stuck(make_relay, request):
    """A relay that waits long for its readers, and a client that does not read."""
    door = make_relay(PATIENT).door(request.param)
    return door, door.client(stream=door.stream(receive_buffer=4096))


def flood(sender, target, count, size=PACKET_MAX, between=lambda: None):
    """Numbered packets, more than any buffer on the way holds."""
    for n in range(count):
        sender.send_packet(target.key, struct.pack(">I", n) + b"f" * (size - 4))
        if n % 20 == 0:
            between()


def test_others_are_served_while_one_does_not_read(stuck):
    door, slow = stuck
    sender, a, b = door.client(), door.client(), door.client()

    def round_trip():
        packet = nacl.utils.random(2000)
        a.send_packet(b.key, packet)
        b.expect_packet(a.key, packet)
        b.send_packet(a.key, packet)
        a.expect_packet(b.key, packet)
        sender.ping(packet[:8])

    flood(sender, slow, 400, between=round_trip)
    round_trip()


def test_a_reader_that_comes_back_finds_a_whole_stream(stuck):
    """Numbers rise, the newest is there, and what is missing was dropped and not cut."""
    door, slow = stuck
    sender = door.client()
    count = 400
    flood(sender, slow, count)
    sender.ping(b"all sent")
    numbers = []
    while not numbers or numbers[-1] != count - 1:
        data = slow.expect(Frame.RECV_PACKET)
        assert data[:32] == sender.key
        assert len(data) == 32 + PACKET_MAX
        assert data[36:] == b"f" * (PACKET_MAX - 4)
        numbers.append(struct.unpack(">I", data[32:36])[0])
    assert numbers == sorted(set(numbers))
    assert len(numbers) < count
    slow.ping(b"all fine")
    slow.send_packet(sender.key, b"thank you")
    sender.expect_packet(slow.key, b"thank you")


def test_every_packet_is_delivered_or_counted(stuck):
    """Packets received and packets counted as dropped add up to those sent; the queue stays within its bound."""
    door, slow = stuck
    sender = door.client()
    count = 600
    flood(sender, slow, count)
    sender.ping(b"all sent")

    def row():
        return {row["key"]: row for row in ask(door.server, "clients")["clients"]}[f"nodekey:{slow.key.hex()}"]
    full = row()
    assert full["blocked"] and full["packets_dropped"] > 0
    assert full["waiting_bytes"] <= 40 * PACKET_MAX
    received = 0
    while True:
        data = slow.expect(Frame.RECV_PACKET)
        received += 1
        if data[32:36] == struct.pack(">I", count - 1):
            break
    slow.ping(b"all read")
    assert received + row()["packets_dropped"] == count
    assert row()["packets_sent"] == received and not row()["blocked"]


def test_small_packets_are_dropped_whole_too(stuck):
    door, slow = stuck
    sender = door.client()
    count = 30000
    data = b"".join(frame(Frame.SEND_PACKET, slow.key + struct.pack(">I", n) + b"s" * 996) for n in range(count))
    sender.stream.write(data)
    sender.ping(b"all sent")
    numbers = []
    while not numbers or numbers[-1] != count - 1:
        payload = slow.expect(Frame.RECV_PACKET)
        assert payload[36:] == b"s" * 996
        numbers.append(struct.unpack(">I", payload[32:36])[0])
    assert numbers == sorted(set(numbers))
    assert len(numbers) < count


def test_bulk_data_does_not_push_out_disco(stuck):
    door, slow = stuck
    sender = door.client()
    flood(sender, slow, 300)
    sender.send_packet(slow.key, disco(100))
    flood(sender, slow, 100)
    sender.ping(b"all sent")
    seen = False
    while True:
        data = slow.expect(Frame.RECV_PACKET)[32:]
        seen = seen or data == disco(100)
        if data[:4] == struct.pack(">I", 99) and seen:
            return


def test_senders_from_many_sides_to_one_that_does_not_read(stuck):
    door, slow = stuck
    senders = [door.client() for _ in range(8)]
    for _ in range(30):
        for sender in senders:
            sender.send_packet(slow.key, bytes(PACKET_MAX))
    for sender in senders:
        sender.ping(b"still ok")
    for sender in senders:
        sender.close()
    while slow.recv()[0] != Frame.PEER_GONE:
        pass


def test_who_asks_and_does_not_read_the_answers(stuck):
    """Pings, packets to oneself and unknown keys, none of it read for a while."""
    _, slow = stuck
    for n in range(300):
        slow.stream.write(frame(Frame.PING, struct.pack(">Q", n)) * 10 +
                          frame(Frame.SEND_PACKET, slow.key + bytes(20000)) +
                          frame(Frame.SEND_PACKET, nacl.utils.random(32) + disco()))
    mark = nacl.utils.random(16)
    slow.send_packet(slow.key, mark)
    for kind, payload in slow.frames_until(slow.key, mark):
        assert kind in (Frame.PONG, Frame.PEER_GONE) or payload == slow.key + bytes(20000)
    slow.ping(b"all fine")


def test_leaving_with_a_full_queue(stuck):
    door, slow = stuck
    sender = door.client()
    slow.send_packet(sender.key, b"hello")
    sender.expect_packet(slow.key, b"hello")
    flood(sender, slow, 200)
    slow.abort()
    sender.expect_gone(slow.key, 0)


# ---- the write timeout

@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_takes_nothing_is_closed(make_relay, transport):
    door = make_relay(with_keys(EVERYTHING, "limits", write_timeout="1s")).door(transport)
    slow, sender = door.client(stream=door.stream(receive_buffer=4096)), door.client()
    slow.send_packet(sender.key, b"hello")
    sender.expect_packet(slow.key, b"hello")
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        sender.send_packet(slow.key, bytes(PACKET_MAX))
        try:
            sender.expect_gone(slow.key, 0, timeout=0.02)
        except Timeout:
            continue
        slow.stream.read_to_end()
        return
    raise AssertionError("a client that takes nothing is not closed")


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_who_reads_slowly_stays(make_relay, transport):
    """Steady small sips through three times the write timeout."""
    door = make_relay(with_keys(EVERYTHING, "limits", write_timeout="1500ms")).door(transport)
    slow, sender = door.client(stream=door.stream(receive_buffer=4096)), door.client()
    for _ in range(30):
        sender.stream.write(frame(Frame.SEND_PACKET, slow.key + bytes(1000)) * 100)
    end = time.monotonic() + 4.5
    while time.monotonic() < end:
        sender.stream.write(frame(Frame.SEND_PACKET, slow.key + bytes(1000)) * 30)
        slow.stream.fill(time.monotonic() + PATIENCE, 3000)
        time.sleep(0.02)
    mark = nacl.utils.random(16)
    sender.send_packet(slow.key, mark)
    slow.frames_until(sender.key, mark)
    slow.ping(b"all fine")


def test_who_reads_a_record_at_a_time_stays(make_relay):
    """A TLS library takes a whole record, and an application of 4 KB/s is busy with it for 4 s."""
    door = make_relay(with_keys(EVERYTHING, "limits", write_timeout="500ms")).door("tls-export")
    slow, sender = door.client(stream=door.stream(receive_buffer=4096, segment=ETHERNET)), door.client()
    for _ in range(3):
        sender.stream.write(frame(Frame.SEND_PACKET, slow.key + bytes(1200)) * 60)
        slow.stream.fill(time.monotonic() + PATIENCE, 16384)
        time.sleep(4)
    mark = nacl.utils.random(16)
    sender.send_packet(slow.key, mark)
    slow.frames_until(sender.key, mark)
    slow.ping(b"all fine")


SLOW_RATES = (4, 16, 32, 64, 128)  # KB a second
ETHERNET = 1448  # bytes of a segment; on loopback they are so long that a slow reader makes room for one only now and then
SLOW_BUFFERS = (4096, 65536, None)  # bytes that the reader's own system takes; None: its default


@pytest.mark.parametrize("transport", ["http", "tls-export"])
def test_who_takes_anything_is_kept(make_relay, transport):
    """Readers of many rates, flooded for six times the write timeout, which is the default: nobody is closed, whatever each
    system buffers.

    A minute each: DETOUR_TEST_SLOW_SECONDS=60.
    """
    seconds = float(os.environ.get("DETOUR_TEST_SLOW_SECONDS", "12"))
    door = make_relay(EVERYTHING).door(transport)
    sender = door.client()
    readers = [(rate, buffer, door.client(stream=door.stream(receive_buffer=buffer, segment=ETHERNET)))
               for rate in SLOW_RATES for buffer in SLOW_BUFFERS]
    began = time.monotonic()
    taken = {reader: 0 for _, _, reader in readers}
    while (now := time.monotonic()) < began + seconds:
        for _, _, reader in readers:
            sender.stream.write(frame(Frame.SEND_PACKET, reader.key + bytes(1200)) * 20)
        for rate, buffer, reader in readers:
            due = int(rate * 1024 * (now - began)) - taken[reader]
            if due > 0:
                reader.stream.sock.settimeout(0.05)
                try:
                    got = len(reader.stream.sock.recv(due))
                except (TimeoutError, ssl.SSLWantReadError):
                    continue
                except OSError as error:
                    got = f"it was reset: {error}"
                assert got, f"closed after {now - began:.1f} s: {rate} KB/s, buffer {buffer}"
                taken[reader] += got
    assert "took nothing" not in door.server.log
