"""detourctl doctor mesh: what is wrong between the servers of a region, and that the remedy mends it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import socket

import pytest

from doctor import examine, is_well
from mesh import pin_of, wait_peer, with_peer
from relay import EVERYTHING, wait_until, with_keys

# A refused login is tried again within some 10 s, and believed after 3 s.
PATIENCE = 90


@pytest.fixture
def other(make_relay):
    return make_relay(EVERYTHING)


def look(relay):
    return examine(relay, "--no-vendor", f"--config={relay.config_file}", "mesh")


def test_without_peers(other):
    found = look(other)
    assert list(found) == ["not_checked"] and found["not_checked"]["text"] == "this relay dials no other server"


def test_a_peer_that_is_away(make_relay, other):
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    other.reload(with_peer(EVERYTHING, "a", relay))
    wait_peer(relay, "b")
    wait_peer(other, "a")
    found = look(relay)
    assert list(found) == ["peer_linked"] and found["peer_linked"]["text"] == "peer b is linked, and links back"
    other.stop()
    found = wait_until(lambda: "peer_unlinked" in (now := look(relay)) and "refused" in now["peer_unlinked"]["text"] and now,
                       "it is missed", PATIENCE)
    assert found["peer_unlinked"]["text"].startswith("no link to peer b: ")
    assert found["peer_unlinked"]["status"] == "problem" and "check that the relay there runs" in found["peer_unlinked"]["remedy"]
    other.start_once()
    wait_until(lambda: list(look(relay)) == ["peer_linked"], "it is back", PATIENCE)


def test_a_peer_that_is_being_dialled(make_relay):
    """For the first attempt, which takes 10 s where nobody says a word; another name begins anew."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        relay = make_relay(EVERYTHING)
        for name in "bcdef":
            relay.reload(with_keys(EVERYTHING, f"peer {name}", host="127.0.0.1:%d" % silent.getsockname()[1]))
            found = look(relay)
            if "peer_awaited" in found:
                break
    assert found["peer_awaited"]["text"] == f"peer {name} is being dialled"
    assert (found["peer_awaited"]["status"], found["peer_awaited"]["command"]) == ("warning", "detourctl doctor mesh")


def test_a_peer_without_a_link_back(make_relay, other):
    relay = make_relay(with_peer(with_keys(EVERYTHING, "core", hostname="a.test"), "b", other))
    wait_peer(relay, "b")
    found = look(relay)
    assert list(found) == ["peer_not_back"] and found["peer_not_back"]["status"] == "problem"
    assert found["peer_not_back"]["command"] == "[peer NAME]\nhost = a.test"
    # What is printed, and what the name needs here to lead anywhere.
    other.reload(EVERYTHING + "\n" + found["peer_not_back"]["command"].replace("NAME", "a")
                 + f"\naddress = 127.0.0.1:{relay.address('tls-export')[1]}\npin = {pin_of(relay)}\n")
    wait_peer(other, "a")
    assert is_well(look(relay)) and "peer_linked" in look(relay)


def test_mesh_keys_that_differ(make_relay):
    other = make_relay(EVERYTHING, files={"mesh.key": "6f746865" * 8 + "\n"})
    relay = make_relay(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b", "refused")
    # It is dialled again meanwhile.
    found = wait_until(lambda: "mesh_key_differs" in (now := look(relay)) and now, "it is refused", PATIENCE)
    assert "peer b does not take this relay into its mesh" in found["mesh_key_differs"]["text"]
    assert "the mesh key there is the same as here" in found["mesh_key_differs"]["remedy"]
    other.write_file("mesh.key", "6d657368" * 8 + "\n")
    other.reload(with_peer(EVERYTHING, "a", relay))
    wait_until(lambda: list(look(relay)) == ["peer_linked"], "it is taken", PATIENCE)


def test_one_server_twice(make_relay, other):
    config = with_peer(EVERYTHING, "b", other)
    relay = make_relay(with_peer(config, "c", other, host="localhost:%d" % other.address("tls-export")[1]))
    wait_peer(relay, "b")
    wait_peer(relay, "c")
    found = look(relay)
    assert found["server_key_shared"]["text"].startswith("peers b and c show the same server key")
    relay.reload(config)
    assert "server_key_shared" not in look(relay)


def test_oneself_and_a_copy_of_the_key(make_relay, other):
    relay = make_relay(EVERYTHING)
    relay.reload(with_peer(EVERYTHING, "me", relay))
    wait_peer(relay, "me", "itself")
    assert is_well(look(relay)) and list(look(relay)) == ["peer_itself"]
    # Another process with the same key.
    key, = relay.directory.rglob("server.key")
    copy = other.directory / key.relative_to(relay.directory)
    other.stop()
    own = copy.read_bytes()
    copy.write_bytes(key.read_bytes())
    other.start_once()
    relay.reload(with_peer(EVERYTHING, "b", other))
    wait_peer(relay, "b", "itself")
    found = look(relay)
    assert list(found) == ["server_key_copied"] and "remove its server.key" in found["server_key_copied"]["remedy"]
    other.stop()
    copy.unlink()
    other.start_once()
    assert copy.read_bytes() not in (own, key.read_bytes())
    # `itself` is for good until the configuration is read again.
    relay.reload()
    wait_peer(relay, "b")
    assert "server_key_copied" not in look(relay)
