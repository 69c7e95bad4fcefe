"""detourctl doctor on servers that misbehave, and on hosts that lack something.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import pathlib
import signal
import socket
import struct
import subprocess
import time

import nacl.public
import pytest

from acceptor import Acceptor
from admission_server import AdmissionServer, read_head
from certs import Certificate
from control import DETOURCTL, detourctl
from derp_client import MAGIC, PATIENCE, Frame
from doctor import examine, is_well, mend, run_doctor
from namespaces import apart, mount_memory, mounted_in_silence
from relay import BUILD, EVERYTHING, SMALL, wait_until, with_keys, without_group
from shifted_clock import ShiftedClock

OPEN = with_keys(EVERYTHING, "core", hostname="127.0.0.1")
# The least that can be looked at.
QUIET = "[admission]\nchain = open\n"


@pytest.fixture(name="relay")
def fixture_relay(make_relay):
    """A relay that everyone may use."""
    return make_relay(OPEN)


# ---- login

class Impostor:
    """Greets clients of DERP at a port, and then does as @manner says: "closes", "lies", "is several", "loses"."""

    def __init__(self, port, manner):
        self.manner = manner
        self.secret = nacl.public.PrivateKey.generate()
        self.acceptor = Acceptor(socket.create_server(("127.0.0.1", port)), self.serve)

    def serve(self, connection):
        """One client."""
        secret = nacl.public.PrivateKey.generate() if self.manner == "is several" else self.secret
        read_head(connection)
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        self.send(connection, Frame.SERVER_KEY, MAGIC + bytes(secret.public_key))
        _, length = struct.unpack(">BI", connection.recv(5, socket.MSG_WAITALL))
        client = nacl.public.PublicKey(connection.recv(length, socket.MSG_WAITALL)[:32])
        if self.manner == "closes":
            return
        box = nacl.public.Box(nacl.public.PrivateKey.generate() if self.manner == "lies" else secret, client)
        self.send(connection, Frame.SERVER_INFO, bytes(box.encrypt(b'{"version":2}')))
        while connection.recv(65536):
            pass

    @staticmethod
    def send(connection, kind, payload):
        """One frame."""
        connection.sendall(struct.pack(">BI", kind, len(payload)) + payload)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.acceptor.close()


@pytest.mark.parametrize("manner, code", [("closes", "login_refused"), ("lies", "login_failed"), ("is several", "two_servers"),
                                          ("loses", "packet_lost")])
def test_login_at_an_impostor(make_relay, manner, code):
    relay = make_relay(with_keys(SMALL, "core", hostname="127.0.0.1"), start=False)
    relay.write_config()
    where = ["--no-vendor", f"--config={relay.config_file}", "login"]
    with Impostor(relay.ports["http"], manner):
        assert set(examine(None, *where, *(["--timeout=10s"] if manner == "loses" else []))) == {code}
    relay.start_once()
    assert set(examine(None, *where)) == {"login_good"}


def test_another_relay(make_relay, relay):
    """The name leads to one that is not the one of this host."""
    other = make_relay(OPEN)
    where = ["--no-vendor", f"--config={other.config_file}", "login"]
    assert set(examine(relay, *where)) == {"another_relay"}
    assert set(examine(other, *where)) == {"login_good"}


def test_a_port_without_derp(make_relay):
    relay = make_relay(with_keys(OPEN, "transport tls-gnutls", derp="false"))
    assert set(examine(None, f"--host=127.0.0.1:{relay.ports['tls-gnutls']}", "login")) == {"no_derp"}
    assert set(examine(None, f"--host=127.0.0.1:{relay.ports['https']}", "login")) == {"login_good"}


def test_ways_that_are_closed():
    def work():
        where = ["--host=198.51.100.7", "--stun-port=3478"]
        assert set(examine(None, *where, "login")) == set(examine(None, *where, "stun")) == {"unreachable_from_here"}
        subprocess.run(["ip", "route", "add", "prohibit", "198.51.100.7"], check=True)
        found = examine(None, *where, "login")
        assert set(found) == {"no_tcp"} and found["no_tcp"]["remedy"].startswith("let TCP 443 through")
    apart(work, network=True)


# ---- ports and plugins

def test_addresses_that_are_not_there(relay):
    relay.reload(with_keys(with_keys(relay.config, "transport http", listen="127.0.0.1:{http}; 192.0.2.77:{http}"),
                           "service stun", listen="127.0.0.1:{stun}; 192.0.2.77:{stun}"))
    finding = examine(relay, "ports")["address_absent"]
    assert finding["status"] == "warning" and f"192.0.2.77:{relay.ports['http']}" in finding["text"]
    assert examine(relay, "stun")["stun_trouble"]["status"] == "warning"
    assert examine(relay, "config")["plugin_trouble"]["text"] == "service/stun: " + examine(relay, "stun")["stun_trouble"]["text"].partition(": ")[2]
    relay.reload(OPEN)
    assert "address_absent" not in examine(relay, "ports") and set(examine(relay, "stun")) == {"stun_good"}
    assert "plugin_trouble" not in examine(relay, "config")


def test_an_address_that_cannot_be_had(make_relay):
    """One of a link, without the link."""
    relay = make_relay(with_keys(SMALL, "transport http", listen="[fe80::1]:{http}"), start=False)
    relay.write_config()
    found = examine(None, "--no-vendor", f"--config={relay.config_file}", "ports")
    assert "(transport/http)" in found["port_refused"]["text"]


# ---- certificate

def test_tls_that_ends_in_front(tmp_path):
    server = AdmissionServer(Certificate("127.0.0.1"), directory=tmp_path)
    try:
        found = examine(None, f"--host=127.0.0.1:{server.port}", "certificate")
    finally:
        server.stop()
    assert found["no_meta_certificate"]["status"] == "note"


def test_without_tls(make_relay):
    relay = make_relay(with_keys(SMALL, "core", hostname="127.0.0.1"))
    assert examine(relay, "certificate")["no_tls_listener"]["status"] == "note"


def test_a_certificate_that_cannot_be_had(make_relay):
    """No listener is where an authority would look."""
    relay = make_relay(with_keys(OPEN, "cert new", plugin="acme", names="relay.test", directory_url="https://127.0.0.1:1/directory"))
    found = wait_until(lambda: examine(relay, "certificate").get("renewal_failed"), "the attempt fails")
    assert found["text"].startswith("cert/new could not get a certificate: ") and found["command"] == "detourctl certs renew cert/new"


# ---- the configuration

def test_a_plugin_that_cannot_be_loaded(make_relay, tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    for module in (BUILD / "plugins").glob("*.so"):
        (plugins / module.name).symlink_to(module)
    (plugins / "service-odd.so").write_text("no module")
    config = with_keys(OPEN, "core", plugin_path=plugins)
    relay = make_relay(config + "[service odd]\n")
    found = examine(relay, "config")["plugin_broken"]
    assert found["status"] == "problem" and found["text"].startswith(f"service/odd will not start: {plugins}/service-odd.so: ")
    # What it prints belongs into the group of the instance.
    relay.reload(config + f"[service odd]\n{found['command']}\n")
    assert "plugin_broken" not in examine(relay, "config")


@pytest.mark.parametrize("port", ["65536", "0", "-2", "70000"])
def test_a_port_that_is_none_is_refused(port):
    done = run_doctor(None, "--host=127.0.0.1", f"--stun-port={port}")
    assert done.returncode == 2 and "--stun-port: write a number from 1 to 65535, or -1" in done.stderr


# ---- STUN

def test_stun_of_a_relay_that_drains(relay):
    client = relay.door("tls").client()
    relay.process.send_signal(signal.SIGUSR1)
    relay.wait_log("draining")
    assert set(examine(relay, "stun", "--timeout=10s")) == {"stun_draining"}
    client.close()


def test_stun_of_a_relay_without_a_certificate(make_relay):
    """No firewall is to blame for what the relay does on purpose."""
    alone = with_keys(without_group(without_group(OPEN, "transport http"), "cert main"), "cert new", plugin="acme", names="relay.test",
                      directory_url="https://127.0.0.1:1/directory")
    relay = make_relay(alone)
    found = examine(relay, "stun", "--timeout=1s")
    assert set(found) == {"stun_not_ready"} and found["stun_not_ready"]["status"] == "note"
    relay.reload(with_keys(alone, "cert main", plugin="selfsigned", names="127.0.0.1;relay.test"))
    assert set(examine(relay, "stun")) == {"stun_good"}


def test_a_relay_that_is_out_of_service(relay):
    """What nobody can look at now is no problem; taken back, all is as before."""
    for area in ("ports", "certificate", "login"):
        assert "out_of_service" not in examine(relay, area)
    detourctl(relay, "drain", "--for=0s")
    for area in ("ports", "certificate", "login"):
        found = examine(relay, area)
        assert set(found) == {"out_of_service"} and found["out_of_service"]["status"] == "note", found
    mend(relay, found["out_of_service"])
    assert "login_good" in examine(relay, "login") and set(examine(relay, "stun")) == {"stun_good"}


# ---- files

@pytest.mark.parametrize("silent, is_taken, area, options", [
    ("conf", False, "admission", ["--timeout=100ms"]),
    ("state", True, "admission", ["--timeout=100ms"]),
    # All but this is to end in time, on a busy host, too.
    ("log", True, "files", ["--timeout=1s", "--user=root"]),
])
def test_a_file_system_that_never_answers(tmp_path, silent, is_taken, area, options):
    """The answer comes all the same, whichever of its places is on it, and says where. Nobody waits for what cannot be ended."""
    def work():
        config, place = tmp_path / "conf" / "detour.conf", tmp_path / silent
        config.parent.mkdir()
        config.write_text(f"{QUIET}[core]\nstate-directory = {tmp_path / 'state'}\nevents-file = {tmp_path / 'log' / 'events'}\n")
        look = [f"--config={config}", *options, "--json", area]
        with mounted_in_silence(place, is_taken):
            told = run_doctor(None, *look)
            ended, found = json.loads(told.stdout)["findings"]
            assert told.returncode == 1 and (ended["area"], ended["code"], ended["status"]) == (area, "no_end", "problem")
            assert ended["command"].startswith(f"detourctl doctor {area} --timeout=")
            assert ("a file system may not answer" in ended["text"]) == (silent != "log"), ended
            assert (found["area"], found["code"], found["status"]) == (area, "file_system_silent", "problem")
            assert found["text"].startswith(f"the file system at {place} (fuse) does not answer")
            mend(None, found)
            assert is_well(examine(None, *options[1:], f"--config={config}", area))
    apart(work, mounts=True)


def test_a_look_that_is_ended(tmp_path):
    """Whoever ends the program does not leave behind what does the looking, however early that is."""
    def end_one():
        with subprocess.Popen([DETOURCTL, "doctor", f"--config={tmp_path}/conf/x"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as doctor:
            children = pathlib.Path(f"/proc/{doctor.pid}/task/{doctor.pid}/children")
            limit = time.monotonic() + PATIENCE
            while not (looking := children.read_text().split()):
                assert time.monotonic() < limit, "it does not look"
            doctor.terminate()
            # Its output ends when nobody has it any more.
            assert doctor.communicate(timeout=PATIENCE)[0] == b"" and doctor.returncode == -signal.SIGTERM
            assert not pathlib.Path(f"/proc/{looking[0]}/exe").exists()

    def work():
        with mounted_in_silence(tmp_path / "conf"):
            for _ in range(30):
                end_one()
    apart(work, mounts=True)


# ---- clock and system

def test_a_clock_without_a_battery(tmp_path):
    clock = ShiftedClock(tmp_path)
    clock.jump(-40 * 366 * 86400)
    with clock:
        found = examine(None, "clock")
    assert found["clock_wrong"]["status"] == "problem" and found["clock_wrong"]["command"] == "timedatectl set-ntp true"
    assert "clock_wrong" not in examine(None, "clock")


def test_a_table_of_connections_that_is_full(tmp_path):
    def work():
        config = tmp_path / "detour.conf"
        config.write_text(QUIET)
        # The kernel has these files only while its module is there.
        settings = pathlib.Path("/proc/sys/net")
        mount_memory(settings, "64k")
        (settings / "netfilter").mkdir()
        (settings / "netfilter" / "nf_conntrack_count").write_text("9000\n")
        (settings / "netfilter" / "nf_conntrack_max").write_text("10000\n")
        finding = examine(None, f"--config={config}", "system")["conntrack_full"]
        assert "tracks 9000 connections, and at most 10000" in finding["text"]
        mend(None, finding)
        assert is_well(examine(None, f"--config={config}", "system"))
    apart(work, mounts=True)
