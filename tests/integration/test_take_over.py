"""Another process takes over (detourd --take-over, detourctl upgrade --to): no client notices, and until it has all the old one can go on.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest

from control import ask, detourctl
from derp_client import PATIENCE, Stream
from handing import Between, Scripted
from relay import ALARMS, wait_until, with_keys
from stepping import Steps
from test_restart import WAYS
from test_stun import request
from test_upgrade_faults import WATCHDOG_S, answer, begin
from test_upgrade_memory import events_of, messages
from test_websocket import joined
from upgrading import PATIENT, Quiet, end_all, relay_goes_on, talk_all_ways


def stun_answers(relay):
    """The service has a port of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(relay.address("stun"))
        sock.settimeout(PATIENCE)
        sock.send(request(bytes(12)))
        assert sock.recv(2048)


def newcomers_meet(relay, client):
    """By every way in."""
    for way in WAYS:
        late = relay.door(way).client()
        late.send_packet(client.key, b"hello")
        client.frames_until(late.key, b"hello")


@pytest.mark.parametrize("workers", [1, 3])
def test_nobody_notices(handed, workers):
    """Three processes one behind the other while clients of all ways in send: none loses, doubles or changes a packet."""
    relay = handed(with_keys(with_keys(PATIENT, "core", workers=workers), "transport websocket"))
    clients = [relay.door(way).client() for way in WAYS] + [joined(relay.door("tls")), joined(relay.door("http"))]
    talks = talk_all_ways(clients)
    for _ in range(3):
        before = [talk.n_got for talk in talks]
        successor = relay.successor()
        assert relay.hand_over(successor) == ("handed over to 0.1.0: 5 clients kept, 0 asked to reconnect (TLS 1.2); "
                                              "its log has how long the pause was\n")
        assert "5 clients kept, 0 asked to reconnect, paused for" in relay.log
        assert not os.path.exists(relay.seat)
        relay_goes_on(talks, before)
        stun_answers(relay)
    end_all(talks)
    newcomers_meet(relay, clients[0])
    assert "warning" not in re.sub(r"warning[^\n]*everyone may use this relay[^\n]*", "", relay.log)


def test_connections_that_said_nothing_go_along(handed):
    """Also when the other program does not take them: then they are this one's still."""
    relay = handed(with_keys(PATIENT, "limits", handshake_timeout="5m"))
    quiet = Quiet(relay, WAYS)
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        scripted.say("can take over: 9.9")
        scripted.take()
        scripted.say("cannot: no")
        answer(asked, 1)
    os.unlink(relay.seat)
    relay.hand_over(relay.successor())
    quiet.log_in(relay)
    assert "connections that had not logged in" not in relay.log


def test_what_was_remembered_and_counted_goes_along(handed):
    relay = handed()
    gone, stays = relay.door("tls").client(), relay.door("http").client()
    gone.send_packet(stays.key, b"hello")
    stays.expect_packet(gone.key, b"hello")
    gone.stream.close()
    wait_until(lambda: [name for name, *_ in events_of(relay, gone.key.hex())] == ["join", "gone"], "the end")
    events, first, status = events_of(relay, gone.key.hex()), messages(relay)[0], ask(relay, "status")
    said = json.loads(relay.hand_over(relay.successor(), "--json"))
    assert (said["upgraded"], said["to"], said["kept"]) == (True, "0.1.0", 1)
    assert events_of(relay, gone.key.hex()) == events and messages(relay)[0] == first
    after = ask(relay, "status")
    assert (after["start_time"], after["packets_received"]) == (status["start_time"], 1)
    assert after["last_upgrade"]["kept"] == 1 and after["last_upgrade"]["paused_us"] > 0


def test_upgrades_in_place_and_by_another_process_in_turn(handed):
    """The program that took over has the option still, and waits for nobody when it is executed again or started anew."""
    relay = handed()
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    for _ in range(2):
        relay.hand_over(relay.successor())
        before = [talk.n_got for talk in talks]
        relay.upgrade(kept=len(clients))
        relay_goes_on(talks, before)
    end_all(talks)
    relay.stop()
    relay.follow(relay.successor(expect="so there is nothing to take over; starting"))
    relay.door("tls").client().ping(b"12345678")


def test_asked_whether_it_could_it_waits_on(handed):
    relay = handed()
    clients = [relay.door(way).client() for way in WAYS]
    successor = relay.successor()
    for _ in range(2):
        assert relay.ask("--to", relay.seat, "--check") == "could upgrade to 0.1.0: 3 clients would be kept, 0 asked to reconnect (TLS 1.2)\n"
        wait_until(lambda: "it could, and waits on" in successor.log, "the answer to be taken back")
    assert os.stat(relay.seat).st_mode & 0o777 == 0o600
    successor.process.terminate()
    assert successor.process.wait(PATIENCE) == 0 and not os.path.exists(relay.seat)
    assert "no program waits there" in relay.ask("--to", relay.seat, code=1)
    newcomers_meet(relay, clients[0])


def test_a_relay_that_is_drained_is_not_handed_over(handed):
    """Whoever asks beforehand hears it as well."""
    relay = handed()
    client = relay.door("tls").client()
    successor = relay.successor()
    detourctl(relay, "drain", "--for=1h", "--no-wait")
    for options in (["--check"], []):
        assert "the relay is being drained" in relay.ask("--to", relay.seat, *options, code=1)
    detourctl(relay, "drain", "--cancel")
    client.ping(b"12345678")
    relay.hand_over(successor)
    client.ping(b"87654321")


# What a program does that has not all yet: until then the old one can go on, and does.
def _closes(scripted):
    scripted.peer.close()


def _speaks_otherwise(scripted):
    scripted.say("hello")


def _refuses(scripted):
    scripted.say("cannot: no room\nhere")


def _closes_before_the_record(scripted):
    scripted.say("can take over: 9.9")
    scripted.peer.close()


def _closes_with_the_record(scripted):
    scripted.say("can take over: 9.9")
    assert scripted.take()[0] == 1
    scripted.peer.close()


def _does_not_take_the_record(scripted):
    scripted.say("can take over: 9.9")
    scripted.wait_closed()


def _refuses_the_record(scripted):
    scripted.say("can take over: 9.9")
    scripted.take()
    scripted.say("cannot: read this")


def _ends_before_the_last_word(scripted):
    scripted.say("can take over: 9.9")
    scripted.take()
    scripted.peer.shutdown(socket.SHUT_RD)
    scripted.say("have it")


WRONG = {
    _closes: "it has ended",
    _speaks_otherwise: "it speaks another language",
    _refuses: "cannot take over: no room",
    _closes_before_the_record: "cannot be sent|it has ended",
    _closes_with_the_record: "has not taken over: it has ended",
    _does_not_take_the_record: "has not taken over: it did not answer in time",
    _refuses_the_record: "has not taken over: read this",
    _ends_before_the_last_word: "has not taken over: it has ended",
}


@pytest.mark.parametrize("does", WRONG, ids=[does.__name__[1:] for does in WRONG])
def test_a_program_that_fails_on_the_way_changes_nothing(handed, does):
    relay = handed()
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        text, n = scripted.meet()
        assert re.fullmatch(r"hand-over 1 [0-9a-f]{64}", text) and n == 1
        does(scripted)
        said = answer(asked, 1)
    assert "not upgraded, all goes on as before" in said and re.search(WRONG[does], said), said
    relay_goes_on(talks, [talk.n_got for talk in talks])
    os.unlink(relay.seat)
    # And afterwards a real one.
    relay.hand_over(relay.successor())
    end_all(talks)
    newcomers_meet(relay, clients[0])


# What a terminal would obey, or show as two lines, or not at all.
ODD = "no\n\x1b[31mroom\u202e\u2028here\r\n"
SEEN = "no  [31mroom  here"


@pytest.mark.parametrize("with_record", [False, True])
def test_a_reason_is_shown_as_one_line(handed, with_record):
    """By whoever asked, the log and the status."""
    relay = handed()
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        if with_record:
            scripted.say("can take over: 9.9")
            scripted.take()
        scripted.say(f"cannot: {ODD}")
        said = answer(asked, 1)
    assert said.count("\n") == 1 and said.endswith(f": {SEEN}\n"), said
    assert f": {SEEN} event=upgrade-failed\n" in relay.log
    assert ask(relay, "status")["last_upgrade"]["problem"].endswith(f": {SEEN}")


def test_its_version_is_shown_as_one_line(handed):
    relay = handed()
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat, "--check") as asked:
        scripted.meet()
        scripted.say(f"can take over: {ODD}")
        assert answer(asked, 0) == f"could upgrade to {SEEN}: 0 clients would be kept, 0 asked to reconnect (TLS 1.2)\n"


def test_descriptors_that_nobody_asked_for_are_closed(handed):
    relay = handed()
    client = relay.door("http").client()
    ends = os.pipe()
    strange = os.readlink(f"/proc/self/fd/{ends[0]}")
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        socket.send_fds(scripted.peer, [b"cannot: no room"], ends)
        assert "cannot take over: no room" in answer(asked, 1)
    for end in ends:
        os.close(end)
    assert strange not in relay.descriptors()
    client.ping(b"12345678")


def test_one_that_says_nothing_is_given_up(handed):
    relay = handed()
    client = relay.door("http").client()
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        assert "it did not answer in time" in answer(asked, 1)
    client.ping(b"12345678")


def test_one_that_hangs_with_the_record_does_not_wake_the_watchdog(kept):
    """The service manager hears of the old program all the time, whose main loop waits for longer than the manager does."""
    relay = kept(watchdog_s=WATCHDOG_S)
    relay.seat = f"{relay.run_directory}/next"
    client = relay.door("tls").client()
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        scripted.say("can take over: 9.9")
        said = answer(asked, 1)
    assert "has not taken over: it did not answer in time" in said, said
    client.ping(b"12345678")
    words = [next(iter(heard)) for heard in relay.manager.heard]
    since = words.index("RELOADING")
    assert words[since:words.index("READY", since)].count("WATCHDOG") >= 3, words
    assert "has made no progress" not in relay.log


def test_a_program_that_is_killed_at_any_moment(handed):
    """The real one, followed call by call: as long as it has not said that it has all, the old one goes on."""
    relay = handed()
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    successor, old_log = relay.successor(), relay.log_file
    steps = Steps(successor.process.pid)
    with begin(relay, "--to", relay.seat) as asked:
        steps.stop()
        calls = steps.calls(1 << 30, lambda: "stopping: the program that waited" in old_log.read_text())
        steps.let_go()
        answer(asked, 0)
    assert relay.process.wait(PATIENCE) == 0
    relay.follow(successor)
    for part in range(8):
        successor = relay.successor()
        steps = Steps(successor.process.pid)
        with begin(relay, "--to", relay.seat) as asked:
            steps.stop()
            steps.calls(calls * part // 8)
            successor.end()
            said = answer(asked, 1)
        assert "not upgraded, all goes on as before" in said, said
        relay_goes_on(talks, [talk.n_got for talk in talks])
        stun_answers(relay)
    relay.hand_over(relay.successor())
    end_all(talks)
    newcomers_meet(relay, clients[0])


def test_a_program_that_could_not_start_changes_nothing(handed):
    """Another key of the server, an address that somebody else has: each is told."""
    relay = handed()
    client = relay.door("tls").client()
    good = relay.config_file.read_text()
    subprocess.run([relay.detourd, "--generate-key", relay.directory / "other.key"], check=True, stdout=subprocess.DEVNULL)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        more = f"\n[transport more]\nplugin = http\nlisten = 127.0.0.1:{taken.getsockname()[1]}\n"
        for text, reason in ((good.replace("[core]", f"[core]\nkey-file = {relay.directory}/other.key"), "it has another server key"),
                             (good + more, "not everything could start")):
            successor = relay.successor(config_file=relay.write_file("wrong.conf", text))
            said = relay.ask("--to", relay.seat, code=1)
            assert reason in said, said
            successor.end()
            client.ping(b"12345678")
            stun_answers(relay)
    newcomers_meet(relay, client)
    relay.hand_over(relay.successor())
    client.ping(b"87654321")


def test_the_old_one_that_ends_otherwise_is_replaced(handed):
    """Killed while another one waits: that one starts, and says that clients are lost by saying how many it has."""
    relay = handed()
    client = relay.door("http").client()
    successor = relay.successor()
    relay.process.kill()
    relay.process.wait()
    client.stream.expect_closed()
    wait_until(lambda: "has ended without handing over; starting" in successor.log, "it to start")
    relay.follow(successor)
    relay.door("http").client().ping(b"12345678")


def test_stale_sockets_and_those_of_others(handed):
    relay = handed()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
        stale.bind(relay.seat)
    first = relay.successor()
    second = relay.successor(expect="another program waits there")
    assert second.process.wait(PATIENCE) == 1
    # It looked, and did not harm.
    client = relay.door("tls").client()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.connect(relay.seat)
        relay.hand_over(first)
    client.ping(b"12345678")
    place = relay.write_file("text", "somebody's")
    assert relay.successor(expect="something else is there", seat=str(place)).process.wait(PATIENCE) == 1
    assert place.read_text() == "somebody's"


def test_callers_who_say_nothing_hold_nobody_up(handed):
    """More than it waits for at a time: the oldest are closed, the others when they have been silent for long; one who speaks is answered
    beside them, however many there are."""
    relay = handed()
    client = relay.door("tls").client()
    successor = relay.successor()
    with contextlib.ExitStack() as stack:
        def silent():
            caller = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            caller.connect(relay.seat)
            caller.settimeout(PATIENCE)
            return caller
        callers = [silent() for _ in range(40)]
        for caller in callers:
            assert caller.recv(100) == b""
        for _ in range(12):
            silent()
        relay.ask("--to", relay.seat, "--check")
        for _ in range(12):
            silent()
        relay.hand_over(successor)
    client.ping(b"12345678")


# Whoever asks properly and says nothing more, at each step; what is said of it.
def _hangs_with_the_question(between):
    between.forward()
    assert between.next.recv(100).startswith(b"can take over: ")


def _says_something_else(between):
    _hangs_with_the_question(between)
    between.next.send(b"hello")


def _hangs_with_the_record(between):
    between.forward()
    assert between.back().startswith("can take over: ")
    between.forward()
    assert between.next.recv(100) == b"have it"


HANGS = {
    _hangs_with_the_question: "it could, but nothing came within 15 s; it waits on",
    _says_something_else: "nothing was handed over, and this program waits on: nothing was sent",
    _hangs_with_the_record: "nothing was handed over, and this program waits on: it did not answer in time",
}


@pytest.mark.parametrize("does", HANGS, ids=[does.__name__[1:] for does in HANGS])
def test_one_that_asks_and_hangs_does_not_keep_the_seat(handed, does):
    """It is still there when it is given up; the relay and its clients do not notice, and can hand over afterwards."""
    relay = handed()
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    successor = relay.successor()
    with Between(relay) as between, begin(relay, "--to", f"{relay.run_directory}/between") as asked:
        does(between)
        between.wait_dropped()
        wait_until(lambda: HANGS[does] in successor.log, "it to say why it waits on")
        wait_until(lambda: successor.log.count("waiting at") > ("this program" in HANGS[does]), "it to wait on")
        between.peer.close()
        assert "not upgraded, all goes on as before" in answer(asked, 1)
        # Beside the one that hangs.
        relay.hand_over(successor)
    end_all(talks)
    newcomers_meet(relay, clients[0])


def test_two_at_once(handed):
    relay = handed()
    client = relay.door("tls").client()
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        assert "an upgrade is under way already" in relay.ask("--to", relay.seat, code=1)
        assert "an upgrade is under way already" in relay.ask(code=1)
        scripted.say("cannot: no")
        answer(asked, 1)
    client.ping(b"12345678")


OTHER_USER = """
import os, socket, sys
os.setgid(65534); os.setuid(65534)
sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
if sys.argv[1] == "waits":
    sock.bind(sys.argv[2]); sock.listen(1); print("here", flush=True); sys.stdin.read()
else:
    sock.connect(sys.argv[2]); sock.settimeout(30); print(sock.recv(100), flush=True)
"""


def other_user(*arguments):
    """A program that runs as nobody."""
    return subprocess.Popen([sys.executable, "-c", OTHER_USER, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
def test_another_user_may_not(handed, tmp_path_factory):
    """Neither be handed anything, nor hand anything over."""
    relay = handed()
    client = relay.door("tls").client()
    os.chmod(relay.run_directory, 0o777)
    with other_user("waits", relay.seat) as stranger:
        assert stranger.stdout.readline() == "here\n"
        assert "runs as user 65534, and neither as root" in relay.ask("--to", relay.seat, code=1)
        stranger.stdin.close()
    os.unlink(relay.seat)
    successor = relay.successor()
    os.chmod(relay.seat, 0o666)
    with other_user("calls", relay.seat) as stranger:
        assert stranger.stdout.read() == "b''\n"
    wait_until(lambda: "somebody who may not wanted to hand over" in successor.log, "it to say so")
    relay.hand_over(successor)
    client.ping(b"12345678")
    os.chmod(relay.run_directory, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace is needed")
def test_processes_that_do_not_see_each_other(handed):
    """As in containers: numbers of processes mean nothing to the other one, and the addresses are free in time all the same."""
    relay = handed()
    client = relay.door("tls").client()
    for _ in range(2):
        successor = relay.successor(inside=["unshare", "--pid", "--fork", "--kill-child"])
        relay.ask("--to", relay.seat)
        assert relay.process.wait(PATIENCE) == 0
        relay.follow(successor)
        stun_answers(relay)
        assert ask(relay, "status")["ready"] is True
        newcomers_meet(relay, client)
    # With what it started.
    relay.process.kill()
    relay.process.wait()
    relay.process = None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_old_one_meanwhile(handed, number):
    """It ends, or reads its files again, when nothing came of it."""
    relay = handed()
    client = relay.door("tls").client()
    since = len(relay.log)
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        scripted.say("can take over: 9.9")
        scripted.take()
        relay.process.send_signal(number)
        scripted.say("cannot: no")
        asked.communicate(timeout=PATIENCE)
    if number == signal.SIGTERM:
        relay.wait_end()
        client.stream.read_to_end(PATIENCE)
    else:
        relay.wait_log("event=reloaded", since)
        client.ping(b"12345678")


def test_signals_to_the_new_one_are_heard_when_it_is_there(handed):
    relay = handed()
    client = relay.door("tls").client()
    successor = relay.successor()
    successor.process.send_signal(signal.SIGHUP)
    relay.hand_over(successor)
    relay.wait_log("event=reloaded")
    client.ping(b"12345678")
    assert not ALARMS.search(relay.log)


def test_who_comes_between_waits(handed):
    """A connection that is made while nobody accepts is served by whoever goes on."""
    relay = handed()
    with Scripted(relay) as scripted, begin(relay, "--to", relay.seat) as asked:
        scripted.meet()
        scripted.say("can take over: 9.9")
        scripted.take()
        stream = Stream.connect(relay.address("http"))
        scripted.say("cannot: no")
        answer(asked, 1)
    relay.door("http").client(stream=stream).ping(b"12345678")
