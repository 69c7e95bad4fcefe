"""detourctl derpmap check, list and merge: what they find in maps of all forms, and what they write.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import http.server
import json
import threading

import pytest
import yaml

from control import detourctl
from relay import EVERYTHING

POLICY = """// The policy of a tailnet.
{
  "acls": [{"action": "accept", "src": ["*"], "dst": ["*:*"]}],
  "derpMap": { /* our own */
    "OmitDefaultRegions": true,
    "Regions": {
      "901": {
        "RegionID": 901, "RegionCode": "own", "RegionName": "Our own",
        "Nodes": [
          {"Name": "901a", "RegionID": 901, "HostName": "relay.example.com", "DERPPort": 99999},
        ],
      },
    },
  },
}
"""

HEADSCALE = """regions:
  900:
    regionid: 900
    regioncode: one
    regionname: One
    nodes:
      - name: 900a
        regionid: 900
        hostname: one.example.com
        ipv4: 203.0.113.5
        canport80: true
"""


@pytest.fixture(name="place")
def fixture_place(tmp_path):
    """Writes a map; gives its path."""
    def place(name, text):
        path = tmp_path / name
        path.write_text(text)
        return str(path)
    return place


def test_errors_name_their_place(place):
    path = place("policy.hujson", POLICY)
    said, errors = detourctl(None, "derpmap", "check", path, code=1)
    assert f"{path}:10: derpMap.Regions.901.Nodes[0].DERPPort: 99999 is no port" in errors
    assert said == f"{path}: 1 region, 1 node; 1 error, 0 warnings\n"
    finding, = json.loads(detourctl(None, "--json", "derpmap", "check", path, code=1)[0])["maps"][0]["findings"]
    assert (finding["line"], finding["path"], finding["severity"]) == (10, "derpMap.Regions.901.Nodes[0].DERPPort", "error")


@pytest.mark.parametrize("seen, hidden, where, code", [
    ('"Our own"', '"Our \\u202enwo"', "8: derpMap.Regions.901.RegionName", "U+202E"),
    ('"RegionCode": "own"', '"RegionCode": "o\u200bwn"', "8: derpMap.Regions.901.RegionCode", "U+200B"),
    ('"Name": "901a"', '"Name": "901a\u00ad"', "10: derpMap.Regions.901.Nodes[0].Name", "U+00AD"),
    ("relay.example.com", "relay.ex\u2066ample.com", "10: derpMap.Regions.901.Nodes[0].HostName", "U+2066"),
    ('"DERPPort": 99999', '"CertName": "relay\u200f.example.com"', "10: derpMap.Regions.901.Nodes[0].CertName", "U+200F"),
    ('"DERPPort": 99999', '"IPv4": "192.0.2.1\ufeff"', "10: derpMap.Regions.901.Nodes[0].IPv4", "U+FEFF")])
def test_what_is_not_seen_is_told(place, seen, hidden, where, code):
    """Whichever way it came in, and once for each value."""
    text = POLICY.replace(seen, hidden).replace('"DERPPort": 99999', '"DERPPort": 443')
    path = place("policy.hujson", text)
    said, errors = detourctl(None, "derpmap", "check", path, code=1)
    assert f"{path}:{where}: has a character that is not seen or turns the direction of writing, {code}; type it anew" in errors
    assert "1 error, 0 warnings" in said, errors


def test_a_number_that_is_too_large_is_told_as_such(place):
    path = place("map.json", '{"Regions": {}, "HomeParams": {"RegionScore": {"901": 1e400}}}')
    errors = detourctl(None, "derpmap", "check", path, code=1)[1]
    assert "HomeParams.RegionScore.901: 1e400 is too large for a number" in errors and "found a number" not in errors


def test_good_maps_end_with_0(place):
    policy = place("policy.hujson", POLICY.replace("99999", "8443"))
    said, errors = detourctl(None, "derpmap", "check", policy, place("derp.yaml", HEADSCALE))
    assert errors == "" and said.count("0 errors, 0 warnings") == 2


def test_maps_are_checked_against_each_other(place):
    first = place("first.yaml", HEADSCALE)
    second = place("second.yaml", HEADSCALE.replace("900", "902"). replace("902a", "900a"))
    _, errors = detourctl(None, "derpmap", "check", first, second, code=1)
    assert f'{second}:2: regions.902.regioncode: "one" is the code of regions.900 in {first}, too' in errors
    assert "regions.902.nodes[0].name" in errors and first in errors
    _, errors = detourctl(None, "derpmap", "check", first, first)
    assert "warning: takes the place of the region of that number" in errors


def test_list(place):
    said, _ = detourctl(None, "derpmap", "list", place("derp.yaml", HEADSCALE), place("policy", POLICY.replace("99999", "8443")))
    assert [line.split()[:6] for line in said.splitlines()[1:]] == [
        ["900", "one", "900a", "443", "3478", "one.example.com"], ["901", "own", "901a", "8443", "3478", "relay.example.com"]]


@pytest.mark.parametrize("form", ["json", "tailscale", "headscale"])
def test_merge_writes_each_form(place, tmp_path, form):
    output = tmp_path / "merged"
    detourctl(None, "derpmap", "merge", place("a", HEADSCALE), place("b", POLICY.replace("99999", "8443")), f"--format={form}",
              f"--output={output}")
    text = output.read_text()
    regions = (yaml.safe_load(text)["regions"] if form == "headscale" else json.loads(text)["Regions"] if form == "json"
               else json.loads("{" + text.rstrip().rstrip(",") + "}")["derpMap"]["Regions"])
    assert sorted(str(key) for key in regions) == ["900", "901"]
    one = {name.lower(): value for name, value in regions[900 if form == "headscale" else "900"].items()}
    assert {name.lower(): value for name, value in one["nodes"][0].items()} == {
        "name": "900a", "regionid": 900, "hostname": "one.example.com", "ipv4": "203.0.113.5", "canport80": True}
    assert detourctl(None, "derpmap", "merge", str(output))[1] == ""  # also of a member alone


def test_a_node_has_a_name_of_its_own(place, make_relay):
    """Two regions of one map with nodes of one name."""
    relay = make_relay(EVERYTHING)
    one, two = (place(region, detourctl(relay, "derpmap", "--format=json", f"--region={region}", f"--code=r{region}", "--node-name=n1")[0])
                for region in ("901", "902"))
    errors = detourctl(None, "derpmap", "merge", one, two, code=1)[1]
    assert 'Regions.902.Nodes[0].Name: "n1" is the name of Regions.901.Nodes[0] in' in errors
    two = place("902", detourctl(relay, "derpmap", "--format=json", "--region=902", "--code=r902", "--node-name=n2")[0])
    merged = json.loads(detourctl(None, "derpmap", "merge", one, two)[0])["Regions"]
    assert [region["Nodes"][0]["Name"] for region in merged.values()] == ["n1", "n2"]


def test_merge_touches_nothing_that_stays(place, tmp_path):
    output = tmp_path / "merged"
    path = place("a", HEADSCALE)
    for _ in range(2):
        detourctl(None, "derpmap", "merge", path, f"--output={output}")
        before = output.stat()
    detourctl(None, "derpmap", "merge", path, f"--output={output}")
    assert (output.stat().st_ino, output.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    detourctl(None, "derpmap", "merge", path, place("b", POLICY.replace("99999", "1")), f"--output={output}")
    assert output.stat().st_ino != before.st_ino


def test_merge_writes_nothing_of_a_bad_map(place, tmp_path):
    output = tmp_path / "merged"
    said, errors = detourctl(None, "derpmap", "merge", place("a", POLICY), f"--output={output}", code=1)
    assert said == "" and "nothing is written while there are errors" in errors and not output.exists()
    assert "write tailscale, headscale or json" in detourctl(None, "derpmap", "merge", "x", "--format=xml", code=2)[1]


@pytest.mark.parametrize("text, told", [
    ("", ":1: there is nothing in it"),
    ("{", ":1: not JSON: "),
    ("regions: [\n", ":2: "),
    ("\0", ":1: not a text"),
    (" " * (5 << 20), "5242880 bytes"),
], ids=["empty", "json", "yaml", "binary", "long"])
def test_what_is_no_map(place, text, told):
    assert told in detourctl(None, "derpmap", "check", place("map", text), code=1)[1]


@contextlib.contextmanager
def serving(answers):
    """A server that gives (status, body) by path."""
    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers from the table."""
        def do_GET(self):  # pylint: disable=invalid-name
            """One request."""
            status, body = answers[self.path]
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body)
                body = ""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body.encode())

        def log_message(self, *_):
            """Says nothing."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_maps_from_a_server():
    good = json.dumps({"Regions": {"900": {"RegionID": 900, "RegionCode": "a", "RegionName": "A", "Nodes": [
        {"Name": "900a", "RegionID": 900, "HostName": "a.example.com"}]}}})
    with serving({"/map": (200, good), "/moved": (302, "/map"), "/file": (302, "file:///etc/passwd"), "/gone": (404, good),
                  "/long": (200, " " * (5 << 20))}) as url:
        assert "1 region, 1 node; 0 errors, 0 warnings" in detourctl(None, "derpmap", "check", f"{url}/map")[0]
        assert "900a" in detourctl(None, "derpmap", "list", f"{url}/moved")[0]
        assert "status 404" in detourctl(None, "derpmap", "check", f"{url}/gone", code=1)[1]
        assert "longer than 4194304 bytes" in detourctl(None, "derpmap", "check", f"{url}/long", code=1)[1]
        assert "cannot be fetched" in detourctl(None, "derpmap", "check", f"{url}/file", code=1)[1]
    assert "cannot be fetched" in detourctl(None, "derpmap", "check", f"{url}/map", code=1)[1]
