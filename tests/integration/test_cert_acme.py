"""cert-acme: what the plugin does around an order, with the daemon, and where an authority is needed with Pebble.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import socket
import ssl
import threading

import pytest
from cryptography import x509

from certs import Certificate, names_of
from control import ask, detourctl
from derp_client import Stream
from pebble import Pebble
from relay import run_detourd, wait_until, with_keys

SMALL = """
[core]
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1

[admission]
chain = open

[transport https]
plugin = tls
listen = 127.0.0.1:{https}

[http acme]

[log stderr]
plugin = stderr
level = debug

[cert main]
plugin = acme
names = relay.test
challenge = tls-alpn-01
"""

# Takes the request, waits until the file `go` is there, and brings the certificate.
PROGRAM = """#!/bin/sh
read -r request
case $request in *renewal-info*) exit 1;; esac
echo "$request" >> {dir}/orders
while ! test -e {dir}/go; do sleep 0.02; done
cat {dir}/event
"""


def served(relay, name="relay.test"):
    """The certificate that a client is shown now."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", relay.ports["https"]), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=name) as secure:
            return x509.load_der_x509_certificate(secure.getpeercert(True))


@pytest.fixture
def make_slow(make_relay):
    """A relay whose program brings a certificate when it is let go."""
    def make(config=SMALL, **options):
        relay = make_relay(with_keys(config, "cert main", program="{dir}/program"), start=False, **options)
        own = Certificate("relay.test")
        relay.write_file("program", relay.fill(PROGRAM), 0o700)
        relay.write_file("event", json.dumps({"event": "certificate", "chain": own.pem, "key": own.key_pem}) + "\n")
        return relay.start()
    return make


# ---- before the first certificate

def test_connections_wait_for_the_first_certificate(make_slow):
    relay = make_slow()
    found = []
    clients = [threading.Thread(target=lambda: found.append(served(relay))) for _ in range(5)]
    for client in clients:
        client.start()
    relay.wait_log(r"(?s)(waits for a certificate.*){5}")
    relay.write_file("go", "")
    for client in clients:
        client.join()
    assert "turns everyone away" not in relay.log and "has no certificate yet" in relay.log
    assert len(found) == 5 and all(names_of(certificate) == ["relay.test"] for certificate in found)


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_connection_that_waits_in_vain_gets_an_alert(make_slow, maximum):
    relay = make_slow(with_keys(SMALL, "limits", handshake_timeout="1s"))
    with pytest.raises(ssl.SSLError, match="(?i)internal.error"):
        Stream.connect(("127.0.0.1", relay.ports["https"])).start_tls("relay.test", maximum=maximum)


def test_waiting_ends_when_nothing_is_expected_any_more(make_slow):
    relay = make_slow()
    refused = []

    def client():
        try:
            served(relay)
        except ssl.SSLError as error:
            refused.append(str(error))
    thread = threading.Thread(target=client)
    thread.start()
    relay.wait_log("waits for a certificate")
    detourctl(relay, "plugins", "disable", "cert/main")
    thread.join()
    assert "internal error" in refused[0].lower()


@pytest.mark.parametrize("keys, algorithm", [({}, "HS256"), ({"eab_algorithm": "hs384"}, "HS384"), ({"eab_algorithm": "hs512"}, "HS512")])
def test_the_key_of_an_external_account_goes_to_the_program(make_slow, keys, algorithm):
    relay = make_slow(with_keys(SMALL, "cert main", eab_kid="kid-7", eab_key_file="{dir}/eab.key", **keys), files={"eab.key": "c2VjcmV0\n"})
    wait_until(lambda: (relay.directory / "orders").exists() and (relay.directory / "orders").read_text().endswith("\n"), "the request")
    assert json.loads((relay.directory / "orders").read_text())["eab"] == {"kid": "kid-7", "key": "c2VjcmV0", "alg": algorithm}


def test_orders_of_two_instances_never_overlap(make_relay):
    own = {"program": "{dir}/program", "names": "relay.test", "plugin": "acme", "challenge": "tls-alpn-01"}
    relay = make_relay(with_keys(with_keys(SMALL, "cert main", **own), "cert second", **own), start=False)
    certificate = Certificate("relay.test")
    relay.write_file("program", relay.fill("#!/bin/sh\nread -r request\ncase $request in *renewal-info*) exit 1;; esac\n"
                                           "echo begin >> {dir}/orders\nsleep 0.5\necho end >> {dir}/orders\ncat {dir}/event\n"), 0o700)
    event = {"event": "certificate", "chain": certificate.pem, "key": certificate.key_pem}
    relay.write_file("event", json.dumps(event) + "\n")
    relay.start()
    relay.wait_log("(?s)(has issued a certificate.*){2}")
    assert (relay.directory / "orders").read_text().split() == ["begin", "end"] * 2


# ---- with an authority

@pytest.fixture
def authority(tmp_path):
    """Pebble, which asks the relay's port for tls-alpn-01."""
    with Pebble(tmp_path / "pebble") as ca:
        yield ca


def config_for(ca, **keys):
    """SMALL with that authority; its TLS port is the relay's."""
    config = with_keys(SMALL, "transport https", listen=f"127.0.0.1:{ca.tls_port}")
    return with_keys(config, "cert main", **({"directory_url": ca.directory_url, "ca_file": ca.ca_file} | keys))


def start(make_relay, ca, **keys):
    """A relay that has its first certificate."""
    relay = make_relay(config_for(ca, **keys), start=False)
    relay.ports["https"] = ca.tls_port
    relay.start()
    relay.wait_log("has issued a certificate")
    return relay


def test_restart_orders_nothing(make_relay, authority):
    relay = start(make_relay, authority)
    first = served(relay)
    relay.stop()
    relay.start()
    relay.wait_log(r"(?s)ready.*ready")
    assert served(relay).serial_number == first.serial_number
    assert authority.orders() == 1
    assert ask(relay, "status")["certificates"][0]["state"] == "serving"


def test_authority_has_it_renewed_and_clients_stay(make_relay, authority):
    relay = start(make_relay, authority)
    first = served(relay)
    client = relay.door("tls").client()
    authority.set_renewal_info((relay.directory / "state/acme/cert-main.pem").read_text(),
                               ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"))
    relay.reload()
    relay.wait_log("(?s)(has issued a certificate.*){2}")
    assert served(relay).serial_number != first.serial_number
    client.ping(b"01234567")
    assert authority.issued() == 2


def test_other_names_are_ordered_at_once(make_relay, authority):
    relay = start(make_relay, authority)
    relay.write_config(config_for(authority, names="relay.test;127.0.0.1"))
    relay.reload()
    relay.wait_log("(?s)(has issued a certificate.*){2}")
    assert names_of(served(relay)) == ["127.0.0.1", "relay.test"]


def test_operator_asks_for_a_new_one(make_relay, authority):
    relay = start(make_relay, authority)
    first = served(relay)
    detourctl(relay, "certs", "renew", "main")
    assert served(relay).serial_number != first.serial_number


def test_two_instances_order_one_after_the_other(make_relay, authority):
    config = config_for(authority) + "\n[cert second]\nplugin = acme\nnames = second.test\nchallenge = tls-alpn-01\n" \
        f"directory-url = {authority.directory_url}\nca-file = {authority.ca_file}\n"
    relay = make_relay(config, start=False)
    relay.ports["https"] = authority.tls_port
    relay.start()
    relay.wait_log("(?s)(has issued a certificate.*){2}")
    assert names_of(served(relay)) == ["relay.test"]
    assert names_of(served(relay, "second.test")) == ["second.test"]


# ---- the configuration

def test_what_will_not_work_is_said_before_the_start(tmp_path):
    path = tmp_path / "detour.conf"
    hook = tmp_path / "hook"
    hook.write_text("not for running")
    path.write_text("[admission]\nchain = open\n[transport http]\nlisten = 127.0.0.1:0\n[cert main]\nplugin = acme\nnames = relay.test\n"
                    f"directory-url = zerossl\ndns-hook = {hook}\n")
    _, said = run_detourd("--check-config", "--no-vendor", "--config", path)
    assert re.search(r"directory-url: zerossl makes no account without a key .* set `eab-kid`", said)
    assert re.search(r"dns-hook: .*/hook is no program that can be run", said)


@pytest.mark.parametrize("line, says", [
    ("program = /nonexistent", "program: /nonexistent is no program that can be run"),
    ("program = {dir}", "program: {dir} is no program that can be run"),
    ("program = {dir}/text", "program: {dir}/text is no program that can be run"),
    ("ca-file = {dir}/none", "ca-file: {dir}/none: "),
    ("ca-file = {dir}", "ca-file: {dir}"),
    ("eab-kid = x\neab-key-file = {dir}/none", "eab-key-file: {dir}/none: "),
    ("eab-kid = x\neab-key-file = {dir}", "eab-key-file: {dir}"),
    ("import-directory = {dir}/none", "import-directory: there is no folder {dir}/none"),
    ("import-directory = {dir}/text", "import-directory: there is no folder {dir}/text"),
    ("[http acme]\nweb-root = /nonexistent", "web-root: there is no folder /nonexistent"),
    ("[http acme]\nweb-root = {dir}/text", "web-root: there is no folder {dir}/text"),
])
def test_files_that_are_not_there_are_said_before_the_start(tmp_path, line, says):
    (tmp_path / "text").write_text("not for running")
    path = tmp_path / "detour.conf"
    path.write_text("[admission]\nchain = open\n[transport http]\nlisten = 127.0.0.1:0\n[cert main]\nplugin = acme\nnames = relay.test\n"
                    + line.format(dir=tmp_path) + "\n")
    _, said = run_detourd("--check-config", "--no-vendor", "--config", path)
    assert says.format(dir=tmp_path) in said, said
