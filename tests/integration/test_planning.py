"""The model of regions of many nodes counts what can be worked out, and the page on planning has what it prints.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import subprocess

import pytest
from derp_client import PATIENCE
from relay import BUILD

SIMULATE = BUILD / "tests" / "bench" / "simulate"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "doc" / "planning.md"
PRESENT, GONE = 57, 38


def simulate(*options):
    """What it prints."""
    return subprocess.run([SIMULATE, *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * PATIENCE, check=True).stdout


def numbers(**options):
    """The same as numbers by their names."""
    text = simulate(*(f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in options.items()))
    return {name: float(value) for name, value in (line.split() for line in text.splitlines())}


def test_the_page_has_the_tables_that_the_model_prints():
    page = PAGE.read_text()
    tables = simulate("--table").strip().split("\n\n")
    assert len(tables) == 2
    for table in tables:
        assert f"\n{table}\n" in page, f"print it again: {SIMULATE} --table\n{table}"


def test_the_same_seed_gives_the_same():
    assert simulate("--seed=7") == simulate("--seed=7") != simulate("--seed=8")


@pytest.mark.parametrize("nodes", [1, 2, 3, 10, 50])
def test_links_frames_and_shares_are_as_worked_out(nodes):
    found = numbers(nodes=nodes, keys=50000, regions=4)
    links = nodes * (nodes - 1)
    assert found["links_of_a_region"] == links and found["links_in_all"] == 4 * links
    assert found["frames_of_changes"] == found["changes_in_all"] * (nodes - 1)
    assert found["forwarded_percent"] == pytest.approx(100 * (nodes - 1) / nodes, abs=0.3)
    assert found["clients_of_a_node_mean"] == pytest.approx(50000 / nodes, abs=0.5)
    assert found["remote_keys_of_a_node"] == pytest.approx(50000 * (nodes - 1) / nodes, rel=0.03)
    # 50,000 clients connect anew once an hour: two changes each.
    assert found["changes_a_second"] == pytest.approx(2 * 50000 / 3600, rel=0.03)
    if nodes > 1:
        assert found["bytes_of_a_link_per_second"] == pytest.approx(50000 / 3600 * (PRESENT + GONE) / nodes, rel=0.03)
        assert found["restart_frames"] == 50000 and found["restart_bytes"] == 50000 * PRESENT
        assert found["end_clients_lost"] == pytest.approx(50000 / nodes, rel=0.1)
    # Each of the two nodes that have work with a forwarded packet has as much as with a local one.
    even = numbers(nodes=nodes, keys=50000, forward_cost=1)
    assert even["capacity_to_one_node"] == pytest.approx(nodes / (1 + (nodes - 1) / nodes), rel=0.07)


def test_clients_that_take_the_nodes_in_order_are_all_at_one():
    found = numbers(nodes=3, keys=5000, in_order=True)
    assert found["clients_of_a_node_most"] == found["end_clients_lost"] == 5000
    assert found["forwarded_percent"] == 0 and found["capacity_to_one_node"] == 1


def test_clients_come_back_as_fast_as_they_are_let_in():
    found = numbers(nodes=2, keys=20000, logins=1000, in_order=True)
    # Ten seconds of waiting are all that a client has: the others come again.
    assert found["end_seconds_until_back"] == pytest.approx(20, rel=0.1)
    assert found["end_retries"] > 5000
    found = numbers(nodes=2, keys=5000, logins=1000, in_order=True)
    assert found["end_seconds_until_back"] == pytest.approx(5, rel=0.1) and found["end_retries"] == 0


def test_a_client_has_a_connection_to_each_region_it_sends_to():
    assert numbers(nodes=1, keys=10, regions=1)["connections_of_a_client"] == 1
    # 1 + (1 − 1/2) with one contact and two regions.
    assert numbers(nodes=1, keys=10, regions=2, contacts=1)["connections_of_a_client"] == pytest.approx(1.5, abs=0.02)
    assert numbers(nodes=1, keys=10, regions=900)["connections_of_a_client"] == pytest.approx(4, abs=0.02)


def test_what_is_out_of_range_is_refused():
    for option in ("--nodes=0", "--nodes=65536", "--keys=0", "--logins=0", "word"):
        done = subprocess.run([SIMULATE, option], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 2 and "out of range" in done.stderr
