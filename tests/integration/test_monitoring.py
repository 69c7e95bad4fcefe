"""What Prometheus, Grafana and people of derper are given: lists, alerts and dashboard fit what the relay tells.
SPDX-License-Identifier: LGPL-2.1-or-later

`DETOUR_RENEW=1` writes doc/metrics.md anew.
"""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
import yaml

from control import ask as control_ask, detourctl
from derp_client import http_request
from relay import EVERYTHING, SMALL, Relay, wait_until, with_keys
from test_metrics import ask, scrape

TOP = pathlib.Path(__file__).resolve().parents[2]
MONITORING = TOP / "data" / "monitoring"
PAGE = TOP / "doc" / "metrics.md"
# Not for the daemon, which takes each such variable for a key of its configuration.
RENEW = os.environ.pop("DETOUR_RENEW", "")

# One of each plugin that can run without a server of its own.
ALL = EVERYTHING.replace("chain = open", "chain = friends;api;node;url") + """
[service metrics]
listen = 127.0.0.1:{metrics}

[class staff]
quota = 1G

[tenant one]
names = one.test
chain = friends

[auth friends]
plugin = keys
file = {dir}/friends

[auth node]
plugin = tailscaled
socket = {run}/none

[auth url]
url = http://127.0.0.1:1/
unavailable = deny

[auth api]
plugin = tailscale-api
api = headscale
url = http://127.0.0.1:1/
key-file = {dir}/api.key

[service probe]
mesh-key-file = {dir}/mesh.key
bandwidth = 64K

[peer other]
host = 127.0.0.1:1

[http bootstrap-dns]
names = localhost

[http ace]
allow = controlplane.tailscale.com
"""

@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """A relay with one of everything that counts."""
    files = {"friends": "", "api.key": "hskey-api-0123456789ab\n"}
    with Relay(tmp_path_factory.mktemp("full"), with_keys(ALL, "core", hostname="127.0.0.1"), files=files) as relay:
        relay.start()
        # Series of checks are there once there was one.
        wait_until(lambda: b"\ndetour_service_probe_bandwidth_bytes{" in ask(relay).body, "a look")
        yield relay


def families(relay):
    """Name -> type, labels, help."""
    found = {}
    for line in ask(relay).body.decode().splitlines():
        if line.startswith("# HELP "):
            _, _, name, text = line.split(" ", 3)
            found[name] = ["", set(), text]
        elif line.startswith("# TYPE "):
            found[line.split()[2]][0] = line.split()[3]
        else:
            series = re.match(r"([a-z0-9_]+)(?:\{(.*)\})? ", line)
            name = re.sub(r"_(bucket|sum|count)$", "", series[1]) if series[1] not in found else series[1]
            found[name][1] |= set(re.findall(r'(\w+)="', series[2] or ""))
    return found


def unit_of(name):
    """As the name says."""
    words = name.removesuffix("_total").split("_")
    return words[-1] if words[-1] in ("bytes", "seconds") else ""


def page_of(found):
    """The page that lists them."""
    lines = ["# Every series of `/metrics`", "", "<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->", "",
             "What `[service metrics]` tells; a test compares this list with a relay that runs one of each plugin. Counters and histograms begin",
             "with 0 at the start of the daemon. `plugin_instance` is the instance of a plugin, as in `service/stun`; the label `le` of histograms is",
             "left out. [monitoring.md](monitoring.md) has alerts, a dashboard, and derper's names.", "",
             "| series | type | unit | labels | meaning |", "|---|---|---|---|---|"]
    for name in sorted(found):
        kind, labels, text = found[name]
        shown = ", ".join(f"`{label}`" for label in sorted(labels - {"le"}))
        lines.append(f"| `{name}` | {kind} | {unit_of(name)} | {shown} | {text} |")
    return "\n".join(lines) + "\n"


def test_every_series_is_on_the_page(full):
    page = page_of(families(full))
    if RENEW:
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def test_all_plugins_are_clean_for_prometheus(full):
    checked = subprocess.run(["promtool", "check", "metrics"], input=ask(full).body, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


# ---- dashboard and alerts

def expressions():
    """Where it stands -> expression."""
    for panel in json.loads((MONITORING / "grafana.json").read_text())["panels"]:
        for target in panel.get("targets", ()):
            yield f"panel {panel['title']}", target["expr"]
    for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]:
        for rule in group["rules"]:
            yield f"alert {rule['alert']}", rule["expr"]


def test_dashboard_and_alerts_ask_for_what_there_is(full):
    series = {key.split("{")[0] for key in scrape(full)}
    asked = [(place, name) for place, text in expressions() for name in re.findall(r"\b(?:detour|process)_\w+", text)]
    assert len(asked) > 70
    assert [(place, name) for place, name in asked if name not in series] == []


def test_labels_that_are_asked_for_exist(full):
    series = list(scrape(full))
    for place, text in expressions():
        for name, inside in re.findall(r"\b((?:detour|process)_\w+)\{([^}]*)\}", text):
            for label, value in re.findall(r'(\w+)="([^"$]+)"', inside):
                assert any(key.startswith(name + "{") and f'{label}="{value}"' in key for key in series), (place, label, value)


def test_rules_fire_as_they_should():
    for command in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts-test.yml"]):
        ran = subprocess.run(["promtool", *command], cwd=MONITORING, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_each_alert_has_a_test_and_a_page():
    rules = [rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
    tried = {test["name"] for test in yaml.safe_load((MONITORING / "alerts-test.yml").read_text())["tests"]}
    headings = set(re.findall(r"^### (\w+)$", (TOP / "doc" / "monitoring.md").read_text(), re.M))
    names = {rule["alert"] for rule in rules}
    assert names == tried == headings
    assert all(rule["annotations"]["runbook"] == f"monitoring.md#{rule['alert'].lower()}" for rule in rules)


# ---- derper's names

def test_vars_and_varz(full):
    page = ask(full, "/debug/vars")
    assert page.get("Content-Type") == "application/json; charset=utf-8"
    told = json.loads(page.body)
    assert {"accepts", "bytes_received", "gauge_clients_local", "counter_packets_received_kind", "version"} <= set(told["derp"])
    assert told["derp"]["counter_packets_received_kind"].keys() == {"disco", "other"}
    assert told["stun"]["counter_requests"].keys() == {"not_stun", "read_error", "success", "write_error"}
    assert (told["derp_packets_dropped"], told["process_start_unix_time"] > 1700000000) == ("MultiLabelMap", True)
    page = ask(full, "/debug/varz")
    assert page.get("Content-Type") == "text/plain; charset=utf-8"
    text = page.body.decode()
    for line in ("# TYPE derp_accepts counter", "# TYPE derp_clients_local gauge", 'derp_packets_received_kind{kind="other"} ',
                 'derp_packets_dropped{reason="dup_client",kind="disco"} 0', "derp_websocket_accepts ",
                 'stun_requests{disposition="success"} ', 'version{version="'):
        assert line in text
    series = [line.split(" ")[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(series) == len(set(series))
    parsed = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True, check=False)
    assert b"error while linting" not in parsed.stderr


def test_derpers_numbers_are_ours(tmp_path):
    config = with_keys(SMALL, "service metrics", listen="127.0.0.1:{metrics}")
    with Relay(tmp_path, config) as relay:
        relay.start()
        door = relay.door()
        one, two = door.client(), door.client()
        one.send_packet(two.key, b"x" * 100)
        two.expect_packet(one.key, b"x" * 100)
        one.send_packet(b"\7" * 32, b"lost")
        one.ping(b"12345678")
        told = json.loads(ask(relay, "/debug/vars").body)["derp"]
        assert {name: told[name] for name in ("accepts", "bytes_received", "packets_received", "packets_sent", "gauge_clients_local",
                                              "gauge_current_connections", "got_ping", "sent_pong")} == {
            "accepts": 2, "bytes_received": 104, "packets_received": 2, "packets_sent": 1, "gauge_clients_local": 2,
            "gauge_current_connections": 2, "got_ping": 1, "sent_pong": 1}
        assert told["gauge_current_file_descriptors"] > 0
        assert b'derp_packets_dropped{reason="unknown_dest",kind="other"} 1\n' in ask(relay, "/debug/varz").body


def test_access_is_the_same(full):
    for path in ("/debug/vars", "/debug/varz"):
        assert ask(full, path, [("X-Forwarded-For", "192.0.2.1")]).status == 403
        with full.lent_door("http") as door:
            assert http_request(door.stream(), "GET", path).status == 404


def test_numbers_of_the_process(full):
    now = scrape(full)
    assert float(now["process_cpu_seconds_total"]) > 0 and int(now["process_resident_memory_bytes"]) > 1 << 20
    # Hosts whose clocks do not agree are off by seconds; seconds for ticks, or the boot for the start, would be off by more.
    assert abs(float(now["process_start_time_seconds"]) - time.time()) < 1800


# ---- detourctl metrics

def test_textfile_for_node_exporter(full, tmp_path):
    target = tmp_path / "detour.prom"
    target.write_text("old")
    detourctl(full, "metrics", "--textfile", str(target))
    text = target.read_text()
    assert {line.split("{")[0].split(" ")[0].split("_")[0] for line in text.splitlines() if not line.startswith("#")} == {"detour"}
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["detour.prom"]


def test_metrics_at_the_terminal(full, tmp_path):
    assert "process_cpu_seconds_total" in detourctl(full, "metrics")[0]
    assert "gauge_clients_local" in control_ask(full, "metrics")["derp"]
    with Relay(tmp_path, SMALL) as plain:
        plain.start()
        assert "[service metrics]" in detourctl(plain, "metrics", code=1)[1]


# ---- the table for who comes from derper

def names_in(text):
    """Names of series in a cell; one that ends with `…` stands for all that begin so."""
    return [re.sub(r"\{.*", "", name) for name in re.findall(r"`([a-z]\w*(?:\{[^}]*\})?…?)`", text)]


def is_there(name, series):
    """Whether a name of the table is among the names of series."""
    return any(key.startswith(name[:-1]) for key in series) if name.endswith("…") else name in series


def rows_for_who_knows_derper():
    """The table's cells."""
    section = (TOP / "doc" / "monitoring.md").read_text().split("## For who knows derper\n")[1]
    rows = [line.strip("| ").split(" | ", 1) for line in section.splitlines() if line.startswith("| `")]
    assert len(rows) >= 27 and all(len(row) == 2 for row in rows)
    return rows


@pytest.mark.parametrize("derpers, ours", rows_for_who_knows_derper())
def test_each_number_of_derper_is_found_by_the_table(full, derpers, ours):
    told = {line.split(" ")[0].split("{")[0] for line in ask(full, "/debug/varz").body.decode().splitlines() if not line.startswith("#")}
    here = {key.split("{")[0] for key in scrape(full)}
    is_left_out = "left out" in ours
    assert names_in(derpers), derpers
    for name in names_in(derpers):
        assert is_there(name, told) != is_left_out, name
    for name in names_in(ours):
        if name.startswith(("detour_", "process_")):
            assert is_there(name, here), name


def test_no_number_of_derper_is_missing_in_the_table(full):
    listed = [name for derpers, _ in rows_for_who_knows_derper() for name in names_in(derpers)]
    told = {line.split(" ")[0].split("{")[0] for line in ask(full, "/debug/varz").body.decode().splitlines() if not line.startswith("#")}
    assert [name for name in sorted(told) if not any(name.startswith(entry[:-1]) if entry.endswith("…") else name == entry for entry in listed)] == []
