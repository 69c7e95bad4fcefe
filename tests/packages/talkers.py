"""Two clients over TLS that send each other numbered packets until they are told to end, and then say how many arrived.
SPDX-License-Identifier: LGPL-2.1-or-later

Runs in the network of the machine. Arguments are the addresses of the relays of both, where these are not one on loopback; a first packet may
be lost there, until the relays know of the clients. One line is written when both can talk; the end of the standard input ends it.
"""

import contextlib
import pathlib
import select
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from derp_client import Client, Frame, Stream, Timeout  # noqa: E402  # pylint: disable=wrong-import-position

PATIENCE = 60.0


def client(address):
    """A client that is logged in."""
    stream = Stream.connect((address, 443))
    stream.start_tls("relay.example.com")
    it = Client(stream)
    it.login()
    return it


def meet(a, b):
    """Waits until packets come both ways, and takes all that came by then."""
    for here, there in ((a, b), (b, a)):
        end, came, n = time.monotonic() + PATIENCE, None, 0
        while came is None:
            assert time.monotonic() < end, "no packet comes"
            n += 1
            here.send_packet(there.key, b"hello %d" % n)
            with contextlib.suppress(Timeout):
                came = there.expect(Frame.RECV_PACKET, timeout=0.2)
        while came != here.key + b"hello %d" % n:
            came = there.expect(Frame.RECV_PACKET, timeout=PATIENCE)


def main():
    """Packet by packet, so that one that is lost, doubled or out of order is seen at once."""
    sides = [client(address) for address in sys.argv[1:] or ["127.0.0.1"] * 2]
    meet(*sides)
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
