"""Clients of a relay in this network that do nothing, and say when the relay has closed them.
SPDX-License-Identifier: LGPL-2.1-or-later

The argument is their number. One line is written when all are logged in, and one for each when it is closed.
"""

import concurrent.futures
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from derp_client import Client, Closed, Stream  # noqa: E402  # pylint: disable=wrong-import-position

PATIENCE = 120.0


def client():
    """One that is logged in."""
    stream = Stream.connect(("127.0.0.1", 443))
    stream.start_tls("relay.example.com")
    it = Client(stream)
    it.login()
    return it


def leave(it):
    """Waits until the relay closes one."""
    try:
        while True:
            it.recv(timeout=PATIENCE)
    except Closed:
        return


def main():
    """They are closed in an order of the relay's."""
    clients = [client() for _ in range(int(sys.argv[1]))]
    print("logged in", flush=True)
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        for done in concurrent.futures.as_completed([pool.submit(leave, it) for it in clients]):
            done.result()
            print("closed", flush=True)


if __name__ == "__main__":
    main()
