"""Listeners of all kinds: families, Unix sockets, sockets from the service manager, and the manager's datagrams.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import grp
import os
import pathlib
import pwd
import random
import signal
import socket
import ssl
import stat
import subprocess

import pytest

from control import ask
from derp_client import PATIENCE, Client, Closed, Stream, http_request
from relay import DETOURD, EVERYTHING, SMALL, StartFailed, daemon_environment, wait_until, with_keys, without_group
from test_stun import request


def test_ipv6(make_relay):
    relay = make_relay(with_keys(with_keys(EVERYTHING, "transport https", listen="[::1]:{https}"), "transport http",
                                 listen="[::1]:{http}"))
    a = Client(Stream.connect(("::1", relay.ports["http"]))).login()
    b = Client(Stream.connect(("::1", relay.ports["https"])).start_tls()).login()
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def test_both_families_on_one_listener(make_relay):
    relay = make_relay(with_keys(SMALL, "transport http", listen=":{http}"))
    a = Client(Stream.connect(("::1", relay.ports["http"]))).login()
    b = Client(Stream.connect(("127.0.0.1", relay.ports["http"]))).login()
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def reaches(host, port):
    try:
        Stream.connect((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("listen, family, v4, v6", [
    (":{http}", "any", True, True),
    ("[::]:{http}", "ipv4", True, False),
    (":{http}", "ipv6", False, True),
    ("localhost:{http}", "ipv4", True, False),
])
def test_one_family(make_relay, listen, family, v4, v6):
    relay = make_relay(with_keys(SMALL, "transport http", listen=listen, family=family))
    assert (reaches("127.0.0.1", relay.ports["http"]), reaches("::1", relay.ports["http"])) == (v4, v6)


def test_all_of_ipv6_beside_one_address_of_ipv4(make_relay):
    relay = make_relay(with_keys(SMALL, "transport http", listen="127.0.0.1:{http};[::]:{http};[::]:{other}"))
    assert reaches("127.0.0.1", relay.ports["http"])
    assert reaches("::1", relay.ports["http"])
    assert not reaches("127.0.0.2", relay.ports["http"])
    assert reaches("127.0.0.2", relay.ports["other"])


def test_two_listeners_share_a_port_by_family(make_relay):
    config = with_keys(SMALL, "transport http", listen="0.0.0.0:{http}")
    relay = make_relay(with_keys(config, "transport six", plugin="http", listen="[::]:{http}", family="ipv6"))
    assert reaches("127.0.0.1", relay.ports["http"])
    assert reaches("::1", relay.ports["http"])


def test_an_address_of_the_other_family_is_refused(make_relay):
    with pytest.raises(StartFailed) as failed:
        make_relay(with_keys(SMALL, "transport http", listen="127.0.0.1:{http}", family="ipv6"))
    assert "[transport http] listen: 127.0.0.1:" in failed.value.log
    assert "not an IPv6 address" in failed.value.log


def test_several_addresses(make_relay):
    relay = make_relay(with_keys(SMALL, "transport http", listen="127.0.0.1:{http};127.0.0.2:{http};127.0.0.1:{other}"))
    clients = [Client(Stream.connect((host, relay.ports[port]))).login()
               for host, port in (("127.0.0.1", "http"), ("127.0.0.2", "http"), ("127.0.0.1", "other"))]
    for a in clients:
        for b in clients:
            a.send_packet(b.key, b"hello")
            b.expect_packet(a.key, b"hello")
    with pytest.raises(ConnectionRefusedError):
        Stream.connect(("127.0.0.3", relay.ports["http"]))


def unix_stream(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(str(path))
    return Stream(sock)


def test_unix_socket(make_relay):
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock"))
    path = os.path.join(relay.run_directory, "relay.sock")
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    a, b = Client(unix_stream(path)).login(), relay.door().client()
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")
    b.send_packet(a.key, b"hello")
    a.expect_packet(b.key, b"hello")
    assert http_request(unix_stream(path), "GET", "/derp/probe").status == 200
    a.close()
    b.expect_gone(a.key, 0)


def test_unix_socket_that_was_left_behind_is_taken_over(make_relay):
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock"), start=False)
    path = os.path.join(relay.run_directory, "relay.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    relay.start()
    assert http_request(unix_stream(path), "GET", "/derp/probe").status == 200


@pytest.mark.parametrize("keys, mode", [({}, 0o660), ({"unix_mode": "0600"}, 0o600), ({"unix_mode": "666"}, 0o666)])
def test_permissions_of_a_unix_socket(make_relay, keys, mode):
    owner = f"{os.getuid()}:{os.getgid()}"
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock", **keys))
    info = os.stat(os.path.join(relay.run_directory, "relay.sock"))
    assert stat.S_IMODE(info.st_mode) == mode
    assert f"{info.st_uid}:{info.st_gid}" == owner


def test_owner_of_a_unix_socket(make_relay):
    user, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    wanted = (os.getuid(), os.getgid())
    if os.getuid() == 0:
        user, group = "nobody", "daemon"
        wanted = (pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock",
                                 unix_owner=f"{user}:{group}"))
    info = os.stat(os.path.join(relay.run_directory, "relay.sock"))
    assert (info.st_uid, info.st_gid) == wanted
    assert http_request(unix_stream(os.path.join(relay.run_directory, "relay.sock")), "GET", "/derp/probe").status == 200


def test_the_socket_of_a_successor_stays(make_relay):
    """A daemon that ends removes its own file and not one that somebody has put in its place."""
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock"))
    path = os.path.join(relay.run_directory, "relay.sock")
    os.unlink(path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        relay.stop()
        assert os.path.exists(path)


@pytest.mark.parametrize("what", ["file", "link", "live"])
def test_what_is_no_dead_socket_is_left_alone(make_relay, tmp_path, what):
    relay = make_relay(with_keys(SMALL, "transport local", plugin="http", listen="unix:{run}/relay.sock"), start=False)
    path = os.path.join(relay.run_directory, "relay.sock")
    with socket.socket(socket.AF_UNIX) as other:
        if what == "file":
            pathlib.Path(path).write_text("precious", encoding="ascii")
        elif what == "link":
            os.symlink(tmp_path / "nowhere", path)
        else:
            other.bind(path)
            other.listen(1)
        before = os.lstat(path)
        with pytest.raises(StartFailed) as failed:
            relay.start()
        assert "[transport local] listen: unix:" in failed.value.log
        assert os.lstat(path).st_ino == before.st_ino


def test_minimum_version_of_tls(make_relay):
    door = make_relay(with_keys(EVERYTHING, "transport https", min_version="1.3")).door("tls")
    door.client().ping(b"12345678")
    with pytest.raises((ssl.SSLError, Closed)):
        door.stream(tls={"maximum": ssl.TLSVersion.TLSv1_2})


def test_tls_clients_stay_when_their_listener_changes(make_relay):
    relay = make_relay()
    a, b = relay.door("tls").client(), relay.door("tls").client()
    relay.reload(with_keys(relay.config, "transport https", min_version="1.3"))
    relay.reload(without_group(relay.config, "transport https"))
    for _ in range(3):
        a.send_packet(b.key, bytes(65536))
        b.expect_packet(a.key, bytes(65536))


def test_sockets_from_the_service_manager(make_relay):
    """Descriptors by name: TLS and HTTP get theirs, whatever their order."""
    config = EVERYTHING.replace("listen = 127.0.0.1:{https}", "socket = secure").replace("listen = 127.0.0.1:{http}",
                                                                                        "socket = plain")
    relay = make_relay(config, start=False)
    relay.write_config()
    with socket.create_server(("127.0.0.1", 0)) as plain, socket.create_server(("127.0.0.1", 0)) as secure:
        relay.ports |= {"http": plain.getsockname()[1], "https": secure.getsockname()[1]}
        script = (f"exec 3<&{plain.fileno()} 4<&{secure.fileno()}; LISTEN_FDS=2 LISTEN_FDNAMES=plain:secure LISTEN_PID=$$ "
                  f'exec "$0" "$@"')
        with open(relay.log_file, "wb") as log:
            relay.process = subprocess.Popen(
                ["bash", "-c", script, str(DETOURD), "--config", str(relay.config_file), "--no-vendor"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=daemon_environment(),
                pass_fds=[plain.fileno(), secure.fileno()])
    relay.wait_log("ready:")
    a, b = relay.door("http").client(), relay.door("tls").client()
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def test_the_service_manager_is_told(make_relay, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        relay = make_relay(SMALL, start=False)
        path = os.path.join(relay.run_directory, "notify")
        manager.bind(path)
        manager.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        relay.start()

        def told(word):
            while True:
                lines = manager.recv(4096).decode().split("\n")
                if word in lines:
                    return lines
        told("READY=1")
        relay.reload()
        assert [line for line in told("RELOADING=1") if line.startswith("MONOTONIC_USEC=")]
        told("READY=1")
        relay.process.send_signal(signal.SIGTERM)
        told("STOPPING=1")
        relay.process.wait(PATIENCE)
        assert relay.process.returncode == 0
        relay.process = None


def test_draining_serves_on_and_is_not_recommended(make_relay):
    """STUN falls silent, so that clients choose another region; who is there is served."""
    relay = make_relay()
    client = relay.door("tls").client()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(relay.address("stun"))
        sock.settimeout(PATIENCE)
        sock.send(request(bytes(12)))
        assert sock.recv(2048)
        since = len(relay.log)
        relay.process.send_signal(signal.SIGUSR1)
        relay.wait_log("draining", since)
        sock.send(request(bytes(12)))
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(2048)
    client.send_packet(client.key, b"hello")
    client.expect_packet(client.key, b"hello")


# ---- addresses that are not there

@pytest.fixture
def foreign_address():
    """An address of the range for examples that this host does not have, and a function that gives it to loopback."""
    address = f"198.51.100.{random.randrange(1, 255)}"
    command = ["ip", "address", "{}", f"{address}/32", "dev", "lo"]
    added = []

    def add():
        done = subprocess.run([word.format("add") for word in command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"addresses cannot be added here: {done.stderr}")
        added.append(address)
    yield address, add
    if added:
        subprocess.run([word.format("del") for word in command], check=True)


def hints(relay):
    return {(hint["code"], hint["about"]) for hint in ask(relay, "status")["hints"]}


def test_an_address_that_is_not_there_yet_is_served_once_it_is(make_relay, foreign_address):
    address, add = foreign_address
    config = with_keys(EVERYTHING, "transport https", listen=f"127.0.0.1:{{https}}; {address}:{{other}}")
    relay = make_relay(with_keys(config, "service stun", listen=f"127.0.0.1:{{stun}}; {address}:{{stun2}}"))
    Client(Stream.connect(relay.address("https")).start_tls()).login()
    assert f"transport/https: this host does not have {address}:{relay.ports['other']}" in relay.log
    assert f"this host does not have {address}:{relay.ports['stun2']}" in relay.log
    assert {("address_absent", "transport/https"), ("plugin_trouble", "service/stun")} <= hints(relay)
    add()
    Client(Stream.connect((address, relay.ports["other"])).start_tls()).login()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((address, relay.ports["stun2"]))
        sock.send(request(bytes(12)))
        assert sock.recv(2048)[:2] == b"\1\1"
    wait_until(lambda: not {"address_absent", "plugin_trouble"} & {code for code, _ in hints(relay)}, "the hints to go")


def test_ipv6_address_that_is_not_there(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "transport https", listen="127.0.0.1:{https}; [2001:db8::9]:{other}"))
    assert ("address_absent", "transport/https") in hints(relay)
    Client(Stream.connect(relay.address("https")).start_tls()).login()
