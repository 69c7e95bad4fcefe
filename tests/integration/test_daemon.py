"""The daemon as a program: options, keys, signals and exit codes.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import nacl.public
import pytest

from derp_client import Closed, Frame, Stream, http_request
from relay import DETOURD, EVERYTHING, SMALL, StartFailed, daemon_environment, run_detourd, wait_until, with_keys


def test_version():
    output, _ = run_detourd("--version")
    assert re.search(r"\b\d+\.\d+\.\d+\b", output)


def test_help():
    output, _ = run_detourd("--help")
    for option in ("--config", "--no-vendor", "--check-config", "--dump-config", "--list-plugins", "--generate-key", "--dev",
                   "--version"):
        assert option in output


def test_unknown_option_is_a_usage_error():
    done = subprocess.run([DETOURD, "--nonsense"], capture_output=True, text=True, check=False, env=daemon_environment())
    assert done.returncode in (1, 2, 64, 78) and "--nonsense" in done.stderr


def test_list_plugins():
    output, _ = run_detourd("--list-plugins")
    for name in ("transport-tls", "transport-http", "transport-websocket", "cert-file", "cert-selfsigned", "auth-keys", "auth-url",
                 "service-stun", "service-mesh", "http-home", "http-acme", "http-bootstrap-dns", "http-captive", "log-stderr"):
        assert re.search(rf"^ *{name}\b.*\w", output, re.M), output


# ---- keys

def test_generate_key(tmp_path):
    path = tmp_path / "server.key"
    run_detourd("--generate-key", path)
    assert path.stat().st_mode & 0o777 == 0o600
    secret = json.loads(path.read_text())["PrivateKey"]
    assert re.fullmatch("privkey:[0-9a-f]{64}", secret)
    raw = bytes.fromhex(secret[8:])
    assert raw[0] & 7 == 0 and raw[31] & 0xC0 == 0x40


def test_generate_key_does_not_overwrite(tmp_path):
    path = tmp_path / "server.key"
    path.write_text("precious")
    _, errors = run_detourd("--generate-key", path, code=1)
    assert "server.key" in errors
    assert path.read_text() == "precious"


def test_generated_keys_differ(tmp_path):
    for name in ("a", "b"):
        run_detourd("--generate-key", tmp_path / name)
    assert (tmp_path / "a").read_text() != (tmp_path / "b").read_text()


def secret_and_public():
    raw = bytearray(os.urandom(32))
    raw[0] &= 248
    raw[31] = (raw[31] & 127) | 64
    return bytes(raw), bytes(nacl.public.PrivateKey(bytes(raw)).public_key)


@pytest.mark.parametrize("form", ['{\n\t"PrivateKey": "privkey:%s"\n}', '{"PrivateKey":"privkey:%s"}\n'])
@pytest.mark.parametrize("upper", [False, True])
def test_key_file_of_derper_is_read(make_relay, form, upper):
    secret, public = secret_and_public()
    text = secret.hex().upper() if upper else secret.hex()
    relay = make_relay(with_keys(SMALL, "core", key_file="{dir}/derper.key"), {"derper.key": form % text})
    assert relay.door().greeted().server_key == public


@pytest.mark.parametrize("content", ["", "{}", "nonsense", '{"PrivateKey":"privkey:12"}', '{"PrivateKey":5}',
                                     '{"PrivateKey":"privkey:' + "z" * 64 + '"}'])
def test_bad_key_file_is_refused(make_relay, content):
    with pytest.raises(StartFailed) as failed:
        make_relay(with_keys(SMALL, "core", key_file="{dir}/derper.key"), {"derper.key": content})
    assert failed.value.code == 78
    assert re.search(r"detour.conf:\d+: \[core\] key-file: .*derper.key: ", failed.value.log)
    if len(content) > 4:
        assert content[-12:-2] not in failed.value.log


def test_key_file_that_all_may_read_is_refused(make_relay):
    relay = make_relay(with_keys(SMALL, "core", key_file="{dir}/derper.key"), start=False)
    secret, _ = secret_and_public()
    relay.write_file("derper.key", '{"PrivateKey":"privkey:%s"}' % secret.hex(), mode=0o644)
    with pytest.raises(StartFailed) as failed:
        relay.start()
    assert failed.value.code == 78 and "derper.key" in failed.value.log
    assert secret.hex() not in failed.value.log


def test_key_is_made_once_and_kept(make_relay):
    relay = make_relay(SMALL)
    path = relay.directory / "state" / "server.key"
    assert path.stat().st_mode & 0o777 == 0o600
    key = relay.door().greeted().server_key
    relay.stop()
    relay.start()
    assert relay.door().greeted().server_key == key


def test_secrets_are_not_logged(make_relay):
    relay = make_relay(EVERYTHING)
    relay.door("tls").mesh_client().ping(b"12345678")
    secret = json.loads((relay.directory / "state" / "server.key").read_text())["PrivateKey"]
    assert secret[8:] not in relay.log
    assert relay.mesh_key not in relay.log


# ---- signals

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_with_0_and_cuts_clients(make_relay, number):
    relay = make_relay()
    doors = [relay.door("tls"), relay.door("http")]
    clients = [door.client() for door in doors]
    half_open = [door.greeted() for door in doors] + [door.fresh() for door in doors]
    relay.doors.clear()
    relay.stop(number)
    for client in clients + half_open:
        client.stream.expect_closed()
    for transport in ("tls", "http"):
        with pytest.raises(ConnectionRefusedError):
            Stream.connect(relay.address(transport))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_who_is_sent_signals_while_it_stops_stops_well(make_relay, number):
    relay = make_relay()
    process = relay.process
    process.terminate()

    def repeat():
        while process.poll() is None:
            process.send_signal(number)
            time.sleep(0.0002)

    again = threading.Thread(target=repeat)
    again.start()
    relay.stop()
    again.join()
    assert process.returncode == 0


def test_drain_takes_nobody_new_and_ends_with_the_last_client(make_relay):
    relay = make_relay(EVERYTHING)
    door = relay.door("tls")
    a, b = door.client(), door.client()
    relay.process.send_signal(signal.SIGUSR1)
    relay.wait_log("draining")
    with pytest.raises(OSError):
        socket.create_connection(relay.address("tls"))
    a.send_packet(b.key, b"still here")
    b.expect_packet(a.key, b"still here")
    relay.process.send_signal(signal.SIGUSR1)
    a.close()
    b.expect(Frame.PEER_GONE)
    assert relay.process.poll() is None
    b.close()
    relay.wait_log("drained")
    relay.wait_end()


def test_stop_under_load(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "core", workers="3"))
    door = relay.door("tls")
    clients = [door.client(stream=door.stream(receive_buffer=4096)) for _ in range(10)]
    for client in clients:
        for other in clients:
            client.send_packet(other.key, bytes(30000))
    relay.doors.clear()
    relay.stop()


def test_a_thousand_bytes_of_standard_error_closed(make_relay):
    """A log nobody reads does not stop the daemon."""
    relay = make_relay(SMALL, start=False)
    relay.write_config()
    reader, writer = os.pipe()
    process = subprocess.Popen([DETOURD, "--config", relay.config_file, "--no-vendor"], stdin=subprocess.DEVNULL,
                               stdout=writer, stderr=writer, env=daemon_environment())
    os.close(writer)
    try:
        seen = b""
        while b"ready:" not in seen:
            data = os.read(reader, 4096)
            assert data, seen
            seen += data
        os.close(reader)
        door = relay.door()
        for _ in range(20):
            door.client().ping(b"12345678")
    finally:
        process.terminate()
        assert process.wait() == 0


# ---- --dev

def test_dev_needs_no_file(tmp_path):
    """On its fixed ports, which is its point; waits while another has them."""
    def free():
        try:
            for port in (3340, 3341, 3342):
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
    wait_until(free, "ports 3340 to 3342 are free")
    log = tmp_path / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen([DETOURD, "--dev"], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                   env=daemon_environment(), cwd=tmp_path)
    try:
        wait_until(lambda: b"ready:" in log.read_bytes() or process.poll() is not None, "the ready line")
        text = log.read_text()
        stream = Stream.connect(("127.0.0.1", 3340)).start_tls()
        pin = "sha256-raw:" + hashlib.sha256(stream.certificates()[0]).hexdigest()
        wait_until(lambda: "To try:" in log.read_text(), "all that it prints")
        text = log.read_text()
        begin = text.index('{"Regions"')
        entry, _ = json.JSONDecoder().raw_decode(text[begin:])
        assert pin in json.dumps(entry)
        assert "3340" in json.dumps(entry)
        # What it prints can be pasted, also where it was built and not installed.
        command = re.search(r"^  (\S*detourctl --socket \S+)$", text, re.M)[1].split()
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("127.0.0.1   running ")
        # What it runs with is in no file, and the doctor looks at it all the same.
        told = subprocess.run([*command, "doctor"], capture_output=True, text=True)
        assert "the configuration of --dev is good" in told.stdout and "login\n  ok " in told.stdout, told.stdout
        assert ("problem" in told.stdout.replace("0 problems", ""), "for this host alone" in told.stdout) == (False, True), told.stdout
        page = http_request(Stream.connect(("127.0.0.1", 3340)).start_tls(), "GET", "/")
        assert (page.status, b"DERP" in page.body, "  curl -k https://127.0.0.1:3340/\n" in text) == (200, True, True)
        ready = re.search(r" ready: (.*)", text).group(1)
        assert ready.count("service/metrics") == ready.count("service/stun") == 1, ready
        metrics = http_request(Stream.connect(("127.0.0.1", 3341)), "GET", "/metrics")
        assert (metrics.status, "  curl http://127.0.0.1:3341/metrics\n" in text) == (200, True)
        with pytest.raises((Closed, ConnectionRefusedError)):
            Stream.connect(("127.0.0.2", 3340)).read(1)
    finally:
        process.terminate()
        assert process.wait() == 0
    assert not [path for path in tmp_path.iterdir() if path != log]
