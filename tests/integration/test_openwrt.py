"""OpenWrt's package: UCI becomes a configuration, the service is what procd is told, and every file is in one package.

There is neither procd nor uci here, nor OpenWrt's build system: the folder openwrt stands in for them. The scripts run under BusyBox's ash, the
daemon is the real one, and runs with what procd was told to give it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from derp_client import Client, Stream, meta_key
from namespaces import apart, mount_memory
from relay import BUILD, DETOURD, daemon_environment, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
RECIPE = TOP / "data" / "packaging" / "openwrt"
STAND_INS = TOP / "tests" / "integration" / "openwrt"
CONFIG = pathlib.Path("/etc/config/detour")
MADE = pathlib.Path("/var/etc/detour/detour.conf")
TOLD = pathlib.Path("/run/procd/told")

OPEN = """\
config detour 'main'
	option enabled '1'

config core
	option hostname 'relay.test'
	option workers '1'

config admission 'admission'
	list chain 'open'

config cert 'main'
	option plugin 'selfsigned'

config transport 'https'
	list listen '127.0.0.1:443'
	list listen '[::1]:8443'

config transport 'http'
	option enabled '0'

config service 'stun'
	option listen '127.0.0.1:3478'

config log 'main'
	option plugin 'stderr'
"""


class Router:
    """This system with BusyBox as its shell, and files of its own in /etc, /usr, /var and /run; in a thread with namespaces."""

    def __init__(self, folder):
        self.process = None
        self.log = folder / "log"
        for name in ("etc", "usr", "var"):
            upper, work = folder / name / "upper", folder / name / "work"
            upper.mkdir(parents=True)
            work.mkdir()
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/{name},upperdir={upper},workdir={work}", f"/{name}"], check=True)
        mount_memory(pathlib.Path("/run"), "1M")
        os.chmod("/run", 0o755)
        TOLD.parent.mkdir()
        for link, target in {"/usr/bin/sh": shutil.which("busybox"), "/usr/sbin/detourd": DETOURD, "/usr/sbin/uci": STAND_INS / "uci",
                             "/sbin/ujail": "/usr/bin/true"}.items():
            pathlib.Path(link).unlink(missing_ok=True)
            pathlib.Path(link).symlink_to(target)
        pathlib.Path("/usr/busybox").mkdir()
        subprocess.run(["busybox", "--install", "-s", "/usr/busybox"], check=True)
        for path, source in {"/usr/share/detour/uci-conf": "uci-conf", "/etc/init.d/detour": "detour.init", "/etc/config/detour": "detour.config",
                             "/etc/capabilities/detour.json": "detour.capabilities"}.items():
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(RECIPE / "files" / source, path)
        if "detour:" not in pathlib.Path("/etc/passwd").read_text():
            with open("/etc/passwd", "a", encoding="utf-8") as users, open("/etc/group", "a", encoding="utf-8") as groups:
                users.write("detour:x:64731:64731::/var:/bin/false\n")
                groups.write("detour:x:64731:\n")

    @staticmethod
    def run(*command, code=0):
        """Runs a command with BusyBox's programs first; gives what it writes."""
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=daemon_environment() | {"PATH": "/usr/busybox:/usr/sbin:/usr/bin"})
        assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def service(self, action, code=0):
        """As `service detour ACTION`."""
        return self.run("/usr/bin/sh", STAND_INS / "rc.common", "/etc/init.d/detour", action, code=code)

    def shim(self, config, code=0):
        """What it makes of a file."""
        CONFIG.write_text(config)
        return self.run("/usr/share/detour/uci-conf", code=code)

    @staticmethod
    def told():
        """What procd was told: parameter → its values."""
        return {words[0]: words[1:] for words in (line.split("\t") for line in TOLD.read_text().splitlines())}

    def start(self):
        """What procd does with it: the program under its user, with the capabilities of the file and no others."""
        self.service("start")
        told = self.told()
        sets = json.loads(pathlib.Path(told["capabilities"][0]).read_text())
        names = {kind: [name.removeprefix("CAP_").lower() for name in sets[kind]] for kind in sets}
        assert told["no_new_privs"] == ["1"] and told["jail"] == ["detour"]
        # What is not ambient does not come through to a program of another user.
        assert names["ambient"] == names["permitted"] == names["effective"] == names["inheritable"] == names["bounding"]
        caps = ",".join(f"+{name}" for name in names["ambient"])
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", f"--reuid={told['user'][0]}", f"--regid={told['group'][0]}", "--clear-groups", f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}",
                 f"--bounding-set=-all,{caps}", "--no-new-privs", *told["command"]], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=daemon_environment())
        self.wait_log("ready:")
        pathlib.Path("/run/procd/running").write_text(str(self.process.pid))

    def wait_log(self, text, count=1):
        """Waits until it was logged so often."""
        wait_until(lambda: self.log.read_text().count(text) >= count or self.process.poll() is not None, text)
        assert self.process.poll() is None, self.log.read_text()

    def stop(self):
        """Ends the daemon."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.log.read_text()


def client(address):
    """One that is logged in."""
    stream = Stream.connect(address)
    stream.start_tls(server_name="relay.test")
    it = Client(stream)
    it.server_key = meta_key(stream.certificates())
    return it.login(fast=True)


def on_router(folder, work):
    """Runs @work(router) on a router."""
    if shutil.which("busybox") is None or shutil.which("setpriv") is None:
        pytest.skip("there is no busybox or no setpriv")
    return apart(lambda: work(Router(folder)), network=True, mounts=True)


def test_uci_becomes_a_configuration(tmp_path):
    """Groups, names, lists, quotes; what is not said; and detourd takes it."""
    def work(router):
        made = router.shim(OPEN.replace("option hostname 'relay.test'", "option hostname 'relay.test'\n\toption events_memory '64K'\n\toption key_file \"/etc/detour/it's $HOME.key\"") +
                           "\nconfig http 'home'\n\toption page 'redirect:https://a.example/?b=$(touch /run/bad)`c`;d'\n")
        assert "[core]\nhostname = relay.test\nevents-memory = 64K\nkey-file = /etc/detour/it's $HOME.key\nworkers = 1\nstate-directory = /etc/detour/state\n\n[admission]\nchain = open\n" in made
        assert "[transport https]\nlisten = 127.0.0.1:443; [::1]:8443\n" in made and "[transport http]\nenabled = false\n" in made
        assert "page = redirect:https://a.example/?b=$(touch /run/bad)`c`;d\n" in made and not os.path.exists("/run/bad")
        assert "detour main" not in made and made.count("[log main]") == 1
        # What is not said.
        made = router.shim("config core 'core'\n\toption state_directory '/mnt/detour'\n")
        assert made.count("state-directory") == 1 and "[log main]\nplugin = syslog\n" in made
        assert "[core]\nstate-directory = /etc/detour/state\n" in router.shim("config detour 'main'\n\toption enabled '1'\n")
        assert "detour.home.page: a value cannot have more than one line" in router.shim("config http 'home'\n\toption page 'a\nb'\n", code=1)
        router.run("/usr/share/detour/uci-conf", "nothing", code=1)
    on_router(tmp_path, work)


def test_the_sample_is_good_and_starts_nothing(tmp_path):
    """Installed, it is off. Switched on it is what detourd takes, but for the list of friends, which is the owner's to make."""
    def work(router):
        assert "not enabled" in router.service("start")
        assert not TOLD.exists() and not MADE.exists()
        CONFIG.write_text(CONFIG.read_text().replace("enabled '0'", "enabled '1'", 1))
        assert "/etc/detour/friends" in router.service("check", code=1)
        pathlib.Path("/etc/detour/friends").write_text("")
        # Where the log goes is not there before the router has it.
        assert "The configuration is good." in router.service("check")
        assert not MADE.exists()
        router.service("start")
        assert router.told()["command"] == ["/usr/sbin/detourd", "--config", str(MADE)] and router.told()["respawn"][-1] == "0"
        router.service("triggers")
        assert router.told()["trigger"] == ["detour"]
    on_router(tmp_path, work)


def test_the_service_relays_and_reloads(tmp_path):
    """With a port below 1024 and without root; a change of UCI leaves clients connected, and a wrong one changes nothing."""
    def work(router):
        CONFIG.write_text(OPEN)
        pathlib.Path("/etc/detour/conf.d").mkdir(parents=True)
        pathlib.Path("/etc/detour/conf.d/own.conf").write_text("[limits]\nconnections = 3\n")
        router.start()
        assert os.stat(f"/proc/{router.process.pid}").st_uid != 0
        a, b = client(("127.0.0.1", 443)), client(("127.0.0.1", 443))
        a.send_packet(b.key, b"over the router")
        b.expect_packet(a.key, b"over the router")
        assert pathlib.Path("/etc/detour/state/server.key").stat().st_mode & 0o77 == 0
        CONFIG.write_text(OPEN.replace("8443", "9443"))
        router.service("reload")
        router.wait_log("reloaded")
        c = client(("::1", 9443))
        c.send_packet(b.key, b"by the new door")
        b.expect_packet(c.key, b"by the new door")
        assert f"# {MADE.parent}/conf.d/own.conf:2\nconnections = 3\n" in router.run("/usr/sbin/detourd", "--dump-config", "--config", MADE)
        good = MADE.read_text()
        CONFIG.write_text(OPEN.replace("option hostname", "option hostnames"))
        assert 'hostnames: no such key; did you mean "hostname"?' in router.service("reload", code=1)
        assert MADE.read_text() == good and router.process.poll() is None
        a.send_packet(b.key, b"still there")
        b.expect_packet(a.key, b"still there")
        CONFIG.write_text(OPEN.replace("enabled '1'", "enabled '0'"))
        router.service("reload")
        assert router.process.wait(60) == 0
    on_router(tmp_path, work)


def make(folder, *words):
    """Runs make on the recipe with stand-ins for OpenWrt's build system."""
    return subprocess.run(["make", "--no-print-directory", "-C", folder / "recipe", f"TOPDIR={STAND_INS}", f"INCLUDE_DIR={STAND_INS}",
                           f"PKG_INSTALL_DIR={folder / 'installed'}", f"OUT={folder / 'out'}", *words], capture_output=True, text=True, check=False)


@pytest.fixture
def recipe(tmp_path):
    """The recipe of a release, and what a build installs, laid out as OpenWrt has it."""
    shutil.copytree(RECIPE, tmp_path / "recipe")
    text = (tmp_path / "recipe" / "Makefile.in").read_text()
    (tmp_path / "recipe" / "Makefile").write_text(text.replace("@VERSION@", "0.1.0").replace("@HASH@", "0" * 64))
    listed = json.loads(subprocess.run(["meson", "introspect", "--installed", BUILD], capture_output=True, text=True, check=True).stdout)
    for built, installed in listed.items():
        place = re.sub(r"^.*?/(?=s?bin/|lib/|libexec/|share/)", "", installed.replace("/etc/", "/"), count=1)
        place = re.sub(r"^lib/[^/]*-linux-[^/]*/|^lib64/", "lib/", place)
        if pathlib.Path(built).is_file() and place.startswith(("sbin/", "bin/", "lib/detour/", "libexec/", "share/detour/")):
            target = tmp_path / "installed" / "usr" / place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(built, target)
    return tmp_path


def test_every_program_and_plugin_is_in_one_package(recipe):
    """make reads the recipe, and its rules find what a build installs: all of it once, but the journal and the list of alerts."""
    done = make(recipe, "-n", "all")
    assert done.returncode == 0 and "install" in done.stdout and "warning" not in done.stderr, done.stdout + done.stderr
    done = make(recipe, "all")
    assert done.returncode == 0, done.stdout + done.stderr
    files = {}
    for path in (recipe / "out").rglob("*"):
        if path.is_file():
            package, name = str(path.relative_to(recipe / "out")).split("/", 1)
            files.setdefault(name, []).append(package)
    assert all(len(packages) == 1 for packages in files.values()), files
    built = {str(path.relative_to(recipe / "installed")) for path in (recipe / "installed").rglob("*") if path.is_file()}
    left = {name for name in built - set(files) if not name.startswith("usr/share/detour/monitoring/")}
    assert left == {"usr/lib/detour/plugins/log-journal.so"}
    own = set(files) - built
    assert own == {"etc/init.d/detour", "etc/config/detour", "etc/capabilities/detour.json", "usr/share/detour/uci-conf"}
    assert os.access(recipe / "out" / "detour" / "etc/init.d/detour", os.X_OK)


def test_a_plugins_libraries_are_those_of_its_package(recipe):
    """What a plugin loads beside what the relay needs is in its DEPENDS."""
    said = make(recipe, "-s", "depends").stdout
    depends = dict(line.split(": ", 1) for line in said.splitlines() if ": " in line)
    libraries = {"libcurl": "libcurl"}
    for plugin in (recipe / "installed" / "usr" / "lib" / "detour" / "plugins").glob("*.so"):
        needed = re.findall(r"NEEDED.*\[(\w+)", subprocess.run(["readelf", "-d", plugin], capture_output=True, text=True, check=True).stdout)
        package = f"detour-mod-{plugin.stem}" if f"detour-mod-{plugin.stem}" in depends else "detour"
        for library in needed:
            if library in libraries:
                assert f"+{libraries[library]}" in depends[package].split(), (package, library)


def test_the_build_knows_the_packages_of_plugins(recipe):
    """A relay that misses one can say what to install."""
    packages, = (word.removeprefix("-Dpackages=").split(",") for word in make(recipe, "-s", "arguments").stdout.split() if word.startswith("-Dpackages="))
    made = dict(pair.split("=") for pair in packages)
    assert made["auth-tailscaled"] == "detour-mod-auth-tailscaled" and made["detour-fetch"] == "detourctl-fetch"
    said = make(recipe, "-s", "depends").stdout
    # gdbus-codegen runs on the host, and libcurl of OpenWrt knows sockets of Unix only when it is told to.
    assert "PKG_BUILD_DEPENDS:=glib2/host\n" in (recipe / "recipe" / "Makefile").read_text()
    assert re.search(r"^detour-mod-auth-tailscaled: .*\+@LIBCURL_UNIX_SOCKETS", said, re.M)
    assert set(made.values()) - {"detourctl-fetch"} == set(re.findall(r"^(detour-mod-[a-z-]+):", said, re.M))
