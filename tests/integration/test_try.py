"""tests/try installs nothing unless it is told to, and tests/package says what it lacks.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import pathlib
import platform
import shutil
import subprocess

import pytest

TRY = pathlib.Path(__file__).resolve().parents[1] / "try"


@pytest.fixture
def tree(tmp_path):
    """A tree with tests/try, where packages are missing; what would install them says so and fails."""
    tools = tmp_path / "tests" / "tools"
    tools.mkdir(parents=True)
    shutil.copy(TRY, tmp_path / "tests")
    packages = tools / "packages"
    packages.write_text('#!/bin/sh\ncase $1 in missing) echo one two ;; *) echo "installing" >&2; exit 1 ;; esac\n')
    packages.chmod(0o755)
    return tmp_path


def run(tree, *arguments):
    """Runs it without a terminal."""
    return subprocess.run([tree / "tests" / "try", "--build-only", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)


def test_without_a_terminal_it_asks_for_yes(tree):
    done = run(tree)
    assert done.returncode == 1 and "installing" not in done.stderr
    assert "one two" in done.stderr and "tests/try --yes installs them" in done.stderr


def test_help(tree):
    done = run(tree, "--help")
    assert done.returncode == 0 and done.stdout.startswith("tests/try [--yes]") and done.stderr == ""
    wrong = run(tree, "--such-an-option")
    assert wrong.returncode == 2 and wrong.stdout == "" and wrong.stderr == done.stdout


def test_yes_installs(tree):
    assert "installing" in run(tree, "--yes").stderr


def test_package_names_what_is_missing_before_it_builds(tmp_path):
    for name in ("dirname", "sed"):
        (tmp_path / name).symlink_to(shutil.which(name))
    host = platform.freedesktop_os_release()["VERSION_CODENAME"]
    for suite in ("bookworm", "trixie"):
        done = subprocess.run([shutil.which("bash"), TRY.parent / "package", "--suite", suite, "--out", tmp_path / "out"],
                              env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
        missing = f"dpkg-dev debhelper dh-apparmor lintian {'systemd' if host == 'bookworm' else 'systemd-dev'}" if suite == host else "mmdebstrap"
        assert done.returncode == 1 and done.stderr == f"tests/package: these packages are missing: {missing}\n", suite
    assert not (tmp_path / "out").exists()
