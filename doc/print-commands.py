#!/usr/bin/env python3
"""Prints detourctl's page with the commands as they describe themselves with --help.
SPDX-License-Identifier: LGPL-2.1-or-later

    print-commands.py PAGE [WRAPPER] DETOURCTL

The wrapper runs it where it was built for another processor.
"""

import os
import re
import subprocess
import sys


def ask(*command):
    """Sections of what --help prints: a dictionary of lists of lines, with what stands behind the last option as "rest"."""
    environment = os.environ | {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}
    done = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True, env=environment)
    sections, name = {}, ""
    for line in done.stdout.split("\n"):
        if re.match(r"\S.*:$", line):
            name = line[:-1]
        elif name.endswith("Options") and not line.startswith(" ") and line:
            name = "rest"
        sections.setdefault(name, []).append(line)
    return sections


def escape(text):
    """Text that means itself."""
    return re.sub(r"([\\*_])", r"\\\1", text)


def options(lines):
    """Pairs of an option and what it does."""
    return re.findall(r"^  (-\S+(?: \S+)?|-., --\S+)  +(\S.*)$", "\n".join(lines), re.M)


def commands(program):
    """A paragraph for each command."""
    top = ask(*program)
    everywhere = {option for option, _ in options(top["Application Options"])}
    for call, summary in re.findall(r"^  ([a-z]\S*(?: \S+)*)  +(\S.*)$", "\n".join(top["Commands"]), re.M):
        words = re.match(r"[a-z-]+(?: [a-z-]+)*", call)[0]
        more = ask(*program, *words.split())
        yield f"*{escape(words)}*{escape(call[len(words):])}"
        details = [f"{summary}."] + [line for line in more.get("rest", []) if line]
        own = [f"*{escape(option)}* {escape(text)}." for option, text in options(more.get("Application Options", []))
               if option not in everywhere]
        yield "\t" + escape(" ".join(details)) + "\n"
        for option in own:
            yield "\t" + option + "\n"


def main():
    """Fills in the page."""
    page, *program = sys.argv[1:]
    with open(page, encoding="utf-8") as file:
        print(file.read().replace("%commands%\n", "\n".join(commands(program))), end="")


sys.stdout.reconfigure(encoding="utf-8")
main()
