"""The receive rate: a sender over its rate is read more slowly, and nothing is lost.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import time

from control import ask, counter, detourctl
from derp_client import Frame
from relay import EVERYTHING, wait_until, with_keys


def test_receive_rate_slows_a_sender_and_drops_nothing(make_relay):
    """First frame from the full bucket of 65568, then 60032 bytes at 100 KiB a second for each of three."""
    door = make_relay(with_keys(EVERYTHING, "limits", receive_rate="100K", receive_burst="64K")).door("tls")
    sender, receiver = door.client(), door.client()
    begin = time.monotonic()
    for n in range(4):
        sender.send_packet(receiver.key, bytes([n]) * 60000)
    for n in range(4):
        receiver.expect_packet(sender.key, bytes([n]) * 60000)
    assert time.monotonic() - begin >= (4 * 60032 - 65568) / 102400 * 0.9


def test_who_is_slowed_is_told_once(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", receive_rate="50K"))
    door = relay.door("tls")
    hasty, calm = door.client(), door.client()
    for n in range(5):
        hasty.send_packet(calm.key, bytes([n]) * 60000)
    for n in range(5):
        calm.expect_packet(hasty.key, bytes([n]) * 60000)
    assert counter(relay, "rate_waits") > 1
    lines = [line for line in relay.log.splitlines() if "event=client-slowed" in line]
    assert len(lines) == 1
    assert hasty.key.hex() in lines[0] and "receive-rate = 51200 bytes a second" in lines[0]
    rows = {row["key"]: row for row in ask(relay, "clients")["clients"]}
    assert rows["nodekey:" + hasty.key.hex()]["slowed"] == "receive-rate"
    assert "slowed" not in rows["nodekey:" + calm.key.hex()]
    assert "slowed by receive-rate" in detourctl(relay, "clients")[0]
    # Another connection of the same client is told of on its own.
    again = door.client(hasty.secret)
    for n in range(3):
        again.send_packet(calm.key, bytes([n]) * 60000)
    wait_until(lambda: relay.log.count("event=client-slowed") == 2, "the second connection is told of")


def test_others_are_not_slowed(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", receive_rate="10K"))
    door = relay.door("http")
    hasty, a, b = door.client(), door.client(), door.client()
    for _ in range(5):
        hasty.send_packet(b.key, bytes(60000))
    a.send_packet(b.key, b"unhindered")
    got = 0
    while True:
        data = b.expect(Frame.RECV_PACKET)
        if data[:32] == a.key:
            break
        got += 1
    assert got <= 2
    assert counter(relay, "rate_waits") > 0


def test_mesh_clients_have_no_rate(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", receive_rate="1K"))
    door = relay.door("tls")
    mesh, client = door.mesh_client(), door.client()
    for n in range(10):
        mesh.forward_packet(bytes([9]) * 32, client.key, bytes([n]) * 60000)
        client.expect_packet(bytes([9]) * 32, bytes([n]) * 60000)
    assert counter(relay, "rate_waits") == 0
    for _ in range(3):
        client.send_packet(client.key, bytes(60000))
    wait_until(lambda: counter(relay, "rate_waits") > 0, "a client without the mesh key is slowed")


def test_rate_file_is_read_again_on_hangup(make_relay):
    config = with_keys(EVERYTHING, "limits", rate_config_file="{dir}/rate.json")
    relay = make_relay(config, {"rate.json": '{"PerClientRateLimitBytesPerSec": 1000}'})
    door = relay.door("http")
    sender, receiver = door.client(), door.client()
    for n in range(3):
        sender.send_packet(receiver.key, bytes([n]) * 60000)
    receiver.expect_packet(sender.key, bytes([0]) * 60000)
    wait_until(lambda: counter(relay, "rate_waits") > 0, "the rate of the file is in force")
    relay.write_file("rate.json", '{"perclientratelimitbytespersec": 0}')
    relay.reload()
    for n in range(1, 3):
        receiver.expect_packet(sender.key, bytes([n]) * 60000)


def test_a_bad_rate_file_leaves_the_old_in_force(make_relay):
    config = with_keys(EVERYTHING, "limits", rate_config_file="{dir}/rate.json")
    relay = make_relay(config, {"rate.json": '{"PerClientRateLimitBytesPerSec": 20000}'})
    relay.write_file("rate.json", '{"PerClientRateLimitBytesPerSec": "none"}')
    relay.reload(config, "the configuration was not used")
    door = relay.door("http")
    sender, receiver = door.client(), door.client()
    begin = time.monotonic()
    for n in range(2):
        sender.send_packet(receiver.key, bytes([n]) * 60000)
    for n in range(2):
        receiver.expect_packet(sender.key, bytes([n]) * 60000)
    assert time.monotonic() - begin >= (2 * 60032 - 65568) / 20000 * 0.9
