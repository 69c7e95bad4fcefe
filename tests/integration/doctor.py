"""Runs detourctl doctor, and carries out the remedies that it prints.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import subprocess

from control import DETOURCTL
from derp_client import PATIENCE
from relay import ALARMS, daemon_environment

AREAS = ["config", "files", "ports", "names", "certificate", "stun", "login", "admission", "mesh", "clock", "system"]

# Programs and handshakes may take long on a busy machine, and none of the limits is what is tested.
UNHURRIED = "--timeout=20s"


def commands_environment(relay):
    """Where commands are found as they are printed, and which daemon they are for."""
    clean = {name: value for name, value in daemon_environment().items() if not name.startswith(("LC_", "LANG", "DETOUR_SOCKET"))}
    return clean | {"LC_ALL": "C.UTF-8", "PATH": f"{DETOURCTL.parent}:{os.environ['PATH']}",
                    "DETOUR_SOCKET": f"{relay.run_directory}/control" if relay else "/nonexistent"}


def run_doctor(relay, *arguments, **environment):
    """What it does."""
    done = subprocess.run([DETOURCTL, "doctor", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          env=commands_environment(relay) | environment, timeout=4 * PATIENCE)
    assert not ALARMS.search(done.stderr), done.stderr
    return done


def examine(relay, *arguments, **environment):
    """The findings, by their codes; several with one code are one of them."""
    told = run_doctor(relay, UNHURRIED, "--json", *arguments, **environment)
    assert told.stderr == "", told.stderr
    document = json.loads(told.stdout)
    found = {finding["code"]: finding for finding in document["findings"]}
    problems = [finding for finding in document["findings"] if finding["status"] == "problem"]
    assert told.returncode == int(bool(problems)) and document["problems"] == len(problems), told.stdout
    assert all(finding["text"] and finding["area"] in [*AREAS, "map"] for finding in document["findings"])
    # What announces a line to type has one.
    assert all(finding["command"] or not (finding["remedy"] or "").endswith(":") for finding in document["findings"]), told.stdout
    return found


def mend(relay, finding):
    """Carries out what is printed below a finding."""
    done = subprocess.run(["sh", "-c", finding["command"]], capture_output=True, text=True, check=False, env=commands_environment(relay),
                          stdin=subprocess.DEVNULL, timeout=PATIENCE)
    assert done.returncode == 0, f"{finding['command']}\n{done.stdout}{done.stderr}"


def is_well(found):
    """Nothing but what is good, or to be known."""
    return {finding["status"] for finding in found.values()} <= {"ok", "note"}
