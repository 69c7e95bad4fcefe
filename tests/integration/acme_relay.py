"""A relay that gets its certificates from a test's CA, and the clients that trust that CA.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import socket
import ssl

from cryptography import x509

from control import ask
from derp_client import PATIENCE, Client, Stream, meta_key
from relay import Relay, wait_until, with_keys

# What an operator writes, and what a test must add: where the CA is, and listeners on ports that are free.
CONFIG = """
[core]
hostname = relay.test
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1

[admission]
chain = open

[transport https]
plugin = tls
listen = 127.0.0.1:{https}; [::1]:{https}

[transport http]
plugin = http
listen = 127.0.0.1:{http}; [::1]:{http}
redirect = none

[http acme]

[log stderr]
plugin = stderr
level = debug
"""


class AcmeRelay(Relay):
    """@ca: Pebble, or a ScriptedCA. Its validations come to this relay's listeners. @keys: of [cert main]."""

    def __init__(self, directory, ca, config=CONFIG, instances=None, **keys):
        own = {"plugin": "acme", "directory_url": ca.directory_url, "ca_file": ca.ca_file}
        for name, more in (instances or {"main": {"challenge": "tls-alpn-01"} | keys}).items():
            config = with_keys(config, f"cert {name}", **own | more)
        super().__init__(directory, config)
        self.ca = ca
        self.take_ports()

    def take_ports(self):
        """Listens where the CA looks."""
        if hasattr(self.ca, "tls_port"):
            self.ports |= {"https": self.ca.tls_port, "http": self.ca.http_port}

    # ---- what status says

    @property
    def shown(self):
        """All certificates as programs see them."""
        return ask(self, "status")["certificates"]

    def certificate(self, instance="cert/main"):
        """The one of an instance."""
        found, = [entry for entry in self.shown if entry["instance"] == instance]
        return found

    def wait_state(self, state, instance="cert/main", timeout=PATIENCE):
        """Waits until the certificate of an instance is in this state, and gives its entry."""
        def reached():
            entry = self.certificate(instance)
            return entry if entry["state"] == state else None
        return wait_until(reached, f"{instance} to be {state}: {self.tail()}", timeout)

    # ---- clients that verify

    def connect(self, root_file, name="relay.test", address="127.0.0.1", port="https"):
        """A TLS connection whose certificate was verified for @name, or an ssl.SSLError."""
        context = ssl.create_default_context(cafile=str(root_file))
        sock = socket.create_connection((address, self.ports[port]), timeout=PATIENCE)
        return Stream(context.wrap_socket(sock, server_hostname=name))

    def login(self, root_file, name="relay.test", key=None, address="127.0.0.1"):
        """A DERP client that trusts only that root."""
        stream = self.connect(root_file, name, address)
        client = Client(stream, key)
        client.server_key = meta_key(stream.certificates())
        return client.login(fast=client.server_key is not None)

    def leaf(self, root_file, name="relay.test", address="127.0.0.1"):
        """The verified leaf; None while there is none that this client trusts."""
        try:
            stream = self.connect(root_file, name, address)
        except (ssl.SSLError, ConnectionError, TimeoutError):
            return None
        certificate = x509.load_der_x509_certificate(stream.certificates()[0])
        stream.close()
        return certificate

    def wait_leaf(self, root_file, name="relay.test", address="127.0.0.1", other_than=None, timeout=PATIENCE):
        """Waits for a certificate that is trusted, and gives it."""
        def come():
            leaf = self.leaf(root_file, name, address)
            return leaf if leaf and (other_than is None or leaf.serial_number != other_than.serial_number) else None
        return wait_until(come, f"a certificate for {name}\n{self.tail()}", timeout)
