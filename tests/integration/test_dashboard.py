"""Every panel of the dashboard shows data of a relay that is used, as a real Prometheus has scraped it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import math
import pathlib
import re
import subprocess
import time
import urllib.parse
import urllib.request

from derp_client import Client
from relay import EVERYTHING, Relay, free_port, wait_until, with_keys

DASHBOARD = pathlib.Path(__file__).resolve().parents[2] / "data" / "monitoring" / "grafana.json"
CONFIG = with_keys(with_keys(EVERYTHING, "service metrics", listen="127.0.0.1:{metrics}"),
                   "auth friends", plugin="keys", file="{dir}/friends")
CONFIG = with_keys(with_keys(CONFIG, "admission", chain="friends"), "class staff", quota="1G")
# Each worker looks at a client's connection once in 17 keep-alives, so that both need many of them.
N_FRIENDS = 40
CONFIG = with_keys(CONFIG, "limits", keep_alive="1s")


@contextlib.contextmanager
def prometheus(directory, relay):
    """The address of a Prometheus that scrapes the relay once a second."""
    host, port = relay.address("metrics")[:2]
    own = free_port()
    config = directory / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: 1s}}\n"
                      f"scrape_configs: [{{job_name: detour, static_configs: [{{targets: ['{host}:{port}']}}]}}]\n")
    with open(directory / "prometheus.log", "wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address=127.0.0.1:{own}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{own}"
    finally:
        process.terminate()
        process.wait()


def query(address, expression):
    """Values that are numbers; None while there is no answer."""
    url = f"{address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            told = json.load(answer)
    except OSError:
        return None
    assert told["status"] == "success", told
    values = [float(row["value"][1]) for row in told["data"]["result"]]
    return [value for value in values if not math.isnan(value)]


def expressions():
    """(panel, expression) of all panels, with the variables of Grafana filled in."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        assert panel["type"] == "row" or panel["targets"], panel["title"]
        for target in panel.get("targets", []):
            text = re.sub(r"\$__rate_interval\b", "15s", target["expr"].replace("$instance", ".+"))
            assert "$" not in text, text
            yield panel["title"], text


def use(relay, door, secret):
    """A login that is asked about, packets of several sizes, and one that gets lost."""
    client = door.client(key=secret)
    for size in (10, 500, 1400):
        client.send_packet(client.key, b"x" * size)
        client.expect_packet(client.key, b"x" * size)
    client.send_packet(b"\7" * 32, b"lost")
    client.ping(b"12345678")
    client.stream.close()


def test_every_panel_shows_data(tmp_path):
    some, friends = Client(None), [Client(None) for _ in range(N_FRIENDS)]
    wanted = list(expressions())
    assert len(wanted) > 50
    admitted = "".join(f"nodekey:{client.key.hex()} class=staff someone\n" for client in [some, *friends])
    with Relay(tmp_path, CONFIG, files={"friends": admitted}) as relay:
        relay.start()
        with relay.lent_door("tls-export") as door, prometheus(tmp_path, relay) as address:
            for client in friends:
                door.client(key=client.secret)
            empty = wanted

            def shown():
                nonlocal empty
                use(relay, door, some.secret)
                empty = [(panel, text) for panel, text in empty if not query(address, text)]
                return not empty

            wait_until(lambda: query(address, "up == 1"), "the first scrape", timeout=30)
            assert query(address, "detour_no_such_series") == []
            deadline = time.monotonic() + 90
            while not shown():
                assert time.monotonic() < deadline, empty
                time.sleep(0.2)
