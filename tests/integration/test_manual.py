"""The manual pages: they render, and they name all that there is.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import re
import shutil
import subprocess

import pytest

from relay import BUILD, DETOURD, run_detourd

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(path.name[:-len(".scd")] for path in (TOP / "doc").glob("*.scd"))

# scdoc separates every two blocks by a paragraph, also where troff has one already.
OF_SCDOC = "skipping paragraph macro"


def page(name):
    """A built page."""
    if not shutil.which("scdoc"):
        pytest.skip("there is no scdoc")
    return BUILD / "doc" / name


def source(name):
    """A page in scdoc's language, with everything filled in."""
    page(name)
    return next(path for path in (BUILD / "doc" / f"{name}.scd", BUILD / "doc" / f"{name}.scd.in") if path.exists()).read_text()


def run(program, *arguments):
    """Runs a formatter; gives what it printed and what it had to say."""
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr


def test_there_are_pages():
    assert {"detourctl.1", "detourd.8", "detour.conf.5", "detourd-plugins.7"} <= set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page_renders_without_a_warning(name):
    text, warnings = run("groff", "-ww", "-man", "-Tutf8", "-k", page(name))
    assert warnings == ""
    assert len(text.splitlines()) > 40
    text, _ = run("mandoc", "-T", "lint", "-W", "warning", page(name))
    assert [line for line in text.splitlines() if OF_SCDOC not in line] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_gaps(name):
    text = source(name)
    assert not re.search(r"@\w+@|^%\w+%$", text, re.M)
    for other, section in re.findall(r"\*([a-z][\w.-]+)\*\((\d)\)", text):
        if other.startswith("detour"):
            assert f"{other}.{section}" in PAGES


@pytest.mark.parametrize("name, program", [("detourctl.1", DETOURD.with_name("detourctl")), ("detourd.8", DETOURD)])
def test_page_names_every_option(name, program):
    text = source(name)
    options = set(re.findall(r"--[a-z][\w-]+", run(program, "--help")[0]))
    assert options and not [option for option in options if option not in text]


def test_page_names_every_command_with_what_it_does():
    text = source("detourctl.1")
    output, _ = run(DETOURD.with_name("detourctl"), "--help")
    commands = re.findall(r"^  ([a-z][a-z -]*?)(?: [\[A-Z<].*?)?  +(\S.*)$", output.split("Commands:")[1], re.M)
    assert commands
    for words, summary in commands:
        assert re.search(rf"^\*{words}\*.*\n\t{re.escape(summary)}", text.replace("\\", ""), re.M), words


def plugins():
    """Names of the built plugins."""
    output, _ = run_detourd("--list-plugins")
    return re.findall(r"^(\w+-[\w-]+)", output, re.M)


def test_every_plugin_is_in_the_manual():
    keys, manuals = source("detour.conf.5"), source("detourd-plugins.7")
    for name in plugins():
        kind, short = name.split("-", 1)
        assert f"\n## [{kind} NAME] plugin = {short}\n" in keys
        assert re.search(rf"^# {name.upper()}$", manuals, re.M)


def test_manuals_of_plugins_and_their_tables_agree():
    """Each key of a table is told of in the plugin's README, and that has no other keys in its tables of options."""
    text = source("detour.conf.5")
    for name in plugins():
        kind, short = name.split("-", 1)
        section = re.search(rf"^## \[{kind} NAME\] plugin = {short}\n(.*?)(?=^#)", text, re.M | re.S)[1]
        keys = set(re.findall(r"^\*([\w-]+)\* = ", section, re.M))
        readme = (TOP / "plugins" / name / "README.md").read_text()
        options = re.search(r"^## Options\n(.*?)(?=^## )", readme, re.M | re.S)[1]
        tables = re.findall(r"^\| key \|.*\n((?:\|.*\n)+)", options, re.M)
        told = set(re.findall(r"^\| `([\w-]+)` \|", "".join(tables), re.M))
        assert keys == told, name
