"""detourctl doctor on what clients meet: names, certificates, STUN, the map, admission, clocks, the kernel. Each thing is broken and mended.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from acceptor import Acceptor
from admission_server import AdmissionServer
from certs import Certificate, name_of
from control import detourctl
from derp_client import PATIENCE
from doctor import AREAS, UNHURRIED, commands_environment, examine, is_well, mend, run_doctor
from local_api import Tailscaled
from namespaces import apart
from relay import EVERYTHING, Relay, with_keys
from shifted_clock import ShiftedClock

NAME = "relay.example"
WORLD = ("203.0.113.5", "2001:db8::5")
RELAY = """
[core]
hostname = relay.example
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1

[admission]
chain = open

[cert main]
plugin = file
chain-file = {dir}/chain.pem
key-file = {dir}/key.pem

[log main]
plugin = stderr
"""


class Host:
    """A host of its own, with those addresses, a file for names, and an authority that it trusts."""

    def __init__(self, folder, addresses):
        folder.mkdir(exist_ok=True)
        self.hosts = folder / "hosts"
        self.hosts.write_text("")
        self.order = folder / "nsswitch.conf"
        self.order.write_text("hosts: files\n")
        self.authority = Certificate("Authority", authority=True)
        (folder / "ca.pem").write_text(self.authority.pem)
        for source, target in ((self.hosts, "/etc/hosts"), (self.order, "/etc/nsswitch.conf"),
                               (folder / "ca.pem", "/etc/ssl/certs/ca-certificates.crt")):
            subprocess.run(["mount", "--bind", str(source), target], check=True)
        for address in addresses:
            self.take(address)

    @staticmethod
    def take(address, verb="add"):
        """It gets that address, or loses it."""
        subprocess.run(["ip", "address", verb, address + ("/128" if ":" in address else "/32"), "dev", "lo"], check=True)

    def names(self, *addresses):
        """The relay's name leads there."""
        self.hosts.write_text("".join(f"{address} {NAME}\n" for address in addresses))

    def obey(self, finding):
        """Makes the records that a finding prints."""
        lines = [line.split() for line in finding["command"].split("\n")]
        assert all(name == NAME + "." and kind == ("AAAA" if ":" in address else "A") for name, kind, address in lines)
        self.names(*(address for _, _, address in lines))


def on_a_host(folder, work, addresses=WORLD):
    """Runs @work(host) on one."""
    return apart(lambda: work(Host(folder / "host", addresses)), network=True, mounts=True)


@contextlib.contextmanager
def installed(folder, host, config=RELAY):
    """A relay with the settings that come with Detour, and a certificate that the authority has signed."""
    certificate = Certificate(NAME, issuer=host.authority)
    with Relay(folder / "relay", config, {"chain.pem": certificate.pem, "key.pem": certificate.key_pem}) as relay:
        relay.options = []
        relay.start()
        yield relay


def test_all_is_well(tmp_path):
    def work(host):
        host.names(*WORLD)
        with installed(tmp_path, host) as relay:
            found = examine(relay)
            bad = {code for code, finding in found.items() if finding["status"] in ("warning", "problem")}
            # That everyone may use it, and what this machine's kernel is like.
            assert bad <= {"config_warning", "kernel_setting", "congestion_control", "descriptors_few"}, found
            assert {"name_good", "port_good", "captive_good", "certificate_good", "stun_good", "login_good"} <= set(found)
            told = run_doctor(relay, UNHURRIED).stdout
            assert [line for line in told.splitlines() if line in AREAS] == [area for area in AREAS if area != "mesh"]
            for address, port in ((WORLD[0], f"{WORLD[0]}:443"), (WORLD[1], f"[{WORLD[1]}]:443")):
                assert f"{NAME} leads to {address}, an address of this host" in told
                assert f"{port}: a client is admitted" in " ".join(told.split())
            found = examine(None, f"--host={NAME}")
            assert {"name_good", "captive_good", "certificate_good", "stun_good", "login_good", "clock_good"} == set(found)
    on_a_host(tmp_path, work)


@pytest.fixture(name="relay")
def fixture_relay(make_relay):
    """A relay that everyone may use."""
    return make_relay(with_keys(EVERYTHING, "core", hostname="127.0.0.1"))


# ---- names

def test_names(tmp_path):
    def work(host):
        config = tmp_path / "detour.conf"
        config.write_text(RELAY.replace("{dir}", str(tmp_path)).replace("{run}", str(tmp_path)).replace("file\n", "selfsigned\n")
                          .split("chain-file")[0] + f"names = {NAME}\n")

        def look():
            return examine(None, f"--config={config}", "names")
        for code, addresses in (("name_unknown", []), ("name_local", ["127.0.0.1"]), ("name_private", ["10.0.0.5"]),
                                ("name_elsewhere", ["198.51.100.7", WORLD[1]])):
            host.names(*addresses)
            finding = look()[code]
            host.obey(finding)
            found = look()
            assert set(found) == {"name_good"}, (code, found)
        host.names(WORLD[0])
        finding = look()["family_missing"]
        assert finding["command"] == f"{NAME}. AAAA {WORLD[1]}"
        host.names(*WORLD)
        assert set(look()) == {"name_good"}
        for address in WORLD:
            host.take(address, "del")
        host.take("10.0.0.5")
        host.names(WORLD[0])
        found = look()
        assert found["behind_nat"]["status"] == "warning" and found["family_absent"]["status"] == "note"
        host.take(WORLD[0])
        assert is_well(look())
        # A resolver that cannot be asked is no word about the name.
        host.names()
        host.order.write_text("hosts: files dns\n")
        subprocess.run(["mount", "--bind", str(tmp_path / "resolv.conf"), "/etc/resolv.conf"], check=True)
        finding = look()["no_resolver"]
        assert finding["status"] == "warning" and "/etc/resolv.conf" in finding["remedy"]
        host.order.write_text("hosts: files\n")
        config.write_text(config.read_text().replace(f"hostname = {NAME}", "hostname = 127.0.0.1"))
        finding = look()["name_local"]
        assert finding["command"] == f"[core]\nhostname = {WORLD[0]}" and "leads to" not in finding["text"]
        config.write_text(config.read_text().replace("[core]\nhostname = 127.0.0.1", finding["command"]))
        assert set(look()) == {"name_good"}
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    on_a_host(tmp_path, work)


# ---- certificate

class Served:
    """A relay of the host that serves one certificate after the other."""

    def __init__(self, folder, host):
        host.names(*WORLD)
        self.host = host
        self.relay = Relay(folder / "relay", RELAY)
        self.relay.options = []

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.relay.stop()
        self.relay.remove()

    def serve(self, *names, remote=True, options=(), **certificate):
        """What is found of such a certificate."""
        made = Certificate(*names, **{"issuer": self.host.authority} | certificate)
        self.relay.write_file("chain.pem", made.pem)
        self.relay.write_file("key.pem", made.key_pem)
        if self.relay.process is None:
            self.relay.start()
        else:
            detourctl(self.relay, "plugins", "restart", "cert/main", "--timeout=25s")
        return examine(self.relay, *([f"--host={NAME}"] if remote else []), "certificate", *options)


def test_dates_of_a_certificate(tmp_path):
    def work(host):
        with Served(tmp_path, host) as served:
            for code, dates in (("certificate_expired", {"days": -1}), ("certificate_early", {"since": 2}), ("certificate_ends_soon", {"days": 3})):
                for remote in (True, False):
                    found = served.serve(NAME, remote=remote, **dates)
                    assert found[code]["remedy"], found
                found = served.serve(NAME)
                assert set(found) == {"certificate_good"}, found
    on_a_host(tmp_path, work)


def test_name_of_a_certificate(tmp_path):
    def work(host):
        with Served(tmp_path, host) as served:
            found = served.serve("elsewhere.example", remote=False)
            assert f"is for elsewhere.example, and not for {NAME}" in found["certificate_name"]["text"]
            assert found["certificate_name"]["command"].endswith(f"names = {NAME}")
            assert set(served.serve(NAME, remote=False)) == {"certificate_good"}
    on_a_host(tmp_path, work)


def test_trust(tmp_path):
    def work(host):
        stranger = Certificate("Stranger", authority=True)
        between = Certificate("Between", authority=True, issuer=stranger)
        (tmp_path / "stranger.pem").write_text(stranger.pem)
        with Served(tmp_path, host) as served:
            assert "chain_incomplete" in served.serve(NAME, issuer=stranger)
            assert "certificate_distrusted" in served.serve(NAME, issuer=between)
            found = served.serve(NAME, issuer=between, options=[f"--ca={tmp_path}/stranger.pem"])
            assert set(found) == {"certificate_good"}
    on_a_host(tmp_path, work)


def test_pins(tmp_path):
    def pin_in(finding):
        return "--pin=" + json.loads("{" + finding["command"] + "}")["CertName"]

    def work(host):
        with Served(tmp_path, host) as served:
            found = served.serve(NAME, issuer=None)
            assert found["certificate_self_signed"]["status"] == "warning"
            pin = pin_in(found["certificate_self_signed"])
            assert set(examine(None, f"--host={NAME}", "certificate", pin)) == {"certificate_good"}
            assert served.serve(NAME, issuer=None, remote=False)["certificate_self_signed"]["status"] == "note"
            # It is another one now, whose pin is printed.
            pin = pin_in(examine(None, f"--host={NAME}", "certificate", pin)["pin_wrong"])
            assert set(examine(None, f"--host={NAME}", "certificate", pin)) == {"certificate_good"}
            between = Certificate("Between", authority=True, issuer=host.authority)
            pin = pin_in(served.serve(NAME, issuer=between, options=[pin])["pin_wrong"])
            assert "pin_of_chain" in examine(None, f"--host={NAME}", "certificate", pin)
    on_a_host(tmp_path, work)


def test_no_tls(relay):
    assert "no_handshake" in examine(None, f"--host=127.0.0.1:{relay.ports['http']}", "certificate")
    assert "no_handshake" not in examine(None, f"--host=127.0.0.1:{relay.ports['https']}", "certificate")


@contextlib.contextmanager
def shown(folder, made, subject, *extensions):
    """A server that shows a certificate like @made with another subject and more in it; its port."""
    old = made.certificate
    builder = x509.CertificateBuilder(old.issuer, subject, old.public_key(), old.serial_number, old.not_valid_before, old.not_valid_after)
    for extension in [*(one.value for one in old.extensions), *extensions]:
        builder = builder.add_extension(extension, critical=False)
    made.certificate = builder.sign(made.key, hashes.SHA256())
    path = folder / "shown.pem"
    path.write_text(made.pem + made.key_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Acceptor(listener, lambda connection: context.wrap_socket(connection, server_side=True).recv(1))
    try:
        yield listener.getsockname()[1]
    finally:
        server.close()


def test_a_certificate_that_is_far_too_long(tmp_path):
    much = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(90000))
    with shown(tmp_path, Certificate(NAME), name_of(NAME), much) as port:
        finding = examine(None, f"--host=127.0.0.1:{port}", "certificate")["no_handshake"]
        assert "longer than any should be" in finding["text"]


def test_a_certificate_without_a_subject(tmp_path):
    with shown(tmp_path, Certificate(NAME, days=-1), x509.Name([])) as port:
        finding = examine(None, f"--host=127.0.0.1:{port}", "certificate")["certificate_expired"]
        assert f"the certificate {NAME} has expired" in finding["text"]


# ---- the plain port

def test_captive_portals(make_relay):
    config = with_keys(EVERYTHING, "core", hostname="127.0.0.1")
    relay = make_relay(config.replace("[http captive]\n", "[http captive]\nenabled = false\n"))
    finding = examine(relay, "ports")["captive_wrong"]
    group, key = finding["command"].split("\n")
    relay.reload(with_keys(config, group.strip("[]"), **dict([key.split(" = ")])))
    assert "captive_good" in examine(relay, "ports")


# ---- STUN

def test_stun_that_does_not_run(relay):
    detourctl(relay, "plugins", "disable", "service/stun")
    finding = examine(relay, "stun")["stun_refused"]
    mend(relay, finding)
    assert set(examine(relay, "stun")) == {"stun_good"}


def test_stun_that_is_silent(relay):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        where = [f"--host=127.0.0.1:{relay.ports['https']}", "stun"]
        told = run_doctor(None, *where, "--timeout=1s", f"--stun-port={silent.getsockname()[1]}", "--json")
        assert [finding["code"] for finding in json.loads(told.stdout)["findings"]] == ["stun_silent"] and told.returncode == 1
    assert set(examine(None, *where, f"--stun-port={relay.ports['stun']}")) == {"stun_good"}


def test_stun_that_tells_something_else(relay):
    relay.reload(with_keys(relay.config, "service stun", map="127.0.0.0/8=172.17.0.1"))
    finding = examine(relay, "stun")["stun_translated"]
    assert "was asked from 127.0.0.1:" in finding["text"] and " and saw 172.17.0.1:" in finding["text"]
    relay.reload(with_keys(EVERYTHING, "core", hostname="127.0.0.1"))
    assert set(examine(relay, "stun")) == {"stun_good"}


def test_stun_behind_a_bridge(tmp_path):
    """Seen from outside: a server of the world tells a private address."""
    def work(host):
        host.names(WORLD[0])
        with installed(tmp_path, host, RELAY + "[service stun]\nmap = 203.0.113.0/24=172.17.0.1\n") as relay:
            assert "stun_private" in examine(None, f"--host={NAME}", "stun")
            relay.reload(RELAY)
            assert set(examine(None, f"--host={NAME}", "stun")) == {"stun_good"}
    on_a_host(tmp_path, work)


def test_without_stun(relay):
    relay.reload(with_keys(relay.config, "service stun", enabled="false"))
    assert examine(relay, "stun")["no_stun"]["status"] == "note"


# ---- the map

def map_of(relay):
    """The entry that detourctl prints, as a whole map."""
    return json.loads(detourctl(relay, "derpmap", "--format=json")[0])


def node_of(document):
    """The only node."""
    (region,) = document["Regions"].values()
    return region["Nodes"][0]


@pytest.mark.parametrize("code, change", [
    ("map_port", {"DERPPort": 8443}),
    ("map_stun_port", {"STUNPort": 3479}),
    ("map_stun_port", {"STUNPort": -1}),
    ("map_port80", {"CanPort80": True}),
    ("map_address", {"IPv4": "192.0.2.1"}),
    ("map_address", {"IPv6": "2001:db8::1"}),
    ("map_address", {"IPv4": "nowhere"}),
    ("map_pin", {"CertName": "sha256-raw:" + "ab" * 32}),
    ("map_pin_missing", {"CertName": ""}),
    ("map_region_id", {"RegionID": 901}),
    ("map_insecure", {"InsecureForTests": True}),
])
def test_map_against_the_relay(relay, tmp_path, code, change):
    document, place = map_of(relay), tmp_path / "map.json"
    node_of(document).update(change)
    place.write_text(json.dumps(document))
    finding = examine(relay, f"--map={place}", "map")[code]
    assert "in the entry of node 900a" in finding["remedy"]
    node_of(document).update(json.loads("{" + finding["command"] + "}"))
    place.write_text(json.dumps({"acls": [], "derpMap": document}))
    found = examine(relay, f"--map={place}", "map")
    assert set(found) == {"map_good"}, found


def test_maps_as_a_whole(relay, tmp_path):
    document, place = map_of(relay), tmp_path / "map.json"
    (region,) = document["Regions"].values()
    region["Nodes"].append(region["Nodes"][0])
    place.write_text(json.dumps(document))
    finding = examine(relay, f"--map={place}", "map")["map_faulty"]
    told = subprocess.run(["sh", "-c", finding["command"]], capture_output=True, text=True, check=False, env=commands_environment(relay),
                          timeout=PATIENCE)
    assert told.returncode == 1 and "900a" in told.stdout + told.stderr
    region["Nodes"] = region["Nodes"][:1]
    place.write_text("// of the tailnet\n" + json.dumps({"derpMap": document}))
    assert set(examine(relay, f"--map={place}", "map")) == {"map_good"}
    region["RegionID"] = node_of(document)["RegionID"] = 5
    place.write_text(json.dumps({"Regions": {"5": region}}))
    assert examine(relay, f"--map={place}", "map")["map_region"]["status"] == "warning"
    node_of(document)["HostName"] = "other.example"
    place.write_text(json.dumps(document))
    finding = examine(relay, f"--map={place}", "map")["map_no_entry"]
    assert finding["command"] == "detourctl derpmap"
    for text in ("{", "[" * 100):
        place.write_text(text)
        assert "map_unreadable" in examine(relay, f"--map={place}", "map")


def test_map_from_a_server(relay):
    body = json.dumps(map_of(relay)).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Has a map in one place."""

        def do_GET(self):  # pylint: disable=invalid-name
            """Answers."""
            self.send_response(200 if self.path == "/map?x=1" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            """Says nothing."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/map"
        assert set(examine(relay, f"--map={url}?x=1", "map")) == {"map_good"}
        assert "404" in examine(relay, f"--map={url}", "map")["map_unreadable"]["text"]
        server.shutdown()


# ---- admission

def test_tailscaled(make_relay, short_folder):
    path = short_folder / "tailscaled.sock"
    config = with_keys(with_keys(EVERYTHING, "auth the-node", plugin="tailscaled", socket=path), "admission", chain="the-node")
    relay = make_relay(with_keys(config, "core", hostname="127.0.0.1"), start=False)
    relay.write_config()
    without = ["--no-vendor", f"--config={relay.config_file}", "admission"]
    assert examine(None, *without)["tailscaled_missing"]["command"] == "tailscale up"
    tailscaled = Tailscaled(path).start()
    assert set(examine(None, *without)) == {"tailscaled_there"}
    path.chmod(0o600)
    assert "tailscaled_closed" in examine(None, "--user=nobody", *without)
    path.chmod(0o666)
    short_folder.chmod(0o755)
    assert set(examine(None, "--user=nobody", *without)) == {"tailscaled_there"}
    relay.start_once()
    assert set(examine(relay, "admission")) == {"source_good"}
    tailscaled.stop()
    finding = examine(relay, "admission")["source_down"]
    assert finding["text"].startswith("auth/the-node cannot tell who may use the relay: ")
    Tailscaled(path).start()
    assert set(examine(relay, "admission")) == {"source_good"}


def test_a_source_that_takes_all(make_relay):
    server = AdmissionServer()
    server.manner = b'{"Allow": true}'
    config = with_keys(with_keys(EVERYTHING, "auth url", plugin="url", url=f"http://127.0.0.1:{server.port}/", unavailable="grace"), "admission", chain="url")
    relay = make_relay(with_keys(config, "core", hostname="127.0.0.1"))
    assert examine(relay, "admission")["source_takes_all"]["status"] == "warning"
    server.manner = "answers"
    assert set(examine(relay, "admission")) == {"source_good"}
    relay.reload(with_keys(relay.config, "admission", dry_run="true"))
    finding = examine(relay, "admission")["dry_run"]
    group, key = finding["command"].split("\n")
    relay.reload(with_keys(relay.config, group.strip("[]"), **dict([key.split(" = ")])))
    assert set(examine(relay, "admission")) == {"source_good"}


def test_open(relay):
    finding = examine(relay, "admission")["open"]
    group, key = finding["command"].split("\n")
    relay.reload(with_keys(relay.config, group.strip("[]"), **dict([key.split(" = ")])) + "[auth tailscaled]\n")
    assert "open" not in examine(relay, "admission")


# ---- clock

def test_clocks_apart(make_relay, tmp_path):
    clock = ShiftedClock(tmp_path)
    with clock:
        relay = make_relay(with_keys(EVERYTHING, "core", hostname="127.0.0.1"))
    where = [f"--host=127.0.0.1:{relay.ports['https']}", "clock"]
    assert set(examine(None, *where)) == {"clock_good"}
    clock.jump(-3600)
    finding = examine(None, *where)["clocks_apart"]
    assert "60 minutes apart" in finding["text"] or "3,600 seconds apart" in finding["text"], finding
    clock.jump(3600)
    assert set(examine(None, *where)) == {"clock_good"}


def test_clock_of_this_host(tmp_path):
    """Whether it is kept right is this machine's affair, so the kernel's word is another one."""
    with ShiftedClock(tmp_path):
        found = examine(None, "clock", TEST_CLOCK_STATUS="64")
        assert found["clock_alone"]["status"] == "note" and found["clock_alone"]["command"] == "timedatectl set-ntp true"
        assert examine(None, "clock", TEST_CLOCK_STATUS="0")["clock_good"]["text"] == "the clock is kept right from outside"


# ---- system

@pytest.mark.parametrize("name, value", [("net.core.somaxconn", "128"), ("net.ipv4.tcp_max_syn_backlog", "64"),
                                         ("net.ipv4.tcp_rmem", "4096 131072 262144"), ("net.ipv4.tcp_wmem", "4096 16384 262144")])
def test_settings_of_the_kernel(tmp_path, name, value):
    def work():
        config = tmp_path / "detour.conf"
        config.write_text("[admission]\nchain = open\n")
        subprocess.run(["sysctl", "-q", "-w", f"{name}={value}"], check=True)
        told = json.loads(run_doctor(None, f"--config={config}", "system", "--json").stdout)["findings"]
        (finding,) = [finding for finding in told if finding["text"].startswith(name.replace(".", "/") + " is ")]
        mend(None, finding)
        told = json.loads(run_doctor(None, f"--config={config}", "system", "--json").stdout)["findings"]
        assert not [finding for finding in told if finding["text"].startswith(name.replace(".", "/") + " is ")]
    apart(work, network=True)


def test_congestion_control(tmp_path):
    def work():
        config = tmp_path / "detour.conf"
        config.write_text("[admission]\nchain = open\n")
        subprocess.run(["sysctl", "-q", "-w", "net.ipv4.tcp_congestion_control=reno"], check=True)
        finding = examine(None, f"--config={config}", "system")["congestion_control"]
        assert finding["status"] == "warning"
        mend(None, finding)
        assert "reno" not in examine(None, f"--config={config}", "system")["congestion_control"]["text"]
    apart(work, network=True)


def test_descriptors(relay):
    def limit(number):
        subprocess.run(["prlimit", "--pid", str(relay.process.pid), f"--nofile={number}:"], check=True)
    limit(1000)
    finding = examine(relay, "system")["descriptors_few"]
    assert finding["status"] == "warning" and "may open 1000 files" in finding["text"]
    mend(relay, finding)
    assert "descriptors_good" in examine(relay, "system")
