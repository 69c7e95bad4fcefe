"""Keep-alive: an empty frame now and then, whatever else flows.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import time

from derp_client import PATIENCE, Frame
from relay import EVERYTHING, with_keys


def test_silent_clients_get_keep_alives(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "limits", keep_alive="1s"))
    for transport in ("http", "tls"):
        client = relay.door(transport).client()
        begin = time.monotonic()
        for n in range(1, 4):
            client.expect(Frame.KEEP_ALIVE, b"")
            assert time.monotonic() - begin >= 0.9 * n


def test_busy_clients_get_keep_alives_too(make_relay):
    client = make_relay(with_keys(EVERYTHING, "limits", keep_alive="1s")).door().client()
    seen = 0
    limit = time.monotonic() + PATIENCE
    while seen < 2:
        assert time.monotonic() < limit, f"{seen} keep-alives in {PATIENCE:g} s"
        seen += sum(kind == Frame.KEEP_ALIVE for kind, _ in client.frames_until_own())


def test_inactive_duplicates_get_keep_alives(make_relay):
    door = make_relay(with_keys(EVERYTHING, "limits", keep_alive="1s")).door()
    first = door.client()
    second = door.client(first.secret)
    first.expect(Frame.KEEP_ALIVE, b"")
    second.expect(Frame.KEEP_ALIVE, b"")
