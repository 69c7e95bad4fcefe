"""The configuration from variables of the environment, over that of files.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import subprocess

import pytest

from control import ask, detourctl
from doctor import examine
from relay import DETOURD, EVERYTHING, with_keys
from upgrading import UpgradedRelay

FILE = """\
[core]
hostname = file.test
state-directory = {dir}/state
control-socket = {dir}/control
dbus = none
[limits]
login-timeout = 3s
[service stun]
enabled = false
[admission]
chain = open
"""


def detourd(*arguments, code=0, **variables):
    """Runs detourd for an option that ends by itself; gives what it says."""
    done = subprocess.run([DETOURD, *arguments], env=os.environ | variables, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == code, done.stdout
    return done.stdout


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    path = tmp_path / "detour.conf"
    path.write_text(FILE.replace("{dir}", str(tmp_path)))
    return path


def test_a_variable_beats_the_file_and_is_shown_as_the_origin(path):
    said = detourd("--dump-config", "--config", path, DETOUR_CORE_HOSTNAME="environment.test",
                   DETOUR_TRANSPORT_HTTPS__LISTEN="127.0.0.1:8443; 127.0.0.1:9443", DETOUR_LOG_MAIN__LEVEL="")
    assert "# environment:DETOUR_CORE_HOSTNAME\nhostname = environment.test\n" in said
    assert "# environment:DETOUR_TRANSPORT_HTTPS__LISTEN\nlisten = 127.0.0.1:8443; 127.0.0.1:9443\n" in said
    assert f"# {path}:7\nlogin-timeout = 3s\n" in said
    assert "DETOUR_LOG" not in said


def test_the_check_names_the_variable_and_what_was_meant(path):
    said = detourd("--check-config", "--config", path, code=78, DETOUR_LIMIT_WRITE_TIMEOUT="1s",
                   DETOUR_LIMITS_QUEUE_PACKETS="many", DETOUR_SERVICE_STUN__LISEN="127.0.0.1:1")
    assert ("DETOUR_LIMIT_WRITE_TIMEOUT: no key of the configuration has this variable; did you mean "
            "DETOUR_LIMITS_WRITE_TIMEOUT?\n") in said
    assert 'DETOUR_LIMITS_QUEUE_PACKETS: [limits] queue-packets: "many" is not ' in said
    assert 'DETOUR_SERVICE_STUN__LISEN: [service stun] lisen: no such key; did you mean "listen"?\n' in said
    assert said.endswith("3 errors; the configuration was not used\n")


def test_no_file_is_needed(tmp_path):
    """All that a relay needs; the vendor's file has the rest."""
    friends = tmp_path / "friends"
    friends.write_text("")
    said = detourd("--dump-config", "--config", os.devnull, DETOUR_CORE_HOSTNAME="relay.test",
                   DETOUR_CORE_STATE_DIRECTORY=str(tmp_path), DETOUR_ADMISSION_CHAIN="friends",
                   DETOUR_AUTH_FRIENDS__PLUGIN="keys", DETOUR_AUTH_FRIENDS__FILE=str(friends),
                   DETOUR_CERT_MAIN__PLUGIN="selfsigned", DETOUR_CERT_MAIN__NAMES="relay.test")
    assert "[auth friends]\nplugin = auth-keys\n" in said and "[cert main]\nplugin = cert-selfsigned\n" in said


def test_peers_of_the_mesh(path, tmp_path):
    """A list of peers needs no file either, and their variables are checked as those of instances are."""
    key_file = tmp_path / "mesh.key"
    key_file.write_text("6d657368" * 8)
    key_file.chmod(0o600)
    mesh = {"DETOUR_SERVICE_MESH__KEY_FILE": str(key_file), "DETOUR_PEER_B__HOST": "b.test"}
    said = detourd("--dump-config", "--config", path, **mesh, DETOUR_PEER_B__ADDRESS="127.0.0.1:8443", DETOUR_PEER_C__HOST="c.test:444")
    assert ("[peer b]\n# environment:DETOUR_PEER_B__HOST\nhost = b.test\n"
            "# environment:DETOUR_PEER_B__ADDRESS\naddress = 127.0.0.1:8443\n") in said, said
    assert "# environment:DETOUR_PEER_C__HOST\nhost = c.test:444\n" in said
    said = detourd("--check-config", "--config", path, code=78, **mesh, DETOUR_PEER_B__PORT="many", DETOUR_PEER_C__HOTS="c.test")
    assert "DETOUR_PEER_B__PORT: [peer b] port: " in said
    assert 'DETOUR_PEER_C__HOTS: [peer c] hots: no such key; did you mean "host"?\n' in said


def test_a_running_relay_keeps_it_over_a_reload_and_an_upgrade(tmp_path, monkeypatch):
    monkeypatch.setenv("DETOUR_LIMITS_LOGIN_TIMEOUT", "7s")
    with UpgradedRelay(tmp_path, with_keys(EVERYTHING, "limits", login_timeout="4s")).start() as relay:
        client = relay.door("tls").client()
        for step in (lambda: None, relay.reload, relay.upgrade):
            step()
            facts = ask(relay, "config", "explain", "limits.login-timeout")["key"]
            assert (facts["value"], facts["origin"]) == ("7s", "environment:DETOUR_LIMITS_LOGIN_TIMEOUT")
        assert detourctl(relay, "config", "check")[0] == "The configuration is good.\n"
        assert "# environment:DETOUR_LIMITS_LOGIN_TIMEOUT\n" in detourctl(relay, "config", "dump")[0]
        client.ping(b"12345678")


def test_doctor_looks_at_the_environment_of_the_relay(make_relay):
    """And not at its own."""
    found = examine(make_relay(), "config", DETOUR_LIMITS_LOGIN_TIMEOUT="never")
    assert not [finding for finding in found.values() if finding["status"] == "problem"]
