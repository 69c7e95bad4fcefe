"""Configurations of the documents: run as they are written, but for ports, paths and addresses of this host.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import re

from relay import Relay

# Every test replaces the listeners of the vendor file and the state directory, and logs to a file.
OURS = """
[core]
state-directory = {dir}/state
control-socket = {run}/control
dbus = none
workers = 1
"""

VENDOR_LISTENERS = {
    "transport https": "listen = 127.0.0.1:{https}",
    "transport http": "listen = 127.0.0.1:{http}",
    "service stun": "listen = 127.0.0.1:{stun}",
}


def adapted(text):
    """@text with this host's paths, addresses and ports. What it says beside that stays as it is."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M)
    text = re.sub(r"(?<![\w/}])(/var)?/run/", "{run}/", text)
    text = re.sub(r"(?<![\w/}])/(etc|var)/", r"{dir}/\1/", text)
    text = re.sub(r"^(listen *= *)\S+:(443|8443)$", r"\g<1>127.0.0.1:{https}", text, flags=re.M)
    text = re.sub(r"^(listen *= *)\S+:8080$", r"\g<1>127.0.0.1:{behind}", text, flags=re.M)
    text = re.sub(r"^(listen *= *)\S+:8444$", r"\g<1>127.0.0.1:{next}", text, flags=re.M)
    text = re.sub(r"^(listen *= *)\S+:80$", r"\g<1>127.0.0.1:{http}", text, flags=re.M)
    text = re.sub(r"^(listen *= *)\S+:3478$", r"\g<1>127.0.0.1:{stun}", text, flags=re.M)
    return text


class AdaptedRelay(Relay):
    """A relay that runs such a configuration over the vendor's file."""

    options = []

    def __init__(self, directory, text, files):
        super().__init__(directory, adapted(text), files)
        self.name = re.search(r"^hostname *= *(.*)$", text, re.M)[1]

    def write_config(self, config=None):
        """The configuration, and beside it what a test must change."""
        super().write_config(config)
        ours = OURS
        for group, line in VENDOR_LISTENERS.items():
            inside = re.search(rf"^\[{group}\]\n(.*?)(?=^\[|\Z)", self.config, re.M | re.S)
            if inside is None or not re.search(r"^(listen|socket) *=", inside[1], re.M):
                ours += f"\n[{group}]\n{line}\n"
        self.write_file("conf.d/99-test.conf", self.fill(ours))
