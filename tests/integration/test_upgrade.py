"""Upgrades in place: another program in the same process, and no client notices.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import re
import socket
import ssl
import struct
import subprocess

import pytest

from control import ask, counter, detourctl
from derp_client import PATIENCE, Frame, Timeout
from relay import BUILD, EVERYTHING, wait_until, with_keys
from test_refused import friends_only, held_row, new_key, text_of, waiting
from test_websocket import joined
from upgrading import PATIENT, Quiet, end_all, relay_goes_on, talk_all_ways
from websocket import Op, frame

@pytest.mark.parametrize("workers", [1, 3])
def test_nobody_notices(upgraded, workers):
    """Three upgrades while clients of all ways in send: none loses, doubles or changes a packet."""
    relay = upgraded(with_keys(PATIENT, "core", workers=workers))
    doors = [relay.door(way) for way in ("tls-export", "http", "tls", "http", "tls")]
    clients = [door.client() for door in doors]
    talks = talk_all_ways(clients)
    pid = relay.process.pid
    for _ in range(3):
        before = [talk.n_got for talk in talks]
        relay.upgrade(kept=len(clients))
        relay_goes_on(talks, before)
    end_all(talks)
    assert relay.process.pid == pid
    # Those who come later meet those who were there.
    late = doors[0].client()
    late.send_packet(clients[1].key, b"hello")
    clients[1].expect_packet(late.key, b"hello")


def test_two_connections_of_many_keys_go_along(upgraded):
    """The one that had the packets has them again."""
    relay = upgraded(with_keys(PATIENT, "core", workers=2))
    door = relay.door()
    pairs = []
    for _ in range(100):
        first = door.client()
        pairs.append((first, door.client(first.secret)))
    sender = door.client()
    for _ in range(2):
        relay.upgrade(kept=201)
        for first, second in pairs:
            sender.send_packet(second.key, b"for the one that came last")
            second.expect_packet(sender.key, b"for the one that came last")
        sender.send_packet(sender.key, b"fence")
        sender.expect_packet(sender.key, b"fence")
    for first, _ in pairs:
        first.stream.expect_open_and_silent(0.001)


def test_another_number_of_workers(upgraded):
    """What one worker watched several do, and back; everyone is heard, and nobody is watched in vain."""
    relay = upgraded(with_keys(PATIENT, "core", workers=1))
    talks = talk_all_ways([relay.door(way).client() for way in ("tls-export", "http", "tls")])
    watches = {1: relay.descriptors().count("anon_inode:[eventpoll]")}
    for workers in (3, 3, 2, 1, 1):
        relay.write_config(with_keys(relay.config, "core", workers=workers))
        before = [talk.n_got for talk in talks]
        relay.upgrade(kept=len(talks))
        relay_goes_on(talks, before)
        n_watches = relay.descriptors().count("anon_inode:[eventpoll]")
        assert n_watches == watches.setdefault(workers, n_watches)
    assert watches[3] == watches[1] + 2
    end_all(talks)


def test_websockets_go_along(upgraded):
    """Three upgrades while WebSockets over TLS and without talk to each other, and to a client without one."""
    relay = upgraded(with_keys(PATIENT, "transport websocket"))
    doors = [relay.door(way) for way in ("tls-export", "http", "tls", "http")]
    clients = [joined(door) for door in doors] + [doors[0].client()]
    talks = talk_all_ways(clients)
    for _ in range(3):
        before = [talk.n_got for talk in talks]
        relay.upgrade(kept=len(clients))
        relay_goes_on(talks, before)
    end_all(talks)


@pytest.mark.parametrize("way", ["tls-export", "http"])
def test_a_websocket_frame_in_pieces(upgraded, way):
    """A frame, of which every upgrade sees another piece, with a mask that began in the first; then a ping and the end."""
    relay = upgraded(with_keys(PATIENT, "transport websocket"))
    client, other = joined(relay.door(way)), relay.door("http").client()
    packet = bytes(n % 251 for n in range(3000))
    mask = b"\x81\x42\x24\x18"
    message = frame(Op.BINARY, struct.pack(">BI", Frame.SEND_PACKET, 32 + len(packet)) + other.key + packet, mask=mask)
    begin = 0
    for end in (3, 1001, 2006, len(message)):
        client.stream.stream.write(message[begin:end])
        begin = end
        if end < len(message):
            wait_until_read(client)
            relay.upgrade(kept=2)
    other.expect_packet(client.key, packet)
    other.send_packet(client.key, packet)
    client.expect_packet(other.key, packet)
    client.stream.stream.write(frame(Op.PING, b"still there"))
    client.stream.expect_pong(b"still there")
    client.stream.stream.write(frame(Op.CLOSE, struct.pack(">H", 1000)))
    client.stream.expect_code(1000)


def wait_until_read(client):
    """The relay has acknowledged, and does not keep in its socket, what the client wrote."""
    local, remote = client.stream.sock.getsockname(), client.stream.sock.getpeername()

    def waiting():
        names = [f"{int.from_bytes(bytes(map(int, host.split('.'))), 'little'):08X}:{port:04X}" for host, port in (remote, local)]
        with open("/proc/net/tcp", encoding="ascii") as table:
            return next(line.split()[4].split(":")[1] for line in table if line.split()[1:3] == names)
    wait_until(lambda: int(waiting(), 16) == 0, "the relay to read what was written")


def test_the_operator_hears_how_it_went(upgraded):
    relay = upgraded()
    kept = [relay.door(way).client() for way in ("tls", "http")]
    old = relay.door("tls12").client()
    assert relay.ask("--check") == "could upgrade to 0.1.0: 2 clients would be kept, 1 asked to reconnect (TLS 1.2)\n"
    kept[0].send_packet(old.key, b"still here")
    old.expect_packet(kept[0].key, b"still here")
    said = relay.ask()
    assert re.fullmatch(r"upgraded to 0\.1\.0: 2 clients kept, 1 asked to reconnect \(TLS 1\.2\), paused for [\d,]+ ms\n", said), said
    # Who cannot go along is closed within some seconds, without a word; the others go on.
    with contextlib.suppress(OSError):
        old.stream.read_to_end(30)
    kept[0].send_packet(kept[1].key, b"and here")
    kept[1].expect_packet(kept[0].key, b"and here")
    again = json.loads(relay.ask("--json"))
    assert (again["upgraded"], again["kept"], again["lost"]) == (True, 2, 0)
    assert again["from"] == again["to"] == "0.1.0"


def half_done(relay):
    """A TLS connection whose server has spoken, and whose client has not finished."""
    sock = socket.create_connection(relay.address("tls"), timeout=PATIENCE)
    outgoing = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="relay.test")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    sock.sendall(outgoing.read())
    assert sock.recv(1)
    return sock


def test_handshakes_that_are_half_done_are_closed_and_counted(upgraded):
    """Beside a client that goes along, and not a second time by the next upgrade."""
    relay = upgraded(with_keys(EVERYTHING, "limits", handshake_timeout="5m"))
    client = relay.door("tls").client()
    late = [half_done(relay) for _ in range(3)]
    relay.upgrade(kept=1)
    told = "connections that had not logged in before the upgrade, and are closed: "
    relay.wait_log(f"{told}3")
    for sock in late:
        with contextlib.closing(sock), contextlib.suppress(ConnectionResetError):
            while sock.recv(65536):
                pass
    relay.upgrade(kept=1)
    assert relay.log.count(told) == 1
    client.ping(b"12345678")


def test_connections_that_said_nothing_go_along(upgraded):
    """Over two upgrades, one behind the other, and log in afterwards; each was accepted once."""
    relay = upgraded(with_keys(EVERYTHING, "limits", handshake_timeout="5m"))
    ways = ["tls", "tls-gnutls", "http"]
    quiet = Quiet(relay, ways)
    for _ in range(2):
        relay.upgrade(kept=0)
        assert counter(relay, "connections_accepted") == len(ways)
    quiet.log_in(relay)
    relay.upgrade(kept=2, lost=1)
    assert "connections that had not logged in" not in relay.log


def test_a_connection_that_said_nothing_ends_with_its_listener(upgraded):
    """When the new program does not listen there any more, it is closed and counted."""
    relay = upgraded(with_keys(EVERYTHING, "limits", handshake_timeout="5m"))
    quiet = Quiet(relay, ["http", "tls-export"])
    relay.config_file.write_text(with_keys(relay.config_file.read_text(), "transport tls-export", enabled="false"))
    relay.upgrade(kept=0)
    relay.wait_log("connections that had not logged in before the upgrade, and are closed: 1")
    quiet.streams.pop().expect_closed()
    quiet.log_in(relay)


def test_the_status_tells_versions_and_the_pause(upgraded):
    """Another version that is put in place of the one that runs is told, and after it has taken over how long that was."""
    relay = upgraded(start=False)
    relay.install()
    relay.start()
    client = relay.door("http").client()
    status = ask(relay, "status")
    assert status["version"] == status["installed_version"] == "0.1.0"
    assert "other_version" not in [hint["code"] for hint in status["hints"]]
    relay.install("0.2.0")
    status = ask(relay, "status")
    assert (status["version"], status["installed_version"]) == ("0.1.0", "0.2.0")
    said = detourctl(relay, "status")[0]
    assert "! 0.2.0 is installed, and 0.1.0 runs. To go over to it: detourctl upgrade" in said and "paused for" not in said
    relay.ask()
    status = ask(relay, "status")
    assert status["version"] == status["installed_version"] == "0.2.0"
    assert (status["last_upgrade"]["from"], status["last_upgrade"]["to"]) == ("0.1.0", "0.2.0")
    assert status["last_upgrade"]["paused_us"] > 0
    assert re.search(r"upgrade +from 0\.1\.0 to 0\.2\.0, .* ago, paused for [\d,]+ ms", detourctl(relay, "status")[0])
    relay.ask("--binary", relay.program("unfit", "echo no such thing >&2; exit 3"), code=1)
    assert re.search(r"upgrade +failed .* ago: .*no such thing", " ".join(detourctl(relay, "status")[0].split()))
    # There is none at all.
    relay.detourd.unlink()
    assert ask(relay, "status")["installed_version"] == ""
    client.send_packet(client.key, b"still here")
    client.expect_packet(client.key, b"still here")


# What a program may do that cannot take over, and what the operator is told of it.
UNFIT = {
    "exits": ("echo no such thing >&2; exit 3", r"cannot take over \(exit status 3\): no such thing"),
    "silent": ("exit 1", r"cannot take over \(exit status 1\) and did not say why"),
    "crashes": ("kill -SEGV $$", r"ended by signal 11"),
    "odd": (r"printf '\033[31mno\nroom\342\200\256\033' >&2; exit 3", r"cannot take over \(exit status 3\): \[31mno; room\n$"),
    "has reasons": (r"printf 'It failed:\nno room.\n\n  no time.\n' >&2; exit 3", r"\(exit status 3\): It failed: no room; no time\n$"),
    "older": ("echo detourd 0.0.9", r"does not know how to take over"),
    "hangs": ("exec sleep 1000", r"did not say within 8 s whether it could take over"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_program_that_could_not_changes_nothing(upgraded, kind):
    relay = upgraded()
    clients = [relay.door(way).client() for way in ("tls", "http")]
    talks = talk_all_ways(clients)
    script, complaint = UNFIT[kind]
    said = relay.ask("--binary", relay.program("unfit", script), code=1)
    assert re.search(complaint, said) and "not upgraded, all goes on as before" in said, said
    relay_goes_on(talks, [talk.n_got for talk in talks])
    end_all(talks)
    assert "upgrading" not in relay.log


def test_a_program_that_cannot_be_started(upgraded):
    relay = upgraded()
    assert "No such file" in relay.ask("--binary", relay.directory / "nothing", code=1)
    assert "ermission denied" in relay.ask("--binary", relay.write_file("text", "no program"), code=1)


def test_a_program_that_goes_away_at_the_last_moment(upgraded):
    """It said that it could take over, and cannot be executed: the connections, taken apart already, go on."""
    relay = upgraded()
    clients = [relay.door(way).client() for way in ("tls", "http", "tls-export", "tls12")]
    talks = talk_all_ways(clients)
    path = relay.program("volatile", 'echo "can take over: 9.9"; rm -- "$0"')
    for _ in range(3):
        before = [talk.n_got for talk in talks]
        said = relay.ask("--binary", path, code=1)
        assert "cannot be started: No such file" in said, said
        relay_goes_on(talks, before)
        path = relay.program("volatile", 'echo "can take over: 9.9"; rm -- "$0"')
    end_all(talks)
    newcomer = relay.door("tls").client()
    newcomer.send_packet(clients[0].key, b"hello")
    clients[0].expect_packet(newcomer.key, b"hello")


def test_a_configuration_that_is_wrong_keeps_the_old_program(upgraded):
    relay = upgraded()
    client = relay.door("tls").client()
    good = relay.config
    relay.write_config(with_keys(good, "limits", connections="many"))
    for arguments in ((), ("--check",)):
        said = relay.ask(*arguments, code=1)
        # Warnings, as that everyone may use this relay, are not what hinders it.
        assert "[limits] connections" in said and "warning: " not in said
    client.ping(b"12345678")
    relay.write_config(good)
    assert relay.ask().startswith("upgraded to")
    client.ping(b"87654321")


def test_a_server_key_that_cannot_be_used_keeps_the_old_program(upgraded):
    """The new program would end over it, or make another one, by which clients would not know the relay."""
    relay = upgraded()
    client = relay.door("tls").client()
    config, place = relay.config, relay.directory / "state" / "server.key"
    key = place.read_bytes()
    for spoil in (lambda: place.write_text("no key"), lambda: place.chmod(0o666), place.unlink):
        spoil()
        for arguments in (("--check",), ()):
            assert re.search(f"no server key: .*{place}", relay.ask(*arguments, code=1))
        place.write_bytes(key)
        place.chmod(0o600)
    relay.write_config(with_keys(config, "core", state_directory="{dir}/elsewhere"))
    assert f"there is no directory {relay.directory}/elsewhere" in relay.ask(code=1)
    relay.write_config(config)
    client.ping(b"12345678")
    relay.upgrade(kept=1)
    client.ping(b"87654321")
    assert place.read_bytes() == key


def test_descriptors_and_helpers_do_not_gather(upgraded):
    """As many descriptors after five upgrades as after one, and none of the record."""
    relay = upgraded()
    clients = [relay.door(way).client() for way in ("tls", "http", "tls-export")]
    counts = []
    for _ in range(5):
        relay.upgrade(kept=len(clients))
        found = relay.descriptors()
        assert not [name for name in found if "memfd:detour" in name]
        counts.append(len(found))
    wait_until(lambda: len(relay.descriptors()) <= counts[0], f"no more descriptors than {counts}")


def test_counters_and_the_start_go_on(upgraded):
    relay = upgraded()
    one, other = relay.door("tls").client(), relay.door("http").client()
    for n in range(10):
        one.send_packet(other.key, b"%d" % n)
        other.expect_packet(one.key, b"%d" % n)

    def status():
        return json.loads(subprocess.run(
            [BUILD / "core" / "app" / "detourctl", "--socket", f"{relay.run_directory}/control", "status", "--json"],
            stdout=subprocess.PIPE, check=True).stdout)
    before = status()
    relay.upgrade(kept=2)
    after = status()
    for key in ("start_time", "packets_received", "packets_sent", "bytes_received", "bytes_sent"):
        assert after[key] == before[key], key


def test_a_refused_client_is_held_on(upgraded):
    """It is not closed with those that cannot go along, and has no part in the relay."""
    relay = upgraded(friends_only(refuse_hold="1h"), files={"friends": f"{text_of(new_key())}\n"})
    key = new_key()
    stranger = waiting(relay.door("http"), key)
    held_row(relay, key)
    relay.upgrade(kept=0)
    # Others have gone after two seconds.
    with pytest.raises(Timeout):
        stranger.recv(4)
    # The next programs have it from one that only keeps it.
    for _ in range(2):
        relay.upgrade(kept=0)
        with pytest.raises(Timeout):
            stranger.recv(0.5)


def test_a_client_too_many_is_held_on(upgraded):
    """Nobody was asked about it, since its class has its connections."""
    config = with_keys(with_keys(PATIENT, "admission", **{"class": "few"}, refuse_hold="2m"), "class few", connections=1)
    relay = upgraded(config)
    client = relay.door("http").client()
    key = new_key()
    stranger = waiting(relay.door("http"), key)
    held_row(relay, key)
    for _ in range(2):
        relay.upgrade(kept=1)
        with pytest.raises(Timeout):
            stranger.recv(4)
    client.ping(b"12345678")
