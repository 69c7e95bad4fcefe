"""/bootstrap-dns: addresses of a few names for clients without DNS, from the real resolver of this host.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ipaddress
import json

from control import ask, counter, detourctl
from derp_client import http_request
from relay import EVERYTHING, wait_until, with_keys

# Names that need no name server: an address stands for itself.
NAMES = {"names": "192.0.2.7; localhost", "unpublished_names": "192.0.2.8;192.0.2.9/percent.invalid"}


def answer(relay, query="", way="tls-export"):
    """What is answered, as {name: [address]}."""
    response = http_request(relay.door(way).stream(), "GET", f"/bootstrap-dns{query}")
    assert (response.status, response.get("Content-Type")) == (200, "application/json")
    assert response.get("Connection") == "close" and response.get("X-Content-Type-Options") == "nosniff"
    return json.loads(response.body)


def test_answers(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "http bootstrap-dns", **NAMES))
    published = wait_until(lambda: answer(relay), "the first refresh")
    assert list(published) == ["192.0.2.7", "localhost"]
    assert published["192.0.2.7"] == ["192.0.2.7"]
    assert all(ipaddress.ip_address(address).is_loopback for address in published["localhost"])
    assert answer(relay, "?q=192.0.2.8", "http") == {"192.0.2.8": ["192.0.2.8"]}
    for query in ("?q=localhost", "?q=elsewhere.example", "?q=", "?other=1", "?q=192.0.2.9"):
        found = answer(relay, query)
        assert sorted(found) == sorted(published)
    assert counter(relay, "unpublished_hits", instance="http/bootstrap-dns") == 1
    assert counter(relay, "published_hits", instance="http/bootstrap-dns") == 1
    # Port 80 sends it on, and nobody can ask for it elsewhere.
    assert http_request(relay.door("port80").stream(), "GET", "/bootstrap-dns").status == 302
    detourctl(relay, "plugins", "disable", "http/bootstrap-dns")
    assert http_request(relay.door("http").stream(), "GET", "/bootstrap-dns").status == 404


def test_a_name_without_address_is_told(make_relay):
    relay = make_relay(with_keys(EVERYTHING, "http bootstrap-dns", names="192.0.2.7;nowhere.invalid"))
    wait_until(lambda: "no address was found for nowhere.invalid" in json.dumps(ask(relay, "plugins")), "the trouble")
    assert list(answer(relay)) == ["192.0.2.7"]
