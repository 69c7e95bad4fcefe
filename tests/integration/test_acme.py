"""Certificates without a thought: the real daemon, the real client program, Pebble as the CA, and clients that trust only it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import base64
import datetime
import json
import os
import pathlib
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from acme_run import Run, order, run_order
from acme_relay import CONFIG, AcmeRelay
from certs import names_of
from control import ask, detourctl
from derp_client import PATIENCE, Closed, Frame
from namespaces import apart
from pebble import Pebble, build, build_go
from relay import Relay, wait_until, with_keys, without_group

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PROFILES = {"classic": 90 * 86400, "shortlived": 160 * 3600}


@pytest.fixture
def pebble(tmp_path):
    """A function that starts Pebbles, which end with the test."""
    started = []

    def start(**options):
        started.append(Pebble(tmp_path / f"pebble{len(started)}", **{"profiles": {"classic": 90 * 86400}} | options))
        return started[-1].start()
    yield start
    for ca in started:
        ca.__exit__(None, None, None)


def renew_for_the_ca(ca, relay, leaf, **how):
    """The CA wants the certificate renewed, and the relay hears of it when it asks next; gives the new leaf."""
    ca.set_renewal_info(leaf.public_bytes(Encoding.PEM).decode(), ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"))
    relay.reload()
    new = relay.wait_leaf(ca.root_file(), other_than=leaf, **how)
    assert names_of(new) == names_of(leaf) and "is a replacement of" in ca.log
    relay.wait_state("serving")
    return new


# ---- a fresh start

# What README shows, and where the test's CA is. The listeners are those of the vendor's file: 443 and 80.
THREE = """
[core]
hostname = relay.test

[admission]
chain = open

[cert main]
plugin = acme
directory-url = {directory}
ca-file = {ca}
"""

# A test leaves the state of this host alone.
OURS = """
[core]
state-directory = {dir}/state
control-socket = {run}/control
dbus = none

[service stun]
enabled = false

[log stderr]
plugin = stderr
level = debug
"""


class FreshRelay(AcmeRelay):
    """A relay that has what an operator wrote and the vendor's file, on its ports."""

    options = []

    def __init__(self, directory, ca):
        Relay.__init__(self, directory, THREE.replace("{directory}", ca.directory_url).replace("{ca}", str(ca.ca_file)))
        self.ca = ca
        self.ports |= {"https": 443, "http": 80}

    def write_config(self, config=None):
        super().write_config(config)
        self.write_file("conf.d/99-test.conf", self.fill(OURS))


def test_three_lines_give_a_certificate_that_clients_trust(tmp_path):
    build()  # it takes a network, and that is gone below

    def work():
        with Pebble(tmp_path / "pebble", http_port=80, tls_port=443) as ca, FreshRelay(tmp_path / "relay", ca) as relay:
            relay.start()
            began = time.monotonic()
            leaf = relay.wait_leaf(ca.root_file())
            print(f"from the start to a certificate: {time.monotonic() - began:.1f} s")
            assert names_of(leaf) == ["relay.test"]
            shown = relay.certificate()
            assert (shown["state"], shown["challenge"], shown["authority"]) == ("serving", "tls-alpn-01", ca.directory_url)
            relay.login(ca.root_file())
            renew_for_the_ca(ca, relay, leaf)
            assert relay.certificate()["renew_by"] in ("ca", "lifetime")
    apart(work, network=True)


@pytest.mark.parametrize("challenge", ["tls-alpn-01", "http-01"])
def test_one_port_is_enough(pebble, make_acme_relay, challenge):
    ca = pebble()
    config = without_group(without_group(CONFIG, "transport http"), "http acme") if challenge == "tls-alpn-01" else CONFIG
    relay = make_acme_relay(ca, start=False, config=config, challenge=challenge)
    if challenge == "http-01":
        # Nobody answers where tls-alpn-01 is looked for; clients come to another port.
        del relay.ports["https"]
    leaf = relay.start().wait_leaf(ca.root_file())
    assert names_of(leaf) == ["relay.test"]
    assert relay.certificate()["challenge"] == challenge
    relay.login(ca.root_file())
    renew_for_the_ca(ca, relay, leaf)


@pytest.mark.parametrize("challenge", ["tls-alpn-01", "http-01"])
def test_addresses(pebble, make_acme_relay, challenge):
    ca = pebble(profiles=PROFILES)
    relay = make_acme_relay(ca, challenge=challenge, names="127.0.0.1; ::1; relay.test")
    leaf = relay.wait_leaf(ca.root_file())
    assert names_of(leaf) == ["127.0.0.1", "::1", "relay.test"]
    for name, address in (("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("relay.test", "::1")):
        relay.login(ca.root_file(), name=name, address=address)
    assert relay.certificate()["profile"] == "shortlived"
    life = leaf.not_valid_after - leaf.not_valid_before
    assert datetime.timedelta(hours=159) < life < datetime.timedelta(hours=161)
    renew_for_the_ca(ca, relay, leaf, name="::1", address="::1")


HOOK = """#!/bin/sh
# What was asked for is written down, and done at the DNS server of the test.
echo "$1 $2 $3" >> {dir}/calls
case $1 in
  present) curl -sf -d "{\\"host\\":\\"$2.\\",\\"value\\":\\"$3\\"}" {dns}/set-txt ;;
  cleanup) curl -sf -d "{\\"host\\":\\"$2.\\"}" {dns}/clear-txt ;;
esac
"""


def test_a_wildcard_by_a_dns_hook(pebble, make_acme_relay, tmp_path):
    ca = pebble()
    relay = make_acme_relay(ca, start=False, names="*.w.test; w.test", challenge="dns-01", dns_hook="{dir}/hook",
                            dns_servers=ca.dns.address)
    relay.write_file("hook", HOOK.replace("{dir}", str(relay.directory)).replace("{dns}", ca.dns.management_url), 0o700)
    relay.start()
    leaf = relay.wait_leaf(ca.root_file(), name="relay7.w.test")
    assert names_of(leaf) == ["*.w.test", "w.test"]
    calls = [line.split(" ") for line in (relay.directory / "calls").read_text().splitlines()]
    presented = [(name, value) for verb, name, value in calls if verb == "present"]
    assert {name for name, _ in presented} == {"_acme-challenge.w.test"} and len(set(presented)) == 2
    assert sorted(presented) == sorted((name, value) for verb, name, value in calls if verb == "cleanup")
    relay.login(ca.root_file(), name="w.test")


@pytest.mark.parametrize("urlsafe, keys", [(True, {}), (False, {"eab_algorithm": "hs384"}), (True, {"eab_algorithm": "hs512"})])
def test_external_account_binding(pebble, make_acme_relay, urlsafe, keys):
    # As long as the longest hash: Pebble takes no shorter keys for it.
    key = bytes(range(248, 256)) * 8
    ca = pebble(eab={"kid-7": key})
    relay = make_acme_relay(ca, start=False, eab_kid="kid-7", eab_key_file="{dir}/eab.key", **keys)
    encoded = base64.urlsafe_b64encode(key).rstrip(b"=") if urlsafe else base64.b64encode(key)
    relay.write_file("eab.key", encoded + b"\n")
    relay.start().wait_leaf(ca.root_file())
    other = make_acme_relay(ca, config=CONFIG.replace("{https}", "{https2}").replace("{http}", "{http2}"))
    shown = other.wait_state("failing")
    assert "external" in shown["error"].lower() and "eab-kid" in shown["remedy"]


def test_several_instances(pebble, make_acme_relay):
    ca = pebble()
    names = [f"{word}.test" for word in ("a", "b", "c")]
    relay = make_acme_relay(ca, instances={word: {"names": f"{word}.test", "challenge": "tls-alpn-01"} for word in "abc"})
    leaves = [relay.wait_leaf(ca.root_file(), name=name) for name in names]
    assert [names_of(leaf) for leaf in leaves] == [[name] for name in names]
    assert ca.orders() == 3 and len(ca.requests("/sign-me-up")) <= 2
    assert all(entry["state"] == "serving" for entry in relay.shown)


def test_two_instances_for_the_same_name_take_turns(pebble, make_acme_relay):
    ca = pebble()
    relay = make_acme_relay(ca, instances={word: {"challenge": "tls-alpn-01"} for word in ("one", "two")})
    for word in ("one", "two"):
        relay.wait_state("serving", f"cert/{word}")
    relay.wait_leaf(ca.root_file())
    assert ca.orders() <= 2 and "set INVALID" not in ca.log


@pytest.mark.parametrize("refusals, reuse", [(50, 0), (50, 100), (0, 100)])
def test_refused_nonces_and_authorisations_that_are_used_again(pebble, make_acme_relay, refusals, reuse):
    ca = pebble(nonce_refusals=refusals, reuse=reuse, chain_length=2)
    relay = make_acme_relay(ca)
    leaf = relay.wait_leaf(ca.root_file())
    for _ in range(2):
        detourctl(relay, "certs", "renew")
        leaf = relay.wait_leaf(ca.root_file(), other_than=leaf)
    assert relay.certificate()["state"] == "serving" and ca.issued() == 3


# ---- the operator

def test_what_the_operator_sees(pebble, make_acme_relay):
    ca = pebble(profiles={"classic": 90 * 86400, "other": 30 * 86400})
    relay = make_acme_relay(ca, profile="other")
    leaf = relay.wait_leaf(ca.root_file())
    relay.wait_state("serving")
    shown = detourctl(relay, "certs")[0]
    for text in ("relay.test", "profile other", "Pebble Intermediate CA", ca.directory_url, "tls-alpn-01", "renewal"):
        assert text in shown, shown
    said = detourctl(relay, "certs", "renew", "main")[0]
    assert "there is a new certificate" in said, said
    assert relay.leaf(ca.root_file()).serial_number != leaf.serial_number
    assert "cert/main: " in relay.log and "has issued a certificate for relay.test" in relay.log


# ---- the account's key

def account_file(relay):
    """Path of the file with the account, and what is in it."""
    path, = (relay.directory / "state" / "acme").glob("account-*.json")
    return path, json.loads(path.read_text())


def test_a_new_key_for_the_account(pebble, make_acme_relay):
    ca = pebble()
    relay = make_acme_relay(ca)
    leaf = relay.wait_leaf(ca.root_file())
    before = account_file(relay)[1]
    assert detourctl(relay, "certs", "rollover")[0] == f"cert/main: the account at {ca.directory_url} has a new key\n"
    after = account_file(relay)[1]
    assert after["key"] != before["key"] and after | {"key": ""} == before | {"key": ""}
    assert relay.leaf(ca.root_file()) == leaf, "certificates stay"
    assert ask(relay, "certs", "rollover", "main") == {"rollovers": [{"instance": "cert/main", "changed": True, "error": None}]}
    detourctl(relay, "certs", "renew")
    assert relay.leaf(ca.root_file()).serial_number != leaf.serial_number
    assert len(ca.requests("/sign-me-up")) == 1, "it is the same account"
    relay.stop()
    relay.start()
    detourctl(relay, "certs", "renew")


def test_a_new_key_whose_end_nobody_knows(pebble, make_acme_relay):
    """The daemon, or the network, was gone after the new key was offered; what the CA has made of it is found out at the next start."""
    ca = pebble()
    relay = make_acme_relay(ca)
    relay.wait_leaf(ca.root_file())
    path, old = account_file(relay)
    detourctl(relay, "certs", "rollover")
    new = account_file(relay)[1]["key"]
    relay.stop()
    path.write_text(json.dumps(old | {"next_key": new}))
    relay.start()
    wait_until(lambda: account_file(relay)[1] == old | {"key": new}, "the CA to say that it has the key")
    relay.stop()
    # Another one, of which the CA has never heard.
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path.write_text(json.dumps(old | {"key": new, "next_key": other}))
    relay.start()
    wait_until(lambda: account_file(relay)[1] == old | {"key": other}, "the CA to take the key")
    detourctl(relay, "certs", "renew")


def test_what_the_operator_sees_of_a_failure(pebble, make_acme_relay):
    ca = pebble(refused_names=["relay.test"])
    relay = make_acme_relay(ca)
    shown = relay.wait_state("failing")
    assert "relay.test" in shown["error"] and shown["remedy"] and shown["next_try"]
    told = detourctl(relay, "certs")[0]
    assert " ".join(shown["error"].split()) in " ".join(told.split()), told
    assert any(hint["about"] == "cert/main" for hint in ask(relay, "status")["hints"])
    assert ca.issued() == 0


def test_a_closed_port_is_told_with_its_remedy(pebble, make_acme_relay):
    ca = pebble()
    config = without_group(CONFIG, "transport http")
    relay = make_acme_relay(ca, config=config, challenge="http-01")
    shown = relay.wait_state("failing")
    assert "http-01" in shown["error"] and "refused" in shown["error"] and "80" in shown["remedy"]


def test_who_comes_before_the_first_certificate_is_refused_in_time(pebble, make_acme_relay):
    ca = pebble()
    ca.stop()
    relay = make_acme_relay(ca, config=with_keys(CONFIG, "limits", handshake_timeout="2s"))
    shown = relay.wait_state("failing")
    assert shown["next_try"] and shown["error"]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        relay.connect(ca.ca_file)
    ca.start()
    detourctl(relay, "certs", "renew")
    relay.login(ca.root_file())


def test_who_comes_before_the_first_certificate_waits_for_it(pebble, make_acme_relay):
    ca = pebble()
    ca.stop()
    relay = make_acme_relay(ca)
    relay.wait_state("failing")
    ca.start()
    context = ssl.create_default_context(cafile=str(ca.root_file()))
    with socket.create_connection(relay.address("https"), timeout=PATIENCE) as sock:
        secure = context.wrap_socket(sock, server_hostname="relay.test", do_handshake_on_connect=False)
        secure.setblocking(False)
        # The ClientHello is out, and there is no answer.
        with pytest.raises(ssl.SSLWantReadError):
            secure.do_handshake()
        detourctl(relay, "certs", "renew")
        secure.settimeout(PATIENCE)
        secure.do_handshake()
        assert names_of(x509.load_der_x509_certificate(secure.getpeercert(True))) == ["relay.test"]
        secure.close()


# ---- revocation

def test_a_certificate_is_revoked(pebble):
    ca = pebble(always_valid=True)
    run = run_order(ca)
    account = run.of("account")[-1]
    chain = run.last["chain"]
    assert ca.status(chain)["Status"] == "Valid"
    revoke = order(ca) | {"do": "revoke", "certificate": chain, "reason": 4, "account_key": account["key"], "account_url": account["url"]}
    assert Run(revoke).complete().code == 0
    assert ca.status(chain)["Status"] == "Revoked"
    again = Run(revoke).complete()
    assert again.code == 0 or "alreadyRevoked" in again.error["type"]


def test_the_preferred_chain(pebble):
    ca = pebble(always_valid=True, alternate_roots=2, chain_length=2)
    for number in range(3):
        wish = x509.load_pem_x509_certificate(ca.roots(number).encode()).subject.rfc4514_string().removeprefix("CN=")
        last = x509.load_pem_x509_certificate(run_order(ca, preferred_chain=wish).last["chain"].strip().split("-----BEGIN")[-1].join(
            ["-----BEGIN", "\n"]).encode())
        assert last.issuer.rfc4514_string() == "CN=" + wish


# ---- traffic

def test_renewal_under_traffic_closes_nothing_and_loses_nothing(pebble, make_acme_relay):
    ca = pebble()
    relay = make_acme_relay(ca)
    leaf = relay.wait_leaf(ca.root_file())
    sender, receiver = relay.login(ca.root_file()), relay.login(ca.root_file())
    received, stop, sent = [], threading.Event(), 0
    faults = []

    def receive():
        try:
            while not (stop.is_set() and len(received) == sent):
                data = receiver.expect(Frame.RECV_PACKET)
                assert data[:32] == sender.key
                received.append(int.from_bytes(data[32:40], "big"))
        except (Closed, AssertionError) as fault:
            faults.append(repr(fault))
    thread = threading.Thread(target=receive)
    renewals = [threading.Thread(target=lambda: [detourctl(relay, "certs", "renew") for _ in range(3)])]
    thread.start()
    for renewal in renewals:
        renewal.start()
    while renewals[0].is_alive() or sent < 300:
        # Not more under way than a queue holds: what is lost must be the renewal's fault.
        wait_until(lambda: sent - len(received) < 16 or faults, "packets to arrive")
        assert not faults, faults
        sender.send_packet(receiver.key, sent.to_bytes(8, "big") + bytes(200))
        sent += 1
    # One more, so that the receiver looks whether it has all of them.
    stop.set()
    sent += 1
    sender.send_packet(receiver.key, (sent - 1).to_bytes(8, "big"))
    thread.join()
    assert not faults and received == list(range(sent))
    assert ca.issued() == 4
    assert relay.leaf(ca.root_file()).serial_number != leaf.serial_number


# ---- official clients

@pytest.fixture(scope="session")
def trusted():
    """A program of two of Tailscale's clients, from the module that the tests of interoperation pin."""
    return build_go(TOP / "tests" / "interop", "./trusted", "trusted")


def test_official_clients_by_name_and_by_address(pebble, make_acme_relay, trusted):
    ca = pebble(profiles=PROFILES)
    relay = make_acme_relay(ca, names="relay.test; 127.0.0.1")
    relay.wait_leaf(ca.root_file())

    def talk(host, root):
        done = subprocess.run([trusted, host, "127.0.0.1", str(relay.ports["https"])], capture_output=True, text=True, check=False,
                              timeout=120, env=os.environ | {"SSL_CERT_FILE": str(root), "SSL_CERT_DIR": "/nonexistent"})
        return done.returncode, done.stdout + done.stderr
    for host in ("relay.test", "127.0.0.1"):
        assert talk(host, ca.root_file()) == (0, "relayed\n")
    for host, root in (("relay.test", ca.ca_file), ("other.test", ca.root_file())):
        code, text = talk(host, root)
        assert code == 1 and "certificate" in text, text
