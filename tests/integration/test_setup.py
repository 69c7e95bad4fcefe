"""detourctl setup: a first configuration by options and by questions, and what it finds on the host.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pty
import re
import select
import socket
import subprocess
import time

import pytest

from control import DETOURCTL, detourctl
from derp_client import PATIENCE
from relay import daemon_environment, run_detourd

YES = ("setup", "--yes", "localhost", "--certificate=selfsigned")


def lines_of(path):
    """A file without comments and empty lines."""
    return [line for line in path.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture
def output(tmp_path):
    """Where the file goes."""
    return tmp_path / "etc" / "detour.conf"


def configure(output, *options, code=0):
    """Runs it without questions; gives what it printed, in one line of words, and its complaints."""
    told, complaints = detourctl(None, *YES, f"--output={output}", *options, code=code)
    return " ".join(told.split()), complaints


def test_fewest_lines(output):
    told, _ = configure(output, "--admission=open")
    assert lines_of(output) == ["[core]", "hostname = localhost", "[admission]", "chain = open", "[cert main]", "plugin = selfsigned"]
    assert f"{output} is written" in told and "the configuration is good" in told
    assert f"detourd --config {output}" in told and "detourctl derpmap" in told
    assert output.stat().st_mode & 0o777 == 0o644
    # Every group has its comment.
    assert output.read_text().count("\n# ") >= 4


def test_every_admission(output, tmp_path):
    keys = tmp_path / "friends.keys"
    configure(output, "--admission=keys", f"--keys-file={keys}")
    assert lines_of(output)[2:7] == ["[admission]", "chain = friends", "[auth friends]", "plugin = keys", f"file = {keys}"]
    assert lines_of(keys) == []
    assert f"detourctl keys add KEY {keys} lets a client in" in configure(output, "--admission=keys", f"--keys-file={keys}", "--force")[0]
    keys.write_text("nodekey:" + "ab" * 32 + " mine\n")
    configure(output, "--admission=keys", f"--keys-file={keys}", "--force")
    assert "mine" in keys.read_text(), "a list that is there is left alone"
    configure(output, "--admission=tailscaled", "--force")
    assert lines_of(output)[2:4] == ["[admission]", "chain = tailscaled"]
    run_detourd("--config", output, "--check-config")
    secret = tmp_path / "api.key"
    secret.write_text("a-secret\n")
    secret.chmod(0o600)
    configure(output, "--admission=tailscale-api", f"--api-key-file={secret}", "--force")
    assert lines_of(output)[2:6] == ["[admission]", "chain = tailscale-api", "[auth tailscale-api]", f"key-file = {secret}"]
    run_detourd("--config", output, "--check-config")
    configure(output, "--admission=tailscale-api", f"--api-key-file={secret}", "--api-url=https://head.example", "--force")
    assert lines_of(output)[4:8] == ["[auth tailscale-api]", "api = headscale", "url = https://head.example", f"key-file = {secret}"]
    run_detourd("--config", output, "--check-config")
    configure(output, "--admission=url", "--url=https://head.example/verify", "--force")
    assert lines_of(output)[2:7] == ["[admission]", "chain = url", "[auth url]", "url = https://head.example/verify",
                                     "unavailable = grace"]
    run_detourd("--config", output, "--check-config")


def test_addresses_and_secrets_are_asked_for(output, tmp_path):
    terminal = Terminal("localhost", "--certificate=selfsigned", f"--output={output}")
    terminal.answer(r"Number or word: \[1\]", "url")
    terminal.answer(r"verify:", "head.example")
    terminal.answer(r"verify:", "https://head.example/verify")
    assert "It has to begin with https://" in terminal.finish()
    assert "url = https://head.example/verify" in lines_of(output)
    secret = tmp_path / "api.key"
    secret.write_text("a-secret\n")
    secret.chmod(0o600)
    terminal = Terminal("localhost", "--certificate=selfsigned", "--force", f"--output={output}")
    terminal.answer(r"Number or word: \[1\]", "tailscale-api")
    terminal.answer(r"API key: \[.*\]", str(secret))
    terminal.finish()
    assert f"key-file = {secret}" in lines_of(output)


def test_tailscaled_is_looked_for(output, short_folder):
    told, _ = configure(output, "--admission=tailscaled", f"--tailscaled-socket={short_folder}/none.sock")
    assert f"! no tailscaled answers on {short_folder}/none.sock" in told and "tailscale up" in told
    path = short_folder / "tailscaled.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(1)
        told, _ = configure(output, "--admission=tailscaled", f"--tailscaled-socket={path}", "--force")
    assert f"+ tailscaled answers on {path}" in told
    assert f"socket = {path}" in lines_of(output)


def test_names_are_looked_up(output):
    told, _ = configure(output, "--admission=open")
    assert "! localhost leads only to this host itself" in told and "A record" in told or "DNS records" in told
    for name, expected in (("relay.invalid", "! relay.invalid has no address; make DNS records for it"),
                           ("192.0.2.77", "! no interface of this host has 192.0.2.77; if another host has it")):
        told, _ = detourctl(None, "setup", "--yes", name, "--certificate=selfsigned", "--admission=open", f"--output={output}", "--force")
        assert expected in " ".join(told.split())


def test_files_of_a_certificate(output, tmp_path):
    """The daemon's own check says what is missing; the file is there to be corrected."""
    told, _ = detourctl(None, "setup", "--yes", "localhost", "--admission=open", "--certificate=file", f"--chain-file={tmp_path}/c.pem",
                        f"--key-file={tmp_path}/k.pem", f"--output={output}", code=1)
    assert lines_of(output)[-3:] == ["plugin = file", f"chain-file = {tmp_path}/c.pem", f"key-file = {tmp_path}/k.pem"]
    assert f"{tmp_path}/c.pem" in told and "First see to the lines above" in told
    assert "detourd --check-config --config" in told


def test_acme(output):
    """The certificate comes by ACME unless another way is named; the daemon's check agrees."""
    told, _ = detourctl(None, "setup", "--yes", "relay.invalid", "--admission=open", f"--output={output}")
    assert lines_of(output)[-2:] == ["[cert main]", "plugin = acme"] and "the configuration is good" in told
    assert "TCP 80 (captive portals, certificates)" in told
    detourctl(None, "setup", "--yes", "relay.invalid", "--admission=open", "--email=ops@example.com", "--force",
              "--directory-url=letsencrypt-staging", f"--output={output}")
    assert lines_of(output)[-4:] == ["[cert main]", "plugin = acme", "directory-url = letsencrypt-staging", "email = ops@example.com"]


def test_the_daemon_can_read_it_whatever_the_mask(output, tmp_path):
    """A strict umask of root's would lock out the daemon's user, as whom the check runs, too."""
    folder = tmp_path / "new"
    done = subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "sh", DETOURCTL, *YES, "--admission=keys", f"--keys-file={folder}/keys",
                           f"--output={folder}/detour.conf"], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL,
                          env=daemon_environment(), timeout=PATIENCE)
    assert "the configuration is good" in done.stdout
    assert [path.stat().st_mode & 0o777 for path in (folder, folder / "detour.conf", folder / "keys")] == [0o755, 0o644, 0o644]


def test_nothing_is_overwritten_without_being_told(output):
    configure(output, "--admission=open")
    output.write_text("mine\n")
    _, complaints = configure(output, "--admission=open", code=1)
    assert "--force replaces it" in complaints and output.read_text() == "mine\n"
    told, _ = configure(output, "--admission=open", "--force")
    kept, = output.parent.glob("detour.conf.*.bak")
    assert kept.read_text() == "mine\n" and f"the one before is {kept}" in told
    configure(output, "--admission=open", "--force")
    assert len(list(output.parent.glob("*.bak"))) == 2


def test_a_file_of_comments_is_replaced_without_a_question(output):
    """The sample of a package says nothing yet; it is kept all the same."""
    output.parent.mkdir()
    output.write_text("# A sample.\n\n  # [core]\n")
    configure(output, "--admission=open")
    kept, = output.parent.glob("detour.conf.*.bak")
    assert kept.read_text().startswith("# A sample.") and "chain = open" in lines_of(output)
    output.write_text("# A sample.\n[core]\n")
    _, complaints = configure(output, "--admission=open", code=1)
    assert "--force replaces it" in complaints


def test_a_no_is_acknowledged(output):
    configure(output, "--admission=open")
    before = output.read_text()
    terminal = Terminal("localhost", "--certificate=selfsigned", f"--output={output}")
    terminal.answer(r"yes or no: \[no\]", "")
    assert f"{output} is left as it is; nothing was written" in terminal.finish(code=1)
    assert output.read_text() == before


@pytest.mark.parametrize("arguments, complaint", [
    (["setup", "--yes", "--admission=open"], "write the name or address"),
    (["setup", "--yes", "relay.test"], "say who may use the relay"),
    (["setup", "relay.test"], "no terminal to ask at"),
    (["setup", "--yes", "https://relay.test", "--admission=open"], "neither a host name nor an address"),
    # What the daemon would refuse in the file.
    (["setup", "--yes", "1.2.3", "--admission=open"], "neither a host name nor an address"),
    (["setup", "--yes", "256.1.1.1", "--admission=open"], "neither a host name nor an address"),
    (["setup", "--yes", "fe80::1%eth0", "--admission=open"], "neither a host name nor an address"),
    (["setup", "--yes", "b\u00fccher.test", "--admission=open"], "write xn--bcher-kva.test"),
    (["setup", "--yes", "relay.test", "--admission=everyone"], "there are tailscaled, keys, tailscale-api, url, open"),
    (["setup", "--yes", "relay.test", "--admission=open", "--certificate=certbot"], "there are acme, selfsigned, file"),
    (["setup", "--yes", "relay.test", "--admission=open", "--email=me"], "no mail address"),
    (["setup", "--yes", "relay.test", "--admission=open", "--email=a@b\n[core]"], "one line"),
    (["setup", "--yes", "relay.test", "--admission=keys", "--keys-file=x"], "no absolute path"),
])
def test_wrong_command_lines(output, arguments, complaint):
    _, complaints = detourctl(None, *arguments, f"--output={output}", code=2)
    assert complaint in " ".join(complaints.split()) and not output.exists()


def test_for_programs(output):
    told, _ = detourctl(None, *YES, "--admission=open", f"--output={output}", "--json")
    document = json.loads(told)
    assert document["file"] == str(output) and document["good"] and document["kept"] is None
    assert {finding["about"] for finding in document["findings"]} == {"name", "port"}
    assert all(finding["good"] or finding["remedy"] for finding in document["findings"])
    assert document["check"][-1] == "the configuration is good, but see the line above"  # open to everyone


def test_ports_are_told_with_their_owner(output, tmp_path):
    """In a network of its own, where ports 80 and 443 are nobody else's."""
    script = tmp_path / "script"
    script.write_text(f"""
import socket, subprocess
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with socket.create_server(("", 443)) as taken:
    done = subprocess.run({[str(DETOURCTL), *YES, "--admission=open", f"--output={output}"]!r}, capture_output=True, text=True)
print(done.returncode, " ".join(done.stdout.split()))
""")
    done = subprocess.run(["unshare", "--net", "--map-root-user", "python3", script], capture_output=True, text=True, check=True,
                          env=daemon_environment(), timeout=PATIENCE)
    assert re.search(r"! TCP 443 \(relaying\) is taken by python3 \(process \d+\); stop that program", done.stdout), done.stdout
    assert "+ TCP 80 (captive portals) is free" in done.stdout and "+ UDP 3478 (STUN) is free" in done.stdout
    assert done.stdout.startswith("1 "), "the relay would not start"


# ---- questions

class Terminal:
    """detourctl setup at a terminal."""

    def __init__(self, *arguments):
        self.master, slave = pty.openpty()
        environment = {"TERM": "dumb", "LC_ALL": "C.UTF-8", "LANGUAGE": ""}
        self.process = subprocess.Popen([DETOURCTL, "setup", *arguments], stdin=slave, stdout=slave, stderr=slave,
                                        env=daemon_environment() | environment)
        os.close(slave)
        self.text = ""

    def expect(self, pattern):
        """Reads until the text ends with the pattern."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern + r" *\Z", self.text):
            assert time.monotonic() < deadline, self.text
            if select.select([self.master], [], [], 1)[0]:
                self.text += os.read(self.master, 65536).decode()

    def answer(self, pattern, text):
        """Waits for a question and types an answer."""
        self.expect(pattern)
        os.write(self.master, text.encode() + b"\n")
        self.text += "\0"

    def finish(self, code=0):
        """What was shown in all."""
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode()
        os.close(self.master)
        assert self.process.wait(PATIENCE) == code, self.text
        return " ".join(self.text.replace("\r", "").split())


def test_three_questions(output):
    terminal = Terminal(f"--output={output}")
    terminal.answer(r"clients find the relay\?( \[.*\])?", "https://localhost")
    terminal.answer(r"clients find the relay\?( \[.*\])?", "localhost")
    terminal.answer(r"Number or word: \[1\]", "strangers")
    terminal.answer(r"Number or word: \[1\]", "open")
    terminal.answer(r"Number or word: \[1\]", "2")
    told = terminal.finish()
    assert "Write a name, as in relay.example.com" in told
    # Each word stands apart from what it means.
    assert "3 tailscale-api the devices" in told, told
    assert lines_of(output) == ["[core]", "hostname = localhost", "[admission]", "chain = open", "[cert main]", "plugin = selfsigned"]
    assert "Next:" in told


def test_what_options_say_is_not_asked(output):
    terminal = Terminal("localhost", "--admission=open", f"--output={output}")
    terminal.answer(r"Number or word: \[1\]", "selfsigned")
    assert "Who may use" not in terminal.finish()


def test_files_are_asked_for(output, tmp_path):
    terminal = Terminal("localhost", "--admission=keys", "--certificate=file", f"--output={output}")
    terminal.answer(r"its chain: \[.*\]", "c.pem")
    terminal.answer(r"its chain: \[.*\]", f"{tmp_path}/c.pem")
    terminal.answer(r"its key: \[.*\]", f"{tmp_path}/k.pem")
    terminal.answer(r"list of keys: \[.*\]", f"{tmp_path}/friends.keys")
    terminal.finish(code=1)
    assert {f"chain-file = {tmp_path}/c.pem", f"key-file = {tmp_path}/k.pem", f"file = {tmp_path}/friends.keys"} <= set(lines_of(output))


@pytest.mark.parametrize("answer, code", [("", 1), ("no", 1), ("yes", 0)])
def test_replacing_is_asked_for(output, answer, code):
    output.parent.mkdir()
    output.write_text("mine\n")
    terminal = Terminal("localhost", "--admission=open", "--certificate=selfsigned", f"--output={output}")
    terminal.answer(r"yes or no: \[no\]", answer)
    terminal.finish(code)
    assert (output.read_text() == "mine\n") == (code == 1)
    assert len(list(output.parent.glob("*.bak"))) == (code == 0)


def test_end_of_input_writes_nothing(output):
    terminal = Terminal("localhost", f"--output={output}")
    terminal.expect(r"Number or word: \[1\]")
    os.write(terminal.master, b"\x04")
    assert "nothing was written" in terminal.finish(code=1)
    assert not output.exists()
