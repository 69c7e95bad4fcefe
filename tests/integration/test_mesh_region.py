"""Relays of one region, each a process of its own: who is told of whom, what ends and comes back, what is slow and what is many.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import collections
import contextlib
import os
import subprocess
import time

import pytest
from conftest import relays_of_a_test
from derp_client import PATIENCE, Frame, Timeout
from lines import Place, meanwhile, open_port, run, sending
from meshing import Node, hears_nothing, links_to, reach_each_other, reaches, reaches_nothing
from relay import BUILD, wait_until

BENCH = BUILD / "tests" / "bench" / "bench"
NAMES = ("north", "south", "west")


@pytest.fixture(name="nodes")
def fixture_nodes(tmp_path):
    """Makes nodes, not started yet."""
    with relays_of_a_test(Node, tmp_path) as make:
        yield lambda n, **options: [make(name, start=False, **options) for name in NAMES[:n]]


@pytest.fixture(name="region")
def fixture_region(nodes):
    """Starts a region of so many, in which all know all, as one list that is the same for each of them."""
    def start(n, **options):
        region = nodes(n, **options)
        for node in region:
            node.knows(*region).start_once()
        return region
    return start


def test_all_have_the_same_list_of_peers_and_reach_each_other(region):
    """A node finds itself in the list, and leaves it alone."""
    three = region(3)
    reach_each_other(*(node.client() for node in three))
    wait_until(lambda: [len(ports) for ports in links_to(*three)] == [2, 2, 2], "one link from each to each other")


def test_a_packet_is_forwarded_once_and_not_again(nodes):
    north, south, west = nodes(3)
    north.knows(south).start_once()
    south.knows(north, west).start_once()
    west.knows(south).start_once()
    a, b, c = north.client(), south.client(), west.client()
    for near, far in ((a, b), (b, a), (b, c), (c, b)):
        reaches(near, far)
    reaches_nothing(a, c)
    reaches_nothing(c, a)


def test_a_node_with_another_mesh_key_gains_nothing(region, nodes):
    north, south = region(2)
    a, b = north.client(), south.client()
    reach_each_other(a, b)
    stranger = nodes(3)[2]
    stranger.write_file("mesh.key", "ab" * 32)
    stranger.knows(north, south).start_once()
    north.knows(south, stranger)
    north.reload()
    c = stranger.client()
    for node in (stranger, north):
        node.wait_log("mesh key|refused|not take", timeout=PATIENCE)
    for near, far in ((a, c), (b, c), (c, a), (c, b)):
        reaches_nothing(near, far)
    reach_each_other(a, b)


def test_peers_come_and_go_by_reload_and_the_others_keep_their_links(nodes):
    north, south, west = nodes(3)
    north.knows(south).start_once()
    south.knows(north).start_once()
    west.knows(north, south).start_once()
    a, b, c = north.client(), south.client(), west.client()
    reach_each_other(a, b)
    kept = links_to(south)[0]
    assert len(kept) >= 1
    north.knows(south, west)
    north.reload()
    south.knows(north, west)
    south.reload()
    reach_each_other(a, b, c)
    assert set(kept) <= set(links_to(south)[0])
    north.knows(south)
    north.reload()
    wait_until(lambda: len(links_to(west)[0]) == 1, "one link to the west")
    # Its clients are gone for those here that had packets from them.
    a.expect_gone(c.key, 0)
    reaches_nothing(a, c)
    reaches(c, a)
    reach_each_other(a, b)
    assert set(kept) <= set(links_to(south)[0])


def test_a_node_that_is_upgraded_keeps_its_links(nodes):
    three = nodes(3)
    for node in three:
        node.install()
        node.knows(*three).start_once()
    clients = [node.client() for node in three]
    reach_each_other(*clients)
    wait_until(lambda: [len(ports) for ports in links_to(*three)] == [2, 2, 2], "one link from each to each other")
    before = links_to(*three)
    for node in three:
        node.upgrade()
        # Both ways, and at once: nothing had to be told again.
        for a in clients:
            for b in clients:
                if a is not b:
                    a.send_packet(b.key, b"behind the upgrade")
                    b.expect_packet(a.key, b"behind the upgrade")
        # It dials itself once, as it is in its own list.
        wait_until(lambda: links_to(*three) == before, "the links that there were, and no others")
    clients[0].close()
    for other in clients[1:]:
        other.expect_gone(clients[0].key, 0)


def test_five_thousand_clients_at_once_flood_no_link(region):
    north, south = region(2, workers=2)
    a, b = north.client(), south.client()
    reach_each_other(a, b)
    before = links_to(north, south)
    with subprocess.Popen([BENCH, "idle", "--url", f"http://127.0.0.1:{north.ports['http']}", "--clients", "5000", "--hold", "600"],
                          stdout=subprocess.DEVNULL) as crowd:
        try:
            wait_until(lambda: has_clients(north, 5000), "all of them are there", 4 * PATIENCE)
            # The last one to come is told of behind all others.
            last = north.client()
            reach_each_other(last, b)
            assert links_to(north, south) == before
            # Whoever comes later is told of all of them at once.
            south.stop()
            a.expect_gone(b.key, 0)
            last.expect_gone(b.key, 0)
            south.start_once()
            fresh = south.client()
            reach_each_other(fresh, a, last)
            assert has_clients(north, 5000)
        finally:
            crowd.kill()


def has_clients(node, count):
    """Whether so many connections to its plain port stand."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        port = f":{node.ports['http']:04X}"
        return sum(1 for line in table if line.split()[1].endswith(port) and line.split()[3] == "01") >= count


# ---- with a network between them


class Apart:
    """Two nodes in namespaces of their own, with a wire between them."""

    def __init__(self, north, south):
        self.places = [Place(), Place()]
        self.nodes = [north, south]
        self.places[0].inside(run, "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", self.places[1].tid)
        for place, node in zip(self.places, self.nodes):
            place.inside(run, "ip", "link", "set", "lo", "up")
            place.inside(open_port, "wire", node.listens_at)
        for place, node in zip(self.places, self.nodes):
            node.knows(*self.nodes)
            place.inside(node.start_once)

    def client(self, number, **login):
        """A client of one of them."""
        return self.places[number].inside(lambda: self.nodes[number].client(**login))

    def links(self):
        """The ports of the link from each."""
        return [place.inside(lambda node: links_to(node)[0], other) for place, other in zip(self.places, reversed(self.nodes))]

    def cut(self):
        """Nothing goes over the wire any more, and nobody is told."""
        self.places[0].inside(run, "nft", "add table ip cut; add chain ip cut i { type filter hook input priority 0; }; add rule ip cut i iifname wire drop; "
                              "add chain ip cut o { type filter hook output priority 0; }; add rule ip cut o oifname wire drop")

    def mend(self):
        """Undoes that."""
        self.places[0].inside(run, "nft", "flush", "ruleset")

    def slow(self, rate):
        """So many bits a second leave the first for the second."""
        self.places[0].inside(run, "tc", "qdisc", "replace", "dev", "wire", "root", "tbf", "rate", rate, "burst", "6kb", "latency", "100ms")

    def close(self):
        """The nodes have ended."""
        for place in self.places:
            place.close()


@pytest.fixture(name="apart")
def fixture_apart(tmp_path):
    """Two nodes with a wire between them."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    with relays_of_a_test(Node, tmp_path) as make:
        pair = Apart(make("north", "10.6.0.1", start=False), make("south", "10.6.0.2", start=False))
        yield pair
        for node in pair.nodes:
            node.stop()
        pair.close()


def test_a_cut_of_half_a_minute_heals(apart):
    a, b, c = apart.client(0), apart.client(1), apart.client(1)
    reach_each_other(a, b)
    reach_each_other(a, c)
    apart.cut()
    began = time.monotonic()
    near = apart.client(0)
    # The other side is not told of this now.
    c.close()
    while time.monotonic() < began + 30:
        # What the first one hears meanwhile is looked at behind the cut.
        reaches(a, near)
        a.send_packet(b.key, b"on its way")
        hears_nothing(near, 1)
    apart.mend()
    # It may have heard of its neighbours that they were gone, and of the one that left it must.
    gone = collections.Counter()
    deadline = time.monotonic() + 2 * PATIENCE
    while c.key not in gone and time.monotonic() < deadline:
        kind, payload = a.recv(2 * PATIENCE)
        assert kind == Frame.PEER_GONE and payload[32:] == b"\0", (kind, payload[:80])
        gone[payload[:32]] += 1
    assert gone[c.key] == 1 and set(gone) <= {b.key, c.key}
    until_reached(a, b)
    until_reached(b, a)
    fresh = apart.client(1)
    until_reached(a, fresh)
    until_reached(fresh, near)


def until_reached(a, b):
    """As reaches(), whatever else comes meanwhile: packets that were on their way, and who is gone."""
    def goes():
        mark = time.monotonic_ns().to_bytes(8, "big")
        a.send_packet(b.key, mark)
        with contextlib.suppress(Timeout):
            while True:
                kind, payload = b.recv(0.3)
                if kind == Frame.RECV_PACKET and payload == a.key + mark:
                    return True
        return False
    wait_until(goes, "packets arrive", 2 * PATIENCE)


def test_a_slow_link_drops_and_local_clients_do_not_notice(apart):
    a, b, c = apart.client(0), apart.client(1), apart.client(0)
    reach_each_other(a, b)
    links = apart.links()
    apart.slow("2mbit")
    sent = collections.Counter()
    with meanwhile(sending(a, b, 1200, 2500, sent)):
        for n in range(400):
            packet = n.to_bytes(4, "big") + bytes(1200)
            c.send_packet(c.key, packet)
            c.expect_packet(c.key, packet)
            time.sleep(0.005)
        wait_until(lambda: sent["packets"] > 4000, "enough was sent")
    came = 0
    with contextlib.suppress(Timeout):
        while True:
            kind, payload = b.recv(1)
            assert kind == Frame.RECV_PACKET and payload[:32] == a.key
            came += 1
    # A fifth of what was sent had room, by far not all.
    assert 0 < came < sent["packets"] * 0.8
    assert apart.links() == links
    apart.slow("1gbit")
    until_reached(a, b)
    until_reached(b, a)
    assert apart.links() == links
