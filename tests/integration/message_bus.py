"""A message bus of a test's own, and calls on it or on a control socket by the system's own tools.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ast
import pathlib
import re
import signal
import subprocess
import tempfile

from derp_client import PATIENCE
from relay import wait_until

NAME = "io.github.detourd.Detour1"
ROOT = "/io/github/detourd/Detour1"

CONFIG = """<busconfig>
  <type>{kind}</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">{policy}</policy>
  {more}
</busconfig>
"""
OPEN = '<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/><allow user="*"/>'
# The rules that a system bus has before any service's own.
SYSTEM = ('<allow user="*"/><deny own="*"/><deny send_type="method_call"/><allow send_type="signal"/>'
          '<allow send_requested_reply="true" send_type="method_return"/>'
          '<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>'
          '<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>'
          '<allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>')


class Bus:
    """dbus-daemon on a socket in a folder of its own; may be started late and stopped early."""

    def __init__(self, kind="session", policy_file=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="detour-bus-"))
        self.folder.chmod(0o755)
        self.socket = self.folder / "bus"
        self.address = f"unix:path={self.socket}"
        more = f"<include>{policy_file}</include>" if policy_file else ""
        (self.folder / "bus.conf").write_text(CONFIG.format(kind=kind, socket=self.socket, more=more,
                                                            policy=SYSTEM if policy_file else OPEN))
        self.process = None

    def start(self):
        """Starts it and waits until it listens."""
        self.process = subprocess.Popen(["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork"],
                                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.socket.exists, "the bus")
        return self

    def stop(self):
        """Takes it away, as a crash would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None
        self.socket.unlink(missing_ok=True)


def gdbus(address, path, method, *arguments, code=0, **options):
    """Calls a method; gives what gdbus prints, or its complaint."""
    done = subprocess.run(["gdbus", "call", "--address", address, "--dest", NAME, "--object-path", ROOT + path,
                           "--method", method if "." in method[1:] and not method.startswith(".") else NAME + method,
                           *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False, **options)
    assert (done.returncode != 0) == bool(code), f"{done.stdout}{done.stderr}"
    return done.stderr if code else done.stdout


def busctl(address, *arguments):
    """Runs busctl; gives what it prints."""
    done = subprocess.run(["busctl", f"--address={address}", *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout


def number(address, name):
    """A property of the Manager that is a number."""
    return int(busctl(address, "get-property", NAME, ROOT, f"{NAME}.Manager", name).split()[1])


def is_there(address):
    """Whether the relay answers under its name."""
    done = subprocess.run(["busctl", f"--address={address}", "get-property", NAME, ROOT, f"{NAME}.Manager", "Ready"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.stdout == "b true\n"


def python_value(text):
    """A GVariant's text as Python has it: for strings, numbers, flags, arrays and dictionaries of them."""
    text = re.sub(r"<|>|@\w*(\{\w+\})* ?|\b(uint64|uint32|int32|objectpath) ", "", re.sub(r"@[a-z{}()]+ ", "", text))
    return ast.literal_eval(re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", text)))


class Monitor:
    """Signals of the relay, as gdbus prints them."""

    def __init__(self, address):
        self.log = tempfile.NamedTemporaryFile("r", prefix="detour-signals-")
        with open(self.log.name, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(["stdbuf", "-oL", "gdbus", "monitor", "--address", address, "--dest", NAME],
                                            stdout=output, stderr=subprocess.STDOUT)
        wait_until(lambda: "is owned by" in self.text, "the monitor")

    @property
    def text(self):
        """All so far."""
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()

    def wait(self, pattern):
        """Waits for a line."""
        return wait_until(lambda: re.search(pattern, self.text), f"signal {pattern!r} in {self.text}")

    def stop(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait()
        self.log.close()
