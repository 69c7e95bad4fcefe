"""Two machines with the packages, whose relays serve one region: their links outlast what systemd and dpkg do to one of them.
SPDX-License-Identifier: LGPL-2.1-or-later

Each test goes on where the one before ended.
"""

import contextlib
import json
import re
import subprocess

import pytest

from installed import TALKERS, UNIT, install, said, set_up, talkers
from machine import Machine, until

NAMES = ("detour", "detour-curl")
KEY = "/etc/detour/private/mesh.key"
ADDRESSES = "192.0.2.1", "192.0.2.2"
PATIENCE = 60


def namespace(machine):
    """That of its network, as `nsenter` and `ip` want it."""
    return f"/proc/{machine.leader}/ns/net"


def wire(*machines):
    """A cable between them, in which nobody else is."""
    name = "region"
    ends = [["name", name, "netns", str(machine.leader)] for machine in machines]
    subprocess.run(["nsenter", f"--net={namespace(machines[0])}", "ip", "link", "add", *ends[0][:2], "type", "veth", "peer", *ends[1]], check=True)
    for machine, address in zip(machines, ADDRESSES):
        machine.run("ip", "address", "add", f"{address}/24", "dev", name)
        machine.run("ip", "link", "set", name, "up")


@pytest.fixture(name="pair", scope="module")
def _pair(machine):
    """The machine and another one like it, each with a relay that runs and has the other one as a peer, as the guide says."""
    # Temporary files, processes and mounts of the one that runs are not on its disk.
    root = machine.root.with_name(f"{machine.root.name}-beside")
    subprocess.run(["cp", "-a", "-x", "--reflink=auto", machine.root, root], check=True)
    other = Machine(root, machine.log.with_name("log-beside"))
    with contextlib.ExitStack() as stack:
        stack.callback(other.remove)
        other.boot()
        wire(machine, other)
        stack.callback(machine.run, "ip", "link", "delete", "region", check=False)
        both = machine, other
        for here in both:
            install(here, *NAMES)
            stack.callback(here.run, "dpkg", "-P", *reversed(NAMES))
            set_up(here)
            here.shell(f"printf '%064d\\n' 7 > {KEY} && chgrp detour {KEY} && chmod 640 {KEY}")
            here.run("systemctl", "enable", "--now", UNIT)
        pins = [re.search(r"sha256-raw:[0-9a-f]{64}", here.run("detourctl", "derpmap").stdout)[0] for here in both]
        for here, pin, address in zip(both, reversed(pins), reversed(ADDRESSES)):
            here.shell("cat > /etc/detour/conf.d/mesh.conf && chmod 644 /etc/detour/conf.d/mesh.conf",
                       text=f"[service mesh]\nkey-file = {KEY}\n[peer other]\nhost = relay.example.com\naddress = {address}\npin = {pin}\n")
            here.run("systemctl", "reload", UNIT)
        for here in both:
            until(lambda: link(here)["state"] == "up", PATIENCE, "the link is up")  # pylint: disable=cell-var-from-loop
        yield both


def link(here):
    """What the relay says of its peer."""
    return json.loads(here.run("detourctl", "peers", "--json").stdout)["peers"][0]


def links(pair):
    """The connections of the machines with each other, as their kernels know them, and since when each relay has its link."""
    shown = [here.run("ss", "-Htn", "state", "established", "dst", f"{ADDRESSES[0]}/24").stdout for here in pair]
    return [sorted(line.split()[-2:] for line in text.splitlines()) for text in shown], [link(here)["since"] for here in pair]


def between(pair):
    """Two clients that talk, each of which is at another relay."""
    return talkers(pair[0], (*TALKERS, *ADDRESSES))


def test_clients_of_both_talk(pair):
    """Over both links."""
    with between(pair) as end:
        end()
    assert all(link(here)["packets_sent"] > 0 for here in pair)


CHANGES = {
    "restart": lambda here: here.run("systemctl", "restart", UNIT),
    "upgrade": lambda here: here.run("detourctl", "upgrade"),
    "package": lambda here: install(here, *NAMES),
}


@pytest.mark.parametrize("how", CHANGES)
def test_the_links_outlast_another_program(pair, how):
    """Of either machine: the same connections, which nobody had to make again, and every packet comes."""
    until(lambda: [len(ends) for ends in links(pair)[0]] == [2, 2], PATIENCE, "all clients are gone")
    before = links(pair)
    with between(pair) as end:
        for here in pair:
            pid, since = here.unit(UNIT, "MainPID"), said(here)
            CHANGES[how](here)
            assert (here.unit(UNIT, "MainPID") != pid) == (how == "restart")
            until(lambda: " asked to reconnect, paused for " in said(here).removeprefix(since), PATIENCE, "the other program runs")  # pylint: disable=cell-var-from-loop
            until(lambda: link(here)["state"] == "up", PATIENCE, "the link is up")  # pylint: disable=cell-var-from-loop
        end()
    until(lambda: links(pair) == before, PATIENCE, "the links are those of before")


def test_a_relay_that_was_stopped_is_linked_again(pair):
    """The other one says that its peer is away, and is linked when it is back."""
    here, other = pair
    here.run("systemctl", "stop", UNIT)
    until(lambda: link(other)["state"] != "up", PATIENCE, "the link ended")
    assert other.unit(UNIT, "ActiveState") == "active"
    here.run("systemctl", "start", UNIT)
    for each in pair:
        until(lambda: link(each)["state"] == "up", PATIENCE, "the link is up")  # pylint: disable=cell-var-from-loop
    with between(pair) as end:
        end()
