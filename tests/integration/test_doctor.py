"""detourctl doctor: each finding is had by breaking a thing, and gone once its remedy was carried out.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pwd
import re
import signal
import socket
import subprocess
import sys

import pytest

from control import DETOURCTL, detourctl
from derp_client import PATIENCE
from doctor import UNHURRIED, commands_environment, examine, is_well, mend, run_doctor
from german import german
from relay import EVERYTHING, SMALL, run_detourd, with_keys, without_group

NOBODY = "nobody"
OPEN = without_group(with_keys(EVERYTHING, "core", hostname="127.0.0.1"), "service mesh")

@pytest.fixture(name="relay")
def fixture_relay(make_relay):
    """A relay that everyone may use, at an address that is its name."""
    return make_relay(OPEN)


def test_for_people(relay):
    told = run_doctor(relay, "ports").stdout
    assert told.splitlines()[0] == "ports" and told.endswith("\n\nNothing is wrong.\n")
    assert run_doctor(relay, "config").returncode == 0
    told = run_doctor(relay, "config", "--strict")
    assert told.returncode == 1 and told.stdout.startswith("config\n  warning ") and told.stdout.endswith("\n0 problems, 1 warning.\n")


def test_in_german(relay):
    assert "alles in Ordnung" in run_doctor(relay, "ports", **german()).stdout


@pytest.mark.parametrize("arguments, complaint", [
    (["nothing"], 'there is no area "nothing"; there are config, files'),
    (["--host=a:b:c"], "write a name or an address"),
    (["--host=127.0.0.1", "files"], 'there is no area "files"'),
    (["--user=nobody-has-this-name"], "there is no user"),
    (["--mesh-key=/dev/null"], "64 hex digits"),
])
def test_wrong_command_lines(arguments, complaint):
    assert complaint in detourctl(None, "doctor", *arguments, code=2)[1]


# ---- config

def test_errors_of_the_configuration(relay, tmp_path):
    """Of a daemon that does not run, too."""
    broken = tmp_path / "broken.conf"
    broken.write_text(relay.config_file.read_text().replace("[limits]", "[limits]\nconnections = many"))
    found = examine(None, "--no-vendor", f"--config={broken}", "config")
    assert f"{broken}:" in found["config_error"]["text"] and "connections" in found["config_error"]["text"]
    assert found["config_error"]["command"] == f"detourd --check-config --no-vendor --config {broken}"
    broken.write_text(relay.config_file.read_text())
    mend(relay, found["config_error"])
    assert "config_error" not in examine(None, "--no-vendor", f"--config={broken}", "config")


def test_what_waits_for_a_restart(relay):
    relay.reload(with_keys(relay.config, "core", workers="2"))
    finding = examine(relay, "config")["restart_needed"]
    assert '"2" in the file, but the relay runs with "1"' in finding["text"]
    assert finding["command"] == f"kill {relay.process.pid}; detourd --no-vendor --config {relay.config_file}"
    relay.stop()
    relay.start_once()
    assert "restart_needed" not in examine(relay, "config")


def test_without_a_name(make_relay):
    relay = make_relay(SMALL)
    finding = examine(relay, "config")["no_hostname"]
    group, key = finding["command"].split("\n")
    assert group == "[core]"
    relay.reload(relay.config.replace(group, finding["command"]))
    assert key == "hostname = relay.example.com" and "no_hostname" not in examine(relay, "config")


def test_a_value_of_the_environment(make_relay):
    """A line for a file would change nothing where a variable beats it."""
    relay = make_relay(OPEN, start=False)
    relay.write_config()
    words = [None, "--no-vendor", f"--config={relay.config_file}", "admission"]
    assert examine(*words)["open"]["command"] == "[admission]\nchain = tailscaled"
    found = examine(*words, DETOUR_ADMISSION_CHAIN="open", DETOUR_ADMISSION_DRY_RUN="true")
    assert found["open"]["command"] == "DETOUR_ADMISSION_CHAIN=tailscaled"
    assert found["dry_run"]["command"] == "DETOUR_ADMISSION_DRY_RUN=false"


def test_without_a_file(tmp_path):
    """No file is said to be good that does not exist; where it does, on the machine of a developer, there is nothing to see."""
    path = re.search(r"FILE instead of (\S+)", run_detourd("--help")[0])[1]
    if os.path.exists(path):
        pytest.skip(f"{path} is there")
    keys = tmp_path / "keys"
    keys.write_text("nodekey:" + "ab" * 32 + "\n")
    variables = {"DETOUR_ADMISSION_CHAIN": "friends", "DETOUR_AUTH_FRIENDS__PLUGIN": "keys", "DETOUR_AUTH_FRIENDS__FILE": str(keys),
                 "DETOUR_CERT_MAIN__PLUGIN": "selfsigned"}
    assert examine(None, "config", **variables)["no_hostname"]["command"] == "DETOUR_CORE_HOSTNAME=relay.example.com"
    variables["DETOUR_CORE_HOSTNAME"] = "relay.example.com"
    found = examine(None, "config", **variables)
    assert found["config_good"]["text"] == "the configuration in the environment is good", found


def test_a_plugin_that_failed(make_relay, tmp_path):
    keys = tmp_path / "keys"
    relay = make_relay(with_keys(with_keys(SMALL, "auth friends", plugin="keys", file=keys), "admission", chain="friends"), start=False)
    keys.write_text("nodekey:" + "ab" * 32 + "\n")
    relay.start()
    keys.unlink()
    detourctl(relay, "plugins", "restart", "auth/friends", code=1)
    finding = examine(relay, "config")["plugin_failed"]
    assert finding["text"].startswith("auth/friends has failed: ")
    keys.write_text("nodekey:" + "ab" * 32 + "\n")
    mend(relay, finding)
    assert "plugin_failed" not in examine(relay, "config")


# ---- files

@pytest.fixture(name="open_folder")
def fixture_open_folder(short_folder):
    """A folder that everyone reaches."""
    if os.geteuid() != 0:
        pytest.skip("files of another user need root")
    short_folder.chmod(0o755)
    return short_folder


def examine_files(folder, keys="", **core):
    """What is found of a configuration in the folder, for the user nobody."""
    config = folder / "detour.conf"
    config.write_text(with_keys(f"[admission]\nchain = friends\n[auth friends]\nplugin = keys\nfile = {keys}\n" if keys
                                else "[admission]\nchain = open\n", "core", **({"state_directory": folder / "state"} | core)))
    return examine(None, f"--config={config}", f"--user={NOBODY}", "files")


def give(path, user=NOBODY):
    """Makes a file somebody's."""
    entry = pwd.getpwnam(user)
    os.chown(path, entry.pw_uid, entry.pw_gid)


def test_state_directory(open_folder):
    finding = examine_files(open_folder)["file_missing"]
    assert finding["command"].startswith(f"install -d -m 0700 -o {NOBODY} -g ")
    mend(None, finding)
    assert is_well(examine_files(open_folder))
    (open_folder / "state").chmod(0o500)
    give(open_folder / "state", "root")
    finding = examine_files(open_folder)["file_closed"]
    assert finding["text"] == f"state directory: user {NOBODY} may not write {open_folder}/state"
    mend(None, finding)
    assert is_well(examine_files(open_folder))


def test_lists_of_keys(open_folder):
    state, folder = open_folder / "state", open_folder / "private"
    state.mkdir()
    give(state)
    folder.mkdir()
    keys = folder / "friends of mine"
    found = examine_files(open_folder, keys)
    assert "the configuration has errors" in found["not_checked"]["text"]
    keys.write_text("")
    keys.chmod(0o600)
    folder.chmod(0o700)
    finding = examine_files(open_folder, keys)["folder_closed"]
    assert finding["text"] == f"[auth friends] file: user {NOBODY} does not reach {keys}, because {folder} is closed to it"
    mend(None, finding)
    finding = examine_files(open_folder, keys)["file_closed"]
    assert finding["text"] == f"[auth friends] file: user {NOBODY} may not read {keys}"
    mend(None, finding)
    assert is_well(examine_files(open_folder, keys))


def test_files_that_are_written(open_folder):
    state = open_folder / "state"
    state.mkdir()
    give(state)
    events = open_folder / "log" / "events"
    found = examine_files(open_folder, events_file=events)
    mend(None, found["file_missing"])
    assert is_well(examine_files(open_folder, events_file=events))
    events.write_text("")
    found = examine_files(open_folder, events_file=events)
    assert found["file_closed"]["text"] == f"[core] events-file: user {NOBODY} may not write {events}"
    mend(None, found["file_closed"])
    assert is_well(examine_files(open_folder, events_file=events))


def test_secrets(open_folder):
    state = open_folder / "state"
    state.mkdir()
    give(state)
    key = state / "server.key"
    run_detourd("--generate-key", key)
    finding = examine_files(open_folder)["file_closed"]
    mend(None, finding)
    assert is_well(examine_files(open_folder))
    key.chmod(0o644)
    finding = examine_files(open_folder)["secret_open"]
    assert "(mode 0644)" in finding["text"]
    mend(None, finding)
    assert is_well(examine_files(open_folder))
    give(key, "daemon")
    key.chmod(0o640)
    os.chown(key, -1, pwd.getpwnam(NOBODY).pw_gid)
    finding = examine_files(open_folder)["secret_foreign"]
    assert finding["command"] == f"chown {NOBODY} {key}"
    mend(None, finding)
    assert is_well(examine_files(open_folder))


def test_a_path_through_a_file(open_folder):
    (open_folder / "file").write_text("no folder")
    finding = examine_files(open_folder, state_directory=open_folder / "file" / "state")["file_unusable"]
    assert finding["text"] == f"state directory: {open_folder}/file: Not a directory"
    assert is_well(examine_files(open_folder, state_directory=open_folder / "state")) is False


def test_files_are_of_another_user(open_folder, tmp_path):
    """Without root's rights it says that it cannot see what it would have to."""
    config = open_folder / "detour.conf"
    config.write_text("[admission]\nchain = open\n")
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", DETOURCTL, "doctor", "files", f"--config={config}",
                           "--user=daemon"], capture_output=True, text=True, check=False, env=commands_environment(None), timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert "only root can see what user daemon may do with files" in " ".join(done.stdout.split())


# ---- ports

@pytest.mark.parametrize("udp", [False, True])
def test_a_port_that_is_taken(make_relay, udp):
    """By a program, which is named, and goes as the remedy has it."""
    relay = make_relay(OPEN, start=False)
    relay.write_config()
    port = relay.ports["stun" if udp else "http"]
    kind = "SOCK_DGRAM" if udp else "SOCK_STREAM"
    code = f"import socket; s = socket.socket(socket.AF_INET, socket.{kind}); s.bind(('127.0.0.1', {port}))\n" \
           + ("" if udp else "s.listen()\n") + "print('bound', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "bound\n"
        finding = examine(None, "--no-vendor", f"--config={relay.config_file}", "ports")["port_taken"]
        assert f"{'UDP' if udp else 'TCP'} {port} ({'service/stun' if udp else 'transport/http'}) is taken by python" in finding["text"]
        # In a unit it would be the unit that is stopped, which a test cannot have.
        assert finding["command"] == f"kill {other.pid}" or finding["command"].startswith("systemctl disable --now ")
        os.kill(other.pid, signal.SIGTERM)
        other.wait(PATIENCE)
    assert "port_taken" not in examine(None, "--no-vendor", f"--config={relay.config_file}", "ports")


def test_a_relay_whose_socket_is_elsewhere(relay):
    """It serves its ports, so nobody is told to start one."""
    found = examine(None, "--no-vendor", f"--config={relay.config_file}", "ports")
    assert found["no_control"]["status"] == "problem" and "DETOUR_SOCKET" in found["no_control"]["remedy"] and "no_daemon" not in found
    assert "no_control" not in examine(relay, "ports")


def test_no_relay_runs(make_relay):
    relay = make_relay(OPEN, start=False)
    relay.write_config()
    found = examine(None, "--no-vendor", f"--config={relay.config_file}", "ports")
    assert found["no_daemon"]["command"] == f"detourd --no-vendor --config {relay.config_file}" and found["port_free"]["status"] == "ok"
    found = examine(None, "--no-vendor", f"--config={relay.config_file}", "login")
    assert found["refused_tcp"]["command"] == f"detourd --no-vendor --config {relay.config_file}"
    relay.start_once()
    assert is_well(examine(relay, "ports")) and is_well(examine(relay, "login"))


def test_a_listener_that_is_gone(relay):
    detourctl(relay, "plugins", "disable", "transport/http")
    finding = examine(relay, "ports")["port_not_served"]
    assert f"TCP {relay.ports['http']} (transport/http) is free" in finding["text"]
    mend(relay, finding)
    assert is_well(examine(relay, "ports"))


def test_a_listener_of_one_family(make_relay):
    """It is tried as the relay would bind it: another program may have the port in the other family."""
    relay = make_relay(with_keys(OPEN, "transport http", listen=":{http}", family="ipv4"), start=False)
    relay.write_config()
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as other:
        other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        other.bind(("::", relay.ports["http"]))
        other.listen()
        found = examine(None, "--no-vendor", f"--config={relay.config_file}", "ports")
    assert "port_taken" not in found and found["port_free"]["status"] == "ok"


def test_a_listener_with_a_name(make_relay):
    """Only the relay looks it up, so nothing is said of its port."""
    relay = make_relay(with_keys(SMALL, "transport http", listen="localhost:{http}"))
    assert "port_not_served" not in examine(relay, "ports")


# ---- login

def test_a_relay_of_known_keys(make_relay):
    """Random keys are not admitted, which is right; with the mesh key the rest is tried, too."""
    relay = make_relay(with_keys(with_keys(EVERYTHING, "core", hostname="127.0.0.1"), "auth nobody", plugin="keys", file="{dir}/none"), {"none": ""},
                       start=False)
    relay.config = with_keys(relay.config, "admission", chain="nobody", refuse_hold="1s")
    relay.start()
    finding = examine(relay, "login")["login_needs_key"]
    assert finding["status"] == "note" and "--mesh-key FILE" in finding["remedy"]
    assert "login_good" in examine(relay, "login", f"--mesh-key={relay.directory}/mesh.key")
    wrong = relay.write_file("wrong.key", "ab" * 32)
    assert "not the relay's" in examine(relay, "login", f"--mesh-key={wrong}")["login_needs_key"]["remedy"]


def test_a_name_that_leads_nowhere(relay):
    relay.reload(with_keys(relay.config, "core", hostname="relay.invalid"))
    found = examine(relay, "login")
    assert "relay.invalid leads nowhere" in found["only_from_here"]["text"] and "login_good" in found


def test_from_outside(relay):
    assert "login_good" in examine(relay, "login")
    found = examine(None, f"--host=127.0.0.1:{relay.ports['https']}", "login")
    assert list(found) == ["login_good"]
    found = examine(None, f"--host=127.0.0.1:{relay.ports['http']}", "login")
    assert "no TLS" in found["no_tls"]["text"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = examine(None, f"--host=127.0.0.1:{silent.getsockname()[1]}", "--timeout=500ms", "login")
        assert "no TLS" in found["no_tls"]["text"]
    found = examine(None, "--host=relay.invalid", "login")
    assert found["not_checked"]["text"].startswith("relay.invalid: ")
