"""Admission by an admission server that is well, slow, silent, lying, dead, behind a proxy, or not who it should be.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import re
import subprocess

import nacl.public
import pytest

from admission_server import AdmissionServer, Proxy
from certs import Certificate
from derp_client import PATIENCE
from relay import DETOURD, EVERYTHING, run_detourd, wait_until, with_keys

# Everything that is no verdict, and what the log says of it.
TROUBLES = {
    "dead": r"cannot connect to 127.0.0.1:\d+: Connection refused",
    "silent": "no answer from .* within 100. ms",
    "closes": "closed the connection before it had answered",
    "half": "closed the connection before it had answered",
    "huge": "longer than 16384 bytes",
    "no http": "does not speak HTTP",
    b"<html>Welcome to the hotel</html>": "its answer is not JSON",
    b"[true]": "its answer is JSON, but not an object",
    b'{"Allow":"true"}': "Allow in its answer is not true or false",
    b'{"Allow":true,"Class":7}': "Class in its answer is not a string",
    204: "it answered with status 204",
    307: "redirects are not followed",
    429: "it wants to be asked later",
    500: "it answered with status 500",
    502: "it answered with status 502",
}


def asks(server, timeout="20s", unavailable="grace", admission=None, **auth):
    """A configuration that asks @server, or several in a list, with time for a slow machine."""
    urls = server if isinstance(server, str) else server.url()
    config = with_keys(EVERYTHING, "auth url", url=urls, timeout=timeout, unavailable=unavailable, proxy="none", **auth)
    return with_keys(config, "admission", **({"chain": "url", "refuse_hold": "0s", "timeout": "30s"} | (admission or {})))


@pytest.fixture(name="make_server")
def fixture_make_server():
    """Makes servers that end with the test."""
    made = []

    def make(kind=AdmissionServer, *arguments, **named):
        made.append(kind(*arguments, **named))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture(name="server")
def fixture_server(make_server):
    return make_server()


@pytest.fixture(name="start")
def fixture_start(make_relay, server):
    """Starts a relay that asks the server."""
    return lambda config=None, timeout="20s", **admission: make_relay(config or asks(server, timeout, admission=admission))


def time_for(trouble):
    """How long a test waits for a verdict: long, unless waiting is what it is about."""
    return "1s" if trouble == "silent" else "20s"


def new_key():
    return nacl.public.PrivateKey.generate()


def waiting(relay, key=None):
    """A client that asked for its login, and has no answer yet."""
    client = relay.door().greeted(key)
    client.stream.write(client.client_info())
    return client


def ctl(relay, *arguments):
    """What detourctl says, as JSON."""
    output = subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", "--json", *arguments],
                            capture_output=True, check=True, timeout=PATIENCE).stdout
    return json.loads(output)


def verdict_on(relay, key):
    """The last one."""
    return ctl(relay, "why", f"nodekey:{key.hex()}")["verdicts"][0]


def forget_verdicts(relay):
    """Starts the auth instance again with other settings, so that nothing is answered from memory."""
    relay.reload(re.sub(r"(\[auth url\].*?timeout = )(\d+)s", r"\g<1>\g<2>001ms", relay.config, flags=re.S))


def test_allowed_clients_come_in(start, server):
    relay = start()
    one, two = new_key(), new_key()
    server.allow(one.public_key, Label="laptop")
    server.allow(two.public_key)
    a, b = relay.door().client(one), relay.door("tls").client(two)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")
    assert f"client {a.key.hex()[:8]} laptop: connected" in relay.log
    assert set(server.asked) == {(a.key.hex(), "127.0.0.1"), (b.key.hex(), "127.0.0.1")}


def test_denied_clients_do_not(start):
    relay = start()
    client = waiting(relay)
    client.expect_closed()
    assert f"refused nodekey:{client.key.hex()} from 127.0.0.1:" in relay.log
    assert "the admission server does not allow it (auth/url)" in relay.log


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_status_that_refuses_is_a_denial(start, server, status):
    relay = start()
    server.manner = status
    waiting(relay).expect_closed()
    assert f"the admission server refuses it with status {status} (auth/url)" in relay.log
    # Nobody was ever let in: the operator is told that it may not be meant so.
    relay.wait_log(f"has let nobody in yet and refuses with status {status}; is the path of its URL right")


def test_label_class_and_reason_of_the_answer(start, server):
    relay = start()
    key, other = new_key(), new_key()
    server.allow(key.public_key, Label="Anna's laptop", Class="friends", TTLSeconds=600)
    client = relay.door().client(key)
    shown = ctl(relay, "clients")["clients"][0]
    assert (shown["label"], shown["class"]) == ("Anna's laptop", "friends")
    # The time to live holds: nobody is asked again.
    client.close()
    relay.door().client(key)
    assert server.asked.count((client.key.hex(), "127.0.0.1")) == 1
    server.allowed[bytes(other.public_key).hex()] = {"Allow": False, "Reason": "has not paid"}
    waiting(relay, other).expect_closed()
    assert "has not paid (auth/url)" in relay.log


@pytest.mark.parametrize("trouble", TROUBLES, ids=str)
def test_trouble_keeps_strangers_out_and_friends_in(start, server, trouble):
    relay = start(timeout=time_for(trouble))
    key = new_key()
    server.allow(key.public_key)
    friend = relay.door().client(key)
    if trouble == "dead":
        server.stop()
    server.manner = trouble
    forget_verdicts(relay)

    waiting(relay).expect_closed()
    relay.wait_log(TROUBLES[trouble])
    # The friend is connected still, and would be let in again.
    friend.ping(b"12345678")
    again = relay.door().client(key)
    again.send_packet(again.key, b"here")
    again.expect_packet(again.key, b"here")
    verdict = verdict_on(relay, again.key)
    assert verdict["grace"] and verdict["reason"].startswith("allowed before, and now: ")


@pytest.mark.parametrize("trouble", ["dead", "silent", 500])
def test_unavailable_allow_lets_everybody_in_until_there_are_verdicts(start, server, trouble):
    relay = start(asks(server, time_for(trouble), "allow", {"recheck": "off"}))
    server.manner = trouble
    if trouble == "dead":
        server.stop()
    stranger = relay.door().client()
    stranger.ping(b"12345678")
    assert verdict_on(relay, stranger.key)["reason"].endswith("unavailable = allow")
    if trouble == "dead":
        server.start()
    server.manner = "answers"
    # It is asked about once more, and is not allowed.
    stranger.expect_closed()
    relay.wait_log("closing nodekey:.*the admission server does not allow it")


def test_unavailable_deny_closes_connected_clients(start, server):
    relay = start(asks(server, unavailable="deny"))
    key = new_key()
    server.allow(key.public_key)
    client = relay.door().client(key)
    server.manner = 500
    forget_verdicts(relay)
    client.expect_closed()
    waiting(relay, key).expect_closed()
    relay.wait_log("closing nodekey:.*status 500; unavailable = deny")


@pytest.mark.parametrize("trouble", ["dead", "silent", b"<html>", 500])
def test_who_is_held_comes_in_when_the_server_is_back(start, server, trouble):
    relay = start(timeout=time_for(trouble), refuse_hold="10m")
    server.manner = trouble
    if trouble == "dead":
        server.stop()
    client = waiting(relay)
    wait_until(lambda: "refused nodekey:" in relay.log, "a refusal")
    server.allow(client.secret.public_key)
    if trouble == "dead":
        server.start()
    server.manner = "answers"
    client.read_server_info()
    client.ping(b"12345678")
    relay.wait_log("auth/url: the admission server answers again")
    # Nobody wants to read it twice, from the plugin and from core.
    assert len(re.findall(r" warning .*instance=auth/url", relay.log)) == 1, relay.log


def test_trouble_shows_before_a_client_meets_it(make_relay, server):
    server.stop()
    relay = make_relay(asks(server))
    relay.wait_log(r"auth/url: cannot connect to 127.0.0.1:\d+: Connection refused; since ")
    server.start()
    relay.wait_log("auth/url: the admission server answers again")
    assert not server.asked


def test_a_removed_client_is_cut_off_within_recheck(start, server):
    relay = start(recheck="1s")
    key = new_key()
    server.allow(key.public_key)
    client = relay.door().client(key)
    server.deny(key.public_key)
    client.expect_closed()
    relay.wait_log("closing nodekey:.*the admission server does not allow it")


def test_the_server_may_start_again(start, server):
    relay = start()
    for _ in range(3):
        key = new_key()
        server.allow(key.public_key)
        relay.door().client(key).ping(b"12345678")
        server.stop()
        server.start()


def test_kept_connections_may_be_closed_by_the_server(start, server):
    relay = start()
    server.hangs_up = True
    for _ in range(20):
        key = new_key()
        server.allow(key.public_key)
        relay.door().client(key).ping(b"12345678")
    assert "auth/url: " not in relay.log


def test_connections_are_kept(start, server):
    relay = start()
    for _ in range(20):
        key = new_key()
        server.allow(key.public_key)
        relay.door().client(key)
    # One for the first look, one for the questions.
    assert len(server.acceptor.connections) <= 2


def test_a_crowd_is_asked_about_a_few_at_a_time(start, server):
    relay = start(asks(server, timeout="1m", requests="8", admission={"timeout": "1m"}))
    keys = [new_key() for _ in range(400)]
    for key in keys:
        server.allow(key.public_key)
    server.gate.clear()
    clients = [waiting(relay, key) for key in keys]
    wait_until(lambda: server.now == 8, "eight questions")
    server.gate.set()
    for client in clients:
        client.read_server_info()
    assert server.most == 8
    assert len(server.acceptor.connections) <= 9


# ---- several servers


def test_the_second_is_asked_when_the_first_is_dead(start, make_server, server):
    first = make_server()
    first.stop()
    relay = start(asks(f"{first.url()}; {server.url()}"))
    key = new_key()
    server.allow(key.public_key)
    relay.door().client(key).ping(b"12345678")
    waiting(relay).expect_closed()
    relay.wait_log(r"auth/url: cannot connect to 127.0.0.1:\d+: Connection refused")
    # A denial does not come from memory of the first.
    assert "the admission server does not allow it (auth/url)" in relay.log


def test_the_second_is_asked_when_the_first_is_silent(start, make_server, server):
    first = make_server()
    first.manner = "silent"
    relay = start(asks(f"{first.url()}; {server.url()}", timeout="4s"))
    for _ in range(5):
        key = new_key()
        server.allow(key.public_key)
        relay.door().client(key).ping(b"12345678")
    # It is not in the way of each of them: one question, and the plugin's own looks.
    assert len({key for key, _ in first.asked}) == 1


# ---- TLS


@pytest.fixture(name="authority")
def fixture_authority():
    return Certificate("authority.test", authority=True)


@pytest.fixture(name="tls_server")
def fixture_tls_server(make_server, authority, tmp_path):
    return lambda *names, **named: make_server(certificate=Certificate(*names, issuer=authority), directory=tmp_path, **named)


def expect_admitted(relay, server):
    """The server is asked, and what it says holds."""
    key = new_key()
    server.allow(key.public_key)
    relay.door().client(key).ping(b"12345678")


def test_a_ca_of_the_configuration(make_relay, tls_server, authority):
    server = tls_server("127.0.0.1")
    relay = make_relay(asks(server, ca_file="{dir}/ca.pem"), {"ca.pem": authority.pem})
    expect_admitted(relay, server)
    assert server.url().startswith("https://")


def test_an_unknown_ca_is_not_believed(make_relay, tls_server, monkeypatch):
    # Each of the many CAs of a system is many blocks of memory, and a full stack of each takes a minute.
    monkeypatch.setitem(os.environ, "ASAN_OPTIONS", "fast_unwind_on_malloc=1")
    server = tls_server("127.0.0.1")
    relay = make_relay(asks(server))
    relay.wait_log(r"the certificate of 127.0.0.1:\d+ is not from a CA that this system trusts; ca-file names others")
    waiting(relay).expect_closed()
    assert not server.asked


def test_another_ca_is_not_believed(make_relay, tls_server):
    server = tls_server("127.0.0.1")
    relay = make_relay(asks(server, ca_file="{dir}/ca.pem"), {"ca.pem": Certificate("other.test", authority=True).pem})
    relay.wait_log(r"the certificate of 127.0.0.1:\d+ is not from a CA of .*/ca.pem")
    waiting(relay).expect_closed()
    assert not server.asked


def test_another_name_is_not_believed(make_relay, tls_server, authority):
    server = tls_server("other.test")
    relay = make_relay(asks(server, ca_file="{dir}/ca.pem"), {"ca.pem": authority.pem})
    relay.wait_log(r"no TLS with 127.0.0.1:\d+: .*does not match target host name '127.0.0.1'")
    waiting(relay).expect_closed()
    assert not server.asked


def test_a_server_that_wants_a_certificate(make_relay, tls_server, authority):
    server = tls_server("127.0.0.1", client_ca=authority)
    client = Certificate("relay.test", issuer=authority)
    files = {"ca.pem": authority.pem, "own.pem": client.pem, "own.key": client.key_pem}
    relay = make_relay(asks(server, ca_file="{dir}/ca.pem", client_cert_file="{dir}/own.pem", client_key_file="{dir}/own.key"),
                       files)
    expect_admitted(relay, server)


def test_a_server_that_wants_a_certificate_and_gets_none(make_relay, tls_server, authority):
    server = tls_server("127.0.0.1", client_ca=authority)
    relay = make_relay(asks(server, ca_file="{dir}/ca.pem"), {"ca.pem": authority.pem})
    relay.wait_log(r"auth/url: .*127.0.0.1:\d+")
    waiting(relay).expect_closed()
    assert not server.asked


def test_a_new_ca_is_used_after_a_reload(make_relay, tls_server, authority):
    server = tls_server("127.0.0.1")
    relay = make_relay(asks(server, ca_file="{dir}/ca.pem"), {"ca.pem": Certificate("other.test", authority=True).pem})
    relay.wait_log("is not from a CA of")
    relay.write_file("ca.pem", authority.pem)
    relay.reload()
    expect_admitted(relay, server)
    # A file that is broken later is no reason to stop.
    relay.write_file("ca.pem", "")
    relay.reload(outcome="the configuration was not used")
    expect_admitted(relay, server)


# ---- proxies


def test_a_proxy_for_https(make_relay, make_server, tls_server, authority):
    server = tls_server("admit.test")
    proxy = make_server(Proxy, ("127.0.0.1", server.port))
    config = asks(server.url("admit.test"), ca_file="{dir}/ca.pem").replace("proxy = none", f"proxy = http://127.0.0.1:{proxy.port}")
    relay = make_relay(config, {"ca.pem": authority.pem})
    expect_admitted(relay, server)
    assert all(head.startswith(f"CONNECT admit.test:{server.port} ".encode()) for head in proxy.heads)


def test_a_proxy_for_http(make_relay, make_server, server):
    proxy = make_server(Proxy, ("127.0.0.1", server.port))
    config = asks(server.url("admit.test")).replace("proxy = none", f"proxy = http://127.0.0.1:{proxy.port}")
    relay = make_relay(config)
    expect_admitted(relay, server)
    assert all(f" http://admit.test:{server.port}/verify ".encode() in head for head in proxy.heads)


def test_a_proxy_that_does_not_let_us_through(make_relay, make_server, server):
    proxy = make_server(Proxy, ("127.0.0.1", server.port), status=403)
    config = asks(f"https://admit.test:{server.port}/").replace("proxy = none", f"proxy = http://127.0.0.1:{proxy.port}")
    relay = make_relay(config)
    relay.wait_log(rf"the proxy 127.0.0.1:{proxy.port} does not let us through to admit.test:\d+ \(status 403\)")
    waiting(relay).expect_closed()


def test_the_proxy_of_the_environment(make_relay, make_server, server, monkeypatch):
    proxy = make_server(Proxy, ("127.0.0.1", server.port))
    monkeypatch.setitem(os.environ, "http_proxy", f"http://127.0.0.1:{proxy.port}")
    config = asks(server.url("admit.test")).replace("proxy = none\n", "")
    relay = make_relay(config)
    expect_admitted(relay, server)
    assert proxy.heads
    # Not for a server on this machine.
    n = len(proxy.heads)
    relay.reload(asks(server).replace("proxy = none\n", ""))
    expect_admitted(relay, server)
    assert len(proxy.heads) == n


# ---- the check


@pytest.mark.parametrize("keys, complaint", [
    ({"url": "headscale.example.com/verify", "unavailable": "grace"},
     r'url: "headscale.example.com/verify" does not say how to ask; begin with https:// or http://, as in https://'),
    ({"url": "https://headscale.example.com/verify"}, r'unavailable: not set. Say what becomes of clients .*"grace".*"allow".*"deny"'),
    ({"unavailable": "grace"}, r"url: not set; write the address"),
    ({"url": "https://a:b@headscale.example.com/verify", "unavailable": "grace"}, "url: a user name or password does not belong"),
    ({"url": "https://headscale.example.com/", "unavailable": "grace", "ca_file": "/dev/zero"}, "ca-file: /dev/zero.*a device"),
])
def test_the_check_says_what_is_missing(tmp_path, keys, complaint):
    config = with_keys("[core]\nhostname = relay.test\n[admission]\nchain = url\n", "auth url", **keys)
    (tmp_path / "detour.conf").write_text(config)
    _, output = run_detourd("--config", tmp_path / "detour.conf", "--check-config", code=78)
    assert re.search(rf"\[auth url\] {complaint}", output), output


def test_the_check_warns_of_plain_http(tmp_path):
    config = with_keys("[core]\nhostname = relay.test\n[admission]\nchain = url\n[cert main]\nplugin = selfsigned\n", "auth url",
                       url="http://headscale.example.com/verify", unavailable="grace")
    (tmp_path / "detour.conf").write_text(config)
    _, output = run_detourd("--config", tmp_path / "detour.conf", "--check-config")
    assert "is asked without TLS: whoever is on the way can let everybody in" in output
