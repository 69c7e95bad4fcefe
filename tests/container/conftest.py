"""Fixtures: podman with a store of its own, and the image in it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
NEEDED = ("buildah", "catatonit", "mmdebstrap", "podman", "runc", "setcap")
PATIENCE = 120.0
# What podman would otherwise raise, which root may not everywhere.
SETTINGS = '[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'


def pytest_collection_modifyitems(items):
    """What is missing is said once, and is an error where nothing may be skipped."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if os.geteuid() != 0:
        missing.append("root")
    if missing and os.environ.get("CI") == "true":
        raise pytest.UsageError(f"missing: {', '.join(missing)}")
    for item in items if missing else []:
        item.add_marker(pytest.mark.skip(reason=f"missing: {', '.join(missing)}"))


def call(*command, code=0, environment=None, **how):
    """Runs a command, and returns it with what it wrote."""
    # Health is asked for by the tests; there need not be a systemd with timers.
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
                          env=os.environ | {"DISABLE_HC_SYSTEMD": "true"} | (environment or {}), **how)
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


class Container:
    """One that runs."""

    def __init__(self, engine, name):
        self.engine, self.name = engine, name
        self.pid = engine.inspect("container", name)["State"]["Pid"]

    def log(self):
        """What it wrote, both streams."""
        done = self.engine("logs", self.name)
        return done.stdout + done.stderr

    def wait_log(self, text):
        """Waits until it has written this."""
        end = time.monotonic() + PATIENCE
        while text not in self.log():
            assert self.engine.inspect("container", self.name)["State"]["Running"] and time.monotonic() < end, self.log()
            time.sleep(0.2)

    def ctl(self, *arguments):
        """Runs detourctl inside."""
        return self.engine("exec", self.name, "/usr/bin/detourctl", *arguments)

    def proc(self, name):
        """A file of its first process."""
        return pathlib.Path(f"/proc/{self.pid}/{name}").read_text()

    def confinement(self):
        """Its user, its group, its capabilities, and whether its root is read-only."""
        status = dict(line.split(":\t", 1) for line in self.proc("status").splitlines() if ":\t" in line)
        root = next(line.split() for line in self.proc("mounts").splitlines() if line.split()[1] == "/")
        return set(status["Uid"].split()), set(status["Gid"].split()), int(status["CapEff"], 16), "ro" in root[3].split(",")


class Host:
    """A network of its own, with nothing but loopback, in the place of that of the host, which samples use."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n"
        self.enter = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net"]

    def end(self):
        """Nothing of it is left when the containers have ended."""
        self.process.communicate()


class Engine:
    """podman and buildah on a store in a folder of the test."""

    image = "localhost/detour"
    tailscale = "docker.io/tailscale/tailscale"

    def __init__(self, folder):
        self.folder = folder
        self.settings = folder / "containers.conf"
        self.settings.write_text(SETTINGS)
        self.store = ["--root", folder / "store", "--runroot", folder / "run", "--storage-driver", "vfs"]
        self.podman = ["podman", *self.store, "--cgroup-manager", "cgroupfs", "--runtime", "runc"]

    def __call__(self, *arguments, code=0, host=None):
        return call("env", f"CONTAINERS_CONF={self.settings}", *(host.enter if host else ()), *self.podman, *arguments, code=code)

    def build(self):
        """As the Containerfile says, on this system's own /usr in the place of an image that would have to be fetched."""
        base, tree = self.folder / "base", self.folder / "tree"
        (base / "etc" / "ssl").mkdir(parents=True)
        for name in ("usr", "tmp", "var/lib/dpkg"):
            (base / name).mkdir(parents=True)
        for link in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink(f"/{link}"):
                (base / link).symlink_to(os.readlink(f"/{link}"))
        for name in ("passwd", "group", "ld.so.cache", "nsswitch.conf"):
            shutil.copy(f"/etc/{name}", base / "etc")
        for name in ("alternatives", "ssl/certs"):
            shutil.copytree(f"/etc/{name}", base / "etc" / name, symlinks=True)
        call("tar", "-C", base, "-cf", self.folder / "base.tar", ".")
        self("import", "--quiet", self.folder / "base.tar", "localhost/base")
        tree.mkdir()
        names = call("git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard").stdout
        for name in names.rstrip("\0").split("\0"):
            if (TOP / name).exists():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(TOP / name, tree / name, follow_symlinks=False)
        call("buildah", *self.store, "build", "--isolation", "chroot", "--format", "docker", "--network", "host", "--volume", "/usr:/usr:ro",
             "--volume", "/var/lib/dpkg:/var/lib/dpkg:ro", "--build-arg", "BASE=localhost/base", "--tag", self.image,
             "--file", tree / "data" / "packaging" / "container" / "Containerfile", tree)

    def inspect(self, kind, name):
        """What there is to know about an image or a container."""
        return json.loads(self(kind, "inspect", name).stdout)[0]

    def files(self):
        """The names of the files in the image."""
        container = self("create", self.image).stdout.strip()
        folder = pathlib.Path(self("mount", container).stdout.strip())
        names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        self("umount", container)
        self("rm", container)
        return names

    @staticmethod
    def confined():
        """Nothing but what the samples give a relay; ports of a network that is its own."""
        return ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--cap-add", "NET_BIND_SERVICE", "--network", "none"]

    @staticmethod
    def _options(environment):
        return [f"--env={key}={value}" for key, value in (environment or {}).items()]

    @contextlib.contextmanager
    def run(self, name, *options, environment=None, arguments=()):
        """A container that runs until the test ends."""
        self("run", "--detach", "--name", name, *self._options(environment), *options, self.image, *arguments)
        try:
            yield Container(self, name)
        finally:
            self("rm", "--force", "--time", "10", "--volumes", name)

    def once(self, *arguments, options=(), environment=None, code=0):
        """A container that ends by itself."""
        return self("run", "--rm", *self._options(environment), *self.confined(), *options, self.image, *arguments, code=code)


class Compose:
    """podman-compose on the engine, in a folder with a sample and what an operator lays beside it."""

    def __init__(self, engine, host, modules, folder):
        self.engine, self.modules, self.folder = engine, modules, folder
        self.podman = folder / "podman-here"
        words = ["env", f"CONTAINERS_CONF={engine.settings}", *host.enter, *map(str, engine.podman)]
        self.podman.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        self.podman.chmod(0o755)
        (folder / "detour").mkdir()

    def __call__(self, *arguments, **variables):
        return call(sys.executable, "-m", "podman_compose", "--podman-path", self.podman, *arguments, cwd=self.folder,
                    environment={"PYTHONPATH": str(self.modules), "RELAY": "relay.example.com"} | variables)

    def container(self, service):
        """The one of a service."""
        return Container(self.engine, f"{self.folder.name}_{service}_1")


@pytest.fixture(name="modules", scope="session")
def fixture_modules(tmp_path_factory):
    """podman-compose of Debian 13, as that of Debian 12 does not know the host's network; what it needs are packages of this system."""
    root = tmp_path_factory.mktemp("trixie") / "root"
    call(TOP / "tests" / "tools" / "make-root", "--variant=extract", "trixie", root, "podman-compose")
    folder = tmp_path_factory.mktemp("modules")
    shutil.copy(root / "usr" / "lib" / "python3" / "dist-packages" / "podman_compose.py", folder)
    shutil.rmtree(root)
    return folder


@pytest.fixture(name="compose")
def fixture_compose(engine, host, modules, tmp_path):
    """It, for one test; what it started is gone afterwards."""
    folder = tmp_path / "compose"
    folder.mkdir()
    # The user of the image reads what is mounted.
    tmp_path.chmod(0o755)
    it = Compose(engine, host, modules, folder)
    try:
        yield it
    finally:
        it("down", "--volumes", "--timeout", "10")


class Node:
    """An official tailscaled on a network, which belongs to nobody's container."""

    def __init__(self, host, programs, folder):
        self.enter, self.programs, self.socket = host.enter, programs, folder / "tailscaled.sock"
        with open(folder / "log", "wb") as log:
            self.process = subprocess.Popen([*self.enter, programs / "tailscaled", "--no-logs-no-support", f"--statedir={folder}", f"--socket={self.socket}",
                                             "--port=0", "--tun=userspace-networking"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __call__(self, *arguments):
        return call(*self.enter, self.programs / "tailscale", f"--socket={self.socket}", *arguments, timeout=PATIENCE).stdout

    def end(self):
        """What it knows is in its folder."""
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.fixture(name="tailscale", scope="session")
def fixture_tailscale(engine, tmp_path_factory):
    """The folder with official programs, and those in an image of the official name: its entry point, made for containers, and what that starts."""
    if shutil.which("go") is None:
        assert os.environ.get("CI") != "true"
        pytest.skip("there is no Go that could build tailscaled")
    folder = tmp_path_factory.mktemp("tailscale")
    programs = folder / "usr" / "local" / "bin"
    programs.mkdir(parents=True)
    (folder / "tmp").mkdir()
    module = TOP / "tests" / "interop" / "tailnet"
    # The entry point ends where tailscaled does not answer its question about "serve".
    tags = ",".join(word for word in (module / "left-out").read_text().split() if word != "ts_omit_serve")
    for words in (["-tags", tags, "tailscale.com/cmd/tailscale", "tailscale.com/cmd/tailscaled"], ["tailscale.com/cmd/containerboot", "./control"]):
        call("go", "build", "-ldflags=-s -w", "-o", f"{programs}/", *words, cwd=module, environment={"CGO_ENABLED": "0"})
    call("tar", "-C", folder, "-cf", folder / "image.tar", "usr", "tmp")
    engine("import", "--quiet", "--change", "ENV PATH=/usr/local/bin", "--change", 'CMD ["/usr/local/bin/containerboot"]', folder / "image.tar", engine.tailscale)
    return programs


@pytest.fixture(name="host")
def fixture_host():
    """A network for one test."""
    it = Host()
    try:
        yield it
    finally:
        it.end()


@pytest.fixture(scope="session")
def engine(tmp_path_factory):
    """podman, with the image."""
    it = Engine(tmp_path_factory.mktemp("engine"))
    try:
        it.build()
        yield it
    finally:
        # Files of other users and with flags; podman takes its own mounts away first.
        subprocess.run(["podman", *map(str, it.store), "rm", "--all", "--force"], capture_output=True, check=False)
        shutil.rmtree(it.folder, ignore_errors=True)
