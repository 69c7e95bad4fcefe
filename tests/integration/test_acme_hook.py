"""detourctl acme: the hook with which other ACME clients have their challenges answered by the relay; with the real uacme.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import base64
import grp
import hashlib
import json
import os
import pwd
import shutil
import socket
import ssl
import subprocess

import pytest
from cryptography import x509

from control import DETOURCTL, ask, detourctl
from derp_client import PATIENCE, http_request
from pebble import Pebble
from relay import EVERYTHING, daemon_environment, with_keys, without_group

DUMB = without_group(EVERYTHING, "http acme")
TOKEN = "-evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
AUTHORISATION = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
DIGEST = base64.urlsafe_b64encode(hashlib.sha256(AUTHORISATION.encode()).digest()).decode().rstrip("=")
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")


def hook(relay, *arguments, code=0):
    """One call of the hook; gives its complaint."""
    return detourctl(relay, "acme", *arguments, code=code)[1]


def withdrawn_by_failed(relay):
    """`failed` for programs: whether something was there."""
    return json.loads(detourctl(relay, "acme", "failed", "--json", "http-01", "relay.test", TOKEN, AUTHORISATION)[0])["withdrawn"]


def answer(relay, listener):
    """What a listener answers to http-01's question: (status, body)."""
    response = http_request(relay.door(listener).stream(), "GET", f"/.well-known/acme-challenge/{TOKEN}")
    return response.status, response.body.decode()


def validation_certificate(relay, name="relay.test"):
    """The certificate that tls-alpn-01's question gets, or None."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["acme-tls/1"])
    with socket.create_connection(relay.address("https"), PATIENCE) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as stream:
                if stream.selected_alpn_protocol() != "acme-tls/1":
                    return None
                return x509.load_der_x509_certificate(stream.getpeercert(binary_form=True))
        except ssl.SSLError:
            return None


def test_http_is_answered_until_it_is_done(make_relay):
    relay = make_relay()
    assert answer(relay, "http")[0] == 404
    assert hook(relay, "begin", "http-01", "relay.test", TOKEN, AUTHORISATION) == ""
    for listener in ("http", "port80", "tls"):
        assert answer(relay, listener) == (200, AUTHORISATION)
    hook(relay, "done", "http-01", "relay.test", TOKEN, AUTHORISATION)
    assert answer(relay, "http")[0] == 404
    hook(relay, "begin", "http-01", "relay.test", TOKEN, AUTHORISATION)
    assert withdrawn_by_failed(relay) and not withdrawn_by_failed(relay)
    assert answer(relay, "http")[0] == 404


@pytest.mark.parametrize("given", [DIGEST, AUTHORISATION], ids=["as uacme gives it", "as the protocol has it"])
def test_tls_is_answered_until_it_is_done(make_relay, given):
    relay = make_relay()
    assert validation_certificate(relay) is None
    hook(relay, "begin", "tls-alpn-01", "relay.test", TOKEN, given)
    certificate = validation_certificate(relay)
    extension = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    assert extension.critical and extension.value.value == b"\x04\x20" + hashlib.sha256(AUTHORISATION.encode()).digest()
    assert len(ask(relay, "certs")["certificates"]) == 1, "what answers a challenge is no certificate for clients"
    hook(relay, "done", "tls-alpn-01", "relay.test", TOKEN, given)
    assert validation_certificate(relay) is None


def test_what_cannot_be_answered_is_declined(make_relay):
    """With exit status 1, so that uacme goes on to another challenge."""
    relay = make_relay(DUMB)
    assert "no [http acme] runs" in hook(relay, "begin", "http-01", "relay.test", TOKEN, AUTHORISATION, code=1)
    for kind in ("dns-01", "dns-persist-01", ""):
        assert "is declined" in hook(relay, "begin", kind, "relay.test", TOKEN, AUTHORISATION, code=1)
    assert hook(relay, "begin", "tls-alpn-01", "relay.test", TOKEN, "no digest", code=1)
    assert hook(relay, "begin", "tls-alpn-01", "a b", TOKEN, DIGEST, code=1)
    assert hook(relay, "begin", "tls-alpn-01", "relay.test", TOKEN, code=2)
    assert hook(None, "begin", "tls-alpn-01", "relay.test", TOKEN, DIGEST, "--socket=/nowhere", code=2)
    detourctl(None, "--socket=/nowhere", "acme", "begin", "tls-alpn-01", "relay.test", TOKEN, DIGEST, code=3)


def test_only_those_that_may_write(make_relay):
    """A challenge decides who gets a certificate for the relay's names."""
    group = grp.getgrnam("nogroup")
    relay = make_relay(with_keys(EVERYTHING, "core", control_group=group.gr_name))
    os.chmod(relay.run_directory, 0o755)
    for kind in ("begin", "failed"):
        done = subprocess.run(["setpriv", f"--reuid={pwd.getpwnam('nobody').pw_uid}", f"--regid={group.gr_gid}", "--clear-groups", DETOURCTL,
                               f"--socket={relay.run_directory}/control", "acme", kind, "http-01", "relay.test", TOKEN, AUTHORISATION],
                              capture_output=True, text=True, check=False, env=daemon_environment(), timeout=PATIENCE)
        assert done.returncode == 1 and "needs root" in done.stderr, done.stderr
    assert answer(relay, "http")[0] == 404


# ---- uacme

@pytest.fixture
def uacme(tmp_path):
    """Runs the real uacme against a test CA, with detourctl as its hook."""
    if shutil.which("uacme") is None:
        pytest.skip("there is no uacme")

    def run(relay, ca, *arguments):
        """Gives its exit status and what it said."""
        script = tmp_path / "hook"
        script.write_text(f'#!/bin/sh\nexec "{DETOURCTL}" --socket="{relay.run_directory}/control" acme "$@"\n')
        script.chmod(0o755)
        # It trusts the system's authorities and nothing else, so here the test CA is the system's, for this one process.
        command = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/ssl/certs/ca-certificates.crt && exec "$@"', ca.ca_file,
                   "uacme", "-y", "-v", "-a", ca.directory_url, "-c", tmp_path / "uacme", "-h", script, *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=4 * PATIENCE,
                              env={name: value for name, value in daemon_environment().items() if "proxy" not in name.lower()})
        return done.returncode, done.stderr
    return run


def issue(uacme, relay, ca):
    """Pebble offers its challenges in any order, and one kind of them, without a token, makes uacme 1.7 give up: then it orders again."""
    for _ in range(30):
        code, told = uacme(relay, ca, "issue", "relay.test")
        if "failed to parse challenge" not in told:
            break
    assert code == 0, f"{told}\n{relay.log[-3000:]}"
    return told


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_uacme_gets_a_certificate(make_relay, uacme, tmp_path, kind):
    """By the one challenge that this relay can answer; the others are declined or looked for where nobody listens."""
    with Pebble(tmp_path / "pebble") as ca:
        config = with_keys(EVERYTHING, "service stun", enabled="false")
        if kind == "http-01":
            # Nothing listens where the CA looks for TLS, and this relay has no TLS that it could offer.
            config = with_keys(config, "transport port80", listen=f"127.0.0.1:{ca.http_port}")
            for name in ("https", "tls-gnutls", "tls-export"):
                config = with_keys(config, f"transport {name}", enabled="false")
        else:
            config = with_keys(without_group(config, "http acme"), "transport https", listen=f"127.0.0.1:{ca.tls_port}")
        relay = make_relay(config)
        assert uacme(relay, ca, "new", "ops@example.com")[0] == 0
        told = issue(uacme, relay, ca)
        assert f"hook begin {kind} relay.test" in told and f"hook done {kind} relay.test" in told
        issued = x509.load_pem_x509_certificate((tmp_path / "uacme/relay.test/cert.pem").read_bytes())
        assert "Pebble" in issued.issuer.rfc4514_string()
        assert issued.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == ["relay.test"]
        # All that was presented was taken back.
        assert not withdrawn_by_failed(relay)
