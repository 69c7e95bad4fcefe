"""Links to the other servers of a region: made, lost, made again, and what an operator sees of them.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import re
import socket
import ssl

import nacl.public
import pytest

from acceptor import Acceptor
from certs import Certificate
from control import ask, detourctl
from derp_client import MAGIC, Frame, Stream, frame
from mesh import key_of, peers, pin_of, wait_peer, with_peer
from relay import EVERYTHING, SMALL, free_port, wait_until, with_keys, without_group
from test_events import monitor
from test_metrics import METRICS, scrape

OTHER_KEY = "6f746865" * 8


@pytest.fixture
def other(make_relay):
    return make_relay(EVERYTHING)


def logged_in(relay, key):
    """The connections that the relay has of that key."""
    return [client for client in ask(relay, "clients")["clients"] if client["key"] == key]


def test_a_link_is_made_and_shown(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    peer = wait_peer(relay, "b")
    assert peer["server_key"] == key_of(other)
    assert peer["host"] == peer["address"] == "127.0.0.1:%d" % other.address("tls-export")[1]
    assert peer["instance"] == "service/mesh"
    assert (peer["error"], peer["remedy"], peer["links"]) == ("", "", 1)
    # The other one has the connection, as one of the mesh.
    client, = logged_in(other, key_of(relay))
    assert client["mesh"]
    text = detourctl(relay, "peers")[0]
    assert text.splitlines()[1].split()[:2] == ["b", "up"] and "!" not in text
    assert "1 of 1 peers linked" in detourctl(relay, "plugins")[0].replace("\n", " ")
    # Without peers there is nothing to show.
    assert "dials no other server" in detourctl(other, "peers")[0]
    assert ask(other, "peers")["peers"] == []


def status_line(relay):
    """The line of `detourctl status` about the mesh; None: there is none."""
    return next((line.split(None, 1)[1] for line in detourctl(relay, "status")[0].splitlines() if line.split()[0] == "mesh"), None)


def test_the_mesh_in_the_status(make_relay, other):
    alone = make_relay(SMALL)
    assert status_line(alone) is None and ask(alone, "status")["mesh"] is None
    assert status_line(other) == "no peers are configured"
    config = with_keys(with_peer(EVERYTHING, "b", other), "peer c", host="127.0.0.1:%d" % free_port())
    relay = make_relay(config)
    wait_peer(relay, "b")
    # The relay itself is no peer that is missed.
    relay.reload(with_peer(config, "me", relay))
    wait_peer(relay, "me", "itself")
    client = other.door("tls-export").client()
    # And the one that its pin was read from.
    wait_until(lambda: ask(relay, "status")["mesh"] == {"peers": 2, "links_up": 1, "keys": 2}, f"{client.key.hex()} is known")
    assert status_line(relay) == "1 of 2 peers linked, 2 keys behind the links"
    other.stop()
    wait_until(lambda: status_line(relay) == "0 of 2 peers linked", "the link is down")
    detourctl(relay, "plugins", "disable", "service/mesh")
    assert status_line(relay) is None and ask(relay, "status")["mesh"] is None


def test_links_are_events(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")

    def links(of="b"):
        events = [event for event in map(json.loads, lines()) if event["event"] == "link" and event["text"].startswith(f"peer {of}: ")]
        assert all(event["source"] == "service/mesh" for event in events)
        return [event["text"].removeprefix(f"peer {of}: ") for event in events], events

    with monitor(relay, "--json") as lines, monitor(relay) as texts:
        other.stop()
        wait_until(lambda: links()[0] and peers(relay)["b"]["next_try"] and "refused" in peers(relay)["b"]["error"], "it is tried in vain", 90)
        other.start_once()
        wait_until(lambda: len(links()[0]) == 2, "it is up again", 90)
        (ended, up), events = links()
        assert ended.startswith("the link ended: ") and up == "the link is up"
        assert {event["key"] for event in events} == {key_of(other)}
        assert {event["address"] for event in events} == {peers(relay)["b"]["address"]}
        wait_until(lambda: any("link" in line.split() and line.endswith("peer b: the link is up") for line in texts()), "people read it")
        # A peer that never had a link, and one that is none any more.
        relay.reload(with_keys(EVERYTHING, "peer c", host="127.0.0.1:%d" % free_port()))
        wait_until(lambda: links("c")[0] == ["no link: Connection refused"], "it cannot be made")
        assert links()[0] == [ended, up, "the link ended: it is no peer any more"]
        relay.reload(with_peer(EVERYTHING, "b", other))
        wait_until(lambda: links()[0][3:] == ["the link is up"], "it is one again")
        detourctl(relay, "plugins", "disable", "service/mesh")
        wait_until(lambda: links()[0][4:] == ["the link ended: the instance was stopped"], "it is stopped")


def test_both_ways_and_three_of_them(make_relay):
    relays = {name: make_relay(EVERYTHING) for name in "abc"}
    configs = {}
    for name, relay in relays.items():
        configs[name] = EVERYTHING
        # The list is the same everywhere, with oneself in it.
        for peer, at in relays.items():
            configs[name] = with_peer(configs[name], peer, at)
    for name, relay in relays.items():
        relay.reload(configs[name])
    for name, relay in relays.items():
        for peer in relays:
            shown = wait_peer(relay, peer, "itself" if peer == name else "up")
            assert shown["server_key"] == key_of(relays[peer])
    assert "is this relay itself, and is not dialled any more" in relays["a"].log


def test_a_peer_that_restarts(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    first = wait_peer(relay, "b")
    other.stop()
    down = wait_until(lambda: (peer := peers(relay)["b"])["error"] and peer["state"] != "up" and peer, "the link is down")
    assert down["next_try"] or down["state"] == "connecting"
    text = detourctl(relay, "peers")[0]
    assert "! b: " in text
    relay.wait_log(r"\[peer b\] the link to .* ended: ")
    relay.wait_log(r"\[peer b\] no link to .*: Connection refused: check that the relay there runs, and its port")
    other.start_once()
    again = wait_peer(relay, "b")
    assert (again["links"], again["error"]) == (first["links"] + 1, "")


def test_a_peer_that_comes_later(make_relay):
    later = make_relay(EVERYTHING, start=False)
    later.start()
    pin = pin_of(later)
    later.stop()
    config = with_keys(EVERYTHING, "peer b", host="127.0.0.1:%d" % later.address("tls-export")[1], pin=pin)
    relay = make_relay(config)
    wait_peer(relay, "b", "waiting")
    later.start_once()
    wait_peer(relay, "b")


def test_a_certificate_of_a_ca_of_its_own(make_relay, tmp_path):
    """`ca-file` is what the certificate of the peer must lead to; the system's CAs are not asked."""
    own, strange = (Certificate(name, authority=True) for name in ("own", "strange"))
    certificate = Certificate("b.test", issuer=own)
    for name, text in {"cert.pem": certificate.pem, "key.pem": certificate.key_pem, "own.pem": own.pem, "strange.pem": strange.pem}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "key.pem").chmod(0o600)
    other = make_relay(with_keys(without_group(EVERYTHING, "cert main"), "cert main", plugin="file", chain_file=tmp_path / "cert.pem",
                                 key_file=tmp_path / "key.pem"))
    at = {"pin": None, "host": "b.test", "address": "127.0.0.1:%d" % other.address("tls-export")[1]}
    relay = make_relay(with_peer(EVERYTHING, "b", other, **at, ca_file=tmp_path / "strange.pem"))
    peer = wait_peer(relay, "b", "waiting")
    peer = wait_until(lambda: (peer := peers(relay)["b"])["error"] and peer, "it was tried")
    assert "ertificate" in peer["error"] and "`ca-file` of the peer" in peer["remedy"]
    assert logged_in(other, key_of(relay)) == []
    relay.reload(with_peer(EVERYTHING, "b", other, **at, ca_file=tmp_path / "own.pem"))
    assert wait_peer(relay, "b")["server_key"] == key_of(other)
    # The right CA, and another name than the one that is wanted.
    relay.reload(with_peer(EVERYTHING, "b", other, **at | {"host": "c.test"}, ca_file=tmp_path / "own.pem"))
    peer = wait_until(lambda: (peer := peers(relay)["b"])["error"] and peer, "it was tried")
    assert "ertificate" in peer["error"] and "`host`" in peer["remedy"]
    wait_until(lambda: not logged_in(other, key_of(relay)), "the link is gone")


def test_a_ban_of_the_network_of_a_peer(make_relay, other):
    """Nobody comes in from there, of the mesh or not. A link that this relay made is its own, and stays."""
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    other.reload(with_peer(EVERYTHING, "a", relay))
    wait_peer(relay, "b")
    wait_peer(other, "a")
    number = logged_in(other, key_of(relay))[0]["connection"]
    said = detourctl(relay, "ban", "127.0.0.1")[0]
    assert "! [peer b] at 127.0.0.1 is in 127.0.0.1: nothing that it sends comes here while that is banned" in said
    relay.wait_log(rf"the ban of a network closes a connection with the mesh key, from 127.0.0.1:\d+: .* \({key_of(other)}\)")
    assert "ended" in wait_until(lambda: (peer := peers(other)["a"])["state"] != "up" and peer["error"] and other.log, "it is turned away")
    wait_until(lambda: not logged_in(relay, key_of(other)), "its connection is gone")
    assert peers(relay)["b"]["state"] == "up" and peers(relay)["b"]["links"] == 1
    assert logged_in(other, key_of(relay))[0]["connection"] == number
    detourctl(relay, "unban", "127.0.0.1")
    wait_peer(other, "a")


def test_another_certificate_than_the_pinned_one(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other, pin="sha256-raw:" + "00" * 32))
    peer = wait_peer(relay, "b", "waiting")
    assert "ertificate" in peer["error"]
    assert "`host`, `pin` and `ca-file`" in peer["remedy"]
    assert logged_in(other, key_of(relay)) == []
    # Two pins: one of them is right, as while a certificate is changed.
    relay.reload(with_peer(EVERYTHING, "b", other, pin="sha256-raw:" + "00" * 32 + ";" + pin_of(other)))
    wait_peer(relay, "b")


def test_a_certificate_that_nobody_vouches_for(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other, pin=None))
    peer = wait_peer(relay, "b", "waiting")
    assert "ertificate" in peer["error"] and "pin" in peer["remedy"]
    # It is said in one line, whose sentences end once.
    assert ".;" not in detourctl(relay, "peers")[0]


def test_a_name_that_has_no_address(make_relay, other):
    relay = make_relay(with_keys(EVERYTHING, "peer b", host="b.invalid"))
    peer = wait_peer(relay, "b", "waiting")
    assert peer["error"] and peer["address"] == "" and "`address`" in peer["remedy"]
    # The name stays in use, and the address is told.
    port = other.address("tls-export")[1]
    relay.reload(with_peer(EVERYTHING, "b", other, host="b.invalid", address=f"127.0.0.1:{port}"))
    assert wait_peer(relay, "b")["host"] == "b.invalid:443"


def test_no_transport_that_dials(make_relay):
    config = with_keys(SMALL, "service mesh", key_file="{dir}/mesh.key")
    relay = make_relay(with_keys(config, "peer b", host="127.0.0.1:%d" % free_port()))
    peer = wait_until(lambda: (peer := peers(relay)["b"])["error"] and peer, "it was tried")
    assert "can dial" in peer["error"] and "plugin=tls has to run here" in peer["remedy"]


def test_silence(make_relay, other):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        relay = make_relay(with_peer(EVERYTHING, "b", other, host=f"127.0.0.1:{port}"))
        relay.wait_log(r"\[peer b\] no link to .*does not answer in time: check that the host runs", timeout=60)
        # The relay itself goes on meanwhile.
        relay.door("tls-export").client()


def test_peers_come_go_and_change_by_a_reload(make_relay, other):
    third = make_relay(EVERYTHING)
    config = with_peer(EVERYTHING, "b", other)
    relay = make_relay(config)
    kept = wait_peer(relay, "b")
    number = logged_in(other, key_of(relay))[0]["connection"]
    relay.reload(with_peer(config, "c", third))
    wait_peer(relay, "c")
    assert peers(relay)["b"] == kept | {"since": peers(relay)["b"]["since"]}
    # Another port for c, where nobody is; b's connection is still the same one.
    relay.reload(with_peer(config, "c", third, host="127.0.0.1:%d" % free_port()))
    wait_peer(relay, "c", "waiting")
    wait_until(lambda: not logged_in(third, key_of(relay)), "the old link is gone")
    relay.reload(config)
    assert list(peers(relay)) == ["b"]
    assert [client["connection"] for client in logged_in(other, key_of(relay))] == [number]
    # Without a mesh there are no peers, and no links.
    relay.reload(EVERYTHING)
    assert peers(relay) == {}
    wait_until(lambda: not logged_in(other, key_of(relay)), "the link is gone")


def test_stop_and_disable(make_relay, other):
    config = with_peer(EVERYTHING, "b", other)
    relay = make_relay(config)
    wait_peer(relay, "b")
    detourctl(relay, "plugins", "disable", "service/mesh")
    assert peers(relay) == {}
    wait_until(lambda: not logged_in(other, key_of(relay)), "the link is gone")
    detourctl(relay, "plugins", "enable", "service/mesh")
    wait_peer(relay, "b")
    key = key_of(relay)
    relay.stop()
    wait_until(lambda: not logged_in(other, key), "the link is gone")


@pytest.mark.parametrize("group, keys, error", [
    ("peer b", {"port": "8443"}, r"\[peer b\] host: not set, but needed: name of the server in its certificate"),
    ("peer b", {"host": "b:c"}, r'\[peer b\] host: "b:c" is neither a name nor an address'),
    ("peer b", {"host": "b:8443", "port": "8443"}, r"\[peer b\] port: `host` has port 8443 already; write it once"),
    ("peer b", {"host": "b", "address": "[::1"}, r'\[peer b\] address: "\[::1" is neither a name nor an address'),
    ("peer b", {"host": "b", "pin": "sha256:00"}, r'\[peer b\] pin: "sha256:00" is no pin; write sha256-raw: and the 64'),
    ("peer b", {"host": "b", "pin": "nodekey:" + "0" * 63}, r"is no pin; .* or nodekey: and the 64"),
    ("peer b", {"host": "b", "pin": "nodekey:" + "0" * 64 + ";nodekey:" + "1" * 64}, r"pin: there are two keys"),
    ("peer b", {"host": "b", "ca-file": "/nowhere.pem"}, r"\[peer b\] ca-file: .*nowhere.pem: cannot be read: No such file or directory"),
    ("peer b", {"host": "b", "ca-file": "/etc/passwd"}, r"\[peer b\] ca-file: /etc/passwd holds no certificate in PEM"),
    ("peer b", {"host": "b", "hots": "b"}, r'\[peer b\] hots: no such key; did you mean "host"\?'),
    ("peer", {"host": "b"}, r"\[peer\]: a peer is called \[peer NAME\]"),
])
def test_a_group_that_cannot_be(make_relay, group, keys, error):
    relay = make_relay(EVERYTHING)
    text = relay.reload(with_keys(EVERYTHING, group, **keys), "the configuration was not used")
    assert re.search(error, text), text


def test_peers_that_nobody_dials(make_relay):
    config = EVERYTHING.replace("[service mesh]", "[peer b]\nhost = b").replace("key-file = {dir}/mesh.key\n", "")
    relay = make_relay(EVERYTHING)
    assert "[peer b]: nobody dials peers here; there has to be a group [service mesh]" in relay.reload(
        config, "the configuration was not used")
    # Twice the same server.
    twins = with_keys(with_keys(EVERYTHING, "peer b", host="b.test"), "peer c", host="B.test", port="443")
    assert "[peer c] host: [peer b] is the same server" in relay.reload(twins, "the configuration was not used")


def test_peers_in_the_dump_and_explained(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")
    dump = detourctl(relay, "config", "dump")[0]
    assert "[peer b]" in dump and f"pin = {pin_of(other)}" in dump and "#ca-file is not set" in dump
    assert "name of the server in its certificate" in detourctl(relay, "config", "explain", "peer b.host")[0].replace("\n", " ")


def test_packets_go_over_the_links(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    other.reload(with_peer(EVERYTHING, "a", relay))
    wait_peer(relay, "b")
    wait_peer(other, "a")
    here, there = relay.door("tls-export").client(), other.door("tls-export").client()
    # Each has told of the connection that its pin was read from, too.
    wait_until(lambda: peers(relay)["b"]["keys"] == 2 and peers(other)["a"]["keys"] == 2, "both know of the other's client")
    here.send_packet(there.key, b"over there")
    there.expect_packet(here.key, b"over there")
    there.send_packet(here.key, b"and back")
    here.expect_packet(there.key, b"and back")
    peer = wait_until(lambda: (peer := peers(relay)["b"])["packets_sent"] == 1 and peer, "it is counted")
    assert peer["accepted"] and peer["links_back"] and peer["bytes_sent"] >= len(b"over there")
    assert peer["drops"] == {"gone": 0, "queue": 0, "write": 0}
    # What came is what the other one sent.
    assert (peer["packets_received"], peer["bytes_received"]) == (1, len(b"and back"))
    assert detourctl(relay, "peers")[0].splitlines()[1].split()[-6:-1] == ["2", "1", "1", "0", "yes"]


def rows(relay, peer):
    """Numbers of the links to that peer: name, or name and reason, -> value."""
    found = {}
    for series, value in scrape(relay).items():
        if (row := re.fullmatch(r'detour_(mesh_links?_\w+)\{(.*)\}', series)) and f'peer="{peer}"' in row[2]:
            assert 'plugin_instance="service/mesh"' in row[2]
            reason = re.search(r'reason="(\w+)"', row[2])
            found[row[1] + (f" {reason[1]}" if reason else "")] = int(value)
    return found


def test_numbers_of_each_peer(make_relay, other):
    config = with_keys(with_peer(METRICS, "b", other), "peer c", host="127.0.0.1:%d" % free_port())
    relay = make_relay(config)
    names = {"mesh_link_up", "mesh_link_keys", "mesh_links_made_total", "mesh_link_packets_total", "mesh_link_bytes_total",
             "mesh_link_packets_received_total", "mesh_link_received_bytes_total",
             *(f"mesh_link_packets_dropped_total {reason}" for reason in ("gone", "queue", "write"))}
    # All are there for one that never had a link.
    wait_peer(relay, "c", "waiting")
    assert rows(relay, "c") == dict.fromkeys(names, 0)
    wait_peer(relay, "b")
    here, there = relay.door("tls-export").client(), other.door("tls-export").client()
    # The one that the pin was read from, and that one.
    wait_until(lambda: rows(relay, "b")["mesh_link_keys"] == 2, "it is known there")
    for packet in (b"one", b"three"):
        here.send_packet(there.key, packet)
        there.expect_packet(here.key, packet)
    bytes_sent = wait_until(lambda: (peer := peers(relay)["b"])["packets_sent"] == 2 and peer["bytes_sent"], "they are counted")
    good = dict.fromkeys(names, 0) | {"mesh_link_up": 1, "mesh_link_keys": 2, "mesh_links_made_total": 1,
                                      "mesh_link_packets_total": 2, "mesh_link_bytes_total": bytes_sent}
    wait_until(lambda: rows(relay, "b") == good, "all are there")
    # A link that ends takes no sums along, and neither does the next one.
    other.stop()
    wait_until(lambda: rows(relay, "b") == good | {"mesh_link_up": 0, "mesh_link_keys": 0}, "the link is down", 90)
    other.start_once()
    wait_until(lambda: (now := rows(relay, "b"))["mesh_link_up"] == 1 and now["mesh_links_made_total"] == 2, "it is up again", 90)
    assert rows(relay, "b")["mesh_link_packets_total"] == 2
    # What is not configured any more has no rows, nor has the relay itself.
    relay.reload(with_peer(METRICS, "me", relay))
    wait_peer(relay, "me", "itself")
    wait_until(lambda: not any(rows(relay, name) for name in ("b", "c", "me")), "no rows are left")


def test_what_a_peer_sent_stays_counted(make_relay):
    other, relay = make_relay(METRICS), make_relay(METRICS)
    relay.reload(with_peer(METRICS, "b", other))
    wait_peer(relay, "b")

    def received():
        found = rows(relay, "b")
        return found["mesh_link_packets_received_total"], found["mesh_link_received_bytes_total"]

    def send(n):
        wait_until(lambda: peers(other)["a"]["keys"] >= 1 and peers(relay)["b"]["links_back"], "the client is known there", 90)
        for _ in range(n):
            there.send_packet(here.key, b"four")
            here.expect_packet(there.key, b"four")

    config = with_peer(METRICS, "a", relay)
    here, there = relay.door("tls-export").client(), other.door("tls-export").client()
    # Three links of the other one, one after the other.
    for n in range(1, 4):
        other.reload(config)
        wait_peer(other, "a")
        send(n)
        sums = n * (n + 1) // 2
        wait_until(lambda: received() == (sums, sums * 4), "they are counted")
        assert peers(relay)["b"]["packets_received"] == n
        other.reload(METRICS)
        wait_until(lambda: not peers(relay)["b"]["links_back"], "its link is gone")
        assert received() == (sums, sums * 4) and peers(relay)["b"]["packets_received"] == 0
        assert detourctl(relay, "peers")[0].splitlines()[1].split()[-4] == "-"


def test_another_mesh_key(make_relay):
    other = make_relay(EVERYTHING, files={"mesh.key": OTHER_KEY + "\n"})
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    peer = wait_peer(relay, "b", "refused")
    assert "right behind the login" in peer["error"] and "mesh key there is the same as here" in peer["remedy"]
    assert not peer["accepted"]
    # The other one gets the right key; what it lets in from then on is of the mesh.
    relay.wait_log(r"\[peer b\] no link to .*check that the mesh key there is the same")
    assert "! service/mesh: no link to b (it ended the link" in (text := " ".join(detourctl(relay, "status")[0].split()))
    assert "): check that the mesh key there is the same as here" in text
    other.write_file("mesh.key", "6d657368" * 8 + "\n")
    other.reload()
    assert wait_until(lambda: (peer := peers(relay)["b"])["state"] == "up" and peer["accepted"] and peer, "it is accepted", 90)


def test_a_peer_that_sends_what_is_no_frame(make_relay, tmp_path):
    """This relay ends such a link, and does not say that the peer did, over the mesh key."""
    own = Certificate("b.test", authority=True)
    (tmp_path / "ca.pem").write_text(own.pem)
    (tmp_path / "own.pem").write_text(own.pem + own.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    key = nacl.public.PrivateKey.generate()

    def serve(connection):
        stream = Stream(context.wrap_socket(connection, server_side=True))
        stream.read_until(b"\r\n\r\n")
        stream.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(Frame.SERVER_KEY, MAGIC + bytes(key.public_key)))
        login = stream.read(int.from_bytes(stream.read(5)[1:], "big"))
        box = nacl.public.Box(key, nacl.public.PublicKey(bytes(login[:32])))
        stream.write(frame(Frame.SERVER_INFO, bytes(box.encrypt(b"{}"))) + frame(Frame.PEER_PRESENT, bytes(31)))
        stream.expect_closed()
        stream.close()

    listener = socket.create_server(("127.0.0.1", 0))
    with contextlib.closing(Acceptor(listener, serve)):
        relay = make_relay(with_keys(EVERYTHING, "peer b", host="b.test", ca_file=tmp_path / "ca.pem",
                                     address="127.0.0.1:%d" % listener.getsockname()[1]))
        peer = wait_until(lambda: (peer := peers(relay)["b"])["error"] and peer, "the link ended", 90)
    assert peer["error"] == "a frame had a wrong length" and not peer["remedy"] and peer["state"] == "waiting"


def test_a_peer_that_changes_its_mesh_key(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b")
    other.write_file("mesh.key", OTHER_KEY + "\n")
    other.reload()
    wait_peer(relay, "b", "refused")
    for command in ("status", "peers"):
        text = " ".join(detourctl(relay, command)[0].split())
        assert "! " in text and "check that the mesh key there is the same as here" in text, text
    # Two that need different things are not told what helps one of them.
    config = with_keys(with_peer(EVERYTHING, "b", other), "peer c", host="127.0.0.1:%d" % free_port())
    relay.reload(config)
    wait_until(lambda: "what helps is in \"detourctl peers\"" in " ".join(detourctl(relay, "status")[0].split()), "both are told", 90)


def test_a_pinned_server_key(make_relay, other):
    wrong = with_peer(EVERYTHING, "b", other, pin=pin_of(other) + ";nodekey:" + "5a" * 32)
    relay = make_relay(wrong)
    peer = wait_peer(relay, "b", "waiting")
    assert "another key than the one that is pinned" in peer["error"] and "write its new key" in peer["remedy"]
    assert logged_in(other, key_of(relay)) == []
    relay.reload(with_peer(EVERYTHING, "b", other, pin=pin_of(other) + ";" + key_of(other)))
    wait_peer(relay, "b")
