"""Certificates as an operator meets them: the pin survives wrong clocks and damaged files, and faults are told.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import os
import stat

import pytest

from certs import Certificate
from control import ask, detourctl, plugin
from derp_client import Stream
from relay import EVERYTHING, StartFailed

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
