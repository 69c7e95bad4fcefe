"""Tenants: whose client a connection is, what its tenant decides about it, and that tenants come and go.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import signal
import socket
import ssl
import time

import pytest

from certs import Certificate
from control import ask, counter, detourctl
from derp_client import Frame, disco
from relay import EVERYTHING, run_detourd, wait_until, with_keys, without_group
from test_admission import line, new_key
from test_events import monitor, now
from test_gone import DISCONNECTED, NOT_HERE
from test_websocket import entered
from websocket import WebSocket

NAMES = ("relay.test", "*.relay.test")
NOBODY = "# nobody\n"


def hosted(**admission):
    """A configuration with a certificate for NAMES and two lists of keys."""
    config = with_keys(EVERYTHING, "cert main", plugin="file", chain_file="{dir}/chain.pem", key_file="{dir}/key.pem")
    config = "\n".join(line for line in config.splitlines() if not line.startswith("names = ")) + "\n"
    for name in ("reds", "blues"):
        config = with_keys(config, f"auth {name}", plugin="keys", file="{dir}/" + name)
    return with_keys(config, "admission", **({"chain": "reds"} | admission))


def files(reds=(), blues=()):
    """What goes with it: who is on the lists."""
    certificate = Certificate(*NAMES)
    return {"chain.pem": certificate.pem, "key.pem": certificate.key_pem,
            "reds": "".join(map(line, reds)) or NOBODY, "blues": "".join(map(line, blues)) or NOBODY}


def two_tenants(**keys):
    """Two on one listener, each with a chain of its own."""
    config = with_keys(hosted(chain="open"), "tenant red", **({"names": "red.relay.test", "chain": "reds"} | keys))
    return with_keys(config, "tenant blue", **({"names": "blue.relay.test", "chain": "blues"} | keys))


def enter(relay, name, key=None, transport="tls", **login):
    """A client that asks for @name and is logged in."""
    door = relay.door(transport)
    return door.client(key, stream=door.stream(tls={"server_name": name}), **login)


def tenant_of(relay, client):
    """The tenants of all connections with a key, sorted; "" is none."""
    return sorted(row.get("tenant", "") for row in ask(relay, "clients")["clients"]
                  if row["key"] == f"nodekey:{client.key.hex()}")


def expect_refused(relay, name, key):
    """A client that asks for @name is held or closed, and hears no ServerInfo."""
    door = relay.door("tls")
    since = len(relay.log)
    client = door.greeted(key, stream=door.stream(tls={"server_name": name}))
    client.stream.write(client.client_info())
    relay.wait_log(f"refused nodekey:{client.key.hex()}", since)
    client.close()


# ---- whose client it is

def test_each_tenant_on_one_listener_has_its_own_chain(make_relay):
    red, blue = new_key(), new_key()
    relay = make_relay(two_tenants(), files([red], [blue]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    assert (tenant_of(relay, a), tenant_of(relay, b)) == (["red"], ["blue"])
    expect_refused(relay, "red.relay.test", blue)
    expect_refused(relay, "blue.relay.test", red)
    # Who asks for no name of a tenant is of none, and there the chain is open.
    other = enter(relay, "relay.test")
    assert tenant_of(relay, other) == [""]


@pytest.mark.parametrize("transport", ["tls12", "tls-gnutls", "tls-export"])
@pytest.mark.parametrize("way", ["upgrade", "websocket"])
def test_every_record_layer_tells_the_name(make_relay, transport, way):
    relay = make_relay(two_tenants(chain="open"), files())
    door = relay.door(transport)
    versions = {"maximum": ssl.TLSVersion.TLSv1_2} if transport == "tls12" else {}
    for name in ("red", "blue"):
        stream = door.stream(tls={"server_name": f"{name}.relay.test"} | versions)
        client = entered(WebSocket.open(stream)) if way == "websocket" else door.client(stream=stream)
        assert tenant_of(relay, client) == [name]


def test_the_host_of_a_request_chooses_nothing(make_relay):
    relay = make_relay(two_tenants(), files())
    door = relay.door("tls")
    stream = door.stream(tls={"server_name": "relay.test"})
    client = door.fresh(stream=stream)
    client.stream.write(client.request_head().replace(b"Host: relay.test", b"Host: red.relay.test") + client.client_info())
    assert client.stream.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    client.read_server_key()
    client.read_server_info()
    assert tenant_of(relay, client) == [""]
    expect_refused(relay, "red.relay.test", new_key())


def test_a_tenant_by_its_listener(make_relay):
    key = new_key()
    config = with_keys(hosted(chain="open"), "tenant red", listeners="http", names="*.relay.test", chain="reds")
    relay = make_relay(config, files([key]))
    assert tenant_of(relay, relay.door("http").client(key)) == ["red"]
    assert tenant_of(relay, enter(relay, "what.relay.test", key)) == ["red", "red"]
    assert tenant_of(relay, relay.door("tls").client()) == [""]


def test_an_exact_name_goes_before_a_pattern_and_case_does_not_count(make_relay):
    config = with_keys(hosted(chain="open"), "tenant many", names="*.relay.test")
    config = with_keys(config, "tenant one", names="One.Relay.Test")
    relay = make_relay(config, files())
    assert tenant_of(relay, enter(relay, "oNe.relay.test")) == ["one"]
    assert tenant_of(relay, enter(relay, "two.relay.test")) == ["many"]
    # The pattern stands for one label.
    assert tenant_of(relay, enter(relay, "a.b.relay.test")) == [""]


# ---- isolation

def test_tenants_do_not_know_each_other(make_relay):
    relay = make_relay(two_tenants(), files([red := new_key()], [blue := new_key()]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    none = enter(relay, "relay.test")
    for sender, target in [(a, b), (b, a), (a, none), (none, a), (none, b)]:
        sender.send_packet(target.key, disco())
        sender.expect_gone(target.key, NOT_HERE)
    for client in (a, b, none):
        assert client.frames_until_own() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_one_key_in_two_tenants_is_two_clients(make_relay, workers):
    key, red, blue = new_key(), new_key(), new_key()
    relay = make_relay(with_keys(two_tenants(), "core", workers=workers), files([key, red], [key, blue]))
    in_red, in_blue = enter(relay, "red.relay.test", key), enter(relay, "blue.relay.test", key)
    assert tenant_of(relay, in_red) == ["blue", "red"]
    assert "event=duplicate" not in relay.log and not any("told" in row for row in ask(relay, "clients")["clients"])
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    for n in range(3):
        a.send_packet(in_red.key, b"to red %d" % n)
        in_red.expect_packet(a.key, b"to red %d" % n)
        b.send_packet(in_blue.key, b"to blue %d" % n)
        in_blue.expect_packet(b.key, b"to blue %d" % n)
        in_red.send_packet(a.key, b"from red")
        a.expect_packet(in_red.key, b"from red")
        in_blue.send_packet(b.key, b"from blue")
        b.expect_packet(in_blue.key, b"from blue")
    # One of them leaves, of which only those who got packets there hear.
    in_red.close()
    a.expect_gone(in_red.key, DISCONNECTED)
    assert b.frames_until_own() == []
    b.send_packet(in_blue.key, b"still")
    in_blue.expect_packet(b.key, b"still")


def test_tenants_that_are_not_isolated_share_the_relay(make_relay):
    relay = make_relay(two_tenants(isolate="false"), files([red := new_key()], [blue := new_key()]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    none = enter(relay, "relay.test")
    for sender, target in [(a, b), (b, none), (none, a)]:
        sender.send_packet(target.key, b"hello")
        target.expect_packet(sender.key, b"hello")


def test_the_mesh_does_not_see_isolated_tenants(make_relay):
    relay = make_relay(two_tenants(), files([red := new_key()]))
    watcher = relay.door("tls").mesh_client()
    watcher.send(Frame.WATCH_CONNS)
    assert watcher.expect(Frame.PEER_PRESENT)[:32] == watcher.key
    a = enter(relay, "red.relay.test", red)
    watcher.forward_packet(new_key().public_key.encode(), a.key, b"from afar")
    watcher.send(Frame.CLOSE_PEER, a.key)
    assert watcher.frames_until_own() == []
    assert a.frames_until_own() == []
    a.close()
    wait_until(lambda: tenant_of(relay, a) == [], "it left")
    assert watcher.frames_until_own() == []


# ---- reload

def test_a_tenant_that_goes_takes_its_clients_along(make_relay):
    relay = make_relay(two_tenants(), files([red := new_key()], [blue := new_key()]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    none = enter(relay, "relay.test")
    relay.reload(without_group(two_tenants(), "tenant red"))
    a.expect_closed()
    relay.wait_log(f"closing nodekey:{a.key.hex()}, whose tenant red is not there any more")
    assert b.frames_until_own() == [] and none.frames_until_own() == []
    # The name is nobody's now; the chain of [admission] is open.
    assert tenant_of(relay, enter(relay, "red.relay.test", red)) == [""]


def test_a_tenant_that_appears_takes_the_clients_that_are_its_own(make_relay):
    config = without_group(two_tenants(), "tenant red")
    relay = make_relay(config, files([red := new_key()]))
    a, none = enter(relay, "red.relay.test", red), enter(relay, "relay.test")
    relay.reload(two_tenants())
    a.expect_closed()
    assert none.frames_until_own() == []
    assert tenant_of(relay, enter(relay, "red.relay.test", red)) == ["red"]


def test_a_reload_that_changes_nothing_closes_nobody(make_relay):
    relay = make_relay(two_tenants(), files([red := new_key()], [blue := new_key()]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    relay.reload()
    assert a.frames_until_own() == []
    relay.reload(with_keys(two_tenants(), "tenant red", names="red.relay.test;more.relay.test"))
    late = enter(relay, "more.relay.test", red)
    for client in (b, late):
        assert client.frames_until_own() == []
    assert tenant_of(relay, a) == ["red", "red"]


def test_a_change_of_isolation_closes_the_clients_of_the_tenant(make_relay):
    relay = make_relay(two_tenants(), files([red := new_key()], [blue := new_key()]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    relay.reload(with_keys(two_tenants(), "tenant red", isolate="false"))
    a.expect_closed()
    assert b.frames_until_own() == []
    a, none = enter(relay, "red.relay.test", red), enter(relay, "relay.test")
    a.send_packet(none.key, b"hello")
    none.expect_packet(a.key, b"hello")


def test_another_chain_and_class_reach_who_is_connected(make_relay):
    relay = make_relay(two_tenants(), files([red := new_key(), both := new_key()], [both]))
    a, b = enter(relay, "red.relay.test", red), enter(relay, "red.relay.test", both)
    config = with_keys(two_tenants(), "tenant red", chain="blues", **{"class": "slow"})
    relay.reload(with_keys(config, "class slow", receive_rate="1K"))
    a.expect_closed()
    assert b.frames_until_own() == []
    wait_until(lambda: ask(relay, "clients")["clients"][0].get("class") == "slow", "the class of the tenant")


@pytest.mark.parametrize("recheck", ["off", "10m"])
def test_a_tenant_goes_from_an_open_relay_as_well(make_relay, recheck):
    config = hosted(chain="open", recheck=recheck)
    relay = make_relay(with_keys(config, "tenant red", names="red.relay.test"), files())
    a, mesh, none = enter(relay, "red.relay.test"), relay.door("tls").mesh_client(), enter(relay, "relay.test")
    relay.reload(config)
    a.expect_closed()
    assert none.frames_until_own() == [] and mesh.frames_until_own() == []
    assert ask(relay, "status")["tenants"] == []


def test_tenants_come_and_go_while_clients_come(make_relay):
    """Whoever comes meanwhile ends up where it belongs, or is closed."""
    key = new_key()
    without = hosted(chain="open")
    config = with_keys(without, "tenant red", names="red.relay.test", chain="reds")
    relay = make_relay(config, files([key]))
    for n in range(6):
        since = len(relay.log)
        relay.write_config(without if n % 2 == 0 else config)
        relay.process.send_signal(signal.SIGHUP)
        for _ in range(5):
            client = enter(relay, "red.relay.test", key, CanAckPings=False)
            client.close()
        relay.wait_log(r"reloaded(?!,)", since)
    last = enter(relay, "red.relay.test", key)
    wait_until(lambda: tenant_of(relay, last) == ["red"], "the others left")


def test_the_quota_of_a_tenant_is_its_own(make_relay):
    config = with_keys(two_tenants(chain="open"), "tenant red", quota="1M", over_quota="close")
    relay = make_relay(config, files())
    a, b = enter(relay, "red.relay.test"), enter(relay, "blue.relay.test")
    for _ in range((1 << 20) // 60000 + 1):  # no more, for it is closed then
        a.send_packet(a.key, bytes(60000))
        a.expect_packet(a.key, bytes(60000))
        b.send_packet(b.key, bytes(60000))
        b.expect_packet(b.key, bytes(60000))
    a.expect_closed()
    assert b.frames_until_own() == []
    expect_refused(relay, "red.relay.test", new_key())
    assert "tenant red has used up its quota of 1M" in relay.log
    levels = {row.get("name"): row["level"] for row in ask(relay, "budgets")["budgets"]}
    assert (levels["red"], levels["blue"]) == ("over", "ok")


def test_who_is_held_comes_in_when_a_tenant_appears(make_relay):
    key = new_key()
    config = hosted(refuse_hold="10m")
    relay = make_relay(config, files(blues=[key]))
    door = relay.door("tls")
    client = door.greeted(key, stream=door.stream(tls={"server_name": "blue.relay.test"}))
    client.stream.write(client.client_info())
    relay.wait_log("event=client-refused")
    relay.reload(with_keys(config, "tenant blue", names="blue.relay.test", chain="blues"))
    client.read_server_info()
    assert tenant_of(relay, client) == ["blue"]


def test_an_invitation_can_be_taken_back(make_relay):
    name, other = "k7q2mzd4vx.relay.test", "p0c8wn3rtf.relay.test"
    config = with_keys(hosted(), "tenant guests", names=name, chain="open")
    relay = make_relay(config, files([friend := new_key()]))
    # Who checks certificates, as clients do, finds the wildcard good for the name, and for any other.
    trusts = ssl.create_default_context(cadata=(relay.directory / "chain.pem").read_text())
    shown = set()
    for asked in (name, other):
        with socket.create_connection(relay.address("https")) as plain, trusts.wrap_socket(plain, server_hostname=asked) as stream:
            shown.add(stream.getpeercert(binary_form=True))
    assert len(shown) == 1
    guest, member = enter(relay, name), enter(relay, "relay.test", friend)
    assert tenant_of(relay, guest) == ["guests"]
    stranger = new_key()
    expect_refused(relay, "another.relay.test", stranger)
    enter(relay, name, stranger).ping(b"12345678")
    relay.reload(hosted())
    guest.expect_closed()
    relay.wait_log(f"closing nodekey:{guest.key.hex()}, whose tenant guests is not there any more, or not for its name")
    expect_refused(relay, name, guest.secret)
    # Another invitation does not bring the old one back.
    relay.reload(with_keys(hosted(), "tenant guests", names=other, chain="open"))
    expect_refused(relay, name, guest.secret)
    enter(relay, other, guest.secret).ping(b"12345678")
    assert member.frames_until_own() == []


# ---- what goes with it

def test_other_terms_of_a_tenant_are_one_event(make_relay):
    config = with_keys(hosted(), "class slow", receive_rate="1K")
    first = with_keys(config, "tenant guests", names="red.relay.test", chain="open", quota="10G", **{"class": "slow"})
    relay = make_relay(first, files())
    clients = [enter(relay, "red.relay.test") for _ in range(3)]
    steps = [
        (with_keys(first, "tenant guests", quota="20G", over_quota="slow", slow_rate="64K"), ("tenant", "guests", "tenant/guests",
         "class slow, connections off, quota 20G from day 1, over-quota slow 64K; "
         "before: class slow, connections off, quota 10G from day 1, over-quota warn")),
        (with_keys(config, "tenant guests", names="red.relay.test", chain="open", connections=5), ("tenant", "guests", "tenant/guests",
         "no class of its own, connections 5; before: class slow, connections off, quota 20G from day 1, over-quota slow 64K")),
        (with_keys(with_keys(config, "class slow", quota="1G"), "tenant guests", names="red.relay.test", chain="open", connections=5),
         ("class", None, "class/slow", "receive-rate 1K, receive-burst 1K, connections off, quota 1G from day 1, over-quota warn; "
                                       "before: receive-rate 1K, receive-burst 1K, connections off")),
        (config, ("tenant", "guests", "tenant/guests", "no such tenant; before: no class of its own, connections 5")),
    ]
    with monitor(relay, "--json") as lines:
        for reloaded, (kind, tenant, source, text) in steps:
            relay.reload(reloaded)
            wait_until(lambda text=text: any(event["text"] == text for event in map(json.loads, lines()) if "text" in event), "it is told")
            told = [event for event in map(json.loads, lines()) if event.get("text") == text]
            assert [(event["event"], event.get("tenant"), event["source"]) for event in told] == [(kind, tenant, source)]
    events = ask(relay, "why", clients[0].key.hex(), "--at", now())["events"]
    assert sum(event["event"] == "tenant" for event in events) == 3
    assert "no such tenant; before: no class of its own, connections 5" in detourctl(relay, "why", clients[0].key.hex(), "--at", now())[0]
    # A reload that changes nothing is none.
    relay.reload(config)
    assert sum(event["event"] == "tenant" for event in ask(relay, "why", clients[0].key.hex(), "--at", now())["events"]) == 3


def test_a_tenant_has_a_limit_and_a_class(make_relay):
    config = with_keys(two_tenants(chain="open", connections=2, **{"class": "slow"}), "class slow", receive_rate="1K")
    relay = make_relay(config, files())
    clients = [enter(relay, "red.relay.test") for _ in range(2)]
    expect_refused(relay, "red.relay.test", new_key())
    assert "tenant red has its 2 connections" in relay.log
    enter(relay, "blue.relay.test")
    rows = [row for row in ask(relay, "clients")["clients"] if row["tenant"] == "red"]
    assert [row["class"] for row in rows] == ["slow"] * 2
    clients[0].close()
    wait_until(lambda: len(ask(relay, "clients")["clients"]) == 2, "one left")
    enter(relay, "red.relay.test")


def test_a_ban_holds_in_every_tenant(make_relay):
    relay = make_relay(two_tenants(chain="open"), files())
    key = new_key()
    a, b = enter(relay, "red.relay.test", key), enter(relay, "blue.relay.test", key)
    detourctl(relay, "ban", f"nodekey:{a.key.hex()}")
    a.expect_closed()
    b.expect_closed()
    for name in ("red.relay.test", "blue.relay.test", "relay.test"):
        expect_refused(relay, name, key)


# ---- what the operator sees

def row_of(relay, name):
    """What D-Bus has of a tenant."""
    return next(row for row in ask(relay, "status")["tenants"] if row["name"] == name)


def test_status_and_lists_name_the_tenant(make_relay):
    relay = make_relay(two_tenants(connections=3), files([red := new_key(), second := new_key()], [blue := new_key()]))
    a, _ = enter(relay, "red.relay.test", red), enter(relay, "blue.relay.test", blue)
    expect_refused(relay, "red.relay.test", blue)
    other = enter(relay, "red.relay.test", second)
    a.send_packet(other.key, b"x" * 900)
    other.expect_packet(a.key, b"x" * 900)
    other.close()
    wait_until(lambda: row_of(relay, "red")["connections"] == 1, "one left")
    row = row_of(relay, "red")
    assert (row["joined"], row["refused"], row["connections_limit"]) == (2, 1, 3)
    assert row["isolated"] and not row["removed"] and row["names"] == ["red.relay.test"] and row["chain"] == ["reds"]
    # What the client that left got is counted, what the other one sent comes with the next round.
    assert (row["packets_sent"], row["bytes_sent"]) == (1, 900)
    wait_until(lambda: row_of(relay, "red")["bytes_received"] == 900, "the round of the workers")
    assert row_of(relay, "blue")["refused"] == 0
    assert counter(relay, "tenant_bytes_received", tenant="red") == 900 and counter(relay, "tenant_joined") == 3
    assert "red: 1 of 3 connected, 1 refused; 900 B in, 900 B out" in " ".join(detourctl(relay, "status")[0].split())
    assert "tenant red" in detourctl(relay, "clients")[0]
    shown = detourctl(relay, "client", f"nodekey:{a.key.hex()}")[0]
    assert [line.split() for line in shown.splitlines() if "tenant" in line] == [["tenant", "red"]]
    assert {"tenant red", "relay"} <= {f"{row['kind']} {row.get('name', '')}".strip() for row in ask(relay, "budgets")["budgets"]}


def test_why_and_refused_name_the_tenant(make_relay):
    relay = make_relay(two_tenants(), files(blues=[key := new_key()]))
    client = enter(relay, "blue.relay.test", key)
    expect_refused(relay, "red.relay.test", key)
    name = f"nodekey:{client.key.hex()}"
    verdicts = [(row["tenant"], row["verdict"]) for row in ask(relay, "why", name)["verdicts"]]
    assert verdicts == [("red", "deny"), ("blue", "allow")]
    assert "tenant red" in detourctl(relay, "why", name)[0]
    # It is in, but not there where it was refused.
    refused = ask(relay, "refused")["refused"]
    assert [(row["key"], row["tenant"]) for row in refused] == [(name, "red")]
    assert ["tenant", "red"] in [line.split() for line in detourctl(relay, "refused")[0].splitlines()]
    told = ask(relay, "why", name, "--at", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))["events"]
    assert {"blue", "red"} == {event["tenant"] for event in told if event["event"] in ("join", "admitted", "refused")}


def test_the_check_says_what_is_wrong_and_where(make_relay):
    config = with_keys(hosted(chain="open"), "tenant red", names="red.relay.test", listeners="http", chain="redds",
                       **{"class": "guests"})
    config = with_keys(with_keys(config, "tenant blue", names="*.relay.test;RED.relay.test", listeners="http"), "tenant none")
    relay = make_relay(config, files(), start=False)
    relay.write_config()
    said = "".join(run_detourd("--config", relay.config_file, "--check-config", code=78))
    for text in (r'\[tenant red\] chain: there is no \[auth redds\]; did you mean "reds"\?',
                 r"\[tenant red\] class: there is no \[class guests\]",
                 r'\[tenant blue\] names: "RED.relay.test" belongs to \[tenant red\] already',
                 r'\[tenant blue\] listeners: "http" belongs to \[tenant red\] already',
                 r"\[tenant none\]: nobody would belong to it"):
        assert re.search(rf"{re.escape(str(relay.config_file))}:\d+: {text}", said), said


def test_the_check_warns_of_what_nobody_can_use(make_relay):
    config = with_keys(EVERYTHING, "tenant red", names="red.relay.test;far.relay.test", listeners="second", chain="open")
    config = with_keys(with_keys(config, "transport second", plugin="http", enabled="false"), "transport https",
                       forward="far.relay.test=127.0.0.1:9")
    relay = make_relay(config, start=False)
    relay.write_config()
    said = "".join(run_detourd("--config", relay.config_file, "--check-config"))
    for text in (r'names: no certificate has the name "red.relay.test"',
                 r'names: clients that ask transport/https for "far.relay.test" are forwarded to 127.0.0.1:9',
                 r"listeners: transport/second is not enabled, so nobody comes in there",
                 r'chain: everyone who comes to this tenant may use it, because the chain is "open"'):
        assert re.search(rf":\d+: \[tenant red\] {text}", said), said
