"""The configuration file: all its errors at once, and reloads that touch only what changed.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pathlib
import re
import socket
import subprocess

import pytest

from control import ask, detourctl
from derp_client import PATIENCE, Closed, Stream, http_request
from relay import BUILD, EVERYTHING, SMALL, StartFailed, daemon_environment, run_detourd, with_keys, without_group

BAD = """\
# A file with errors.
[core]
hostname = relay.test
state-directory = {dir}/state

[transport https]
lisen = 127.0.0.1:443

[limits]
write-timeout = 2 secs
"""

BAD_FRIENDS = """\
[auth friends]
# an auth plugin that does not exist
plugin = key
"""


def write(tmp_path, text, name="detour.conf"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace("{dir}", str(tmp_path)))
    return path


def complaints(tmp_path, text, *options):
    """Output of --check-config for a file without the vendor's."""
    _, errors = run_detourd("--check-config", "--config", write(tmp_path, text), "--no-vendor", *options, code=78)
    return errors


def test_all_errors_come_in_one_run(tmp_path):
    path = write(tmp_path, BAD)
    friends = write(tmp_path, BAD_FRIENDS, "conf.d/20-friends.conf")
    _, errors = run_detourd("--check-config", "--config", path, code=78)
    assert f'{path}:7: [transport https] lisen: no such key; did you mean "listen"?' in errors
    assert f'{path}:10: [limits] write-timeout: "2 secs" is not a duration; write 2s, 500ms, 10m' in errors
    assert re.search(re.escape(f'{friends}:3: [auth friends] plugin: no plugin "key"; there are ') + ".*keys", errors)
    assert re.search(re.escape(f"{path}: [admission] chain: not set.") + '.*"open"', errors)
    assert "4 errors; the configuration was not used" in errors


def test_the_start_says_the_same_and_ends_with_78(tmp_path):
    path = write(tmp_path, BAD)
    _, errors = run_detourd("--config", path, code=78)
    assert f'{path}:7: [transport https] lisen: no such key' in errors
    assert "3 errors; the configuration was not used" in errors


GOOD = """
[core]
state-directory = {dir}/state
[admission]
chain = open
[transport http]
listen = 127.0.0.1:1
"""


def test_a_good_file(tmp_path):
    run_detourd("--check-config", "--config", write(tmp_path, GOOD), "--no-vendor")


def own_address():
    """The IPv4 address of an interface of this host; nothing is sent. A host without any but loopback has that."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("198.51.100.1", 9))
        except OSError:
            return "127.0.0.1"
        return sock.getsockname()[0]


MISTAKES = {
    "unknown group": ("[limit]\nqueue-packets = 5", r"\[limit\].*limits"),
    "unknown kind": ("[servce stun]", r"\[servce stun\]"),
    "kind without a name": ("[service]", r"\[service\]"),
    "unknown plugin": ("[service nonesuch]", r'\[service nonesuch\].*no plugin "nonesuch"'),
    "unknown key": ("[limits]\nqeue-packets = 5", r'\[limits\] qeue-packets: no such key; did you mean "queue-packets"'),
    "no number": ("[limits]\nqueue-packets = many", r'\[limits\] queue-packets: "many"'),
    "number with comment": ("[limits]\nqueue-packets = 32 # packets", r"\[limits\] queue-packets"),
    "number too large": ("[limits]\nqueue-packets = 99999999999999999999", r"\[limits\] queue-packets"),
    "negative": ("[limits]\nqueue-packets = -1", r"\[limits\] queue-packets"),
    "duration without unit": ("[limits]\nkeep-alive = 60", r'\[limits\] keep-alive: "60" is not a duration'),
    "size with junk": ("[limits]\nqueue-bytes = 2X", r'\[limits\] queue-bytes: "2X"'),
    "no boolean": ("[transport second]\nplugin = http\nlisten = 127.0.0.1:2\nderp = maybe", r'\[transport second\] derp: "maybe"'),
    "no enum word": ("[service stun]\ncompat = all", r'\[service stun\] compat: "all"'),
    "no address": ("[service stun]\nlisten = 127.0.0.1", r"\[service stun\] listen"),
    "port too large": ("[service stun]\nlisten = 127.0.0.1:65536", r"\[service stun\] listen"),
    "unknown chain member": ("[admission]\nchain = friends", r"\[admission\] chain.*friends"),
    "no such certificate": ("[transport second]\nplugin = tls\nlisten = 127.0.0.1:2\ncert = mian\n[cert main]\nplugin = selfsigned",
                            r'\[transport second\] cert: there is no \[cert mian\]; did you mean "main"'),
    "rate file that is not there": ("[limits]\nrate-config-file = /proc/nowhere", r"\[limits\] rate-config-file: .*/proc/nowhere"),
    "relative path": ("[core]\nstate-directory = state", r"\[core\] state-directory"),
    "enabled of what": ("[service stun]\nenabled = perhaps", r'\[service stun\] enabled: "perhaps"'),
    "quotes": ('[core]\nhostname = "relay.example.com"', r'\[core\] hostname: ""relay.example.com"" is in quotes; write the value without'),
    "commas in a list": ("[admission]\nchain = tailscaled, keys", r"\[admission\] chain: .* has a comma; .* separated by \";\""),
    "comment behind a text": ("[core]\nhostname = relay.example.com # mine", r"\[core\] hostname: .* a comment needs a line of its own"),
    "host name with a scheme": ("[core]\nhostname = https://relay.example.com:443/",
                                r"\[core\] hostname: .* more than a name; .*: relay\.example\.com$"),
    "host name with a final dot": ("[core]\nhostname = relay.example.com.", r"\[core\] hostname: .* a dot at the end: relay\.example\.com$"),
    "host name with foreign letters": ("[core]\nhostname = größe.example", r"\[core\] hostname: .*; write xn--gre-6ka8i\.example$"),
    "derper's flag as a key": ("[core]\nverify-clients = true", r"\[core\] verify-clients: no such key; .* \[admission\] chain = tailscaled"),
    "derper's flag with dashes": ("[core]\n-certmode = manual", r'"-certmode" is a flag of derper, .*\[cert main\]'),
    "derper's flag before all groups": ("verify-clients = true", r":1: text before the first \[group\].*\[admission\] chain = tailscaled"),
    "key of another group": ("[limits]\nhostname = relay.example.com", r"\[limits\] hostname: no such key in this group; it belongs into \[core\]"),
    "one TCP address twice": ("[transport second]\nplugin = tls\nlisten = [::]:1",
                              r"\[transport second\] listen: \[::\]:1 is taken already, by 127\.0\.0\.1:1 of \[transport http\] on line \d+ of "),
    "one UDP address twice": ("[service stun]\nlisten = :3479\n[service two]\nplugin = stun\nlisten = 127.0.0.1:3479",
                              r"\[service two\] listen: 127\.0\.0\.1:3479 is taken already, by :3479 of \[service stun\]"),
    "an address twice in a list": ("[service stun]\nlisten = 127.0.0.1:3479;127.0.0.1:3479", r"\[service stun\] listen: 127\.0\.0\.1:3479 is there twice"),
    "forward back to the listener": ("[transport second]\nplugin = tls\nlisten = :2\nforward = x.test=127.0.0.1:2",
                                     r':\d+: \[transport second\] forward: "x\.test=127\.0\.0\.1:2" leads back to this listener; write .* x\.test=own'),
    "forward back by the host's address": (f"[transport second]\nplugin = tls\nlisten = :2\nforward = x.test={own_address()}:2",
                                           r':\d+: \[transport second\] forward: "x\.test=[0-9.]+:2" leads back to this listener'),
    "forward of the relay's name": ("[core]\nhostname = own.test\n[transport second]\nplugin = tls\nlisten = :2\nforward = own.test=127.0.0.1:3",
                                    r':\d+: \[transport second\] forward: "own\.test" is the name of this relay'),
    "chain and key": ("[cert main]\nplugin = file\nchain-file = /proc/nochain\nkey-file = /proc/nokey", r"/proc/nochain: cannot be read.*/proc/nokey: cannot be read"),
    "an authority is asked for no name": ("[cert new]\nplugin = acme", r"\[cert new\] names: not set, and \[core\] hostname neither"),
    "a directory and no name": ("[cert new]\nplugin = file\ndirectory = /proc", r"\[cert new\] names: not set, and \[core\] hostname neither"),
    "not UTF-8": ("[core]\nhostname = \udcff", r"."),
    "no group": ("queue-packets = 5", r"."),
    "no equals sign": ("[limits]\nqueue-packets", r"."),
}


@pytest.mark.parametrize("addition, complaint", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes(tmp_path, addition, complaint):
    text = GOOD
    match = re.match(r"(\[[^]]+\])\n", addition)
    if match and match[1] in text:
        text = text.replace(match[0], addition + "\n", 1)
        if match[1] == "[admission]":
            text = text.replace("chain = open\n", "")
    elif match or addition.startswith("["):
        text += addition + "\n"
    else:
        text = addition + "\n" + text
    path = tmp_path / "detour.conf"
    path.write_bytes(text.replace("{dir}", str(tmp_path)).encode("utf-8", "surrogateescape"))
    _, errors = run_detourd("--check-config", "--config", path, "--no-vendor", code=78)
    assert str(path) in errors
    assert re.search(complaint, errors, re.M), errors


def test_utf_16_is_told(tmp_path):
    path = tmp_path / "detour.conf"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        path.write_bytes(GOOD.lstrip().encode(encoding))
        _, errors = run_detourd("--check-config", "--config", path, "--no-vendor", code=78)
        assert f"{path}: this file is UTF-16; save it as UTF-8, as by: iconv" in errors
        assert "NUL byte" not in errors
        assert "1 error; the configuration was not used" in errors


@pytest.mark.parametrize("name", ["detour.conf", "conf.d/5.conf"])
def test_what_a_file_that_cannot_be_read_would_say_is_not_missed(tmp_path, name):
    """Nothing is called missing or unknown that may be in it; other files that have no form are told of."""
    path = tmp_path / "detour.conf"
    (tmp_path / "conf.d").mkdir()
    path.write_text("[core]\nhostname = relay.test\n[auth friends]\nfile = /f\n[tenant a]\nchain = nobody\n")
    (tmp_path / "conf.d" / "9.conf").write_text("[limits\n")
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    _, errors = run_detourd("--check-config", "--config", path, "--no-vendor", code=78)
    lines = errors.splitlines()
    assert len(lines) == 3 and "9.conf:1: a group has the form" in lines[0], errors
    assert f"{tmp_path / name}: cannot be read: it is a directory" in lines[1] and lines[2].startswith("2 errors"), errors


def check(path, code=0, **environment):
    """What --check-config says, on both streams."""
    done = subprocess.run([BUILD / "core" / "app" / "detourd", "--check-config", "--config", path, "--no-vendor"], capture_output=True,
                          text=True, check=False, timeout=PATIENCE, env=daemon_environment() | {"LC_ALL": "C.UTF-8"} | environment)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_port_that_is_taken_is_told_with_its_owner(tmp_path, make_relay):
    with socket.socket() as taken, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        datagrams.bind(("127.0.0.1", 0))
        tcp, udp = taken.getsockname()[1], datagrams.getsockname()[1]
        path = write(tmp_path, with_keys(with_keys(GOOD, "transport http", listen=f"127.0.0.1:{tcp}"), "service stun", listen=f"127.0.0.1:{udp}"))
        said = check(path, 78)
        owner = rf"Address already in use; \S+ \(process {os.getpid()}\) has the port"
        assert re.search(rf"\[transport http\] listen: 127\.0\.0\.1:{tcp}: {owner}", said), said
        assert re.search(rf"\[service stun\] listen: 127\.0\.0\.1:{udp}: {owner}", said), said
        assert "2 errors" in said
        _, errors = run_detourd("--config", write(tmp_path, with_keys(GOOD, "transport http", listen=f"127.0.0.1:{tcp}")), "--no-vendor", code=1)
        assert re.search(owner, errors), errors


def test_the_ports_of_a_running_relay_are_its_own(make_relay):
    relay = make_relay()
    assert "the configuration is good" in check(relay.config_file)


def test_a_state_directory_that_cannot_be_made(tmp_path):
    file = write(tmp_path, "text", "file")
    said = check(write(tmp_path, GOOD.replace("{dir}/state", f"{file}/state")), 78)
    assert f"[core] state-directory: {file}/state: Not a directory" in said
    said = check(write(tmp_path, GOOD.replace("{dir}/state", str(file))), 78)
    assert f"[core] state-directory: {file} is not a directory" in said
    # No permission keeps root from it, and nobody can make a folder there all the same.
    said = check(write(tmp_path, GOOD.replace("{dir}/state", "/proc/detour/state")), 78 if os.geteuid() == 0 else 0)
    assert "[core] state-directory: /proc/detour/state cannot be made" in said


def test_a_state_directory_that_can_be_made_is_not_made(tmp_path):
    check(write(tmp_path, GOOD))
    assert [path.name for path in tmp_path.iterdir()] == ["detour.conf"]


@pytest.mark.parametrize("cert, listen, more, warned", [
    ("", "192.0.2.1:80", "", True),
    ("", "192.0.2.1:80", "[http acme]\n", False),
    ("", "192.0.2.1:80", "[transport https]\nplugin = tls\nlisten = 192.0.2.1:443\n", False),
    ("", "192.0.2.1:80", "[transport https]\nplugin = tls\nlisten = 192.0.2.1:0\n", True),
    ("dns-hook = /bin/true\n", "192.0.2.1:80", "", False),
    ("challenge = http-01\n", "192.0.2.1:0", "", True),
    ("challenge = tls-alpn-01\n", "192.0.2.1:80", "", False),
    ("assume-port-forwarded = true\n", "192.0.2.1:0", "", True),
    ("assume-port-forwarded = true\n", "192.0.2.1:0", "[transport https]\nplugin = tls\nlisten = 192.0.2.1:0\n", False),
])
def test_a_challenge_that_nobody_answers_is_said(tmp_path, cert, listen, more, warned):
    """With addresses that the host does not have, so that nothing is bound."""
    said = check(write(tmp_path, "[core]\nstate-directory = {dir}/state\n[admission]\nchain = open\n[transport http]\n"
                                 f"listen = {listen}\n[cert main]\nplugin = acme\nnames = relay.test\n{cert}{more}"))
    assert ("[cert main]: http-01 is the only way to prove names here, and no [http acme] is enabled" in said) == warned, said


def test_plugin_path_without_transports(tmp_path):
    said = check(write(tmp_path, "[core]\nstate-directory = {dir}/state\nplugin-path = {dir}\n[admission]\nchain = open\n"), 78)
    assert re.search(r":3: \[core\] plugin-path: no transport is found in .*, so nothing would listen", said), said
    said = check(write(tmp_path, "[core]\nstate-directory = {dir}/state\n[admission]\nchain = open\n"), 78)
    assert "no [transport NAME] is enabled, so nothing would listen" in said


def test_warnings_do_not_refuse_a_file(tmp_path):
    said = check(write(tmp_path, GOOD + "[transport second]\nplugin = tls\nlisten = 127.0.0.1:0\n[auth friends]\nplugin = tailscaled\n"
                                        "[log main]\nplugin = file\npath = {dir}/no/folder/log\n"))
    assert re.search(r":\d+: \[transport second\] cert: no \[cert NAME\] is enabled, so everyone is turned away", said), said
    assert re.search(r":\d+: \[auth friends\]: it decides about nobody, because no chain names it", said), said
    assert re.search(rf":\d+: \[log main\] path: {tmp_path}/no/folder/log cannot be made by user \d+: .*No such file", said), said
    assert "the configuration is good, but see the 4 lines above" in said


SECOND = "[cert main]\nplugin = selfsigned\n[transport second]\nplugin = tls\nlisten = 127.0.0.1:0\n"


@pytest.mark.parametrize("keys, warning", [
    ("forward = x.test=127.0.0.1:1", r'forward: "x\.test=127\.0\.0\.1:1" leads to \[transport http\] of this relay; write'),
    ("forward = x.test=own", r'forward: "x\.test=own": nothing is forwarded'),
    ("forward-proxy-protocol = v2", r'forward-proxy-protocol: "v2" has no effect without forward=NAME=ADDRESS'),
    ("forward-idle = 2m", r'forward-idle: "2m" has no effect without forward='),
    ("forward-connections = 20", r'forward-connections: "20" has no effect without forward='),
    ("unix-mode = 0600", r'unix-mode: "0600" has no effect without listen=unix:/PATH'),
    ("unix-owner = root", r'unix-owner: "root" has no effect without listen=unix:/PATH'),
    ("trusted-proxies = 192.0.2.7", r'trusted-proxies: "192\.0\.2\.7" has no effect without proxy-protocol=require or =accept'),
    ("proxy-protocol = accept\ntrusted-proxies = 0.0.0.0/0", r'trusted-proxies: "0\.0\.0\.0/0" is every address, so everybody may claim'),
    ("proxy-protocol = require\ntrusted-proxies = 192.0.2.7;::/0", r'trusted-proxies: "::/0" is every address, so everybody may claim'),
    ("listen = unix:/nonexistent/x.sock", r"listen: unix:/nonexistent/x\.sock: there is no folder /nonexistent; it has to be there"),
])
def test_keys_of_listeners_that_do_not_do_what_they_say(tmp_path, keys, warning):
    text = GOOD + SECOND
    if keys.startswith("listen"):
        text = text.replace("plugin = tls\nlisten = 127.0.0.1:0\n", "plugin = tls\n")
    path = write(tmp_path, text + keys + "\n")
    said = check(path)
    assert re.search(rf"{path}:\d+: \[transport second\] {warning}", said), said


def test_keys_of_listeners_with_their_company(tmp_path, short_folder):
    said = check(write(tmp_path, GOOD + SECOND.replace("listen = 127.0.0.1:0", f"listen = unix:{short_folder}/x.sock") +
                       "unix-mode = 0600\nproxy-protocol = require\ntrusted-proxies = 192.0.2.7\nforward-proxy-protocol = v1\n"
                       "forward = *.test=127.0.0.1:2;x.test=own\n"))
    assert "[transport second]" not in said


def test_no_file_at_all(tmp_path):
    """The usual file is not there; where it is, on the machine of a developer, there is nothing to see."""
    done = subprocess.run([BUILD / "core" / "app" / "detourd", "--check-config"], capture_output=True, text=True, check=False, timeout=PATIENCE,
                          env=daemon_environment() | {"LC_ALL": "C.UTF-8"})
    path = re.search(r"FILE instead of (\S+)", subprocess.run([BUILD / "core" / "app" / "detourd", "--help"], capture_output=True, text=True,
                                                              check=True, env=daemon_environment() | {"LC_ALL": "C.UTF-8"}).stdout)[1]
    if os.path.exists(path):
        pytest.skip(f"{path} is there")
    assert done.returncode == 78
    assert f"{path}: there is no such file. It needs at least a line [admission] and a line chain = WORD" in done.stderr
    assert "The variable DETOUR_ADMISSION_CHAIN can say it, too." in done.stderr and "detourd --dev" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_check_by_another_user_warns_of_what_it_may_not(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    path = write(tmp_path, with_keys(GOOD, "transport http", listen="127.0.0.1:1"))
    path.chmod(0o644)
    done = subprocess.run([BUILD / "core" / "app" / "detourd", "--check-config", "--config", path, "--no-vendor"], capture_output=True, text=True,
                          check=False, timeout=PATIENCE, env=daemon_environment() | {"LC_ALL": "C.UTF-8"}, user=65534, group=65534, extra_groups=[])
    assert done.returncode == 0, done.stderr
    assert re.search(r"\[core\] state-directory: .* cannot be made by user 65534", done.stderr), done.stderr
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) > 1:
        assert re.search(r"\[transport http\] listen: 127\.0\.0\.1:1: Permission denied; ports below 1024 need a privilege: .*"
                         r"CAP_NET_BIND_SERVICE.*ip_unprivileged_port_start=1 ", done.stderr), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_check_by_root_is_made_as_the_user_of_the_daemon(tmp_path):
    """The user that owns the state directory reads what the daemon would read."""
    state = tmp_path / "own-state"
    state.mkdir()
    os.chown(state, 65534, 65534)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    key = tmp_path / "rates"
    key.write_text("{}")
    path = write(tmp_path, GOOD.replace("{dir}/state", str(state)) + "[limits]\nrate-config-file = {dir}/rates\n")
    path.chmod(0o644)
    key.chmod(0o644)
    assert "checked as user nobody" in check(path, STATE_DIRECTORY=str(state))
    said = check(write(tmp_path, GOOD.replace("{dir}/state", f"{state}/../other/state")), 78, STATE_DIRECTORY=str(state))
    assert re.search(r"\[core\] state-directory: .* cannot be made by user 65534, who may not write ", said), said
    path = write(tmp_path, GOOD.replace("{dir}/state", str(state)) + "[limits]\nrate-config-file = {dir}/rates\n")
    key.chmod(0o600)
    said = check(path, 78, STATE_DIRECTORY=str(state))
    assert re.search(r"\[limits\] rate-config-file: .*rates: cannot be read: Permission denied; this process has user 65534, "
                     r"the file belongs to user 0", said), said


@pytest.mark.parametrize("text", ["", "{", '{"PerClientRateLimitBytesPerSec": -1}', '{"PerClientRateBurstBytes": 1.5}'])
def test_a_rate_file_is_checked_with_the_rest(tmp_path, text):
    (tmp_path / "rate.json").write_text(text)
    errors = complaints(tmp_path, GOOD + "[limits]\nrate-config-file = {dir}/rate.json\n")
    assert f"[limits] rate-config-file: {tmp_path}/rate.json: " in errors


def test_a_broken_plugin_is_told_and_is_no_error_of_the_file(tmp_path):
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    for module in (BUILD / "plugins").glob("*.so"):
        (plugins / module.name).symlink_to(module)
    (plugins / "service-odd.so").write_text("no module")
    path = write(tmp_path, GOOD.replace("[core]\n", "[core]\nplugin-path = {dir}/plugins\n") + "[service odd]\n")
    _, errors = run_detourd("--check-config", "--config", path, "--no-vendor")
    assert f"service/odd will not start: {plugins}/service-odd.so: " in errors


def test_repeated_keys_are_told(tmp_path):
    errors = complaints(tmp_path, GOOD.replace("listen = 127.0.0.1:1", "listen = 127.0.0.1:1\nlisten = 127.0.0.1:2"))
    assert "[transport http] listen" in errors


def test_a_file_that_is_not_there(tmp_path):
    _, errors = run_detourd("--check-config", "--config", tmp_path / "none.conf", "--no-vendor", code=78)
    assert "none.conf" in errors


def test_conf_d_is_read_in_order_of_names(tmp_path):
    path = write(tmp_path, GOOD)
    write(tmp_path, "[limits]\nqueue-packets = 40\n", "conf.d/10-a.conf")
    write(tmp_path, "[limits]\nqueue-packets = 50\n", "conf.d/20-b.conf")
    write(tmp_path, "[limits]\nqueue-packets = 60\n", "conf.d/30-c.conf.off")
    output, _ = run_detourd("--dump-config", "--config", path)
    assert re.search(r"^queue-packets *= *50\b", output, re.M), output


def test_dump_shows_where_values_come_from(tmp_path):
    path = write(tmp_path, GOOD)
    output, _ = run_detourd("--dump-config", "--config", path, "--no-vendor")
    assert "[transport http]" in output
    assert re.search(r"listen *= *127\.0\.0\.1:1", output)
    assert str(path) in output


# ---- starting

def test_an_address_in_use_is_said(make_relay):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        relay = make_relay(with_keys(SMALL, "transport http", listen=f"127.0.0.1:{port}"), start=False)
        relay.write_config()
        with pytest.raises(StartFailed) as failed:
            relay.start_once()
        assert failed.value.code == 1
        assert re.search(rf"\[transport http\] listen: .*127\.0\.0\.1:{port}.*in use", failed.value.log)


def test_a_disabled_instance_does_not_run(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "transport http", enabled="false"))
    relay.expect_refused("http")
    relay.door("tls").client().ping(b"12345678")


def test_a_bad_value_in_a_disabled_instance_is_still_an_error(tmp_path):
    assert "lisen" in complaints(tmp_path, GOOD + "[transport second]\nplugin = http\nenabled = no\nlisten = 127.0.0.1:2\nlisen = x\n")


# ---- reloading

def talk(a, b):
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")


def test_reload_of_the_same_file_changes_nothing(make_relay):
    relay = make_relay()
    a, b = relay.door("tls").client(), relay.door("http").client()
    for _ in range(3):
        relay.reload()
        talk(a, b)
    relay.door("tls").client().ping(b"12345678")


@pytest.mark.parametrize("mistake", ["[limits]\nwrite-timeout = 2 secs\n", "[service nonesuch]\n", "nonsense"])
def test_a_bad_file_leaves_the_old_in_force(make_relay, mistake):
    relay = make_relay()
    good = relay.config
    a, b = relay.door("tls").client(), relay.door("http").client()
    relay.reload(good + mistake, "the configuration was not used")
    talk(a, b)
    talk(relay.door("tls").client(), b)
    relay.reload(good)
    talk(b, a)


# Each kind of file, and the error that it leads to.
FILES = {
    "rate file": ("rates", "limits", {"rate_config_file": "{dir}/rates"}),
    "drop-in": ("conf.d/50-odd.conf", None, {}),
    "mesh key": ("odd.key", "service mesh", {"key_file": "{dir}/odd.key"}),
    "page": ("page.html", "http home", {"page": "file:{dir}/page.html"}),
    "list of keys": ("friends", "auth friends", {"plugin": "keys", "file": "{dir}/friends"}),
    "chain": ("chain", "cert other", {"plugin": "file", "chain_file": "{dir}/chain", "key_file": "{dir}/mesh.key"}),
}


@pytest.mark.parametrize("odd", ["pipe", "device"])
@pytest.mark.parametrize("name, group, keys", FILES.values(), ids=FILES.keys())
def test_what_is_no_file_stops_nothing(make_relay, name, group, keys, odd):
    relay = make_relay()
    a, b = relay.door("tls").client(), relay.door("http").client()
    path = relay.directory / name
    path.parent.mkdir(exist_ok=True)
    if odd == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path.symlink_to("/dev/zero")
    good = relay.config
    log = relay.reload(with_keys(good, group, **keys) if group else good, "the configuration was not used")
    assert str(path) in log, log
    talk(a, b)
    path.unlink()
    relay.reload(good)


@pytest.mark.parametrize("odd", ["pipe", "device"])
@pytest.mark.parametrize("half", ["crt", "key"])
def test_a_self_signed_pair_that_is_no_file_stops_nothing(make_relay, half, odd):
    relay = make_relay()
    relay.stop()
    path = relay.directory / "state" / f"selfsigned-main.{half}"
    path.unlink()
    if odd == "pipe":
        os.mkfifo(path, 0o600)
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(StartFailed) as failed:
        relay.start()
    assert f"{path}: cannot be read: it is a" in failed.value.log


def test_listeners_come_and_go_while_clients_stay(make_relay):
    relay = make_relay()
    old = relay.door("http").client()
    second = with_keys(relay.config, "transport second", plugin="http", listen="127.0.0.1:{second}", redirect="none")
    relay.reload(second)
    new = relay.door("second").client()
    talk(old, new)
    relay.reload(without_group(second, "transport second"))
    relay.expect_refused("second")
    talk(old, new)
    talk(new, old)
    relay.reload(without_group(relay.config, "transport http"))
    relay.expect_refused("http")
    talk(old, new)
    talk(relay.door("tls").client(), old)


def test_a_listener_moves(make_relay):
    relay = make_relay()
    old = relay.door("http").client()
    before = relay.address("http")
    relay.reload(with_keys(relay.config, "transport http", listen="127.0.0.1:{moved}"))
    with pytest.raises(ConnectionRefusedError):
        Stream.connect(before)
    talk(old, relay.door("moved").client())


def test_services_and_pages_come_and_go(make_relay):
    relay = make_relay()
    client = relay.door("tls").client()
    relay.reload(without_group(without_group(relay.config, "service stun"), "http home"))
    assert http_request(relay.door("tls").stream(), "GET", "/").status == 404
    assert "not ready" not in relay.log
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(relay.address("stun"))
    relay.reload(EVERYTHING)
    assert http_request(relay.door("tls").stream(), "GET", "/").status == 200
    client.ping(b"12345678")


def test_a_listener_that_cannot_be_bound_does_not_bother_the_rest(make_relay):
    relay = make_relay()
    client = relay.door("http").client()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        log = relay.reload(with_keys(relay.config, "transport second", plugin="http", listen=f"127.0.0.1:{port}"),
                           "reloaded, but not everything could follow")
        assert re.search(rf"\[transport second\] listen: .*127\.0\.0\.1:{port}.*in use", log)
    client.ping(b"12345678")
    talk(relay.door("http").client(), client)


def test_limits_change_for_clients_that_are_there(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", keep_alive="10m"))
    client = relay.door("tls").client()
    relay.reload(with_keys(relay.config, "limits", login_timeout="1s"))
    greeted = relay.door("http").greeted()
    greeted.expect_closed()
    client.ping(b"12345678")


def test_what_needs_a_restart_is_said(make_relay):
    relay = make_relay()
    log = relay.reload(with_keys(relay.config, "core", workers="2"))
    assert "[core] workers: changed to 2, which counts after a restart of the daemon; 1 is in force" in log
    relay.door("tls").client().ping(b"12345678")
    facts = ask(relay, "config", "explain", "core.workers")["key"]
    assert (facts["value"], facts["waiting"]) == ("1", "2")
    text, _ = detourctl(relay, "config", "explain", "core.workers")
    assert re.search(r"value +1\n", text) and re.search(r"waiting +2\n", text), text
    # The same file again: it still waits.
    assert "[core] workers: changed to 2" in relay.reload()


def test_many_reloads_under_traffic(make_relay):
    relay = make_relay()
    a, b = relay.door("tls").client(), relay.door("http").client()
    with_second = with_keys(relay.config, "transport second", plugin="http", listen="127.0.0.1:{second}")
    without = relay.config
    for n in range(10):
        relay.reload(with_second if n % 2 == 0 else without)
        for _ in range(20):
            talk(a, b)
            talk(b, a)
    with pytest.raises((Closed, ConnectionRefusedError)):
        relay.door("second").client()


def test_a_listener_that_cannot_move_stays(make_relay):
    relay = make_relay()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        relay.reload(with_keys(relay.config, "transport http", listen=f"127.0.0.1:{port}"),
                     "reloaded, but not everything could follow")
    relay.door("http").client().ping(b"12345678")


@pytest.mark.parametrize("text", [
    "[class x]\nquota = much\nover-quota = deny\nquota-day = 3\n",
    "[limits]\nquota = much\nover-quota = deny\n",
    "[class x]\nquota = 1G\nover-quota = slwo\nslow-rate = 64K\n",
    "[class x]\nreceive-rate = fast\nreceive-burst = 1M\n",
    "[derpmap]\nfile = here\nregion = 901\n",
])
def test_a_value_that_is_refused_is_told_once(tmp_path, text):
    said = complaints(tmp_path, GOOD + text)
    assert "no effect" not in said and said.endswith("1 error; the configuration was not used\n"), said


@pytest.mark.parametrize("group, key, meant", [("class x", "rate", "receive-rate"), ("class x", "burst", "receive-burst"),
                                               ("tenant x", "day", "quota-day")])
def test_a_part_of_a_key_points_to_it(tmp_path, group, key, meant):
    said = complaints(tmp_path, GOOD + f"[{group}]\n{key} = 1\n")
    assert f'[{group}] {key}: no such key; did you mean "{meant}"?' in said
