"""Chromium over its debugging pipe: opens pages at a width, asks them, and takes pictures.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import base64
import contextlib
import json
import os
import select
import struct
import subprocess
import time
import zlib

PATIENCE = 60


class Browser:
    """One tab of a headless browser."""

    def __init__(self, profile):
        to_child, self.output = os.pipe()
        self.input, from_child = os.pipe()
        command = ["chromium", "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
                   "--disable-component-update", "--disable-sync", "--no-first-run", "--no-default-browser-check",
                   "--force-device-scale-factor=1", "--font-render-hinting=none", "--hide-scrollbars", "--lang=en",
                   f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]
        if os.geteuid() == 0:
            command.append("--no-sandbox")
        # The browser reads from descriptor 3 and writes to 4, which may be taken here.
        low, high = os.dup2(to_child, 103), os.dup2(from_child, 104)
        with open(f"{profile}.log", "wb") as log:
            self.process = subprocess.Popen(["bash", "-c", 'exec 3<&103 4>&104 103<&- 104>&- "$@"', "bash", *command], pass_fds=(low, high),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        for fd in (to_child, from_child, low, high):
            os.close(fd)
        self.number, self.rest, self.events = 0, b"", []
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def stop(self):
        """Ends it."""
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.output)
        os.close(self.input)

    def read(self, deadline):
        """The next message."""
        while b"\0" not in self.rest:
            assert select.select([self.input], [], [], max(deadline - time.monotonic(), 0))[0], "Chromium says nothing"
            data = os.read(self.input, 1 << 16)
            assert data, "Chromium has ended"
            self.rest += data
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **params):
        """The result of a command."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.read(deadline)
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        """The next event of that name, those that have come already included."""
        deadline = time.monotonic() + PATIENCE
        while True:
            for index, event in enumerate(self.events):
                if event.get("method") == method:
                    return self.events.pop(index)["params"]
            self.events.append(self.read(deadline))

    def open(self, url, width, dark=False, height=900):
        """Shows a page; gives what the browser found fault with."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")
        self.ask("document.fonts.ready.then(() => 0)")
        return [event["params"]["entry"]["text"] for event in self.events if event.get("method") == "Log.entryAdded"]

    def ask(self, expression):
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key, code):
        """A key, as a person does."""
        for kind in ("rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, scale=1.0):
        """The whole page as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": scale}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"])


@contextlib.contextmanager
def browser(profile):
    """A browser that ends with the block."""
    one = Browser(profile)
    try:
        yield one
    finally:
        one.stop()


def pixels(png):
    """(width, rows) of a picture with 8 bits a channel; a row is bytes of red, green, blue for each pixel."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    at, data = 8, b""
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at:at + 8])
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", png[at + 8:at + 8 + length])
            assert depth == 8 and colour in (2, 6) and interlace == 0
        elif kind == b"IDAT":
            data += png[at + 8:at + 8 + length]
        at += length + 12
    data, step = zlib.decompress(data), 3 if colour == 2 else 4
    rows, before = [], bytes(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        kind, row = data[start], bytearray(data[start + 1:start + 1 + width * step])
        for x, value in enumerate(row):
            left, up = row[x - step] if x >= step else 0, before[x]
            corner = before[x - step] if x >= step else 0
            if kind == 1:
                row[x] = (value + left) & 255
            elif kind == 2:
                row[x] = (value + up) & 255
            elif kind == 3:
                row[x] = (value + (left + up) // 2) & 255
            elif kind == 4:
                row[x] = (value + min((left, up, corner), key=lambda near, p=left + up - corner: abs(p - near))) & 255
        rows.append(bytes(row) if step == 3 else bytes(byte for x, byte in enumerate(row) if x % 4 != 3))
        before = row
    return width, rows
