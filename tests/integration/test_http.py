"""HTTP beside DERP: probes, captive portal check, pages, redirects, and heads that are refused.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import email.utils

import pytest

from control import detourctl
from derp_client import http_request, read_response
from relay import EVERYTHING, SMALL, Relay, with_keys, without_group

BROWSER_HEADERS = {
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; form-action 'self'; base-uri 'self'; "
                               "block-all-mixed-content; object-src 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
}


def ask(door, method, target, fields=(), **options):
    return http_request(door.stream(), method, target, fields, **options)


def expect_browser_headers(door, response):
    for name, value in BROWSER_HEADERS.items():
        if door.is_secure or name != "Strict-Transport-Security":
            assert response.all(name) == [value]
        elif isinstance(door.server, Relay):  # the reference says it over plain HTTP as well
            assert response.all(name) == []


# ---- /derp

def test_derp_without_upgrade_is_426_and_the_connection_goes_on(door):
    stream = door.stream()
    for method in ("GET", "HEAD", "GET"):
        assert http_request(stream, method, "/derp").status == 426
    assert http_request(stream, "GET", "/derp", [("Upgrade", "h2c"), ("Connection", "Upgrade")]).status == 426
    assert http_request(stream, "GET", "/derp", [("Upgrade", "DERP2"), ("Connection", "Upgrade")]).status == 426
    assert http_request(stream, "GET", "/derp/probe").status == 200


@pytest.mark.parametrize("path", ["/derp/", "/DERP", "/derp/x"])
def test_upgrade_is_served_at_its_exact_path_only(door, path):
    response = ask(door, "GET", path, [("Upgrade", "DERP"), ("Connection", "Upgrade")])
    assert response.status in (200, 404)


# ---- probes

@pytest.mark.parametrize("path", ["/derp/probe", "/derp/latency-check"])
def test_probe(door, path):
    stream = door.stream()
    for method in ("GET", "HEAD", "GET"):
        response = http_request(stream, method, path)
        assert response.status == 200
        assert response.body == b""
        assert response.get("Content-Length") in ("0", None if method == "HEAD" else "0")
        assert response.get("Access-Control-Allow-Origin") == "*"
    assert http_request(stream, "GET", path + "?x=y").status == 200


@pytest.mark.parametrize("path", ["/derp/probe", "/derp/latency-check"])
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "PUT", "DELETE", "BREW"])
def test_probe_with_other_methods(door, path, method):
    response = ask(door, method, path, [("Content-Length", "0")])
    assert response.status == 405
    assert response.get("Access-Control-Allow-Origin") is None


# ---- generate_204

@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_generate_204(door, method):
    response = ask(door, method, "/generate_204?t=1700000000", [("Content-Length", "0")] if method == "POST" else [])
    assert response.status == 204
    assert response.get("Cache-Control") == "no-cache, no-store, must-revalidate, no-transform, max-age=0"
    assert response.get("X-Tailscale-Response") is None
    assert response.get("Content-Length") in (None, "0")


@pytest.mark.parametrize("challenge", ["x", "ts_derp.example.com", "A-Z_a.z:0-9", "c" * 64])
def test_generate_204_answers_a_challenge(door, challenge):
    response = ask(door, "GET", "/generate_204", [("X-Tailscale-Challenge", challenge)])
    assert response.status == 204
    assert response.get("X-Tailscale-Response") == "response " + challenge


@pytest.mark.parametrize("challenge", ["", "c" * 65, "a b", "a/b", "a,b", "<x>", "\xfc"])
def test_generate_204_ignores_a_bad_challenge(door, challenge):
    response = ask(door, "GET", "/generate_204", [("X-Tailscale-Challenge", challenge)])
    assert response.status == 204
    assert response.get("X-Tailscale-Response") is None


# ---- pages

@pytest.mark.parametrize("method", ["GET", "OPTIONS", "BREW"])
def test_robots(door, method):
    response = ask(door, method, "/robots.txt")
    assert response.status == 200
    assert response.get("Content-Type") == "text/plain; charset=utf-8"
    assert [line.strip() for line in response.body.decode().split("\n") if line.strip()] == ["User-agent: *", "Disallow: /"]
    expect_browser_headers(door, response)


@pytest.mark.parametrize("path", ["/derp/", "/derp/x", "/derp/probe/", "/derp//", "/derp/../x"])
def test_paths_below_derp_show_the_home_page(door, path):
    response = ask(door, "GET", path)
    if path in ("/derp//", "/derp/../x") and response.status in (301, 307):
        return  # the reference cleans paths
    assert (response.status, response.body) == (200, b"")
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    expect_browser_headers(door, response)


@pytest.mark.usefixtures("detour_only")
@pytest.mark.parametrize("path", ["/foo", "/favicon.ico", "/derpx", "/generate_204x", "/robots.txt/", "//", "/%2f"])
def test_unknown_paths_are_404_and_the_connection_goes_on(door, path):
    """The reference shows its home page there."""
    stream = door.stream()
    for method in ("GET", "HEAD", "GET"):
        assert http_request(stream, method, path).status == 404
    assert http_request(stream, "GET", "/").status == 200


@pytest.mark.parametrize("method", ["GET", "OPTIONS", "BREW"])
def test_home_page_is_blank(door, method):
    response = ask(door, method, "/?from=somewhere")
    assert response.status == 200
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    assert response.body == b""
    expect_browser_headers(door, response)


def test_home_page_modes(make_relay, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>ours</title>")
    relay = make_relay(with_keys(with_keys(SMALL, "http home", page="default"), "core", hostname="relay.test"))
    response = ask(relay.door(), "GET", "/")
    assert response.status == 200 and b"DERP" in response.body
    assert response.get("Content-Type") == "text/html; charset=utf-8"
    expect_browser_headers(relay.door(), response)

    relay.reload(with_keys(relay.config, "http home", page="redirect:https://example.com/about"))
    response = ask(relay.door(), "GET", "/")
    assert (response.status, response.get("Location")) == (302, "https://example.com/about")

    relay.reload(with_keys(relay.config, "http home", page="not-found"))
    assert ask(relay.door(), "GET", "/").status == 404
    assert ask(relay.door(), "GET", "/derp/probe").status == 200

    relay.reload(with_keys(relay.config, "http home", page=f"file:{page}"))
    response = ask(relay.door(), "GET", "/")
    assert (response.status, response.body) == (200, page.read_bytes())


def test_without_home_plugin_unknown_paths_are_404(make_relay):
    door = make_relay(without_group(SMALL, "http home")).door()
    stream = door.stream()
    assert http_request(stream, "GET", "/").status == 404
    assert http_request(stream, "GET", "/nothing/here").status == 404
    assert http_request(stream, "GET", "/derp/probe").status == 200


@pytest.mark.parametrize("group, transport", [("transport http", "http"), ("transport https", "tls")])
def test_listener_without_derp(make_relay, group, transport):
    relay = make_relay(with_keys(EVERYTHING, group, derp="false"))
    door = relay.door(transport)
    assert ask(door, "GET", "/derp", [("Upgrade", "DERP"), ("Connection", "Upgrade")]).status == 404
    assert ask(door, "GET", "/derp/probe").status == 200


# ---- the listener on port 80

@pytest.fixture
def port80(server):
    door = server.door("port80")
    yield door
    door.close()


def test_port80_serves_generate_204(port80):
    response = ask(port80, "GET", "/generate_204?t=1", [("X-Tailscale-Challenge", "ts_127.0.0.1")])
    assert (response.status, response.get("X-Tailscale-Response")) == (204, "response ts_127.0.0.1")


def https(server, host="relay.test"):
    """Where port 80 sends to: the port of TLS; the reference always listens on 443."""
    return f"https://{host}:{server.ports['https']}" if isinstance(server, Relay) else f"https://{host}"


@pytest.mark.parametrize("target", ["/about", "/derp", "/derp/probe", "/robots.txt", "/a/b?c=d&e"])
def test_port80_redirects_the_rest(port80, target):
    response = ask(port80, "GET", target, host="relay.test")
    assert (response.status, response.get("Location")) == (302, https(port80.server) + target)


@pytest.mark.usefixtures("detour_only")
@pytest.mark.parametrize("host, name", [("relay.test:80", "relay.test"), ("relay.test:8080", "relay.test"),
                                        ("[2001:db8::1]:8080", "[2001:db8::1]"), ("[2001:db8::1]", "[2001:db8::1]")])
def test_port80_redirects_to_the_port_of_tls(port80, host, name):
    response = ask(port80, "GET", "/x?y", host=host)
    assert (response.status, response.get("Location")) == (302, https(port80.server, name) + "/x?y")


@pytest.mark.usefixtures("detour_only")
def test_port80_redirects_follow_the_listeners(make_relay):
    relay = make_relay()
    secure = [f"transport/{name}" for name in ("https", "tls-gnutls", "tls-export")]
    for disabled, port in ((secure[:1], "tls-gnutls"), (secure[1:2], "tls-export"), (secure[2:], None)):
        detourctl(relay, "plugins", "disable", *disabled)
        location = ask(relay.door("port80"), "GET", "/", host="relay.test:80").get("Location")
        assert location == (f"https://relay.test:{relay.ports[port]}/" if port else "https://relay.test/")


def test_port80_redirects_an_upgrade_too(port80):
    response = ask(port80, "GET", "/derp", [("Upgrade", "DERP"), ("Connection", "Upgrade")], host="relay.test")
    assert (response.status, response.get("Location")) == (302, https(port80.server) + "/derp")


def test_port80_refuses_other_methods(port80):
    assert ask(port80, "POST", "/", [("Content-Length", "0")]).status == 400


@pytest.mark.usefixtures("detour_only")
@pytest.mark.parametrize("host", ["a\"b", "a<b>", "relay.test/evil", "a b", "user@relay.test"])
def test_port80_reflects_no_host_that_is_none(port80, host):
    response = ask(port80, "GET", "/", host=host)
    assert response.status == 400
    assert host not in str(response.fields)


# ---- the protocol

def test_connections_are_kept_and_requests_may_be_pipelined(door):
    stream = door.stream()
    stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
    for _ in range(50):
        assert read_response(stream).status == 200


def test_close_is_heeded(door):
    stream = door.stream()
    response = http_request(stream, "GET", "/derp/probe", [("Connection", "close")])
    assert response.status == 200
    stream.expect_closed()


def test_http_1_0_closes(door):
    stream = door.stream()
    response = http_request(stream, "GET", "/derp/probe", version="1.0", host=None)
    assert response.status == 200
    assert stream.expect_closed() == b""


def test_answers_have_a_date_and_no_server_name(door):
    response = ask(door, "GET", "/robots.txt")
    assert email.utils.parsedate_to_datetime(response.get("Date"))
    assert response.get("Server") is None


def test_a_head_in_single_bytes(door):
    stream = door.stream()
    for byte in b"GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n":
        stream.write(bytes([byte]))
    assert read_response(stream).status == 200


BAD_HEADS = {
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "version 3": b"GET / HTTP/3.0\r\nHost: a\r\n\r\n",
    "version junk": b"GET / HTTP/1.x\r\nHost: a\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\nHost: a\r\n\r\n",
    "bad method": b"G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n",
    "blank before colon": b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
    "NUL in value": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "length no number": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\n",
    "length negative": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

# Rules of Detour alone: nothing that a proxy in front could understand in another way is accepted.
BAD_HEADS_OF_OURS = {
    "bare LF": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    "one bare LF": (b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400),
    "folding": (b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", 400),
    "transfer encoding": (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501),
    "65 fields": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 64 + b"\r\n", 431),
    "head over 16 KiB": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 16384 + b"\r\n\r\n", 431),
    "target over 16 KiB": (b"GET /" + b"y" * 20000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
}


@pytest.mark.parametrize("head", BAD_HEADS.values(), ids=BAD_HEADS.keys())
def test_bad_heads_are_refused(door, head):
    stream = door.stream()
    stream.write(head)
    response = read_response(stream)
    assert 400 <= response.status < 600 and response.status != 404
    stream.expect_closed()


@pytest.mark.usefixtures("detour_only")
def test_what_was_no_request_is_counted_as_such(make_relay):
    relay = make_relay(SMALL)
    for head, reason in (("nonsense\r\n\r\n", "no acceptable HTTP request came"),
                         ("GET / HTTP/1.0\r\n\r\n", "the request was answered")):
        since = len(relay.log)
        stream = relay.door().stream()
        stream.write(head.encode())
        read_response(stream)
        stream.expect_closed()
        stream.close()
        relay.wait_log(f"connection closed before it was registered, {reason}", since)


@pytest.mark.usefixtures("detour_only")
@pytest.mark.parametrize("head, status", BAD_HEADS_OF_OURS.values(), ids=BAD_HEADS_OF_OURS.keys())
def test_ambiguous_and_overlong_heads_are_refused(door, head, status):
    stream = door.stream()
    stream.write(head)
    assert read_response(stream).status == status
    stream.expect_closed()


@pytest.mark.usefixtures("detour_only")
def test_head_of_just_16_kib_is_taken(door):
    stream = door.stream()
    begin, end = b"GET /derp/probe HTTP/1.1\r\nHost: a\r\nX: ", b"\r\n\r\n"
    stream.write(begin + b"y" * (16384 - len(begin) - len(end)) + end)
    assert read_response(stream).status == 200


def test_connect_is_refused(door):
    stream = door.stream()
    stream.write(b"CONNECT controlplane.tailscale.com:443 HTTP/1.1\r\nHost: controlplane.tailscale.com:443\r\n\r\n")
    assert read_response(stream).status in (400, 403, 404, 405, 501)


def test_a_request_with_a_body_does_not_confuse_the_next(door):
    """The body is never taken for a request: it is either read, or the connection closed."""
    stream = door.stream()
    smuggled = b"GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n"
    stream.write(b"POST /generate_204 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(smuggled) + smuggled)
    read_response(stream)
    stream.write(b"GET /derp/probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"User-agent" not in stream.expect_closed()


def test_everything_answers_on_both_listeners(make_relay):
    relay = make_relay(EVERYTHING)
    for transport in ("http", "tls"):
        stream = relay.door(transport).stream()
        assert http_request(stream, "GET", "/robots.txt").status == 200
        assert http_request(stream, "GET", "/generate_204").status == 204
        assert http_request(stream, "GET", "/").status == 200
