"""detour-acme with a CA that does what CAs do seldom, or should never do: no crash, and an error that helps, or a certificate.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import base64
import concurrent.futures
import copy
import itertools
import json
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from acme_run import Run, run_order
from certs import Certificate
from scripted_ca import ORDER_STEPS, URN, Answer, ScriptedCA, http_date, thumbprint


@pytest.fixture
def make_ca(tmp_path):
    """Starts CAs that end with the test."""
    made = []
    numbers = itertools.count()

    def make(**options):
        ca = ScriptedCA(tmp_path / f"ca{next(numbers)}")
        made.append(ca)
        for name, value in options.items():
            assert hasattr(ca, name), name
            setattr(ca, name, value)
        return ca.start()

    yield make
    for ca in made:
        ca.stop()


@pytest.fixture
def ca(make_ca):
    """One CA."""
    return make_ca()


def every_other(things, number):
    """Half of @things, the other half for the next number: whoever has many cases need not run them all."""
    return list(things)[number % 2::2]


def side_by_side(work, cases):
    """Runs @work for all cases, four at a time; gives what it gave. Most of their time they wait."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(work, cases))


def succeeded(run, ca, *names):
    """The run brought a good certificate for these names, and did nothing that a CA could object to."""
    assert run.code == 0 and run.last["event"] == "certificate", run.events
    assert ca.faults == []
    leaf = x509.load_pem_x509_certificate(run.last["chain"].encode())
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(str(name.value) for name in found) == sorted(names or ["relay.test"])
    assert "PRIVATE KEY" in run.last["key"]
    return run


# ---- states that are rare, and right

def set_members(**members):
    """A change of an answer's members."""
    return lambda request, answer: answer.json.update(members)


def drop_members(*names):
    """A change of an answer that takes members out."""
    def change(_request, answer):
        for name in names:
            answer.json.pop(name, None)
    return change


def odd_challenges(_request, answer):
    """Types that nobody knows stand before the others, and have what they like."""
    odd = [{"type": "dns-persist-01", "url": "https://ca.invalid/1", "status": "pending", "accounturi": 7, "issuer-domain-names": []},
           {"type": "tkauth-01"}, {"type": "tls-sni-02", "token": None, "url": None, "status": "new"}]
    answer.json["challenges"] = odd + answer.json["challenges"]


def moved(status):
    """A redirect to the same place by another name, once."""
    def change(request, _answer):
        if "/moved" in request.url:
            return None
        return Answer(status, headers={"Location": re.sub(r"(:\d+)/", r"\1/moved/", request.url, count=1)})
    return change


def hidden(kind, status):
    """The CA did what it was asked for, and answers with a problem all the same."""
    return lambda request, answer: Answer(status, {"type": URN + kind, "detail": "look again", "status": status},
                                          headers={"Content-Type": "application/problem+json"})


RIGHT = {
    "as usual": {},
    "ready at once": {"set": {"reuse": True}},
    "authorisations valid, order pending": {"set": {"reuse": True}, "on": [("new-order", set_members(status="pending"))]},
    "no authorisations": {"set": {"reuse": True}, "on": [("new-order", set_members(authorizations=[]))]},
    "no authorisations, pending": {"set": {"reuse": True},
                                   "on": [("new-order", set_members(authorizations=[], status="pending"))]},
    "processing for a while": {"set": {"asynchronous": True, "looks": 2}},
    "processing that has its certificate already": {
        "set": {"asynchronous": True, "looks": 1, "reuse": True},
        "on": [(step, lambda request, answer: answer.json.setdefault("certificate", "https://127.0.0.1:1/none")
                if answer.json["status"] == "processing" else None) for step in ("finalize", "order")]},
    "a challenge that takes its time": {"set": {"looks": 3}},
    "Retry-After in seconds": {"set": {"looks": 1, "asynchronous": True, "retry_after": 1}},
    "Retry-After as a date": {"set": {"looks": 1, "asynchronous": True, "retry_after": http_date(1)}},
    "Retry-After of nothing": {"set": {"looks": 1, "retry_after": ""}},
    "Retry-After in the past": {"set": {"looks": 1, "retry_after": http_date(-86400)}},
    "Retry-After below zero": {"set": {"looks": 1, "retry_after": -5}},
    "Retry-After of words": {"set": {"looks": 1, "retry_after": "soon, maybe"}},
    "not ready when finalised, but it is": {"on": [("finalize", hidden("orderNotReady", 403))]},
    "a conflict when finalised": {"set": {"asynchronous": True, "looks": 1}, "on": [("finalize", hidden("malformed", 409))]},
    "challenge types of the future": {"on": [("authorization", odd_challenges)]},
    "members of the future": {"on": [(step, set_members(future={"a": [1, {}]}, futures=None, detail=7))
                                     for step in ("new-account", "new-order", "authorization", "challenge", "finalize")]},
    "null for what is not there": {"on": [("new-order", set_members(error=None, certificate=None, notBefore=None, profile=None)),
                                          ("authorization", set_members(wildcard=None, expires=None))]},
    "no expiry": {"on": [(step, drop_members("expires")) for step in ("new-order", "authorization", "order")]},
    "an order made with 200": {"on": [("new-order", None, {"status": 200})]},
    "an account made with 200": {"on": [("new-account", None, {"status": 200})]},
    "an account without a body": {"on": [("new-account", None, {"body": ""})]},
    "a challenge answered with nothing": {"on": [("challenge", None, {"body": ""})]},
    "no content types": {"on": [(step, None, {"headers": {"Content-Type": "text/plain"}}) for step in ("directory", "certificate")]},
    "a directory that moved": {"on": [("directory", moved(301))]},
    "a directory that moved for now": {"on": [("directory", moved(307))]},
    "a chain with its root": {"set": {"leaf": {"with_root": True}}},
    "a chain in Windows lines": {"on": [("certificate", lambda request, answer: setattr(
        answer, "body", answer.body.replace("\n", "\r\n")))]},
    "a chain without its last newline": {"on": [("certificate", lambda request, answer: setattr(
        answer, "body", answer.body.rstrip("\n")))]},
    "a chain with words before it": {"on": [("certificate", lambda request, answer: setattr(
        answer, "body", "subject=\nissuer=CN = somebody\n" + answer.body))]},
    "no nonces but by request": {"on": [(step, lambda request, answer: answer.headers.update({"Replay-Nonce": []}))
                                        for step in ORDER_STEPS if step != "new-nonce"]},
    "an overload that passes": {"on": [("directory", None, {"status": 503, "body": "<html>busy</html>", "headers": {"Retry-After": "1"}},
                                        1)]},
}


def arrange(ca, case):
    """Sets up one case of a table."""
    for name, value in case.get("set", {}).items():
        setattr(ca, name, value)
    for step, change, *more in case.get("on", []):
        ca.on(step, change, times=more[1] if len(more) > 1 else None, **(more[0] if more else {}))


@pytest.mark.parametrize("case", RIGHT)
def test_a_state_that_is_rare(ca, case):
    arrange(ca, RIGHT[case])
    run = succeeded(run_order(ca), ca)
    for event in run.of("present"):
        (account,) = ca.accounts.values()
        assert event["key_authorization"] == f"{event['token']}.{thumbprint(account)}"


def test_names_and_addresses_in_one_order(ca):
    names = ["relay.test", "192.0.2.7", "2001:db8::7"]
    run = succeeded(run_order(ca, *names), ca, *names)
    by_name = {event["name"]: event for event in run.of("present")}
    assert set(by_name) == set(names)
    assert all(event["type"] == "tls-alpn-01" for event in by_name.values())


def test_identifiers_come_back_in_another_order(ca):
    ca.on("new-order", lambda request, answer: answer.json["identifiers"].reverse())
    succeeded(run_order(ca, "a.test", "b.test"), ca, "a.test", "b.test")


def test_an_order_that_was_ready_once_is_handed_out_again(ca):
    # Boulder answers an identical order with the one that is there, and its challenge may be answered already.
    def answered(_request, answer):
        for challenge in ca.authorizations[next(iter(ca.authorizations))]["challenges"][:1]:
            challenge["status"] = "processing"
        return Answer(200, ca.shown(ca.authorizations[next(iter(ca.authorizations))]))
    ca.on("authorization", answered, times=1)
    run = run_order(ca)
    assert run.code == 0, run.events


@pytest.mark.parametrize("when", ["before", "at the order"])
def test_an_account_that_is_gone_is_made_again_once(ca, when):
    first = run_order(ca)
    account = first.of("account")[-1]
    known = {"account_key": account["key"], "account_url": account["url"]}
    again = run_order(ca, **known)
    assert again.code == 0 and ca.count("new-account") == 1
    assert all(event["url"] == account["url"] and not event["created"] for event in again.of("account"))
    if when == "before":
        ca.accounts.clear()
    else:
        ca.refuse("new-order", "accountDoesNotExist", times=1)
    run = succeeded(run_order(ca, **known), ca)
    assert ca.count("new-account") == 2
    assert run.of("account")[-1]["url"] in ca.accounts
    ca.refuse("new-order", "accountDoesNotExist", "Who are you?")
    before = ca.count("new-account")
    error = run_order(ca, **known).error
    assert "Who are you?" in error["detail"]
    assert ca.count("new-account") - before <= 1


@pytest.mark.parametrize("kind, status", [("alreadyReplaced", 409), ("serverInternal", 500), ("malformed", 400), ("unknownThing", 404)])
def test_a_replacement_that_is_refused_is_ordered_without(ca, kind, status):
    ca.on("new-order", lambda request, answer: hidden(kind, status)(request, answer) if "replaces" in request.payload else None)
    ca.orders.clear()
    run = run_order(ca, replaces="aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")
    succeeded(run, ca)
    assert run.last["replaced"] is False and ca.count("new-order") == 2


def test_a_profile_is_dropped_only_when_nobody_asked_for_it(ca):
    ca.profiles = {"shortlived": "for addresses"}
    run = succeeded(run_order(ca, "192.0.2.7"), ca, "192.0.2.7")
    assert run.last["profile"] == "shortlived"
    for kind, status in (("invalidProfile", 400), ("malformed", 400), ("unauthorized", 403)):
        ca.rules.clear()
        ca.on("new-order", lambda request, answer, how=(kind, status):
              Answer(how[1], {"type": URN + how[0], "detail": "profile shortlived is not for you"}) if "profile" in request.payload else None)
        succeeded(run_order(ca, "192.0.2.7"), ca, "192.0.2.7")
        error = run_order(ca, "192.0.2.7", profile="shortlived").error
        assert error["step"] == "order" and "not for you" in error["detail"]
    ca.rules.clear()
    assert "nothing" in json.dumps(run_order(ca, profile="nothing").error)


# ---- refusals

REFUSALS = [
    ("new-account", "externalAccountRequired", 403, "account"), ("new-account", "userActionRequired", 403, "account"),
    ("new-account", "unauthorized", 403, "account"), ("new-account", "invalidContact", 400, "account"),
    ("new-order", "rejectedIdentifier", 400, "order"), ("new-order", "unsupportedIdentifier", 400, "order"),
    ("new-order", "unheardOf", 403, "order"), ("authorization", "unauthorized", 403, None),
    ("challenge", "unauthorized", 403, None), ("finalize", "badCSR", 400, "finalize"), ("finalize", "badPublicKey", 400, "finalize"),
    ("finalize", "caa", 403, "finalize"), ("certificate", "unauthorized", 403, "download"),
]


@pytest.mark.parametrize("step, kind, status, where", REFUSALS, ids=[f"{step} {kind}" for step, kind, *_ in REFUSALS])
def test_a_refusal_is_told_in_the_ca_s_own_words(ca, step, kind, status, where):
    ca.on(step, lambda request, answer: Answer(status, {
        "type": URN + kind, "detail": "We do not, because \u2013 see below.", "status": status, "instance": "https://ca.test/why",
        "subproblems": [{"type": URN + "caa", "detail": "CAA of relay.test forbids it", "identifier": {"type": "dns", "value": "relay.test"}}]}))
    error = run_order(ca).error
    assert "We do not, because \u2013 see below." in error["detail"]
    assert error["type"] == URN + kind and error["status"] == status
    assert where is None or error["step"] == where
    assert "CAA of relay.test forbids it" in error["detail"]


@pytest.mark.parametrize("kind", ["caa", "dns", "connection", "tls", "unauthorized", "incorrectResponse", "serverInternal", "newKind"])
def test_a_challenge_that_fails_says_which_and_why(ca, kind):
    ca.ending = (kind, "203.0.113.9: Fetching http://relay.test/.well-known/acme-challenge/x: it is not there")
    run = run_order(ca)
    error = run.error
    assert error["step"] in ("challenge", "authorization") and error["name"] == "relay.test"
    assert error["challenge"] == "tls-alpn-01" and error["type"] == URN + kind
    assert ca.ending[1] in error["detail"]
    assert ca.count("challenge") == 1, "a challenge that failed costs the order, so there is one try"


@pytest.mark.parametrize("step", ["directory", "new-account", "new-order", "finalize"])
@pytest.mark.parametrize("after, low, high", [("7200", 7000, 7200), ("date", 7000, 7200), (None, None, None)],
                         ids=["seconds", "date", "nothing"])
def test_a_rate_limit_says_when_to_come_back(ca, step, after, low, high):
    headers = {} if after is None else {"Retry-After": http_date(7200) if after == "date" else after}
    ca.refuse(step, "rateLimited", "too many certificates (5) already issued, retry after 2030-01-02 03:04:05 UTC", 429, headers)
    error = run_order(ca).error
    assert error["type"] == URN + "rateLimited" and error["status"] == 429 and "retry after 2030" in error["detail"]
    if low:
        assert low <= error["retry_after"] <= high
    assert ca.count(step) == 1, "it was told to come back later"


@pytest.mark.parametrize("status", ["deactivated", "expired", "revoked", "invalid", "unheard-of"])
def test_an_authorisation_that_leads_nowhere(ca, status):
    ca.on("authorization", set_members(status=status))
    error = run_order(ca).error
    assert error["name"] == "relay.test" and status in json.dumps(error)


def test_an_order_that_is_invalid_from_the_start(ca):
    ca.on("new-order", set_members(status="invalid", error={"type": URN + "rejectedIdentifier", "detail": "not that name"}))
    assert "not that name" in run_order(ca).error["detail"]


def test_an_order_that_becomes_invalid_after_it_was_finalised(ca):
    ca.asynchronous = True
    ca.on("order", set_members(status="invalid", error={"type": URN + "badCSR", "detail": "not that key"}))
    error = run_order(ca).error
    assert "not that key" in error["detail"] and error["type"] == URN + "badCSR"


def test_an_order_that_is_valid_already_has_a_certificate_of_another_key(ca):
    first = run_order(ca)
    chain = first.last["chain"]
    number, old = next(iter(ca.orders.items()))
    ca.on("new-order", lambda request, answer: Answer(201, ca.shown(old), headers={"Location": ca.url_of("order", number)}))
    run = run_order(ca)
    # It may order again, but it must never hand out a key that does not fit.
    assert run.code == 1 or run.last["chain"] != chain
    assert ca.faults == []


def test_no_challenge_that_could_be_answered(ca):
    ca.on("authorization", lambda request, answer: answer.json.update(
        challenges=[challenge for challenge in answer.json["challenges"] if challenge["type"] == "dns-01"]))
    error = run_order(ca).error
    assert error["name"] == "relay.test" and "dns-01" in error["detail"] + error["remedy"]
    ca.rules.clear()
    ca.on("authorization", set_members(challenges=[]))
    assert run_order(ca).error["name"] == "relay.test"


def test_a_challenge_that_the_relay_cannot_present(ca):
    run = run_order(ca, present=lambda event: "the port is closed")
    assert "the port is closed" in json.dumps(run.error)


@pytest.mark.parametrize("times", [3, None], ids=["some", "all"])
def test_nonces_that_are_refused(ca, times):
    ca.refuse("new-order", "badNonce", times=times)
    run = run_order(ca)
    assert (run.code == 0) == (times is not None)
    assert ca.count("new-order") <= 40


# ---- certificates that are wrong

def other_key():
    return ec.generate_private_key(ec.SECP256R1()).public_key()


WRONG_CERTIFICATES = {
    "the key of another": {"leaf": lambda: {"key": other_key()}},
    "the name of another": {"leaf": lambda: {"names": ["other.test"]}},
    "one name missing": {"names": ["relay.test", "more.test"], "leaf": lambda: {"names": ["relay.test"]}},
    "expired": {"leaf": lambda: {"since": -20, "until": -10}},
    "not valid for days": {"leaf": lambda: {"since": 3, "until": 10}},
    "a chain that does not link": {"leaf": lambda: {"issuer": Certificate("Scripted intermediate", authority=True)}},
    "nothing": {"leaf": lambda: {"text": ""}},
    "words": {"leaf": lambda: {"text": "-----BEGIN CERTIFICATE-----\nnot really\n-----END CERTIFICATE-----\n"}},
    "half": {"leaf": lambda: {"text": Certificate("relay.test").pem[:-200]}},
    "only the issuer": {"leaf": lambda: {"text": Certificate("issuer", authority=True).pem}},
    "zeros": {"leaf": lambda: {"text": "\0" * 5000}},
    "DER": {"change": lambda answer: setattr(answer, "body", Certificate("relay.test").der)},
    "an HTML page": {"leaf": lambda: {"text": "<html><body>Sign in</body></html>"}},
    "a thousand issuers": {"change": lambda answer: setattr(answer, "body", answer.body + Certificate("x", authority=True).pem * 100)},
}


@pytest.mark.parametrize("case", WRONG_CERTIFICATES)
def test_a_certificate_that_is_wrong_is_not_handed_on(ca, case):
    how = WRONG_CERTIFICATES[case]
    ca.reuse = True
    ca.leaf = how["leaf"]() if "leaf" in how else {}
    if "change" in how:
        ca.on("certificate", lambda request, answer: how["change"](answer))
    error = run_order(ca, *how.get("names", [])).error
    assert error["step"] == "download" and error["type"] == "protocol"


def test_a_chain_without_issuers_is_taken_or_told(ca):
    ca.reuse = True
    ca.leaf = {"chain": False}
    run = run_order(ca)
    assert run.code in (0, 1)


# ---- what should never come

HOW_IT_FAILS = ("hang", "close", "reset", "half", "drip", "endless", "endless-head", "garbage")


@pytest.mark.parametrize("manner", HOW_IT_FAILS)
def test_a_ca_that_fails_at_any_step(make_ca, manner):
    def attempt(step):
        ca = make_ca(asynchronous=True)
        ca.on(step, manner=manner)
        run = run_order(ca, time_limit=3)
        if step == "new-nonce" and manner in ("half", "drip", "endless") and run.code == 0:
            return None  # an answer to HEAD has no body to fail in
        assert ca.count(step) <= 8, (step, ca.requests)
        assert ca.sent_bytes < 32 << 20, (step, ca.sent_bytes)
        return step, run.error
    for step, error in filter(None, side_by_side(attempt, ORDER_STEPS)):
        assert error["type"] in ("network", "timeout", "protocol", "tls"), (step, error)


@pytest.mark.parametrize("what", ["a page", "a missing page", "an empty answer", "a huge answer", "deep", "not text", "half an object",
                                  "another type", "text and zeros"])
def test_answers_that_are_not_what_they_should_be(make_ca, what):
    bodies = {
        "a page": {"body": "<html><h1>It works!</h1></html>", "headers": {"Content-Type": "text/html"}},
        "a missing page": {"status": 404, "body": "<html>404 \x1b[31m nothing here</html>", "headers": {"Content-Type": "text/html"}},
        "an empty answer": {"body": ""},
        "a huge answer": {"body": b'{"a":"' + b"x" * (8 << 20) + b'"}'},
        "deep": {"body": b"[" * 100000},
        "not text": {"body": b'{"status":"\xff\xfe\x80","newNonce":"\xc0\xaf"}'},
        "half an object": {"body": b'{"status":"valid","authorizations":["https://'},
        "another type": {"body": b'["valid"]'},
        "text and zeros": {"body": b'{"status":"va\\u0000lid","\\u0000":"\\ud800"}\0\0\0'},
    }[what]

    def attempt(step):
        ca = make_ca(asynchronous=True)
        ca.on(step, **bodies)
        run = run_order(ca, time_limit=3)
        if run.code == 0:
            # What it has from the headers, or need not know, may come with any body.
            assert step in ("new-nonce", "new-account", "challenge"), (step, what)
            return None
        return step, run.error
    for step, error in filter(None, side_by_side(attempt, every_other(ORDER_STEPS, len(what)))):
        assert "\x1b" not in error["detail"], (step, error)
        assert len(json.dumps(error)) < 4000, (step, error)


REDIRECTS = ["loop", "http", "file", "nowhere", "none", "another host", "long"]


@pytest.mark.parametrize("where", REDIRECTS)
def test_redirects_that_lead_nowhere(make_ca, where):
    target = {"http": "http://127.0.0.1:{port}/directory", "file": "file:///etc/passwd", "nowhere": "", "none": None,
              "another host": "https://127.0.0.1:1/", "long": "https://127.0.0.1:{port}/" + "x" * 60000}.get(where)

    def attempt(step):
        ca = make_ca(asynchronous=True)

        def away(request, _answer):
            place = request.url.replace("/moved", "") if where == "loop" else target and target.replace("{port}", str(ca.port))
            if where == "loop" and "/moved" not in request.url:
                place = re.sub(r"(:\d+)/", r"\1/moved/", request.url, count=1)
            return Answer(307, headers={} if place is None else {"Location": place})
        ca.on(step, away)
        run = run_order(ca, time_limit=5)
        assert ca.count(step) <= 40, (step, ca.count(step))
        return step, run.error
    side_by_side(attempt, every_other(ORDER_STEPS, len(where)))


@pytest.mark.parametrize("step", ["new-account", "new-order", "finalize"])
def test_a_signed_request_that_is_redirected(ca, step):
    # It is signed for its URL. ACME says where things are in other ways, so this is told and not followed.
    ca.on(step, moved(308))
    error = run_order(ca).error
    assert error["type"] == "protocol" and "redirects" in error["detail"] and ca.count(step) == 1


URLS = ["", "x", "/relative", "http://127.0.0.1:{port}/x", "file:///etc/passwd", "https://", "https://127.0.0.1:1/none",
        "https://127.0.0.1:{port}/order/1\r\nX: y", "https://a b/", "gopher://127.0.0.1:{port}/", "https://user:pw@127.0.0.1:{port}/none",
        "https://127.0.0.1:{port}/" + "y" * 100000, "https://[::1/", "https://127.0.0.1:99999/", "https://\u00e9.test/\ud83d\ude00"]
PLACES = [("directory", "newNonce"), ("directory", "newOrder"), ("new-order", "finalize"), ("new-order", "authorizations"),
          ("new-account", "Location"), ("new-order", "Location"), ("finalize", "certificate"), ("authorization", "challenges")]


@pytest.mark.parametrize("step, member", PLACES, ids=[f"{step} {member}" for step, member in PLACES])
def test_urls_that_are_none(make_ca, step, member):
    def attempt(url):
        ca = make_ca()
        own = url.replace("{port}", str(ca.port)).encode("utf-16", "surrogatepass").decode("utf-16")

        def change(_request, answer):
            if member == "Location":
                answer.headers["Location"] = re.sub(r"[\r\n]", "", own).encode().decode("latin-1")
            elif member == "authorizations":
                answer.json[member] = [own]
            elif member == "challenges":
                for challenge in answer.json[member]:
                    challenge["url"] = own
            else:
                answer.json[member] = own
        ca.on(step, change)
        run = run_order(ca, time_limit=4)
        if (step, member) == ("new-order", "finalize") and run.code == 0:
            return None  # the order tells it again when it is ready
        assert run.code, url
        return url, run.error
    for url, error in filter(None, side_by_side(attempt, every_other(URLS, PLACES.index((step, member))))):
        assert len(json.dumps(error)) < 8000 and "root:" not in json.dumps(error), (url[:40], error)


# ---- types

WRONG_VALUES = (None, True, 0, -1, 2 ** 70, 1.5, "", "x", "\u202e\n\x07", "long" * 30000, [], [None], [[]], {}, {"a": {}}, ...)

MEMBERS = {
    "directory": ("newNonce", "newAccount", "newOrder", "renewalInfo", "meta", "meta.termsOfService", "meta.profiles",
                  "meta.externalAccountRequired"),
    "new-account": ("status", "contact"),
    "new-order": ("status", "expires", "identifiers", "identifiers.0", "identifiers.0.value", "authorizations", "authorizations.0",
                  "finalize", "error", "certificate", "profile"),
    "authorization": ("status", "expires", "identifier", "identifier.type", "identifier.value", "wildcard", "challenges",
                      "challenges.1", "challenges.1.type", "challenges.1.status", "challenges.1.token", "challenges.1.url",
                      "challenges.1.error"),
    "challenge": ("status", "url", "error"),
    "finalize": ("status", "certificate", "error", "finalize"),
    "order": ("status", "certificate", "error", "authorizations"),
    "problem": ("type", "detail", "status", "subproblems", "subproblems.0", "subproblems.0.detail", "subproblems.0.identifier",
                "subproblems.0.identifier.value"),
}
FIELDS = [(step, member) for step, members in MEMBERS.items() for member in members]


def with_value(thing, path, value):
    """@thing with another value at a path like a.0.b; `...` takes it out."""
    thing = copy.deepcopy(thing)
    place = thing
    *way, last = [int(word) if word.isdigit() else word for word in path.split(".")]
    for word in way:
        if word not in place if isinstance(place, dict) else word >= len(place):
            return thing  # a problem, for what was asked for by another odd answer
        place = place[word]
    if isinstance(last, int) and last >= len(place):
        return thing
    if value is not ...:
        if isinstance(place, dict) or last < len(place):
            place[last] = value
    elif isinstance(place, dict):
        place.pop(last, None)
    else:
        del place[last]
    return thing


def values_for(number):
    """Some of the wrong values, others for each member, so that all meet all kinds of members."""
    return [WRONG_VALUES[(number * 5 + i * 3) % len(WRONG_VALUES)] for i in range(2)]


@pytest.mark.parametrize("step", MEMBERS)
def test_members_of_a_wrong_type(make_ca, step):
    def attempt(case):
        member, value = case
        ca = make_ca(asynchronous=True, profiles={"default": "usual"})
        if step == "problem":
            problem = {"type": URN + "rejectedIdentifier", "detail": "No.", "status": 400,
                       "subproblems": [{"type": URN + "caa", "detail": "Never.", "identifier": {"type": "dns", "value": "relay.test"}}]}
            ca.on("new-order", lambda request, answer: Answer(400, with_value(problem, member, value)))
        else:
            ca.on(step, lambda request, answer: setattr(answer, "json", with_value(answer.json, member, value)))
        try:
            # Nothing has to be waited for where the answer is a problem; other answers may lead to a wait for ever.
            run = run_order(ca, time_limit=120 if step == "problem" else 8)
        except AssertionError as error:
            raise AssertionError(f"{step} {member} = {str(value)[:40]}: {error}") from error
        if step == "problem":
            assert run.code == 1 and run.last["step"] == "order", (member, value, run.events)
            # What came is shown, but not what could move a terminal's cursor or fill its screen.
            assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", run.last["detail"]) and len(run.last["detail"]) < 4000, (member, run.last)
    number = FIELDS.index((step, MEMBERS[step][0]))
    side_by_side(attempt, [(member, value) for i, member in enumerate(MEMBERS[step]) for value in values_for(number + i)])


# ---- renewal information

WINDOW = {"start": "2026-01-02T03:04:05Z", "end": "2026-01-03T03:04:05Z"}

RENEWALS = {
    "good": ({"suggestedWindow": WINDOW, "explanationURL": "https://ca.test/why"}, True),
    "with fractions and offsets": ({"suggestedWindow": {"start": "2026-01-02T03:04:05.123456789+02:00", "end": "2026-01-03T03:04:05-07:30"}},
                                   True),
    "end before start": ({"suggestedWindow": {"start": WINDOW["end"], "end": WINDOW["start"]}}, False),
    "end at start": ({"suggestedWindow": {"start": WINDOW["end"], "end": WINDOW["end"]}}, False),
    "no window": ({}, False),
    "a window of numbers": ({"suggestedWindow": {"start": 1, "end": 2}}, False),
    "no zone": ({"suggestedWindow": {"start": "2026-01-02T03:04:05", "end": "2026-01-03T03:04:05"}}, None),
    "the 30th of February": ({"suggestedWindow": {"start": "2026-02-30T03:04:05Z", "end": "2026-03-03T03:04:05Z"}}, False),
    "the year 10000": ({"suggestedWindow": {"start": "2026-01-02T03:04:05Z", "end": "10000-01-03T03:04:05Z"}}, None),
    "a list": ([], False),
    "words": ("soon", False),
}


def renewal_request(ca, certificate):
    return {"do": "renewal-info", "directory": ca.directory_url, "ca_file": str(ca.ca_file), "certificate": certificate, "time_limit": 120}


@pytest.mark.parametrize("case", RENEWALS)
def test_when_to_renew(ca, case):
    document, good = RENEWALS[case]
    ca.reuse = True
    chain = run_order(ca).last["chain"]
    ca.on("renewal-info", json=document)
    run = Run(renewal_request(ca, chain)).complete()
    if good is None:
        good = run.code == 0
    assert (run.code == 0) == good, run.events
    if good:
        assert run.last["event"] == "renewal" and run.last["start"] < run.last["end"] and run.last["retry_after"] == 21600
        if "explanationURL" in document:
            assert run.last["explanation"] == document["explanationURL"]
    else:
        assert run.last["step"] == "renewal-info"
    leaf = x509.load_pem_x509_certificate(chain.encode())
    identifier = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    wanted = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (identifier, serial))
    assert ca.asked_renewal == [wanted]


@pytest.mark.parametrize("manner", ["hang", "close", "endless", "garbage"])
def test_when_to_renew_is_not_told(ca, manner):
    ca.reuse = True
    chain = run_order(ca).last["chain"]
    ca.on("renewal-info", manner=manner)
    error = Run(renewal_request(ca, chain) | {"time_limit": 3}).complete().error
    assert error["step"] == "renewal-info" and error["type"] in ("network", "timeout", "protocol")


# ---- the CA's own TLS

def test_a_ca_that_is_not_trusted(ca, tmp_path):
    stranger = tmp_path / "stranger.pem"
    stranger.write_text(Certificate("somebody", authority=True).pem)
    error = run_order(ca, ca_file=str(stranger)).error
    assert (error["step"], error["type"]) == ("directory", "tls") and "ca-file" in error["remedy"]
    assert ca.requests == []


def test_a_directory_whose_certificate_expired(tmp_path):
    ca = ScriptedCA(tmp_path / "ca", own_days=-1)
    with ca:
        error = run_order(ca).error
    assert (error["step"], error["type"]) == ("directory", "tls") and "certificate" in error["detail"]


def test_nobody_listens(ca):
    ca.stop()
    error = run_order(ca).error
    assert (error["step"], error["type"]) == ("directory", "network")
