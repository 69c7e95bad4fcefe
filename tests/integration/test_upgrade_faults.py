"""Programs that crash or hang, before and after they were executed, and what the operator and the service manager make of it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import resource
import signal
import subprocess
import threading

import pytest

from control import ask, detourctl
from derp_client import PATIENCE, Stream
from keeping import LOST
from relay import DETOURD, wait_until, with_keys, without_group
from stepping import Steps
from test_restart import WAYS
from test_upgrade_memory import events_of
from upgrading import PATIENT, end_all, relay_goes_on, talk_all_ways

WATCHDOG_S = 4


def good_until_executed(relay, name, then):
    """A program whose rehearsal goes well."""
    return relay.program(name, f'case " $* " in *" --try-takeover "*) exec {DETOURD} "$@" ;; esac\n{then}')


def begin(relay, *arguments):
    """Asks for an upgrade, with all the time there is."""
    command = [word if word != "60s" else "1h" for word in relay.command(*arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def answer(asked, code):
    """Which does not come after that time only."""
    said = asked.communicate(timeout=4 * PATIENCE)[0]
    assert asked.returncode == code, said
    return said


def serves_anew(relay, clients):
    """The connections are gone, the log of the next process says so, and it serves."""
    for client in clients:
        client.stream.expect_closed()
    since = len(relay.log)
    relay.start_once()
    assert f"{LOST}: it was ended by a signal or a fault" in relay.log[since:]
    relay.door("tls").client().ping(b"12345678")


def test_a_limit_for_the_size_of_files(upgraded):
    """LimitFSIZE= of the service is for the record in memory as well: too small a limit is a reason, and not the end."""
    relay = upgraded()
    clients = [relay.door(way).client() for way in WAYS]
    pid, before = relay.process.pid, resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1024, before[1]))
    assert "not upgraded, all goes on as before: no memory for what goes along: File too large" in relay.ask(code=1)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    relay.upgrade(kept=len(clients))
    for client in clients:
        client.ping(b"12345678")


@pytest.mark.parametrize("name", ["bans", "budgets"])
def test_what_cannot_be_written_down_is_not_forgotten(upgraded, name):
    """As on a full disk, which a folder that has something in it stands for: the new program would not know of it."""
    relay = upgraded(with_keys(PATIENT, "limits", quota="1G"))
    client = relay.door("tls").client()
    place = relay.directory / "state" / name
    place.unlink(missing_ok=True)
    (place / "full").mkdir(parents=True)
    client.send_packet(client.key, bytes(1000))
    client.expect_packet(client.key, bytes(1000))
    if name == "bans":
        detourctl(relay, "ban", "192.0.2.1", code=1)
    for arguments in ((), ("--check",)):
        assert re.search(f"cannot be written down: {place}: ", relay.ask(*arguments, code=1))
    client.ping(b"12345678")
    (place / "full").rmdir()
    place.rmdir()
    relay.upgrade(kept=1)
    client.ping(b"12345678")
    assert [row["target"] for row in ask(relay, "bans")["bans"]] == (["192.0.2.1"] if name == "bans" else [])
    assert next(row["used"] for row in ask(relay, "budgets")["budgets"] if row["kind"] == "relay") >= 1000


@pytest.mark.parametrize("then", ["exit 3", "kill -SEGV $$", "kill -KILL $$"])
def test_the_operator_hears_at_once_that_it_ended(kept, then):
    relay = kept()
    clients = [relay.door(way).client() for way in WAYS]
    process = relay.process
    with begin(relay, "--binary", good_until_executed(relay, "mortal", then)) as asked:
        process.wait(4 * PATIENCE)
        said = answer(asked, 3)
    assert "was started and ended at once, and all connections with it" in said and f"journalctl _PID={process.pid}" in said, said
    relay.process = None
    serves_anew(relay, clients)


def test_the_operator_hears_it_as_json_and_of_one_that_was_started_again(kept):
    """The service manager is faster than the operator's next question: it is another process that answers."""
    relay = kept()
    clients = [relay.door("http").client()]
    process = relay.process
    with begin(relay, "--json", "--binary", good_until_executed(relay, "mortal", "exit 1")) as asked:
        process.wait(4 * PATIENCE)
        relay.process = None
        serves_anew(relay, clients)
        said = json.loads(answer(asked, 3))
    assert said["upgraded"] is False and "ended at once" in said["problem"]


def calls_to_the_end(relay):
    """How many calls the program that takes over makes until it is ready."""
    steps = Steps(relay.process.pid)
    since = len(relay.log)
    relay.process.send_signal(signal.SIGUSR2)
    steps.until_exec()
    n = steps.calls(1 << 30, lambda: "ready:" in relay.log[since:])
    steps.let_go()
    return n


def test_a_program_that_dies_at_any_moment(kept):
    """What it had is gone with it, however far it was; nobody takes up the keys, and the next process serves."""
    relay = kept()
    calls = calls_to_the_end(relay)
    for part in range(7):
        clients = [relay.door(way).client() for way in WAYS]
        wait_until(lambda: relay.manager.kept, "the manager to keep a descriptor")
        process, relay.process = relay.process, None
        steps = Steps(process.pid)
        with begin(relay) as asked:
            steps.until_exec()
            steps.calls(calls * part // 7)
            process.kill()
            process.wait()
            said = answer(asked, 3)
        assert "ended at once" in said, said
        serves_anew(relay, clients)


@pytest.mark.parametrize("part", [0, 2, 4, 6])
def test_a_program_that_hangs_is_ended_by_the_watchdog(kept, part):
    """Clients wait until the service manager hears nothing any more: no sooner, and no longer."""
    relay = kept(watchdog_s=WATCHDOG_S)
    calls = calls_to_the_end(relay)
    clients = [relay.door(way).client() for way in WAYS]
    process, relay.process = relay.process, None
    steps = Steps(process.pid)
    with begin(relay) as asked:
        steps.until_exec()
        steps.calls(calls * part // 7)
        steps.let_go(signal.SIGSTOP)
        assert any("RELOADING" in said for said in relay.manager.heard)
        relay.manager.watch(process)
        assert process.wait() == -signal.SIGABRT
        said = answer(asked, 3)
    assert "ended at once" in said, said
    serves_anew(relay, clients)


def test_the_operator_hears_of_one_that_hangs(kept):
    relay = kept()
    process = relay.process
    said = subprocess.run([word if word != "60s" else "2s" for word in relay.command("--binary", good_until_executed(relay, "idle", "exec sleep 1000"))],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=4 * PATIENCE, check=False)
    assert said.returncode == 4 and "does not answer; it holds all connections" in said.stdout, said.stdout
    process.kill()
    process.wait()
    relay.process = None


@pytest.mark.parametrize("then", ["sleep 1000", "sleep 1000 & exit 1", "kill -STOP $$"])
def test_a_rehearsal_that_does_not_end_changes_nothing(upgraded, then):
    """Nor does one that leaves a child with its output behind."""
    relay = upgraded()
    clients = [relay.door(way).client() for way in ("tls", "http")]
    talks = talk_all_ways(clients)
    assert "did not say within 8 s" in relay.ask("--binary", relay.program("slow", then), code=1)
    relay_goes_on(talks, [talk.n_got for talk in talks])
    end_all(talks)
    assert relay.ask().startswith("upgraded to")


def test_a_rehearsal_that_hangs_at_any_moment_changes_nothing(upgraded):
    """The real program, stopped wherever it is."""
    relay = upgraded()
    clients = [relay.door(way).client() for way in ("tls", "http")]
    talks = talk_all_ways(clients)
    for seconds in (0.02, 0.2, 0.5):
        path = relay.program("stopped", f"( sleep {seconds}; kill -STOP $$ ) >/dev/null 2>&1 &\nexec {DETOURD} \"$@\" --dump-config >/dev/null; sleep 1000")
        said = relay.ask("--binary", path, code=1)
        assert "did not say within 8 s" in said or "does not know how to take over" in said, said
    relay_goes_on(talks, [talk.n_got for talk in talks])
    end_all(talks)


@pytest.mark.parametrize("number, told", [(signal.SIGHUP, "event=reloaded"), (signal.SIGUSR1, "event=draining"),
                                          (signal.SIGUSR2, "event=upgrading"), (signal.SIGTERM, "event=stopping"), (signal.SIGINT, "event=stopping")])
def test_a_signal_that_comes_meanwhile_is_heard(upgraded, number, told):
    """By the new program, once it can, whatever moment of its start it came in."""
    relay = upgraded()
    client = relay.door("http").client()
    for part in (0, 3):
        steps = Steps(relay.process.pid)
        since = len(relay.log)
        relay.process.send_signal(signal.SIGUSR2)
        steps.until_exec()
        steps.calls(part * 100)
        relay.process.send_signal(number)
        steps.let_go()
        found = relay.wait_log("upgraded from", since, timeout=30)
        relay.wait_log(told, since + found.end(), timeout=30)
        if number in (signal.SIGTERM, signal.SIGINT):
            relay.wait_end()
            return
        if number == signal.SIGUSR2:
            relay.wait_log("upgraded from", since + found.end(), timeout=30)
        if number == signal.SIGUSR1:
            relay.wait_log("draining", since)
            return
        client.ping(b"12345678")


@pytest.mark.parametrize("goes_well", [True, False])
def test_a_reload_while_somebody_logs_in_for_the_last_time(upgraded, goes_well):
    """Another listener, one less, and one that is another one now: all as configured, whoever serves then."""
    relay = upgraded()
    client = relay.door("tls").client()
    late = Stream.connect(relay.address("http"))
    since = len(relay.log)
    path = DETOURD if goes_well else relay.program("volatile", 'echo "can take over: 9.9"; rm -- "$0"')
    with begin(relay, "--binary", path) as asked:
        relay.wait_log("upgrading from", since)
        relay.write_config(with_keys(without_group(relay.config, "transport port80"), "transport more", plugin="http", listen="127.0.0.1:{more}"))
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_log("reloaded", since)
        assert "upgraded from" not in relay.log[since:]
        said = answer(asked, 0 if goes_well else 1)
    assert ("upgraded to" if goes_well else "cannot be started") in said
    relay.expect_refused("port80")
    for way in ("more", "http", "tls", "more"):
        other = relay.door(way).client()
        other.send_packet(client.key, b"hello")
        client.expect_packet(other.key, b"hello")
    late.close()
    relay.upgrade()
    assert ask(relay, "status")["ready"] is True


@pytest.mark.parametrize("goes_well", [True, False])
def test_a_drain_while_somebody_logs_in_for_the_last_time(upgraded, goes_well):
    """It goes on in whichever program serves then, and can be taken back there."""
    relay = upgraded(with_keys(PATIENT, "limits", drain_time="1h"))
    client = relay.door("tls").client()
    late = Stream.connect(relay.address("http"))
    since = len(relay.log)
    path = DETOURD if goes_well else relay.program("volatile", 'echo "can take over: 9.9"; rm -- "$0"')
    with begin(relay, "--binary", path) as asked:
        relay.wait_log("upgrading from", since)
        relay.process.send_signal(signal.SIGUSR1)
        relay.wait_log("event=draining", since)
        answer(asked, 0 if goes_well else 1)
    relay.expect_refused("tls", "http")
    detourctl(relay, "drain", "--cancel")
    for way in ("http", "tls"):
        other = relay.door(way).client()
        other.send_packet(client.key, b"hello")
        client.expect_packet(other.key, b"hello")
    late.close()


def test_events_of_the_last_moment_are_kept(upgraded):
    """Connections that end while all is written down: each end is told once, in the memory and in the file."""
    relay = upgraded(with_keys(with_keys(PATIENT, "core", events_file="{dir}/events.json", events_memory="64M"), "limits", connections=4096))
    path = relay.directory / "events.json"
    door = relay.door("http")
    for _ in range(600):
        door.client().stream.close()
    clients = [door.client() for _ in range(400)]

    def leave():
        for client in clients:
            client.stream.close()
            stop.wait(0.004)
    stop = threading.Event()
    leaving = threading.Thread(target=leave)
    leaving.start()
    relay.upgrade()
    leaving.join()
    keys = ["nodekey:" + client.key.hex() for client in clients]

    def gone():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return sorted(line["key"] for line in lines if line["event"] == "gone" and line["key"] in set(keys))
    wait_until(lambda: len(gone()) >= len(keys), "all ends are on disk")
    assert gone() == sorted(keys)
    for client in clients[::20]:
        assert [name for name, *_ in events_of(relay, client.key.hex())] == ["join", "gone"]
