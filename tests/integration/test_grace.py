"""Grace outlasts a restart, and no longer than it would have lasted without one.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import re
import signal
import subprocess

import pytest

from admission_server import AdmissionServer
from control_api import CLIENT_ID, CLIENT_SECRET, ControlApi
from derp_client import PATIENCE
from local_api import Tailscaled
from relay import DETOURD, EVERYTHING, wait_until, with_keys
from shifted_clock import ShiftedClock
from test_admission import new_key

HOUR = 3600
MINUTE = 60


class Daemon:
    """A tailscaled."""

    def __init__(self, relay):
        self.server = Tailscaled(f"{relay.run_directory}/tailscaled.sock")
        self.keys = {"plugin": "tailscaled", "socket": "{run}/tailscaled.sock", "timeout": "20s"}
        self.start, self.stop = self.server.start, self.server.stop

    def allow(self, key):
        """The key is known from now on."""
        self.server.add(key.public_key)

    def deny(self, key):
        """It is not."""
        self.server.remove(key.public_key)


class Url:
    """An admission server."""

    def __init__(self, relay):
        del relay
        self.server = AdmissionServer()
        self.keys = {"plugin": "url", "url": self.server.url(), "unavailable": "grace", "timeout": "20s", "proxy": "none"}
        self.stop = self.server.stop
        self.is_new = True

    def start(self):
        """It begins by itself the first time."""
        if not self.is_new:
            self.server.start()
        self.is_new = False

    def allow(self, key, **members):
        """The key is allowed from now on."""
        self.server.allow(key.public_key, **members)

    def deny(self, key):
        """It is not."""
        self.server.deny(key.public_key)


class Api:
    """An API that lists devices. Its plugin keeps a list of its own, which is taken away with the API."""

    def __init__(self, relay):
        self.relay = relay
        self.server = ControlApi("tailscale")
        self.start = self.server.start
        self.keys = {"plugin": "tailscale-api", "api": "tailscale", "refresh": "1s", "client_id": CLIENT_ID,
                     "client_secret_file": "{dir}/secret"}
        relay.write_file("secret", CLIENT_SECRET + "\n")

    def stop(self):
        """Nobody is there any more."""
        self.server.stop()
        (self.relay.directory / "state" / "it.devices").unlink(missing_ok=True)

    def allow(self, key):
        """A device has the key from now on."""
        self.server.add(key.public_key)

    def deny(self, key):
        """None has it."""
        self.server.remove(key.public_key.encode())


KINDS = {"tailscaled": Daemon, "url": Url, "tailscale-api": Api}


class Scene:
    """A relay, and whom it asks: one of KINDS, or another class like them."""

    def __init__(self, relay, kind, **admission):
        self.relay = relay
        self.source = KINDS.get(kind, kind)(relay)
        self.source.start()
        if kind == "tailscale-api":
            self.source.keys["url"] = self.source.server.url
        self.config = with_keys(with_keys(EVERYTHING, "auth it", **self.source.keys), "admission",
                                **({"chain": "it", "refuse_hold": "0s", "timeout": "30s"} | admission))
        self.file = relay.directory / "state" / "verdicts"

    def start(self):
        """Starts the relay."""
        self.relay.write_config(self.config)
        self.relay.start()
        # A list that comes late would leave nobody in; that is not what is tried here.
        if isinstance(self.source, Api):
            self.relay.wait_log(r"auth/it: \d+ devices, 0 before")
        return self

    def comes_in(self, key):
        """Whether a client with that key is let in; the client."""
        client = self.relay.door().greeted(key)
        client.stream.write(client.client_info())
        client.read_server_info()
        client.ping(b"12345678")
        return client

    def remembered(self, **members):
        """A key that was let in before the relay stopped."""
        key = new_key()
        self.source.allow(key, **members)
        self.comes_in(key)
        self.relay.stop()
        return key

    def stays_out(self, key):
        """A client with that key is not let in."""
        client = self.relay.door().greeted(key)
        client.stream.write(client.client_info())
        client.expect_closed()

    def ctl(self, *arguments):
        """What detourctl says."""
        return subprocess.run([DETOURD.with_name("detourctl"), f"--socket={self.relay.run_directory}/control", *arguments],
                              capture_output=True, check=True, timeout=PATIENCE, text=True).stdout

    def verdict(self, key):
        """The last one on a key."""
        return json.loads(self.ctl("--json", "why", f"nodekey:{key.public_key.encode().hex()}"))["verdicts"][0]

    def kept(self):
        """Keys in the file; -1: there is none."""
        try:
            return int(re.search(r"^end (\d+)$", self.file.read_text(), re.M)[1])
        except FileNotFoundError:
            return -1

    def wait_kept(self, number):
        """Waits until so many keys are in the file."""
        wait_until(lambda: self.kept() == number, f"{number} keys in the file")


@pytest.fixture(name="scene")
def fixture_scene(make_relay):
    """Makes a relay and whom it asks."""
    made = []

    def make(kind="url", **admission):
        made.append(Scene(make_relay(EVERYTHING, start=False), kind, **admission))
        return made[-1]

    yield make
    for scene in made:
        scene.source.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_grace_outlasts_a_restart(scene, kind):
    scene = scene(kind)
    friend, stranger = new_key(), new_key()
    scene.source.allow(friend)
    scene.start()
    scene.comes_in(friend)
    label = scene.verdict(friend).get("label")
    scene.stays_out(stranger)
    scene.relay.stop()
    assert scene.kept() == 1
    assert scene.file.stat().st_mode & 0o777 == 0o600
    for secret in (friend.public_key.encode().hex(), friend.public_key.encode().hex()[:8], "127.0.0.1", label or "friend"):
        assert secret not in scene.file.read_text()

    scene.source.stop()
    for _ in range(2):
        scene.relay.start()
        scene.comes_in(friend)
        verdict = scene.verdict(friend)
        assert verdict["grace"] and verdict["reason"].startswith("allowed before, and now: ")
        assert verdict.get("label") == label
        scene.stays_out(stranger)
        scene.relay.stop()


def test_a_daemon_that_is_killed_forgets_what_happened_in_the_last_minute(scene, tmp_path):
    with ShiftedClock(tmp_path) as clock:
        scene = scene().start()
        one, two = new_key(), new_key()
        scene.source.allow(one, Label="Anna's laptop", Class="family")
        scene.source.allow(two)
        scene.comes_in(one)
        clock.pass_time(MINUTE + 1)
        scene.wait_kept(1)
        scene.comes_in(two)
        scene.relay.stop(signal.SIGKILL, code=-signal.SIGKILL)
        scene.source.stop()
        scene.relay.start()
        client = scene.comes_in(one)
        assert scene.verdict(one)["label"] == "Anna's laptop" and scene.verdict(one)["class"] == "family"
        assert "Anna" not in scene.file.read_text() and "family" not in scene.file.read_text()
        scene.stays_out(two)
        del client


@pytest.mark.parametrize("kind", KINDS)
def test_a_revoked_key_is_gone_from_disk_at_once(scene, kind):
    scene = scene(kind, recheck="1s")
    stays, goes = new_key(), new_key()
    scene.source.allow(stays)
    scene.source.allow(goes)
    scene.start()
    scene.comes_in(stays)
    client = scene.comes_in(goes)
    scene.relay.stop()
    assert scene.kept() == 2
    scene.relay.start()
    client = scene.comes_in(goes)
    scene.source.deny(goes)
    client.expect_closed()
    scene.wait_kept(1)
    scene.relay.stop(signal.SIGKILL, code=-signal.SIGKILL)
    scene.source.stop()
    scene.relay.start()
    scene.stays_out(goes)
    scene.comes_in(stays)


def test_a_device_that_is_gone_has_no_grace_though_it_was_not_connected(scene):
    scene = scene("tailscale-api", recheck="off")
    stays, goes = new_key(), new_key()
    scene.source.allow(stays)
    scene.source.allow(goes)
    scene.start()
    scene.comes_in(stays)
    scene.comes_in(goes).close()
    scene.relay.stop()
    scene.relay.start()
    assert scene.kept() == 2
    scene.source.deny(goes)
    scene.wait_kept(1)
    scene.relay.stop()
    scene.source.stop()
    scene.relay.start()
    scene.comes_in(stays)
    scene.stays_out(goes)


def test_a_key_that_is_taken_off_a_list_is_gone_from_disk_at_once(make_relay):
    one, two = new_key(), new_key()
    files = {"friends.keys": "".join(f"nodekey:{key.public_key.encode().hex()} friend\n" for key in (one, two))}
    config = with_keys(with_keys(EVERYTHING, "auth friends", plugin="keys", file="{dir}/friends.keys"), "admission", chain="friends")
    relay = make_relay(config, files)
    relay.door().client(one)
    relay.door().client(two).close()
    relay.stop()
    relay.start()
    file = relay.directory / "state" / "verdicts"
    assert "end 2\n" in file.read_text()
    subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", "keys", "remove",
                    f"nodekey:{two.public_key.encode().hex()}"], check=True, timeout=PATIENCE, capture_output=True)
    wait_until(lambda: "end 1\n" in file.read_text(), "one key in the file")


def test_a_banned_key_is_gone_from_disk_at_once(scene):
    scene = scene().start()
    friend = scene.remembered()
    scene.relay.start()
    key = f"nodekey:{friend.public_key.encode().hex()}"
    assert scene.kept() == 1
    scene.ctl("ban", key)
    scene.wait_kept(0)
    scene.source.stop()
    scene.ctl("unban", key)
    scene.stays_out(friend)


@pytest.mark.parametrize("how", ["restart", "reload"])
def test_keys_of_another_source_have_no_grace(scene, how):
    scene = scene().start()
    friend = new_key()
    scene.source.allow(friend)
    scene.comes_in(friend)
    scene.source.stop()
    # Another way to the same source changes nothing.
    scene.relay.reload(scene.config.replace("timeout = 20s", "timeout = 19s").replace("proxy = none", "proxy = http://127.0.0.1:1"))
    scene.comes_in(friend)
    other = re.sub(r"(?m)^url = .*$", "url = http://127.0.0.1:1/", scene.config)
    if how == "reload":
        scene.relay.reload(other)
    else:
        scene.relay.stop()
        scene.relay.write_config(other)
        scene.relay.start()
        scene.relay.wait_log("auth/it asks another source than before the start")
    scene.stays_out(friend)
    scene.wait_kept(0)


def test_a_verdict_holds_over_a_restart_as_long_as_the_server_said(scene, tmp_path):
    with ShiftedClock(tmp_path) as clock:
        scene = scene().start()
        friend = scene.remembered(TTLSeconds=600)
        scene.source.server.asked.clear()
        scene.relay.start()
        scene.comes_in(friend)
        assert not scene.source.server.asked
        scene.relay.stop()
        clock.pass_time(10 * MINUTE)
        scene.relay.start()
        scene.comes_in(friend)
        assert scene.source.server.asked


def test_grace_does_not_begin_anew_by_a_restart(scene, tmp_path):
    with ShiftedClock(tmp_path) as clock:
        scene = scene(grace="24h", recheck="off").start()
        friend = scene.remembered()
        scene.source.stop()
        for _ in range(2):
            clock.pass_time(11 * HOUR)
            scene.relay.start()
            scene.comes_in(friend)
            scene.relay.stop()
        clock.pass_time(3 * HOUR)
        scene.relay.start()
        scene.stays_out(friend)


def test_a_clock_that_is_set_makes_no_grace_longer(scene, tmp_path):
    with ShiftedClock(tmp_path) as clock:
        scene = scene(grace="24h", recheck="off").start()
        friend = scene.remembered()
        scene.source.stop()
        # It is behind, which is seen.
        clock.jump(-2 * HOUR)
        scene.relay.start()
        scene.relay.wait_log("the clock is 7[12][0-9][0-9] s behind the time at which .*/verdicts was written")
        scene.stays_out(friend)
        # Somebody puts it right.
        clock.jump(2 * HOUR)
        scene.comes_in(friend)
        # It is far ahead: grace is over.
        scene.relay.stop()
        clock.jump(20000 * HOUR)
        scene.relay.start()
        scene.stays_out(friend)


@pytest.mark.parametrize("content,says", [("garbage\n", "does not begin with detour-verdicts"),
                                          ("detour-verdicts 2 0000000000000000 1\nend 0\n", "its version is not 1"),
                                          ("detour-verdicts 1 0000000000000000 1\n", "is followed by nothing")])
def test_a_broken_file_is_set_aside(scene, content, says):
    scene = scene().start()
    friend = new_key()
    scene.source.allow(friend)
    scene.relay.stop()
    scene.file.write_text(content)
    scene.file.chmod(0o600)
    scene.relay.start()
    scene.relay.wait_log(f" warning .*verdicts cannot be used: .*{says}; grace begins anew. The file is now .*verdicts.broken")
    assert scene.file.with_name("verdicts.broken").read_text() == content
    scene.comes_in(friend)
    scene.relay.stop()
    assert scene.kept() == 1


def test_with_another_private_key_grace_begins_anew(scene):
    scene = scene().start()
    friend = scene.remembered()
    scene.source.stop()
    (scene.relay.directory / "state" / "server.key").unlink()
    scene.relay.start()
    scene.relay.wait_log("verdicts was written with another private key of the relay, so grace begins anew")
    scene.stays_out(friend)


@pytest.mark.parametrize("admission", [{"grace": "0s"}, {"keep_grace": "false"}])
def test_nothing_is_kept_where_nobody_wants_it(scene, admission):
    scene = scene().start()
    friend = scene.remembered()
    assert scene.kept() == 1
    scene.config = with_keys(scene.config, "admission", **admission)
    scene.start()
    assert not scene.file.exists()
    scene.comes_in(friend)
    scene.relay.stop()
    assert not scene.file.exists()


def test_what_is_not_to_be_kept_any_more_is_removed(scene):
    scene = scene().start()
    friend = scene.remembered()
    scene.relay.start()
    assert scene.kept() == 1
    scene.relay.reload(with_keys(scene.config, "admission", keep_grace="false"))
    scene.wait_kept(0)


def test_denials_are_not_kept(scene):
    scene = scene().start()
    scene.stays_out(new_key())
    scene.relay.stop()
    assert scene.kept() in (-1, 0)
