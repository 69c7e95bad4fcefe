"""The control socket under attack: every peer has limits, and root has a place.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import grp
import os
import pwd
import stat
import subprocess
import sys

import pytest

from control import ask, detourctl
from control_attacks import (ANSWER, ERROR, NAME, NO_REPLY, ROOT, SIGNAL, Peer, announced_message, crowd_before_login, get_all,
                             lets_in, message, unread_answers)
from relay import SMALL, wait_until, with_keys

MIB = 1 << 20

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


def test_answers_that_nobody_reads_are_not_made(make_relay):
    relay = make_relay(SMALL)
    taken, growth = unread_answers(relay, 20000)
    assert taken < 2 * MIB, "the daemon goes on reading calls whose answers are not read"
    assert growth < 64 * MIB
    assert ask(relay)["ready"] is True


def test_calls_that_want_no_answer_are_counted_like_others(make_relay):
    relay = make_relay(SMALL)
    taken, growth = unread_answers(relay, 20000, NO_REPLY)
    assert taken < 2 * MIB
    assert growth < 64 * MIB


def test_a_peer_that_does_not_read_is_closed(make_relay):
    relay = make_relay(SMALL)
    peer = Peer(relay)
    peer.send_what_it_takes(b"".join(get_all(serial + 1) for serial in range(5000)), 0.2)
    relay.wait_log("control socket: a connection of user .* was closed: it did not read what was sent to it for 10 s")
    peer.wait_closed()
    assert ask(relay)["ready"] is True


def test_connections_that_do_not_authenticate_are_few_and_closed(make_relay):
    relay = make_relay(SMALL)
    detourctl(relay, "version")
    more_threads, more_descriptors = crowd_before_login(relay, 300)
    assert more_threads <= 1
    assert more_descriptors <= 70
    assert ask(relay)["ready"] is True


@pytest.mark.parametrize("opening", [b"X", b"\0" + b"A" * 300, b"\0AUTH EXTERNAL 39\r\nBEGIN\r\n", b"\0BEGIN\r\n",
                                     b"\0" + b"AUTH\r\n" * 17, b"\0AUTH\n"])
def test_bad_authentication_is_closed_at_once(make_relay, opening):
    relay = make_relay(SMALL)
    peer = Peer(relay, authenticate=False)
    peer.socket.sendall(opening)
    peer.wait_closed(4)  # less than the time limit for those who say nothing


@pytest.mark.parametrize("size", [65536, 120 * MIB, 0xffffffff])
def test_long_messages_are_refused_before_they_are_read(make_relay, size):
    relay = make_relay(SMALL)
    assert announced_message(relay, size) < 32 * MIB
    relay.wait_log("was closed: it announced a message that is too long")


def test_messages_that_are_no_calls_end_the_connection(make_relay):
    relay = make_relay(SMALL)
    for kind in (ANSWER, ERROR, SIGNAL, 0, 77):
        peer = Peer(relay)
        peer.socket.sendall(message(kind, 1, [(1, "o", ROOT), (2, "s", "a.b"), (3, "s", "C"), (5, "u", 1)]))
        peer.wait_closed()
    relay.wait_log("was closed: it sent a message that is no call")


def test_bytes_that_are_no_messages_end_the_connection(make_relay):
    relay = make_relay(SMALL)
    peer = Peer(relay)
    peer.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    peer.wait_closed()
    relay.wait_log("was closed: it sent what is no message of D-Bus")


def test_calls_in_any_pieces_are_answered(make_relay):
    relay = make_relay(SMALL)
    peer = Peer(relay)
    for byte in get_all(1):
        peer.socket.sendall(bytes([byte]))
    assert peer.answers(1) == 0
    peer.socket.sendall(b"".join(get_all(serial) for serial in range(2, 102)))
    assert peer.answers(100) == 0
    assert peer.is_open()


def test_quiet_peers_give_way(make_relay):
    relay = make_relay(SMALL)
    crowd = [Peer(relay) for _ in range(64)]
    for peer in crowd:
        peer.socket.sendall(get_all(1))
    for peer in crowd:
        peer.answers(1)
    wait_until(lambda: lets_in(relay), "a quiet peer gives way")
    relay.wait_log("was closed: somebody else needed its place")
    assert sum(peer.is_open() for peer in crowd) >= 60


# ---- other users

SOMEBODY = """
import os, socket, sys
gid, uid, path, number = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
os.setgroups([])
os.setgid(gid)
os.setuid(uid)
peers = []
for _ in range(number):
    peer = socket.socket(socket.AF_UNIX)
    try:
        peer.connect(path)
    except OSError as error:
        print("refused", error.errno, flush=True)
        continue
    peer.settimeout(10)
    try:
        peer.sendall(b"\\0AUTH EXTERNAL\\r\\nDATA\\r\\nBEGIN\\r\\n")
        good = peer.recv(100).startswith(b"DATA")
    except OSError:
        good = False
    print("in" if good else "out", flush=True)
    peers.append(peer)
print("done", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def somebody(relay, gid, uid, number):
    """Holds connections as another user, after it has said how they went."""
    os.chmod(relay.run_directory, 0o755)
    with subprocess.Popen([sys.executable, "-c", SOMEBODY, str(gid), str(uid), f"{relay.run_directory}/control", str(number)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        said = []
        for line in process.stdout:
            if line == "done\n":
                break
            said.append(line.split()[0])
        try:
            yield said
        finally:
            process.stdin.close()
            process.wait()


def readers():
    """A group that is not root's, for a test."""
    return grp.getgrnam("nogroup")


@as_root
def test_readers_cannot_lock_root_out(make_relay):
    relay = make_relay(with_keys(SMALL, "core", control_group=readers().gr_name))
    with contextlib.ExitStack() as stack:
        for uid in range(60001, 60006):
            said = stack.enter_context(somebody(relay, readers().gr_gid, uid, 20))
            assert said.count("in") <= 16
        for _ in range(16):
            assert ask(relay)["ready"] is True


@as_root
def test_readers_may_read_and_change_nothing(make_relay):
    relay = make_relay(with_keys(SMALL, "core", control_group=readers().gr_name))
    os.chmod(relay.run_directory, 0o755)
    path = f"{relay.run_directory}/control"
    status = os.stat(path)
    assert stat.S_IMODE(status.st_mode) == 0o660 and status.st_gid == readers().gr_gid

    def call(method, *arguments):
        return subprocess.run(["setpriv", f"--reuid={pwd.getpwnam('nobody').pw_uid}", f"--regid={readers().gr_gid}",
                               "--clear-groups", "busctl", f"--address=unix:path={path}", "call", NAME, ROOT,
                               f"{NAME}.Manager", method, *arguments], capture_output=True, text=True, check=False)

    assert call("GetCounters").returncode == 0
    refused = call("Reload")
    assert refused.returncode != 0 and "needs root or the user that detourd runs as" in refused.stderr


@as_root
def test_without_a_group_only_root_and_the_own_user_may_connect(make_relay):
    relay = make_relay(SMALL)
    with somebody(relay, readers().gr_gid, 60001, 2) as said:
        assert said == ["refused", "refused"]


def test_a_group_that_is_not_there_is_said(make_relay):
    relay = make_relay(with_keys(SMALL, "core", control_group="no-such-group"))
    relay.wait_log("warning .*control-group: no-such-group: there is no such group")
    assert stat.S_IMODE(os.stat(f"{relay.run_directory}/control").st_mode) == 0o600
