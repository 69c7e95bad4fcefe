"""Taking a relay out of service: nobody comes in, clients are closed in an order that suits them, and back again.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
import time

import pytest
from control import DETOURCTL, ask, counter, detourctl
from derp_client import PATIENCE, Closed, Frame, Stream, Timeout, http_request
from message_bus import gdbus
from relay import EVERYTHING, SMALL, daemon_environment, wait_until, with_keys, without_group
from test_stun import request

SERVED = with_keys(EVERYTHING, "service metrics", listen="127.0.0.1:{metrics}")
SERVED = with_keys(SERVED, "transport http", listen="127.0.0.1:{http};unix:{run}/http")


def readiness(relay):
    """What /readyz says."""
    stream = Stream.connect(relay.address("metrics"))
    try:
        answer = http_request(stream, "GET", "/readyz")
        assert (answer.status == 503) == (answer.get("Retry-After") is not None)
        return answer.status
    finally:
        stream.close()


def answers_stun(relay, seconds):
    """Whether a request over STUN is answered in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(relay.address("stun"))
        sock.settimeout(seconds)
        sock.send(request(bytes(12)))
        with contextlib.suppress(TimeoutError):
            return bool(sock.recv(2048))
    return False


def unix_stream(relay):
    """A connection to the Unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(f"{relay.run_directory}/http")
    return Stream(sock)


def closed_order(relay, since):
    """Short keys of the clients that were closed, in order."""
    return re.findall(r"client (\w{8}): session ended .*the relay is taken out of service", relay.log[since:])


def frames(client, timeout=PATIENCE):
    """All frames until the relay closes, or none comes for a while."""
    got = []
    with contextlib.suppress(Closed, Timeout):
        while True:
            got.append(client.recv(timeout))
    return got


def short(client):
    """Its key as the log has it."""
    return client.key.hex()[:8]


def test_out_of_service_and_back(make_relay):
    relay = make_relay(SERVED)
    door = relay.door("tls")
    a, b = door.client(), door.client()
    assert readiness(relay) == 200 and answers_stun(relay, PATIENCE)
    output, _ = detourctl(relay, "drain", "--for=1h", "--no-wait")
    assert "takes no new clients" in output
    # Whoever comes is refused by TCP, so that it tries the region's next node.
    relay.expect_refused("tls", "http", "port80")
    with pytest.raises(OSError):
        unix_stream(relay)
    assert readiness(relay) == 503 and not answers_stun(relay, 0.5)
    status = ask(relay, "status")
    assert (status["ready"], status["draining"]) == (False, True)
    progress = status["drain_progress"]
    assert (progress["connections"], progress["left"], progress["keep"], progress["done"]) == (2, 2, 0, False)
    assert re.search(r"drain +2 of 2 connections left, \d+m", detourctl(relay)[0])
    assert "To take it back: detourctl drain --cancel" in " ".join(detourctl(relay)[0].split())
    a.send_packet(b.key, b"still here")
    b.expect_packet(a.key, b"still here")

    assert "in service again" in detourctl(relay, "drain", "--cancel")[0]
    assert "event=drain-cancelled" in relay.log
    door.client().close()
    relay.door("http").client().close()
    http_request(unix_stream(relay), "GET", "/")
    assert readiness(relay) == 200 and answers_stun(relay, PATIENCE)
    assert ask(relay, "status")["drain_progress"] == {}
    a.send_packet(b.key, b"stayed")
    b.expect_packet(a.key, b"stayed")
    _, errors = detourctl(relay, "drain", "--cancel", code=1)
    assert "nothing to take back" in errors
    # And once more: sockets that were taken up again can be put down again.
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    relay.expect_refused("tls")


def test_quiet_ones_go_first_and_strangers_last(make_relay):
    """Go's clients that are sent nothing, Go's that are, all others, and mesh connections, which hear of each."""
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    quiet = [door.client() for _ in range(4)]
    busy = [door.client() for _ in range(2)]
    stranger = relay.door("http").client(request={"agent": "lwip/2"})
    watcher = door.mesh_client()
    watcher.send(Frame.WATCH_CONNS)
    since = len(relay.log)
    detourctl(relay, "drain", "--for=20s", "--no-wait")
    deadline = time.monotonic() + PATIENCE + 20
    while len(closed_order(relay, since)) < 8 and time.monotonic() < deadline:
        for client in busy:
            with contextlib.suppress(Closed):
                client.send_packet(client.key, b"busy")
        time.sleep(0.2)
    order = closed_order(relay, since)
    assert set(order[:4]) == {short(client) for client in quiet}, order
    assert set(order[4:6]) == {short(client) for client in busy}, order
    assert order[6:] == [short(stranger), short(watcher)]
    gone = {data[:32] for kind, data in frames(watcher) if kind == Frame.PEER_GONE}
    assert gone >= {client.key for client in [*quiet, *busy, stranger]}
    relay.wait_log("event=drained", since)
    assert counter(relay, "connections_closed", reason="draining") == 8


def test_connections_of_the_mesh_are_not_waited_for(make_relay):
    """While a client is left, others reach it through them, whatever time it is; the last client ends the drain."""
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    mesh, client, other = door.mesh_client(), door.client(), door.client()
    assert "clients 2 connected" in (text := " ".join(detourctl(relay)[0].split())) and ", and 1 connection of the mesh" in text
    status = ask(relay, "status")
    assert (status["client_count"], status["mesh_connection_count"]) == (3, 1)
    detourctl(relay, "drain", "--for=0s", "--keep=2", "--no-wait")
    relay.wait_log("drained: 2 connections are left, and 1 of the mesh event=drained")
    detourctl(relay, "drain", "--for=0s", "--keep=1", "--no-wait")
    relay.wait_log("drained: 1 connection is left, and 1 of the mesh event=drained")
    left = client if closed_order(relay, 0) == [short(other)] else other
    progress = ask(relay, "status")["drain_progress"]
    assert [progress[name] for name in ("connections", "left", "links", "done")] == [2, 1, 1, True]
    assert "done; 1 of 2 connections left; 1 link of the mesh" in " ".join(detourctl(relay)[0].split())
    mesh.forward_packet(mesh.key, left.key, b"over the mesh")
    left.expect_packet(mesh.key, b"over the mesh")
    # It takes an hour, and none is left before.
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    left.close()
    relay.wait_log("drained: 0 connections are left, and 1 of the mesh event=drained")
    mesh.ping(b"12345678")
    detourctl(relay, "drain", "--for=0s", "--no-wait")
    mesh.expect_closed()


def test_all_are_closed_and_the_command_waits(make_relay):
    """More clients than a worker looks at in one go."""
    relay = make_relay(with_keys(EVERYTHING, "core", workers="2"))
    door = relay.door("http")
    clients = [door.client() for _ in range(600)]
    output, _ = detourctl(relay, "drain", "--for=3s")
    lines = output.splitlines()
    assert lines[0].endswith("to go") and "of 600 connections left" in lines[0]
    assert lines[-2:] == ["done; 0 of 600 connections left",
                          "The relay is out of service. To take it back: detourctl drain --cancel"]
    for client in clients:
        client.stream.expect_closed()
    assert relay.process.poll() is None and ask(relay, "status")["drain_progress"]["done"] is True
    detourctl(relay, "drain", "--cancel")
    door.client()


def test_some_may_stay(make_relay):
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    clients = [door.client() for _ in range(5)]
    progress = ask(relay, "drain", "--for=0s", "--keep=2")["drain"]
    assert (progress["left"], progress["keep"], progress["done"]) == (2, 2, True)
    assert ask(relay, "status")["client_count"] == 2
    # The rest of them, in less time than was asked for at first.
    assert "0 of 5" in detourctl(relay, "drain", "--for=0s")[0]
    for client in clients:
        client.stream.expect_closed()


def test_each_way_gives_programs_one_object(make_relay):
    """With --no-wait and --cancel what is so then, with --end what was seen last, and otherwise what it has come to."""
    relay = make_relay(SMALL)
    clients = [relay.door("http").client() for _ in range(2)]
    begun = ask(relay, "drain", "--for=1h", "--no-wait")
    assert (begun["ended"], begun["drain"]["connections"], begun["drain"]["left"], begun["drain"]["done"]) == (False, 2, 2, False)
    assert ask(relay, "drain", "--cancel") == {"drain": {}, "ended": False}
    done = ask(relay, "drain", "--for=0s")
    assert (done["ended"], done["drain"]["left"], done["drain"]["done"]) == (False, 0, True)
    for client in clients:
        client.stream.expect_closed()
    ended = ask(relay, "drain", "--end")
    assert ended["ended"] is True and ended["drain"].get("left", 0) == 0
    relay.wait_end()


def test_the_daemon_ends_with_the_last_client_if_that_is_wished(make_relay):
    relay = make_relay(EVERYTHING)
    client = relay.door("tls").client()
    assert detourctl(relay, "drain", "--for=1s", "--end")[0].splitlines()[-1] == "Done; the daemon has ended."
    client.stream.expect_closed()
    relay.wait_end()


def test_a_daemon_that_hangs_has_not_ended(make_relay):
    relay = make_relay(SMALL)
    client = relay.door("http").client()
    drain = subprocess.Popen([DETOURCTL, "--timeout=2s", "drain", "--for=1h", "--end"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=daemon_environment() | {"DETOUR_SOCKET": f"{relay.run_directory}/control", "LC_ALL": "C.UTF-8"})
    relay.wait_log("draining: no new connections")
    assert "1 of 1 connections left" in drain.stdout.readline()
    relay.process.send_signal(signal.SIGSTOP)
    try:
        out, complaint = drain.communicate(timeout=PATIENCE)
    finally:
        relay.process.send_signal(signal.SIGCONT)
    assert drain.returncode != 0 and "ended" not in out and "no answer within 2s" in complaint, (out, complaint)
    detourctl(relay, "drain", "--cancel")
    client.close()


def missing(relay):
    """The listeners of which an address cannot be reached, by the hints."""
    return {hint["about"] for hint in ask(relay, "status")["hints"] if hint["code"] == "address_absent"}


def test_a_port_that_was_taken_meanwhile_is_served_when_it_is_free(make_relay):
    # The kernel keeps a port that was asked for, and lets go of one that it chose.
    relay = make_relay(with_keys(SERVED, "transport http", listen="127.0.0.1:{http};127.0.0.1:0;unix:{run}/http"))
    chosen = ("127.0.0.1", int(re.search(r"transport/http: listening on \S+ 127\.0\.0\.1:(\d+) ", relay.log)[1]))
    detourctl(relay, "drain", "--for=0s")
    with socket.socket() as other, socket.socket(socket.AF_UNIX) as other_file:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(chosen)
        other.listen()
        other_file.bind(f"{relay.run_directory}/http")
        other_file.listen()
        complaint = detourctl(relay, "drain", "--cancel", code=1)[1]
        assert "in service again, but not everywhere" in complaint and "cannot listen again" in complaint, complaint
        assert "tried again" in complaint, complaint
        assert relay.log.count("event=address-absent") == 2
        assert "transport/http" in missing(relay)
        # What it lacks does not keep it from going out of service once more.
        detourctl(relay, "drain", "--for=0s")
        assert "not everywhere" in detourctl(relay, "drain", "--cancel", code=1)[1]
        relay.door("http").client().close()
        relay.door("tls").client().close()
        assert os.path.exists(f"{relay.run_directory}/http")
    os.unlink(f"{relay.run_directory}/http")
    wait_until(lambda: not missing(relay), "all addresses to be served")
    assert http_request(Stream.connect(chosen), "GET", "/").status == 200
    assert http_request(unix_stream(relay), "GET", "/").status == 200


def test_a_signal_drains_and_ends(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", drain_time="1s"))
    client = relay.door("tls").client()
    relay.process.send_signal(signal.SIGUSR1)
    client.stream.expect_closed()
    relay.wait_log("event=drained")
    relay.wait_end()


def test_a_signal_ends_what_was_drained_before(make_relay):
    relay = make_relay(EVERYTHING)
    detourctl(relay, "drain", "--for=0s")
    relay.process.send_signal(signal.SIGUSR1)
    relay.wait_end()


def test_users_are_told_nothing_when_they_are_closed(make_relay):
    """A text that nobody can take back would stay; so it is taken back before."""
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    detourctl(relay, "say", "maintenance at 20:00 UTC")
    kept, closed = door.client(), door.client()
    for client in (kept, closed):
        assert client.expect(Frame.HEALTH) == b"maintenance at 20:00 UTC"
    detourctl(relay, "drain", "--for=2s", "--keep=1")
    def heard():
        return sorted([data for kind, data in frames(client, 0.5) if kind == Frame.HEALTH] for client in (kept, closed))
    told = heard()
    assert told in ([[], [b""]], [[b""], [b""]]), told
    # Whoever stays is told again, if it was taken back.
    detourctl(relay, "drain", "--cancel")
    assert heard() == [[], [b"maintenance at 20:00 UTC"] if told[0] else []]


def test_reload_and_stop_while_draining(make_relay):
    relay = make_relay(EVERYTHING)
    client = relay.door("tls").client()
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    _, errors = detourctl(relay, "reload", code=1)
    assert "detourctl drain --cancel" in errors
    _, errors = detourctl(relay, "plugins", "restart", "service/stun", code=1)
    assert "detourctl drain --cancel" in errors
    relay.process.send_signal(signal.SIGHUP)
    relay.wait_log("event=reload-failed")
    detourctl(relay, "drain", "--cancel")
    relay.reload()
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    relay.process.terminate()
    client.stream.expect_closed()
    relay.wait_end()


def test_the_command_follows_until_it_is_taken_back(make_relay):
    relay = make_relay(EVERYTHING)
    client = relay.door("tls").client()
    command = subprocess.Popen([DETOURCTL, f"--socket={relay.run_directory}/control", "drain", "--for=1h"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_until(lambda: ask(relay, "status")["draining"], "the relay drains")
        assert "no new connections; 1 are closed within 3600 s" in gdbus(f"unix:path={relay.run_directory}/control", "", ".Manager.ListEvents", "{}")
        detourctl(relay, "drain", "--cancel")
        _, errors = command.communicate(timeout=PATIENCE)
        assert command.returncode == 1 and "taken the relay back" in errors
    finally:
        command.kill()
        command.wait()
    client.send_packet(client.key, b"here")
    client.expect_packet(client.key, b"here")


@pytest.mark.parametrize("arguments, problem", [
    (["--for=soon"], "soon"), (["--keep=-1"], "--keep"), (["--cancel", "--for=1m"], "--cancel goes with no other option")])
def test_wrong_command_lines(make_relay, arguments, problem):
    relay = make_relay(EVERYTHING)
    _, errors = detourctl(relay, "drain", *arguments, code=2)
    assert problem in errors
    assert ask(relay, "status")["draining"] is False


def test_wrong_option_over_dbus(make_relay):
    relay = make_relay(EVERYTHING)
    problem = gdbus(f"unix:path={relay.run_directory}/control", "", ".Manager.Drain", "{'for': <uint64 3>}", code=1)
    assert "BadArgument" in problem and "duration (t)" in problem


def test_without_a_certificate_nobody_is_sent_here(make_relay):
    """TLS alone, and a certificate that cannot be had: STUN would make this relay the home of clients that cannot log in."""
    alone = SERVED
    for group in ("transport http", "cert main"):
        alone = without_group(alone, group)
    alone = with_keys(alone, "cert new", plugin="acme", names="relay.test", directory_url="https://127.0.0.1:1/directory")
    relay = make_relay(alone)
    assert readiness(relay) == 503 and not answers_stun(relay, 0.5)
    assert ask(relay, "status")["ready"] is False
    # It goes on trying all the same.
    wait_until(lambda: ask(relay, "certs")["certificates"][0]["error"], "the authority was asked")
    relay.reload(with_keys(alone, "cert main", plugin="selfsigned", names="127.0.0.1;relay.test"))
    assert readiness(relay) == 200 and answers_stun(relay, PATIENCE)
    relay.door("tls").client()
    relay.reload(alone)
    assert readiness(relay) == 503
    # Without TLS there is no need of one.
    relay.reload(with_keys(alone, "transport http", plugin="http", listen="127.0.0.1:{http}", redirect="none"))
    assert readiness(relay) == 200
