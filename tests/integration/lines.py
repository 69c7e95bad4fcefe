"""A relay in a network of its own, and clients behind lines of their own, each in a namespace: slow lines, lossy ones, none at all.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import pathlib
import queue
import socket
import subprocess
import threading
import time

import namespaces
from derp_client import PATIENCE, Closed, Stream


def run(*words):
    """A command of iproute2 or nftables, in the namespace of this thread."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"


class Place:
    """A thread with a network namespace of its own."""

    def __init__(self):
        self.work = queue.SimpleQueue()
        self.done = queue.SimpleQueue()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        self.tid = self.done.get(timeout=PATIENCE)

    def serve(self):
        """The thread."""
        namespaces.check(namespaces.LIBC.unshare(namespaces.CLONE_NEWNET), "unshare")
        self.done.put(threading.get_native_id())
        for function, arguments in iter(self.work.get, None):
            try:
                self.done.put((function(*arguments), None))
            except BaseException as error:  # pylint: disable=broad-except
                self.done.put((None, error))

    def inside(self, function, *arguments):
        """Calls it in that namespace."""
        self.work.put((function, arguments))
        value, error = self.done.get(timeout=PATIENCE)
        if error is not None:
            raise error
        return value

    def close(self):
        """Ends the thread, and with it the namespace."""
        self.work.put(None)
        self.thread.join()


def open_port(name, address):
    """An end of a wire; it carries segments, as wires do."""
    run("ip", "link", "set", "dev", name, "gso_max_segs", 1)
    run("ip", "address", "add", f"{address}/24", "dev", name)
    run("ip", "link", "set", "dev", name, "up")


class Line:
    """A client's namespace behind a modem's, whose line has a queue of its own as modems have. Made in the relay's namespace."""

    def __init__(self, number):
        self.near, self.relay, self.net = f"near{number}", f"10.9.{number}.1", f"10.8.{number}"
        self.modem, self.host = Place(), Place()
        run("ip", "link", "add", self.near, "type", "veth", "peer", "name", "wan", "netns", self.modem.tid)
        self.modem.inside(run, "ip", "link", "add", "lan", "type", "veth", "peer", "name", "line", "netns", self.host.tid)
        open_port(self.near, self.relay)
        self.modem.inside(open_port, "wan", f"10.9.{number}.254")
        self.modem.inside(open_port, "lan", f"{self.net}.254")
        self.modem.inside(pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text, "1")
        self.host.inside(open_port, "line", f"{self.net}.2")
        run("ip", "route", "add", f"{self.net}.0/24", "via", f"10.9.{number}.254")
        self.host.inside(run, "ip", "route", "add", "default", "via", f"{self.net}.254")

    def inside(self, function, *arguments):
        """Calls it in the client's namespace."""
        return self.host.inside(function, *arguments)

    def connect(self, port, congestion="cubic", **options):
        """A connection of the client to the relay; most clients of the world have that congestion control."""
        stream = self.inside(lambda: Stream.connect((self.relay, port), **options))
        stream.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        return stream

    def limit(self, port, rate):
        """Bits a second that leave the modem there, behind a queue of 150 ms."""
        self.modem.inside(run, "tc", "qdisc", "replace", "dev", port, "root", "tbf", "rate", rate, "burst", "6kb", "latency", "150ms")

    def limit_down(self, rate):
        """What comes for the client."""
        self.limit("lan", rate)

    def limit_up(self, rate):
        """What the client sends."""
        self.limit("wan", rate)

    def lose_down(self, percent):
        """So many of the segments to the client."""
        self.rule("input", f"meta length > 200 numgen random mod 100 < {percent} drop")

    def lose_up(self, percent):
        """The same of what the client sends."""
        run("nft", f"add table ip up; add chain ip up c {{ type filter hook input priority 0; }}; "
            f"add rule ip up c iifname {self.near} meta length > 200 numgen random mod 100 < {percent} drop")

    def cut(self):
        """Nothing reaches the client or leaves it any more; nobody is told."""
        self.rule("input", "drop")
        self.rule("output", "drop")

    def mend(self):
        """Undoes cut() and lose_down()."""
        self.inside(run, "nft", "flush", "ruleset")

    def rule(self, hook, text):
        """A rule of nftables in the client's namespace."""
        table = f"t{time.monotonic_ns()}"
        self.inside(run, "nft", f"add table ip {table}; add chain ip {table} c {{ type filter hook {hook} priority 0; }}; "
                    f"add rule ip {table} c {text}")

    def close(self):
        """Ends both namespaces."""
        self.host.close()
        self.modem.close()


@contextlib.contextmanager
def meanwhile(*works):
    """Calls each of @works again and again, in threads of their own, until the end."""
    is_over = threading.Event()
    threads = []

    def repeat(work):
        with contextlib.suppress(Closed):
            while not is_over.is_set():
                work()
    for work in works:
        threads.append(threading.Thread(target=repeat, args=(work,)))
        threads[-1].start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def sending(client, destination, size, rate, sent):
    """Something for meanwhile(): packets, so many a second, which are counted in @sent, a Counter."""
    packet = destination.key + bytes(size)
    frame = bytes([4]) + len(packet).to_bytes(4, "big") + packet
    state = {"next": time.monotonic(), "rest": b""}

    def work():
        now = time.monotonic()
        if not state["rest"]:
            state["rest"] = frame
            # What was missed is not made good for more than a moment.
            state["next"] = max(state["next"], now - 0.05) + 1 / rate
        with contextlib.suppress(TimeoutError):
            client.stream.sock.settimeout(0.5)
            state["rest"] = state["rest"][client.stream.sock.send(state["rest"]):]
        if not state["rest"]:
            sent["packets"] += 1
            time.sleep(max(0, state["next"] - time.monotonic()))
    return work


def reading(client, size=65536, pause=0.0):
    """The same: takes what came, at most @size bytes at a time, and waits."""
    def work():
        client.stream.sock.settimeout(0.2)
        with contextlib.suppress(TimeoutError):
            client.stream.sock.recv(size)
        time.sleep(pause)
    return work
