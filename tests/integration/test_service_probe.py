"""service-probe in the daemon: what it says in status, in the log and to Prometheus when a relay is well, is not, and is again.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json

from control import detourctl, plugin as plugin_of
from prober import node, pin_of, region_of, write_map
from relay import EVERYTHING, free_port, wait_until, with_keys
from test_metrics import ask as web, scrape

ON_ITSELF = with_keys(with_keys(with_keys(EVERYTHING, "core", hostname="127.0.0.1"), "service probe", interval="1s"),
                      "service metrics", listen="127.0.0.1:{metrics}")
ON_ITSELF += "\n[http debug]\n"
WATCHING = with_keys(ON_ITSELF, "service probe", interval="1s", map="{dir}/map.json")


def plugin(relay):
    """What status has of it."""
    return plugin_of(relay, "service/probe")


def series(relay, name, **labels):
    """The value of a series of the plugin; None: there is none."""
    for one, number in scrape(relay).items():
        if one.startswith(f"detour_service_probe_{name}{{") and all(f'{key}="{value}"' in one for key, value in labels.items()):
            return float(number)
    return None


def watch(make_relay, tmp_path, others=()):
    """A relay that looks at another one, or more, and that one."""
    watched = make_relay(EVERYTHING)
    entries = [node("900a", watched, CertName=pin_of(watched)), *others]
    text = write_map(tmp_path, region_of(*entries)).read_text()
    return make_relay(WATCHING, {"map.json": text}), watched


def test_a_relay_looks_at_itself(make_relay):
    relay = make_relay(ON_ITSELF)
    wait_until(lambda: plugin(relay)["summary"].startswith("6 checks good, 0 warnings, 0 failed, 0 skipped. A client here would take region 900"),
               "a look at all")
    assert not plugin(relay)["trouble"]
    for check in ("stun4", "tls4", "latency", "login", "packet", "websocket"):
        assert series(relay, "check_good", region=900, node="900a", check=check) == 1
        assert series(relay, "check_failed", region=900, node="900a", check=check) == 0
    assert series(relay, "certificate_left_seconds", node="900a", check="tls4") > 86400
    assert series(relay, "check_time_seconds", node="900a", check="stun4") > 0
    assert series(relay, "checks", status="good") == 6 and series(relay, "runs_total", outcome="good") >= 1
    document = json.loads(web(relay, "/debug/probe.json").body)
    assert document["good"] == 6 and document["failed"] == 0
    page = web(relay, "/debug/probe")
    assert page.get("Content-Type") == "text/html; charset=utf-8" and "default-src 'self'" in page.get("Content-Security-Policy")
    assert b"<td>900a</td><td>stun4</td><td class=\"good\">good</td>" in page.body
    german = web(relay, "/debug/probe", [("Accept-Language", "de-AT")]).body.decode()
    assert '<html lang="de">' in german and "<h1>Was Clients antreffen</h1>" in german and "<td class=\"good\">gut</td>" in german
    # There and back, as long as it is there.
    link = '<a href="/debug/probe">Probe</a>'
    overview = [("Accept", "text/html")]
    assert link in web(relay, "/debug/", overview).body.decode() and '<a href="/debug/">Overview</a>' in page.body.decode()
    detourctl(relay, "plugins", "disable", "service/probe")
    assert link not in web(relay, "/debug/", overview).body.decode()
    assert web(relay, "/debug/probe").status == 404
    detourctl(relay, "plugins", "enable", "service/probe")


def test_nothing_was_looked_at_yet(make_relay):
    """A program that says nothing: there is no page, and when to ask again is told."""
    relay = make_relay(with_keys(ON_ITSELF, "service probe", interval="1h", program="/bin/true"))
    for path in ("/debug/probe", "/debug/probe.json"):
        answer = web(relay, path)
        assert (answer.status, answer.get("Retry-After")) == (503, "5"), path


def test_a_failure_and_its_end(make_relay, tmp_path):
    relay, watched = watch(make_relay, tmp_path)
    wait_until(lambda: series(relay, "check_good", check="stun4") == 1, "the first look")
    since = len(relay.log)
    detourctl(watched, "plugins", "disable", "service/stun")
    relay.wait_log(r"warning service-probe: service/probe: node 900a of region 900: stun4 failed: .*event=probe-failed", since)
    wait_until(lambda: "900a stun4 failed" in (plugin(relay)["trouble"] or ""), "the trouble")
    assert "900a stun4 failed" in detourctl(relay, "status")[0].replace("\n", " ")
    assert series(relay, "check_failed", node="900a", check="stun4") == 1 and series(relay, "check_good", node="900a", check="stun4") == 0
    assert series(relay, "checks", status="failed") == 1 and series(relay, "runs_total", outcome="failed") >= 1
    detourctl(watched, "plugins", "enable", "service/stun")
    relay.wait_log(r"message service-probe: service/probe: node 900a of region 900: stun4 is good again", since)
    wait_until(lambda: not plugin(relay)["trouble"], "no trouble")
    assert series(relay, "check_failed", node="900a", check="stun4") == 0
    # Each was told once, however many looks there were.
    assert relay.log[since:].count("event=probe-failed") == 1 and relay.log[since:].count("event=probe-good") == 1


def test_a_map_that_goes_and_comes(make_relay, tmp_path):
    relay, _ = watch(make_relay, tmp_path)
    wait_until(lambda: series(relay, "runs_total", outcome="good"), "the first look")
    place = relay.directory / "map.json"
    text = place.read_text()
    place.unlink()
    relay.wait_log(r"the relays could not be looked at: .*map\.json.*event=probe-broken")
    wait_until(lambda: series(relay, "runs_total", outcome="broken"), "the counter")
    place.write_text(text)
    wait_until(lambda: not plugin(relay)["trouble"], "no trouble")


def test_nodes_come_and_go(make_relay, tmp_path):
    relay, watched = watch(make_relay, tmp_path)
    wait_until(lambda: series(relay, "check_good", node="900a", check="login") == 1, "the first look")
    entries = [node("900b", watched, CertName=pin_of(watched)), node("900c", watched, DERPPort=free_port())]
    (relay.directory / "map.json").write_text(write_map(tmp_path, region_of(*entries)).read_text())
    wait_until(lambda: series(relay, "check_failed", node="900c", check="tls4") == 1, "the other node")
    assert series(relay, "check_good", node="900a", check="login") == series(relay, "check_failed", node="900a", check="login") == 0
    assert series(relay, "check_good", node="900b>900c", check="packet") == 0
