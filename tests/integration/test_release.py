"""What is published of a version: a tarball, the same bytes each time, its list of parts, and Debian's changelog.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
EPOCH = "1790000000"
VERSION = re.search(r"version: '([^']+)'", (TOP / "meson.build").read_text())[1]
CHANGELOG = "data/packaging/debian/changelog"


def release(out, epoch=EPOCH, top=TOP, umask=0o022, options=("--trial",)):
    """Runs tests/release."""
    env = dict(os.environ, SOURCE_DATE_EPOCH=epoch, TZ="Asia/Kathmandu" if umask else "UTC")
    return subprocess.run([top / "tests" / "release", "--out", out, *options], env=env, umask=umask, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What it makes of this checkout."""
    out = tmp_path_factory.mktemp("release")
    done = release(out)
    assert done.returncode == 0 and done.stdout == f"{out / f'detour-{VERSION}.tar.xz'}\n", done.stderr
    return out


@pytest.fixture
def checkout(tmp_path):
    """A small project of its own, in git, that the scripts take for Detour."""
    top = tmp_path / "checkout"
    for name in ("tests/release", "tests/tools/changelog", "data/packaging/openwrt/Makefile.in", "data/packaging/openwrt/files/detour.init", "meson.build", "NEWS.md", "plugins/cert-file/meson.build"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, top / name)
    (top / "NEWS.md").write_text(f"# News\n\n## {VERSION}, 2026-11-30\n\n* All.\n\n## 0.0.9, 2025-01-02\n\n* Some.\n")
    git = ("git", "-C", top, "-c", "user.name=T", "-c", "user.email=t@example.com")
    for command in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "all")):
        subprocess.run([*git, *command], check=True)
    return top


def test_the_same_files_give_the_same_bytes(made, tmp_path):
    """Whoever packs it, wherever."""
    assert release(tmp_path / "again", umask=0o077).returncode == 0
    names = sorted(path.name for path in made.iterdir())
    assert names == ["SHA256SUMS", f"detour-{VERSION}.openwrt.tar.xz", f"detour-{VERSION}.spdx.json", f"detour-{VERSION}.tar.xz"]
    for name in names:
        assert (made / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_checksums(made):
    for line in (made / "SHA256SUMS").read_text().splitlines():
        checksum, name = line.split("  ")
        assert hashlib.sha256((made / name).read_bytes()).hexdigest() == checksum


def test_the_recipe_of_openwrt_names_the_tarball(made):
    """Version and checksum are filled in; the rest is the folder."""
    with tarfile.open(made / f"detour-{VERSION}.openwrt.tar.xz") as tar:
        files = {member.name: tar.extractfile(member).read().decode() for member in tar.getmembers()}
    top = TOP / "data" / "packaging" / "openwrt"
    assert set(files) == {"detour/Makefile"} | {f"detour/files/{path.name}" for path in (top / "files").iterdir()}
    checksum = hashlib.sha256((made / f"detour-{VERSION}.tar.xz").read_bytes()).hexdigest()
    recipe = files["detour/Makefile"]
    assert f"\nPKG_VERSION:={VERSION}\n" in recipe and f"\nPKG_HASH:={checksum}\n" in recipe and not re.search(r"@[A-Z]+@", recipe)
    assert files["detour/files/detour.init"] == (top / "files" / "detour.init").read_text()


def test_the_tarball_is_the_checkout_and_configures_alone(made, tmp_path):
    """It has what git knows and the changelog; without git and without a network, meson is content with it."""
    known = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout.split("\0")
    with tarfile.open(made / f"detour-{VERSION}.tar.xz") as tar:
        names = {member.name.split("/", 1)[1] for member in tar.getmembers()}
        assert names == {name for name in known if name and os.path.lexists(TOP / name)} | {CHANGELOG}
        tar.extractall(tmp_path)
    alone = tmp_path / f"detour-{VERSION}"
    net = ["unshare", "--net"] if os.geteuid() == 0 else []
    subprocess.run([*net, "meson", "setup", alone / "build", alone, "-Dtests=false"], check=True, capture_output=True, env=dict(os.environ, GIT_DIR="/nowhere"))
    info = json.loads((alone / "build" / "meson-info" / "intro-projectinfo.json").read_text())
    assert info["version"] == VERSION


def test_packages_can_be_built_of_the_tarball(made, tmp_path):
    """Without git: all of its files, and none of a build that lies there, get to the program that builds packages."""
    with tarfile.open(made / f"detour-{VERSION}.tar.xz") as tar:
        names = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
        tar.extractall(tmp_path)
    tree = tmp_path / f"detour-{VERSION}"
    (tree / "build-try").mkdir()
    (tree / "build-try" / "build.log").write_text("")
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in {"dpkg-buildpackage": "find . ! -type d > ../files.deb; touch ../a.changes ../a.buildinfo", "lintian": "", "dh": "", "dh_apparmor": "", "pkg-config": ""}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    env = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", GIT_CEILING_DIRECTORIES=str(tmp_path))
    done = subprocess.run([tree / "tests" / "package", "--out", tmp_path / "out"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stderr == "", done.stdout + done.stderr
    found = {line.removeprefix("./") for line in (tmp_path / "out" / "files.deb").read_text().splitlines()}
    assert {name for name in found if not name.startswith("debian/")} == {name for name in names if not (tree / name).is_dir() or (tree / name).is_symlink()}
    assert "debian/rules" in found and f"detour ({VERSION}-1)" in (tree / CHANGELOG).read_text()


def test_the_list_of_parts_is_whole(made):
    """The fields that SPDX 2.3 asks for, names that are there, and each library that a build file names."""
    document = json.loads((made / f"detour-{VERSION}.spdx.json").read_text())
    assert document["spdxVersion"] == "SPDX-2.3" and document["dataLicense"] == "CC0-1.0" and document["SPDXID"] == "SPDXRef-DOCUMENT"
    assert document["creationInfo"]["created"] == "2026-09-21T14:13:20Z"
    assert document["documentNamespace"].startswith("https://") and "#" not in document["documentNamespace"]
    packages = {package["SPDXID"]: package for package in document["packages"]}
    assert len(packages) == len(document["packages"])
    for identifier, package in packages.items():
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", identifier)
        assert package["name"] and package["downloadLocation"] and package["filesAnalyzed"] is False
    for relation in document["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= {*packages, "SPDXRef-DOCUMENT"}
    assert {"GLib", "GnuTLS", "JSON-GLib", "curl", "intel-ipsec-mb", "libsodium", "libyaml", "detour"} == {package["name"] for package in packages.values()}
    detour = packages["SPDXRef-detour"]
    assert detour["versionInfo"] == VERSION
    assert detour["checksums"][0]["checksumValue"] == hashlib.sha256((made / detour["packageFileName"]).read_bytes()).hexdigest()
    assert "2.74" in packages["SPDXRef-GLib"]["comment"]
    needed = {relation["relatedSpdxElement"] for relation in document["relationships"] if relation["relationshipType"] == "DEPENDS_ON"}
    assert "SPDXRef-GnuTLS" in needed and "SPDXRef-curl" not in needed


def test_the_changelog_is_that_of_the_news(checkout, tmp_path):
    """One entry a version, as dpkg reads it, with the version of meson.build first."""
    assert release(tmp_path / "out", top=checkout, options=()).returncode == 0
    with tarfile.open(tmp_path / "out" / f"detour-{VERSION}.tar.xz") as tar:
        (tmp_path / "changelog").write_bytes(tar.extractfile(f"detour-{VERSION}/{CHANGELOG}").read())
    read = subprocess.run(["dpkg-parsechangelog", "-l", tmp_path / "changelog", "--all", "--format", "rfc822"], check=True, capture_output=True, text=True)
    assert re.findall("^Version: (.*)$", read.stdout, re.M) == [f"{VERSION}-1", "0.0.9-1"] and read.stderr == ""
    assert re.findall("^Date: (.*)$", read.stdout, re.M) == ["Mon, 30 Nov 2026 12:00:00 +0000", "Thu, 02 Jan 2025 12:00:00 +0000"]


@pytest.mark.parametrize("news, reason", [
    ("## 9.9.9, 2026-11-30\n", "NEWS.md: the newest version is 9.9.9; meson.build says"),
    (f"## {VERSION}, soon\n", f"NEWS.md: `## {VERSION}, soon` is neither"),
    ("* All.\n", "NEWS.md: the newest version is missing; meson.build says"),
    (f"## {VERSION}, 2026-11-30\n\n## 0.0.9, not released yet\n", "NEWS.md: only the newest version may be `not released yet`"),
])
def test_news_that_do_not_agree_are_told(checkout, tmp_path, news, reason):
    (checkout / "NEWS.md").write_text(news)
    done = release(tmp_path / "out", top=checkout)
    assert done.returncode == 1 and done.stderr.startswith(f"tests/release: {reason}")
    assert not (tmp_path / "out").exists()


def test_what_is_not_ready_is_not_released(checkout, tmp_path):
    """Neither changes that nobody committed, nor a version without a date."""
    (checkout / "NEWS.md").write_text(f"## {VERSION}, not released yet\n")
    assert "not committed; --trial packs them" in release(tmp_path / "out", top=checkout, options=()).stderr
    subprocess.run(["git", "-C", checkout, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "-a", "-m", "news"], check=True)
    assert f"{VERSION} is not released yet" in release(tmp_path / "out", top=checkout, options=()).stderr
    assert not (tmp_path / "out").exists()
    assert release(tmp_path / "out", top=checkout).returncode == 0


def test_a_library_that_is_not_listed_stops_it(checkout, tmp_path):
    """Another dependency in a build file is not forgotten in the list of parts."""
    with (checkout / "meson.build").open("a") as file:
        file.write("new_dep = dependency('libnew', version: '>= 1.0')\n")
    done = release(tmp_path / "out", top=checkout)
    assert done.returncode == 1 and done.stderr == "meson.build: libnew is not in the list of libraries of tests/release\n"
    assert not (tmp_path / "out").exists()
