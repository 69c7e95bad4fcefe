"""Admission by the list of devices of an API: Tailscale's, and that of each Headscale.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import re
import subprocess
import time

import nacl.public
import pytest

from control_api import API_KEY, CLIENT_ID, CLIENT_SECRET, OLD_HEADSCALE_KEY, ControlApi
from derp_client import PATIENCE
from relay import DETOURD, SMALL, run_detourd, wait_until, with_keys
from shifted_clock import ShiftedClock

HOUR = 3600


def config_for(api, admission=None, client=None, **auth):
    """A configuration that asks @api, with an OAuth client or with a key."""
    kind = "tailscale" if api.kind == "tailscale" else "headscale"
    if client is None:
        client = api.kind in ("tailscale", "0.30")
    secret = {"client_secret_file": "{dir}/secret"} | ({"client_id": CLIENT_ID} if kind == "tailscale" else {})
    keys = {"plugin": "tailscale-api", "api": kind, "url": api.url, "refresh": "1h"}
    keys |= (secret if client else {"key_file": "{dir}/key"}) | auth
    config = with_keys(SMALL, "auth tailnet", **keys)
    return with_keys(config, "admission", **({"chain": "tailnet", "refuse_hold": "10m", "grace": "0s"} | (admission or {})))


FILES = {"secret": CLIENT_SECRET + "\n", "key": API_KEY + "\n"}


@pytest.fixture(name="start")
def fixture_start(make_relay):
    """Starts a relay that asks an API; gives both."""
    apis = []

    def start(kind="tailscale", admission=None, devices=(), files=None, away=False, prepare=None, **auth):
        api = ControlApi(kind).start()
        apis.append(api)
        for key in devices:
            api.add(key.public_key)
        if prepare:
            prepare(api)
        if away:
            api.stop()
        return make_relay(config_for(api, admission, **auth), FILES | (files or {})), api

    yield start
    for api in apis:
        api.stop()


def new_key():
    return nacl.public.PrivateKey.generate()


def waiting(relay, key=None):
    """A client that asked for its login, and has no answer yet."""
    client = relay.door().greeted(key)
    client.stream.write(client.client_info())
    return client


def ctl(relay, *arguments):
    """What detourctl says, as JSON."""
    output = subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", "--json", *arguments],
                            capture_output=True, check=True, timeout=PATIENCE).stdout
    return json.loads(output)


def run_ctl(relay, *arguments):
    """Lets detourctl do something."""
    subprocess.run([DETOURD.with_name("detourctl"), f"--socket={relay.run_directory}/control", *arguments],
                   capture_output=True, check=True, timeout=PATIENCE)


def trouble(relay):
    """What status says is wrong with the instance; "": nothing."""
    plugins = ctl(relay, "plugins")["plugins"]
    return next(plugin for plugin in plugins if plugin["id"] == "auth/tailnet")["trouble"]


def why(relay, key):
    """The last verdict on a key."""
    return ctl(relay, "why", f"nodekey:{key.hex()}")["verdicts"][0]


def lists(relay, api, number=1):
    """Waits until the API has given so many lists more."""
    before = api.listed
    wait_until(lambda: api.listed >= before + number, "a list")
    del relay


@pytest.mark.parametrize("kind,client", [("tailscale", True), ("tailscale", False), ("0.30", True), ("0.30", False), ("0.28", False),
                                         ("0.27", False)])
def test_devices_come_in_and_others_do_not(start, kind, client):
    one, two = new_key(), new_key()
    relay, api = start(kind, client=client, devices=[one, two])
    a, b = relay.door().client(one), relay.door().client(two)
    a.send_packet(b.key, b"hello")
    b.expect_packet(a.key, b"hello")
    assert why(relay, a.key)["label"] == ("host1 (anna@example.com)" if client or kind == "tailscale" else "host1 (anna)")
    stranger = waiting(relay)
    relay.wait_log(f"refused nodekey:{stranger.key.hex()} .*no device of the tailnet has this key .auth/tailnet")
    # Each API is asked at the path that it has.
    path = "/api/v2/tailnet/-/devices" if client or kind == "tailscale" else "/api/v1/node"
    assert f"GET {path}" in api.requests
    assert trouble(relay) == ""


def test_labels_tags_and_classes(start):
    one, two, three, shared = (new_key() for _ in range(4))

    def prepare(api):
        api.add(one.public_key, tags=["tag:server", "tag:prod"])
        api.add(two.public_key, tags=["tag:laptop"])
        api.add(three.public_key)
        api.add(shared.public_key, isExternal=True, tags=[])

    relay, _ = start(prepare=prepare, tags="tag:server; laptop", class_by_tag="tag:prod=fast; tag:server=slow")
    client = relay.door().client(one)
    assert why(relay, client.key)["label"] == "host1 (tag:server, tag:prod)"
    assert why(relay, client.key)["class"] == "fast"
    assert "class" not in why(relay, relay.door().client(two).key)
    for key in (three, shared):
        client = waiting(relay, key)
        relay.wait_log(f"refused nodekey:{client.key.hex()} .*the device has none of the tags that are wanted")


@pytest.mark.parametrize("kind,members,reason", [
    ("tailscale", {"authorized": False}, "waits for approval"),
    ("tailscale", {"expires": "2020-01-01T00:00:00Z"}, "key has expired"),
    ("0.28", {"expires": "2020-01-01T00:00:00Z"}, "key has expired")])
def test_devices_that_may_not_connect_are_refused(start, kind, members, reason):
    key = new_key()
    relay, api = start(kind, prepare=lambda api: api.add(key.public_key, **members))
    client = waiting(relay, key)
    relay.wait_log(f"refused nodekey:{client.key.hex()} .*{reason}")
    # An administrator approves it, or it logs in anew with the same key; the next list says so.
    api.devices[client.key.hex()] = {"id": "1"}
    relay.reload()
    client.read_server_info()


@pytest.mark.parametrize("kind", ["tailscale", "0.30", "0.28"])
def test_a_new_key_is_looked_for_at_once(start, kind):
    old, new = new_key(), new_key()
    relay, api = start(kind, devices=[old])
    relay.door().client(old).ping(b"12345678")
    # It logs in anew. The next list is an hour away.
    api.log_in_anew(old.public_key, new.public_key)
    began = time.monotonic()
    client = relay.door().client(new)
    assert time.monotonic() - began < 10
    assert why(relay, client.key)["label"].startswith("host1 ")
    assert "refused nodekey:" not in relay.log


@pytest.mark.parametrize("kind,restarts", [("tailscale", False), ("0.28", False), ("0.30", True)])
def test_a_ban_follows_the_node_whose_key_changed(start, kind, restarts):
    old, new, other = new_key(), new_key(), new_key()
    relay, api = start(kind, devices=[old, other])
    client = relay.door().client(old)
    run_ctl(relay, "ban", f"nodekey:{client.key.hex()}", "--for", "1h", "--reason", "spam")
    client.expect_closed()
    if restarts:
        # The list of before is on the disk, and the key changes while the daemon is not there.
        relay.stop()
        api.log_in_anew(old.public_key, new.public_key)
        relay.start()
        relay.wait_log("is banned: it is the new key of the node")
    else:
        api.log_in_anew(old.public_key, new.public_key)
    again = waiting(relay, new)
    relay.wait_log(f"refused nodekey:{again.key.hex()} .*banned by the operator until .*: spam")
    relay.wait_log(f"nodekey:{again.key.hex()} is banned: it is the new key of the node that had nodekey:{client.key.hex()}, which the operator "
                   "has banned: spam")
    untils = {ban["until"] for ban in ctl(relay, "bans")["bans"]}
    assert len(ctl(relay, "bans")["bans"]) == 2 and len(untils) <= 2
    # Nobody else is meant, and it is lifted as any other.
    relay.door().client(other).ping(b"12345678")
    run_ctl(relay, "unban", f"nodekey:{again.key.hex()}")
    again.read_server_info()


def test_class_and_label_follow_the_node_whose_key_changed(start):
    old, new = new_key(), new_key()
    relay, api = start(prepare=lambda api: api.add(old.public_key, tags=["tag:prod"]), class_by_tag="tag:prod=fast")
    client = relay.door().client(old)
    before = why(relay, client.key)
    api.log_in_anew(old.public_key, new.public_key)
    after = why(relay, relay.door().client(new).key)
    assert before["class"] == after["class"] == "fast" and before["label"] == after["label"] == "host1 (tag:prod)"


def test_who_comes_while_a_list_is_on_its_way_waits_for_the_next(start):
    old, new = new_key(), new_key()
    relay, api = start(devices=[old])
    relay.door().client(old)
    api.delay = 1
    # This one asks for a list, and the other one becomes known while it is made.
    stranger = waiting(relay)
    before = len(api.requests)
    wait_until(lambda: len(api.requests) > before, "a request for the stranger")
    api.delay = 0
    api.add(new.public_key)
    relay.door().client(new).ping(b"12345678")
    relay.wait_log(f"refused nodekey:{stranger.key.hex()}")


def test_many_unknown_keys_share_a_list(start):
    relay, api = start(devices=[new_key()])
    wait_until(lambda: api.listed == 1, "the first list")
    strangers = [waiting(relay) for _ in range(20)]
    wait_until(lambda: relay.log.count("no device of the tailnet has this key") >= 5, "refusals")
    wait_until(lambda: ctl(relay, "status"), "an answer")
    assert api.listed <= 4, api.requests
    del strangers


def test_strangers_do_not_make_the_relay_flood_the_api(start):
    relay, api = start(devices=[new_key()])
    began = time.monotonic()
    while time.monotonic() - began < 20:
        waiting(relay)
        time.sleep(0.1)
    # At 0, 2, 6 and 14 seconds, and one more that looks again; not two hundred.
    assert 2 <= api.listed <= 8, api.requests


def test_a_device_that_is_gone_is_closed(start):
    stays, goes = new_key(), new_key()
    relay, api = start(devices=[stays, goes], refresh="2s")
    one, two = relay.door().client(stays), relay.door().client(goes)
    api.remove(two.key)
    two.expect_closed()
    one.ping(b"12345678")
    relay.wait_log(f"closing nodekey:{two.key.hex()}, which is not admitted any more: no device of the tailnet has this key")


def test_a_key_that_expires_is_closed_without_a_list(start, tmp_path):
    key, other = new_key(), new_key()
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2 * HOUR))
    with ShiftedClock(tmp_path) as clock:
        relay, api = start(prepare=lambda api: (api.add(key.public_key, expires=expires), api.add(other.public_key)), refresh="1d")
        client = relay.door().client(key)
        api.stop()
        clock.pass_time(2 * HOUR + 5)
        relay.door().client(other)
        client.stream.expect_closed()  # behind a keep-alive
    relay.wait_log("the device's key has expired")


def test_a_list_without_a_change_asks_nobody(start):
    key = new_key()
    relay, api = start(devices=[key], refresh="1s")
    client = relay.door().client(key)
    before = len(ctl(relay, "why", f"nodekey:{client.key.hex()}")["verdicts"])
    lists(relay, api, 4)
    assert len(ctl(relay, "why", f"nodekey:{client.key.hex()}")["verdicts"]) == before


TROUBLES = {
    "away": "cannot connect|Connection refused|refused",
    "silent": "within|no answer",
    "closes": "before it had answered|closed",
    "lies": "is no list of devices: it is not JSON",
    "half": "closed|answer|whole",
    "no http": "HTTP",
    "no list": 'neither "devices" nor "nodes"',
    "list is null": '"devices" is not an array',
    "wrong types": "entries cannot be read",
    "one page": "reads no pages",
    500: r"answers 500 to /api/v2/tailnet/-/devices \(oops\)",
    502: "answers 502",
    429: "answers 429",
    403: "it needs the scope devices:core:read",
    404: "is there a tailnet of that name",
    302: "redirects are not followed",
}


@pytest.mark.parametrize("what", TROUBLES)
def test_what_is_no_list_throws_nobody_out(start, what):
    known, other, stranger = new_key(), new_key(), new_key()
    relay, api = start(devices=[known, other], refresh="1s", timeout="1s")
    friend = relay.door().client(known)
    if what == "away":
        api.stop()
    else:
        api.manner = what
    wait_until(lambda: re.search(TROUBLES[what], trouble(relay)), "the trouble", 60)
    assert re.search("The list of [0-9-]+ [0-9:]+ with 2 devices is in force until ", trouble(relay))
    relay.wait_log(f" warning .*auth/tailnet: .*({TROUBLES[what]})")
    # Who is on the list comes in, and of others nothing can be said.
    friend.ping(b"12345678")
    relay.door().client(other).ping(b"12345678")
    client = waiting(relay, stranger)
    relay.wait_log(f"nodekey:{client.key.hex()} .*says a list that may be out of date")
    assert why(relay, client.key)["verdict"] == "unavailable"
    # It is back, and knows the one that is held.
    api.manner = "answers"
    api.add(stranger.public_key)
    if what == "away":
        api.start()
    elif what == 403:
        relay.reload()
    client.read_server_info()
    relay.wait_log("auth/tailnet: the API lists the devices again")
    assert trouble(relay) == ""
    assert relay.log.count(" warning ") == 1, relay.log


def test_a_body_without_an_end_is_not_read_to_its_end(start):
    known = new_key()
    relay, api = start(devices=[known], refresh="1s", timeout="20s")
    friend = relay.door().client(known)
    api.manner = "endless"
    relay.wait_log("warning .*auth/tailnet: ", timeout=60)
    api.manner = "answers"
    friend.ping(b"12345678")


def test_some_hundred_devices(start):
    first, last, new = new_key(), new_key(), new_key()

    def prepare(api):
        api.add(first.public_key)
        for _ in range(298):
            api.add(os.urandom(32))
        api.add(last.public_key)

    relay, api = start(prepare=prepare)
    one = relay.door().client(first)
    relay.wait_log("auth/tailnet: 300 devices, 0 before")
    two = relay.door().client(last)
    # One of them logs in anew, for which the whole list is fetched once.
    api.log_in_anew(last.public_key, new.public_key)
    relay.door().client(new).ping(b"12345678")
    two.expect_closed()
    one.ping(b"12345678")
    relay.stop()
    api.stop()
    relay.start()
    relay.wait_log("auth/tailnet: 300 devices, known from 0 minutes ago")
    relay.door().client(new).ping(b"12345678")


def test_a_list_that_takes_longer_than_a_client_is_held_says_nothing(start):
    key, new = new_key(), new_key()
    relay, api = start(devices=[key])
    relay.door().client(key)
    api.delay = 6
    api.add(new.public_key)
    client = waiting(relay, new)
    relay.wait_log(f"nodekey:{client.key.hex()} .*the API did not give a newer list in time")
    assert why(relay, client.key)["verdict"] == "unavailable"
    # It comes in when the list is there.
    client.read_server_info()


def test_a_new_key_is_not_forgotten_when_it_is_too_early_for_another_list(start):
    old, new = new_key(), new_key()
    # Lists that take 2 seconds are fetched for unknown keys every 8 seconds, and a client waits for 3.
    relay, api = start(devices=[old], prepare=lambda api: setattr(api, "delay", 2))
    relay.door().client(old)
    api.log_in_anew(old.public_key, new.public_key)
    client = waiting(relay, new)
    relay.wait_log(f"refused nodekey:{client.key.hex()} .*no device of the tailnet has this key")
    client.read_server_info()
    assert api.listed == 2, api.requests


# ---- lists that are too short

def test_a_list_that_lost_most_devices_is_not_believed_at_once(start):
    keys = [new_key() for _ in range(6)]
    fresh = new_key()
    relay, api = start(devices=keys, refresh="2s")
    client = relay.door().client(keys[0])
    before = dict(api.devices)
    api.devices = {}
    wait_until(lambda: "lists 0 devices, of 6 before" in trouble(relay), "the doubt")
    client.ping(b"12345678")
    # A device that only the new list has is known all the same.
    api.add(fresh.public_key)
    relay.door().client(fresh)
    # It was a fault of the API.
    api.devices |= before
    wait_until(lambda: trouble(relay) == "", "the end of the doubt")
    client.ping(b"12345678")
    relay.door().client(keys[1]).ping(b"12345678")


def test_a_list_that_stays_short_is_believed_in_the_end(start):
    keys = [new_key() for _ in range(4)]
    relay, api = start(devices=keys, refresh="1s")
    client = relay.door().client(keys[0])
    api.devices = {}
    listed = api.listed
    client.expect_closed()
    assert api.listed - listed >= 3
    wait_until(lambda: "lists no device, so it lets nobody in" in trouble(relay), "the trouble")


def test_a_reload_believes_a_short_list(start):
    keys = [new_key() for _ in range(4)]
    relay, api = start(devices=keys, refresh="1h")
    client = relay.door().client(keys[0])
    api.devices = {}
    waiting(relay)
    wait_until(lambda: "lists 0 devices, of 4 before" in trouble(relay), "the doubt")
    client.ping(b"12345678")
    relay.reload()
    client.expect_closed()


def test_two_of_three_devices_may_go_at_once(start):
    keys = [new_key() for _ in range(3)]
    relay, api = start(devices=keys, refresh="1s")
    clients = [relay.door().client(key) for key in keys]
    api.remove(clients[0].key)
    api.remove(clients[1].key)
    clients[0].expect_closed()
    clients[1].expect_closed()
    clients[2].ping(b"12345678")


def test_all_devices_may_log_in_anew_at_once(start):
    keys, new = [new_key() for _ in range(4)], [new_key() for _ in range(4)]
    relay, api = start(devices=keys, refresh="1s")
    client = relay.door().client(keys[0])
    for one, other in zip(keys, new):
        api.log_in_anew(one.public_key, other.public_key)
    client.expect_closed()
    relay.door().client(new[0]).ping(b"12345678")


def test_a_tailnet_without_a_device_lets_nobody_in(start):
    relay, _ = start()
    waiting(relay)
    relay.wait_log("auth/tailnet: .*lists no device, so it lets nobody in")


# ---- tokens and keys

def test_tokens_are_renewed_before_they_end(start):
    key = new_key()

    def prepare(api):
        api.add(key.public_key)
        api.token_life = 10

    relay, api = start(prepare=prepare, refresh="1s")
    relay.door().client(key)
    wait_until(lambda: len(api.tokens) >= 2, "another token", 60)
    # Not one list was refused, and there was not a token for each of them.
    assert trouble(relay) == "" and " warning " not in relay.log
    assert len(api.tokens) <= api.listed


@pytest.mark.parametrize("kind", ["tailscale", "0.30"])
def test_a_token_that_is_not_taken_any_more_is_replaced(start, kind):
    key, other = new_key(), new_key()
    relay, api = start(kind, devices=[key])
    relay.door().client(key)
    api.tokens.clear()
    api.add(other.public_key)
    relay.door().client(other).ping(b"12345678")
    assert " warning " not in relay.log


@pytest.mark.parametrize("kind,client,says", [
    ("tailscale", True, "answers 401 to /api/v2/oauth/token .OAuth client: invalid_client.; the OAuth client is not accepted: check client-id and "
                        "the secret in .*/secret"),
    ("0.30", True, "answers 401 to /api/v2/oauth/token .about invalid_client.; the OAuth client is not accepted"),
    ("tailscale", False, "answers 401 to /api/v2/tailnet/-/devices .API token invalid.; the API key is not accepted: it has expired or was revoked. "
                         "Put a new one into .*/key"),
    ("0.28", False, "answers 401 to /api/v1/node .Unauthorized.; the API key is not accepted")])
def test_a_secret_that_was_revoked_and_its_successor(start, kind, client, says):
    key, other = new_key(), new_key()
    relay, api = start(kind, client=client, devices=[key], refresh="1s")
    friend = relay.door().client(key)
    api.secrets, api.keys = {"tskey-client-new"}, {"hskey-api-new"}
    api.tokens.clear()
    relay.wait_log(f" warning .*auth/tailnet: .*{says}")
    friend.ping(b"12345678")
    # A new one is read without a reload; the API is asked again after a minute, or when an operator wants it.
    relay.write_file("secret", "tskey-client-new\n")
    relay.write_file("key", "hskey-api-new\n")
    api.add(other.public_key)
    relay.reload()
    relay.door().client(other).ping(b"12345678")
    relay.wait_log("the API lists the devices again")
    log = relay.log
    assert "tskey-" not in log and "hskey-" not in log


def test_a_new_secret_is_read_when_the_old_one_is_refused(start):
    key, other = new_key(), new_key()
    relay, api = start("0.28", devices=[key])
    relay.door().client(key)
    relay.write_file("key", "hskey-api-new\n")
    api.keys = {"hskey-api-new"}
    api.add(other.public_key)
    relay.door().client(other).ping(b"12345678")
    assert " warning " not in relay.log


def test_an_old_headscale_has_no_oauth_clients(start):
    relay, _ = start("0.28", client=True)
    relay.wait_log("answers 404 to /api/v2/oauth/token .404 page not found.; this Headscale has no OAuth clients, which came with 0.30: set key-file")


def test_keys_of_an_old_headscale(start):
    key = new_key()
    relay, api = start("0.27", devices=[key], files={"key": OLD_HEADSCALE_KEY})
    api.keys = {OLD_HEADSCALE_KEY}
    relay.door().client(key).ping(b"12345678")


def test_tags_of_an_old_headscale(start):
    key, other = new_key(), new_key()

    def prepare(api):
        api.add(key.public_key, tags=["tag:forced", "tag:valid"])
        api.add(other.public_key)

    relay, _ = start("0.27", prepare=prepare, tags="tag:valid; tag:forged")
    relay.door().client(key)
    client = waiting(relay, other)
    relay.wait_log(f"refused nodekey:{client.key.hex()} .*none of the tags")


def test_retry_after_is_respected(start):
    relay, api = start(devices=[new_key()], refresh="1s")
    wait_until(lambda: api.listed > 1, "lists")
    api.extra, api.manner = {"Retry_After": "600"}, 429
    relay.wait_log("answers 429")
    wait_until(lambda: "answers 429" in trouble(relay), "the trouble")
    asked = len(api.requests)
    # Neither the interval nor a new key makes it ask again.
    client = waiting(relay)
    relay.wait_log(f"nodekey:{client.key.hex()} .*answers 429")
    time.sleep(3)
    assert len(api.requests) == asked
    # An operator can.
    api.manner = "answers"
    relay.reload()
    wait_until(lambda: trouble(relay) == "", "an answer")


# ---- the list on disk

def test_a_start_without_the_network_knows_the_devices_of_before(start):
    key, stranger = new_key(), new_key()
    relay, api = start(devices=[key])
    relay.door().client(key)
    file = relay.directory / "state" / "tailnet.devices"
    wait_until(file.exists, "the file")
    assert file.stat().st_mode & 0o777 == 0o600
    relay.stop()
    api.stop()
    relay.start()
    relay.door().client(key).ping(b"12345678")
    client = waiting(relay, stranger)
    relay.wait_log(f"nodekey:{client.key.hex()} .*says a list that may be out of date")
    assert "2 devices" not in trouble(relay) and "1 devices is in force until" in trouble(relay)
    api.add(stranger.public_key)
    api.start()
    client.read_server_info()


def test_a_start_without_the_network_and_without_a_list(start):
    key = new_key()
    relay, api = start(devices=[key], away=True)
    client = waiting(relay, key)
    relay.wait_log(f"nodekey:{client.key.hex()} .*there is no list of devices yet")
    wait_until(lambda: "There is no list of devices yet, so it lets nobody in" in trouble(relay), "the trouble")
    api.start()
    client.read_server_info()


@pytest.mark.parametrize("content,says", [("garbage", "does not begin with"), ("detour-devices 1\ntailscale", "ends in its head")])
def test_a_broken_file_is_put_aside(start, content, says):
    key = new_key()
    relay, api = start(devices=[key])
    file = relay.directory / "state" / "tailnet.devices"
    wait_until(file.exists, "the file")
    relay.stop()
    file.write_text(content)
    relay.start()
    relay.wait_log(f" warning .*the list of devices of before cannot be used, and is put aside: .*{says}")
    relay.door().client(key).ping(b"12345678")
    assert file.with_name("tailnet.devices.broken").read_text() == content
    del api


def test_the_list_of_another_tailnet_is_not_used(start):
    key = new_key()
    relay, api = start(devices=[key])
    wait_until((relay.directory / "state" / "tailnet.devices").exists, "the file")
    api.stop()
    relay.reload(relay.config.replace("[auth tailnet]", "[auth tailnet]\ntailnet = other.example.com"))
    client = waiting(relay, key)
    relay.wait_log(f"nodekey:{client.key.hex()} .*there is no list of devices yet")


def test_a_list_is_believed_for_so_long_and_no_longer(start, tmp_path):
    key = new_key()
    with ShiftedClock(tmp_path) as clock:
        relay, api = start(devices=[key], grace="10h")
        relay.door().client(key)
        api.stop()
        clock.pass_time(9 * HOUR)
        friend = relay.door().client(key)
        wait_until(lambda: "is in force until" in trouble(relay), "the trouble")
        clock.pass_time(2 * HOUR)
        wait_until(lambda: "is older than grace, so it lets nobody in" in trouble(relay), "the end of grace", 120)
        client = waiting(relay, key)
        relay.wait_log(f"nodekey:{client.key.hex()} .*the list of devices is too old")
        # Nobody is thrown out because nothing can be said.
        friend.ping(b"12345678")
        # The same after a start; and when somebody sets the wall clock, that counts for what is read from disk alone.
        relay.stop()
        relay.start()
        client = waiting(relay, key)
        relay.wait_log(f"nodekey:{client.key.hex()} .*the list of devices is too old")
        api.start()
        client.read_server_info()
        clock.jump(-100 * HOUR)
        relay.door().client(key).ping(b"12345678")


# ---- the configuration

def check(relay, tmp_path, replace):
    """What `--check-config` says of the configuration with something else in it."""
    text = relay.fill(relay.config)
    for old, new in replace.items():
        assert old in text
        text = text.replace(old, relay.fill(new))
    file = tmp_path / "other.conf"
    file.write_text(text)
    return run_detourd("--no-vendor", "--config", file, "--check-config", code=78)[1]


def test_mistakes_in_the_configuration(start, tmp_path):
    relay, api = start()
    url = f"url = {api.url}"
    secret = "client-secret-file = " + relay.fill("{dir}/secret")
    for replace, says in (
            ({"api = tailscale": "api = headscale", url: ""}, "url: not set; name the address of the Headscale"),
            ({url: "url = api.example.com"}, "url: .*https://"),
            ({url: "url = https://api.example.com/?x=1"}, "url: has a query"),
            ({secret: ""}, "key-file: not set; name a file with an API key, or set client-id"),
            ({secret: secret + "\nkey-file = {dir}/key"}, "key-file: client-secret-file is set too; keep one of them"),
            ({f"client-id = {CLIENT_ID}": ""}, "client-id: not set; it stands beside the secret"),
            ({secret: "key-file = {dir}/key"}, "client-id: it belongs to client-secret-file"),
            ({secret: "client-secret-file = {dir}/none"}, "client-secret-file: .*/none: "),
            ({secret: "client-secret-file = {dir}/key"}, "client-secret-file: .*/key: an API key, which belongs into key-file"),
            ({"api = tailscale": "api = headscale\ntailnet = other"}, "tailnet: a Headscale has one tailnet only"),
            ({"api = tailscale": "api = tailscale\nclass-by-tag = tag:server"}, 'class-by-tag: "tag:server" is not TAG=CLASS'),
            ({"api = tailscale": "api = tailscale\nproxy = ftp://x"}, "proxy: ")):
        said = check(relay, tmp_path, replace)
        assert re.search(r"\[auth tailnet\] " + says, said), (replace, said)


@pytest.mark.parametrize("mode,content,says", [
    (0o644, CLIENT_SECRET, "mode|others|everybody|readable"), (0o620, CLIENT_SECRET, "write|mode"), (0o600, "", "empty"),
    (0o600, "two words", "not one word"), (0o600, "tskey-auth-abc", "a key with which devices log in")])
def test_secrets_that_cannot_be_used(start, tmp_path, mode, content, says):
    relay, _ = start()
    relay.write_file("other", content, mode)
    said = check(relay, tmp_path, {relay.fill("{dir}/secret"): "{dir}/other"})
    assert re.search(rf"client-secret-file: .*/other.*({says})", said), said
    assert CLIENT_SECRET not in said


def test_a_secret_that_becomes_unreadable_stays_in_use(start):
    key, other = new_key(), new_key()
    relay, api = start("0.28", devices=[key])
    relay.door().client(key)
    os.chmod(relay.directory / "key", 0o644)
    relay.reload(outcome="the configuration was not used")
    api.add(other.public_key)
    relay.door().client(other).ping(b"12345678")


def test_two_tailnets(make_relay):
    one, two = new_key(), new_key()
    with ControlApi("0.28") as first, ControlApi("tailscale") as second:
        first.add(one.public_key)
        second.add(two.public_key)
        config = config_for(first, {"chain": "tailnet; other"})
        config = with_keys(config, "auth other", plugin="tailscale-api", url=second.url, key_file="{dir}/key")
        relay = make_relay(config, FILES)
        relay.door().client(one).ping(b"12345678")
        relay.door().client(two).ping(b"12345678")
        stranger = waiting(relay)
        relay.wait_log(f"refused nodekey:{stranger.key.hex()}")
        second.remove(bytes(two.public_key))
        wait_until((relay.directory / "state" / "other.devices").exists, "a file each")
