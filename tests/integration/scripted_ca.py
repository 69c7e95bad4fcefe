"""A CA that speaks ACME over TLS and whose every answer a test may change: what Pebble never does, this one does.
SPDX-License-Identifier: LGPL-2.1-or-later

    with ScriptedCA(directory) as ca:
        ca.on("new-order", lambda request, answer: answer.json.update(authorizations=[]))
        ca.on("finalize", manner="hang")
        …
    assert not ca.faults        what the client did against RFC 8555

It checks each request as a CA does: signature, nonce, URL, key or account, the payload's form. It validates nothing; a test
says how challenges end.
"""

import base64
import contextlib
import dataclasses
import datetime
import hashlib
import ipaddress
import json
import pathlib
import re
import secrets
import socket
import ssl
import struct
import threading
import time

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from acceptor import Acceptor
from certs import Certificate, alternative, name_of

URN = "urn:ietf:params:acme:error:"

# Every request belongs to one of these.
STEPS = ("directory", "new-nonce", "new-account", "new-order", "authorization", "challenge", "order", "finalize", "certificate",
         "renewal-info", "revoke", "key-change", "account")

# Those that an order passes, in this order.
ORDER_STEPS = STEPS[:9]

MANNERS = ("whole", "hang", "close", "reset", "half", "drip", "endless", "endless-head", "garbage")


def unbase64url(text):
    """Decodes base64url, which must have no padding and no other characters."""
    if not re.fullmatch(r"[A-Za-z0-9_-]*", text):
        raise ValueError(f"{text[:40]!r} is not base64url without padding")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def base64url(data):
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(jwk):
    """RFC 7638."""
    own = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return base64url(hashlib.sha256(json.dumps(own, separators=(",", ":"), sort_keys=True).encode()).digest())


class Problem(Exception):
    """A request that is answered with a problem document."""

    def __init__(self, kind, detail, status=400):
        super().__init__(detail)
        self.answer = Answer(status, {"type": URN + kind, "detail": detail, "status": status},
                             headers={"Content-Type": "application/problem+json"})


@dataclasses.dataclass
class Request:
    """What came: the path without `/moved`, and the signed parts of a POST."""

    step: str
    method: str
    url: str
    path: str
    headers: dict
    body: bytes
    protected: dict = None
    payload: object = None


class Answer:
    """What goes out; `json` is written as the body unless `body` was set."""

    def __init__(self, status=200, json=None, body=None, headers=None, manner="whole"):  # pylint: disable=redefined-outer-name
        self.status = status
        self.json = json
        self.body = body
        self.headers = headers or {}
        self.manner = manner

    def bytes(self):
        """The body."""
        if self.body is not None:
            return self.body if isinstance(self.body, bytes) else self.body.encode()
        return b"" if self.json is None else json.dumps(self.json).encode()


def read_requests(secure):
    """The requests of a connection, one by one: method, target, headers, body."""
    pending = b""
    while True:
        while b"\r\n\r\n" not in pending:
            more = secure.recv(65536)
            if not more:
                return
            pending += more
        head, pending = pending.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        size = int(headers.get("content-length", 0))
        if headers.get("expect") == "100-continue":
            secure.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(pending) < size:
            more = secure.recv(65536)
            if not more:
                return
            pending += more
        body, pending = pending[:size], pending[size:]
        method, target, _ = first.split(" ")
        yield method, target, headers, body


class ScriptedCA:
    """See above. What may be set before or while it runs:

    @reuse: authorisations of new orders are valid already
    @looks: how often an authorisation that was answered is still pending, an order that was finalised still processing
    @asynchronous: finalising answers `processing`
    @ending: how challenges end: None is well, else the problem of the challenge as (type, detail)
    @retry_after: what is said in answers of authorisations and orders that are not done yet
    @profiles: names
    @leaf: changes what is issued: keys of `issue`

    @own_days: for how many days its own certificate is valid, that of its HTTPS
    """

    def __init__(self, directory, own_days=30):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.reuse = False
        self.looks = 0
        self.asynchronous = False
        self.ending = None
        self.retry_after = None
        self.profiles = {}
        self.leaf = {}
        self.rules = []
        self.requests = []        # of all requests so far, the step
        self.faults = []
        self.asked_renewal = []   # IDs that it was asked for
        self.accounts = {}        # URL: JWK
        self.orders = {}          # number: object, and what is ours below "_"
        self.authorizations = {}
        self.issued = []          # chains in PEM
        self.sent_bytes = 0
        self.nonces = set()
        self.numbers = iter(range(1, 1 << 30))
        self.lock = threading.RLock()
        self.stopped = threading.Event()
        self.root = Certificate("Scripted root", authority=True)
        self.intermediate = Certificate("Scripted intermediate", issuer=self.root, authority=True)
        own_root = Certificate("The CA's own CA", authority=True)
        own = Certificate("localhost", "127.0.0.1", "::1", issuer=own_root, days=own_days)
        self.ca_file = self.directory / "ca.pem"
        self.ca_file.write_text(own_root.pem)
        self.root_file = self.directory / "root.pem"
        self.root_file.write_text(self.root.pem)
        (self.directory / "own.pem").write_text(own.pem + own.key_pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.directory / "own.pem")
        self.acceptor = None
        self.port = 0

    # ---- running

    def start(self):
        """Listens; after `stop` on the same port again."""
        self.stopped.clear()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = listener.getsockname()[1]
        self.acceptor = Acceptor(listener, self.serve)
        return self

    def stop(self):
        """Every connection ends; what it knows stays."""
        self.stopped.set()
        if self.acceptor is not None:
            self.acceptor.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        self.stop()

    @property
    def directory_url(self):
        """Where a client begins."""
        return f"https://127.0.0.1:{self.port}/directory"

    def serve(self, connection):
        """Answers the requests of one connection until somebody closes it."""
        connection.settimeout(60)
        with self.context.wrap_socket(connection, server_side=True) as secure, contextlib.suppress(ValueError):
            for method, target, headers, body in read_requests(secure):
                if not self.deliver(secure, method, self.answer(method, target, headers, body)) or self.stopped.is_set():
                    return

    def deliver(self, connection, method, answer):
        """Sends an answer in its manner; says whether the connection goes on."""
        def send(data):
            connection.sendall(data)
            self.sent_bytes += len(data)

        manner = answer.manner
        if manner == "hang":
            self.stopped.wait(120)
            return False
        if manner == "close":
            return False
        if manner == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        if manner == "garbage":
            send(secrets.token_bytes(4096))
            return False
        body = answer.bytes()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body))} | answer.headers
        if manner in ("endless", "drip"):
            headers.pop("Content-Length")
            headers["Connection"] = "close"
        head = f"HTTP/1.1 {answer.status} Whatever\r\n"
        for name, values in headers.items():
            for value in values if isinstance(values, list) else [values]:
                head += f"{name}: {value}\r\n"
        if manner == "endless-head":
            send(head.encode())
            while not self.stopped.is_set():
                send(b"X-More: " + b"x" * 8000 + b"\r\n")
            return False
        send(head.encode("latin-1") + b"\r\n")
        if method == "HEAD":
            return True
        if manner == "endless":
            while not self.stopped.is_set():
                send(b" " * 65536)
            return False
        if manner == "drip":
            for byte in body + b" " * 1000:
                send(bytes([byte]))
                if self.stopped.wait(0.1):
                    break
            return False
        if manner == "half":
            send(body[:len(body) // 2])
            return False
        send(body)
        return True

    # ---- scripts

    def on(self, step, change=None, times=None, after=0, **fields):
        """From now on answers of @step go through @change(request, answer), which may give another one, and then get @fields.

        @times: only so often; @after: not the first so many.
        """
        assert step in STEPS, step
        assert all(hasattr(Answer(), name) for name in fields)
        self.rules.append({"step": step, "change": change, "fields": fields, "times": times, "after": after})

    def refuse(self, step, kind, detail="No.", status=400, headers=None, **how):
        """Answers of @step become a problem."""
        def refused(_request, _answer):
            problem = Problem(kind, detail, status).answer
            problem.headers |= headers or {}
            return problem
        self.on(step, refused, **how)

    def scripted(self, request, answer):
        """What rules make of an answer."""
        for rule in self.rules:
            if rule["step"] != request.step:
                continue
            if rule["after"] > 0:
                rule["after"] -= 1
                continue
            if rule["times"] is not None:
                if rule["times"] == 0:
                    continue
                rule["times"] -= 1
            if rule["change"]:
                changed = rule["change"](request, answer)
                answer = self.with_nonce(request, changed if isinstance(changed, Answer) else answer)
            for name, value in rule["fields"].items():
                setattr(answer, name, value)
        return answer

    def with_nonce(self, request, answer):
        """Answers to signed requests bring a nonce."""
        if (request.method == "POST" or request.step == "new-nonce") and "Replay-Nonce" not in answer.headers:
            nonce = secrets.token_urlsafe(16)
            self.nonces.add(nonce)
            answer.headers["Replay-Nonce"] = nonce
        return answer

    # ---- requests

    def count(self, step):
        """How many requests of this step came."""
        return self.requests.count(step)

    def answer(self, method, target, headers, body):
        """Answers one request."""
        path = re.sub(r"^(/moved\d*)+", "", target)
        words = path.strip("/").split("/")
        with self.lock:
            request = Request(words[0], method, f"https://{headers.get('host')}{target}", path, headers, body)
            if request.step not in STEPS:
                return Answer(404, body="<html>There is no such page.</html>", headers={"Content-Type": "text/html"})
            self.requests.append(request.step)
            try:
                answer = self.handle(request, words[1:])
            except Problem as problem:
                answer = problem.answer
                if answer.json["type"] == URN + "malformed":
                    self.faults.append(f"{request.step}: {problem}")
            except (LookupError, ValueError, TypeError, AttributeError) as error:
                self.faults.append(f"{request.step}: {error!r}")
                answer = Problem("malformed", f"{error!r}").answer
            return self.scripted(request, self.with_nonce(request, answer))

    def handle(self, request, words):
        """The answer of a CA without a script."""
        if "user-agent" not in request.headers:
            raise Problem("malformed", "User-Agent is missing")
        step = request.step
        if step == "directory":
            base = f"https://127.0.0.1:{self.port}/"
            return Answer(200, {
                "newNonce": base + "new-nonce", "newAccount": base + "new-account", "newOrder": base + "new-order",
                "revokeCert": base + "revoke", "keyChange": base + "key-change", "renewalInfo": base + "renewal-info",
                "meta": {"termsOfService": base + "terms", "profiles": self.profiles}, "aRandomName": "https://example.com/"})
        if step == "new-nonce":
            return Answer(200 if request.method == "HEAD" else 204, headers={"Cache-Control": "no-store"})
        if step == "renewal-info":
            self.asked_renewal += words
            now = datetime.datetime.now(datetime.timezone.utc)
            stamps = [(now + datetime.timedelta(days=days)).isoformat() for days in (30, 31)]
            return Answer(200, {"suggestedWindow": dict(zip(("start", "end"), stamps))}, headers={"Retry-After": "21600"})
        if request.method != "POST":
            raise Problem("malformed", f"{request.method} where only POST is allowed", 405)
        self.verify(request)
        return getattr(self, "handle_" + step.replace("-", "_"))(request, *words)

    def verify(self, request):
        """Takes a signed request apart and checks all of it."""
        if request.headers.get("content-type") != "application/jose+json":
            raise Problem("malformed", f"Content-Type {request.headers.get('content-type')}", 415)
        request.protected, request.payload = self.verify_parts(request.body, request.url, request.step in ("new-account",))
        nonce = request.protected.get("nonce")
        if nonce not in self.nonces:
            raise Problem("badNonce", f"{nonce!r} is not a nonce of ours, or was used")
        self.nonces.remove(nonce)
        if request.step in ("account", "order", "authorization", "certificate") and request.payload is not None:
            raise Problem("malformed", "POST-as-GET with a payload")

    def verify_parts(self, body, url, by_key):
        """Protected header and payload of a JWS, whose signature is checked."""
        try:
            jws = json.loads(body)
            if set(jws) != {"protected", "payload", "signature"}:
                raise ValueError(f"members {sorted(jws)}")
            protected = json.loads(unbase64url(jws["protected"]))
            text = unbase64url(jws["payload"])
            payload = json.loads(text) if text else None
            if ("jwk" in protected) == ("kid" in protected):
                raise ValueError("neither or both of jwk and kid")
            if by_key != ("jwk" in protected):
                raise ValueError("jwk where kid belongs, or the other way round")
            if protected["url"] != url:
                raise ValueError(f"signed for {protected['url']}, posted to {url}")
            if protected["alg"] != "ES256":
                raise ValueError(f"algorithm {protected['alg']}")
            jwk = protected.get("jwk") or self.accounts.get(protected["kid"])
            if jwk is None:
                raise Problem("accountDoesNotExist", f"There is no account {protected['kid']}")
            signature = unbase64url(jws["signature"])
            if len(signature) != 64:
                raise ValueError(f"a signature of {len(signature)} bytes")
            r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
            self.public_key(jwk).verify(encode_dss_signature(r, s), f"{jws['protected']}.{jws['payload']}".encode(),
                                        ec.ECDSA(hashes.SHA256()))
            return protected, payload
        except (ValueError, KeyError, TypeError) as error:
            raise Problem("malformed", f"not a JWS: {error}") from error
        except InvalidSignature as error:
            raise Problem("malformed", "the signature does not fit") from error

    @staticmethod
    def public_key(jwk):
        """The key of a JWK."""
        if (jwk["kty"], jwk["crv"]) != ("EC", "P-256"):
            raise ValueError(f"key type {jwk['kty']}")
        x, y = unbase64url(jwk["x"]), unbase64url(jwk["y"])
        if (len(x), len(y)) != (32, 32):
            raise ValueError("coordinates that are not of 32 bytes")
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()).public_key()

    def url_of(self, *parts):
        """A URL of ours."""
        return "/".join([f"https://127.0.0.1:{self.port}", *map(str, parts)])

    def handle_new_account(self, request):
        """Accounts are found again by their key."""
        jwk = request.protected["jwk"]
        for url, own in self.accounts.items():
            if own == jwk:
                return Answer(200, {"status": "valid"}, headers={"Location": url})
        if (request.payload or {}).get("onlyReturnExisting"):
            raise Problem("accountDoesNotExist", "There is no account with this key")
        if request.payload.get("termsOfServiceAgreed") is not True:
            raise Problem("userActionRequired", "The terms were not agreed to", 403)
        url = self.url_of("account", next(self.numbers))
        self.accounts[url] = jwk
        return Answer(201, {"status": "valid", "contact": request.payload.get("contact", [])}, headers={"Location": url})

    def handle_account(self, request, _number):
        """An account."""
        return Answer(200, {"status": "valid"}, headers={"Location": request.url})

    def handle_key_change(self, request):
        """A new key for an account."""
        inner = json.dumps(request.payload).encode()
        protected, payload = self.verify_parts(inner, request.url, True)
        kid = request.protected["kid"]
        if "nonce" in protected:
            raise Problem("malformed", "a nonce in the inner JWS")
        if payload != {"account": kid, "oldKey": self.accounts[kid]}:
            raise Problem("malformed", f"payload {payload}")
        self.accounts[kid] = protected["jwk"]
        return Answer(200, {"status": "valid"})

    def handle_new_order(self, request):
        """An order with an authorisation for each name."""
        names = request.payload.get("identifiers", [])
        for name in names:
            self.check_identifier(name)
        if set(request.payload) - {"identifiers", "profile", "replaces"}:
            raise Problem("malformed", f"members {sorted(request.payload)}")
        if "profile" in request.payload and request.payload["profile"] not in self.profiles:
            raise Problem("invalidProfile", f"There is no profile {request.payload['profile']}")
        number = next(self.numbers)
        expires = (datetime.datetime.utcnow() + datetime.timedelta(hours=1)).isoformat() + "Z"
        order = {"status": "pending", "expires": expires, "identifiers": names, "finalize": self.url_of("finalize", number),
                 "authorizations": []}
        if "profile" in request.payload:
            order["profile"] = request.payload["profile"]
        for name in names:
            own = next(self.numbers)
            wild = name["value"].startswith("*.")
            kinds = ["dns-01"] if wild else ["http-01", "tls-alpn-01"] + (["dns-01"] if name["type"] == "dns" else [])
            token = secrets.token_urlsafe(24)
            self.authorizations[own] = {
                "status": "valid" if self.reuse else "pending", "expires": expires,
                "identifier": {"type": name["type"], "value": name["value"].removeprefix("*.")},
                "challenges": [{"type": kind, "status": "valid" if self.reuse else "pending", "token": token,
                                "url": self.url_of("challenge", own, kind)} for kind in kinds],
                "_": {"order": number, "looks": self.looks}} | ({"wildcard": True} if wild else {})
            order["authorizations"].append(self.url_of("authorization", own))
        order["_"] = {"account": request.protected["kid"], "looks": self.looks}
        self.orders[number] = order
        self.proceed(order)
        return Answer(201, self.shown(order), headers={"Location": self.url_of("order", number)})

    @staticmethod
    def check_identifier(name):
        """Names as a CA wants them: lower case without a final dot, addresses in their shortest form."""
        kind, value = name["type"], name["value"]
        if kind == "ip" and str(ipaddress.ip_address(value)) == value:
            return
        if kind == "dns" and re.fullmatch(r"(\*\.)?([a-z0-9-]+\.)*[a-z0-9-]+", value):
            return
        raise Problem("malformed", f"identifier {name}")

    @staticmethod
    def shown(thing):
        """An object without what is ours."""
        return {name: json.loads(json.dumps(value)) for name, value in thing.items() if name != "_"}

    def proceed(self, order):
        """An order follows its authorisations."""
        states = [self.authorizations[int(url.split("/")[-1])]["status"] for url in order["authorizations"]]
        if order["status"] == "pending" and all(state == "valid" for state in states):
            order["status"] = "ready"
        elif order["status"] == "pending" and "invalid" in states:
            order["status"] = "invalid"
            order["error"] = {"type": URN + self.ending[0], "detail": self.ending[1], "status": 403}

    def waiting(self):
        """Headers of something that is not done yet."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}

    def handle_order(self, _request, number):
        """The order as it is now."""
        order = self.orders[int(number)]
        if order["status"] == "processing":
            if order["_"]["looks"] > 0:
                order["_"]["looks"] -= 1
                return Answer(200, self.shown(order), headers=self.waiting())
            self.complete(int(number), order)
        return Answer(200, self.shown(order), headers=self.waiting() if order["status"] == "pending" else {})

    def handle_authorization(self, _request, number):
        """The authorisation as it is now; one that was answered ends."""
        own = self.authorizations[int(number)]
        answered = [challenge for challenge in own["challenges"] if challenge["status"] == "processing"]
        if answered:
            if own["_"]["looks"] > 0:
                own["_"]["looks"] -= 1
            elif self.ending is None:
                answered[0] |= {"status": "valid", "validated": datetime.datetime.utcnow().isoformat() + "Z"}
                own |= {"status": "valid", "challenges": answered}
            else:
                kind, detail = self.ending
                answered[0] |= {"status": "invalid", "error": {"type": URN + kind, "detail": detail, "status": 403}}
                own |= {"status": "invalid", "challenges": answered}
            self.proceed(self.orders[own["_"]["order"]])
        return Answer(200, self.shown(own), headers=self.waiting() if own["status"] == "pending" else {})

    def handle_challenge(self, request, number, kind):
        """The client says that its answer is in place."""
        own = self.authorizations[int(number)]
        challenge = [challenge for challenge in own["challenges"] if challenge["type"] == kind][0]
        if request.payload != {}:
            raise Problem("malformed", f"a challenge was answered with {request.payload}")
        if own["status"] != "pending" or any(other["status"] == "processing" for other in own["challenges"]):
            raise Problem("malformed", "a challenge that is answered already, or another one of the same name")
        challenge["status"] = "processing"
        return Answer(200, json.loads(json.dumps(challenge)),
                      headers={"Link": f'<{self.url_of("authorization", number)}>;rel="up"'})

    def handle_finalize(self, request, number):
        """The certificate is asked for."""
        order = self.orders[int(number)]
        if order["status"] != "ready":
            raise Problem("orderNotReady", f"The order is {order['status']}", 403)
        csr = x509.load_der_x509_csr(unbase64url(request.payload["csr"]))
        if not csr.is_signature_valid:
            raise Problem("badCSR", "The signature does not fit")
        wanted = sorted(name["value"] for name in order["identifiers"])
        names = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = sorted(str(name.value) for name in names)
        if found != wanted or list(csr.subject):
            raise Problem("malformed", f"a CSR for {found}, subject {csr.subject}; the order has {wanted}")
        if any(csr.public_key() == self.public_key(jwk) for jwk in self.accounts.values()):
            raise Problem("malformed", "a CSR with the account's key")
        order["_"]["csr"] = csr
        order["status"] = "processing"
        if not self.asynchronous:
            self.complete(int(number), order)
        return Answer(200, self.shown(order), headers=self.waiting())

    def complete(self, number, order):
        """The certificate is there."""
        self.issued.append(self.issue(order["_"]["csr"], **self.leaf))
        order["_"]["chain"] = self.issued[-1]
        order |= {"status": "valid", "certificate": self.url_of("certificate", number)}

    def handle_certificate(self, _request, number):
        """The chain, leaf first."""
        if "chain" not in self.orders[int(number)]["_"]:
            raise Problem("malformed", "the certificate is not there yet", 404)
        return Answer(200, body=self.orders[int(number)]["_"]["chain"],
                      headers={"Content-Type": "application/pem-certificate-chain"})

    def handle_revoke(self, request):
        """A certificate is revoked."""
        x509.load_der_x509_certificate(unbase64url(request.payload["certificate"]))
        return Answer(200)

    def issue(self, csr, key=None, names=None, since=-1, until=90, chain=True, issuer=None, with_root=False, text=None):
        """A chain for a request, in PEM; what is not given is as it must be. @since and @until in days from now on."""
        if text is not None:
            return text
        issuer = issuer or self.intermediate
        now = datetime.datetime.utcnow()
        wanted = csr.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        if names is not None:
            wanted = x509.SubjectAlternativeName([alternative(name) for name in names])
        leaf = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([])).issuer_name(self.intermediate.certificate.subject)
            .public_key(key or csr.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=since)).not_valid_after(now + datetime.timedelta(days=until))
            .add_extension(wanted, critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
            .sign(issuer.key, hashes.SHA256()))
        pem = leaf.public_bytes(serialization.Encoding.PEM).decode()
        if chain:
            pem += self.intermediate.pem
        return pem + (self.root.pem if with_root else "")


def http_date(seconds):
    """The date in so many seconds, as HTTP writes it."""
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + seconds))
