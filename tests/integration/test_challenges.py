"""Challenges of certificate authorities: what is answered on which port, with nothing but the daemon itself.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ssl

import pytest

from derp_client import http_request
from relay import EVERYTHING, with_keys

PLACE = "/.well-known/acme-challenge/"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
ANSWER = TOKEN + ".9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"


@pytest.mark.parametrize("transport", ["port80", "http", "tls12", "tls-export"])
def test_web_root_is_served_on_every_port(make_relay, transport):
    relay = make_relay(with_keys(EVERYTHING, "http acme", web_root="{dir}/root"),
                       files={"root" + PLACE + TOKEN: ANSWER})
    stream = relay.door(transport).stream()
    for host in ("relay.test", "[2001:db8::5]:80", "else.example:443"):
        response = http_request(stream, "GET", PLACE + TOKEN, host=host)
        assert (response.status, response.body.decode()) == (200, ANSWER)
        assert response.get("Content-Type") == "text/plain"
    assert http_request(stream, "GET", PLACE + "other").status == 404
    assert http_request(stream, "GET", PLACE + "../" * 8 + "etc/passwd").status == 404


@pytest.mark.parametrize("transport", ["tls12", "tls-export"])
def test_authority_gets_no_usual_certificate(make_relay, transport):
    relay = make_relay(EVERYTHING)
    for protocols in (["acme-tls/1"], ["http/1.1", "acme-tls/1"]):
        with pytest.raises(ssl.SSLError, match="(?i)unrecognized.name"):
            relay.door(transport).stream(tls={"alpn": protocols})
    assert relay.door(transport).client()
