"""Plugins are switched off and on while packets flow, and not one packet is lost.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import threading

import nacl.public
import pytest

from control import DETOURCTL, ask, detourctl, plugin
from derp_client import PATIENCE, Stream, http_request
from relay import EVERYTHING, SMALL, with_keys
from test_stun import request

WINDOW = 8


class Flow:
    """Two clients that send each other packets without a pause, each of which must come, in order."""

    def __init__(self, a, b):
        self.pair = (a, b)
        self.rounds = 0
        self.problem = None
        self.stop = threading.Event()
        self.moved = threading.Condition()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        """Until it is told to stop."""
        try:
            while not self.stop.is_set():
                for a, b in (self.pair, self.pair[::-1]):
                    packets = [b"%d.%d" % (self.rounds, n) + bytes(500) for n in range(WINDOW)]
                    for packet in packets:
                        a.send_packet(b.key, packet)
                    for packet in packets:
                        b.expect_packet(a.key, packet)
                with self.moved:
                    self.rounds += 1
                    self.moved.notify_all()
        except (AssertionError, OSError) as problem:
            with self.moved:
                self.problem = problem
                self.moved.notify_all()

    def go_on(self, rounds=3):
        """Waits until so many more rounds are over, so that what came before them did no harm."""
        with self.moved:
            wanted = self.rounds + rounds
            assert self.moved.wait_for(lambda: self.rounds >= wanted or self.problem, PATIENCE), "packets stand still"
        assert not self.problem, self.problem


@contextlib.contextmanager
def flowing(a, b):
    """Packets flow from before the block until after it."""
    flow = Flow(a, b)
    try:
        flow.go_on()
        yield flow
        flow.go_on()
    finally:
        flow.stop.set()
        flow.thread.join()


def stun_answers(relay, timeout):
    """Whether a Binding request is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect(("127.0.0.1", relay.ports["stun"]))
        try:
            client.send(request(os.urandom(12)))
            return bool(client.recv(2000))
        except OSError:
            return False


@pytest.mark.parametrize("transport", ["http", "tls"])
def test_stun(make_relay, transport):
    relay = make_relay()
    door = relay.door(transport)
    with flowing(door.client(), door.client()) as flow:
        for _ in range(3):
            assert stun_answers(relay, PATIENCE)
            detourctl(relay, "plugins", "disable", "service/stun")
            assert plugin(relay, "service/stun")["state"] == "stopped"
            assert not stun_answers(relay, 0.2)
            flow.go_on()
            detourctl(relay, "plugins", "enable", "stun")
            assert stun_answers(relay, PATIENCE)
            detourctl(relay, "plugins", "restart", "service/stun")
            assert stun_answers(relay, PATIENCE)
            flow.go_on()


@pytest.mark.parametrize("transport", ["http", "tls"])
def test_the_listener_that_they_came_through(make_relay, transport):
    relay = make_relay()
    door = relay.door(transport)
    identity = {"http": "transport/http", "tls": "transport/https"}[transport]
    with flowing(door.client(), door.client()) as flow:
        for _ in range(3):
            detourctl(relay, "plugins", "disable", identity)
            with pytest.raises(ConnectionRefusedError):
                door.stream()
            assert identity not in {listener["instance"] for listener in ask(relay, "listeners")["listeners"]}
            flow.go_on()
            detourctl(relay, "plugins", "enable", identity)
            door.client().ping(b"12345678")
            detourctl(relay, "plugins", "restart", identity)
            door.client().ping(b"12345678")
            flow.go_on()


def test_an_auth_source(make_relay):
    friends = [nacl.public.PrivateKey.generate() for _ in range(3)]
    config = with_keys(with_keys(EVERYTHING, "auth friends", plugin="keys", file="{dir}/friends"),
                       "admission", chain="friends")
    lines = "".join(f"nodekey:{bytes(key.public_key).hex()}\n" for key in friends)
    relay = make_relay(config, {"friends": lines})
    door = relay.door()
    with flowing(door.client(friends[0]), door.client(friends[1])) as flow:
        detourctl(relay, "plugins", "disable", "auth/friends")
        flow.go_on()
        held = door.greeted(friends[2])
        held.stream.write(held.client_info())
        stranger = door.greeted()
        stranger.stream.write(stranger.client_info())
        held.stream.expect_open_and_silent(0.3)
        stranger.stream.expect_open_and_silent(0.1)
        assert "admission_stopped" in {hint["code"] for hint in ask(relay)["hints"]}
        detourctl(relay, "plugins", "enable", "auth/friends")
        held.read_server_info().ping(b"12345678")
        stranger.stream.expect_open_and_silent(0.3)
        detourctl(relay, "plugins", "restart", "auth/friends")
        flow.go_on()
        assert ask(relay)["client_count"] == 3


def test_a_log_sink(make_relay):
    config = EVERYTHING + "\n[log file]\nplugin = file\npath = {dir}/own.log\nlevel = debug\n"
    relay = make_relay(config)
    door = relay.door()

    def length():
        return (relay.directory / "own.log").stat().st_size

    with flowing(door.client(), door.client()) as flow:
        detourctl(relay, "plugins", "disable", "log/file")
        before = length()
        detourctl(relay, "plugins", "restart", "http/home")
        assert length() == before
        detourctl(relay, "plugins", "disable", "log/stderr")
        flow.go_on()
        detourctl(relay, "plugins", "enable", "log/file")
        detourctl(relay, "plugins", "restart", "log/file")
        detourctl(relay, "plugins", "restart", "http/home")
        assert length() > before
        detourctl(relay, "plugins", "enable", "log/stderr")
        flow.go_on()


def test_everything_at_once(make_relay):
    relay = make_relay()
    door = relay.door("tls")
    identities = [entry["id"] for entry in ask(relay, "plugins")["plugins"]]
    with flowing(door.client(), door.client()) as flow:
        for _ in range(2):
            detourctl(relay, "plugins", "restart", *identities)
            flow.go_on()
            detourctl(relay, "plugins", "disable", *identities)
            flow.go_on()
            detourctl(relay, "plugins", "enable", *identities)
            flow.go_on()
        assert {entry["state"] for entry in ask(relay, "plugins")["plugins"]} == {"running"}
    relay.door("tls").client().ping(b"12345678")
    assert http_request(Stream.connect(relay.address("http")), "GET", "/").status == 200


def test_one_that_does_not_start_again_says_why(make_relay):
    relay = make_relay()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        detourctl(relay, "plugins", "disable", "service/stun")
        thief.bind(("127.0.0.1", relay.ports["stun"]))
        _, errors = detourctl(relay, "plugins", "enable", "service/stun", code=1)
        assert "service/stun did not start" in errors and "in use" in errors
        entry = plugin(relay, "service/stun")
        assert entry["state"] == "failed" and "in use" in entry["error"]
    detourctl(relay, "plugins", "enable", "service/stun")
    assert stun_answers(relay, PATIENCE)


# ---- what is to last

def drop_in(relay):
    """The file that is written."""
    return relay.directory / "conf.d" / "90-service-stun.conf"


def restarted(relay):
    """The same relay after a stop and a start."""
    relay.stop()
    return relay.start_once()


def test_persist_lasts_over_a_restart_and_a_reload(make_relay):
    relay = make_relay()
    detourctl(relay, "plugins", "disable", "service/stun")
    assert not drop_in(relay).exists()
    assert plugin(restarted(relay), "service/stun")["state"] == "running"
    detourctl(relay, "plugins", "disable", "service/stun", "--persist")
    assert "[service stun]\nenabled = false\n" in drop_in(relay).read_text()
    assert stat.S_IMODE(drop_in(relay).stat().st_mode) == 0o644
    detourctl(relay, "reload")
    assert plugin(relay, "service/stun")["state"] == "disabled"
    assert plugin(restarted(relay), "service/stun")["state"] == "disabled"
    detourctl(relay, "plugins", "enable", "service/stun", "--persist")
    assert not drop_in(relay).exists()
    assert plugin(restarted(relay), "service/stun")["state"] == "running"


def test_persist_turns_on_what_the_file_turns_off(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "service stun", enabled="false"))
    assert plugin(relay, "service/stun")["state"] == "disabled"
    detourctl(relay, "plugins", "enable", "service/stun", "--persist")
    assert "enabled = true" in drop_in(relay).read_text()
    assert plugin(restarted(relay), "service/stun")["state"] == "running"
    detourctl(relay, "plugins", "disable", "service/stun", "--persist")
    assert not drop_in(relay).exists()


def test_persist_where_it_cannot_be_written(make_relay):
    relay = make_relay()
    (relay.directory / "conf.d").write_text("in the way")
    _, errors = detourctl(relay, "plugins", "disable", "service/stun", "--persist", code=1)
    assert "service/stun is stopped now, but not after the next start" in errors and "conf.d" in errors
    assert plugin(relay, "service/stun")["state"] == "stopped"


def test_persist_leaves_files_of_others_alone(make_relay):
    relay = make_relay()
    drop_in(relay).parent.mkdir()
    drop_in(relay).write_text("[service stun]\nenabled = true\n")
    _, errors = detourctl(relay, "plugins", "disable", "service/stun", "--persist", code=1)
    assert "was not written by detourctl" in errors
    assert drop_in(relay).read_text() == "[service stun]\nenabled = true\n"


def test_persist_against_a_later_file(make_relay):
    relay = make_relay()
    drop_in(relay).parent.mkdir()
    (drop_in(relay).parent / "95-always.conf").write_text("[service stun]\nenabled = true\n")
    _, errors = detourctl(relay, "plugins", "disable", "service/stun", "--persist", code=1)
    assert "says otherwise" in errors
    assert not drop_in(relay).exists()


# ---- who may

def test_others_may_look_but_not_touch(make_relay):
    if os.getuid() != 0:
        pytest.skip("only root can try it as somebody else")
    relay = make_relay(with_keys(SMALL, "core", control_group="root"))
    os.chmod(relay.run_directory, 0o755)
    client = relay.door().client()
    # The tree may lie where only its owner can go.
    program = os.path.join(relay.run_directory, "core", "app", "detourctl")
    os.makedirs(os.path.dirname(program))
    shutil.copy(DETOURCTL, program)
    shutil.copy(DETOURCTL.parent.parent / "libdetour-core.so", os.path.join(relay.run_directory, "core"))

    def as_nobody(*arguments, groups=(0,)):
        return subprocess.run([program, "--socket", f"{relay.run_directory}/control", *arguments], user=65534, group=65534,
                              extra_groups=groups, capture_output=True, text=True, check=False, timeout=PATIENCE)

    for command in (["status"], ["clients"], ["plugins"], ["config", "dump"], ["counters"], ["why", client.key.hex()]):
        done = as_nobody(*command)
        assert done.returncode == 0, (command, done)
    for command in (["plugins", "disable", "log/stderr"], ["kick", client.key.hex()], ["reload"], ["log-level", "debug"]):
        done = as_nobody(*command)
        assert done.returncode == 1 and "sudo" in done.stderr, (command, done)
    done = as_nobody("status", groups=())
    assert done.returncode == 1 and "sudo" in done.stderr, done
    client.ping(b"12345678")
    assert plugin(relay, "log/stderr")["state"] == "running"
