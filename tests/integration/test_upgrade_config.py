"""Configurations that become wrong when nobody looks any more: between the rehearsal and the program that goes on, and over restarts.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import shutil
import signal

import pytest

from control import detourctl
from keeping import LOST
from relay import BUILD, DETOURD, StartFailed, wait_until, with_keys
from test_upgrade_versions import next_program
from upgrading import PATIENT, end_all, relay_goes_on, talk_all_ways

WAYS = ("tls", "http", "tls-export")
STAYS = "the configuration that was in force before stays so, for the clients that are here.*event=reload-failed"


def spoiler(relay, script, program=DETOURD):
    """A program whose rehearsal goes well, and which does that to its files before it begins."""
    return relay.program("spoiler", f'case " $* " in *" --try-takeover "*) exec "{DETOURD}" "$@" ;; esac\n{script}\nexec "{program}" "$@"')


def upgrade_to(relay, program, since=None):
    """With a file that is wrong by then. Gives what the new program logs."""
    since = len(relay.log) if since is None else since
    assert relay.ask("--binary", program).startswith("upgraded to")
    relay.wait_log("(?s)upgraded from.*ready:", since)
    return relay.log[since:]


# What becomes of the file, and what is said of it.
WRONG = {
    "a-bad-value": ("printf '[limits]\\nconnections=many\\n' > {file}", "[limits] connections"),
    "empty": (": > {file}", "[admission] chain: not set"),
    "gone": ("rm {file}", "No such file"),
    "a-folder": ("rm {file}; mkdir {file}", "detour.conf"),
    "a-pipe": ("rm {file}; mkfifo {file}", "detour.conf"),
    "a-link-to-nothing": ("rm {file}; ln -s nowhere {file}", "No such file"),
    "endless": ("rm {file}; ln -s /dev/zero {file}", "detour.conf"),
    "a-drop-in": ("mkdir -p {dir}/conf.d; echo '[limits' > {dir}/conf.d/9.conf", "9.conf:1"),
    "the-key": ("umask 77; echo > {dir}/bad.key; printf '[core]\\nkey-file={dir}/bad.key\\n' > {dir}/conf.d/9.conf", "bad.key: this is no JSON"),
    "the-state": ("printf '[core]\\nstate-directory=/dev/null/x\\n' > {dir}/conf.d/9.conf", "/dev/null/x: cannot be made"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_was_in_force_stays(upgraded, kind):
    """The clients stay and newcomers are served; all that looks at the file says what is wrong, until it is mended."""
    script, told = WRONG[kind]
    relay = upgraded()
    drop_ins = relay.directory / "conf.d"
    drop_ins.mkdir(exist_ok=True)
    (drop_ins / "5.conf").write_text("[limits]\naccept-burst = 777\naccept-rate = 7777\n")
    relay.reload()
    talks = talk_all_ways([relay.door(way).client() for way in WAYS])
    before = [talk.n_got for talk in talks]
    said = upgrade_to(relay, spoiler(relay, relay.fill(script.replace("{file}", str(relay.config_file)))))
    assert told in said and "upgraded from 0.1.0 to 0.1.0: 3 clients kept, 0 asked" in said, said
    relay.wait_log(STAYS)
    relay_goes_on(talks, before)
    relay.door("tls").client().ping(b"12345678")
    # It has its values with their places from the program before.
    dump = detourctl(relay, "config", "dump")[0]
    assert "accept-burst" in dump and "5.conf:2" in dump, dump

    since = len(relay.log)
    relay.process.send_signal(signal.SIGHUP)
    if kind == "the-state":
        # A reload does not look at that, which counts from the start on.
        relay.wait_log("event=reloaded", since)
    else:
        relay.wait_log("event=reload-failed", since)
    assert told.split(":")[0] in relay.ask("--check", code=1)
    assert told.split(":")[0] in relay.ask(code=1)
    end_all(talks)

    if relay.config_file.is_dir():
        relay.config_file.rmdir()
    else:
        relay.config_file.unlink(missing_ok=True)
    (drop_ins / "9.conf").unlink(missing_ok=True)
    relay.write_config()
    relay.reload()
    relay.upgrade(kept=4)
    assert "reload-failed" not in relay.log[relay.log.rindex("event=reloaded"):]


def test_without_clients_of_before_it_is_the_end(upgraded):
    """As ever: nothing was handed over, so nothing is in force."""
    relay = upgraded(start=False)
    relay.write_config(with_keys(relay.config, "limits", connections="many"))
    with pytest.raises(StartFailed) as failed:
        relay.start_once()
    assert failed.value.code == 78 and "1 error; the configuration was not used" in failed.value.log
    assert "in force" not in failed.value.log


def test_after_a_program_that_left_no_configuration_it_is_the_end(upgraded):
    """An earlier version does not write it down."""
    relay = upgraded()
    client = relay.door("http").client()
    upgrade_to(relay, next_program(relay, "no-config"))
    client.ping(b"12345678")
    with relay.asked("--binary", spoiler(relay, f"rm {relay.config_file}")):
        relay.wait_end(78)
    client.stream.expect_closed()
    assert "in force" not in relay.log


def test_the_next_version_and_back(upgraded):
    """Both versions read what the other one wrote."""
    relay = upgraded()
    client = relay.door("tls").client()
    wrong = f"echo '[limits' > {relay.config_file}"
    for program, version in ((BUILD / "tests" / "next" / "detourd", "0.2.0"), (DETOURD, "0.1.0")):
        relay.write_config()
        assert f"to {version}: 1 client kept" in upgrade_to(relay, spoiler(relay, wrong, program))
        client.ping(b"12345678")


def test_what_was_read_last_is_in_force(upgraded):
    """Not what the program began with, and not what it refused."""
    relay = upgraded()
    client = relay.door("http").client()
    relay.reload(with_keys(relay.config, "limits", login_timeout="17s"))
    good = relay.config
    relay.reload(with_keys(good, "limits", login_timeout="soon"), "the configuration was not used")
    relay.write_config(good)
    upgrade_to(relay, spoiler(relay, f"echo x > {relay.config_file}"))
    client.ping(b"12345678")
    assert "login-timeout = 17s" in detourctl(relay, "config", "dump")[0]


def test_a_plugin_that_is_gone_costs_its_instance(upgraded):
    """Half of a package was replaced at that moment: the others serve, and the status names it."""
    relay = upgraded()
    tree = relay.directory / "tree"
    (tree / "core" / "app").mkdir(parents=True)
    (tree / "plugins").mkdir()
    (tree / "build.ninja").touch()
    shutil.copy(DETOURD, tree / "core" / "app")
    (tree / "core" / "libdetour-core.so").symlink_to(BUILD / "core" / "libdetour-core.so")
    for plugin in (BUILD / "plugins").glob("*.so"):
        if plugin.stem != "service-stun":
            (tree / "plugins" / plugin.name).symlink_to(plugin)
    client = relay.door("tls").client()
    said = upgrade_to(relay, spoiler(relay, ":", tree / "core" / "app" / DETOURD.name))
    assert '[service stun] plugin: no plugin "stun"' in said and "1 client kept" in said, said
    client.ping(b"12345678")
    relay.door("tls").client().ping(b"12345678")
    assert "service/stun" in detourctl(relay, "status")[0]


def test_a_file_of_rates_that_is_gone_costs_the_rates(upgraded):
    relay = upgraded(start=False)
    rates = relay.directory / "rates.json"
    rates.write_text('{"PerClientRateLimitBytesPerSec": 1000000, "PerClientRateBurstBytes": 2000000}')
    relay.write_config(with_keys(relay.config, "limits", rate_config_file=rates))
    relay.start()
    client = relay.door("tls").client()
    said = upgrade_to(relay, spoiler(relay, f"rm {rates}"))
    assert "the rates of this file are not in force" in said, said
    client.ping(b"12345678")


def test_what_was_in_force_is_nowhere_else(upgraded, monkeypatch):
    """A value that only the environment had goes on in the memory of the program: no log and no file has it, and the record is closed."""
    monkeypatch.setenv("DETOUR_ADMISSION_DISALLOW_APP_NAMES", "hush-app")
    relay = upgraded()
    client = relay.door("http").client()
    since = len(relay.log)
    upgrade_to(relay, spoiler(relay, f"echo x > {relay.config_file}"))
    client.ping(b"12345678")
    assert "environment:DETOUR_ADMISSION_DISALLOW_APP_NAMES" in detourctl(relay, "config", "dump")[0]
    assert "hush" not in relay.log[since:]
    assert not [path for path in relay.directory.rglob("*") if path.is_file() and b"hush-app" in path.read_bytes()]
    assert not [name for name in relay.descriptors() if "memfd:detour" in name]


def test_restarts_with_a_wrong_file(kept, monkeypatch):
    """Twice in a row, and with another environment, of which nothing counts: the clients are kept until there are none."""
    relay = kept()
    clients = [relay.door(way).client() for way in WAYS]
    good = relay.config
    relay.write_config(with_keys(good, "limits", connections="many"))
    monkeypatch.setenv("DETOUR_CORE_HOSTNAME", "another.example")
    for _ in range(2):
        said = relay.restart()
        assert "[limits] connections" in said and "3 clients kept" in said and LOST not in said, said
        for client in clients:
            client.ping(b"12345678")
        assert "another.example" not in detourctl(relay, "config", "dump")[0]
    wait_until(lambda: relay.manager.kept, "the manager to keep a descriptor")
    relay.process.kill()
    relay.process.wait()
    with pytest.raises(StartFailed) as failed:
        relay.start_once()
    assert failed.value.code == 78 and "[limits] connections" in failed.value.log
    relay.write_config(good)
    relay.start_once()
    relay.door("tls").client().ping(b"12345678")


def test_a_wrong_variable_over_a_restart(kept, monkeypatch):
    relay = kept()
    client = relay.door("tls").client()
    monkeypatch.setenv("DETOUR_LIMITS_CONNECTIONS", "many")
    said = relay.restart()
    assert "DETOUR_LIMITS_CONNECTIONS: [limits] connections" in said and "1 client kept" in said, said
    client.ping(b"12345678")


def test_another_process_has_read_it_before(handed):
    """It goes on with what it read when it began to wait, and says nothing of a file that has become wrong since."""
    relay = handed()
    client = relay.door("tls").client()
    successor = relay.successor()
    good = relay.config
    relay.write_config(with_keys(good, "limits", connections="many"))
    assert relay.hand_over(successor).startswith("handed over to 0.1.0: 1 client kept")
    client.ping(b"12345678")
    # What it has in force goes along from there, too.
    assert "[limits] connections" in relay.ask("--check", code=1)
    relay.write_config(good)
    relay.detourd = DETOURD
    client.ping(b"87654321")


def test_the_status_is_that_of_an_upgrade(upgraded):
    """And not that of one that failed."""
    relay = upgraded()
    client = relay.door("tls").client()
    said = json.loads(relay.ask("--json", "--binary", spoiler(relay, f"rm {relay.config_file}")))
    assert said["upgraded"] is True
    client.ping(b"12345678")
    assert not os.path.exists(relay.config_file)
