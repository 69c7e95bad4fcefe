"""Drives the program detour-acme over its pipes, and answers challenges where Pebble looks for them.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import hashlib
import http.server
import ipaddress
import json
import os
import queue
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from acceptor import Acceptor
from certs import Certificate, names_of
from relay import BUILD

PROGRAM = BUILD / "plugins" / "cert-acme" / "client" / "detour-acme"
LIMIT = 60


class Client:
    """One run of the program. Events come one by one, or all with `finish`."""

    def __init__(self, request=None, line=None, environment=None):
        self.process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env={**os.environ, "no_proxy": "127.0.0.1,localhost,::1", **(environment or {})})
        self.events = []
        self.lines = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        if request is not None:
            self.send(request)
        if line is not None:
            self.write(line)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()

    def read(self):
        """Moves lines from the pipe into the queue."""
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def write(self, line):
        """Bytes as they are."""
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def send(self, message):
        """One JSON object."""
        self.write(json.dumps(message).encode() + b"\n")

    def next(self):
        """The next event, or None when the program is done."""
        line = self.lines.get(timeout=LIMIT)
        if line is None:
            return None
        event = json.loads(line)
        assert "\n" not in line.decode()[:-1] and len(line) < 1 << 20
        self.events.append(event)
        return event

    def wait_for(self, kind):
        """The next event of that kind."""
        while event := self.next():
            if event["event"] == kind:
                return event
        raise AssertionError(f"no {kind}: {self.events}")

    def finish(self, answer=None):
        """Runs to the end; @answer(event) answers what is to be presented. Gives the exit status."""
        while event := self.next():
            if event["event"] == "present":
                why = answer(event)
                self.send({"refused": event["id"], "why": why} if why else {"presented": event["id"]})
            elif event["event"] == "cleanup" and answer:
                answer(event)
        status = self.process.wait(LIMIT)
        errors = self.process.stderr.read().decode()
        assert errors == "", errors
        return status

    def of(self, kind):
        """All events of that kind."""
        return [event for event in self.events if event["event"] == kind]

    def one(self, kind):
        """The only event of that kind."""
        found = self.of(kind)
        assert len(found) == 1, f"{len(found)} times {kind}: {self.events}"
        return found[0]


class Responder:
    """Answers challenges: a web server, a TLS server, and records in the DNS server of @pebble."""

    def __init__(self, pebble):
        self.pebble = pebble
        self.tokens = {}
        self.certificates = {}
        self.presented = {}
        self.wrong = False
        self.refuse = {}
        self.web = []
        self.tls = []

    def __enter__(self):
        responder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            """Key authorisations by path."""

            def do_GET(self):
                """The name is the standard library's."""
                text = responder.tokens.get(self.path.rsplit("/", 1)[-1])
                self.send_response(200 if text else 404)
                self.end_headers()
                self.wfile.write((text or "").encode())

            def log_message(self, *unused):
                """Says nothing."""

        class Server(http.server.ThreadingHTTPServer):
            """Of one family."""
            daemon_threads = True
            block_on_close = False

            def __init__(self, family, address):
                self.address_family = family
                super().__init__(address, Handler)

        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            web = Server(family, (host, self.pebble.http_port))
            threading.Thread(target=web.serve_forever, daemon=True).start()
            self.web.append(web)
            self.tls.append(Acceptor(socket.create_server((host, self.pebble.tls_port), family=family), self.shake_hands))
        return self

    def __exit__(self, *unused):
        for web in self.web:
            web.shutdown()
            web.server_close()
        for tls in self.tls:
            tls.close()

    def __call__(self, event):
        """Presents or cleans up; a text refuses."""
        if event["event"] == "cleanup":
            done = self.presented.pop(event["id"])
            if done["type"] == "dns-01":
                self.pebble.dns.clear_txt(done["record"])
            return None
        if event["type"] in self.refuse:
            return self.refuse[event["type"]]
        self.presented[event["id"]] = event
        text = event["key_authorization"] if not self.wrong else "wrong"
        assert event["key_authorization"].startswith(event["token"] + ".")
        if event["type"] == "http-01":
            self.tokens[event["token"]] = text
        elif event["type"] == "tls-alpn-01":
            self.certificates[sni_of(event["identifier"])] = challenge_certificate(event["identifier"], text)
        else:
            self.pebble.dns.set_txt(event["record"], event["value"] if not self.wrong else "wrong")
        return None

    def shake_hands(self, sock):
        """One handshake, as acme-tls/1."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["acme-tls/1"])

        def choose(connection, name, _context):
            connection.context = self.certificates[name]

        context.sni_callback = choose
        with contextlib.suppress(KeyError):
            context.wrap_socket(sock, server_side=True).close()


def sni_of(identifier):
    """The name asked for in TLS."""
    try:
        return ipaddress.ip_address(identifier).reverse_pointer
    except ValueError:
        return identifier


def challenge_certificate(identifier, key_authorization):
    """A context with the certificate of RFC 8737."""
    key = ec.generate_private_key(ec.SECP256R1())
    value = b"\x04\x20" + hashlib.sha256(key_authorization.encode()).digest()
    plain = Certificate(identifier).certificate
    certificate = (x509.CertificateBuilder().subject_name(plain.subject).issuer_name(plain.subject)
                   .public_key(key.public_key()).serial_number(1)
                   .not_valid_before(plain.not_valid_before).not_valid_after(plain.not_valid_after)
                   .add_extension(plain.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, critical=False)
                   .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"), value), critical=True)
                   .sign(key, hashes.SHA256()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["acme-tls/1"])
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
        file.write(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def request(pebble, what="order", **fields):
    """A request to @pebble."""
    message = {"do": what, "directory": pebble.directory_url, "ca_file": str(pebble.ca_file), "time_limit": LIMIT}
    if what == "order":
        message |= {"profile": "auto", "key_type": "p256", "challenges": ["http-01"], "dns_servers": [pebble.dns.address]}
    return message | fields


def order(pebble, *names, answer=None, **fields):
    """A run that must give a certificate for @names; gives the client."""
    with Client(request(pebble, names=list(names), **fields)) as client:
        status = client.finish(answer)
        assert status == 0, client.events
        check(client.one("certificate"), *names)
        return client


def check(event, *names):
    """The certificate fits its key and has just @names."""
    leaf = x509.load_pem_x509_certificate(event["chain"].encode())
    key = serialization.load_pem_private_key(event["key"].encode(), None)
    assert leaf.public_key().public_numbers() == key.public_key().public_numbers()
    assert set(names_of(leaf)) == set(names)
    assert leaf.not_valid_after.timestamp() > time.time()
    return leaf
