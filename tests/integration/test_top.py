"""detourctl top on a real pseudo-terminal: what it shows, its keys, and that the terminal is as before when it has gone.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time

import pyte
import pytest

from control import DETOURCTL, ask, detourctl
from control_attacks import CALL, NAME, ROOT, SIGNAL, Peer, message
from control_attacks import text as string
from relay import PATIENCE, SMALL, daemon_environment, wait_until

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A terminal of its own with `detourctl top` on it."""

    def __init__(self, relay, *options, columns=110, rows=20, env=None):
        self.bytes = b""
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        environment = daemon_environment() | {"DETOUR_SOCKET": f"{relay.run_directory}/control", "LC_ALL": "C.UTF-8",
                                              "TERM": "xterm-256color"} | (env or {})
        self.process = subprocess.Popen([DETOURCTL, "top", *options], stdin=self.slave, stdout=self.slave, stderr=subprocess.PIPE,
                                        env=environment, start_new_session=True)

    def resize(self, columns, rows):
        """As a window manager does it: the size, and then the signal."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)
        if hasattr(self, "process"):
            self.process.send_signal(signal.SIGWINCH)

    def read(self):
        """Takes what was written, and gives the lines on the screen."""
        while select.select([self.master], [], [], 0)[0]:
            with contextlib.suppress(OSError):
                part = os.read(self.master, 65536)
                self.bytes += part
                self.stream.feed(part)
                continue
            break
        return [line.rstrip() for line in self.screen.display]

    def press(self, keys):
        """Keys of a person."""
        os.write(self.master, keys.encode())

    def wait_for(self, condition, what):
        """Until the lines on the screen are so."""
        try:
            return wait_until(lambda: condition(self.read()), what)
        except AssertionError:
            raise AssertionError("\n".join(self.read())) from None

    def wait_text(self, text):
        """Until that is on the screen."""
        return self.wait_for(lambda lines: any(text in line for line in lines), text)

    def rows(self):
        """First words of the rows of clients."""
        return [line.split()[0] for line in self.read()[3:-1] if line]

    def ended(self):
        """Waits for its end, sees that the terminal is as before, and gives exit status and messages."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            self.read()
            time.sleep(0.01)
        code = self.process.wait(1)
        self.read()
        assert termios.tcgetattr(self.slave) == self.before
        assert self.bytes.count(ENTER) == self.bytes.count(LEAVE) and b"\x1b[?25h" in self.bytes.rsplit(ENTER, 1)[-1]
        assert self.bytes.rsplit(LEAVE, 1)[-1] == b""
        return code, self.process.stderr.read().decode()

    def close(self):
        """Whatever happened."""
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture(name="terminal")
def terminals():
    """Makes terminals."""
    made = []

    def make(*arguments, **options):
        made.append(Terminal(*arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@contextlib.contextmanager
def traffic(sender, receiver, size, pause=0.01):
    """Packets from one client to the other, until it is enough."""
    stop = threading.Event()

    def run():
        while not stop.is_set():
            sender.send_packet(receiver.key, bytes(size))
            receiver.recv()
            stop.wait(pause)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def short(client):
    """As it is shown."""
    return client.key.hex()[:8]


def test_who_moves_most_is_first(make_relay, terminal):
    relay = make_relay(SMALL)
    door = relay.door()
    quiet, busy, peer = (door.client() for _ in range(3))
    top = terminal(relay)
    with traffic(busy, peer, 1200):
        top.wait_for(lambda lines: top.rows()[:1] and top.rows()[-1] == short(quiet)
                     and "kbit/s" in lines[3] and "kbit/s" in lines[4] and lines[0].startswith("3 clients, ") and " in, " in lines[0], "the busy ones first")
        assert set(top.rows()[:2]) == {short(busy), short(peer)}
        heading = top.read()[2]
        assert heading.split() == ["KEY", "IN", "OUT", "PACKETS/S", "IDLE", "KIND", "TLS", "DROPS", "ADDRESS", "LABEL"]
        assert "packets/s" in top.read()[0]
        top.press("R")
        top.wait_for(lambda lines: top.rows()[:1] == [short(quiet)] and "turned round" in lines[-1], "the other way round")
        top.press("Ri")
        top.wait_for(lambda lines: top.rows()[0] == short(busy) and "by idle time" in lines[-1], "by idle time")
        idle = next(line for line in top.read() if line.startswith(short(quiet)))
        assert idle.split()[6][-1] in "sm" and int(idle.split()[6][:-1]) >= 1
    top.press("h")
    top.wait_text("sort by: r rate, p packets")
    top.press("q")
    assert top.ended() == (0, "")


def test_it_follows_the_size(make_relay, terminal):
    relay = make_relay(SMALL)
    door = relay.door()
    clients = [door.client() for _ in range(12)]
    top = terminal(relay, columns=110, rows=10)
    top.wait_for(lambda lines: len(top.rows()) == 6, "as many as have room")
    top.resize(60, 24)
    top.wait_for(lambda lines: len(top.rows()) == len(clients) and "LABEL" not in lines[2] and "IDLE" in lines[2], "all of them")
    assert all(len(line) <= 60 for line in top.read())
    top.resize(20, 3)
    top.wait_for(lambda lines: lines[0].startswith("12 clients"), "the least")
    top.resize(110, 24)
    top.wait_for(lambda lines: len(top.rows()) == len(clients) and "LABEL" in lines[2], "all of them again")
    top.press("q")
    assert top.ended()[0] == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, "\x03", "q", "hangup"])
def test_the_terminal_is_given_back(make_relay, terminal, how):
    relay = make_relay(SMALL)
    top = terminal(relay)
    top.wait_text("0 clients")
    assert termios.tcgetattr(top.slave) != top.before
    if isinstance(how, signal.Signals):
        top.process.send_signal(how)
    elif how == "hangup":
        # Whoever held the other end closes it: there is nobody to restore anything for, but it must not go on for ever.
        os.close(top.master)
        top.master = os.open("/dev/null", os.O_RDONLY)
        top.process.wait(PATIENCE)
        return
    else:
        top.press(how)
    assert top.ended() == (0, "")


@pytest.mark.parametrize("number", [signal.SIGQUIT, signal.SIGABRT])
def test_a_program_that_dies_gives_it_back(make_relay, terminal, number):
    relay = make_relay(SMALL)
    top = terminal(relay)
    top.wait_text("0 clients")
    top.process.send_signal(number)
    assert top.ended()[0] == -number


@pytest.mark.parametrize("how", [signal.SIGTSTP, "\x1a"])
def test_a_program_that_is_stopped_gives_it_back(make_relay, terminal, how):
    relay = make_relay(SMALL)
    top = terminal(relay)
    top.wait_text("0 clients")
    top.press(how) if isinstance(how, str) else top.process.send_signal(how)
    wait_until(lambda: f"/{top.process.pid}/stat" and open(f"/proc/{top.process.pid}/stat", encoding="ascii").read().split()[2] == "T",
               "it is stopped")
    top.read()
    assert termios.tcgetattr(top.slave) == top.before and top.bytes.endswith(LEAVE)
    top.process.send_signal(signal.SIGCONT)
    wait_until(lambda: (top.read(), top.bytes.count(ENTER))[1] == 2, "it draws again")
    top.press("q")
    assert top.ended()[0] == 0


def test_a_daemon_that_goes_is_told(make_relay, terminal):
    relay = make_relay(SMALL)
    top = terminal(relay)
    top.wait_text("0 clients")
    relay.stop()
    code, errors = top.ended()
    assert (code, errors.count("the daemon has ended")) == (3, 1), errors


def test_a_daemon_that_hangs_can_be_left(make_relay, terminal):
    relay = make_relay(SMALL)
    top = terminal(relay, "--timeout", "3s")
    top.wait_text("0 clients")
    relay.process.send_signal(signal.SIGSTOP)
    try:
        top.wait_text("the daemon does not answer")
        relay.process.send_signal(signal.SIGCONT)
        top.wait_text("by rate")
        relay.process.send_signal(signal.SIGSTOP)
        top.press("q")
        assert top.ended() == (0, "")
    finally:
        relay.process.send_signal(signal.SIGCONT)


def test_once(make_relay, terminal):
    """One table for a pipe, a dumb terminal and a program."""
    relay = make_relay(SMALL)
    door = relay.door()
    busy, peer = door.client(), door.client()
    with traffic(busy, peer, 1000):
        text, _ = detourctl(relay, "top")
        clients = ask(relay, "top", "--limit", "1", "--sort", "traffic")["clients"]
        plain = terminal(relay, env={"TERM": "dumb"})
        plain.wait_text(short(busy))
    lines = text.splitlines()
    assert lines[0].startswith("KEY ") and {line.split()[0] for line in lines[1:]} == {short(busy), short(peer)}
    assert "\x1b" not in text
    assert len(clients) == 1 and clients[0]["rate_received"] + clients[0]["rate_sent"] > 1000
    assert clients[0]["packet_rate_received"] + clients[0]["packet_rate_sent"] >= 1 and clients[0]["idle"] >= 0
    assert plain.process.wait(PATIENCE) == 0 and b"\x1b" not in plain.bytes
    for wrong in (("--sort", "label"), ("--interval", "100ms"), ("--limit", "0")):
        assert wrong[0] in detourctl(relay, "top", *wrong, code=2)[1]


@pytest.mark.parametrize("number", ["-1", "-2", "0"])
@pytest.mark.parametrize("command", [["clients", "--limit"], ["refused", "--limit"], ["bans", "--limit"], ["top", "--limit"], ["log", "--lines"]],
                         ids=lambda command: command[0])
def test_numbers_from_one(tmp_path, command, number):
    done = subprocess.run([DETOURCTL, command[0], f"{command[1]}={number}"], capture_output=True, text=True, timeout=PATIENCE,
                          env=daemon_environment() | {"DETOUR_SOCKET": f"{tmp_path}/none", "LC_ALL": "C.UTF-8"})
    assert done.returncode == 2 and "write a number from 1" in done.stderr, done


def test_rates_are_true(make_relay):
    """`clients` by present rate: who moved most in all is not who moves most now."""
    relay = make_relay(SMALL)
    door = relay.door()
    old, now, peer = (door.client() for _ in range(3))
    for _ in range(100):
        old.send_packet(peer.key, bytes(60000))
        peer.recv()
    detourctl(relay, "clients", "--sort", "rate")
    with traffic(now, peer, 2000):
        first = {row["key"]: row for row in ask(relay, "clients", "--sort", "connection")["clients"]}
        began = time.monotonic()
        time.sleep(2)
        rows = ask(relay, "clients", "--sort", "rate")["clients"]
        span = time.monotonic() - began
        last = {row["key"]: row for row in ask(relay, "clients")["clients"]}
    names = [row["key"].removeprefix("nodekey:")[:8] for row in rows]
    assert set(names[:2]) == {short(peer), short(now)} and names[2] == short(old)
    key = f"nodekey:{now.key.hex()}"
    moving = next(row for row in rows if row["key"] == key)
    sent = last[key]["bytes_received"] - first[key]["bytes_received"]
    assert 0 < moving["rate_received"] <= 3 * sent / span and rows[2]["rate_received"] == 0
    assert rows[2]["idle"] >= 1_000_000 > moving["idle"]
    assert "rate_received" not in json.dumps(last)


class Caller(Peer):
    """A caller of the Manager on the control socket."""

    def call(self, method, signature="", body=b""):
        """Calls it, whatever comes of that."""
        fields = [(1, "o", ROOT), (2, "s", f"{NAME}.Manager"), (3, "s", method)]
        self.socket.sendall(message(CALL, 1, fields + ([(8, "g", signature)] if signature else []), body))

    def next_rates(self):
        """The bytes of the next signal about rates."""
        whole = b""
        while len(whole) < 8 or whole[1] != SIGNAL or b"Rates\0" not in whole:
            while len(self.buffer) < 16:
                self.buffer += self.receive()
            body, _, fields = struct.unpack_from("<III", self.buffer, 4)
            size = 16 + fields + -fields % 8 + body
            while len(self.buffer) < size:
                self.buffer += self.receive()
            whole, self.buffer = self.buffer[:size], self.buffer[size:]
        return whole


def test_signals_of_rates(make_relay):
    """Every second, to whom asked for them, in the order and number that it wants; to nobody else."""
    relay = make_relay(SMALL)
    door = relay.door()
    clients = [door.client() for _ in range(3)]
    caller, other = Caller(relay), Caller(relay)
    with contextlib.closing(caller), contextlib.closing(other):
        other.call("Subscribe")
        other.answers(1)
        two = struct.pack("<II", 20, 0) + string("limit") + b"\1u\0" + bytes(3) + struct.pack("<I", 2)
        caller.call("SubscribeRates", "a{sv}", two)
        assert caller.next_rates().count(b"nodekey:") == 2
        caller.call("SubscribeRates", "a{sv}", bytes(8))
        wait_until(lambda: caller.next_rates().count(b"nodekey:") == 3, "the other options")
        signal_bytes = caller.next_rates()
        assert all(client.key.hex().encode() in signal_bytes for client in clients) and b"rate_received" in signal_bytes
        caller.call("UnsubscribeRates")
        other.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            other.buffer += other.receive()
        assert b"Rates" not in other.buffer
