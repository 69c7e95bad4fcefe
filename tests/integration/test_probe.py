"""detourctl probe: what is good, and everything that can be wrong with a node, each of it once. With --server=derper, at the reference.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import itertools
import json
import socket
import tempfile
import threading

import pytest

from acceptor import Acceptor
from certs import Certificate
from local_api import Tailscaled
from prober import node, pin_of, probe, region_of, run_probe, write_map
from relay import EVERYTHING, MESH_KEY, SMALL, free_port, with_keys, without_group

GOOD = {"stun4", "tls4", "latency", "login", "packet", "websocket"}
FROM_FILE = with_keys(without_group(EVERYTHING, "cert main"), "cert main", plugin="file", chain_file="{dir}/chain.pem",
                      key_file="{dir}/key.pem")


def test_all_is_good(server, tmp_path):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server), CanPort80=True)))
    found = probe(f"--plain-port={server.ports['port80']}", place)
    assert set(found.codes("good")) == {("900a", check) for check in GOOD | {"captive"}}, found.document
    assert found.exit == 0 and not found.codes("failed", "warning", "skipped")
    assert found.client() == {("900a", "only_ipv4"), ("900a", "pin_unknown"), (None, "home")}
    texts = [told["text"] for told in found.document["client"]]
    assert "A client would use node 900a only by IPv4: it has no IPv6 address." in texts
    for check, result in found.checks.items():
        assert result["microseconds"] > 0 and result["text"], check
    assert found.checks["900a", "tls4"]["certificate_seconds"] > 0


def test_table(server, tmp_path):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server)), code="here"))
    done = run_probe(None, place)
    assert done.returncode == 0 and done.stderr == ""
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["REGION", "NODE", "CHECK", "RESULT", "TIME", "DETAIL"]
    assert [(row[1], row[2], row[3]) for row in rows[1:7]] == [("900a", check, "good") for check in
                                                              ("stun4", "tls4", "latency", "login", "packet", "websocket")]
    assert "A client here would take region 900 (here) as its home:" in done.stdout
    assert done.stdout.endswith("\n6 good, 0 warnings, 0 failed, 0 skipped\n")


def test_one_warning_is_one(make_relay, tmp_path):
    relay = make_relay(without_group(EVERYTHING, "transport websocket"))
    done = run_probe(None, write_map(tmp_path, region_of(node("900a", relay, CertName=pin_of(relay)))))
    assert done.returncode == 0 and done.stdout.endswith("\n5 good, 1 warning, 0 failed, 0 skipped\n")


def test_bandwidth(server, tmp_path):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server))))
    found = probe("--bandwidth=3M", place)
    assert found.checks["900a", "bandwidth"]["status"] == "good" and found.checks["900a", "bandwidth"]["bytes_per_second"] > 0


@pytest.mark.parametrize("change, failed", [
    ({"CertName": "sha256-raw:" + "ab" * 32}, {"tls4": "pin_wrong"}),
    ({"CertName": None}, {"tls4": "self_signed"}),
    ({"CertName": "other.example"}, {"tls4": "certificate_name"}),
    ({"HostName": "other.example"}, {"tls4": "certificate_name"}),
    ({"IPv4": None, "HostName": "nowhere.invalid"}, {"tls4": "no_address"}),
    ({"IPv4": "none", "IPv6": "none"}, {"tls4": "no_address"}),
    ({"STUNPort": free_port()}, {"stun4": "nobody_listens"}),
    ({"DERPPort": free_port()}, {"tls4": "nobody_listens"}),
    ({"CanPort80": True}, {"captive": "nobody_listens"}),
])
def test_what_is_wrong_in_the_map(server, tmp_path, change, failed):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server)) | change))
    place.write_text(place.read_text().replace('"CertName": null, ', "").replace('"IPv4": null, ', ""))
    found = probe(f"--plain-port={free_port()}", place)
    assert found.codes() == {("900a", check): code for check, code in failed.items()}, found.document
    if "tls4" in failed:
        assert ("900a", "not_used") in found.client() and found.codes("skipped") == {("900a", "login"): "no_tls"}


def test_no_tls(server, tmp_path):
    found = probe(write_map(tmp_path, region_of(node("900a", server, DERPPort=server.address("http")[1]))))
    assert found.codes() == {("900a", "tls4"): "no_tls"}


def test_no_certificate_looked_at(server, tmp_path):
    assert probe(write_map(tmp_path, region_of(node("900a", server, InsecureForTests=True)))).exit == 0


@pytest.mark.parametrize("names, days, failed, warning", [
    (["127.0.0.1"], 60, {}, {}),
    (["127.0.0.1"], 3, {}, {("900a", "tls4"): "ends_soon"}),
    (["127.0.0.1"], -1, {("900a", "tls4"): "expired"}, {}),
    (["192.0.2.1"], 60, {("900a", "tls4"): "certificate_name"}, {}),
])
def test_certificates(make_relay, tmp_path, names, days, failed, warning):
    authority = Certificate("Authority", authority=True)
    own = Certificate(*names, issuer=authority, days=days)
    relay = make_relay(FROM_FILE, {"chain.pem": own.pem, "key.pem": own.key_pem})
    (tmp_path / "ca.pem").write_text(authority.pem)
    place = write_map(tmp_path, region_of(node("900a", relay)))
    assert probe(place).codes() == ({("900a", "tls4"): "expired"} if days < 0 else failed or {("900a", "tls4"): "distrusted"})
    found = probe(f"--ca={tmp_path}/ca.pem", place)
    assert found.codes() == failed and found.codes("warning") == warning
    assert probe(f"--ca={tmp_path}/ca.pem", "--strict", place).exit == int(bool(failed or warning))


def test_closed_relay(make_relay, tmp_path):
    config = with_keys(with_keys(EVERYTHING, "auth friends", plugin="keys", file="{dir}/friends"), "admission", chain="friends",
                       refuse_hold="0s")
    relay = make_relay(config, {"friends": "", "mesh.key": MESH_KEY})
    (tmp_path / "mesh.key").write_text(MESH_KEY)
    (tmp_path / "wrong.key").write_text("ab" * 32)
    place = write_map(tmp_path, region_of(node("900a", relay, CertName=pin_of(relay))))
    found = probe(place)
    assert found.codes() == {("900a", "login"): "refused"} and ("900a", "unknown_refused") in found.client()
    assert probe("--closed", place).codes("good")["900a", "login"] == "refused"
    assert probe(f"--mesh-key={tmp_path}/mesh.key", place).codes("good").keys() >= {("900a", "login"), ("900a", "packet")}
    assert probe("--closed", f"--mesh-key={tmp_path}/mesh.key", place).codes("good").keys() >= {("900a", "login"), ("900a", "packet")}
    assert probe(f"--mesh-key={tmp_path}/wrong.key", place).codes() == {("900a", "login"): "refused"}


def test_open_relay_that_is_to_be_closed(server, tmp_path):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server))))
    found = probe("--closed", place)
    assert found.codes() == {("900a", "login"): "stranger_admitted"} and ("900a", "not_admitted") in found.client()


def test_two_nodes_that_are_not_meshed(server, make_relay, tmp_path):
    other = make_relay(EVERYTHING)
    place = write_map(tmp_path, region_of(*(node(name, one, CertName=pin_of(one)) for name, one in (("900a", server), ("900b", other)))))
    found = probe(place)
    assert found.codes() == {("900a", "packet", "900b"): "not_meshed", ("900b", "packet", "900a"): "not_meshed"}
    assert probe("--no-mesh", place).exit == 0


def test_two_names_of_one_relay(server, tmp_path):
    place = write_map(tmp_path, region_of(*(node(name, server, CertName=pin_of(server)) for name in ("900a", "900b"))))
    found = probe(place)
    assert found.codes("good").keys() >= {("900a", "packet", "900b"), ("900b", "packet", "900a")}


def test_a_client_takes_the_next_node(server, tmp_path):
    pin = pin_of(server)
    down, up = node("900a", server, CertName=pin, DERPPort=free_port()), node("900b", server, CertName=pin)
    found = probe(write_map(tmp_path, region_of(down, up)))
    assert ("900b", "next_node") in found.client()
    assert found.codes("skipped")["900a", "packet", "900b"] == "no_login"
    down["DERPPort"] = server.address("http")[1]
    assert ("900a", "region_stuck") in probe(write_map(tmp_path, region_of(down, up))).client()
    up["DERPPort"] = down["DERPPort"] = free_port()
    assert (None, "region_down") in probe(write_map(tmp_path, region_of(down, up))).client()


def test_home(server, tmp_path):
    pin = pin_of(server)
    regions = [region_of(node(f"90{i}a", server, region=900 + i, CertName=pin), number=900 + i, code=f"r{i}") for i in range(3)]

    def home(*all_regions, **others):
        found = probe(write_map(tmp_path, *all_regions, **others))
        return [(advice["region"], advice["code"]) for advice in found.document["client"] if advice["code"].startswith(("home", "no_home"))]
    assert home(*regions, HomeParams={"RegionScore": {"900": 1000000, "901": 0.000001}}) == [(901, "home")]
    regions[1]["901"]["NoMeasureNoHome"] = True
    assert home(*regions[:2]) == [(900, "home")]
    for region in regions:
        for entry in region.values():
            entry["Nodes"][0]["STUNPort"] = -1
    assert home(*regions[:2]) == [(900, "home_by_https")]


def test_both_families(make_relay, tmp_path):
    relay = make_relay(with_keys(with_keys(EVERYTHING, "transport https", listen="127.0.0.1:{https}; [::1]:{https}"), "service stun",
                                 listen="127.0.0.1:{stun}; [::1]:{stun}"))
    entry = node("900a", relay, CertName=pin_of(relay), IPv6="::1")
    found = probe(write_map(tmp_path, region_of(entry)))
    assert set(found.codes("good")) == {("900a", check) for check in GOOD | {"stun6", "tls6"}}, found.document
    assert not {("900a", "only_ipv4"), ("900a", "only_ipv6")} & found.client()
    # Nobody is there in one of them, or the map says so: clients take the other.
    found = probe(write_map(tmp_path, region_of(entry | {"IPv4": "127.0.0.3"})))
    assert found.codes() == {("900a", "stun4"): "nobody_listens", ("900a", "tls4"): "nobody_listens"}
    assert ("900a", "only_ipv6") in found.client() and found.checks["900a", "packet"]["status"] == "good"
    found = probe(write_map(tmp_path, region_of(entry | {"IPv4": "none"})))
    assert found.exit == 0 and ("900a", "only_ipv6") in found.client()


class Balancer:
    """Hands connections to two servers in turn, as must not be done with relays."""

    def __init__(self, *targets):
        self.turns = itertools.cycle(targets)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.acceptor = Acceptor(listener, self.serve)

    @staticmethod
    def carry(source, target):
        """Bytes of one direction, until its end."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def serve(self, connection):
        """One connection."""
        with socket.create_connection(next(self.turns)) as target:
            back = threading.Thread(target=self.carry, args=(target, connection))
            back.start()
            self.carry(connection, target)
            back.join()


def test_load_balancer(make_relay, tmp_path):
    """Two relays behind one address are found out, whether they show the same certificate or not."""
    own = Certificate("127.0.0.1", days=60)
    same = [make_relay(FROM_FILE, {"chain.pem": own.pem, "key.pem": own.key_pem}) for _ in range(2)]
    balancer = Balancer(*(relay.address("tls") for relay in same))
    try:
        found = probe(write_map(tmp_path, region_of(node("900a", same[0], CertName=pin_of(same[0]), DERPPort=balancer.port))))
        assert found.codes() == {("900a", "login"): "two_servers"}
    finally:
        balancer.acceptor.close()
    balancer = Balancer(same[0].address("tls"), make_relay(EVERYTHING).address("tls"))
    try:
        found = probe(write_map(tmp_path, region_of(node("900a", same[0], CertName=pin_of(same[0]), DERPPort=balancer.port))))
        assert "the certificate is not the one of a moment ago" in found.checks["900a", "login"]["text"]
    finally:
        balancer.acceptor.close()


def test_stun_only(server, tmp_path):
    found = probe(write_map(tmp_path, region_of(node("900a", server, STUNOnly=True))))
    assert set(found.codes("good")) == {("900a", "stun4")} and found.exit == 0


def test_one_region(server, tmp_path):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server))),
                      region_of(node("901a", server, region=901, DERPPort=free_port()), number=901, code="other"))
    assert probe("--region=own", place).exit == 0 and probe("--region=900", place).exit == 0
    assert probe("--region=other", place).exit == 1
    done = run_probe(None, "--region=elsewhere", place)
    assert done.returncode == 1 and 'no region "elsewhere"' in done.stderr


def test_own_relay(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "core", hostname="127.0.0.1"))
    found = probe(relay=relay)
    assert set(found.codes("good")) == {("900a", check) for check in GOOD}, found.document
    assert run_probe(None).returncode == 3
    relay = make_relay(SMALL)
    done = run_probe(relay)
    assert done.returncode == 1 and "set hostname in [core], or give a map" in done.stderr


def test_bad_map(server, tmp_path):
    place = write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server), DERPPrt=1)))
    done = run_probe(None, place)
    assert done.returncode == 1 and "Nodes[0].DERPPrt" in done.stderr and "0 failed" in done.stdout
    place.write_text("{")
    done = run_probe(None, place)
    assert done.returncode == 1 and str(place) in done.stderr and done.stdout == ""
    place.write_text('{"Regions": {}}')
    assert run_probe(None, place).returncode == 1


@pytest.fixture(name="short")
def fixture_short():
    """A folder with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="detour-") as folder:
        yield folder


def test_map_of_tailscaled(server, tmp_path, short):
    tailscaled = Tailscaled(f"{short}/t.sock").start()
    try:
        done = run_probe(None, f"tailscaled:{tailscaled.path}")
        assert done.returncode == 1 and f"tailscaled at {tailscaled.path}: it answers 404" in done.stderr
        tailscaled.derp_map = json.loads(write_map(tmp_path, region_of(node("900a", server, CertName=pin_of(server)))).read_text())
        assert probe(f"tailscaled:{tailscaled.path}").exit == 0
        for manner, text in (("half", "closed"), ("no http", "no answer of HTTP"), ("closes", "no answer of HTTP"), ("lies", "t.sock")):
            tailscaled.manner = manner
            done = run_probe(None, f"tailscaled:{tailscaled.path}")
            assert done.returncode == 1 and text in done.stderr, (manner, done.stderr)
    finally:
        tailscaled.stop()
    assert "tailscaled at /nonexistent:" in run_probe(None, "tailscaled:/nonexistent").stderr


@pytest.mark.parametrize("option", ["--plain-port=0", "--bandwidth=much", "--bandwidth=0", "--mesh-key=/nonexistent"])
def test_wrong_options(option):
    done = run_probe(None, option, "/dev/null")
    assert done.returncode == 2 and option.split("=")[0] in done.stderr
