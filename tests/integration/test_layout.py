"""What detourctl shows follows the width of the terminal, and loses nothing of its text by that.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re

import pytest

from control import at_terminal, detourctl
from relay import EVERYTHING, Relay, with_keys

UNITS = {"second", "seconds", "bit/s", "kbit/s", "Mbit/s", "B", "KiB", "%", "<"}
COMMANDS = ["status", "plugins", "clients", "counters --all", "listeners", "certs", "client", "why",
            "config explain limits.write-timeout"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A relay with something to show, and a client of it."""
    config = with_keys(EVERYTHING, "limits", half_open="20")
    with Relay(tmp_path_factory.mktemp("layout"), config) as relay:
        client = relay.start().door("tls").client()
        for _ in range(3):
            client.send_packet(bytes([7]) * 32, b"to nobody")
        client.ping(b"12345678")
        yield relay, client


def words_of(text):
    """All words, without what changes from one call to the next: numbers and their units."""
    plain = re.sub(r"\033\[\d*m", "", text).replace(",", "")
    return {word for word in plain.split() if not re.search(r"\d", word)} - UNITS


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("command", COMMANDS)
def test_layout_follows_the_terminal(shown, command, columns):
    relay, client = shown
    arguments = command.split() + ([f"nodekey:{client.key.hex()}"] if command in ("client", "why") else [])
    text = at_terminal(relay, columns, *arguments)
    assert "\N{NO-BREAK SPACE}" not in text and "…" not in text
    for line in re.sub(r"\033\[\d*m", "", text).splitlines():
        # Only one word, which is for copying, may be longer than the terminal is wide.
        assert len(line) <= columns or len(line.split()) <= 2, line
    whole, _ = detourctl(relay, *arguments)
    assert "\N{NO-BREAK SPACE}" not in whole
    # In a list, a column without a text is left out.
    assert words_of(whole) - words_of(text) <= {"LABEL"}


@pytest.mark.parametrize("columns,used", [(20, 40), (300, 200)])
def test_layout_has_limits(shown, columns, used):
    lines = re.sub(r"\033\[\d*m", "", at_terminal(shown[0], columns, "status")).splitlines()
    assert max(len(line) for line in lines if len(line.split()) > 2) <= used
