"""Certificates when things go wrong: clocks, disks, networks, the client program and the relay itself.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import datetime
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from acme_relay import CONFIG, AcmeRelay
from certs import Certificate
from control import ask, counter, detourctl, plugin
from namespaces import apart, mount_memory
from relay import wait_until, with_keys
from scripted_ca import ORDER_STEPS, Problem, ScriptedCA
from shifted_clock import ShiftedClock

HOUR, DAY = 3600, 86400


@pytest.fixture
def ca(tmp_path):
    """A CA that issues to everyone; a script may spoil it."""
    with ScriptedCA(tmp_path / "ca") as ca:
        yield ca


@pytest.fixture
def clock(tmp_path):
    """A clock for daemons that start."""
    with ShiftedClock(tmp_path) as clock:
        yield clock


def crash(relay):
    """The relay dies of a signal that it cannot hear."""
    process, relay.process = relay.process, None
    process.kill()
    process.wait()


def kill_program(relay):
    """Kills the client program that the relay has started."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name, state = (folder / "stat").read_text().rsplit(")", 1)
        except OSError:
            continue
        if int(state.split()[1]) == relay.process.pid and name.endswith("(detour-acme"):
            os.kill(int(folder.name), signal.SIGKILL)


def tries(relay):
    """How many orders failed since the relay started."""
    return counter(relay, "failed", instance="cert/main")


# ---- the client program

def test_the_client_program_is_killed_at_each_step(ca, make_acme_relay):
    ca.asynchronous = True
    relay = make_acme_relay(ca, start=False)

    def kill_at(step):
        def kill(_request, _answer):
            kill_program(relay)
        ca.rules.clear()
        ca.on(step, kill, times=1)
    kill_at("new-account")
    relay.start()
    shown = relay.wait_state("failing")
    assert "signal 9" in shown["error"] and shown["next_try"]
    ca.rules.clear()
    detourctl(relay, "certs", "renew")
    leaf = relay.leaf(ca.root_file)
    # Then the CA is asked when to renew, by another run of the program.
    wait_until(lambda: ca.count("renewal-info"), "the CA to be asked when to renew")
    for step in ORDER_STEPS:
        if step == "new-account":
            continue
        kill_at(step)
        told = detourctl(relay, "certs", "renew", code=1)[1]
        assert "signal 9" in told, (step, told)
        assert relay.leaf(ca.root_file) == leaf
    ca.rules.clear()
    detourctl(relay, "certs", "renew")
    assert relay.leaf(ca.root_file).serial_number != leaf.serial_number
    assert len(ca.accounts) <= 2, "the account was kept"


def test_the_account_outlives_a_change_of_its_key_that_fails(ca, make_acme_relay):
    relay = make_acme_relay(ca)
    relay.wait_leaf(ca.root_file)
    (url, key), = ca.accounts.items()

    # The CA has the new key, and nobody hears of it.
    ca.on("key-change", lambda _request, _answer: kill_program(relay), times=1)
    assert "signal 9" in detourctl(relay, "certs", "rollover", code=1)[1]
    assert ca.accounts[url] != key and "whether it has the key already is asked again" in relay.log
    detourctl(relay, "certs", "rollover")
    assert ca.count("key-change") == 1, "the key is the one that was offered"

    # The CA is not there when it is asked what became of the next one.
    ca.on("key-change", lambda _request, _answer: kill_program(relay), times=1)
    ca.refuse("new-account", "serverInternal", status=500)
    detourctl(relay, "certs", "rollover", code=1)
    detourctl(relay, "certs", "rollover", code=1)
    ca.rules.clear()
    detourctl(relay, "certs", "rollover")
    assert ca.count("key-change") == 2

    # The CA refuses: the old key stays.
    key = ca.accounts[url]

    def refused(_request, _answer):
        ca.accounts[url] = key
        return Problem("malformed", "Not this key").answer
    ca.on("key-change", refused)
    assert "Not this key" in detourctl(relay, "certs", "rollover", code=1)[1]
    ca.rules.clear()
    detourctl(relay, "certs", "renew")
    assert ca.accounts == {url: key}


def test_there_is_no_account_whose_key_could_be_changed(ca, make_acme_relay):
    ca.refuse("new-account", "serverInternal", status=500)
    relay = make_acme_relay(ca)
    relay.wait_state("failing")
    assert "there is no account at" in detourctl(relay, "certs", "rollover", code=1)[1]


def test_there_is_no_client_program(ca, make_acme_relay):
    relay = make_acme_relay(ca, program="/nonexistent/detour-acme")
    shown = relay.wait_state("failing")
    assert "/nonexistent/detour-acme" in shown["error"]


@pytest.mark.parametrize("says", ["", "nonsense\n", '{"event":"certificate"}\n', '{"event":"certificate","chain":"x","key":"y"}\n',
                                  '{"event":"present","id":-1,"type":7}\n', "{}\n" * 5000, "\0" * 100, "x" * 2000000, "[" * 100000 + "\n"],
                         ids=["nothing", "nonsense", "half an event", "no certificate", "no challenge", "empty objects", "zeros",
                              "a line without end", "deep"])
def test_a_client_program_that_has_lost_its_way(ca, make_acme_relay, says):
    relay = make_acme_relay(ca, start=False, program="{dir}/program")
    relay.write_file("says", says)
    relay.write_file("program", f"#!/bin/sh\nread request\ncat {relay.directory}/says\necho trouble >&2\n", 0o700)
    relay.start()
    shown = relay.wait_state("failing")
    assert shown["error"] and shown["next_try"]
    assert tries(relay) >= 1


# ---- what the CA gives

@pytest.mark.parametrize("what", ["foreign key", "foreign name", "expired", "broken chain"])
def test_the_old_certificate_stays_when_the_new_one_is_wrong(ca, make_acme_relay, what):
    relay = make_acme_relay(ca)
    leaf = relay.wait_leaf(ca.root_file)
    ca.leaf = {"foreign key": {"key": ec.generate_private_key(ec.SECP256R1()).public_key()}, "foreign name": {"names": ["other.test"]},
               "expired": {"since": -20, "until": -10},
               "broken chain": {"issuer": Certificate("Scripted intermediate", authority=True)}}[what]
    detourctl(relay, "certs", "renew", code=1)
    shown = relay.certificate()
    assert shown["state"] == "serving" and shown["error"] and shown["remedy"]
    assert relay.leaf(ca.root_file) == leaf


# ---- crash loops

@pytest.mark.parametrize("ca_does", ["refuses", "hangs", "issues"])
def test_a_crash_loop_does_not_spend_the_limits_of_the_ca(ca, make_acme_relay, ca_does):
    if ca_does == "refuses":
        ca.refuse("new-order", "rejectedIdentifier")
    if ca_does == "hangs":
        ca.on("new-order", manner="hang")
    relay = make_acme_relay(ca)
    wait_until(lambda: ca.count("new-order") == 1, "the first order")
    if ca_does == "issues":
        relay.wait_leaf(ca.root_file)
        relay.wait_state("serving")
    for _ in range(10):
        crash(relay)
        relay.start_once()
        shown = relay.certificate()
        # What was tried is remembered.
        assert shown["state"] in ("failing", "waiting", "serving")
    if ca_does == "issues":
        assert relay.leaf(ca.root_file)
    else:
        assert ask(relay, "status")["hints"]
    assert ca.count("new-order") == 1 and len(ca.accounts) == 1


# ---- disks

def fill(folder):
    """Leaves no space in a file system."""
    with open(folder / "filler", "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(512))
        except OSError:
            pass


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_a_state_directory_that_cannot_be_written(tmp_path, trouble):
    def work():
        with ScriptedCA(tmp_path / "ca") as ca, ShiftedClock(tmp_path) as clock, AcmeRelay(tmp_path / "relay", ca) as relay:
            state = relay.directory / "state"
            mount_memory(state, "512k")
            ca.refuse("new-order", "serverInternal", "not now", 400, times=1)
            relay.start()
            relay.wait_state("failing")
            if trouble == "full":
                fill(state)
            else:
                subprocess.run(["mount", "-o", "remount,ro", state], check=True)
            # The certificate is served all the same, and the operator hears that it will not survive a restart.
            detourctl(relay, "certs", "renew")
            leaf = relay.wait_leaf(ca.root_file)
            said = plugin(relay, "cert/main")["trouble"]
            assert str(state) in said and ("No space" if trouble == "full" else "Read-only") in said, said
            assert any(hint["about"] == "cert/main" for hint in ask(relay, "status")["hints"])
            if trouble == "full":
                (state / "filler").unlink()
            else:
                subprocess.run(["mount", "-o", "remount,rw", state], check=True)

            # It is written as soon as that is possible.
            def written():
                clock.pass_time(90)
                return not plugin(relay, "cert/main")["trouble"]
            wait_until(written, "the certificate to be written")
            orders = ca.count("new-order")
            relay.stop()
            relay.start_once()
            assert relay.wait_leaf(ca.root_file) == leaf and ca.count("new-order") == orders
            relay.stop()
            subprocess.run(["umount", state], check=True)
    apart(work, mounts=True)


# ---- networks

def test_the_network_is_away_for_two_days(ca, clock, make_acme_relay):
    ca.stop()
    relay = make_acme_relay(ca, config=with_keys(CONFIG, "limits", handshake_timeout="2s"))
    shown = relay.wait_state("failing")
    assert shown["next_try"] and shown["error"] and shown["remedy"]
    for hours in range(0, 48, 24):
        # A try is due, whatever was before: they are half an hour apart at most.
        before = tries(relay)
        clock.pass_time(24 * HOUR)
        wait_until(lambda: tries(relay) > before, f"a try after {hours + 24} hours")
        assert tries(relay) == before + 1
    with pytest.raises((ssl.SSLError, ConnectionError, TimeoutError)):
        relay.connect(ca.root_file)
    ca.start()
    clock.pass_time(HOUR)
    shown = relay.wait_state("serving")
    relay.login(ca.root_file)
    assert not shown["error"] and ca.count("new-order") == 1


def test_tries_are_a_minute_apart_at_first_and_half_an_hour_at_last(ca, clock, make_acme_relay):
    ca.refuse("new-order", "rejectedIdentifier")
    relay = make_acme_relay(ca)
    relay.wait_state("failing")
    waits = []
    for _ in range(7):
        shown = relay.certificate()
        before = tries(relay)
        failed_at, next_at = (datetime.datetime.fromisoformat(shown[name].replace("Z", "+00:00")) for name in ("error_time", "next_try"))
        waits.append((next_at - failed_at).total_seconds())
        # A host that is slow lets some of the time pass by itself.
        early = int(waits[-1] / 2) if waits[-1] > 200 else 0
        clock.pass_time(early)
        ask(relay, "status")
        assert not early or tries(relay) == before, "it tried before its time"
        clock.pass_time(int(waits[-1]) - early + 2)
        wait_until(lambda: tries(relay) == before + 1, "the next try")
        relay.wait_state("failing")
    assert all(wanted <= wait <= wanted * 1.1 + 5 for wait, wanted in zip(waits, (60, 120, 240, 480, 960, 1800, 1800))), waits


# ---- clocks

def test_the_clock_jumps(ca, clock, make_acme_relay):
    relay = make_acme_relay(ca)
    leaf = relay.wait_leaf(ca.root_file)
    relay.wait_state("serving")
    assert ca.count("new-order") == 1

    def settle():
        """The loop has looked at the clock."""
        clock.pass_time(61)
        ask(relay, "status")
        relay.reload()
        ask(relay, "status")
    clock.jump(40 * DAY)
    settle()
    assert relay.leaf(ca.root_file) == leaf and ca.count("new-order") == 1
    for days in (-50 * 365, 50 * 365, -40):
        clock.jump(days * DAY)
        settle()
        assert relay.leaf(ca.root_file), days
    # By the clock it is due for good; the CA's certificates do not change that, and its limits are spared.
    clock.jump(80 * DAY)
    for _ in range(4):
        settle()
    assert relay.leaf(ca.root_file)
    assert ca.count("new-order") <= 6
    clock.jump(-80 * DAY)
    settle()
    detourctl(relay, "certs", "renew")
    relay.login(ca.root_file)


def test_a_ca_that_hangs_does_not_hold_anything_up(ca, clock, make_acme_relay):
    ca.on("directory", manner="hang")
    relay = make_acme_relay(ca)
    wait_until(lambda: ca.count("directory"), "the program to ask")
    assert relay.certificate()["state"] == "waiting"

    # Past the time of a request, and far from the end at which the program would be killed.
    clock.pass_time(120)
    shown = relay.wait_state("failing")
    assert "time" in shown["error"]
    ca.rules.clear()
    detourctl(relay, "certs", "renew")
    relay.login(ca.root_file)
