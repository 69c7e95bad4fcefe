"""Upgrades to another program: the next version and back, one without a plugin, one that ends as soon as it may begin.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import shutil
import signal

import pytest

from relay import BUILD, DETOURD, SMALL, without_group
from upgrading import PATIENT, end_all, relay_goes_on, talk_all_ways

NEXT = BUILD / "tests" / "next" / "detourd"
WAYS = ("tls", "http", "tls-export")


def next_program(relay, difference):
    """The next version, which differs in that way; see tests/next/README.md."""
    return relay.program(f"next-{difference}", f'export NEXT_VERSION={difference}\nexec "{NEXT}" "$@"')


def test_to_the_next_version_and_back(upgraded):
    """Twice, while clients talk: what only the newer one knows is left out by the older one."""
    relay = upgraded(PATIENT)
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    for _ in range(2):
        for program, version in ((NEXT, "0.2.0"), (DETOURD, "0.1.0")):
            before = [talk.n_got for talk in talks]
            assert relay.ask("--check", "--binary", program) == f"could upgrade to {version}: 3 clients would be kept, 0 asked to reconnect (TLS 1.2)\n"
            assert relay.ask("--binary", program).startswith(f"upgraded to {version}: 3 clients kept, 0 asked")
            relay_goes_on(talks, before)
    end_all(talks)
    assert re.findall(r"upgraded from (\S+) to (\S+):", relay.log) == [("0.1.0", "0.2.0"), ("0.2.0", "0.1.0")] * 2


# What the older program says to the record of the newer one, which it must not read.
UNREADABLE = {
    "must": "the record has parts that only a newer program knows",
    "session": "a connection could not go on: its record has parts that only a newer program knows",
    "format": "the record has format 2, and this program reads 1",
}


@pytest.mark.parametrize("difference", ["must", "session"])
def test_no_way_back(upgraded, difference):
    """The next version writes what has to be known, so the older one refuses before anything happens to the clients."""
    relay = upgraded(PATIENT)
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    assert relay.ask("--binary", next_program(relay, difference)).startswith("upgraded to 0.2.0: 3 clients kept")
    before = [talk.n_got for talk in talks]
    for option in ("--check", "--timeout=60s"):
        assert UNREADABLE[difference] in relay.ask(option, "--binary", DETOURD, code=1)
    relay_goes_on(talks, before)
    end_all(talks)


def test_another_format_is_refused(upgraded):
    relay = upgraded(PATIENT)
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    said = relay.ask("--binary", next_program(relay, "format"), code=1)
    assert "the record has format 1, and this program reads 2" in said and "all goes on as before" in said, said
    relay_goes_on(talks, [talk.n_got for talk in talks])
    end_all(talks)


def test_a_program_without_a_plugin_that_is_in_use(upgraded):
    """It is built without WebSockets: refused while they are configured, and good enough when they are not."""
    relay = upgraded(PATIENT)
    tree = relay.directory / "tree"
    (tree / "core" / "app").mkdir(parents=True)
    (tree / "plugins").mkdir()
    (tree / "build.ninja").touch()
    shutil.copy(DETOURD, tree / "core" / "app")
    (tree / "core" / "libdetour-core.so").symlink_to(BUILD / "core" / "libdetour-core.so")
    for plugin in (BUILD / "plugins").glob("*.so"):
        if plugin.stem != "transport-websocket":
            (tree / "plugins" / plugin.name).symlink_to(plugin)
    clients = [relay.door(way).client() for way in WAYS]
    talks = talk_all_ways(clients)
    lesser = tree / "core" / "app" / DETOURD.name
    for option in ("--check", "--timeout=60s"):
        said = relay.ask(option, "--binary", lesser, code=1)
        assert '[transport websocket] plugin: no plugin "websocket"' in said, said
    relay_goes_on(talks, [talk.n_got for talk in talks])
    end_all(talks)
    relay.reload(without_group(PATIENT, "transport websocket"))
    assert relay.ask("--binary", lesser).startswith("upgraded to 0.1.0: 3 clients kept")
    clients[0].ping(b"12345678")


# Programs that said they could take over, and then end.
PROMISE = 'case "$*" in *--try-takeover) echo "can take over: 9.9"; exit;; esac\n'
FAITHLESS = {"crashes": ("kill -SEGV $$", -signal.SIGSEGV), "exits": ("exit 3", 3)}


@pytest.mark.parametrize("kind", FAITHLESS)
def test_a_program_that_ends_after_all(upgraded, kind):
    """Its clients hear of it at once, and come back when the relay is started again."""
    relay = upgraded(SMALL)
    clients = [relay.door("http").client() for _ in range(2)]
    script, code = FAITHLESS[kind]
    faithless = relay.program("faithless", PROMISE + script)
    with relay.asked("--binary", faithless):
        relay.wait_end(code)
    for client in clients:
        client.stream.read_to_end()
    relay.start()
    again = [relay.door("http").client(client.secret) for client in clients]
    again[0].send_packet(again[1].key, b"hello")
    again[1].expect_packet(again[0].key, b"hello")


def test_a_program_that_cannot_read_the_record_after_all(upgraded):
    """It begins without clients, who hear of it at once, on the ports that the program before had."""
    relay = upgraded(SMALL)
    client = relay.door("http").client()
    pid = relay.process.pid
    faithless = relay.program("faithless", f'{PROMISE}export NEXT_VERSION=format\nexec "{NEXT}" "$@"')
    since = len(relay.log)
    with relay.asked("--binary", faithless):
        lost = "all clients of the program before are lost: the record has format 1, and this program reads 2"
        relay.wait_log(f"(?s){lost}.*ready:", since)
    client.stream.read_to_end()
    assert relay.process.pid == pid and relay.process.poll() is None
    relay.door("http").client(client.secret).ping(b"12345678")
