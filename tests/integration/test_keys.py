"""detourctl keys: lists of node keys are changed without an editor, with and without a daemon.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import subprocess

import nacl.public
import pytest

from control import DETOURCTL, ask, detourctl
from relay import SMALL, daemon_environment, wait_until, with_keys


def new_key():
    return nacl.public.PrivateKey.generate()


def text_of(key):
    """A key as Tailscale writes it."""
    return f"nodekey:{bytes(key.public_key).hex()}"


def with_list(config=SMALL, name="friends", place="file", path="{dir}/friends", **admission):
    config = with_keys(config, f"auth {name}", plugin="keys", **{place: path})
    return with_keys(config, "admission", **({"chain": name} | admission))


def waiting(door, key):
    """A client that asked for its login, and has no answer yet."""
    client = door.greeted(key)
    client.stream.write(client.client_info())
    return client


def test_a_key_is_added_and_its_client_comes_in_and_taken_off_and_closed(make_relay):
    first, key = new_key(), new_key()
    before = f"# friends\n\n{text_of(first)} the first\n# the end"
    relay = make_relay(with_list(refuse_hold="60s"), {"friends": before})
    path = relay.directory / "friends"
    path.chmod(0o640)
    client = waiting(relay.door("http"), key)
    relay.wait_log("refused nodekey")
    # The first digits will do, because it was refused lately.
    out, _ = detourctl(relay, "keys", "add", client.key.hex()[:9], "--label", "Anna's laptop", "--class", "family")
    assert out == f"The key was added to {path}; auth/friends has it in force\n"
    client.read_server_info()
    assert path.read_text() == f"{before}\n{text_of(key)} class=family Anna's laptop\n"
    assert path.stat().st_mode & 0o777 == 0o640
    rows = ask(relay, "keys", "list")["keys"]
    assert rows == [{"key": text_of(first), "label": "the first", "file": str(path), "line": 3},
                    {"key": text_of(key), "class": "family", "label": "Anna's laptop", "file": str(path), "line": 5}]
    assert "Anna's laptop" in detourctl(relay, "keys", "list")[0]
    done = ask(relay, "keys", "remove", client.key.hex()[:9])
    assert done == {"key": text_of(key), "file": str(path), "instance": "auth/friends", "in_force": True}
    client.expect_closed()
    assert path.read_text() == before + "\n"
    assert os.listdir(relay.directory).count("friends") == 1 and not [name for name in os.listdir(relay.directory) if name.startswith(".")]


@pytest.mark.parametrize("arguments", [['"{key}",'], ['"PublicKey": "{key}",'], ["PublicKey:", "{key},"], [" {key} "]])
def test_what_people_paste_is_a_key(make_relay, arguments):
    key = new_key()
    relay = make_relay(with_list(), {"friends": ""})
    detourctl(relay, "keys", "add", *[text.replace("{key}", text_of(key)) for text in arguments])
    assert (relay.directory / "friends").read_text() == f"{text_of(key)}\n"
    relay.door("http").client(key).ping(b"12345678")


def test_doubles_secrets_and_broken_lists_are_refused(make_relay):
    key, other = new_key(), new_key()
    relay = make_relay(with_list(), {"friends": f"{text_of(key)}\n"})
    path = relay.directory / "friends"
    assert f"{path}:1 has this key already" in detourctl(relay, "keys", "add", text_of(key), code=1)[1]
    for text, reason in ((f"privkey:{'ab' * 32}", "private key"), ("ab" * 32, "no node key"), ("tskey-auth-x", "secret"),
                         ("discokey:" + "ab" * 32, "no node key")):
        errors = detourctl(relay, "keys", "add", text, code=2)[1]
        assert reason in errors and "abab" not in errors
    assert "--label" in detourctl(relay, "keys", "add", text_of(other), "--label", "class=x", code=2)[1]
    assert "all of which can be seen" in detourctl(relay, "keys", "add", text_of(other), "--label", "An\u202ena", code=2)[1]
    assert "--class" in detourctl(relay, "keys", "add", text_of(other), "--class", "Big", code=2)[1]
    assert "quote a label" in detourctl(relay, "keys", "add", text_of(other), str(path), "Anna", code=2)[1]
    assert "no list has a key" in detourctl(relay, "keys", "remove", text_of(other), code=1)[1]
    assert path.read_text() == f"{text_of(key)}\n"
    path.write_text(f"{text_of(key)}\nrubbish\n")
    assert f"{path}:2: not a line" in detourctl(relay, "keys", "add", text_of(other), code=1)[1]
    assert f"{path}:2: not a line" in detourctl(relay, "keys", "list", code=1)[1]


def test_a_list_that_the_daemon_does_not_take_over_is_said(make_relay):
    key, other = new_key(), new_key()
    config = with_keys(with_list(place="directory", path="{dir}/lists"), "auth friends", max_entries="1")
    relay = make_relay(config, {"lists/a.keys": f"{text_of(key)}\n"})
    errors = detourctl(relay, "keys", "add", text_of(other), code=1)[1]
    assert "auth/friends did not take the change over" in errors and "more than 1 keys" in errors


def test_a_directory_of_lists(make_relay):
    keys = [new_key() for _ in range(4)]
    relay = make_relay(with_list(place="directory", path="{dir}/lists"),
                       {"lists/a.keys": f"{text_of(keys[0])}\n", "lists/b.keys": f"{text_of(keys[1])} Bert\n",
                        "lists/b.keys~": "rubbish\n", "lists/.hidden.keys": "rubbish\n", "lists/notes.txt": "rubbish\n"})
    lists = relay.directory / "lists"
    assert [row["file"] for row in ask(relay, "keys", "list")["keys"]] == [f"{lists}/a.keys", f"{lists}/b.keys"]
    errors = detourctl(relay, "keys", "add", text_of(keys[2]), code=2)[1]
    assert f"  {lists}/a.keys\n  {lists}/b.keys\n  {lists}/NAME.keys, a new one\n" in errors and "rubbish" not in errors
    assert f"{lists} is a directory" in detourctl(relay, "keys", "add", text_of(keys[2]), str(lists), code=2)[1]
    out, _ = detourctl(relay, "keys", "add", text_of(keys[2]), f"{lists}/c.keys")
    assert "auth/friends has it in force" in out and (lists / "c.keys").stat().st_mode & 0o777 == 0o644
    relay.door("http").client(keys[2]).ping(b"12345678")
    assert f"{lists}/b.keys:1 has this key already" in detourctl(relay, "keys", "add", text_of(keys[1]), f"{lists}/c.keys", code=1)[1]
    assert "names no instance that reads" in detourctl(relay, "keys", "add", text_of(keys[3]), f"{lists}/c.key")[0]
    assert "taken off" in detourctl(relay, "keys", "remove", text_of(keys[1]))[0]
    assert (lists / "b.keys").read_text() == ""


def test_a_configuration_without_lists_is_no_missing_daemon(make_relay):
    """Programs that start the daemon go by the exit status, which said that there is none."""
    relay = make_relay(SMALL)
    for command in (["list"], ["add", text_of(new_key())], ["remove", text_of(new_key())]):
        assert "names no list of keys" in detourctl(relay, "keys", *command, code=2)[1]
    relay.stop()
    assert "names no list of keys" in detourctl(relay, "keys", "list", "--config", str(relay.config_file), code=2)[1]
    broken = relay.write_file("broken", b"\xff\xfe")
    broken.chmod(0o600)
    assert detourctl(relay, "keys", "list", str(broken / "x"), code=1)[0] == ""
    relay.start()


def test_without_a_daemon_the_files_of_the_configuration_count(make_relay):
    key = new_key()
    relay = make_relay(with_list(), {"friends": "# nobody\n"})
    relay.stop()
    config = str(relay.config_file)
    assert "reads it when the daemon starts" in detourctl(relay, "keys", "add", text_of(key), "--config", config)[0]
    assert [row["key"] for row in ask(relay, "keys", "list", "--config", config)["keys"]] == [text_of(key)]
    # A file that is named needs no configuration.
    assert ask(relay, "keys", "list", str(relay.directory / "friends"))["keys"][0]["key"] == text_of(key)
    relay.start()
    relay.door("http").client(key).ping(b"12345678")


def test_a_link_stays_and_many_at_a_time_lose_nothing(make_relay):
    keys = [new_key() for _ in range(12)]
    relay = make_relay(with_list(), {"real/friends": "", "friends": ""})
    relay.stop()
    (relay.directory / "friends").unlink()
    (relay.directory / "friends").symlink_to("real/friends")
    environment = daemon_environment() | {"DETOUR_SOCKET": f"{relay.run_directory}/control"}
    running = [subprocess.Popen([DETOURCTL, "keys", "add", text_of(key), relay.directory / "friends"], env=environment,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for key in keys]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(keys), "\n".join(said)
    assert sorted((relay.directory / "friends").read_text().split()) == sorted(text_of(key) for key in keys)
    assert (relay.directory / "friends").is_symlink()
    relay.start()
    wait_until(lambda: ask(relay, "plugins"), "the plugins")
    relay.door("http").client(keys[5]).ping(b"12345678")


def test_a_config_map_of_kubernetes_is_read_again(make_relay):
    """The file is a link into a folder behind a link, and that link is what changes."""
    keys = [new_key() for _ in range(2)]
    relay = make_relay(with_list(path="{dir}/map/friends.keys", refuse_hold="60s"),
                       {"map/..1/friends.keys": f"{text_of(keys[0])}\n", "map/..2/friends.keys": f"{text_of(keys[1])}\n", "map/friends.keys": ""})
    relay.stop()
    folder = relay.directory / "map"
    (folder / "friends.keys").unlink()
    (folder / "friends.keys").symlink_to("..data/friends.keys")
    (folder / "..data").symlink_to("..1")
    relay.start()
    door = relay.door("http")
    before, after = door.client(keys[0]), waiting(door, keys[1])
    (folder / "..data_tmp").symlink_to("..2")
    (folder / "..data_tmp").rename(folder / "..data")
    after.read_server_info()
    after.ping(b"12345678")
    before.expect_closed()
