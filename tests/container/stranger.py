"""A client with a new key that wants in at a relay in this network, and has to be turned away.
SPDX-License-Identifier: LGPL-2.1-or-later

The argument is the address of the relay. It writes its key when the relay has closed the connection.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from derp_client import Client, Closed, Frame, Stream  # noqa: E402  # pylint: disable=wrong-import-position


def main():
    """The login itself may succeed; no packet of its own must come back to it."""
    stream = Stream.connect((sys.argv[1], 443))
    stream.start_tls("relay.example.com")
    it = Client(stream)
    try:
        it.login()
        it.send_packet(it.key, b"let me in")
        it.expect(Frame.RECV_PACKET)
    except Closed:
        print(f"nodekey:{it.key.hex()}")
        return
    sys.exit("the relay let it in")


if __name__ == "__main__":
    main()
