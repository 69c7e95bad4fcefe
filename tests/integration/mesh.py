"""Relays of one region that link themselves with each other.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib

from control import ask
from relay import wait_until, with_keys

# Far longer than an attempt with its wait.
LINK_PATIENCE = 90


def pin_of(relay):
    """What the relay's certificate is known by."""
    return "sha256-raw:" + hashlib.sha256(relay.door("tls-export").client().stream.certificates()[0]).hexdigest()


def key_of(relay):
    """The relay's server key."""
    return ask(relay, "status")["server_key"]


def with_peer(config, name, relay, **keys):
    """@config with a [peer NAME] that is @relay; keys that are None are left out."""
    values = {"host": "127.0.0.1:%d" % relay.address("tls-export")[1], "pin": pin_of(relay)} | keys
    return with_keys(config, f"peer {name}", **{key: value for key, value in values.items() if value is not None})


def peers(relay):
    """What `detourctl peers` says, by name."""
    return {peer["name"]: peer for peer in ask(relay, "peers")["peers"]}


def wait_peer(relay, name, state="up"):
    """Waits until the peer is in that state; gives it."""
    return wait_until(lambda: (peer := peers(relay).get(name)) and peer["state"] == state and peer, f"[peer {name}] is {state}",
                      LINK_PATIENCE)

