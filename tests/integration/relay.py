"""Runs the real detourd for a test: writes its file, starts it, waits until it is ready, reloads it, stops it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

from derp_client import PATIENCE, Client, Stream, meta_key

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("DETOUR_BUILD", HERE.parent.parent / "build")).resolve()
DETOURD = pathlib.Path(os.environ.get("DETOURD", BUILD / "core" / "app" / "detourd"))

# A daemon whose log has one of these has a fault, whatever a test did to it.
ALARMS = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .*failed|ERROR:.*assertion|"
                    r"\*\* ?\(|GLib-\w*CRITICAL")

MESH_KEY = "6d657368" * 8

# A relay with one of everything that a test may need; a test that wants something else writes its own.
EVERYTHING = """
[core]
hostname = relay.test
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1

[limits]
half-open-per-source = off

[admission]
chain = open

[transport https]
plugin = tls
listen = 127.0.0.1:{https}

[transport tls-gnutls]
plugin = tls
listen = 127.0.0.1:{tls-gnutls}
record-layer = gnutls

[transport tls-export]
plugin = tls
listen = 127.0.0.1:{tls-export}
record-layer = export

[transport http]
plugin = http
listen = 127.0.0.1:{http}
redirect = none

[transport port80]
plugin = http
listen = 127.0.0.1:{port80}
derp = false
redirect = https

[cert main]
plugin = selfsigned
names = 127.0.0.1;relay.test

[service stun]
listen = 127.0.0.1:{stun}

[transport websocket]

[service mesh]
key-file = {dir}/mesh.key

[http home]
page = blank

[http captive]

[http acme]

[log stderr]
plugin = stderr
level = debug
"""

# All ways in that a test of the protocol goes. "tls" stands for those with TLS where one will do.
TRANSPORTS = ("http", "tls12", "tls-gnutls", "tls-export")

# The least that relays: one plain listener.
SMALL = """
[core]
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1

[admission]
chain = open

[transport http]
plugin = http
listen = 127.0.0.1:{http}
redirect = none

[log stderr]
plugin = stderr
level = debug
"""


def with_keys(config, group, **keys):
    """@config with keys set in a group, which is added at the end if it is not there."""
    lines = [f"{key.replace('_', '-')} = {value}" for key, value in keys.items()]
    head = f"[{group}]"
    if head not in config.splitlines():
        return config.rstrip("\n") + "\n\n" + "\n".join([head] + lines) + "\n"
    kept, inside = [], False
    for line in config.splitlines():
        if line.startswith("["):
            inside = line == head
        name = line.split("=", 1)[0].strip()
        if inside and name in {key.replace("_", "-") for key in keys}:
            continue
        kept.append(line)
        if line == head:
            kept += lines
    return "\n".join(kept) + "\n"


def without_group(config, group):
    """@config without one group."""
    kept, inside = [], False
    for line in config.splitlines():
        if line.startswith("["):
            inside = line == f"[{group}]"
        if not inside:
            kept.append(line)
    return "\n".join(kept) + "\n"


def free_port():
    """A port that nobody has now, TCP and UDP, outside the range the kernel gives to clients."""
    while True:
        port = random.randrange(12000, 30000)
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port


def wait_until(condition, what, timeout=PATIENCE):
    """Polls until @condition gives something true, and returns that."""
    deadline = time.monotonic() + timeout
    while True:
        began = time.monotonic()
        value = condition()
        if value:
            return value
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"waited {timeout:g} s in vain: {what}")
        # A look that runs a program, such as detourctl, would take a whole processor from what is waited for.
        time.sleep(max(0.01, now - began))


class Door:
    """One way into a server, one of TRANSPORTS, that closes behind a test all that the test opened."""

    def __init__(self, server, transport):
        self.server = server
        self.transport = transport
        self.is_secure = transport.startswith("tls")
        self.opened = []

    @property
    def address(self):
        """Host and port."""
        return self.server.address(self.transport)

    def stream(self, tls=None, **options):
        """A fresh connection, through the TLS handshake where there is one (@tls: its options)."""
        stream = Stream.connect(self.address, **options)
        self.opened.append(stream)
        if self.is_secure:
            old = {"maximum": ssl.TLSVersion.TLSv1_2} if self.transport == "tls12" else {}
            stream.start_tls(**({"server_name": self.server.name} | old | (tls or {})))
        return stream

    def fresh(self, key=None, stream=None, **options):
        """A client that said nothing yet, and knows the server key where TLS tells it."""
        client = Client(stream or self.stream(**options), key)
        if self.is_secure:
            client.server_key = meta_key(client.stream.certificates())
        return client

    def greeted(self, key=None, request=None, stream=None):
        """A client that has the server's greeting and owes its ClientInfo."""
        return self.fresh(key, stream).upgrade(**(request or {}))

    def client(self, key=None, fast=None, stream=None, **login):
        """A client that is logged in; by fast start where TLS makes that possible, unless told otherwise."""
        client = self.fresh(key, stream)
        if fast is None:
            fast = client.server_key is not None
        return client.login(fast=fast, **login)

    def mesh_client(self, key=None, **login):
        """A client with the mesh key."""
        return self.client(key, meshKey=self.server.mesh_key, **login)

    def close(self):
        """Closes everything."""
        for stream in self.opened:
            try:
                stream.close()
            except OSError:
                pass
        self.opened.clear()


class Lent:
    """A server that a fixture lends to tests: `with` stops it at the end, and removes what it left."""

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        try:
            self.stop()
        finally:
            self.remove()

    @contextlib.contextmanager
    def lent_door(self, transport="http"):
        """A way in for one test of many that share the relay."""
        door = self.door(transport)
        try:
            yield door
        finally:
            door.close()
            self.doors.remove(door)


class StartFailed(AssertionError):
    """The daemon did not become ready."""

    def __init__(self, code, log):
        super().__init__(f"detourd ended with {code}\n{log}")
        self.code = code
        self.log = log


class Relay(Lent):
    """One detourd. `{word}` in the file is a port of that name, `{dir}` its directory, `{run}` one with a short path."""

    name = "relay.test"
    version = (1, 104)
    mesh_key = MESH_KEY
    options = ["--no-vendor"]
    detourd = DETOURD

    # All of the new file counts, all but what could not start, nothing of it.
    OUTCOMES = "reloaded, but not everything could follow|reloaded(?!,)|the configuration was not used"

    def __init__(self, directory, config=EVERYTHING, files=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config_file = self.directory / "detour.conf"
        self.log_file = self.directory / "log"
        self.ports = {}
        self.config = config
        self.process = None
        self.doors = []
        # The path of a socket may have 107 bytes, and a test's directory is deep.
        self.run_directory = tempfile.mkdtemp(prefix="detour-")
        for name, content in ({"mesh.key": MESH_KEY + "\n"} | (files or {})).items():
            self.write_file(name, content)

    # ---- files

    def write_file(self, name, content, mode=0o600):
        """A file in the relay's directory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def fill(self, text):
        """@text with ports and the directory filled in; a new word gets a free port."""
        def value(match):
            word = match[1]
            if word in ("dir", "run"):
                return str(self.directory if word == "dir" else self.run_directory)
            while word not in self.ports:
                port = free_port()
                if port not in self.ports.values():
                    self.ports[word] = port
            return str(self.ports[word])
        return re.sub(r"\{([\w-]+)\}", value, text)

    def write_config(self, config=None):
        """Writes the file, with another text if one is given."""
        if config is not None:
            self.config = config
        self.config_file.write_text(self.fill(self.config))

    # ---- running

    @property
    def log(self):
        """All of the log so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def start(self):
        """Starts the daemon and waits until it says that it is ready; takes other ports if somebody was faster."""
        for _ in range(5):
            self.write_config()
            try:
                return self.start_once()
            except StartFailed as failed:
                if "in use" not in failed.log:
                    raise
                self.ports.clear()
                last = failed
        raise last

    def start_once(self):
        """Starts the daemon with the file as it is."""
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [self.detourd, "--config", self.config_file, *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=daemon_environment())
        wait_until(lambda: "ready:" in self.log or self.process.poll() is not None, "the ready line")
        if self.process.poll() is not None:
            code, log, self.process = self.process.returncode, self.log, None
            assert not ALARMS.search(log), log
            raise StartFailed(code, log)
        return self

    def wait_log(self, pattern, since=0, timeout=PATIENCE):
        """Waits for a line that matches, in what was logged behind position @since."""
        return wait_until(lambda: re.search(pattern, self.log[since:]), f"log line {pattern!r}", timeout)

    def reload(self, config=None, outcome="reloaded"):
        """Sends SIGHUP and waits until the daemon says how that went: OUTCOMES has the ways. Gives what it logged."""
        if config is not None:
            self.write_config(config)
        since = len(self.log)
        self.process.send_signal(signal.SIGHUP)
        found = self.wait_log(self.OUTCOMES, since)
        assert found[0] == outcome, self.log[since:]
        return self.log[since:]

    def wait_end(self, code=0):
        """Waits for a daemon that ends by itself."""
        process, self.process = self.process, None
        assert process.wait(PATIENCE) == code
        assert not ALARMS.search(self.log), self.tail()

    def stop(self, signal_number=signal.SIGTERM, code=0):
        """Stops the daemon and looks whether it ended well and found nothing wrong with itself."""
        for door in self.doors:
            door.close()
        if self.process is None:
            return
        process, self.process = self.process, None
        early = process.poll()
        if early is None:
            process.send_signal(signal_number)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise AssertionError(f"detourd did not stop\n{self.tail()}") from None
        alarm = ALARMS.search(self.log)
        assert not alarm, f"alarm in the log\n{self.log[max(0, alarm.start() - 2000):][:12000]}"
        assert early is None, f"detourd ended by itself with {early}\n{self.tail()}"
        assert process.returncode == code, f"detourd ended with {process.returncode}\n{self.tail()}"

    def remove(self):
        """Removes what does not lie in the test's directory."""
        shutil.rmtree(self.run_directory, ignore_errors=True)

    def descriptors(self):
        """What the daemon has open. Some of it may be for a moment."""
        found = []
        for descriptor in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                found.append(os.readlink(descriptor))
        return found

    def tail(self):
        """End of the log."""
        return self.log[-6000:]

    # ---- ways in

    def address(self, transport):
        """Where the listener of that name is."""
        return ("127.0.0.1", self.ports[{"tls": "https", "tls12": "https"}.get(transport, transport)])

    def listens(self, transport):
        """Whether the daemon itself takes connections there."""
        port = f":{self.address(transport)[1]:04X}"
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table]
        return bool({f"socket:[{row[9]}]" for row in rows if row[1].endswith(port) and row[3] == "0A"} & set(self.descriptors()))

    def expect_refused(self, *transports):
        """Nobody listens there, or by now another test's program, which has got the port that became free."""
        for transport in transports:
            with contextlib.suppress(ConnectionRefusedError):
                Stream.connect(self.address(transport)).close()
                assert not self.listens(transport)

    def door(self, transport="http"):
        """A way in, closed when the relay stops."""
        door = Door(self, transport)
        self.doors.append(door)
        return door


def daemon_environment():
    """Environment for a daemon: any critical message ends it, any leak is told with its whole stack."""
    # The leak checker of gcc 12 misreads the thread-local memory of a library that came with a plugin, and crashes.
    sanitizer = "detect_leaks=1:fast_unwind_on_malloc=0:intercept_tls_get_addr=0:strict_string_checks=1:"
    return os.environ | {
        "G_DEBUG": "fatal-criticals",
        "ASAN_OPTIONS": sanitizer + os.environ.get("ASAN_OPTIONS", ""),
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    }


def run_detourd(*arguments, code=0, timeout=PATIENCE):
    """Runs detourd for an option that ends by itself; gives (standard output, standard error)."""
    done = subprocess.run([DETOURD, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=daemon_environment(), timeout=timeout, check=False)
    assert not ALARMS.search(done.stderr), done.stderr
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr
