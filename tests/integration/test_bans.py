"""Bans: whom the operator keeps out, before every source of admission, across restarts and until their time is over.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import re
import subprocess

import nacl.public
import pytest

import proxy_header
from control import DETOURCTL, ask, counter, detourctl
from derp_client import PATIENCE, Client, Closed, Stream
from held_threads import held
from relay import EVERYTHING, SMALL, wait_until, with_keys
from shifted_clock import ShiftedClock
from test_forward import ask_for, forwarding, web  # pylint: disable=unused-import


def new_key():
    return nacl.public.PrivateKey.generate()


def let_in(relay, *key):
    """A client, as soon as the threads that accept connections have heard that no network is banned."""
    def come():
        with contextlib.suppress(Closed):
            return relay.door("http").client(*key)
        return None

    return wait_until(come, "it is let in")


def text_of(key):
    """A key as Tailscale writes it."""
    return f"nodekey:{bytes(getattr(key, 'public_key', key)).hex()}"


def line(key):
    return f"{text_of(key)}\n"


def friends_only(config=SMALL, **admission):
    """Who is in the file `friends` comes in."""
    config = with_keys(config, "auth friends", plugin="keys", file="{dir}/friends")
    return with_keys(config, "admission", **({"chain": "friends"} | admission))


def waiting(door, key):
    """A client that asked for its login, and has no answer yet."""
    client = door.greeted(key)
    client.stream.write(client.client_info())
    return client


def bans(relay):
    return {row["target"]: row for row in ask(relay, "bans")["bans"]}


def refused(relay, door, key):
    """A client with that key is held, and `why` says that a ban is the reason."""
    before = ask(relay)["held_count"]
    client = waiting(door, key)
    wait_until(lambda: ask(relay)["held_count"] > before, "the client is held")
    verdict = ask(relay, "why", text_of(key))["verdicts"][0]
    assert (verdict["verdict"], verdict["source"]) == ("deny", "bans"), verdict
    return client, verdict["reason"]


def in_background(relay, *arguments):
    """A ban of a network is answered when the workers have looked."""
    return subprocess.Popen([DETOURCTL, *arguments], env=os.environ | {"DETOUR_SOCKET": f"{relay.run_directory}/control"},
                            stdout=subprocess.DEVNULL)


# ---- why

def test_why_of_a_banned_key(make_relay):
    """Also of one that was connected, and has not come again: then nothing has judged it."""
    relay = make_relay(SMALL)
    client = relay.door("http").client(key := new_key())
    detourctl(relay, "ban", text_of(key), "--reason", "spam & eggs")
    client.expect_closed()
    for name in (text_of(key), key.public_key.encode().hex()[:12]):
        out, _ = detourctl(relay, "why", name)
        since, unban = out.splitlines()[:2]
        assert re.fullmatch(r"This key is banned by the operator since [\d:TZ-]+, until it is lifted: spam & eggs", since), out
        assert unban == f"To lift the ban: detourctl unban {text_of(key)}"
    row, = ask(relay, "why", text_of(key))["bans"]
    assert (row["target"], row["reason"], "until" in row) == (text_of(key), "spam & eggs", False)
    detourctl(relay, "ban", text_of(key), "--for", "1h")
    assert re.match(r"This key is banned by the operator since [\d:TZ-]+, until 2[\d:TZ-]+\n", detourctl(relay, "why", text_of(key))[0])
    detourctl(relay, "unban", text_of(key))
    assert detourctl(relay, "why", text_of(key))[0] == "There was no verdict on this key lately.\n"
    assert ask(relay, "why", text_of(key)) == {"verdicts": [], "bans": []}
    assert "begins so" in detourctl(relay, "why", "5a5a5a5a", code=1)[1]


def test_why_of_an_address_in_a_banned_network(make_relay):
    relay = make_relay(SMALL)
    client = relay.door("http").client(key := new_key())
    banning = in_background(relay, "ban", "127.0.0.0/28", "--reason", "noise")
    client.expect_closed()
    assert banning.wait(PATIENCE) == 0
    out, _ = detourctl(relay, "why", text_of(key))
    assert re.match(r"127\.0\.0\.1, where it came from, is in 127\.0\.0\.0/28, which is banned by the operator since [\d:TZ-]+, "
                    r"until it is lifted: noise\nTo lift the ban: detourctl unban 127\.0\.0\.0/28\n", out), out
    assert "banned" not in detourctl(relay, "why", text_of(new_key()))[0]


# ---- keys

@pytest.mark.parametrize("config", [SMALL, friends_only()], ids=["open", "keys"])
def test_a_banned_key_is_closed_and_kept_out_until_it_is_lifted(make_relay, config):
    key, other = new_key(), new_key()
    relay = make_relay(config, {"friends": line(key) + line(other)})
    client, stays = (relay.door("http").client(one) for one in (key, other))
    out, _ = detourctl(relay, "ban", client.key.hex()[:10], "--reason", "spam & eggs")
    assert out == f"Banned until it is lifted: {text_of(key)}; 1 connection was closed\n"
    client.expect_closed()
    stays.ping(b"12345678")
    again, reason = refused(relay, relay.door("http"), key)
    assert reason == "banned by the operator: spam & eggs"
    assert f"refused {text_of(key)} from 127.0.0.1" in relay.log
    row = bans(relay)[text_of(key)]
    assert (row["kind"], row["reason"], row["refused"] >= 1) == ("key", "spam & eggs", True) and "until" not in row
    # Who is held comes in on the spot.
    assert detourctl(relay, "unban", client.key.hex()[:10])[0] == "1 ban was lifted\n"
    again.read_server_info()
    again.ping(b"abcdefgh")
    assert bans(relay) == {} and detourctl(relay, "bans")[0] == "Nothing is banned.\n"


@pytest.mark.parametrize("privacy, key_text, address_text", [("prefix", "{digits}", "192.0.2.0/24"), ("none", "-", "-")])
def test_what_a_log_masks_of_who_is_banned(make_relay, tmp_path, privacy, key_text, address_text):
    """Lines about bans name a key or a network as lines about clients do."""
    clock = ShiftedClock(tmp_path)
    key = new_key()
    with clock:
        relay = make_relay(SMALL + f"\n[log masked]\nplugin = file\npath = {{dir}}/masked.log\nprivacy = {privacy}\n")
        for target in (text_of(key), "192.0.2.77"):
            detourctl(relay, "ban", target)
            detourctl(relay, "unban", target)
            detourctl(relay, "ban", target, "--for", "1m")
        clock.pass_time(61)
        relay.wait_log(f"the ban on {text_of(key)} is over")
        relay.wait_log("the ban on 192.0.2.77 is over")
        relay.stop()
    text = (relay.directory / "masked.log").read_text()
    assert text_of(key) not in text and "192.0.2.77" not in text
    for shown in (key_text.format(digits=text_of(key)[len("nodekey:"):][:8]), address_text):
        assert f"{shown} is banned by the operator" in text
        assert f"the operator lifts the ban on {shown}" in text and f"the ban on {shown} is over" in text


def test_a_ban_comes_before_every_source_and_holds_in_a_dry_run(make_relay):
    key, stranger = new_key(), new_key()
    relay = make_relay(friends_only(dry_run="true", refuse_hold="30s"), {"friends": line(key)})
    relay.door("http").client(stranger)
    detourctl(relay, "ban", text_of(key))
    refused(relay, relay.door("http"), key)


def test_a_key_that_is_banned_while_its_client_is_held_stays_out(make_relay):
    key = new_key()
    relay = make_relay(friends_only(refuse_hold="60s"), {"friends": line(new_key())})
    client = waiting(relay.door("http"), key)
    relay.wait_log("refused nodekey")
    detourctl(relay, "ban", text_of(key))
    since = len(relay.log)
    relay.write_file("friends", line(key))
    relay.wait_log(r"1 key from .*", since)
    wait_until(lambda: ask(relay, "why", text_of(key))["verdicts"][0]["source"] == "bans", "the verdict of the ban")
    client.stream.expect_open_and_silent(0.3)
    detourctl(relay, "unban", text_of(key))
    client.read_server_info()


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("target", ["key", "network"])
def test_a_client_on_its_way_to_its_worker_is_closed_when_it_has_arrived(make_relay, target, workers):
    key, other = new_key(), new_key()
    relay = make_relay(with_keys(friends_only(), "core", workers=workers), {"friends": line(key) + line(other)})
    # The worker has not heard of its client when the ban comes.
    with held(relay.process, "worker-"):
        client = waiting(relay.door("http"), key)
        wait_until(lambda: [row["verdict"] for row in ask(relay, "why", text_of(key))["verdicts"]] == ["allow"], "the verdict")
        process = in_background(relay, "ban", text_of(key) if target == "key" else "127.0.0.0/8")
        relay.wait_log("is banned by the operator")
    client.stream.expect_closed()
    assert process.wait(PATIENCE) == 0


def test_a_connection_with_the_mesh_key_is_not_meant_by_a_ban_of_its_key(make_relay):
    key = new_key()
    relay = make_relay(EVERYTHING)
    detourctl(relay, "ban", text_of(key))
    mesh = relay.door("http").mesh_client(key)
    mesh.ping(b"12345678")
    detourctl(relay, "ban", text_of(key))
    mesh.ping(b"87654321")
    detourctl(relay, "ban", "127.0.0.1")
    mesh.expect_closed()


# ---- networks

def test_what_was_handed_on_is_closed_too(make_relay, web):  # pylint: disable=redefined-outer-name
    server = web()
    relay = make_relay(forwarding(server))
    kept = ask_for(relay, "www.test", source=("127.0.0.9", 0))
    banned = [ask_for(relay, "www.test") for _ in range(2)]
    for stream in (kept, *banned):
        stream.write(b"hello")
        assert stream.read(5) == b"hello"
    detourctl(relay, "ban", "127.0.0.1")
    for stream in banned:
        stream.expect_closed()
    wait_until(lambda: counter(relay, "forwarded_ended") == 2, "both are over")
    assert counter(relay, "forwarded_banned") == 2
    kept.write(b"hello")
    assert kept.read(5) == b"hello"



def closed_at_once(address, **options):
    """A connection that is ended before anything was said."""
    stream = Stream.connect(address, **options)
    try:
        stream.expect_closed()
    finally:
        stream.close()


@pytest.mark.parametrize("network", ["127.0.0.0/8", "127.0.0.1", "::ffff:127.0.0.1", "::ffff:127.0.0.0/104"])
def test_a_banned_network_is_turned_away_when_it_connects(make_relay, network):
    relay = make_relay(with_keys(SMALL, "transport http", listen="127.0.0.1:{http}; [::]:{both}"))
    client = relay.door("http").client()
    half = Stream.connect(relay.door("http").address)
    detourctl(relay, "ban", network)
    client.expect_closed()
    half.expect_closed()
    closed_at_once(relay.door("http").address)
    # A socket for both families sees an IPv4 address inside IPv6.
    closed_at_once(("127.0.0.1", relay.ports["both"]))
    assert counter(relay, "connections_banned") >= 3
    six = Client(Stream.connect(("::1", relay.ports["both"]))).login(fast=False)
    six.ping(b"12345678")
    detourctl(relay, "unban", network)
    let_in(relay).ping(b"12345678")
    six.close()


def test_networks_of_ipv6(make_relay):
    relay = make_relay(with_keys(SMALL, "transport http", listen="[::1]:{six}; 127.0.0.1:{http}"))
    client = Client(Stream.connect(("::1", relay.ports["six"]))).login(fast=False)
    other = relay.door("http").client()
    out, _ = detourctl(relay, "ban", "::1/128", "2001:DB8::/32")
    assert out == "Banned until it is lifted: 2 targets; 1 connection was closed\n"
    client.expect_closed()
    closed_at_once(("::1", relay.ports["six"]))
    other.ping(b"12345678")
    assert set(bans(relay)) == {"::1", "2001:db8::/32"}


def test_behind_a_proxy_the_clients_address_counts(make_relay):
    config = with_keys(SMALL, "transport http", listen="127.0.0.1:{http}", proxy_protocol="accept", trusted_proxies="127.0.0.1")
    relay = make_relay(config)

    def through_proxy(source):
        stream = relay.door("http").stream()
        stream.write(proxy_header.v1(source, 4711))
        return stream

    bad, good = (relay.door("http").client(stream=through_proxy(source)) for source in ("192.0.2.1", "198.51.100.1"))
    detourctl(relay, "ban", "192.0.2.0/24")
    bad.expect_closed()
    good.ping(b"12345678")
    through_proxy("192.0.2.9").expect_closed()
    relay.door("http").client(stream=through_proxy("198.51.100.2")).ping(b"12345678")
    # The proxy's own address is not meant for those whom it hands on, and is for itself.
    detourctl(relay, "ban", "127.0.0.1")
    relay.door("http").client(stream=through_proxy("198.51.100.3")).ping(b"12345678")
    refused(relay, relay.door("http"), new_key())


def test_very_large_networks_need_force(make_relay):
    relay = make_relay(SMALL)
    for network in ("0.0.0.0/0", "::/0", "0.0.0.0/7", "2000::/3", "::/64", "::ffff:0.0.0.0/96"):
        assert "--force" in detourctl(relay, "ban", network, code=2)[1], network
    assert bans(relay) == {}
    for network in ("10.0.0.0/8", "2001::/16"):
        detourctl(relay, "ban", network)
    detourctl(relay, "ban", "0.0.0.0/0", "--force")
    closed_at_once(relay.door("http").address)
    # The operator's own connection is no matter.
    detourctl(relay, "unban", "0.0.0.0/0")
    let_in(relay)


def test_what_is_no_target_is_said(make_relay):
    relay = make_relay(SMALL)
    for target, text in (("nodekey:12", "is not a key"), ("kitchen", "is not a key"), ("10.0.0.1/33", "from 0 to 32"),
                         ("10.0.0.1/8", "bits set beyond"), ("10.0.0", "is not a network"), ("example.com", "is not a network"),
                         ("privkey:" + "0" * 64, "is not")):
        assert text in detourctl(relay, "ban", target, code=2)[1], target
    assert "no client with a key that begins so" in detourctl(relay, "ban", "abcd1234", code=1)[1]
    assert "--for" in detourctl(relay, "ban", "10.0.0.1", "--for", "soon", code=2)[1]
    assert "one line" in detourctl(relay, "ban", "10.0.0.1", "--reason", "a\nb", code=2)[1]
    assert "is not banned" in detourctl(relay, "unban", "10.0.0.1", code=1)[1]
    assert bans(relay) == {}


# ---- time and disk

def test_bans_last_beyond_a_restart_and_end_by_the_wall_clock(make_relay, tmp_path):
    clock = ShiftedClock(tmp_path)
    key, other = new_key(), new_key()
    with clock:
        # Whoever is held stays so for longer than the ban lasts.
        relay = make_relay(SMALL.replace("chain = open", "chain = open\nrefuse-hold = 1h"))
        detourctl(relay, "ban", text_of(key), "--for", "50m", "--reason", "a while")
        detourctl(relay, "ban", "192.0.2.0/24", "--for", "3h")
        detourctl(relay, "ban", text_of(other))
        before = bans(relay)
        assert (relay.directory / "state" / "bans").stat().st_mode & 0o777 == 0o600
        relay.stop()
        relay.start()
        after = bans(relay)
        assert {name: row | {"refused": 0} for name, row in before.items()} == after
        held_client, reason = refused(relay, relay.door("http"), key)
        assert reason.startswith("banned by the operator until 20") and reason.endswith(": a while")
        clock.pass_time(3000)
        held_client.read_server_info()
        relay.door("http").client(key)
        relay.wait_log(f"the ban on {text_of(key)} is over")
        assert set(bans(relay)) == {"192.0.2.0/24", text_of(other)}
        # What is over while the daemon is away is over.
        relay.stop()
        clock.pass_time(7800)
        relay.start()
        assert set(bans(relay)) == {text_of(other)}


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 500, b"detour-bans 2\n", b"detour-bans 1\n0.0.0.0/0\n",
                                     b"detour-bans 1\n{good}\nnodekey:12 1 0\n", b"detour-bans 1\n{good}\n{good}"])
def test_a_broken_file_is_set_aside_and_what_can_be_read_counts(make_relay, content):
    key = new_key()
    relay = make_relay(SMALL)
    relay.stop()
    content = content.replace(b"{good}", f"{text_of(key)} 1700000000000000 0 spam".encode())
    (relay.directory / "state" / "bans").write_bytes(content)
    relay.start()
    relay.wait_log("bans:[0-9]+: not as the daemon writes it")
    assert (relay.directory / "state" / "bans.broken").read_bytes() == content
    assert set(bans(relay)) == ({text_of(key)} if b" spam" in content else set())
    detourctl(relay, "ban", "192.0.2.1")
    relay.stop()
    relay.start()
    assert "192.0.2.1" in bans(relay)


def test_a_ban_that_cannot_be_written_holds_and_says_so(make_relay):
    key = new_key()
    relay = make_relay(SMALL)
    (relay.directory / "state" / "bans").mkdir()
    ((relay.directory / "state" / "bans") / "x").write_text("")
    assert "could not be written down" in detourctl(relay, "ban", text_of(key), code=1)[1]
    refused(relay, relay.door("http"), key)


def test_ten_thousand_bans(make_relay):
    key = new_key()
    relay = make_relay(SMALL)
    networks = [f"10.{i >> 8}.{i & 255}.0/24" for i in range(5000)] + [f"2001:db8:{i:x}::/48" for i in range(1, 5000)]
    relay.stop()
    (relay.directory / "state" / "bans").write_text(
        "detour-bans 1\n" + "".join(f"{target} 1700000000000000 0\n" for target in [*networks, text_of(key)]))
    relay.start()
    relay.door("http").client().ping(b"12345678")
    refused(relay, relay.door("http"), key)
    first = ask(relay, "bans", "--limit", "1500", "--timeout=25s")["bans"]
    assert [row["target"] for row in first] == networks[:1500]
    detourctl(relay, "ban", "127.0.0.1")
    closed_at_once(relay.door("http").address)
    detourctl(relay, "unban", "127.0.0.1", text_of(key), *networks[:100])
    let_in(relay, key).ping(b"12345678")
    relay.stop()
    kept = (relay.directory / "state" / "bans").read_text().splitlines()
    assert [row.split()[0] for row in kept[1:]] == networks[100:]


def test_there_is_a_limit_to_the_number_of_bans(make_relay):
    relay = make_relay(SMALL)
    relay.stop()
    (relay.directory / "state" / "bans").write_text(
        "detour-bans 1\n" + "".join(f"10.{i >> 8}.{i & 255}.0/24 1700000000000000 0\n" for i in range(16384)))
    relay.start()
    assert "there can be 16384" in detourctl(relay, "ban", "192.0.2.1", code=1)[1]
    detourctl(relay, "unban", "10.0.0.0/24")
    detourctl(relay, "ban", "192.0.2.1")
