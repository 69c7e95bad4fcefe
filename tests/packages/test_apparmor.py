"""The profile that the package installs: it can be loaded, and it allows what the relay does with files.
SPDX-License-Identifier: LGPL-2.1-or-later

A kernel without AppArmor enforces nothing, so strace watches a relay that does all it can, and what it saw is compared with the rules.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess

import pytest

from apparmor import TRACED, Profile, accesses
from installed import CONFIG, UNIT, install, set_up, talkers
from machine import until

PROFILE = "/etc/apparmor.d/usr.sbin.detourd"
# What stays under the profile of the relay that executes it, and the programs of a hook.
PROGRAMS = r"/usr/sbin/detourd|/usr/bin/detourctl|/usr/libexec/detour/[^/]*|/etc/detour/dns-hook|/usr/bin/touch"
# A program of an operator's own, and the lines that it needs, as the guide says.
HOOK = "#!/bin/sh\ntouch /var/lib/detour/hook-was-called\n"
LOCAL = "/etc/detour/dns-hook rix,\n/{usr/,}bin/{dash,touch} mrix,\n"
# Every plugin that does something with files or programs.
EVERYTHING = """
[core]
events-file = /var/lib/detour/events
[derpmap]
file = /var/lib/detour/map.json
[auth friends]
plugin = keys
file = /etc/detour/friends.keys
[auth tailnet]
plugin = tailscaled
[auth asked]
plugin = url
url = https://127.0.0.1:9/
unavailable = deny
[admission]
chain = friends; tailnet; listed; asked
[service metrics]
[service probe]
[http debug]
[log file]
plugin = file
path = /var/log/detour/relay.log
[log syslog]
[auth listed]
plugin = tailscale-api
url = https://127.0.0.1:9
client-secret-file = /etc/detour/private/mesh.key
client-id = none
[service mesh]
key-file = /etc/detour/private/mesh.key
[peer other]
host = localhost
port = 9
ca-file = /etc/detour/private/ca.pem
[http ace]
[http bootstrap-dns]
names = relay.example.com
[cert authority]
plugin = acme
names = *.other.example.com
dns-hook = /etc/detour/dns-hook
dns-servers = 127.0.0.1:9
ca-file = /etc/detour/private/ca.pem
directory-url = {url}
[cert pair]
plugin = file
chain-file = ${CREDENTIALS_DIRECTORY}/pair.pem
key-file = ${CREDENTIALS_DIRECTORY}/pair.key
"""


@pytest.fixture(name="relay", scope="module")
def _relay(machine):
    """A machine with the packages, and with one certificate of another program."""
    install(machine, "detour", "detour-curl")
    set_up(machine)
    machine.shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=pair.example.com -addext subjectAltName=DNS:pair.example.com"
                  " -keyout /root/pair.key -out /root/pair.pem -days 9 2>&1")
    machine.shell("mkdir -p /run/systemd/system/detour.service.d && printf '[Service]\\nLoadCredential=pair.key:/root/pair.key\\nLoadCredential=pair.pem:/root/pair.pem\\n'"
                  " > /run/systemd/system/detour.service.d/pair.conf && systemctl daemon-reload")
    yield machine
    machine.shell("rm -rf /run/systemd/system/detour.service.d && systemctl daemon-reload")
    machine.run("dpkg", "-P", "detour", "detour-curl")


@contextlib.contextmanager
def authority(relay, folder):
    """One for certificates in the network of the machine; gives its address."""
    program = ["nsenter", "-t", str(relay.leader), "-n", "/usr/bin/python3", pathlib.Path(__file__).with_name("authority.py"), folder]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.communicate()


def test_it_is_installed_and_can_be_loaded(relay):
    """The parser of this release reads it; what a host adds has a file of its own, which updates leave alone."""
    relay.run("apparmor_parser", "--skip-kernel-load", "--skip-cache", PROFILE)
    # By the service alone: root's own `detourd --check-config` has to become another user, and reads files that lie anywhere.
    assert relay.run("apparmor_parser", "--names", PROFILE).stdout.split() == ["detourd"]
    assert re.search(r"^profile detourd flags=\(attach_disconnected\) \{$", relay.run("cat", PROFILE).stdout, re.M)
    assert relay.run("systemctl", "cat", UNIT).stdout.count("AppArmorProfile=-detourd") == 1
    relay.run("test", "-f", "/etc/apparmor.d/local/usr.sbin.detourd")
    conffiles = relay.run("dpkg-query", "-W", "-f", "${Conffiles}", "detour").stdout
    assert PROFILE in conffiles and "local/" not in conffiles


def test_a_process_acts_before_the_call_that_made_it_returns():
    """In the order in which strace writes lines down."""
    lines = ('7 execve("/usr/sbin/detourd", ["detourd"], 0x1 /* 9 vars */) = 0',
             "7 clone(child_stack=NULL, flags=SIGCHLD <unfinished ...>",
             '8 execve("/usr/libexec/detour/detour-acme", ["detour-acme"], 0x1 /* 9 vars */) = 0',
             "7 <... clone resumed>, child_tidptr=0x1) = 90 /* 8 in strace's PID NS */")
    assert ("/usr/libexec/detour/detour-acme", "x") in accesses(lines, PROGRAMS)


def test_it_allows_what_the_relay_does(relay, tmp_path):
    """From the first start on: clients over a restart and an upgrade, a reload, an instance that comes and goes, a record in a zone, a peer, and the stop."""
    relay.shell("cat > /etc/apparmor.d/local/usr.sbin.detourd", text=LOCAL)
    profile = Profile(relay.run("apparmor_parser", "--preprocess", PROFILE).stdout)
    trace = tmp_path / "trace"
    with authority(relay, tmp_path) as url, subprocess.Popen(["strace", "-f", "-y", "-s", "512", "--decode-pids=pidns", "-e", f"trace={TRACED}", "-e", "signal=none", "-o", trace,
                           "-p", str(relay.leader)], stderr=subprocess.PIPE, text=True) as strace:
        until(lambda: os.read(strace.stderr.fileno(), 4096), 30, "strace is attached")
        try:
            relay.run("systemctl", "enable", "--now", UNIT)
            with talkers(relay) as end:
                relay.run("systemctl", "restart", UNIT)
                relay.run("detourctl", "upgrade")
                assert end() > 0
            relay.shell("cat >> /etc/detour/conf.d/everything.conf", text=EVERYTHING.replace("{url}", url))
            relay.shell("cat > /etc/detour/private/ca.pem", text=(tmp_path / "ca.pem").read_text())
            relay.shell("cat > /etc/detour/dns-hook && chmod 755 /etc/detour/dns-hook", text=HOOK)
            relay.shell("printf '%064d\\n' 7 > /etc/detour/private/mesh.key && chgrp detour /etc/detour/private/* && chmod 640 /etc/detour/private/*")
            relay.shell(f"echo 'nodekey:{'ab' * 32}' > /etc/detour/friends.keys && chmod 644 /etc/detour/friends.keys /etc/detour/conf.d/everything.conf")
            relay.run("systemctl", "restart", UNIT)
            relay.run("systemctl", "reload", UNIT)
            relay.run("detourctl", "plugins", "disable", "--persist", "service/stun")
            relay.run("detourctl", "plugins", "enable", "--persist", "service/stun")
            relay.run("detourctl", "ban", "nodekey:" + "cd" * 32)
            relay.run("detourctl", "upgrade")
            relay.run("systemctl", "restart", UNIT)
            until(lambda: "hook-was-called" in trace.read_text(errors="replace"), 60, "the program for the zone was started")
            relay.run("systemctl", "stop", UNIT)
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait(60)
    done = accesses(trace.read_text(errors="replace").splitlines(), PROGRAMS)
    for what in (("/usr/sbin/detourd", "x"), ("/usr/libexec/detour/detour-acme", "x"), ("/etc/detour/dns-hook", "x"), ("/etc/detour/private/mesh.key", "r"), ("/var/lib/detour/server.key", "r"), ("/run/detour/control", "w"), (CONFIG, "r")):
        assert what in done, what
    assert any(re.fullmatch(r".*/plugins/service-stun\.so", path) and letter == "m" for path, letter in done)
    # A folder may have been opened as if it were a file; rules have its path with a slash.
    done = {(f"{path}/" if (relay.root / path[1:]).is_dir() and not path.endswith("/") else path, letter) for path, letter in done}
    refused = sorted(f"{path} {letter}" for path, letter in done if path.startswith("/") and letter not in profile.allowed(path))
    assert not refused, "\n".join(refused)
    # The comparison can fail: what the relay has no business with is not allowed.
    for path, letter in (("/etc/shadow", "r"), ("/etc/detour/detour.conf", "w"), ("/usr/bin/id", "x"), ("/var/lib/dpkg/status", "r"), ("/root/pair.key", "r")):
        assert letter not in profile.allowed(path), path


def test_where_the_kernel_has_it_the_relay_is_confined(relay):
    """The package loads the profile where that can be; elsewhere the relay runs without it."""
    relay.run("systemctl", "start", UNIT)
    told = relay.run("cat", f"/proc/{relay.unit(UNIT, 'MainPID')}/attr/current", check=False)
    if relay.run("aa-enabled", "--quiet", check=False).returncode == 0:
        assert told.stdout.strip() == "detourd (enforce)"
    else:
        assert told.returncode != 0 or "detourd" not in told.stdout
    assert relay.unit(UNIT, "ActiveState") == "active"


def test_root_checks_a_file_wherever_it_lies(relay):
    """As the user of the relay, so that what only root may read is found."""
    relay.shell("cp /etc/detour/detour.conf /srv/other.conf && chmod 644 /srv/other.conf")
    assert "cannot check as user" not in relay.run("detourd", "--check-config", "--config=/srv/other.conf").stderr
    relay.run("rm", "/srv/other.conf")
