"""Pages for operators: what is in them, who may read them, that they are HTML, and that they change nothing.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import html
import pathlib
import re
import select
import urllib.parse

import pytest

from control import detourctl
from derp_client import PATIENCE, Client, Stream, http_request, read_response
from mesh import wait_peer, with_peer
from relay import EVERYTHING, Relay, free_port, wait_until, with_keys

PAGES = with_keys(with_keys(EVERYTHING, "service metrics", listen="127.0.0.1:{metrics}"), "http debug")
PATHS = ["/debug/", "/debug/clients/", "/debug/plugins", "/debug/certificates", "/debug/admission", "/debug/budgets",
         "/debug/mesh", "/debug/config", "/debug/check"]
FORWARDED = ("X-Forwarded-For", "192.0.2.1")


@pytest.fixture(scope="module")
def paged(tmp_path_factory):
    """A relay with everything, and with pages."""
    with Relay(tmp_path_factory.mktemp("paged"), PAGES) as relay:
        yield relay.start()


HTML = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")


def ask(relay, path, fields=(), method="GET", address=None):
    """The answer to one request."""
    stream = Stream.connect(address or relay.address("metrics"))
    try:
        return http_request(stream, method, path, fields)
    finally:
        stream.close()


@pytest.mark.parametrize("path", PATHS)
def test_headers_and_methods(paged, path):
    page = ask(paged, path, [HTML])
    assert page.status == 200, page.body.decode()
    assert page.get("Content-Type") == "text/html; charset=utf-8"
    policy = page.get("Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'self';") and "unsafe" not in policy and "script" not in policy
    assert page.get("Cache-Control") == "no-store" and page.get("Referrer-Policy") == "no-referrer"
    assert page.get("X-Content-Type-Options") == "nosniff" and page.get("X-Frame-Options") == "DENY"
    text = page.body.decode()
    assert not re.search(r"<script|<iframe|javascript:|\sstyle=|\son[a-z]+=|https?://", text, re.I), text
    assert (page := ask(paged, path, method="HEAD")).status == 200 and page.body == b""
    assert ask(paged, path, method="POST").status == 405
    assert ask(paged, path, [FORWARDED]).status == 403


# ---- who may

def test_strangers_learn_nothing(tmp_path):
    config = with_keys(PAGES, "service metrics", listen="127.0.0.1:{metrics}", allow="192.0.2.0/24", debug_key_file="{dir}/word")
    with Relay(tmp_path, config, files={"word": "k&y <1>\n"}) as relay:
        relay.start()
        (tmp_path / "word").chmod(0o600)
        for path in PATHS + ["/debug/style.css", "/debug/nothing", "/debug/client?key=x", "/"]:
            for method in ("GET", "POST"):
                assert (ask(relay, path, method=method).status, ask(relay, path).body) == (403, b"not allowed\n")
        for path in PATHS:
            page = ask(relay, path + "?debugkey=k%26y+%3C1%3E", [FORWARDED, HTML])
            assert page.status == 200
            # Whoever came with the key stays with it; nobody else is told of it.
            links = re.findall(r'href="(/[^"]*)"', page.body.decode())
            assert len(links) >= 10 and all("debugkey=k%26y%20%3C1%3E" in link for link in links)
        assert ask(relay, PATHS[0], [("Authorization", "Bearer k&y <1>")]).status == 200


def test_no_pages_where_they_are_not_wanted(tmp_path):
    with Relay(tmp_path, with_keys(PAGES, "service metrics", listen="127.0.0.1:{metrics}", pages="false")) as relay:
        relay.start()
        for path in PATHS + ["/debug/style.css", "/debug"]:
            assert ask(relay, path).status == 404
        assert ask(relay, "/metrics").status == 200 and ask(relay, "/debug/vars").status == 200
        assert ask(relay, "/").body.startswith(b"/metrics\n")
        # Clients' listeners have none either.
        assert ask(relay, "/debug/", address=relay.address("http")).status == 404


def test_the_way_in(paged):
    for path, to in (("/", "/debug/"), ("/debug", "/debug/"), ("/debug/clients", "/debug/clients/"),
                     ("/debug/clients?search=x", "/debug/clients/?search=x")):
        page = ask(paged, path)
        assert (page.status, page.get("Location")) == (302, to)
    assert ask(paged, "/debug/nothing").status == 404
    style = ask(paged, "/debug/style.css")
    assert (style.status, style.get("Content-Type")) == (200, "text/css; charset=utf-8")
    assert b"url(" not in style.body and b"@import" not in style.body


# ---- what they say

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'"


def text_of(page):
    """The text of a page, blanks folded."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page.body.decode())).split())


def test_text_of_strangers_is_text(tmp_path):
    config = with_keys(with_keys(PAGES, "admission", chain="friends"), "auth friends", plugin="keys", file="{dir}/friends")
    client = Client(None)
    friends = f"nodekey:{client.key.hex()} {HOSTILE}\n"
    with Relay(tmp_path, config, files={"friends": friends}) as relay:
        relay.start()
        with relay.lent_door("http") as door:
            one = door.client(key=client.secret, AppName="</td><script>x</script>\"&amp;")
            key = f"nodekey:{one.key.hex()}"
            for path in ("/debug/clients/", "/debug/client?key=" + key,
                         "/debug/clients/?search=" + urllib.parse.quote(HOSTILE), "/debug/client?key=" + urllib.parse.quote(HOSTILE)):
                page = ask(relay, path)
                text = page.body.decode()
                assert "<script" not in text and "<img" not in text and "onerror=alert(1)&gt;" in text or page.status == 404, text
                if page.status == 200:
                    assert '</td><script>x</script>"&amp;' in text_of(page)
                    assert " ".join(HOSTILE.split()) in text_of(page)


def test_clients_come_some_at_a_time(paged):
    with paged.lent_door("http") as door:
        clients = [door.client() for _ in range(12)]
        clients[0].send_packet(clients[1].key, b"x" * 5000)
        clients[1].expect_packet(clients[0].key, b"x" * 5000)
        seen = []
        path = "/debug/clients/?limit=5&sort=key"
        while path:
            page = ask(paged, path).body.decode()
            rows = re.findall(r'<th scope="row"><a href="/debug/client\?key=([^"]*)"', page)
            assert len(rows) <= 5
            seen += [row.replace("%3A", ":") for row in rows]
            more = re.search(r'rel="next" href="([^"]*)"', page)
            path = html.unescape(more[1]) if more else None
        assert seen == sorted(f"nodekey:{client.key.hex()}" for client in clients)
        by_sent = ask(paged, "/debug/clients/?sort=received&limit=1").body.decode()
        assert clients[0].key.hex()[:12] in by_sent and "1–1 / 12" in by_sent and 'aria-sort="descending"' in by_sent
        found = ask(paged, f"/debug/clients/?search={clients[3].key.hex()[:20]}").body.decode()
        assert "1–1 / 1" in found and clients[3].key.hex()[:12] in found
        assert "0 / 0" in ask(paged, "/debug/clients/?search=nobody-has-this").body.decode()
        # Never more than a hundred rows, and nonsense is the default.
        for query in ("limit=1000", "limit=0", "first=-1", "sort=beauty&reverse=7", "first=99999999999"):
            assert ask(paged, "/debug/clients/?" + query).status == 200
        one = ask(paged, f"/debug/client?key={clients[0].key.hex()}")
        assert one.status == 200 and "4.9 KiB" in text_of(one) and f"nodekey:{clients[0].key.hex()}" in text_of(one)
        assert "Path" in text_of(one) and "Round trip" not in text_of(one)
        watched = ask(paged, f"/debug/client?key={clients[0].key.hex()}&path=1")
        assert watched.status == 200 and re.search(r" (quiet|none) : \w+.* Round trip \d", text_of(watched)), text_of(watched)
        assert ask(paged, "/debug/client?key=nodekey:" + "0" * 64).status == 404
        assert ask(paged, "/debug/client").status == 404


@pytest.mark.parametrize("accept, language, title", [
    ("de-DE,de;q=0.9,en;q=0.8", "de", "Überblick"), ("en", "en", "Overview"), ("xx", "en", "Overview"), (None, "en", "Overview")])
def test_languages(paged, accept, language, title):
    page = ask(paged, "/debug/", [("Accept-Language", accept)] if accept else [])
    assert f'<html lang="{language}">' in page.body.decode() and title in text_of(page)
    assert page.get("Vary") == "Accept, Accept-Language"


def test_no_secret_is_shown(tmp_path):
    files = {"word": "the-debug-key\n", "mesh": "6d657368" * 8 + "\n"}
    config = with_keys(PAGES, "service metrics", listen="127.0.0.1:{metrics}", debug_key_file="{dir}/word")
    config = with_keys(config, "auth url", url="http://127.0.0.1:1/verify?token=tok-en", unavailable="deny")
    config = with_keys(config, "admission", chain="url")
    with Relay(tmp_path, config, files=files) as relay:
        relay.start()
        for path in PATHS:
            text = ask(relay, path).body.decode()
            for secret in ("the-debug-key", "6d657368", "tok-en"):
                assert secret not in text, path
        assert "url = http://127.0.0.1:1/verify?********" in text_of(ask(relay, "/debug/config"))


def test_the_mesh(tmp_path):
    files = {"mesh.key": "6d657368" * 8 + "\n"}
    with Relay(tmp_path / "b", EVERYTHING, files=files) as other, Relay(tmp_path / "a", PAGES, files=files) as relay:
        other.start()
        relay.start()
        assert "No peers are configured." in text_of(ask(relay, "/debug/mesh"))
        relay.reload(with_keys(with_peer(PAGES, "b", other), "peer c", host=f"127.0.0.1:{free_port()}"))
        wait_peer(relay, "b")
        wait_peer(relay, "c", "waiting")
        text = text_of(ask(relay, "/debug/mesh"))
        # Of the connection that its pin was read from there is one key.
        assert re.search(r" b up \d{4}-\S+ \S+( \S+)? 1 0 0 0 no 127\.0\.0\.1:\d+ ", text), text
        assert re.search(r" c (waiting|connecting) .*Connection refused: check that the relay there runs", text), text
        assert "mesh_link" not in text and "packets_forwarded_in" in text


def test_the_check_says_what_is_wrong(tmp_path):
    config = with_keys(PAGES, "service metrics", listen="127.0.0.1:{metrics}", debug_key_file="{dir}/word")
    with Relay(tmp_path, config, files={"word": "word\n"}) as relay:
        (tmp_path / "word").chmod(0o600)
        relay.start()
        page = ask(relay, "/debug/check", [HTML])
        assert page.status == 200 and "All is well" in text_of(page)
        (tmp_path / "word").unlink()
        relay.reload()
        page = ask(relay, "/debug/check", [HTML])
        assert page.status == 500 and "service/metrics: the key before it stays" in text_of(page)
        page = ask(relay, "/debug/check")
        assert page.status == 500 and page.body.startswith(b"service/metrics: the key before it stays")
        assert "the key before it stays" in text_of(ask(relay, "/debug/plugins"))


# ---- for who comes from derper

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "doc" / "guide.md"
# Those of derper 1.104.
DERPERS_PAGES = {"/debug/", "/debug/vars", "/debug/varz", "/debug/check", "/debug/clients/", "/debug/traffic", "/debug/pprof/", "/debug/gc",
                 "/debug/runtime-metrics", "/debug/set-mutex-profile-fraction"}


def rows_for_who_knows_derper():
    """Cells of the table of pages."""
    section = GUIDE.read_text().split("Pages and what they need,")[1].split("The numbers are")[0]
    return [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("derpers, ours", rows_for_who_knows_derper())
def test_each_page_of_derper_is_found_by_the_table(paged, derpers, ours):
    key = "nodekey:" + "0" * 64
    theirs = [path for path in re.findall(r"`([^`]+)`", derpers) if path.startswith("/debug/")]
    here = re.findall(r"`(/[a-z][^`]*)`", ours)
    for path in theirs:
        assert ask(paged, path + (key if path.endswith("key=") else "")).status == (404 if path not in here and "the same" not in ours else 200)
    for path in here:
        # Nobody has that key.
        assert ask(paged, path + (key if path.endswith("key=") else "")).status == (404 if path.startswith("/debug/client?") else 200)
    for command in re.findall(r"`detourctl ([^`]+)`", ours):
        words = command.split()
        if "doctor" in words:
            words.append("--help")
        detourctl(paged, *words)
    settings = text_of(ask(paged, "/debug/config"))
    for group, name in re.findall(r"`\[([^]]+)\] ([a-z-]+)`", ours):
        assert re.search(rf"\[{group}\][^\[]* #?{name} (=|is not set)", settings), name


def test_the_table_has_all_pages_of_derper():
    listed = {path.split("?")[0] for derpers, _ in rows_for_who_knows_derper() for path in re.findall(r"`(/[^`]*)`", derpers)}
    assert listed == DERPERS_PAGES


def test_a_storm_is_told_when_to_come_again(tmp_path):
    """A page that watches a client takes a second, so that of many most must wait, and some may not."""
    with Relay(tmp_path, PAGES) as relay:
        relay.start()
        client = relay.door("tls").client()
        waiting = {(stream := Stream.connect(relay.address("metrics"))).sock: stream for _ in range(40)}
        for stream in waiting.values():
            stream.write(f"GET /debug/client?key={client.key.hex()}&path=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answers = []
        while not any(answer.status == 503 for answer in answers):
            readable, _, _ = select.select(waiting, [], [], PATIENCE)
            assert readable, [answer.line for answer in answers]
            answers += [read_response(waiting.pop(sock)) for sock in readable]
        assert {answer.get("Retry-After") for answer in answers if answer.status == 503} == {"2"}
        for stream in waiting.values():
            stream.close()
        client.ping(b"12345678")


def test_the_check_for_programs(paged):
    page = ask(paged, "/debug/check")
    assert (page.status, page.get("Content-Type"), page.body) == (200, "text/plain; charset=utf-8", b"ok\n")
