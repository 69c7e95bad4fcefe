"""Pebble, the test CA, and its DNS server, each on ports of its own; built from the module in tests/acme.
SPDX-License-Identifier: LGPL-2.1-or-later

    with Pebble(directory, nonce_refusals=50) as ca:
        ca.directory_url, ca.ca_file        what a client needs to be told
        ca.http_port, ca.tls_port           where validations connect: put listeners there, or nothing
        ca.dns.set_txt("_acme-challenge.w.test", "…")

Run as a program it only builds Pebble below DETOUR_BUILD, which the first test would do otherwise.
"""

import base64
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certs import Certificate
from relay import BUILD, free_port, wait_until

MODULE = pathlib.Path(__file__).resolve().parent.parent / "acme"
PROGRAMS = BUILD / "acme"

# Profiles by name: seconds that a certificate is valid. Without a wish Pebble takes one at random, so there is one.
PROFILES = {"default": 90 * 86400}


def build():
    """Builds Pebble and its DNS server; gives their folder."""
    build_go(MODULE, "tool", "pebble", PROGRAMS)
    return PROGRAMS


def build_go(module, package, name, output=None):
    """Builds a Go program unless that was done; several tests at once wait for the first. Gives its path."""
    go = shutil.which("go")
    version = go and re.match(r"go(\d+)\.(\d+)", subprocess.run([go, "env", "GOVERSION"], cwd="/", stdout=subprocess.PIPE,
                                                                text=True, check=True).stdout)
    if not version or (int(version[1]), int(version[2])) < (1, 26):
        pytest.skip(f"there is no Go that could build {name} (1.26 or newer)")
    sources = [module / "go.mod", module / "go.sum", *sorted((module / package).glob("*.go"))]
    wanted = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    PROGRAMS.mkdir(exist_ok=True)
    with open(PROGRAMS / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = PROGRAMS / f"{name}.made-of"
        if not made.exists() or made.read_text() != wanted:
            done = subprocess.run([go, "build", "-o", f"{output}/" if output else PROGRAMS / name, package], cwd=module,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            assert done.returncode == 0, f"{name} could not be built\n{done.stdout}"
            made.write_text(wanted)
    return PROGRAMS / name


class HeldPort:
    """A free port that stays ours before a server listens there and after it stopped; connecting to it is refused meanwhile.

    Linux lets a server that sets SO_REUSEADDR, as all of ours do, listen on a port that is bound but not listened on.
    """

    def __init__(self, *addresses):
        while True:
            self.number = free_port()
            self.sockets = []
            try:
                for address in addresses or ("127.0.0.1", "::1"):
                    held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
                    self.sockets.append(held)
                    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    held.bind((address, self.number))
                return
            except OSError:
                self.release()

    def release(self):
        """Gives the port back."""
        for held in self.sockets:
            held.close()


class Program:
    """One running server with a log."""

    running = set()  # those of this process that nobody has stopped yet

    def __init__(self, name, directory, arguments, environment=None):
        self.log_file = directory / f"{name}.log"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen([build() / name, *arguments], cwd=directory, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, env=os.environ | (environment or {}))
        self.running.add(self)

    @property
    def log(self):
        """All that it said so far."""
        return self.log_file.read_text(errors="replace")

    def wait_ready(self, question):
        """Waits until @question has an answer; the program must not end before."""
        def answered():
            assert self.process.poll() is None, f"{self.log_file.name} ended with {self.process.returncode}\n{self.log[-3000:]}"
            try:
                return question()
            except OSError:
                return None
        return wait_until(answered, f"{self.log_file.name}: an answer\n{self.log[-3000:]}")

    def stop(self):
        """Ends it; it has nothing to tidy up."""
        self.process.kill()
        self.process.wait()
        self.running.discard(self)


class NameServer:
    """pebble-challtestsrv as a DNS server (TCP and UDP): every name is 127.0.0.1 unless told otherwise."""

    def __init__(self, directory):
        self.directory = directory
        self.ports = []
        self.program = None

    def start(self):
        """Starts it, on another port if its UDP port was taken in the meantime."""
        management, dns = HeldPort("127.0.0.1"), HeldPort("127.0.0.1")
        self.ports = [management, dns]
        self.program = Program("pebble-challtestsrv", self.directory, [
            "-dnsserver", f"127.0.0.1:{dns.number}", "-management", f"127.0.0.1:{management.number}", "-http01", "", "-https01", "",
            "-tlsalpn01", "", "-doh", "", "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
        self.program.wait_ready(lambda: self.post("clear-request-history", host="", type="dns"))
        self.program.wait_ready(lambda: socket.create_connection(("127.0.0.1", dns.number)).close() or True)
        if "address already in use" in self.program.log:
            self.stop()
            self.start()
        return self

    def stop(self):
        """Ends it."""
        if self.program:
            self.program.stop()
        for port in self.ports:
            port.release()

    @property
    def address(self):
        """IP:PORT."""
        return f"127.0.0.1:{self.ports[1].number}"

    @property
    def management_url(self):
        """Where its records are set, as JSON; see `set_txt` for an example."""
        return f"http://127.0.0.1:{self.ports[0].number}"

    def post(self, what, **arguments):
        """One request to it, such as `add-a` or `set-servfail`."""
        request = urllib.request.Request(f"{self.management_url}/{what}", json.dumps(arguments).encode())
        try:
            return DIRECT.open(request, timeout=10).read() or True
        except urllib.error.HTTPError as error:
            # It has no history before the first question, and says so.
            assert what == "clear-request-history", error
            return True

    def set_txt(self, name, value):
        """One TXT value more at @name."""
        self.post("set-txt", host=name.rstrip(".") + ".", value=value)

    def clear_txt(self, name):
        """No TXT values at @name."""
        self.post("clear-txt", host=name.rstrip(".") + ".")

    def set_addresses(self, name, *addresses):
        """Addresses of @name, IPv4 or IPv6."""
        name = name.rstrip(".") + "."
        for kind, own in (("a", [a for a in addresses if ":" not in a]), ("aaaa", [a for a in addresses if ":" in a])):
            self.post(f"add-{kind}", host=name, addresses=own)


# Proxies of the environment are for the network, not for this host.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Pebble:
    """One Pebble with a DNS server of its own, or with @dns of another.

    @nonce_refusals: of 100 good nonces, how many are refused
    @reuse: of 100 authorisations that could be used again, how many are, and one more
    @eab: accounts need external binding: {key ID: key as bytes}
    @profiles: {name: seconds of validity}
    @alternate_roots, @chain_length: chains beside the first; intermediates of each
    @refused_names: names that it refuses
    @retry_after: seconds that it asks clients to wait between two looks at an authorisation and at an order
    @always_valid: nothing is validated
    @validation_pause: seconds up to which each validation waits before it begins
    @http_port, @tls_port: where validations connect, if not to free ports that are held for a relay
    """

    def __init__(self, directory, nonce_refusals=0, reuse=0, eab=None, profiles=None, alternate_roots=0, chain_length=1,
                 refused_names=(), retry_after=1, always_valid=False, validation_pause=0, key_algorithm="ecdsa", dns=None,
                 http_port=None, tls_port=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.borrows_dns = dns is not None
        self.dns = dns or NameServer(self.directory)
        self.held = {name: HeldPort() for name in ("listen", "management")}
        self.held |= {name: HeldPort() for name, given in (("http", http_port), ("tls", tls_port)) if given is None}
        self.http_port = http_port or self.held["http"].number
        self.tls_port = tls_port or self.held["tls"].number
        self.authority = Certificate("Pebble's own CA", authority=True)
        self.ca_file = self.directory / "pebble-ca.pem"
        self.ca_file.write_text(self.authority.pem)
        self.program = None
        own = Certificate("localhost", "127.0.0.1", "::1", issuer=self.authority)
        (self.directory / "pebble.crt").write_text(own.pem)
        (self.directory / "pebble.key").write_text(own.key_pem)
        self.config = {
            "listenAddress": f"127.0.0.1:{self.held['listen'].number}",
            "managementListenAddress": f"127.0.0.1:{self.held['management'].number}",
            "certificate": "pebble.crt", "privateKey": "pebble.key",
            "httpPort": self.http_port, "tlsPort": self.tls_port,
            "externalAccountBindingRequired": bool(eab),
            "externalAccountMACKeys": {name: base64url(key) for name, key in (eab or {}).items()},
            "domainBlocklist": list(refused_names),
            "retryAfter": {"authz": retry_after, "order": retry_after},
            "keyAlgorithm": key_algorithm,
            "profiles": {name: {"description": f"certificates of {seconds} s", "validityPeriod": seconds}
                         for name, seconds in (profiles or PROFILES).items()},
        }
        self.environment = {
            "PEBBLE_WFE_NONCEREJECT": str(nonce_refusals), "PEBBLE_AUTHZREUSE": str(reuse),
            "PEBBLE_ALTERNATE_ROOTS": str(alternate_roots), "PEBBLE_CHAIN_LENGTH": str(chain_length),
            "PEBBLE_VA_SLEEPTIME": str(validation_pause),
        }
        if not validation_pause:
            self.environment["PEBBLE_VA_NOSLEEP"] = "1"
        if always_valid:
            self.environment["PEBBLE_VA_ALWAYS_VALID"] = "1"

    # ---- running

    def start(self):
        """Starts both servers. After `stop` it begins anew on the same ports: new roots, no accounts."""
        assert self.program is None, "it runs already"
        if not self.borrows_dns:
            self.dns.start()
        (self.directory / "pebble.json").write_text(json.dumps({"pebble": self.config}))
        self.program = Program("pebble", self.directory, ["-strict", "-config", "pebble.json", "-dnsserver", self.dns.address],
                               self.environment)
        self.program.wait_ready(lambda: self.get(self.directory_url) and self.roots())
        return self

    def stop(self):
        """Ends both; the ports stay ours."""
        if self.program:
            self.program.stop()
            self.program = None
        if not self.borrows_dns:
            self.dns.stop()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __exit__(self, kind, error, trace):
        self.stop()
        for port in self.held.values():
            port.release()

    @property
    def log(self):
        """All that it said since its start."""
        return self.program.log

    # ---- what clients need

    @property
    def directory_url(self):
        """URL of the ACME directory, by address; `localhost` in its place is fine, too."""
        return f"https://127.0.0.1:{self.held['listen'].number}/dir"

    # ---- what tests ask it

    def get(self, url, body=None):
        """GET, or POST of an object, by a client that trusts its CA; gives the answer's body."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        data = None if body is None else json.dumps(body).encode()
        with opener.open(urllib.request.Request(url, data, {"User-Agent": "test"}), timeout=10) as answer:
            return answer.read().decode()

    def manage(self, path, body=None):
        """The same on the management port."""
        return self.get(f"https://127.0.0.1:{self.held['management'].number}/{path}", body)

    def roots(self, number=0):
        """The root that a chain ends at, in PEM: 0 of the first, 1… of alternatives."""
        return self.manage(f"roots/{number}")

    def intermediates(self, number=0):
        """The intermediates below that root, in PEM."""
        return self.manage(f"intermediates/{number}")

    def root_file(self, number=0):
        """A file with that root, for clients that trust this CA."""
        path = self.directory / f"root{number}.pem"
        path.write_text(self.roots(number))
        return path

    def status(self, certificate):
        """What it knows of a certificate (PEM): Status is Valid or Revoked."""
        serial = x509.load_pem_x509_certificate(certificate.encode()).serial_number
        return json.loads(self.manage(f"cert-status-by-serial/{serial:x}"))

    def set_renewal_info(self, certificate, answer):
        """What it answers from now on when asked when @certificate (PEM) is to be renewed: a string, or (start, end) in RFC 3339."""
        if not isinstance(answer, str):
            answer = json.dumps({"suggestedWindow": dict(zip(("start", "end"), answer))})
        leaf = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(serialization.Encoding.PEM).decode()
        self.manage("set-renewal-info/", {"Certificate": leaf, "ARIResponse": answer})

    def orders(self):
        """How many orders were made so far."""
        return len(re.findall(r"Added order ", self.log))

    def issued(self):
        """How many certificates were issued so far."""
        return len(re.findall(r"Issued certificate serial ", self.log))

    def requests(self, path=""):
        """The requests so far whose path begins with @path: (method, path)."""
        return [(method, own) for method, own in re.findall(r"Pebble \S+ \S+ (\S+) (\S+) -> calling handler", self.log)
                if own.startswith(path)]


def base64url(data):
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


if __name__ == "__main__":
    try:
        print(build())
    except pytest.skip.Exception as reason:
        sys.exit(str(reason))
