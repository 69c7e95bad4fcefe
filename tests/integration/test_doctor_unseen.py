"""detourctl doctor where something cannot be looked at, and says so until it can; and that every finding has a test.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess

from acceptor import Acceptor
from admission_server import read_head
from certs import Certificate
from control import DETOURCTL
from derp_client import PATIENCE
from doctor import commands_environment, examine, is_well, mend, run_doctor
from namespaces import apart, mount_memory
from relay import EVERYTHING, SMALL, wait_until, with_keys, without_group

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
OPEN = with_keys(EVERYTHING, "core", hostname="127.0.0.1")
QUIET = "[admission]\nchain = open\n"


def test_every_finding_has_a_test():
    """By its code."""
    tests = "".join(path.read_text() for path in (TOP / "tests" / "integration").glob("test_*.py"))
    codes = set()
    for path in (TOP / "core" / "app" / "doctor").glob("*.c"):
        codes |= set(re.findall(r'doctor(?:_map)?_(?:find|tell) \(\s*(?:&?[\w>-]+, )+\s*"(\w+)"', path.read_text()))
    assert len(codes) > 80
    assert not [code for code in sorted(codes) if f'"{code}"' not in tests]


def unseen(config, *arguments):
    """What it says of each area that it could not look at."""
    told = run_doctor(None, "--timeout=20s", "--json", "--no-vendor", f"--config={config}", *arguments)
    return {finding["area"]: finding["text"] for finding in json.loads(told.stdout)["findings"] if finding["code"] == "not_checked"}


def test_a_configuration_with_errors(tmp_path):
    """It hides much of what there is."""
    config, place = tmp_path / "detour.conf", tmp_path / "map"
    place.write_text('{"Regions": {}}')
    config.write_text(QUIET + "[limits]\nconnections = many\n")
    found = unseen(config, f"--map={place}")
    assert found["admission"] == "who is asked is not known while the configuration has errors"
    assert found["certificate"] == "where clients would come in is not known"
    assert found["files"] == "files are not known while the configuration has errors"
    assert found["login"] == "no listener with a port relays"
    assert found["names"] == found["map"] == 'the name of the relay is not known, see "config"'
    assert found["ports"] == "ports are not known while the configuration has errors"
    assert found["stun"] == "where STUN would answer is not known"
    assert found["system"] == "how many files the relay may open shows once it runs"
    config.write_text(QUIET + "[core]\nhostname = 127.0.0.1\n")
    assert not {"admission", "files", "names", "map", "ports", "stun"} & set(unseen(config, f"--map={place}"))


def test_a_relay_that_does_not_run(make_relay, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("nodekey:" + "ab" * 32 + "\n")
    config = with_keys(with_keys(OPEN, "auth friends", plugin="keys", file=keys), "admission", chain="friends")
    relay = make_relay(config, start=False)
    relay.write_config()
    found = unseen(relay.config_file)
    assert found["admission"] == "auth/friends can be asked once the relay runs"
    assert f'127.0.0.1:{relay.ports["https"]}: no connection, see "login": ' in found["certificate"]
    relay.start_once()
    assert set(examine(relay, "admission")) == {"source_good"} and "not_checked" not in examine(relay, "certificate")
    # Nothing of it is wrong or open to everyone.
    relay.reload(without_group(config, "service mesh"))
    assert set(examine(relay, "config")) == {"config_good"} and set(examine(relay, "files")) == {"files_good"}


def test_a_relay_without_a_name(make_relay):
    relay = make_relay(SMALL)
    for area in ("login", "names"):
        assert examine(relay, area)["not_checked"]["text"] == 'the name of the relay is not known, see "config"'
    relay.reload(with_keys(SMALL, "core", hostname="127.0.0.1"))
    for area in ("login", "names"):
        assert "not_checked" not in examine(relay, area)


# ---- from outside

def free_port(kind=socket.SOCK_STREAM):
    """A socket that keeps a port, at which nobody listens."""
    keeper = socket.socket(socket.AF_INET, kind)
    keeper.bind(("127.0.0.1", 0))
    return keeper


def test_nobody_is_there(make_relay):
    relay = make_relay(OPEN)
    with free_port() as keeper:
        where = f"--host=127.0.0.1:{keeper.getsockname()[1]}"
        assert examine(None, where, "login")["refused_tcp"]["remedy"] == "start the relay there, or ask at another port"
        assert examine(None, where, "clock")["not_checked"]["text"].endswith(" does not tell its time")

    def udp_port():
        with free_port(socket.SOCK_DGRAM) as keeper:
            return keeper.getsockname()[1]
    where = f"--host=127.0.0.1:{relay.ports['https']}"
    found = wait_until(lambda: examine(None, where, f"--stun-port={udp_port()}", "stun").get("stun_refused"), "a port that nobody has")
    assert found["remedy"] == "start STUN there, or have it left out of the map"
    assert is_well(examine(None, where, f"--stun-port={relay.ports['stun']}", "stun", "--timeout=20s"))
    assert set(examine(None, where, "login")) == {"login_good"} and set(examine(None, where, "clock")) == {"clock_good"}
    assert examine(None, "--host=relay.invalid", "clock")["not_checked"]["text"] == "where clients would come in is not known"


def test_maps_of_others(make_relay, tmp_path):
    relay = make_relay(with_keys(OPEN, "service stun", enabled="false"))
    place = tmp_path / "map"
    node = {"Name": "900a", "RegionID": 900, "HostName": "127.0.0.1", "DERPPort": relay.ports["https"], "InsecureForTests": False}

    def compare(*arguments):
        place.write_text(json.dumps({"Regions": {"900": {"RegionID": 900, "RegionCode": "own", "RegionName": "Own", "Nodes": [node]}}}))
        return examine(relay, f"--map={place}", "map", *arguments)
    finding = compare()["map_stun_port"]
    assert finding["text"] == "by the map clients ask for STUN at UDP 3478, and there is none"
    node.update(json.loads("{" + finding["command"] + "}"))
    assert "map_stun_port" not in compare()
    node["HostName"] = "other.example"
    where = f"--host=127.0.0.1:{relay.ports['https']}"
    assert compare(where)["map_no_entry"]["remedy"] == "name it as the map does"
    node["HostName"] = "127.0.0.1"
    assert "map_no_entry" not in compare(where)


# ---- the plain port, certificates

def test_an_answer_without_the_response(make_relay, tmp_path):
    """As of a server that answers everything with 204."""
    relay = make_relay(OPEN)

    def answer(connection):
        read_head(connection)
        connection.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    acceptor = Acceptor(listener, answer)
    try:
        other = tmp_path / "other.conf"
        other.write_text(f"{QUIET}[core]\nhostname = 127.0.0.1\n[transport http]\nlisten = 127.0.0.1:{port}\n")
        finding = examine(relay, "--no-vendor", f"--config={other}", "ports")["captive_wrong"]
        assert "is answered without the response to the challenge" in finding["text"]
    finally:
        acceptor.close()
    assert "captive_good" in examine(relay, "ports")


def test_a_certificate_that_is_awaited(make_relay):
    """The authority takes connections and says nothing; then it is gone."""
    with socket.create_server(("127.0.0.1", 0)) as authority:
        url = f"https://127.0.0.1:{authority.getsockname()[1]}/directory"
        relay = make_relay(with_keys(OPEN, "cert new", plugin="acme", names="relay.test", directory_url=url,
                                     assume_port_forwarded="true"))
        finding = examine(relay, "certificate")["certificate_awaited"]
        assert (finding["text"], finding["command"]) == ("cert/new waits for its first certificate", "detourctl certs")
    mend(relay, finding)


# ---- ports and the system

def as_nobody(folder, config, area):
    """The findings, as somebody without rights has them."""
    folder.chmod(0o755)
    path = folder / "detour.conf"
    path.write_text(config)
    path.chmod(0o644)
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", DETOURCTL, "doctor", "--json", "--no-vendor",
                           "--timeout=20s", f"--config={path}", area],
                          capture_output=True, text=True, check=False, env=commands_environment(None), timeout=4 * PATIENCE)
    assert not done.stderr, done.stderr
    return {finding["code"]: finding for finding in json.loads(done.stdout)["findings"]}


def test_ports_without_rights(short_folder):
    """Whose a port is, only root sees, and a low port needs the service's privilege."""
    def work():
        with socket.create_server(("127.0.0.1", 4443)):
            config = QUIET + "[transport http]\nlisten = 127.0.0.1:4443; 127.0.0.1:80\n"
            subprocess.run(["sysctl", "-q", "-w", "net.ipv4.ip_unprivileged_port_start=1024"], check=True)
            found = as_nobody(short_folder, config, "ports")
            assert found["port_taken_by_unknown"]["text"] == "TCP 4443 (transport/http) is taken, and this user may not see by whom"
            assert found["port_free"]["text"] == "TCP 80 (transport/http) needs a privilege, which the service unit gives"
            # As its remedy has it, root sees more.
            assert found["port_taken_by_unknown"]["command"] == "sudo detourctl doctor ports"
            found = examine(None, "--no-vendor", f"--config={short_folder}/detour.conf", "ports")
            assert f"(process {os.getpid()})" in found["port_taken"]["text"] and "is free" in found["port_free"]["text"]
        assert "port_taken_by_unknown" not in as_nobody(short_folder, config, "ports")
    apart(work, network=True)


def test_settings_of_a_kernel_that_has_little(tmp_path):
    """The ones of the whole host, which a test cannot change but in appearance."""
    def work():
        config = tmp_path / "detour.conf"
        config.write_text(QUIET)
        settings = pathlib.Path("/proc/sys/net")
        mount_memory(settings, "64k")
        for name in ("core", "ipv4"):
            (settings / name).mkdir()
        (settings / "core" / "rmem_max").write_text("65536\n")
        (settings / "ipv4" / "tcp_congestion_control").write_text("reno\n")
        (settings / "ipv4" / "tcp_allowed_congestion_control").write_text("reno\n")
        found = examine(None, f"--config={config}", "system")
        assert found["kernel_setting"]["text"] == "net/core/rmem_max is 65536: bursts of STUN are lost"
        assert found["congestion_control"]["remedy"] == "have the kernel load one that is made for them, as cubic"
        mend(None, found["kernel_setting"])
        (settings / "ipv4" / "tcp_congestion_control").write_text("cubic\n")
        assert is_well(examine(None, f"--config={config}", "system"))
    apart(work, mounts=True)


def test_descriptors_without_room_to_rise(make_relay):
    """A problem where more clients are let in than there are descriptors for. A test may lack the right to raise such a limit."""
    relay = make_relay(with_keys(OPEN, "limits", connections=5000))
    subprocess.run(["prlimit", "--pid", str(relay.process.pid), "--nofile=1000:1000"], check=True)
    finding = examine(relay, "system")["descriptors_few"]
    assert finding["status"] == "problem" and finding["command"] == f"prlimit --pid {relay.process.pid} --nofile=1048576"
    relay.reload(with_keys(OPEN, "limits", connections=500))
    assert examine(relay, "system")["descriptors_few"]["status"] == "warning"


# ---- files

def test_a_folder_of_files(short_folder):
    """That the relay may not list."""
    folder = short_folder / "chains"
    certificate = Certificate("relay.test")
    config = f"{QUIET}[core]\nhostname = relay.test\nstate-directory = {short_folder}\n[cert main]\nplugin = file\ndirectory = {folder}\n"
    path = short_folder / "detour.conf"
    path.write_text(config)
    short_folder.chmod(0o777)

    def look():
        return examine(None, "--no-vendor", f"--config={path}", "--user=nobody", "files")
    folder.mkdir(mode=0o700)
    for ending, text in (("crt", certificate.pem), ("key", certificate.key_pem)):
        file = folder / f"relay.test.{ending}"
        file.write_text(text)
        file.chmod(0o600)
        shutil.chown(file, "nobody")
    finding = look()["file_closed"]
    assert finding["command"] == f"chmod o+rx {folder}"
    mend(None, finding)
    assert set(look()) == {"files_good"}
