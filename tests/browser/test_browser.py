"""A page in headless Chromium that logs in through a WebSocket and relays.
SPDX-License-Identifier: LGPL-2.1-or-later

BROWSER_MODULES names the folder where npm has put what package-lock.json lists.
"""

import base64
import contextlib
import http.server
import os
import pathlib
import subprocess
import sys
import threading
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))

# pylint: disable=wrong-import-position
from control import ask  # noqa: E402
from derp_client import PATIENCE, Frame, Stream  # noqa: E402
from relay import EVERYTHING, Relay  # noqa: E402

FILES = {"/page.html": HERE / "page.html", "/page.js": HERE / "page.js",
         "/nacl-fast.min.js": pathlib.Path(os.environ["BROWSER_MODULES"]) / "tweetnacl" / "nacl-fast.min.js"}
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


class Site(http.server.ThreadingHTTPServer):
    """Serves the page, and waits for what it says."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.result = None
        self.told = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def stop(self):
        """No more requests."""
        self.shutdown()
        self.thread.join()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Of the site."""

    def do_GET(self):
        """A file of the list."""
        path = FILES.get(self.path.split("?")[0])
        body = path.read_bytes() if path else b""
        self.send_response(200 if path else 404)
        self.send_header("Content-Type", TYPES[path.suffix] if path else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        """The result."""
        self.server.result = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(204)
        self.end_headers()
        self.server.told.set()

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        """Quiet."""


def pin_of(relay):
    """The public key of the relay's certificate as Chromium's command line wants it."""
    der = Stream.connect(relay.address("tls")).start_tls(server_name="127.0.0.1").certificates()[0]
    key = x509.load_der_x509_certificate(der).public_key()
    spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    return base64.b64encode(digest.finalize()).decode()


@contextlib.contextmanager
def chromium(url, profile, *options):
    """A browser that shows the page."""
    command = ["chromium", "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
               "--disable-component-update", "--disable-sync", "--no-first-run", "--no-default-browser-check",
               f"--user-data-dir={profile}", *options]
    if os.geteuid() == 0:
        command.append("--no-sandbox")
    with open(profile.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen([*command, url], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def echo(client, relay, kinds):
    """Sends the first packet back to where it came from, and notes what the relay takes its sender for."""
    data = client.expect(Frame.RECV_PACKET, timeout=4 * PATIENCE)
    kinds += [row["kind"] for row in ask(relay, "clients")["clients"] if row["key"] == "nodekey:" + data[:32].hex()]
    client.send_packet(data[:32], data[32:])


@pytest.mark.parametrize("way", ["ws", "wss"])
def test_a_page_logs_in_and_relays(tmp_path, way):
    with Relay(tmp_path / "relay", EVERYTHING) as relay:
        relay.start()
        native = relay.door("tls-export").client()
        kinds = []
        echoing = threading.Thread(target=echo, args=[native, relay, kinds])
        echoing.start()
        port = relay.ports["http" if way == "ws" else "https"]
        query = urllib.parse.urlencode({"url": f"{way}://127.0.0.1:{port}/derp", "peer": native.key.hex()})
        site = Site()
        try:
            with chromium(f"http://127.0.0.1:{site.server_port}/page.html?{query}", tmp_path / "profile",
                          f"--ignore-certificate-errors-spki-list={pin_of(relay)}") as browser:
                told = site.told.wait(4 * PATIENCE)
            log = (tmp_path / "profile.log").read_text(errors="replace")
            assert told, f"the page says nothing; Chromium: {browser.returncode}\n{log[-4000:]}"
        finally:
            site.stop()
        assert site.result.startswith("PASS "), f"{site.result}\n{relay.log[-4000:]}"
        echoing.join(PATIENCE)
        assert not echoing.is_alive()
        assert kinds == ["browser"]
