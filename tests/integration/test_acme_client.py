"""The program detour-acme against Pebble: over its pipes, as the daemon drives it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import base64
import datetime
import http.server
import json
import pathlib
import platform
import re
import select
import socket
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from acme_client import LIMIT, PROGRAM, Client, Responder, check, order, request
from acme_run import run_order
from pebble import Pebble
from relay import wait_until
from scripted_ca import ORDER_STEPS, ScriptedCA

URN = "urn:ietf:params:acme:error:"
PROFILES = {"classic": 90 * 86400, "shortlived": 160 * 3600}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A Pebble that is fine."""
    with Pebble(tmp_path_factory.mktemp("ca"), profiles=PROFILES, alternate_roots=1, chain_length=2, refused_names=["refused.test"]) as pebble:
        yield pebble


@pytest.fixture
def ca(shared):
    """The shared Pebble with an answer to whatever it asks."""
    with Responder(shared) as responder:
        shared.answer = responder
        yield shared


@pytest.fixture(scope="module")
def account(shared):
    """An account there, as fields of a request."""
    with Responder(shared) as responder:
        return account_of(order(shared, "account.test", answer=responder))


def account_of(client):
    """The account that a run told of."""
    event = client.of("account")[-1]
    return {"account_key": event["key"], "account_url": event["url"]}


def failure(pebble, answer=None, status=1, **fields):
    """A run that must fail; gives its error."""
    with Client(request(pebble, **fields)) as client:
        assert client.finish(answer) == status, client.events
    error = client.one("error")
    assert client.events[-1] == error and error["remedy"] and error["detail"]
    assert {event["id"] for event in client.of("cleanup")} <= {event["id"] for event in client.of("present")}
    return error


# ---- accounts

def test_first_certificate(ca):
    client = order(ca, "relay.test", answer=ca.answer)
    first, second = client.of("account")
    # The key is told before it is used, the address as soon as there is one.
    assert first["url"] is None and first["created"] is True and second["url"].startswith("https://")
    assert first["key"] == second["key"] and "PRIVATE KEY" in first["key"]
    assert [event["event"] for event in client.events[-2:]] == ["cleanup", "certificate"]
    assert client.one("present")["type"] == "http-01" and not ca.answer.presented
    assert client.one("order")["profile"] in PROFILES


def test_account_is_used_again(ca, account):
    again = order(ca, "relay.test", answer=ca.answer, **account)
    assert not again.of("account")
    # A CA tells the address of an account whose key it knows.
    again = order(ca, "relay.test", answer=ca.answer, account_key=account["account_key"])
    told = again.one("account")
    assert told["url"] == account["account_url"] and told["key"] == account["account_key"] and told["created"] is False


def test_account_gone(tmp_path):
    with Pebble(tmp_path / "ca") as pebble, Responder(pebble) as responder:
        kept = account_of(order(pebble, "relay.test", answer=responder))
        pebble.stop()
        pebble.start()
        client = order(pebble, "relay.test", answer=responder, **kept)
        told = client.one("account")
        assert told["key"] == kept["account_key"] and told["created"] is True
        assert client.events[0] == told


def test_external_account(tmp_path):
    # As long as the longest hash: Pebble takes no shorter keys for it.
    key = bytes(range(190, 254))
    with Pebble(tmp_path / "ca", eab={"kid-1": key}, always_valid=True) as pebble:
        error = failure(pebble, names=["relay.test"])
        assert error["type"] == URN + "externalAccountRequired" and error["step"] == "account" and "eab-kid" in error["remedy"]
        url, plain = base64.urlsafe_b64encode(key).decode(), base64.b64encode(key).decode()
        for eab in ({"key": url.rstrip("=")}, {"key": url}, {"key": plain, "alg": "HS384"}, {"key": plain.rstrip("=") + "\n", "alg": "HS512"}):
            order(pebble, "relay.test", answer=lambda event: None, eab={"kid": "kid-1"} | eab)
        for eab in ({"kid": "kid-2", "key": url}, {"kid": "kid-1", "key": base64.b64encode(b"x" * 32).decode()}):
            error = failure(pebble, names=["relay.test"], eab=eab)
            assert error["step"] == "account" and "eab-kid" in error["remedy"]
        error = failure(pebble, names=["relay.test"], eab={"kid": "kid-1", "key": "not base64!"}, status=2)
        assert error["type"] == "input"


def test_rollover(ca):
    old = account_of(order(ca, "roll.test", answer=ca.answer))
    with Client(request(ca, "rollover", **old)) as client:
        offered = client.wait_for("next-key")
        client.send({"stored": True})
        assert client.finish() == 0
    new = account_of(client)
    assert new["account_url"] == old["account_url"] and new["account_key"] == offered["key"] != old["account_key"]
    order(ca, "roll.test", answer=ca.answer, **new)
    assert failure(ca, ca.answer, names=["roll.test"], **old)["type"] == URN + "malformed"
    # The answer was lost: the key that was offered is the account's already.
    with Client(request(ca, "rollover", next_key=new["account_key"], **old)) as client:
        assert client.finish() == 0
    assert account_of(client) == new
    # It was lost before the CA had the key.
    with Client(request(ca, "rollover", **new)) as client:
        offered = client.wait_for("next-key")
    with Client(request(ca, "rollover", next_key=offered["key"], **new)) as client:
        assert client.finish() == 0
    assert account_of(client)["account_key"] == offered["key"]


def test_rollover_not_stored(ca, account):
    with Client(request(ca, "rollover", **account)) as client:
        client.wait_for("next-key")
        client.send({"stored": False})
        assert client.finish() == 2
    order(ca, "relay.test", answer=ca.answer, **account)


# ---- challenges
# Whatever it is told, Pebble takes one authorisation in a hundred from an order before, if the account is the same: here each run has its own.

@pytest.mark.parametrize("names, challenges", [
    (["relay.test"], ["tls-alpn-01", "http-01"]),
    (["127.0.0.1"], ["tls-alpn-01"]),
    (["::1"], ["tls-alpn-01"]),
    (["127.0.0.1", "::1", "both.test"], ["http-01"]),
    (["*.wild.test", "wild.test"], ["dns-01"]),
    (["*.mixed.test", "mixed.test"], ["http-01", "dns-01"]),
])
def test_challenges(ca, names, challenges):
    client = order(ca, *names, answer=ca.answer, challenges=challenges)
    presented = {event["name"]: event for event in client.of("present")}
    assert set(presented) == set(names)
    for name, event in presented.items():
        assert event["type"] == ("dns-01" if name.startswith("*.") else challenges[0])
        assert event["identifier"] == name.removeprefix("*.")
        assert ("record" in event) == (event["type"] == "dns-01")
    assert not ca.answer.presented and len(client.of("cleanup")) == len(names)


def test_names_as_people_write_them(ca):
    given = ["Bücher.Test.", "[0:0:0:0:0:0:0:1]", "127.0.0.1", "xn--bcher-kva.test"]
    with Client(request(ca, names=given)) as client:
        assert client.finish(ca.answer) == 0
    check(client.one("certificate"), "xn--bcher-kva.test", "::1", "127.0.0.1")
    assert {event["name"] for event in client.of("present")} == set(given[:3])


def test_refused_challenge(ca):
    ca.answer.refuse = {"tls-alpn-01": "port 443 is not ours"}
    client = order(ca, "relay.test", answer=ca.answer, challenges=["tls-alpn-01", "http-01"])
    assert [event["type"] for event in client.of("present")] == ["tls-alpn-01", "http-01"]
    error = failure(ca, ca.answer, names=["relay.test"], challenges=["tls-alpn-01"])
    assert error["type"] == "no-challenge" and "port 443 is not ours" in error["detail"]


def test_no_way(ca):
    error = failure(ca, ca.answer, names=["*.wild.test"], challenges=["http-01", "tls-alpn-01"])
    assert error["type"] == "no-challenge" and error["name"] == "*.wild.test" and "dns-hook" in error["remedy"]


@pytest.mark.parametrize("challenge, word", [("http-01", "port 80"), ("tls-alpn-01", "port 443"), ("dns-01", "_acme-challenge.relay.test")])
def test_failed_challenge(ca, challenge, word):
    ca.answer.wrong = True
    # Seen by a name server is what was written, so let nobody look.
    error = failure(ca, ca.answer, names=["relay.test"], challenges=[challenge], dns_servers=["127.0.0.1:1"])
    assert error["step"] == "challenge" and error["challenge"] == challenge and error["name"] == "relay.test"
    assert error["type"] == URN + "unauthorized" and word in error["remedy"]
    assert not ca.answer.presented


def test_nobody_answers(ca):
    error = failure(ca, lambda event: None, names=["127.0.0.1"], challenges=["http-01"])
    assert error["type"] == URN + "unauthorized" and "404" in error["detail"]


def test_record_is_waited_for(ca, account):
    with Client(request(ca, names=["late.test"], challenges=["dns-01"], **account)) as client:
        event = client.wait_for("present")
        ca.dns.set_txt(event["record"], "of somebody else")
        client.send({"presented": event["id"]})
        # It has looked, and did not ask the CA.
        wait_until(lambda: len(history(ca, event["record"])) >= 2, "two looks")
        ca.dns.set_txt(event["record"], event["value"])
        assert client.finish() == 0


def test_record_behind_an_alias(ca, account):
    with Client(request(ca, names=["alias.test"], challenges=["dns-01"], **account)) as client:
        event = client.wait_for("present")
        ca.dns.post("set-cname", host=event["record"] + ".", target="elsewhere.test.")
        ca.dns.set_txt("elsewhere.test", event["value"])
        client.send({"presented": event["id"]})
        assert client.finish() == 0
    ca.dns.post("clear-cname", host=event["record"] + ".")


def test_record_is_never_seen(ca, account):
    before = ca.requests()
    error = failure(ca, lambda event: None, names=["never.test"], challenges=["dns-01"], time_limit=20, **account)
    assert error["type"] == "dns" and error["address"] == ca.dns.address and "dns-hook" in error["remedy"]
    # It costs no failed validation.
    assert not [path for method, path in ca.requests()[len(before):] if "chalZ" in path]


def history(pebble, name):
    """The questions about @name that its name server got."""
    return json.loads(pebble.dns.post("dns-request-history", host=name) or b"[]")


# ---- certificates

@pytest.mark.parametrize("key_type, kind, size", [("p256", ec.EllipticCurvePublicKey, 256), ("p384", ec.EllipticCurvePublicKey, 384),
                                                  ("rsa2048", rsa.RSAPublicKey, 2048)])
def test_key_types(ca, account, key_type, kind, size):
    client = order(ca, "relay.test", answer=ca.answer, key_type=key_type, **account)
    key = x509.load_pem_x509_certificate(client.one("certificate")["chain"].encode()).public_key()
    assert isinstance(key, kind) and key.key_size == size


def test_each_has_a_new_key_and_an_empty_subject(ca, account):
    chains = [order(ca, "relay.test", answer=ca.answer, **account).one("certificate") for _ in range(2)]
    assert chains[0]["key"] != chains[1]["key"]
    assert not list(x509.load_pem_x509_certificate(chains[0]["chain"].encode()).subject)


def test_profiles(ca, account):
    def life(**fields):
        client = order(ca, *fields.pop("names", ["relay.test"]), answer=ca.answer, **account, **fields)
        event = client.one("certificate")
        leaf = x509.load_pem_x509_certificate(event["chain"].encode())
        return event["profile"], (leaf.not_valid_after - leaf.not_valid_before) // datetime.timedelta(hours=1)
    assert life(profile="classic") == ("classic", 90 * 24 - 1) or life(profile="classic")[1] in (90 * 24, 90 * 24 - 1)
    assert life(profile="shortlived")[0] == "shortlived"
    # With an address it is the only one that CAs have.
    assert life(names=["127.0.0.1"])[0] == "shortlived"
    error = failure(ca, names=["relay.test"], profile="gold", **account)
    assert error["type"] == URN + "invalidProfile" and "classic, shortlived" in error["remedy"]


def test_preferred_chain(ca, account):
    def issuer(number):
        return x509.load_pem_x509_certificate(ca.roots(number).encode()).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    for number in (0, 1):
        event = order(ca, "relay.test", answer=ca.answer, preferred_chain=issuer(number), **account).one("certificate")
        certificates = [part + "-----END CERTIFICATE-----\n" for part in event["chain"].split("-----END CERTIFICATE-----\n")[:-1]]
        top = x509.load_pem_x509_certificate(certificates[-1].encode())
        assert len(certificates) == 3 - number or len(certificates) >= 2
        assert top.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == issuer(number)
    client = order(ca, "relay.test", answer=ca.answer, preferred_chain="Of nobody", **account)
    assert "Of nobody" in client.one("note")["text"]


def test_refused_name(ca, account):
    error = failure(ca, names=["relay.test", "refused.test"], **account)
    assert error["type"] == URN + "rejectedIdentifier" and error["step"] == "order" and "refused.test" in error["detail"]


# ---- a CA that is difficult

def test_half_of_all_nonces(tmp_path):
    with Pebble(tmp_path / "ca", nonce_refusals=50) as pebble, Responder(pebble) as responder:
        kept = {}
        for n in range(4):
            client = order(pebble, f"relay{n}.test", f"other{n}.test", answer=responder, **kept)
            kept = kept or account_of(client)


def test_authorisations_are_used_again(tmp_path):
    with Pebble(tmp_path / "ca", reuse=100) as pebble, Responder(pebble) as responder:
        client = order(pebble, "relay.test", answer=responder)
        kept = account_of(client)
        assert client.of("present")
        # The order is ready at once: nothing is to be shown.
        assert not order(pebble, "relay.test", answer=responder, challenges=[], **kept).of("present")
        client = order(pebble, "relay.test", "new.test", answer=responder, **kept)
        assert [event["name"] for event in client.of("present")] == ["new.test"]


def test_time_is_over(tmp_path):
    with Pebble(tmp_path / "ca", validation_pause=60) as pebble, Responder(pebble) as responder:
        error = failure(pebble, responder, names=["relay.test"], time_limit=10)
        assert error["type"] == "timeout" and error["step"] == "challenge" and not responder.presented


def test_nobody_is_there(ca):
    error = failure(ca, names=["relay.test"], directory="https://127.0.0.1:1/dir")
    assert error["type"] == "network" and error["step"] == "directory" and error["status"] == 0


def test_foreign_certificate(ca):
    error = failure(ca, names=["relay.test"], ca_file=str(ca.root_file()))
    assert error["type"] == "tls" and "ca-file" in error["remedy"]


def test_ca_file_that_cannot_be_read_is_named(ca, tmp_path):
    path = tmp_path / "roots.pem"
    error = failure(ca, names=["relay.test"], ca_file=str(path))
    assert error["type"] == "tls" and f"ca-file {path} cannot be read" in error["detail"] and str(path) in error["remedy"]


def test_no_directory(ca):
    error = failure(ca, names=["relay.test"], directory=ca.directory_url + "/nothing")
    assert error["step"] == "directory" and error["status"] == 404


@pytest.fixture
def odd(tmp_path):
    """A CA that does what it is told."""
    with ScriptedCA(tmp_path / "odd") as scripted:
        yield scripted


@pytest.mark.parametrize("how", [{"manner": "close"}, {"status": 503, "json": None}], ids=["lost", "busy"])
def test_a_moment_of_trouble_at_every_step(odd, how):
    for step in ORDER_STEPS:
        odd.on(step, times=1, **how)
    assert run_order(odd).code == 0


def test_order_of_before(odd):
    """The certificate of a finished order is for a key that is gone; the next order is another one."""
    odd.on("new-order", lambda request, answer: answer.json.update(status="valid", certificate=odd.url_of("certificate", 1)), times=1)
    run = run_order(odd)
    assert run.code == 0 and odd.count("new-order") == 2
    terms, finished = (event["text"] for event in run.of("note"))
    assert odd.url_of("terms") in terms and "finished already" in finished


def test_challenge_that_was_answered_before(odd):
    """It is shown again, as the CA may still look, and not answered again."""
    def answered(_request, _answer):
        for own in odd.authorizations.values():
            own["challenges"][0]["status"] = "processing"
    odd.looks = 1
    odd.on("new-order", answered)
    run = run_order(odd)
    assert run.code == 0 and run.one("present")["type"] == "http-01" and odd.count("challenge") == 0


def test_authorisation_that_expired(odd):
    odd.on("authorization", lambda request, answer: answer.json.update(status="expired"))
    error = run_order(odd).error
    assert error["step"] == "authorization" and "relay.test is expired" in error["detail"] and "new order" in error["remedy"]


def test_another_profile_than_wanted(odd):
    odd.profiles = {"classic": "x", "other": "y"}
    odd.on("new-order", lambda request, answer: answer.json.update(profile="other"))
    assert run_order(odd, profile="classic").error["type"] == URN + "invalidProfile"


def test_time_in_words(odd):
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    detail = f"too many certificates, retry after {until:%Y-%m-%d %H:%M:%S} UTC: see the page"
    odd.refuse("new-order", "rateLimited", detail, 429, headers={"Link": '<https://ca.test/limits>;rel="help"'})
    error = run_order(odd).error
    assert 3500 < error["retry_after"] <= 3600 and error["detail"] == detail
    assert "Rate limited until 2" in error["remedy"] and "https://ca.test/limits" in error["remedy"]


def test_words_of_a_stranger(odd):
    odd.refuse("new-order", "malformed", "\x1b[31mred\r\n\u202eback " + "ä" * 10000)
    detail = run_order(odd).error["detail"]
    assert len(detail.encode()) <= 2048 and not set("\x1b\r\n\u202e") & set(detail)


def test_address_that_the_ca_tried(odd):
    def failed(_request, answer):
        answer.json["status"] = "invalid"
        answer.json["challenges"] = [{"type": "http-01", "status": "invalid", "error": {"type": URN + "connection", "detail": "refused"},
                                      "validationRecord": [{"addressUsed": "203.0.113.4"}, {"addressUsed": "203.0.113.5", "port": "80"}]}]
    odd.on("authorization", failed, after=1)
    error = run_order(odd).error
    assert error["address"] == "203.0.113.5 port 80" and "tried 203.0.113.5 port 80" in error["remedy"]
    assert error["step"] == "challenge" and error["challenge"] == "http-01" and error["name"] == "relay.test"


# ---- renewal and revocation

def renewal(pebble, chain):
    """What it tells about a certificate."""
    with Client(request(pebble, "renewal-info", certificate=chain)) as client:
        assert client.finish() == 0, client.events
    return client.one("renewal")


def test_renewal_info(ca, account):
    chain = order(ca, "relay.test", answer=ca.answer, profile="classic", **account).one("certificate")["chain"]
    event = renewal(ca, chain)
    assert time.time() < event["start"] < event["end"] < time.time() + PROFILES["classic"]
    assert event["retry_after"] == 21600
    ca.set_renewal_info(chain, ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00.5+01:00"))
    event = renewal(ca, chain)
    assert (event["start"], event["end"]) == (1577836800, 1577919600)
    for broken in (("2020-01-02T00:00:00Z", "2020-01-01T00:00:00Z"), "{", "[]", '{"suggestedWindow":{"start":7}}'):
        ca.set_renewal_info(chain, broken)
        error = failure(ca, what="renewal-info", certificate=chain)
        assert error["step"] == "renewal-info" and error["type"] == "protocol"


def test_replaces(ca, account):
    chain = order(ca, "relay.test", answer=ca.answer, **account).one("certificate")["chain"]
    number = renewal(ca, chain)["id"]
    client = order(ca, "relay.test", answer=ca.answer, replaces=number, **account)
    assert client.one("certificate")["replaced"] is True and not client.of("note")
    # A second time it is refused, and so is one of another CA; a certificate comes all the same.
    for replaces in (number, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"):
        client = order(ca, "relay.test", answer=ca.answer, replaces=replaces, **account)
        assert client.one("certificate")["replaced"] is False and client.one("note")


def test_revocation(ca, account):
    chain = order(ca, "relay.test", answer=ca.answer, **account).one("certificate")["chain"]
    assert ca.status(chain)["Status"] == "Valid"
    with Client(request(ca, "revoke", certificate=chain, reason=4, **account)) as client:
        assert client.finish() == 0
    assert client.one("revoked") and ca.status(chain)["Status"] == "Revoked"
    error = failure(ca, what="revoke", certificate=chain, **account)
    assert error["type"] == URN + "alreadyRevoked" and error["step"] == "revoke"


# ---- the process

def test_bad_requests():
    good = '{"do":"order","directory":"https://127.0.0.1/",'
    for line in ("{}", "[]", "\udcff", "", '{"do":"order","directory":"http://127.0.0.1/"}', '{"do":"dance","directory":"https://127.0.0.1/"}',
                 '{"do":"renewal-info","directory":"https://127.0.0.1/"}', good + '"names":[]}', good + '"names":["a b"]}', good + '"names":["a"],"key_type":"dsa"}',
                 good + '"names":["a"],"eab":{"kid":"x"}}', '{"do":"revoke","directory":"https://127.0.0.1/","account_key":"x","certificate":"x"}'):
        with Client(line=line.encode(errors="surrogateescape") + b"\n") as client:
            assert client.finish() == 2, line
        assert client.one("error")["type"] in ("input", "protocol") and client.one("error")["step"] == "input", line


def test_endless_request():
    with Client() as client:
        with pytest.raises(BrokenPipeError):
            while True:
                client.write(b"x" * 65536)
        assert client.finish() == 2


def test_caller_is_gone(ca):
    with Client(request(ca, names=["relay.test"])) as client:
        client.wait_for("present")
        client.process.stdin.close()
        assert client.process.wait(LIMIT) == 2


def test_caller_is_gone_while_the_ca_works(tmp_path):
    with Pebble(tmp_path / "ca", validation_pause=60) as pebble, Client(request(pebble, names=["relay.test"])) as client:
        event = client.wait_for("present")
        client.send({"presented": event["id"]})
        wait_until(lambda: [path for method, path in pebble.requests() if "chalZ" in path], "the answer")
        client.process.stdin.close()
        assert client.process.wait(LIMIT) == 2
        assert client.wait_for("cleanup")


def test_confined(ca):
    with Client(request(ca, names=["relay.test"])) as client:
        client.wait_for("present")
        own = pathlib.Path(f"/proc/{client.process.pid}")
        limits = (own / "limits").read_text()
        status = (own / "status").read_text()
        assert "NoNewPrivs:\t1" in status
        assert re.search(r"^CapEff:\s0+$", status, re.M) and re.search(r"^CapPrm:\s0+$", status, re.M)
        if platform.machine() in ("x86_64", "aarch64", "riscv64"):
            assert "Seccomp:\t2" in status
        assert limits.split("Max core file size")[1].split()[:2] == ["0", "0"]
        assert limits.split("Max open files")[1].split()[:2] == ["64", "64"]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Passes connections on."""

    def do_CONNECT(self):
        """The name is the standard library's."""
        self.server.asked.append(self.path)
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host.strip("[]"), int(port))) as other:
            self.send_response(200)
            self.end_headers()
            ways = {self.connection: other, other: self.connection}
            while True:
                for sock in select.select(list(ways), [], [])[0]:
                    data = sock.recv(65536)
                    if not data:
                        return
                    ways[sock].sendall(data)

    def log_message(self, *unused):
        """Says nothing."""


def test_proxy(ca, account):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        proxy.daemon_threads = True
        proxy.block_on_close = False
        proxy.asked = []
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        environment = {"https_proxy": f"http://127.0.0.1:{proxy.server_port}", "no_proxy": ""}
        with Client(request(ca, names=["relay.test"], **account), environment=environment) as client:
            assert client.finish(ca.answer) == 0
        assert set(proxy.asked) == {ca.directory_url.split("/")[2]}
        proxy.shutdown()


def test_started_by_hand():
    done = subprocess.run([PROGRAM, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "detourd" in done.stderr
