"""The last lines of the log, as detourctl shows them without a journal.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import tempfile

from control import DETOURCTL, detourctl
from derp_client import PATIENCE
from relay import EVERYTHING, SMALL, daemon_environment, wait_until, with_keys


def lines_of(relay, *options):
    """Lines of `detourctl log --json`."""
    return [json.loads(line) for line in detourctl(relay, "log", "--json", *options)[0].splitlines()]


@contextlib.contextmanager
def following(relay, *options):
    """`detourctl log --follow`; gives a function for the lines so far, and ends it as a person does."""
    out = relay.directory / f"follow{'-'.join(options)}.log"
    with open(out, "w", encoding="utf-8") as file:
        process = subprocess.Popen([DETOURCTL, "log", "--follow", *options], stdout=file, stderr=subprocess.PIPE, text=True,
                                   env=daemon_environment() | {"DETOUR_SOCKET": f"{relay.run_directory}/control", "LC_ALL": "C.UTF-8"})
    try:
        wait_until(lambda: out.read_text(), "the last lines")
        yield lambda: out.read_text().splitlines()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_last_lines(make_relay):
    relay = make_relay(SMALL)
    relay.reload()
    text, _ = detourctl(relay, "log")
    assert " ready: " in text and "  message   " in text
    lines = lines_of(relay)
    assert list(lines[-1])[:4] == ["time", "level", "domain", "message"]
    assert lines[-1]["event"] == "reloaded" and lines[-1]["time"].endswith("Z")
    # What happens has a name that does not depend on the words.
    assert {"listening", "ready", "reloaded"} <= {line.get("event") for line in lines}
    assert [line["message"] for line in lines_of(relay, "--lines", "1")] == [lines[-1]["message"]]
    assert lines_of(relay, "--level", "warning") == [line for line in lines if line["level"] != "message"]
    assert [line["message"] for line in lines_of(relay, "--lines", "5000")] == [line["message"] for line in lines]
    for wrong in (("--lines", "0"), ("--level", "loud")):
        assert wrong[0] in detourctl(relay, "log", *wrong, code=2)[1]


def test_lines_as_they_come(make_relay):
    relay = make_relay(SMALL)
    with following(relay, "--json") as lines, following(relay) as texts:
        for _ in range(3):
            relay.reload()
        wait_until(lambda: sum('"reloaded"' in line for line in lines()) == 3, "three reloads")
        assert json.loads(lines()[-1])["event"] == "reloaded"
        wait_until(lambda: sum("reloaded" in line for line in texts()) == 3, "three reloads")
        # Each line once, though the first ones were asked for while others came.
        numbers = [json.loads(line)["time"] for line in lines()]
        assert numbers == sorted(numbers)


def test_lines_that_were_lost_are_told(make_relay):
    """A memory that holds a few lines only, and a reload that writes many at once."""
    relay = make_relay(with_keys(SMALL, "core", log_memory="16K"))
    with following(relay, "--json") as lines, following(relay) as texts:
        wrong = "".join(f"wrong-{number} = {number}\n" for number in range(150))
        relay.reload(SMALL + "\n[limits]\n" + wrong, outcome="the configuration was not used")
        wait_until(lambda: "errors; the configuration" in lines()[-1], "the last line")
        lost = sum(json.loads(line).get("lost", 0) for line in lines())
        shown = sum("wrong-" in line for line in lines())
        assert 0 < shown < 150 and lost + shown >= 150, (lost, shown)
        wait_until(lambda: f"-- {lost} lines were lost --" in texts(), "a line that says so")
    kept = lines_of(relay, "--lines", "1000")
    assert 10 < len(kept) < 100 and sum(len(line["message"]) for line in kept) < 16384


def test_what_the_log_masks_is_not_kept(make_relay):
    """The log instance that masks most decides."""
    config = EVERYTHING + ("\n[log one]\nplugin = file\npath = {dir}/one.log\nlevel = debug\nformat = json\n"
                           "\n[log other]\nplugin = file\npath = {dir}/other.log\nlevel = debug\nprivacy = none\n")
    relay = make_relay(config)
    client = relay.door().client()
    key = bytes(client.key).hex()
    client.stream.close()
    wait_until(lambda: key in (relay.directory / "one.log").read_text(), "the client in the log")
    text = detourctl(relay, "log", "--json", "--lines", "1000", "--level", "debug")[0]
    assert "client" in text
    assert key[:8] not in text and "127.0.0.1:" not in text.split('"ready"')[-1].split("\n", 1)[1]


def test_a_format_is_taken_by_whatever_auto_chooses(make_relay):
    """At a terminal that is standard error and under systemd the journal: a file that was checked at the one has to be good at the other."""
    run = tempfile.mkdtemp(prefix="detour-")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.settimeout(PATIENCE)
        journal.bind(f"{run}/journal")
        relay = make_relay(SMALL + f"\n[log journal]\nsocket = {run}/journal\nformat = json\n\n[log main]\nplugin = auto\nformat = json\n")
        relay.wait_log('"event":"ready"')
        while b"DETOUR_EVENT\n" not in journal.recv(65536):
            pass
    shutil.rmtree(run)


def test_no_memory(make_relay):
    relay = make_relay(with_keys(SMALL, "core", log_memory="off"))
    assert "no lines are kept: [core] log-memory is off" in detourctl(relay, "log", code=1)[1]


def test_the_end_of_the_daemon_is_told(make_relay):
    relay = make_relay(SMALL)
    process = subprocess.Popen([DETOURCTL, "log", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=daemon_environment() | {"DETOUR_SOCKET": f"{relay.run_directory}/control", "LC_ALL": "C.UTF-8"})
    assert process.stdout.readline()
    relay.stop()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 3 and "the daemon has ended" in errors


def test_every_log_has_the_name_of_the_event(make_relay):
    """A program goes by that, whatever it reads: files of both formats, standard error, and what detourctl shows."""
    relay = make_relay(EVERYTHING + "\n[log one]\nplugin = file\npath = {dir}/one.log\nformat = json\n"
                       "\n[log other]\nplugin = file\npath = {dir}/other.log\n")
    relay.reload()
    lines = lines_of(relay)
    names = {line["event"] for line in lines if "event" in line}
    assert {"server-key-made", "listening", "ready", "reloaded"} <= names
    in_json = [json.loads(line) for line in (relay.directory / "one.log").read_text().splitlines()]
    assert {"listening", "ready", "reloaded"} <= {line.get("event") for line in in_json}
    # The same line is the same object, whoever shows it.
    last = [line for line in lines if line.get("event") == "reloaded"][-1]
    assert last in in_json
    for text in (relay.log, (relay.directory / "other.log").read_text()):
        assert all(f" event={name}" in text for name in ("listening", "ready", "reloaded"))
