"""Two clients over TLS that send each other numbered packets until they are told to end, and then say how many arrived.
SPDX-License-Identifier: LGPL-2.1-or-later

Runs in the network of the machine. One line is written when both are logged in; the end of the standard input ends it.
"""

import pathlib
import select
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from derp_client import Client, Stream  # noqa: E402  # pylint: disable=wrong-import-position

PATIENCE = 60.0


def client():
    """A client that is logged in."""
    stream = Stream.connect(("127.0.0.1", 443))
    stream.start_tls("relay.example.com")
    it = Client(stream)
    it.login()
    return it


def main():
    """Packet by packet, so that one that is lost, doubled or out of order is seen at once."""
    sides = client(), client()
    print("logged in", flush=True)
    n = 0
    while not select.select([sys.stdin], [], [], 0.005)[0]:
        for a, b in (sides, sides[::-1]):
            packet = b"packet %12d" % n
            a.send_packet(b.key, packet)
            b.expect_packet(a.key, packet, timeout=PATIENCE)
        n += 1
    print(n, flush=True)
    for side in sides:
        side.close()


if __name__ == "__main__":
    main()
