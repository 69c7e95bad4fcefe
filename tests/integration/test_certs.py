"""What a plugin reports of its certificates, and renewing them by hand; with tests/trial/cert-trial.c in the real daemon.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import datetime
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization

from certs import Certificate
from control import ask, at_terminal, detourctl, plugin
from derp_client import PATIENCE, Stream
from doctor import examine, mend
from german import german
from relay import BUILD, EVERYTHING, wait_until, with_keys, without_group

TRIAL = with_keys(without_group(EVERYTHING, "cert main"), "core", plugin_path=f"{BUILD}/plugins; {BUILD}/tests/trial")
NAME = "io.github.detourd.Detour1"


class Trial:
    """A relay whose certificate comes from the trial plugin, and that certificate."""

    def __init__(self, make_relay, **keys):
        self.authority = Certificate("Trial Authority", authority=True)
        self.leaf = Certificate("relay.test", issuer=self.authority, since=-30, days=60)
        der = self.leaf.key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption())
        begin, end = (int(time.replace(tzinfo=datetime.timezone.utc).timestamp()) for time in
                      (self.leaf.certificate.not_valid_before, self.leaf.certificate.not_valid_after))
        config = with_keys(TRIAL, "cert main", plugin="trial", names="relay.test", leaf="{dir}/leaf.der", key="{dir}/key.der",
                           **{"not-before": begin, "not-after": end} | keys)
        self.relay = make_relay(config, files={"leaf.der": self.leaf.der, "key.der": der})

    @property
    def shown(self):
        """The one certificate as programs see it."""
        found, = ask(self.relay, "status")["certificates"]
        return found


def call_renew(relay, folder="certificate/cert_main", code=0):
    """Renew() on the control socket; gives what gdbus prints or complains."""
    done = subprocess.run(["gdbus", "call", "--dest", NAME, "--address", f"unix:path={relay.run_directory}/control",
                           "--object-path", f"/io/github/detourd/Detour1/{folder}", "--method", f"{NAME}.Certificate.Renew"],
                          capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert bool(done.returncode) == bool(code), done
    return done.stdout + done.stderr


def served(relay):
    """The leaf that a client gets, in DER."""
    stream = Stream.connect(relay.address("https")).start_tls(server_name="relay.test")
    leaf = stream.certificates()[0]
    stream.close()
    return leaf


def test_first_certificate_is_waited_for_and_comes(make_relay):
    trial = Trial(make_relay, renew_time=1900000000, renew_by="ca")
    before = trial.shown
    assert before["state"] == "waiting"
    assert before["names"] == before["wanted_names"] == ["relay.test"]
    assert (before["issuer"], before["pin"], before["not_after"], before["renewable"]) == ("", "", None, True)
    assert call_renew(trial.relay) == "()\n"
    after = trial.shown
    assert after["state"] == "serving"
    assert after["issuer"] == "Trial Authority"
    assert not after["self_signed"]
    assert (after["authority"], after["profile"], after["challenge"]) == ("https://ca.test/directory", "shortlived", "tls-alpn-01")
    assert (after["renew_by"], after["error"], after["remedy"]) == ("ca", "", "")
    assert served(trial.relay) == trial.leaf.der
    assert "cert/main: the operator asks for a new certificate" in trial.relay.log


def test_doctor_awaits_the_first_certificate(make_relay):
    trial = Trial(make_relay)
    finding = examine(trial.relay, "certificate")["certificate_awaited"]
    assert finding["status"] == "warning" and finding["command"] == "detourctl certs"
    mend(trial.relay, finding)
    call_renew(trial.relay)
    assert "certificate_awaited" not in examine(trial.relay, "certificate")


def test_failure_is_told_in_the_words_of_who_refused(make_relay):
    trial = Trial(make_relay, serves="true", error="CAA record for relay.test prevents issuance",
                  remedy="let the CAA record name this CA", next_try=1900000000)
    assert "RenewalFailed: CAA record for relay.test prevents issuance" in call_renew(trial.relay, code=1)
    shown = trial.shown
    assert shown["state"] == "failing"
    assert (shown["error"], shown["remedy"]) == ("CAA record for relay.test prevents issuance", "let the CAA record name this CA")
    assert served(trial.relay) == trial.leaf.der


def test_renewal_outlives_neither_its_instance_nor_the_daemon(make_relay):
    trial = Trial(make_relay, serves="true", hangs="true")
    address = f"unix:path={trial.relay.run_directory}/control"
    call = ["gdbus", "call", "--dest", NAME, "--timeout", "60", "--address", address, "--object-path",
            "/io/github/detourd/Detour1/certificate/cert_main", "--method", f"{NAME}.Certificate.Renew"]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        wait_until(lambda: trial.shown["state"] == "renewing", "the renewal to begin")
        subprocess.run(["gdbus", "call", "--dest", NAME, "--address", address, "--object-path", "/io/github/detourd/Detour1/plugin/cert_main",
                        "--method", f"{NAME}.Plugin.Restart"], check=True, capture_output=True, timeout=PATIENCE)
        assert "the instance stopped before there was an outcome" in waiting.communicate(timeout=PATIENCE)[1]
    assert trial.shown["state"] == "serving"
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
        wait_until(lambda: trial.shown["state"] == "renewing", "the renewal to begin")
        trial.relay.stop()
        assert waiting.communicate(timeout=PATIENCE)[1]


# ---- detourctl

def hint(relay, about):
    """The one line of status that needs attention about an instance."""
    found, = [entry["code"] for entry in ask(relay, "status")["hints"] if entry["about"] == about]
    return found


def test_command_waits_for_the_first_certificate(make_relay):
    trial = Trial(make_relay, renew_time=1900000000, renew_by="ca")
    shown, _ = detourctl(trial.relay, "certs")
    assert shown.startswith("relay.test   cert/main: waiting for the first one\n")
    assert "asks         https://ca.test/directory, names proven by tls-alpn-01" in shown
    assert "valid" not in shown and "issuer" not in shown
    status, _ = detourctl(trial.relay, "status")
    assert "certificate  relay.test, waiting for the first one, from trial" in status
    assert hint(trial.relay, "cert/main") == "certificate_missing"
    done, _ = detourctl(trial.relay, "certs", "renew", "main")
    assert done.startswith("cert/main: there is a new certificate, valid until 20")
    shown, _ = detourctl(trial.relay, "certs")
    assert "issuer       Trial Authority, profile shortlived\n" in shown
    assert "2030-03-17T17:46:40Z; the authority says so\n" in shown.replace("\n               ", " ")
    assert "days left" in shown.splitlines()[0]
    assert not [entry for entry in ask(trial.relay, "status")["hints"] if entry["about"] == "cert/main"]


@pytest.mark.parametrize("serves", ["true", "false"])
def test_failure_is_shown_with_its_remedy(make_relay, serves):
    trial = Trial(make_relay, serves=serves, fails="true", error="DNS problem: NXDOMAIN looking up A for relay.test",
                  remedy="make an A record for relay.test", next_try=4000000000)
    for text in (detourctl(trial.relay, "certs")[0], at_terminal(trial.relay, 80, "certs", "--color=never"),
                 at_terminal(trial.relay, 80, "status", "--color=never")):
        assert max(len(line) for line in text.splitlines()) <= 80
        joined = " ".join(text.split())
        assert "DNS problem: NXDOMAIN looking up A for relay.test" in joined
        assert "make an A record for relay.test" in joined and "ext try" in joined
    assert hint(trial.relay, "cert/main") == ("certificate_failing" if serves == "true" else "certificate_missing")
    _, told = detourctl(trial.relay, "certs", "renew", "relay.test", code=1)
    assert told == ("detourctl: cert/main: DNS problem: NXDOMAIN looking up A for relay.test\n"
                    "make an A record for relay.test\n")
    answer = ask(trial.relay, "certs", "renew", code=1)
    assert answer == {"renewals": [{"instance": "cert/main", "renewed": False,
                                    "error": "DNS problem: NXDOMAIN looking up A for relay.test"}]}


def test_trouble_is_not_told_twice(make_relay):
    """The instance has a line of its own only when no certificate of it has an error."""
    trial = Trial(make_relay, serves="true", fails="true", error="no", trouble="the order failed")
    assert plugin(trial.relay, "cert/main")["trouble"] == "the order failed"
    assert hint(trial.relay, "cert/main") == "certificate_failing"


def test_renewal_that_takes_longer_goes_on(make_relay):
    trial = Trial(make_relay, serves="true", hangs="true")
    _, told = detourctl(trial.relay, "certs", "renew", "--timeout=3s", code=4)
    assert "cert/main: no outcome within 3s; the renewal goes on" in told
    assert trial.shown["state"] == "renewing"
    assert "being renewed now" in detourctl(trial.relay, "certs")[0]


def test_german(make_relay):
    trial = Trial(make_relay, serves="true", fails="true", error="CAA record prevents issuance", renew_time=4000000000)
    text = at_terminal(trial.relay, 80, "certs", "--color=never", **german())
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "Aussteller" in text and "die letzte Erneuerung ist gescheitert" in text and "nach seiner Laufzeit" in text
    assert "CAA record prevents issuance" in " ".join(text.split()), "what the authority said is left as it is"
    status = " ".join(at_terminal(trial.relay, 80, "status", "--color=never", **german()).split())
    assert "das Zertifikat für relay.test konnte nicht erneuert werden: CAA record prevents issuance" in status


@pytest.mark.parametrize("plugin_name, told", [("selfsigned", "another pin"), ("file", "the program that writes its files")])
def test_command_says_who_renews_others(make_relay, plugin_name, told):
    pair = Certificate("relay.test", issuer=Certificate("CA", issuer=Certificate("root", authority=True), authority=True))
    keys = {"chain_file": "{dir}/pair.pem", "key_file": "{dir}/pair.key"} if plugin_name == "file" else {}
    files = {"pair.pem": pair.pem, "pair.key": pair.key_pem}
    relay = make_relay(with_keys(without_group(EVERYTHING, "cert main"), "cert main", plugin=plugin_name, **keys), files=files)
    assert told in " ".join(detourctl(relay, "certs", "renew", "main", code=1)[1].split())
    assert "nothing to renew" in detourctl(relay, "certs", "renew", code=1)[1]
    assert 'did you mean "cert/main"' in detourctl(relay, "certs", "renew", "cert/mian", code=1)[1]


def test_completion_knows_what_can_be_renewed(make_relay):
    trial = Trial(make_relay, serves="true")
    assert detourctl(trial.relay, "complete", "certs", "renew", "")[0] == "cert/main\n"
    assert detourctl(trial.relay, "complete", "certs", "rollover", "")[0] == "cert/main\n"


def test_who_has_no_account_has_no_key_of_it(make_relay):
    trial = Trial(make_relay, serves="true")
    assert "cert/main: its plugin has no account at an authority" in detourctl(trial.relay, "certs", "rollover", code=1)[1]
    relay = make_relay(EVERYTHING)
    assert "so it has no account for it" in detourctl(relay, "certs", "rollover", "main", code=1)[1]
    assert "so there is no account" in " ".join(detourctl(relay, "certs", "rollover", code=1)[1].split())


# ---- D-Bus

@pytest.mark.parametrize("plugin_name", ["selfsigned", "file"])
def test_plugins_that_only_publish_renew_nothing(make_relay, plugin_name):
    pair = Certificate("relay.test")
    relay = make_relay(with_keys(without_group(EVERYTHING, "cert main"), "cert main", plugin=plugin_name, **(
        {"chain_file": "{dir}/pair.pem", "key_file": "{dir}/pair.key"} if plugin_name == "file" else {})),
        files={"pair.pem": pair.pem, "pair.key": pair.key_pem})
    shown, = ask(relay, "status")["certificates"]
    assert (shown["state"], shown["renewable"], shown["self_signed"], shown["issuer"]) == ("serving", False, True, "relay.test")
    assert "NotAvailable: its plugin renews nothing on request" in call_renew(relay, code=1)
