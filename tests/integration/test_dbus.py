"""The relay on D-Bus, by the tools that systems have: peer to peer and on a bus that comes, goes and comes back.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ast
import os
import pathlib
import re
import signal
import shutil
import subprocess
import time
import xml.etree.ElementTree

import pytest

from control import ask, detourctl
from message_bus import NAME, ROOT, Bus, Monitor, busctl, gdbus, is_there, number, python_value
from namespaces import apart
from relay import EVERYTHING, SMALL, wait_until, with_keys

DATA = pathlib.Path(__file__).resolve().parents[2] / "data"

pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("dbus-daemon", "gdbus", "busctl"))),
                                reason="dbus-daemon, gdbus or busctl is missing")


@pytest.fixture
def make_bus(monkeypatch):
    """Makes buses; what is started afterwards finds the last one."""
    buses = []

    def make(kind="session", policy_file=None, start=True):
        bus = Bus(kind, policy_file)
        buses.append(bus)
        monkeypatch.setenv(f"DBUS_{kind.upper()}_BUS_ADDRESS", bus.address)
        return bus.start() if start else bus

    yield make
    for bus in buses:
        bus.stop()
        shutil.rmtree(bus.folder)


@pytest.fixture
def monitor():
    """Starts monitors, and stops them."""
    monitors = []

    def start(address):
        monitors.append(Monitor(address))
        return monitors[-1]

    yield start
    for started in monitors:
        started.stop()


def on_session_bus(config=EVERYTHING, **keys):
    """A configuration for the bus of the test."""
    return with_keys(config, "core", dbus="session", **keys)


def peer(relay):
    """Address of a relay's control socket."""
    return f"unix:path={relay.run_directory}/control"


# ---- two ways in, one answer

def test_both_ways_give_the_same(make_bus, make_relay):
    bus = make_bus()
    relay = make_relay(on_session_bus())
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    clients = [relay.door().client() for _ in range(3)]
    for address in (bus.address, peer(relay)):
        assert number(address, "ClientCount") == 3
        assert busctl(address, "get-property", NAME, ROOT, f"{NAME}.Manager", "Hostname") == 's "relay.test"\n'
        listing = busctl(address, "call", NAME, ROOT, f"{NAME}.Manager", "ListClients", "a{sv}", "1", "limit", "u", "20")
        assert listing.startswith("aa{sv}s 3 ") and all(client.key.hex() in listing for client in clients)
        state = busctl(address, "get-property", NAME, f"{ROOT}/plugin/service_stun", f"{NAME}.Plugin", "State")
        assert state == 's "running"\n'
    assert detourctl(None, "--bus", "session", "clients", DBUS_SESSION_BUS_ADDRESS=bus.address)[0].count("\n") == 4
    objects = gdbus(bus.address, "", "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
    for path in ("plugin/service_stun", "plugin/transport_https", "listener/transport_https", "listener/service_stun",
                 "certificate/cert_main"):
        assert f"'{ROOT}/{path}'" in objects
    for client in clients:
        client.ping(b"12345678")


def test_switching_over_the_bus(make_bus, make_relay):
    bus = make_bus()
    relay = make_relay(on_session_bus())
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    stun = (NAME, f"{ROOT}/plugin/service_stun", f"{NAME}.Plugin")
    busctl(bus.address, "call", *stun, "Disable", "b", "false")
    assert busctl(bus.address, "get-property", *stun, "State") == 's "stopped"\n'
    assert f"'{ROOT}/listener/service_stun'" not in gdbus(bus.address, "", "org.freedesktop.DBus.ObjectManager.GetManagedObjects")
    busctl(bus.address, "call", *stun, "Enable", "b", "false")
    busctl(bus.address, "call", *stun, "Restart")
    assert busctl(bus.address, "get-property", *stun, "State") == 's "running"\n'
    assert relay.log.count("service/stun: disabled by the operator") == 1


def test_names_that_are_no_paths(make_relay):
    config = EVERYTHING + "\n[http home-2.old]\nplugin = captive\nenabled = false\n"
    relay = make_relay(config)
    state = busctl(peer(relay), "get-property", NAME, f"{ROOT}/plugin/http_home_2d2_2eold", f"{NAME}.Plugin", "Id")
    assert state == 's "http/home-2.old"\n'


def described(node):
    """Interfaces, methods, signals and properties of an introspection document."""
    parts = set()
    for interface in node.iter("interface"):
        for member in interface:
            arguments = tuple((argument.get("name"), argument.get("type"), argument.get("direction", "out"))
                              for argument in member.iter("arg"))
            if member.tag != "annotation":
                parts.add((interface.get("name"), member.tag, member.get("name"), member.get("type"), arguments))
    return parts


def test_what_is_served_is_what_is_described(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "peer other", host="other.test:1", address="127.0.0.1"))
    written = described(xml.etree.ElementTree.parse(DATA / f"{NAME}.xml").getroot())
    served = set()
    for path in ("", "/plugin/service_stun", "/listener/transport_https", "/certificate/cert_main", "/peer/other"):
        document, = ast.literal_eval(gdbus(peer(relay), path, "org.freedesktop.DBus.Introspectable.Introspect"))
        here = described(xml.etree.ElementTree.fromstring(document))
        for interface in {part[0] for part in here if part[1] == "property"}:
            values, = python_value(gdbus(peer(relay), path, "org.freedesktop.DBus.Properties.GetAll", interface))
            assert set(values) == {part[2] for part in here if part[:2] == (interface, "property")}
        served |= here
    standard = {part for part in served if re.fullmatch(r"org\.freedesktop\.DBus\.(Peer|Properties|Introspectable)", part[0])}
    assert served - standard == written


def test_drops_have_their_reasons(make_relay):
    relay = make_relay()
    client = relay.door().client()
    for _ in range(3):
        client.send_packet(bytes([7] * 32), b"to nobody")
    client.ping(b"12345678")

    def reasons():
        said, = python_value(gdbus(peer(relay), "", "org.freedesktop.DBus.Properties.Get", f"{NAME}.Manager", "DropReasons"))
        return said

    wait_until(lambda: reasons().get("unknown_dest") == 3, "three packets to nobody")
    assert number(peer(relay), "PacketsDropped") == sum(reasons().values()) == 3


def test_errors_have_names(make_relay):
    relay = make_relay()
    for name, path, method, *arguments in (
            ("NoSuchClient", "", ".Manager.GetClient", "nodekey:" + "00" * 32),
            ("BadArgument", "", ".Manager.GetClient", "nodekey"),
            ("BadArgument", "", ".Manager.ListClients", "{'limit': <uint32 0>}"),
            ("BadArgument", "", ".Manager.ListClients", "{'limit': <uint32 1001>}"),
            ("BadArgument", "", ".Manager.ListClients", "{'limit': <'many'>}"),
            ("BadArgument", "", ".Manager.ListClients", "{'sort': <'beauty'>}"),
            ("BadArgument", "", ".Manager.ListClients", "{'nonsense': <true>}"),
            ("BadArgument", "", ".Manager.ListClients", "{'after': <'yesterday'>}"),
            ("Expired", "", ".Manager.ListClients", "{'after': <'77:5'>}"),
            ("BadArgument", "", ".Manager.FindClients", "{'after': <'77:5'>}"),
            ("BadArgument", "", ".Manager.FindClients", "{'first': <uint32 1>, 'sort': <'beauty'>}"),
            ("BadArgument", "", ".Manager.FindClients", "{'search': <true>}"),
            ("NoSuchKey", "", ".Manager.ExplainKey", "limits.nothing"),
            ("BadArgument", "", ".Manager.SetLogLevel", "loud")):
        assert f"{NAME}.Error.{name}:" in gdbus(peer(relay), path, method, *arguments, code=1), arguments
    assert "UnknownMethod" in gdbus(peer(relay), "/plugin/service_nothing", ".Plugin.Restart", code=1)
    assert "UnknownMethod" in gdbus(peer(relay), "", ".Manager.Explode", code=1)


# ---- lists

def test_a_list_is_of_one_moment_whatever_happens_meanwhile(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "core", workers="3"))
    door = relay.door()
    clients = [door.client() for _ in range(25)]
    seen, after, pages = [], "", 0
    while True:
        options = f"{{'limit': <uint32 7>, 'sort': <'traffic'>, 'after': <'{after}'>}}"
        rows, after = python_value(gdbus(peer(relay), "", ".Manager.ListClients", options))
        assert len(rows) == (7 if after else 4)
        seen += [row["key"] for row in rows]
        pages += 1
        if not after:
            break
        clients.append(door.client())
        clients[0].send_packet(clients[pages].key, bytes(1000 * pages))
        clients.pop(10).close()
    assert pages == 4 and len(set(seen)) == 25
    rows, _ = python_value(gdbus(peer(relay), "", ".Manager.ListClients", "{'limit': <uint32 100>}"))
    assert {row["worker"] for row in rows} == {0, 1, 2}


def test_pages_of_a_search(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "core", workers="3"))
    door = relay.door()
    clients = [door.client(AppName=f"Probe {n}" if n < 4 else f"other-{n}") for n in range(9)]

    def find(**options):
        words = ", ".join(f"'{name}': <{value}>" for name, value in options.items())
        rows, total = python_value(gdbus(peer(relay), "", ".Manager.FindClients", "{" + words + "}"))
        return [row["app"] for row in rows], total

    assert find(search="'pROBE'", sort="'key'")[1] == 4
    keys = sorted((client.key.hex(), n) for n, client in enumerate(clients) if n < 4)
    by_key = [f"Probe {n}" for _, n in keys]
    assert find(search="'probe'", sort="'key'", first="uint32 1", limit="uint32 2") == (by_key[1:3], 4)
    assert find(search="'probe'", sort="'key'", first="uint32 3", reverse="true") == (by_key[:1], 4)
    assert find(first="uint32 100") == ([], 9) and find(search="''")[1] == 9 and find(search="'no such thing'") == ([], 0)
    assert find(search=f"'{clients[8].key.hex()[10:40]}'") == (["other-8"], 1)
    assert find(search="'127.0.0.1:'")[1] == 9


def test_lists_that_nobody_reads_on_are_not_kept_for_ever(make_relay):
    relay = make_relay()
    door = relay.door()
    clients = [door.client() for _ in range(3)]
    tokens = [python_value(gdbus(peer(relay), "", ".Manager.ListClients", "{'limit': <uint32 1>}"))[1] for _ in range(6)]
    answers = [gdbus(peer(relay), "", ".Manager.ListClients", f"{{'after': <'{token}'>}}", code=n < 2)
               for n, token in enumerate(tokens)]
    assert all("Error.Expired" in answer for answer in answers[:2])
    assert all(len(python_value(answer)[0]) == 2 for answer in answers[2:])
    assert "Error.Expired" in gdbus(peer(relay), "", ".Manager.ListClients", f"{{'after': <'{tokens[-1]}'>}}", code=1)
    assert len(clients) == 3


# ---- signals

def test_changes_are_told_at_most_once_a_second(make_bus, make_relay, monitor):
    bus = make_bus()
    relay = make_relay(on_session_bus())
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    signals = monitor(bus.address)
    door = relay.door()
    a, b = door.client(), door.client()
    begin = time.monotonic()
    for _ in range(10):
        detourctl(relay, "plugins", "disable", "service/stun")
        detourctl(relay, "plugins", "enable", "service/stun")
        a.send_packet(b.key, b"hello")
    detourctl(relay, "plugins", "disable", "service/stun")
    signals.wait(r"plugin/service_stun: .*PropertiesChanged .*'State': <'stopped'>")
    signals.wait(r"InterfacesRemoved \(objectpath '.*/listener/service_stun'")
    passed = time.monotonic() - begin
    lines = re.findall(r"plugin/service_stun: .*PropertiesChanged .*", signals.text)
    assert len(lines) <= passed + 2
    assert "Count" not in signals.text and "Packets" not in signals.text and "Summary" not in signals.text
    detourctl(relay, "plugins", "enable", "service/stun")
    signals.wait(r"InterfacesAdded \(objectpath '.*/listener/service_stun'")
    detourctl(relay, "log-level", "debug")
    signals.wait(r"Detour1: .*PropertiesChanged .*'LogLevel': <'debug'>")


def test_peers_hear_of_changes_too_and_do_not_keep_the_daemon(make_relay, monitor):
    relay = make_relay()
    signals = [monitor(peer(relay)) for _ in range(3)]
    detourctl(relay, "plugins", "disable", "service/stun")
    for one in signals:
        one.wait(r"plugin/service_stun: .*PropertiesChanged .*'State': <'stopped'>")
    relay.stop()


def test_reloads_bring_and_take_objects(make_bus, make_relay, monitor):
    bus = make_bus()
    relay = make_relay(on_session_bus())
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    signals = monitor(bus.address)
    relay.reload(on_session_bus() + "\n[cert other]\nplugin = selfsigned\nnames = other.test\n")
    signals.wait(r"InterfacesAdded \(objectpath '.*/plugin/cert_other'")
    signals.wait(r"InterfacesAdded \(objectpath '.*/certificate/cert_other', .*'other.test'")
    relay.reload(on_session_bus())
    signals.wait(r"InterfacesRemoved \(objectpath '.*/plugin/cert_other'")
    signals.wait(r"InterfacesRemoved \(objectpath '.*/certificate/cert_other'")
    relay.reload(with_keys(on_session_bus(), "admission", dry_run="true"))
    signals.wait(r"'AdmissionSummary': <\{.*'dry_run': <true>")


# ---- a bus that is not there

def test_a_bus_that_comes_late_and_goes_and_comes_back(make_bus, make_relay):
    bus = make_bus(start=False)
    relay = make_relay(on_session_bus())
    relay.wait_log("warning detour: not on the session bus")
    door = relay.door()
    client = door.client()
    client.ping(b"12345678")
    for _ in range(2):
        bus.start()
        wait_until(lambda: is_there(bus.address), "the name on the bus")
        assert number(bus.address, "ClientCount") == 1
        bus.stop()
        client.ping(b"12345678")
        assert ask(relay)["client_count"] == 1
        door.client().close()
        wait_until(lambda: ask(relay)["client_count"] == 1, "the client to go")
    # Once at first, and each time the bus went: that it closed, that nobody answers, that its socket is gone.
    assert len(re.findall("warning .*not on the session bus", relay.log)) <= 7


def test_no_bus_at_all_is_not_worth_a_warning(make_bus, make_relay):
    make_bus("system", start=False)
    relay = make_relay(with_keys(SMALL, "core", dbus="auto"))
    relay.wait_log("info detour: not on the system bus")
    assert not re.search("warning .*bus", relay.log)
    relay.door().client().ping(b"12345678")
    assert ask(relay)["ready"] is True


def test_without_a_bus_on_purpose(make_bus, make_relay):
    bus = make_bus("system")
    relay = make_relay(with_keys(SMALL, "core", dbus="none"))
    assert ask(relay)["ready"] is True
    assert NAME not in busctl(bus.address, "list", "--no-legend")


def test_the_second_of_two_takes_over_when_the_first_ends(make_bus, make_relay):
    bus = make_bus()
    first = make_relay(on_session_bus(SMALL, hostname="first.test"))
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    second = make_relay(on_session_bus(SMALL, hostname="second.test"))
    second.wait_log("message detour: not called .*: another process is")
    host = (NAME, ROOT, f"{NAME}.Manager", "Hostname")
    assert busctl(bus.address, "get-property", *host) == 's "first.test"\n'
    first.stop()
    wait_until(lambda: is_there(bus.address) and busctl(bus.address, "get-property", *host) == 's "second.test"\n', "the other one")


def test_nobody_on_the_bus(make_bus):
    bus = make_bus()
    _, errors = detourctl(None, "--bus=session", code=3, DBUS_SESSION_BUS_ADDRESS=bus.address)
    assert NAME in errors and "Start it with: " in errors


# ---- the policy of the system bus

def test_the_policy_lets_root_call_and_others_look_at_the_menu(make_bus, make_relay):
    if os.getuid() != 0:
        pytest.skip("only root can try it as somebody else")
    bus = make_bus("system", DATA / f"{NAME}.conf")
    relay = make_relay(with_keys(SMALL, "core", dbus="auto"))
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    assert relay.log.count("on the system bus as") == 1
    gdbus(bus.address, "", ".Manager.SetLogLevel", "info")
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    assert "ListClients" in gdbus(bus.address, "", "org.freedesktop.DBus.Introspectable.Introspect", **nobody)
    for method, *arguments in ((".Manager.ListClients", "{}"), (".Manager.Reload",),
                               ("org.freedesktop.DBus.Properties.GetAll", f"{NAME}.Manager")):
        assert "NotAllowed" in gdbus(bus.address, "", method, *arguments, code=1, **nobody)


def test_a_policy_that_comes_later_gives_the_name(make_bus, make_relay, tmp_path):
    policy = tmp_path / "policy.conf"
    policy.write_text("<busconfig></busconfig>")
    bus = make_bus("system", policy)
    relay = make_relay(with_keys(SMALL, "core", dbus="system"))
    relay.wait_log("warning detour: not called .* on the system bus, which is asked again: the policy of the bus")
    policy.write_text((DATA / f"{NAME}.conf").read_text())
    bus.process.send_signal(signal.SIGHUP)
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    assert relay.log.count("not called") == 1


@pytest.mark.parametrize("kind", ["auto", "system"])
def test_a_bus_that_refuses_is_worth_a_warning(make_bus, make_relay, tmp_path, kind):
    policy = tmp_path / "policy.conf"
    policy.write_text('<busconfig><limit name="max_connections_per_user">0</limit></busconfig>')
    bus = make_bus("system", policy)
    relay = make_relay(with_keys(SMALL, "core", dbus=kind))
    relay.wait_log("warning detour: the system bus refuses this process and is tried again")
    policy.write_text((DATA / f"{NAME}.conf").read_text())
    bus.stop()
    bus.start()
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    assert relay.log.count("refuses this process") == 1


READING = (("", ".Manager.ListClients", "{}"), ("", ".Manager.ListLog", "{}"), ("", ".Manager.Subscribe"),
           ("", "org.freedesktop.DBus.Properties.GetAll", f"{NAME}.Manager"),
           ("/plugin/log_stderr", "org.freedesktop.DBus.Properties.Get", f"{NAME}.Plugin", "State"),
           ("", "org.freedesktop.DBus.ObjectManager.GetManagedObjects"))
CHANGING = (("", ".Manager.SetLogLevel", "debug"), ("", ".Manager.Reload"), ("", ".Manager.Say", "hello"),
            ("/plugin/log_stderr", ".Plugin.Restart"))


def as_user(number, *groups):
    """Options for a program of somebody else."""
    return {"user": number, "group": 65534, "extra_groups": list(groups)}


def policy_with_polkit(folder):
    """A file with the policies of both."""
    parts = [re.search(r"<busconfig>(.*)</busconfig>", path.read_text(), re.S)[1]
             for path in (DATA / f"{NAME}.conf", pathlib.Path("/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf"))]
    both = folder / "policy.conf"
    both.write_text(f"<busconfig>{''.join(parts)}</busconfig>")
    return both


def test_the_group_may_read_on_the_bus(make_bus, make_relay):
    if os.getuid() != 0:
        pytest.skip("only root can try it as somebody else")
    bus = make_bus("system", DATA / f"{NAME}.conf")
    make_relay(with_keys(SMALL, "core", dbus="system", control_group="adm"))
    wait_until(lambda: is_there(bus.address), "the name on the bus")
    for path, *call in READING:
        gdbus(bus.address, path, *call, **as_user(65534, 4))
        assert "there is no polkit on this host" in gdbus(bus.address, path, *call, code=1, **as_user(65534))
    for path, *call in CHANGING:
        assert "NotAllowed" in gdbus(bus.address, path, *call, code=1, **as_user(65534, 4))


RULES = """polkit.addRule(function (action, subject) {
  if (subject.user == "nobody" && action.id == "io.github.detourd.Detour1.read")
    return polkit.Result.YES;
  if (subject.user == "daemon" && action.id.indexOf("io.github.detourd.Detour1.") == 0)
    return polkit.Result.YES;
  if (subject.user == "sys")
    return polkit.Result.NO;
});
"""


def test_polkit_is_asked(make_bus, make_relay, tmp_path):
    """A polkitd of the test's own: with our actions, and rules for three users."""
    if os.getuid() != 0:
        pytest.skip("only root can try it as somebody else")
    bus = make_bus("system", policy_with_polkit(tmp_path))
    relay = make_relay(with_keys(SMALL, "core", dbus="system"))
    wait_until(lambda: is_there(bus.address), "the name on the bus")

    def start():
        for place, name, text in (("/usr/share/polkit-1/actions", f"{NAME}.policy", (DATA / f"{NAME}.policy").read_text()),
                                  ("/etc/polkit-1/rules.d", "50-test.rules", RULES)):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", place], check=True)
            pathlib.Path(place, name).write_text(text)
            pathlib.Path(place, name).chmod(0o644)
        return subprocess.Popen(["/usr/lib/polkit-1/polkitd", "--no-debug"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    polkitd = apart(start, mounts=True)
    try:
        wait_until(lambda: "org.freedesktop.PolicyKit1 " in busctl(bus.address, "list", "--acquired"), "polkit on the bus")
        reader, operator, stranger, refused = (as_user(number) for number in (65534, 1, 2, 3))
        for path, *call in READING:
            gdbus(bus.address, path, *call, **reader)
            gdbus(bus.address, path, *call, **operator)
            assert "polkit wants you to prove who you are" in gdbus(bus.address, path, *call, code=1, **stranger)
            assert "polkit does not allow it" in gdbus(bus.address, path, *call, code=1, **refused)
        for path, *call in CHANGING:
            assert "NotAllowed" in gdbus(bus.address, path, *call, code=1, **reader)
            assert "NotAllowed" in gdbus(bus.address, path, *call, code=1, **stranger)
            gdbus(bus.address, path, *call, **operator)
        assert relay.log.count("log level: debug") == 1
        # One that hangs keeps nobody else waiting.
        polkitd.send_signal(signal.SIGSTOP)
        waiting = subprocess.Popen(["gdbus", "call", "--address", bus.address, "--dest", NAME, "--object-path", ROOT,
                                    "--method", f"{NAME}.Manager.ListClients", "{}"], stderr=subprocess.PIPE, text=True, **stranger)
        gdbus(bus.address, "", ".Manager.ListClients", "{}")
        assert "polkit does not answer" in waiting.communicate(timeout=60)[1]
    finally:
        polkitd.kill()
        polkitd.wait()


def test_the_actions_are_those_that_are_asked_for():
    actions = {node.get("id") for node in xml.etree.ElementTree.parse(DATA / f"{NAME}.policy").iter("action")}
    source = (pathlib.Path(__file__).resolve().parents[2] / "core" / "control" / "detour-bus-rights.c").read_text()
    assert actions == {NAME + name for name in re.findall(r'DETOUR_BUS_NAME "(\.\w+)"', source)}


def test_the_bus_starts_what_is_enabled():
    """The name of the file, of the service in it, and the alias of the unit belong together."""
    service = (DATA / f"{NAME}.service").read_text()
    assert f"Name={NAME}\n" in service and f"SystemdService=dbus-{NAME}.service\n" in service
    assert f"Alias=dbus-{NAME}.service\n" in (DATA / "systemd" / "detour.service.in").read_text().split("[Install]")[1]
