"""Admission by a tailscaled that is well, slow, silent, lying, dead, or changes its mind.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import signal
import subprocess

import nacl.public
import pytest

from derp_client import PATIENCE
from held_threads import held
from local_api import Tailscaled
from relay import DETOURD, EVERYTHING, with_keys, wait_until

# Everything that is not an answer, and what the log says of it.
TROUBLES = {
    "dead": "cannot connect to .*: Connection refused",
    "silent": "no answer from .* within 100. ms",
    "lies": "its answer is not JSON",
    "closes": "closed the connection before it had answered",
    "half": "closed the connection before it had answered",
    "huge": "longer than 1024 KiB",
    "no http": "does not speak HTTP",
    500: "it answered with status 500",
    403: "it does not let us ask",
    "logged out": r"not connected to its network \(NeedsLogin\)",
}


def asks_tailscaled(timeout="1s", admission=None, **auth):
    """A configuration that asks the fake one."""
    config = with_keys(EVERYTHING, "auth tailscaled", socket="{run}/tailscaled.sock", timeout=timeout, **auth)
    return with_keys(config, "admission", **({"chain": "tailscaled", "refuse_hold": "0s"} | (admission or {})))


@pytest.fixture(name="start")
def fixture_start(make_relay):
    """Starts a relay, and a tailscaled before it unless told otherwise; gives both."""
    daemons = []

    def start(config=None, daemon=True, files=None, **admission):
        relay = make_relay(config or asks_tailscaled(admission=admission), files, start=False)
        tailscaled = Tailscaled(f"{relay.run_directory}/tailscaled.sock")
        daemons.append(tailscaled)
        if daemon:
            tailscaled.start()
        return relay.start(), tailscaled

    yield start
    for tailscaled in daemons:
        tailscaled.stop()


def new_key():
    return nacl.public.PrivateKey.generate()


def waiting(relay, key=None):
    """A client that asked for its login, and has no answer yet."""
    client = relay.door().greeted(key)
    client.stream.write(client.client_info())
    return client


def break_it(tailscaled, trouble):
    """From now on it is in trouble."""
    if trouble == "dead":
        tailscaled.stop()
    elif trouble == "logged out":
        tailscaled.state = "NeedsLogin"
    else:
        tailscaled.manner = trouble


def forget_verdicts(relay, config):
    """Starts the auth instance again with other settings, so that nothing is answered from memory."""
    relay.reload(config.replace("timeout = 1s", "timeout = 1001ms"))


def why(relay, key):
    """The verdicts on a key that detourctl shows."""
    output = subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", "--json", "why",
                             f"nodekey:{key.hex()}"], capture_output=True, check=True, timeout=PATIENCE).stdout
    return json.loads(output)


def test_nodes_of_the_tailnet_come_in(start):
    relay, tailscaled = start()
    one, two = new_key(), new_key()
    tailscaled.add(one.public_key)
    tailscaled.add(two.public_key, "server", "tagged-devices")
    a, b = relay.door().client(one), relay.door("tls").client(two)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")
    assert f"client {a.key.hex()[:8]} laptop (anna@example.com): connected" in relay.log
    assert f"client {b.key.hex()[:8]} server (tagged-devices): connected" in relay.log
    assert why(relay, a.key)["verdicts"][0]["label"] == "laptop (anna@example.com)"


def test_others_do_not(start):
    relay, _ = start()
    client = waiting(relay)
    client.expect_closed()
    assert f"refused nodekey:{client.key.hex()} from 127.0.0.1:" in relay.log
    assert "tailscaled does not know it (auth/tailscaled)" in relay.log


def test_mesh_clients_are_not_asked_about(start):
    relay, tailscaled = start()
    client = relay.door().mesh_client()
    client.ping(b"12345678")
    assert client.key.hex() not in tailscaled.asked


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_keeps_strangers_out_and_friends_in(start, trouble):
    config = asks_tailscaled()
    relay, tailscaled = start(config)
    key = new_key()
    tailscaled.add(key.public_key)
    friend = relay.door().client(key)
    break_it(tailscaled, trouble)
    forget_verdicts(relay, config)

    stranger = waiting(relay)
    stranger.expect_closed()
    relay.wait_log(TROUBLES[trouble])
    # The friend is connected still, and would be let in again.
    friend.ping(b"12345678")
    again = relay.door().client(key)
    again.send_packet(again.key, b"here")
    again.expect_packet(again.key, b"here")
    verdict = why(relay, again.key)["verdicts"][0]
    assert verdict["grace"] and verdict["reason"].startswith("allowed before, and now: ")


@pytest.mark.parametrize("trouble", ["dead", "silent"])
def test_without_grace_nobody_new_comes_in(start, trouble):
    config = asks_tailscaled(admission={"grace": "0s"})
    relay, tailscaled = start(config)
    key = new_key()
    tailscaled.add(key.public_key)
    friend = relay.door().client(key)
    break_it(tailscaled, trouble)
    forget_verdicts(relay, config)
    waiting(relay, key).expect_closed()
    friend.ping(b"12345678")


def test_who_is_held_comes_in_when_tailscaled_changes_its_mind(start):
    relay, tailscaled = start(refuse_hold="10m", negative_ttl="10m")
    client = waiting(relay)
    wait_until(lambda: "refused nodekey:" in relay.log, "a refusal")
    tailscaled.add(client.secret.public_key)
    client.read_server_info()
    client.ping(b"12345678")


@pytest.mark.parametrize("trouble", ["dead", "silent", "lies", 500, "logged out"])
def test_who_is_held_comes_in_when_tailscaled_is_back(start, trouble):
    relay, tailscaled = start(refuse_hold="10m")
    break_it(tailscaled, trouble)
    client = waiting(relay)
    wait_until(lambda: "refused nodekey:" in relay.log, "a refusal")
    tailscaled.add(client.secret.public_key)
    if trouble == "dead":
        tailscaled.start()
    tailscaled.manner, tailscaled.state = "answers", "Running"
    client.read_server_info()
    client.ping(b"12345678")
    relay.wait_log("auth/tailscaled: tailscaled answers again")
    # Nobody wants to read it twice, from the plugin and from core.
    assert len(re.findall(r" warning .*instance=auth/tailscaled", relay.log)) == 1, relay.log
    assert relay.log.count("answers again") == 1, relay.log


def test_tailscaled_may_start_after_the_relay(start):
    relay, tailscaled = start(daemon=False, refuse_hold="10m")
    relay.wait_log("auth/tailscaled: cannot connect to .*/tailscaled.sock: No such file or directory; since ")
    client = waiting(relay)
    wait_until(lambda: "refused nodekey:" in relay.log, "a refusal")
    tailscaled.add(client.secret.public_key)
    tailscaled.start()
    client.read_server_info()


def test_tailscaled_may_start_again(start):
    relay, tailscaled = start()
    for _ in range(3):
        key = new_key()
        tailscaled.add(key.public_key)
        relay.door().client(key).ping(b"12345678")
        tailscaled.stop()
        tailscaled.start()


def test_a_silent_tailscaled_holds_up_nobody_else(start):
    """Neither packets nor who is known to another source, nor mesh peers, nor who was allowed before."""
    config = asks_tailscaled(timeout="1m", admission={"chain": "tailscaled;friends", "timeout": "10m"})
    config = with_keys(config, "auth friends", plugin="keys", file="{dir}/friends")
    config = with_keys(config, "limits", half_open_per_source="off")
    key, listed = new_key(), new_key()
    relay, tailscaled = start(config, files={"friends": f"nodekey:{bytes(listed.public_key).hex()}\n"})
    tailscaled.add(key.public_key)
    known = relay.door().client(key)
    tailscaled.manner = "silent"
    relay.reload(config.replace("timeout = 1m", "timeout = 59s"))

    strangers = [waiting(relay) for _ in range(200)]
    mesh = relay.door().mesh_client()
    friend = relay.door("tls").client(listed)
    again = relay.door().client(key)
    for one, other in ((known, friend), (friend, mesh), (again, mesh)):
        one.send_packet(other.key, b"hello")
        other.expect_packet(one.key, b"hello")
    for stranger in strangers[:5]:
        stranger.stream.expect_open_and_silent(0.01)
    assert "connection closed before it was registered, not admitted" not in relay.log


def test_a_slow_tailscaled_is_waited_for(start):
    relay, tailscaled = start(asks_tailscaled(timeout="20s", admission={"timeout": "30s"}))
    keys = [new_key() for _ in range(30)]
    for key in keys:
        tailscaled.add(key.public_key)
    tailscaled.delay = 0.5
    clients = [waiting(relay, key) for key in keys]
    for client in clients:
        client.read_server_info()


def test_an_answer_that_takes_four_seconds_is_believed(start):
    # With the default limits, of which the one for a verdict is 5 s.
    config = with_keys(EVERYTHING, "auth tailscaled", socket="{run}/tailscaled.sock")
    relay, tailscaled = start(with_keys(config, "admission", chain="tailscaled", refuse_hold="0s"))
    key = new_key()
    tailscaled.add(key.public_key)
    tailscaled.delay = 4
    waiting(relay, key).read_server_info()


def test_a_question_has_its_time_and_no_more(start):
    relay, tailscaled = start(asks_tailscaled(timeout="1m", admission={"timeout": "200ms"}))
    tailscaled.manner = "silent"
    waiting(relay).expect_closed()
    assert "no answer in time (auth/tailscaled)" in relay.log


@pytest.mark.parametrize("ttl, remembered", [("10m", True), ("0s", False)])
def test_denials_are_remembered_as_long_as_configured(start, ttl, remembered):
    relay, tailscaled = start(negative_ttl=ttl)
    key = new_key()
    for _ in range(3):
        waiting(relay, key).expect_closed()
    verdicts = why(relay, bytes(key.public_key))["verdicts"]
    assert any(verdict["cached"] for verdict in verdicts) == remembered
    if not remembered:
        assert tailscaled.asked.count(bytes(key.public_key).hex()) >= 3


def test_a_node_that_leaves_the_tailnet_is_closed(start):
    relay, tailscaled = start(recheck="1s")
    one, two = new_key(), new_key()
    tailscaled.add(one.public_key)
    tailscaled.add(two.public_key)
    a, b = relay.door().client(one), relay.door("tls").client(two)
    tailscaled.remove(one.public_key)
    a.expect_closed()
    b.ping(b"12345678")
    assert f"closing nodekey:{a.key.hex()}, which is not admitted any more: tailscaled does not know it" in relay.log
    waiting(relay, one).expect_closed()


@pytest.mark.parametrize("trouble", ["dead", "silent", "lies", "logged out"])
def test_trouble_closes_nobody(start, trouble):
    relay, tailscaled = start(recheck="1s", grace="0s")
    key = new_key()
    tailscaled.add(key.public_key)
    client = relay.door().client(key)
    break_it(tailscaled, trouble)
    relay.wait_log(TROUBLES[trouble])
    client.ping(b"12345678")
    verdict = wait_until(lambda: [v for v in why(relay, client.key)["verdicts"] if v["recheck"] and v["reason"]], "a recheck")
    assert verdict[0]["verdict"] == "unavailable"
    client.ping(b"12345678")


def test_a_dry_run_lets_pass_and_says_so(start):
    relay, _ = start(dry_run="true")
    client = relay.door().client()
    client.ping(b"12345678")
    assert re.search(f"would refuse nodekey:{client.key.hex()}: tailscaled does not know it .*dry-run", relay.log)


def test_draining_waits_for_a_held_client_that_is_asked_about_again(start):
    relay, tailscaled = start(asks_tailscaled(timeout="1m", admission={"refuse_hold": "10m", "timeout": "10m"}))
    client = waiting(relay)
    relay.wait_log("refused nodekey:")
    tailscaled.manner = "silent"
    before = set(tailscaled.connections)
    relay.reload(with_keys(relay.config, "admission", negative_ttl="1s"))
    wait_until(lambda: tailscaled.connections - before, "the question is asked again")
    relay.process.send_signal(signal.SIGUSR1)
    relay.wait_log("draining")
    client.stream.expect_open_and_silent(1.5)
    assert relay.process.poll() is None
    client.close()
    relay.wait_log("drained")
    relay.wait_end()


def last_verdict(relay, key):
    """The last verdict on a key and how it came about; nothing while there is none."""
    verdicts = why(relay, bytes(key.public_key))["verdicts"]
    return (verdicts[0]["verdict"], verdicts[0]["grace"]) if verdicts else None


@pytest.mark.parametrize("workers", [1, 4])
def test_a_key_that_is_struck_off_while_its_client_is_on_its_way(start, workers):
    key, other = new_key(), new_key()
    friends = [f"nodekey:{bytes(friend.public_key).hex()}\n" for friend in (key, other)]
    config = with_keys(asks_tailscaled(timeout="20s"), "auth friends", plugin="keys", file="{dir}/friends")
    config = with_keys(config, "admission", chain="friends; tailscaled", match="all", timeout="30s", recheck="off")
    relay, tailscaled = start(with_keys(config, "core", workers=workers), files={"friends": "".join(friends)})
    for friend in (key, other):
        tailscaled.add(friend.public_key)
    stays = relay.door().client(other)

    # The verdict is there, and the thread that has the client has not heard of it when the key is struck off.
    tailscaled.gate.clear()
    client = waiting(relay, key)
    wait_until(lambda: client.key.hex() in tailscaled.asked, "the question")
    with held(relay.process, "handshake-"):
        tailscaled.gate.set()
        wait_until(lambda: last_verdict(relay, key) == ("allow", False), "the verdict")
        relay.write_file("friends", friends[1])
        relay.wait_log("1 key from .*, 2 before")
    client.stream.expect_closed()
    assert f"closing nodekey:{client.key.hex()}, which is not admitted any more: not in" in relay.log
    stays.ping(b"12345678")


@pytest.mark.parametrize("workers", [1, 4])
def test_who_came_in_by_grace_is_closed_even_on_the_way(start, workers):
    config = with_keys(asks_tailscaled(timeout="20s", admission={"timeout": "30s", "recheck": "off"}), "core",
                       workers=workers)
    key = new_key()
    relay, tailscaled = start(config)
    tailscaled.add(key.public_key)
    relay.door().client(key)
    tailscaled.gate.clear()
    relay.reload(config.replace("timeout = 20s", "timeout = 21s"))

    # Grace lets it in while tailscaled is late; its worker has not heard of it when the denial comes.
    with held(relay.process, "worker-"):
        client = waiting(relay, key)
        wait_until(lambda: last_verdict(relay, key) == ("allow", True), "the first verdict")
        tailscaled.remove(key.public_key)
        tailscaled.gate.set()
        wait_until(lambda: last_verdict(relay, key) == ("deny", False), "the last verdict")
    client.stream.expect_closed()
