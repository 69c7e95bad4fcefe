"""Fixtures: the packages, and a machine per release on which they are installed.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import os
import pathlib
import shutil
import subprocess

import pytest

from machine import Machine, make_root

TOP = pathlib.Path(__file__).resolve().parents[2]
NEEDED = ("mmdebstrap", "systemd-nspawn", "dpkg-buildpackage", "lintian", "strace")
INSTALLED = ("detour", "detour-curl", "detour-doc")
# What tests and the relay use besides what the packages need.
BESIDES = ("adduser", "apparmor", "ca-certificates", "openssl", "python3")
# What a test installs when its time has come.
LATER = ("polkitd",)


def pytest_addoption(parser):
    """--suite chooses the release of Debian; --packages takes packages that are there, instead of building them; --root keeps the
    machine as it is before the packages come, and the next run takes a copy of it."""
    parser.addoption("--suite", default="bookworm", choices=["bookworm", "trixie"])
    parser.addoption("--packages", type=pathlib.Path)
    parser.addoption("--root", type=pathlib.Path)


def pytest_collection_modifyitems(items):
    """What is missing is said once, and is an error where nothing may be skipped."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI") == "true":
        raise pytest.UsageError(f"missing: {', '.join(missing)}")
    for item in items if missing else []:
        item.add_marker(pytest.mark.skip(reason=f"missing: {', '.join(missing)}"))


@pytest.fixture(scope="session")
def packages(request, tmp_path_factory):
    """The packages: name → file."""
    suite = request.config.getoption("--suite")
    folder = request.config.getoption("--packages")
    if folder is None:
        folder = tmp_path_factory.mktemp("packages")
        result = subprocess.run([TOP / "tests" / "package", "--suite", suite, "--out", folder], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-6000:]
    return {file.name.split("_")[0]: file for file in pathlib.Path(folder).glob("*.deb")}


def dependencies(packages):
    """Names of what the packages that are installed need; they are others in another release."""
    found = set()
    for name in INSTALLED:
        fields = subprocess.run(["dpkg-deb", "--field", packages[name], "Depends"], capture_output=True, text=True, check=True).stdout
        found.update(part.split("|")[0].split()[0] for part in fields.split(",") if part.strip())
    return sorted(found - set(packages))


@pytest.fixture(scope="session")
def machine(request, tmp_path_factory, packages):
    """A machine that runs, with the packages as files in /packages and nothing of them installed."""
    suite = request.config.getoption("--suite")
    folder = tmp_path_factory.mktemp("machine")
    root = folder / suite
    # Without the network of the host it installs from files, so what the packages need comes with its root.
    keep = request.config.getoption("--root")
    if keep is None or not keep.exists():
        make_root(suite, keep or root, [*BESIDES, *dependencies(packages)], LATER)
    if keep is not None:
        subprocess.run(["cp", "-a", "--reflink=auto", keep, root], check=True)
    (root / "packages").mkdir()
    for file in packages.values():
        shutil.copy(file, root / "packages")
    it = Machine(root, folder / "log")
    try:
        yield it.boot()
    finally:
        it.remove()
