"""The test CA itself: what tests set is what it does.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import socket
import struct

from pebble import Pebble


def ask_txt(address, name):
    """The text of a TXT answer of a DNS server, over UDP."""
    host, port = address.split(":")
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", 16, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.sendto(struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + question, (host, int(port)))
        return sock.recv(4096)


def test_each_pebble_has_what_its_test_wants(tmp_path):
    with Pebble(tmp_path / "one", eab={"kid-1": b"k" * 32}, profiles={"short": 86400}, alternate_roots=1, chain_length=2) as one, \
            Pebble(tmp_path / "two") as two:
        directory = json.loads(one.get(one.directory_url))
        assert directory["meta"]["externalAccountRequired"] is True
        assert list(directory["meta"]["profiles"]) == ["short"]
        assert one.roots(0) != one.roots(1)
        assert one.intermediates().count("BEGIN CERTIFICATE") == 1
        assert json.loads(two.get(two.directory_url))["meta"]["externalAccountRequired"] is False
        assert one.requests("/dir")[0] == ("GET", "/dir") and one.orders() == 0
        one.dns.set_txt("_acme-challenge.w.test", "of one")
        assert b"of one" in ask_txt(one.dns.address, "_acme-challenge.w.test")
        assert b"of one" not in ask_txt(two.dns.address, "_acme-challenge.w.test")
        # Begun anew it is at the same place, and another CA.
        url, roots = two.directory_url, two.roots()
        two.stop()
        two.start()
        assert two.directory_url == url and two.roots() != roots
        assert re.search(r"Configured to reject 0% of good nonces", two.log)
