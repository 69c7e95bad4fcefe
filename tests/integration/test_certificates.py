"""Certificates as an operator meets them: the pin survives wrong clocks and damaged files, and faults are told.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import datetime
import hashlib
import json
import os
import re
import stat
import subprocess
import time

import pytest
from cryptography import x509

from certs import Certificate
from control import ask, detourctl, plugin
from derp_client import Stream
from relay import DETOURD, EVERYTHING, StartFailed, with_keys, without_group
from shifted_clock import ShiftedClock

OWN = ("127.0.0.1", "relay.test")  # the names of [cert main] in EVERYTHING


def pin_of(certificate):
    return "sha256-raw:" + hashlib.sha256(certificate.der).hexdigest()


def own_files(certificate):
    return {"state/selfsigned-main.crt": certificate.pem, "state/selfsigned-main.key": certificate.key_pem}


def start_with_own(make_relay, certificate, config=EVERYTHING):
    return make_relay(config, files=own_files(certificate))


def served(relay, name="relay.test"):
    """The leaf that a client gets, in DER."""
    stream = Stream.connect(relay.address("https")).start_tls(server_name=name)
    leaf = stream.certificates()[0]
    stream.close()
    return leaf


def own_text(relay):
    return [(relay.directory / "state" / f"selfsigned-main.{end}").read_text() for end in ("crt", "key")]


# A clock that is wrong is the same as a certificate whose time is another: one that begins in years was met by a clock
# that is back, one that ended long ago by a clock that is ahead.
@pytest.mark.parametrize("since, days, trouble", [
    (2, 3650, "is valid from"),
    (20000, 23650, "is valid from"),
    (-7300, -3650, "expired on"),
], ids=["two days back", "1970", "2040"])
def test_a_wrong_clock_leaves_the_pin_alone(make_relay, since, days, trouble):
    old = Certificate(*OWN, since=since, days=days)
    relay = start_with_own(make_relay, old)
    assert served(relay) == old.der
    assert own_text(relay) == [old.pem, old.key_pem]
    assert trouble in plugin(relay, "cert/main")["trouble"]
    assert "for a new" in plugin(relay, "cert/main")["trouble"] or since > 0
    assert any(hint["about"] == "cert/main" for hint in ask(relay, "status")["hints"])
    assert trouble in relay.log
    relay.reload()
    assert own_text(relay) == [old.pem, old.key_pem]


@pytest.mark.parametrize("now, trouble", [
    (0, "the clock of this host says 1970-01-01, but Detour was built on 20"),
    (2208988800, "expired on 20"),
    (time.time() - 2 * 86400, None),
], ids=["1970", "2040", "two days back"])
def test_a_start_with_a_wrong_clock(make_relay, tmp_path, now, trouble):
    relay = make_relay()
    before = served(relay)
    files = own_text(relay)
    relay.stop()
    with ShiftedClock(tmp_path) as clock:
        clock.jump(int(now - time.time() + 60))
        relay.start_once()
    assert served(relay) == before
    assert own_text(relay) == files
    if trouble is not None:
        assert f"cert/main: {trouble}" in relay.log or f"cert/main: the certificate {trouble}" in relay.log
    relay.stop()
    relay.start_once()
    assert served(relay) == before
    assert plugin(relay, "cert/main")["trouble"] == ""


def test_the_first_start_in_1970(make_relay, tmp_path):
    """The certificate is good for a client whose clock is right, and stays when the clock is set."""
    with ShiftedClock(tmp_path) as clock:
        clock.jump(int(-time.time() + 60))
        relay = make_relay()
    leaf = served(relay)
    certificate = x509.load_der_x509_certificate(leaf)
    assert certificate.not_valid_before < datetime.datetime.utcnow() - datetime.timedelta(days=365)
    assert certificate.not_valid_after > datetime.datetime.utcnow() + datetime.timedelta(days=3000)
    relay.stop()
    relay.start_once()
    assert served(relay) == leaf


@pytest.mark.parametrize("half", ["crt", "key"])
def test_half_of_the_pair_is_lost(make_relay, half):
    relay = make_relay()
    before = served(relay)
    relay.stop()
    (relay.directory / "state" / f"selfsigned-main.{half}").unlink()
    relay.start_once()
    assert served(relay) == before
    assert "restored from its copy" in relay.log


def test_names_change_and_come_back(make_relay):
    relay = make_relay()
    before = served(relay)
    log = relay.reload(EVERYTHING.replace("names = 127.0.0.1;relay.test", "names = other.test"))
    assert "clients need the new CertName" in log
    assert served(relay, "other.test") != before
    relay.reload(EVERYTHING)
    assert served(relay) == before


def test_files_that_are_none_stop_nothing(make_relay):
    relay = make_relay()
    relay.stop()
    path = relay.directory / "state" / "selfsigned-main.key"
    text = path.read_text()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(StartFailed, match="selfsigned-main.key"):
        relay.start_once()
    assert stat.S_ISFIFO(path.stat().st_mode)
    path.unlink()
    path.write_text(text)
    path.chmod(0o644)
    with pytest.raises(StartFailed, match=r"selfsigned-main.key: mode 0644"):
        relay.start_once()
    path.chmod(0o600)
    relay.start_once()


# ---- certificates from files

FROM_FILES = with_keys(without_group(EVERYTHING, "cert main"), "cert main", plugin="file", chain_file="{dir}/relay.crt",
                       key_file="{dir}/relay.key")


def pair_files(certificate):
    return {"relay.crt": certificate.pem, "relay.key": certificate.key_pem}


def test_self_signed_from_files_has_its_pin_everywhere(make_relay):
    certificate = Certificate("relay.test")
    relay = make_relay(FROM_FILES, files=pair_files(certificate))
    text, _ = detourctl(relay, "derpmap", "--json")
    assert json.loads(text)["Regions"]["900"]["Nodes"][0]["CertName"] == pin_of(certificate)
    assert pin_of(certificate) in detourctl(relay, "certs")[0]
    assert pin_of(certificate) in plugin(relay, "cert/main")["summary"]
    assert plugin(relay, "cert/main")["trouble"] == ""


def test_one_of_an_authority_has_no_pin(make_relay):
    root = Certificate("root", authority=True)
    middle = Certificate("middle", issuer=root, authority=True)
    relay = make_relay(FROM_FILES, files=pair_files(Certificate("relay.test", issuer=middle)))
    text, _ = detourctl(relay, "derpmap", "--json")
    assert "CertName" not in json.loads(text)["Regions"]["900"]["Nodes"][0]
    assert "sha256-raw" not in detourctl(relay, "certs")[0]
    assert plugin(relay, "cert/main")["trouble"] == ""


def disliked(case):
    root = Certificate("root", authority=True)
    return {
        "expired": Certificate("relay.test", days=-1),
        "soon": Certificate("relay.test", days=2),
        "early": Certificate("relay.test", since=1),
        "subject": Certificate("relay.test", san=False),
        "other": Certificate("other.test"),
        "alone": Certificate("relay.test", issuer=root),
    }[case]


@pytest.mark.parametrize("case, text", [
    ("expired", "was valid until "),
    ("soon", "is valid until "),
    ("early", " on only; clients refuse it until then"),
    ("subject", "has its name in the subject only"),
    ("other", "is for other.test and not for relay.test, the name in [core] hostname"),
    ("alone", "stands without the certificate of its issuer, CN=root"),
])
def test_what_clients_will_not_like_is_told_everywhere(make_relay, case, text):
    relay = make_relay(FROM_FILES, files=pair_files(disliked(case)))
    relay.wait_log(f"cert/main: .*relay.crt .*{re.escape(text)}")
    assert text in plugin(relay, "cert/main")["trouble"]
    assert any(hint["about"] == "cert/main" for hint in ask(relay, "status")["hints"])
    assert " ".join(text.split()) in " ".join(detourctl(relay, "status")[0].split())
    done = subprocess.run([DETOURD, "--no-vendor", "--config", relay.config_file, "--check-config"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0
    line, = [line for line in done.stderr.splitlines() if "[cert main]" in line]
    assert re.match(r"/.*/detour.conf:\d+: \[cert main\] chain-file: /.*/relay.crt ", line) and text in line
    assert "see the 2 lines above" in done.stdout


def test_names_without_the_host_name_are_told(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "cert main", names="other.test"))
    assert "relay.test, the name in [core] hostname" in plugin(relay, "cert/main")["trouble"]
