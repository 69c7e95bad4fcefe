"""Numbers of TLS records over upgrades: each is used once, with whatever key and however the upgrade ends.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import struct

import pytest

from derp_client import Client, Frame
from test_key_update import OpensslStream
from tls_records import SUITES, Recorder, open_all, records_in, secrets_of

PACKET = bytes(n % 253 for n in range(8000))
# More than the kernel keeps for a socket, so that the relay has to.
MANY = 3000


class Numbered:
    """Packets with numbers from one client to another, and pings beside them."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.n_sent = self.n_got = 0

    def send(self, n):
        """The next @n; the relay has them then."""
        for _ in range(n):
            self.source.send_packet(self.target.key, struct.pack(">Q", self.n_sent) + PACKET[:self.n_sent % 7 * 1300])
            self.n_sent += 1
        self.source.ping(b"have you")

    def take(self):
        """All that were sent."""
        while self.n_got < self.n_sent:
            kind, payload = self.target.recv()
            if kind == Frame.KEEP_ALIVE:
                continue
            assert kind == Frame.RECV_PACKET
            assert payload == self.source.key + struct.pack(">Q", self.n_got) + PACKET[:self.n_got % 7 * 1300]
            self.n_got += 1

    def go_on(self):
        """Some, and an answer of the relay itself."""
        self.send(20)
        self.take()
        self.target.ping(b"and back")


def fail_to_upgrade(relay):
    """The sessions were taken apart, and the program that should have them is gone."""
    path = relay.program("volatile", 'echo "can take over: 9.9"; rm -- "$0"')
    said = relay.ask("--binary", path, code=1)
    assert "cannot be started: No such file" in said, said


@pytest.mark.parametrize("suite", SUITES)
def test_no_number_is_used_twice(upgraded, suite, tmp_path):
    """All that the relay sends is opened once more, record by record, with the number that has to come next."""
    relay = upgraded()
    sender = relay.door("http").client()
    with Recorder(relay.door("tls-export").address) as recorder:
        stream = OpensslStream(recorder.address, tmp_path / "errors", ["-ciphersuites", suite, "-keylogfile", tmp_path / "secrets"])
        talk = Numbered(sender, Client(stream).login())
        talk.go_on()
        relay.upgrade(kept=2)
        talk.go_on()
        stream.update_keys(True)
        talk.go_on()
        fail_to_upgrade(relay)
        talk.go_on()
        relay.upgrade(kept=2)
        talk.go_on()

        # Nobody reads: records that are sealed wait in the relay, and one is half in the socket.
        recorder.reading.clear()
        before = len(recorder.taken)
        talk.send(MANY)
        fail_to_upgrade(relay)
        relay.upgrade(kept=2)
        talk.send(20)
        relay.upgrade(kept=2)
        fail_to_upgrade(relay)
        assert len(recorder.taken) - before < 100000
        recorder.reading.set()
        talk.take()
        talk.go_on()
        relay.upgrade(kept=2)
        talk.go_on()
        stream.process.stdin.close()
        stream.process.wait(30)
    secrets = secrets_of(tmp_path / "secrets")
    used, plain = open_all(recorder.taken, suite, secrets)
    assert len(set(used)) == len(used) > MANY // 10
    # Of the handshake, of the traffic, and after the update of keys.
    assert len({secret for secret, _ in used}) == 3
    assert plain.count(sender.key) == talk.n_got
    # A record that comes twice, or is missing, would be seen.
    records = list(records_in(recorder.taken))
    for wrong in (records[:-1] + records[-2:], records[:-9] + records[-8:]):
        with pytest.raises(AssertionError, match="does not have number"):
            open_all(b"".join(wrong), suite, secrets)
