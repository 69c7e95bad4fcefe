"""The service unit: how much it may do, and that it says what the daemon does.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from relay import BUILD, DETOURD, SMALL, Relay

UNIT = BUILD / "data" / "systemd" / "detour.service"
SYSTEMD = pathlib.Path(__file__).resolve().parents[2] / "data" / "systemd"


@pytest.fixture
def analyze():
    """Runs systemd-analyze."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd-analyze")

    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    return run


def copy_of_the_unit(tmp_path):
    """The unit with the daemon of the build tree, which may not be installed."""
    text = UNIT.read_text()
    copy = tmp_path / "detour.service"
    copy.write_text(re.sub(r"^(Exec\w+=)\S*detourd\b", rf"\g<1>{DETOURD}", text, flags=re.M))
    assert copy.read_text() != text
    return copy


def test_exposure(analyze, tmp_path):
    done = analyze("security", "--offline=true", "--threshold=20", copy_of_the_unit(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_understands_all_of_it(analyze, tmp_path):
    done = analyze("verify", "--man=no", copy_of_the_unit(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")


def test_samples_for_socket_activation(analyze, tmp_path):
    copy_of_the_unit(tmp_path)
    shutil.copytree(SYSTEMD.parent / "examples" / "sockets", tmp_path, dirs_exist_ok=True)
    (tmp_path / "detour.service.d").mkdir()
    (tmp_path / "sockets.conf").rename(tmp_path / "detour.service.d" / "sockets.conf")
    done = analyze("verify", "--man=no", *sorted(tmp_path.glob("*.socket")), tmp_path / "detour.service")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_only_privilege_is_binding_low_ports():
    text = UNIT.read_text()
    for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert re.findall(rf"^{key}=(.*)$", text, re.M) == ["CAP_NET_BIND_SERVICE"]
    assert re.search(r"^User=detour$", text, re.M)


def test_exit_status_of_a_bad_configuration_is_the_one_not_tried_again(tmp_path):
    with Relay(tmp_path, SMALL + "\n[nonsense]\n") as relay:
        relay.write_config()
        done = subprocess.run([DETOURD, "--config", relay.config_file], capture_output=True, check=False)
    assert f"\nRestartPreventExitStatus={done.returncode}\n" in UNIT.read_text()


def test_user_and_folders(tmp_path):
    """The files for sysusers.d and tmpfiles.d do what they say, in an empty root."""
    if os.geteuid() != 0 or not shutil.which("systemd-sysusers") or not shutil.which("systemd-tmpfiles"):
        pytest.skip("needs root, systemd-sysusers and systemd-tmpfiles")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    tmpfiles = UNIT.parent / "detour.tmpfiles.conf"
    for command in (["systemd-sysusers", SYSTEMD / "detour.sysusers.conf"], ["systemd-tmpfiles", "--create", tmpfiles]):
        done = subprocess.run([*command, f"--root={root}"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    user = re.search(r"^detour:.*$", (root / "etc/passwd").read_text(), re.M)
    assert user and user[0].endswith(":/var/lib/detour:/usr/sbin/nologin")
    folder = re.search(r"^d +/(\S+/private) ", tmpfiles.read_text(), re.M)
    private = (root / folder[1]).stat()
    assert private.st_mode & 0o777 == 0o750
    # `detourd --check-config` looks whether it can write there before the service first makes it.
    state = re.search(r"^d +/(\S+/lib/detour) ", tmpfiles.read_text(), re.M)
    assert (root / state[1]).stat().st_mode & 0o777 == 0o700
    assert (root / state[1]).stat().st_gid == private.st_gid
    lasting = re.search(r"^ReadWritePaths=-/(.*)$", UNIT.read_text(), re.M)
    assert (root / lasting[1]).stat().st_mode & 0o777 == 0o775
    assert (root / lasting[1]).stat().st_gid == private.st_gid
    groups = (root / "etc/group").read_text()
    assert re.search(rf"^detour:[^:]*:{private.st_gid}:$", groups, re.M)
    readers = re.search(r"^detour-status:[^:]*:(\d+):detour$", groups, re.M)
    assert readers and int(readers[1]) != private.st_gid, "who may read status may write conf.d or read keys"


def test_it_never_gives_up():
    text = UNIT.read_text()
    unit, service = text.split("[Service]")
    assert re.search(r"^StartLimitIntervalSec=0$", unit, re.M)
    assert re.search(r"^Restart=on-failure$", service, re.M)
    assert not re.search(r"^StartLimit", service, re.M)


def test_the_control_socket_may_be_given_to_its_group():
    filters = " ".join(re.findall(r"^SystemCallFilter=([^~].*)$", UNIT.read_text(), re.M)).split()
    assert "@chown" in filters, "the group of the control socket could not be set"


# What starting a program on pipes and talking to an authority over TLS needs, beside what every process does.
OF_THE_HELPER = """clone3 clone vfork execve wait4 kill pipe2 dup2 dup3 close_range fcntl prctl setsid prlimit64 socket connect sendto
recvfrom sendmmsg recvmsg getsockopt setsockopt poll ppoll eventfd2 socketpair getrandom rt_sigaction rt_sigprocmask""".split()


def test_helper_program_may_run(analyze):
    """The program that speaks to a certificate authority is started inside of the service's sandbox."""
    text = UNIT.read_text()
    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", text, re.M):
        words = line.lstrip("~").split()
        calls = {call for word in words for call in system_calls(analyze, word)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    assert set(OF_THE_HELPER) <= allowed, set(OF_THE_HELPER) - allowed
    assert not re.search(r"^(NoExecPaths|RestrictFileSystems|IPAddressDeny|PrivateNetwork|TemporaryFileSystem)=", text, re.M)
    families = re.search(r"^RestrictAddressFamilies=(.*)$", text, re.M)[1].split()
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(families)


def system_calls(analyze, word):
    """The calls of a group, of groups inside of it too; a call itself is one."""
    if not word.startswith("@"):
        return {word}
    done = analyze("syscall-filter", "--no-pager", word)
    assert done.returncode == 0, done.stderr
    names = re.findall(r"^    (?!#)(\S+)", done.stdout, re.M)
    return {call for name in names for call in system_calls(analyze, name)}


def test_threads_may_give_way():
    filters = " ".join(re.findall(r"^SystemCallFilter=([^~].*)$", UNIT.read_text(), re.M)).split()
    assert {"setpriority", "sched_setattr"} <= set(filters), "handshakes would hold up packets"
