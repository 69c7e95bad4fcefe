"""detourctl import-derper: what derper's flags become, and that the daemon takes it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import pathlib
import re
import subprocess

import pytest

from certs import Certificate
from control import detourctl
from relay import DETOURD

TOP = pathlib.Path(__file__).resolve().parents[2]

BASE = ["-hostname", "relay.example.com", "-c", "{dir}/derper.key"]
TLS = [*BASE, "-certmode", "manual", "-certdir", "{dir}"]
ACME = [*BASE, "-certmode", "letsencrypt"]
GCP = [*BASE, "-certmode=gcp", "-acme-eab-kid", "kid", "-acme-eab-key=secret", "-acme-email", "a@example.com"]
URL = ["-verify-client-url", "https://admit.example.com/?a=b,c;d#e"]

# By flag: command lines that have it, each with lines that the configuration has then.
CASES = {
    "a": [(["-a", "192.0.2.7:443", *TLS], ["[transport https]", "listen = 192.0.2.7:443", "listen = 192.0.2.7:80", "listen = 192.0.2.7:3478"]),
          (["-a=[2001:db8::7]:8443", *TLS], ["listen = [2001:db8::7]:8443"]),
          (["-a", ":3340", *BASE], ["[transport https]", "enabled = false", "listen = [::]:3340", "derp = true", "redirect = none"]),
          (["-a", ":https", *ACME], ["plugin = acme"])],
    "accept-connection-burst": [([*TLS, "-accept-connection-limit=10", "-accept-connection-burst", "0x20"], ["accept-burst = 32"])],
    "accept-connection-limit": [([*TLS, "-accept-connection-limit", "10.5"], ["accept-rate = 11", "accept-burst = 1000000"]),
                                ([*TLS, "-accept-connection-limit", "+Inf"], ["# -accept-connection-limit +Inf: that is no limit"])],
    "ace": [([*TLS, "-ace"], ["[http ace]"])],
    "acme-eab-key": [(GCP, ["eab-key-file = /etc/detour/private/eab.key"])],
    "acme-eab-kid": [(GCP, ["eab-kid = kid"])],
    "acme-email": [([*ACME, "-acme-email", "a@example.com"], ["email = a@example.com"])],
    "acme-ip-certs": [([*ACME, "-acme-ip-certs"], ["names = relay.example.com"])],
    "bootstrap-dns-names": [([*TLS, "-bootstrap-dns-names=a.example.com,b.example.com"], ["[http bootstrap-dns]", "names = a.example.com; b.example.com"])],
    "c": [(TLS, ["key-file = {dir}/derper.key"]), (["-hostname", "x", "-a", ":1"], ["key-file = /var/lib/derper/derper.key"])],
    "certdir": [(TLS, ["directory = {dir}"]), ([*ACME, "-certdir", "{dir}"], ["import-directory = {dir}"])],
    "certmode": [(TLS, ["plugin = file"]), (ACME, ["plugin = acme"]), (GCP, ["plugin = acme", "directory-url = google"])],
    "derp": [([*TLS, "-derp=false"], ["[transport https]", "derp = false"])],
    "dev": [([*BASE, "-dev"], ["listen = [::]:3340"])],
    "disallow-app-names": [([*TLS, "-disallow-app-names", "one, two,"], ["disallow-app-names = one; \\stwo"])],
    "home": [(TLS, ["page = default"]), ([*TLS, "-home", "blank"], ["page = blank"]),
             ([*TLS, "--home=https://example.com/#x"], ["page = redirect:https://example.com/\\#x"])],
    "hostname": [(TLS, ["[core]", "hostname = relay.example.com"]), (["-a", ":3340"], ["hostname = derp.tailscale.com"])],
    "http-port": [([*TLS, "-http-port", "8080"], ["listen = [::]:8080"]), ([*TLS, "-http-port=-1"], ["[transport http]", "enabled = false"])],
    "mesh-psk-file": [([*TLS, "-mesh-psk-file", "{dir}/mesh.key"], ["[service mesh]", "key-file = {dir}/mesh.key"])],
    "mesh-with": [([*TLS, "-mesh-psk-file={dir}/mesh.key", "-mesh-with", "a,b/10.0.0.2"], ["[peer a]", "host = a", "[peer b]", "host = b", "address = 10.0.0.2"])],
    "rate-config": [([*TLS, "-rate-config={dir}/rate.json"], ["rate-config-file = {dir}/rate.json"])],
    "secrets-cache-dir": [([*TLS, "-secrets-cache-dir=/x"], ["# -secrets-cache-dir /x: setec is not asked; * mesh] key-file*"])],
    "secrets-path-prefix": [([*TLS, "-secrets-path-prefix=x"], ["# -secrets-path-prefix x: setec is not asked; * mesh] key-file*"])],
    "secrets-url": [([*TLS, "-secrets-url=https://x"], ["# -secrets-url https://x: setec is not asked; * mesh] key-file*"])],
    "socket": [([*TLS, "-verify-clients", "-socket", "/run/x.sock"], ["[auth tailscaled]", "socket = /run/x.sock"]),
               ([*TLS, "-socket", "/run/x.sock"], ["# -socket /run/x.sock: it has no effect without -verify-clients"])],
    "stun": [([*TLS, "-stun=false"], ["[service stun]", "enabled = false"])],
    "stun-port": [([*TLS, "-stun-port", "13478"], ["listen = [::]:13478"])],
    "tcp-keepalive-time": [([*TLS, "-tcp-keepalive-time=1h30m"], ["tcp-keep-alive = 90m"]),
                           ([*TLS, "-tcp-keepalive-time=0"], ["tcp-keep-alive = 15s", "# -tcp-keepalive-time=0 is 15s for derper."]),
                           ([*TLS, "-tcp-keepalive-time=-1s"], ["tcp-keep-alive = off"])],
    "tcp-user-timeout": [([*TLS, "-tcp-user-timeout", "20.5s"], ["tcp-user-timeout = 20500ms"]),
                         ([*TLS, "-tcp-user-timeout=0"], ["tcp-user-timeout = off"]),
                         ([*TLS, "-tcp-user-timeout=1ms"], ["tcp-user-timeout = 1s", "# -tcp-user-timeout was 1ms, which has no counterpart; *"])],
    "tcp-write-timeout": [([*TLS, "-tcp-write-timeout=500ms"], ["write-timeout = 500ms"]), ([*TLS, "-tcp-write-timeout=0"], ["write-timeout = off"]),
                          ([*TLS, "-tcp-write-timeout=-1s"], ["write-timeout = 100ms", "# -tcp-write-timeout was -1s, which has no counterpart; *"])],
    "unpublished-bootstrap-dns-names": [([*TLS, "-unpublished-bootstrap-dns-names=a.example.com/t.example.com"],
                                         ["unpublished-names = a.example.com/t.example.com"])],
    "verify-client-url": [([*TLS, *URL], ["chain = url", "url = https://admit.example.com/?a=b\\,c\\;d", "unavailable = allow"]),
                          ([*TLS, *URL, "-verify-clients"], ["chain = tailscaled; url", "match = all"])],
    "verify-client-url-fail-open": [([*TLS, *URL, "-verify-client-url-fail-open=false"], ["unavailable = deny"])],
    "verify-clients": [([*TLS, "-verify-clients"], ["[admission]", "chain = tailscaled", "[auth tailscaled]"]), (TLS, ["chain = open"])],
    "version": [([*TLS, "-version"], ["# -version true: *"])],
}


@pytest.fixture(name="folder", scope="module")
def fixture_folder(tmp_path_factory):
    """Files that command lines name."""
    folder = tmp_path_factory.mktemp("derper")
    certificate = Certificate("relay.example.com")
    (folder / "relay.example.com.crt").write_text(certificate.pem)
    key = folder / "relay.example.com.key"
    key.write_text(certificate.key_pem)
    (folder / "derper.key").write_text(json.dumps({"PrivateKey": "privkey:" + "40" * 32}))
    (folder / "mesh.key").write_text("6d" * 32 + "\n")
    (folder / "rate.json").write_text("{}")
    for path in (key, folder / "derper.key", folder / "mesh.key"):
        path.chmod(0o600)
    return folder


def imported(folder, words):
    """The configuration for a command line, which the daemon's check must take."""
    text, errors = detourctl(None, "import-derper", "derper", *(word.replace("{dir}", str(folder)) for word in words))
    assert errors == ""
    path = folder / "imported.conf"
    path.write_text(text)
    done = subprocess.run([DETOURD, "--config", str(path), "--check-config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, text + done.stdout + done.stderr
    return text


@pytest.mark.parametrize("flag, words, lines", [(flag, *case) for flag, cases in CASES.items() for case in cases],
                         ids=lambda value: value if isinstance(value, str) else "")
def test_each_flag(folder, flag, words, lines):
    assert any(re.match(rf"--?{flag}(=|$)", word) for word in words) or flag in ("c", "home", "hostname", "verify-clients")
    there = imported(folder, words).splitlines()
    for line in lines:
        pattern = re.escape(line.replace("{dir}", str(folder))).replace(r"\*", ".*")
        assert any(re.fullmatch(pattern, found) for found in there), (line, there)


def test_the_guide_says_the_same(folder):
    """Each key that the guide's table has for a flag is in what the flag becomes."""
    guide = (TOP / "doc" / "guide.md").read_text()
    table = re.search(r"^\| derper \| Detour \|\n.*\n((?:\|.*\n)+)", guide, re.M)[1]
    seen = set()
    for row in table.splitlines():
        left, right = row.strip("| ").split(" | ")
        flags = re.findall(r"`-([a-z-]+)", left)
        seen |= set(flags)
        named = {*flags, *re.findall(r"`-([a-z-]+)`", right)}
        texts = [imported(folder, words) for flag in named for words, _ in CASES[flag]]
        for group, key in re.findall(r"`\[([a-z]+(?: [a-z-]+)?)\] ([a-z-]+)`", right):
            if (group, key) in (("limits", "receive-rate"), ("http ace", "allow")):
                continue  # what the flag does not set
            assert any(re.search(rf"^\[{group}\]\n(?:[^\[].*\n)*?{key} = ", text, re.M) or re.search(rf"^# .*\[?{group}\] {key}", text, re.M)
                       for text in texts), (row, group, key)
    assert seen | {"mesh-with"} == set(CASES)


def test_all_flags_are_known():
    source = (TOP / "core" / "host" / "detour-derper-flags.c").read_text()
    assert set(re.findall(r'^  { "([a-z-]+)",', source, re.M)) == set(CASES) and len(CASES) == 35


def test_what_derper_refuses():
    for words, told in ((["-certmod", "manual"], "is -certmode meant?"), (["-stun=maybe"], "expected true or false"),
                        (["-stun-port", "x"], "expected a whole number"), (["-tcp-user-timeout", "5"], "expected a duration"),
                        (["-a", "443"], "expected :PORT"), (["-a", "[:443"], "expected :PORT"),
                        (["-a", "[::1:443"], "expected :PORT"), (["-a", "::1]:443"], "expected :PORT"), (["-stun-port=65536"], "there is no such port"),
                        (["-http-port=65536"], "there is no such port"), (["-certmode", "none"], "expected manual, letsencrypt or gcp"),
                        (["-home", "x"], "expected nothing, blank, or a URL"), (["-hostname"], "its value is missing"),
                        (["-tcp-user-timeout=-5s"], "it may not be negative"), (["-certmode=gcp"], "gcp wants"), (["-hostname=192.0.2.1"], "derper wants -acme-ip-certs")):
        said, errors = detourctl(None, "import-derper", "derper", *words, code=1)
        assert said == "" and told in errors and "nothing is written" in errors


def test_what_is_no_derper(tmp_path):
    unit = tmp_path / "derper.service"
    unit.write_text("[Service]\nExecStart=/usr/local/bin/derper -hostname relay.example.com\n")
    assert "there is no file nowhere, and as a command line: there is no derper in it" in detourctl(None, "import-derper", "nowhere", code=1)[1]
    output = tmp_path / "detour.conf"
    said = detourctl(None, "import-derper", unit, f"--output={output}", code=1)[1]
    assert f"{unit} is a file, and options of this command stand before it" in said and not output.exists()
    detourctl(None, "import-derper", f"--output={output}", unit)
    assert "hostname = relay.example.com" in output.read_text()


def test_files(folder, tmp_path):
    flags = " ".join(TLS).replace("{dir}", str(folder))
    wanted = detourctl(None, "import-derper", f"derper {flags}")[0].splitlines()[1:]
    files = {
        "derper.service": f"[Unit]\n[Service]\nExecStart=/usr/local/bin/derper {flags}\n",
        "compose.yaml": f"services:\n  derper:\n    image: derper\n    command: derper {flags}\n",
        "Dockerfile": f"FROM alpine\nENTRYPOINT {json.dumps(['/derper', *flags.split()])}\n",
        "run.sh": f"#!/bin/sh\nexec derper {flags}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.write_text(text)
        assert detourctl(None, "import-derper", str(path))[0].splitlines()[1:] == wanted, name


def test_secrets_are_not_shown(folder):
    assert "secret" not in imported(folder, GCP)
    assert "s3cr3t" not in imported(folder, [*GCP, "--acme-eab-key", "s3cr3t"])


def test_written_to_a_file(folder, tmp_path):
    path = tmp_path / "detour.conf"
    path.write_text("old")
    _, told = detourctl(None, "import-derper", "--output", str(path), "derper", *BASE, "-a", ":1")
    assert "The old file is kept as" in told and "listen = [::]:1" in path.read_text()
    assert [kept.read_text() for kept in tmp_path.glob("detour.conf.*")] == ["old"]


def test_one_document_for_programs(tmp_path):
    """What is printed otherwise is a member of it, and so is where it was written."""
    text = detourctl(None, "import-derper", "derper", "-hostname=relay.example.com")[0]
    assert json.loads(detourctl(None, "--json", "import-derper", "derper", "-hostname=relay.example.com")[0]) == {
        "text": text, "file": None, "kept": None}
    output = tmp_path / "detour.conf"
    for _ in range(2):
        said, errors = detourctl(None, "import-derper", "--json", f"--output={output}", "derper", "-hostname=relay.example.com")
        assert errors == "" and output.read_text() == text
        kept = next((str(path) for path in tmp_path.glob("detour.conf.*")), None)
        assert json.loads(said) == {"text": text, "file": str(output), "kept": kept}
    assert kept is not None
    assert detourctl(None, "--json", "import-derper", "derper", "-no-such-flag", code=1)[0] == ""


def test_variables_come_from_the_environment():
    line = "derper -hostname $RELAY_NAME -a :1"
    assert "hostname = x.example.com" in detourctl(None, "import-derper", line, RELAY_NAME="x.example.com")[0]
    assert "RELAY_NAME=… detourctl import-derper" in detourctl(None, "import-derper", line, code=1)[1]


@pytest.mark.parametrize("content", [b"derper -a :1\0 -hostname x\n", b"[Service]\nExecStart=derper -a :1 -hostname \\xff\n"],
                         ids=["a byte of zero", "an escape"])
def test_what_is_no_text(tmp_path, content):
    path = tmp_path / "derper"
    path.write_bytes(content)
    said, errors = detourctl(None, "import-derper", str(path), code=1)
    assert said == "" and "not a text in UTF-8" in errors


def test_names_of_services_are_shown_without_control_characters(tmp_path):
    path = tmp_path / "compose.yaml"
    path.write_text('services:\n  "\\e[31mrelay":\n    image: "me/derper:\\e[2J"\n')
    errors = detourctl(None, "import-derper", str(path), code=1)[1]
    assert "service \\033[31mrelay has no command" in errors and "\033" not in errors
