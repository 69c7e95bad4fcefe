"""Makes the causes for which a client gets its packets slowly, each by itself, and has the relay say which it is.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import collections
import contextlib
import os
import subprocess
import sys

import namespaces
from control import ask
from lines import Line, meanwhile, reading, sending
from relay import SMALL, wait_until, with_keys

CONFIG = with_keys(with_keys(SMALL, "transport http", listen="0.0.0.0:{http}"), "limits", write_timeout="10m")

CAUSES = ("none", "line-down", "line-up", "reader", "loss", "relay-cpu", "receive-rate", "loss-up")

SIZE, RATE = 1200, 500  # packets, and how many a second: 4.8 Mbit/s
FILLING = 800           # of them fill every queue on the way


# Nine tenths of a processor, in front of all that has no real-time priority.
LOOP = """
import os, time
os.sched_setaffinity(0, {%d})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
print("begins", flush=True)
while True:
    end = time.monotonic() + 0.09
    while time.monotonic() < end:
        pass
    time.sleep(0.01)
"""


@contextlib.contextmanager
def starved(relay):
    """The relay shares a processor with a loop that goes first."""
    processor = max(os.sched_getaffinity(0))
    for thread in os.listdir(f"/proc/{relay.process.pid}/task"):
        os.sched_setaffinity(int(thread), {processor})
    with subprocess.Popen([sys.executable, "-c", LOOP % processor], stdout=subprocess.PIPE) as loop:
        loop.stdout.readline()
        try:
            yield
        finally:
            loop.kill()


def watch(make_relay, cause, wanted, congestion):
    """In the relay's namespace: what `detourctl path` says."""
    limits = {"receive_rate": "250K", "receive_burst": "64K"} if cause == "receive-rate" else {}
    relay = make_relay(with_keys(CONFIG, "limits", **limits))
    port, door, down, up = relay.ports["http"], relay.door("http"), Line(1), Line(2)
    receiver = door.client(stream=down.connect(port, receive_buffer=65536 if cause == "reader" else None))
    sender = door.client(stream=up.connect(port, congestion))
    how = {"reader": {"size": 4096, "pause": 0.05}}.get(cause, {})
    {"line-down": lambda: down.limit_down("2mbit"), "line-up": lambda: up.limit_up("2mbit"),
     "loss": lambda: down.lose_down(5), "loss-up": lambda: up.lose_up(5)}.get(cause, lambda: None)()
    sent = collections.Counter()
    starving = starved(relay) if cause == "relay-cpu" else contextlib.nullcontext()
    try:
        with starving, meanwhile(sending(sender, receiver, SIZE, RATE, sent), reading(receiver, **how), reading(sender)):
            wait_until(lambda: sent["packets"] >= FILLING, "queues are full")
            return ask(relay, "path", f"nodekey:{receiver.key.hex()}", "--for", wanted)["path"]
    finally:
        down.close()
        up.close()


def report_of(make_relay, cause, wanted="2s", congestion="cubic"):
    """The report on a client that has this cause."""
    return namespaces.apart(lambda: watch(make_relay, cause, wanted, congestion), network=True)
