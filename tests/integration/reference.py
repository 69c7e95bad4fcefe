"""Runs the reference server derper in place of Detour, to prove that client and expectations are right.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import re
import secrets
import socket
import subprocess

from derp_client import PATIENCE
from relay import MESH_KEY, Door, Lent, free_port, wait_until


class Derper(Lent):
    """Two derpers, one for each transport; they share nothing but their mesh key."""

    name = None  # dialled by address, so no server name
    mesh_key = MESH_KEY

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.program = os.environ["DERPER"]
        self.ports = {}
        self.processes = []
        self.doors = []
        version = subprocess.run([self.program, "-version"], capture_output=True, text=True, check=True).stdout
        self.version = tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", version).groups())

    def start(self):
        """Starts both and waits until they answer."""
        mesh = self.directory / "mesh.key"
        mesh.write_text(MESH_KEY)
        for transport in ("http", "tls"):
            key = self.directory / f"{transport}.key"
            key.write_text(json.dumps({"PrivateKey": "privkey:" + clamped(secrets.token_bytes(32)).hex()}))
            self.ports[transport] = free_port()
            self.ports["stun"] = free_port()
            self.ports["port80"] = free_port()
            tls = ["-certmode", "manual", "-certdir", self.directory / "certs", "-hostname", "127.0.0.1",
                   "-http-port", str(self.ports["port80"]), "-stun-port", str(self.ports["stun"])]
            command = [self.program, "-c", key, "-a", f"127.0.0.1:{self.ports[transport]}", "-mesh-psk-file", mesh,
                       "-home", "blank"]
            command += tls if transport == "tls" else ["-http-port", "-1", "-stun=false"]
            with open(self.directory / f"{transport}.log", "wb") as log:
                self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
            wait_until(lambda: self.answers(transport), f"derper on {self.ports[transport]}")
        return self

    def answers(self, transport):
        """Whether somebody listens."""
        try:
            socket.create_connection(self.address(transport), PATIENCE).close()
        except OSError:
            return False
        return True

    def address(self, transport):
        """Where a listener is."""
        return ("127.0.0.1", self.ports["tls" if transport.startswith("tls") else transport])

    def door(self, transport="http"):
        """A way in, closed when the server stops."""
        door = Door(self, transport)
        self.doors.append(door)
        return door

    def remove(self):
        """Everything lies in the test's directory."""

    def stop(self):
        """Ends both."""
        for door in self.doors:
            door.close()
        for process in self.processes:
            process.terminate()
            assert process.wait(PATIENCE) == 0
        self.processes.clear()


def clamped(key):
    """A private key in the form derper takes."""
    key = bytearray(key)
    key[0] &= 248
    key[31] = (key[31] & 127) | 64
    return bytes(key)
