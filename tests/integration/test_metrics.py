"""The numbers of the relay over HTTP: who may read them, in which form, and what they say.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re
import socket
import subprocess
import time

import pytest

from derp_client import PATIENCE, Client, Frame, Stream, http_request, read_response
from relay import EVERYTHING, SMALL, Relay, wait_until, with_keys

METRICS = with_keys(EVERYTHING, "service metrics", listen="127.0.0.1:{metrics};unix:{run}/metrics")

OPEN = [("Accept", "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")]
FORWARDED = ("X-Forwarded-For", "192.0.2.1")


@pytest.fixture(scope="module")
def metered(tmp_path_factory):
    """A relay with everything, whose numbers are served."""
    with Relay(tmp_path_factory.mktemp("metered"), METRICS) as relay:
        yield relay.start()


def ask(relay, path="/metrics", fields=(), method="GET", address=None):
    """The answer to one request."""
    stream = Stream.connect(address or relay.address("metrics"))
    try:
        return http_request(stream, method, path, fields)
    finally:
        stream.close()


def scrape(relay, fields=()):
    """Series -> value, all as text."""
    page = ask(relay, fields=fields)
    assert page.status == 200
    return dict(line.rsplit(" ", 1) for line in page.body.decode().splitlines() if not line.startswith("#"))


# ---- the forms

def test_prometheus_has_nothing_to_say_against_it(metered):
    page = ask(metered)
    assert (page.status, page.get("Content-Type")) == (200, "text/plain; version=0.0.4; charset=utf-8")
    checked = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_openmetrics_for_those_who_prefer_it(metered):
    page = ask(metered, fields=OPEN)
    assert page.get("Content-Type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = page.body.decode()
    assert text.endswith("\n# EOF\n") and text.count("# EOF") == 1
    assert "# TYPE detour_received_bytes counter\n# UNIT detour_received_bytes bytes\n" in text
    # The same series as in the other form.
    assert set(scrape(metered)) == {re.sub(r'(le="\d+)\.0"', r'\1"', series) for series in scrape(metered, OPEN)}


def test_families_are_whole_and_series_unique(metered):
    lines = ask(metered).body.decode().splitlines()
    series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    for word in ("HELP", "TYPE"):
        names = [line.split(" ", 3)[2] for line in lines if line.startswith(f"# {word} ")]
        assert len(names) == len(set(names))


# ---- what it says

def test_numbers_follow_what_happens(metered):
    before = scrape(metered)
    with metered.lent_door("tls-export") as door:
        one, two = door.client(), door.client()
        one.send_packet(two.key, b"x" * 1000)
        two.expect_packet(one.key, b"x" * 1000)
        now = scrape(metered)
        assert int(now["detour_clients"]) == int(before["detour_clients"]) + 2
    def grew(name, by):
        return int(now[name]) == int(before[name]) + by
    assert grew("detour_received_bytes_total", 1000) and grew("detour_sent_bytes_total", 1000)
    assert grew('detour_packets_received_total{kind="data"}', 1)
    assert grew("detour_logins_total", 2)


def buckets(series, name):
    """Upper bound -> count of a histogram without other labels."""
    return {found[1]: int(value) for key, value in series.items()
            if (found := re.fullmatch(re.escape(name) + r'_bucket\{le="([^"]+)"\}', key))}


def test_sizes_of_packets(metered):
    sizes = [0, 1, 64, 65, 128, 129, 1400, 2048, 2049, 65504]
    expected = {"64": 3, "128": 5, "256": 6, "512": 6, "1024": 6, "2048": 8, "4096": 9, "8192": 9, "16384": 9,
                "32768": 9, "65536": 10, "+Inf": 10}
    before = scrape(metered)
    with metered.lent_door("http") as door:
        one, two = door.client(), door.client()
        for size in sizes:
            one.send_packet(two.key, b"x" * size)
            two.expect_packet(one.key, b"x" * size)
    # One text serves those who ask within a few milliseconds.
    now = wait_until(lambda: (text := scrape(metered))["detour_packet_bytes_count"] != before["detour_packet_bytes_count"] and text,
                     "the packets are counted")
    old, new = buckets(before, "detour_packet_bytes"), buckets(now, "detour_packet_bytes")
    assert {bound: new[bound] - old[bound] for bound in new} == expected
    assert int(now["detour_packet_bytes_sum"]) - int(before["detour_packet_bytes_sum"]) == sum(sizes)
    assert int(now["detour_packet_bytes_count"]) == new["+Inf"]


def test_how_long_things_take(tmp_path):
    config = with_keys(with_keys(METRICS, "admission", chain="friends"), "auth friends", plugin="keys", file="{dir}/friends")
    client = Client(None)
    with Relay(tmp_path, config, files={"friends": f"nodekey:{client.key.hex()}\n"}) as relay:
        relay.start()
        door = relay.door("tls-export")
        door.client(client.secret)
        stranger = door.greeted()
        stranger.stream.write(stranger.client_info())
        wait_until(lambda: scrape(relay)["detour_refused_total"] == "1", "the stranger is refused")
        now = scrape(relay)
        assert now["detour_login_seconds_count"] == "1" and float(now["detour_login_seconds_sum"]) > 0
        assert now["detour_admission_seconds_count"] == "2"
        wait_until(lambda: int(scrape(relay)["detour_worker_round_seconds_count"]) > 0 or door.client(client.secret),
                   "rounds are measured")


def test_round_trips_and_queues_of_clients(tmp_path):
    """A worker looks at its first keep-alive and at each 17th from then on. What does not read has a queue."""
    with Relay(tmp_path, with_keys(METRICS, "limits", keep_alive="1s", write_timeout="10m")) as relay:
        relay.start()
        door = relay.door("http")
        sender, reader = door.client(), door.client(stream=door.stream(receive_buffer=4096))
        for _ in range(400):
            sender.send_packet(reader.key, b"f" * 60000)
        sender.send(Frame.PING, b"all sent")
        while sender.recv() != (Frame.PONG, b"all sent"):
            pass  # keep-alives
        now = wait_until(lambda: (text := scrape(relay))["detour_client_round_trip_seconds_count"] != "0" and text, "a look")
        assert float(now["detour_client_round_trip_seconds_sum"]) > 0
        assert now["detour_client_queue_delay_seconds_count"] == now["detour_client_round_trip_seconds_count"]
        wait_until(lambda: float(scrape(relay)["detour_client_queue_delay_seconds_sum"]) > 0, "a look at the one that does not read",
                   timeout=2 * PATIENCE)


def test_who_is_there(metered):
    before = scrape(metered)
    with metered.lent_door("tls-export") as door:
        home = door.client()
        home.send(0x07, b"\1")
        door.client(home.secret)
        door.client(request={"fields": [("Ideal-Node", "1a")]})
        watcher = door.mesh_client()
        watcher.send(0x10)
        grew = {"clients": 4, "keys": 3, "clients_home": 1, "clients_not_ideal": 1, "duplicate_keys": 1,
                "duplicate_connections": 2, "watchers": 1}
        wait_until(lambda: {name: int(scrape(metered)[f"detour_{name}"]) - int(before[f"detour_{name}"]) for name in grew} == grew,
                   "all are counted")
    wait_until(lambda: all(scrape(metered)[f"detour_{name}"] == before[f"detour_{name}"] for name in grew), "all are gone")


def test_plugins_and_certificates(metered):
    now = scrape(metered)
    stun = '{plugin_instance="service/stun",plugin="service-stun"}'
    assert [now[f"detour_instance_{what}{stun}"] for what in ("enabled", "running", "trouble")] == ["1", "1", "0"]
    end = int(now['detour_certificate_end_timestamp_seconds{plugin_instance="cert/main",name="127.0.0.1"}'])
    assert end > time.time() + 86400
    assert sum(series.startswith("detour_build_info{version=") for series in now) == 1
    assert now["detour_ready"] == "1"


def test_a_full_relay_still_tells(tmp_path):
    config = with_keys(with_keys(METRICS, "limits", connections="1", accept_rate="1", accept_burst="1"), "service metrics")
    with Relay(tmp_path, config) as relay:
        relay.start()
        relay.door("http").client()
        for _ in range(5):
            assert scrape(relay)["detour_clients"] == "1"


def test_plugins_numbers_have_their_instance(metered):
    assert 'detour_service_stun_requests_success_total{plugin_instance="service/stun"}' in scrape(metered)


def test_series_are_there_from_the_start_and_stay_bounded(tmp_path):
    """Nothing a client does brings a new series."""
    with Relay(tmp_path, METRICS) as relay:
        relay.start()
        before = set(scrape(relay))
        for way in ("http", "tls12", "tls-export"):
            door = relay.door(way)
            clients = [door.client() for _ in range(5)]
            clients[0].send_packet(b"\7" * 32, b"lost")
            clients[0].send_packet(clients[1].key, b"found")
            clients[1].expect_packet(clients[0].key, b"found")
            for client in clients:
                client.close()
        http_request(relay.door("http").stream(), "GET", "/nothing-here")
        assert set(scrape(relay)) == before


# ---- alive and ready

def test_livez_and_readyz(metered):
    assert [(ask(metered, path).status, ask(metered, path).body) for path in ("/livez", "/readyz")] == [
        (200, b"ok\n"), (200, b"ready\n")]
    head = ask(metered, "/readyz", method="HEAD")
    assert (head.status, head.get("Cache-Control")) == (200, "no-store")


# ---- who may

def test_only_its_own_listeners_serve_it(metered):
    for way in ("http", "tls-export"):
        with metered.lent_door(way) as door:
            for path in ("/metrics", "/livez", "/readyz"):
                answer = http_request(door.stream(), "GET", path)
                assert (answer.status, answer.body) == (404, b"There is no such page\n"), path
    for path in ("/derp", "/generate_204", "/derp/probe"):
        assert ask(metered, path).status == 404


def test_unix_socket(metered):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{metered.run_directory}/metrics")
    stream = Stream(sock)
    assert b"detour_clients" in http_request(stream, "GET", "/metrics").body
    stream.close()


def test_a_proxy_is_not_who_asks(metered):
    for path in ("/metrics", "/livez", "/", "/unknown"):
        answer = ask(metered, path, [FORWARDED])
        assert (answer.status, answer.body) == (403, b"not allowed\n")
    assert ask(metered, "/unknown").status == 404
    assert b"/metrics" in ask(metered, "/").body


def test_networks_and_the_key(tmp_path):
    config = with_keys(SMALL, "service metrics", listen="127.0.0.1:{metrics}", allow="127.0.0.2",
                       debug_key_file="{dir}/debug.key")
    with Relay(tmp_path, config, files={"debug.key": "sesame\n"}) as relay:
        relay.start()
        assert ask(relay).status == 403
        stream = Stream.connect(relay.address("metrics"), source=("127.0.0.2", 0))
        assert http_request(stream, "GET", "/metrics").status == 200
        assert ask(relay, "/metrics?debugkey=sesame").status == 200
        assert ask(relay, fields=[("Authorization", "Bearer sesame"), FORWARDED]).status == 200
        assert ask(relay, "/metrics?debugkey=other").status == 403
        # A new key holds after a reload; a file that is no good leaves the old one.
        relay.write_file("debug.key", "basil\n")
        relay.reload()
        assert [ask(relay, f"/livez?debugkey={key}").status for key in ("sesame", "basil")] == [403, 200]
        relay.write_file("debug.key", "")
        relay.reload()
        assert ask(relay, "/livez?debugkey=basil").status == 200
        assert "there is no key in it; the key before it stays" in relay.log


# ---- limits

def test_many_at_once_share_the_work(metered):
    """All are answered, with fewer texts than requests."""
    written = 'detour_service_metrics_writes_total{plugin_instance="service/metrics"}'
    before = int(scrape(metered)[written])
    streams = [Stream.connect(metered.address("metrics")) for _ in range(40)]
    for stream in streams:
        stream.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    answers = [read_response(stream) for stream in streams]
    for stream in streams:
        stream.close()
    assert {answer.status for answer in answers} == {200}
    assert int(scrape(metered)[written]) - before < 40


def test_a_connection_has_its_limits(metered):
    stream = Stream.connect(metered.address("metrics"))
    stream.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 20000)
    assert read_response(stream).status == 431
    stream.expect_closed()


def test_service_goes_and_comes(tmp_path):
    config = with_keys(SMALL, "service metrics", listen="127.0.0.1:{metrics}")
    with Relay(tmp_path, config) as relay:
        relay.start()
        name = 'detour_service_metrics_requests_total{page="metrics",plugin_instance="service/metrics"}'
        scrape(relay)
        relay.reload(with_keys(config, "service metrics", enabled="false"))
        wait_until(lambda: not accepts(relay), "the listener is closed")
        relay.reload(config)
        # Totals go on.
        assert int(scrape(relay)[name]) == 2
        client = relay.door().client()
        client.ping(b"12345678")


def accepts(relay):
    """Whether somebody listens."""
    try:
        Stream.connect(relay.address("metrics")).close()
        return True
    except ConnectionRefusedError:
        return False
