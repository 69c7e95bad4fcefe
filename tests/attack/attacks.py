"""The attacks of strangers before the login, as crowds that a compiled program plays.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
sys.dont_write_bytecode = True

PROBE = b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n"
STRANGERS = 94  # client addresses

# Seconds that a login may take while the attack goes on.
ATTACKS = {"keep-alive": 3, "keep-alive-same-address": 3, "pipelining": 3, "drip": 3, "silence": 3, "hellos": 3,
           "replayed-hello": 5, "come-and-go": 3, "garbage": 3}
EVERYTHING_AT_ONCE = 5


def crowds(name):
    """What the crowds of an attack do: options of the program `crowd`."""
    from test_tls import client_hello
    hello = client_hello()
    return {
        "keep-alive": lambda: [dict(door="http", count=2048, first=PROBE, then=PROBE, every=4)],
        "keep-alive-same-address": lambda: [dict(door=door, count=64, sources=1, first=PROBE, then=PROBE, every=4)
                                            for door in ("http", "port80")],
        "pipelining": lambda: [dict(door="http", count=512, first=PROBE * (16384 // len(PROBE)), then=PROBE * 100, echo=True)],
        "drip": lambda: [dict(door="tls", count=6000, first=hello[:1], then=b"\x03", every=3)],
        "silence": lambda: [dict(door="tls", count=8000)],
        "hellos": lambda: [dict(door="tls", count=2000, first=b"\x16\x03\x01\x40\x00\x01\x00\xff\xfc" + bytes(16000))],
        "replayed-hello": lambda: [dict(door="tls", count=2000, first=hello)],
        "come-and-go": lambda: [dict(door="tls", count=500, first=hello[:1], leave=True)],
        "garbage": lambda: [dict(door=door, count=200, first=os.urandom(2000)) for door in ("tls", "http")],
    }[name]()


def prefer(nice, cpu=None):
    """How important this process is, and those that it starts; on which processor they run. Threads of a daemon keep their order."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})
    with contextlib.suppress(PermissionError):  # it leads a session already
        os.setsid()
    os.setpriority(os.PRIO_PROCESS, 0, nice)
    # Many kernels share the processor among sessions first, and niceness counts in a session only.
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/autogroup").write_text(str(nice))


@contextlib.contextmanager
def attack(relay, build, names, cpu=None, nice=0):
    """The attacks go on while this is entered. @cpu: on that processor only."""
    with contextlib.ExitStack() as stack:
        for name in names:
            for number, crowd in enumerate(crowds(name)):
                crowd.setdefault("sources", STRANGERS)
                command = [str(build / "tests" / "attack" / "crowd"), f"--port={relay.address(crowd.pop('door'))[1]}"]
                for option, value in crowd.items():
                    if isinstance(value, bytes):
                        path = pathlib.Path(relay.directory) / f"{name}-{number}-{option}"
                        path.write_bytes(value)
                        value = path
                    command.append(f"--{option}" if value is True else f"--{option}={value}")
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=lambda: prefer(nice, cpu))
                stack.callback(process.wait)
                stack.callback(process.stdin.close)
        yield


def log_in(relay, transport):
    """Seconds that one login took; None when it failed, which is told on standard error."""
    from derp_client import Closed
    begin = time.monotonic()
    door = relay.door(transport)
    try:
        door.client().ping(b"12345678")
    except (Closed, AssertionError, OSError) as error:
        print(f"  {transport}: {type(error).__name__}: {error}, after {time.monotonic() - begin:.1f} s", file=sys.stderr)
        return None
    finally:
        door.close()
        relay.doors.remove(door)
    return time.monotonic() - begin


def target(directory, **limits):
    """A relay to attack, not started yet."""
    from relay import EVERYTHING, Relay, with_keys
    config = with_keys(EVERYTHING.replace("level = debug", "level = message"), "limits", **({"half_open_per_source": "64"} | limits))
    return Relay(pathlib.Path(directory) / "relay", config, {"mesh.key": Relay.mesh_key + "\n"})
