"""A control server with so many devices, for `full`: what their list costs a relay that reads it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import hashlib
import http.server
import json
import pathlib
import re
import threading
import time


def device(number):
    """One of a tailnet, with what Tailscale's API says of each by default."""
    key = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "addresses": [f"100.{64 + number // 65536}.{number // 256 % 256}.{number % 256}", f"fd7a:115c:a1e0::{number:x}"],
        "id": str(10 ** 16 + number), "nodeId": f"n{number:08d}CNTRL", "user": f"user{number // 8}@example.com",
        "name": f"machine-{number}.tail0123.ts.net", "hostname": f"machine-{number}", "clientVersion": "1.102.5-t0123456789",
        "updateAvailable": False, "os": "linux", "created": "2026-01-02T03:04:05Z", "lastSeen": "2026-11-29T12:00:00Z",
        "keyExpiryDisabled": True, "expires": "2027-05-01T03:04:05Z", "authorized": True, "isExternal": False,
        "machineKey": f"mkey:{key}", "nodeKey": f"nodekey:{key}", "blocksIncomingConnections": False,
        "tags": ["tag:server"] if number % 4 == 0 else [], "tailnetLockError": "", "tailnetLockKey": "",
    }


class Api:
    """Where it is, and how long its list is."""

    def __init__(self, url, length):
        self.url = url
        self.length = length


@contextlib.contextmanager
def served(count):
    """The API of a tailnet with `count` devices, for as long as the block lasts."""
    body = json.dumps({"devices": [device(number) for number in range(count)]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Every path is the list."""

        def do_GET(self):  # pylint: disable=invalid-name
            """The list."""
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # pylint: disable=redefined-builtin
            """Nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Api(f"http://127.0.0.1:{server.server_address[1]}", len(body))
        finally:
            server.shutdown()
            thread.join()


def cpu_ms(pid):
    """Processor time of all its threads."""
    return sum(int(path.read_text(encoding="ascii").split()[0])
               for path in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


def measured(server, api, patience, settle):
    """Memory and time of the relay that has read the list."""
    text = ""
    end = time.monotonic() + patience
    while not (found := re.search(r"auth/tailnet: (\d+) devices, 0 before", text)):
        if time.monotonic() > end:
            raise TimeoutError(f"the list of {api.url} did not come: {text}")
        time.sleep(0.005)
        text = (server.directory / "log").read_text(errors="replace")
    in_force_ms = 1e3 * (time.monotonic() - server.started_at)
    time.sleep(settle)
    return {"devices": int(found[1]), "list_mb": api.length / 1048576, "in_force_ms": in_force_ms, "rss_mb": server.rss_mb(),
            "cpu_ms": cpu_ms(server.pid)}
