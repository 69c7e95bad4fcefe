"""The relay of the packages on a machine, and clients of it.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import pathlib
import re
import shutil
import subprocess

UNIT = "detour.service"
CONFIG = "/etc/detour/detour.conf"
TALKERS = ("/usr/bin/python3", pathlib.Path(__file__).with_name("talkers.py"))
DROPINS = "/etc/systemd/system/detour.service.d"


def install(machine, *names):
    """Installs packages that lie on the machine."""
    return machine.shell(f"DEBIAN_FRONTEND=noninteractive dpkg -i --force-confold {' '.join(f'/packages/{name}_*.deb' for name in names)} 2>&1")


def set_up(machine):
    """Writes a first configuration, of a relay for everyone with a certificate of its own."""
    machine.run("detourctl", "setup", "relay.example.com", "--yes", "--force", "--admission=open", "--certificate=selfsigned", check=False)


def said(machine):
    """What the process that was started last has said."""
    invocation = machine.unit(UNIT, "InvocationID")
    return machine.run("journalctl", "-o", "cat", f"_SYSTEMD_INVOCATION_ID={invocation}").stdout


def host_pid(machine, wanted):
    """The number that a process of the machine has outside of it: the first one for which wanted(number inside, state, arguments) holds; or None."""
    place = pathlib.Path(f"/proc/{machine.leader}/ns/pid").readlink()
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (folder / "status").read_text()
            if (folder / "ns/pid").readlink() != place:
                continue
            number, state = re.search(r"^NSpid:.*\s(\d+)$", status, re.M)[1], re.search(r"^State:\s(\S)", status, re.M)[1]
            if wanted(number, state, (folder / "cmdline").read_text().split("\0")):
                return int(folder.name)
    return None


def server_key(machine):
    """The relay's public key, by which clients and other servers know it."""
    return machine.run("busctl", "get-property", "io.github.detourd.Detour1", "/io/github/detourd/Detour1", "io.github.detourd.Detour1.Manager", "ServerKey").stdout


@contextlib.contextmanager
def talkers(machine, program=TALKERS):
    """Two clients that talk all the time; gives a function that ends them and says how many packets went each way."""
    process = subprocess.Popen(["nsenter", "-t", str(machine.leader), "-n", *program],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end():
        out, errors = process.communicate(timeout=90)
        assert process.returncode == 0, errors
        return int(out)

    try:
        first = process.stdout.readline()
        assert first == "logged in\n", process.stderr.read()
        yield end
    finally:
        process.kill()
        process.wait()


def repack(package, folder, version, change):
    """Makes a package with another version of one that there is; change(tree) changes what is in it."""
    tree = pathlib.Path(folder) / "tree"
    new = pathlib.Path(folder) / f"{package.name.split('_')[0]}_{version}_{package.stem.split('_')[-1]}.deb"
    subprocess.run(["dpkg-deb", "--raw-extract", package, tree], check=True)
    control = tree / "DEBIAN" / "control"
    old = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
    control.write_text(control.read_text().replace(f"Version: {old}\n", f"Version: {version}\n").replace(f"(= {old})", f"(= {version})"))
    change(tree)
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", "-Zgzip", "-z1", tree, new], check=True, capture_output=True)
    shutil.rmtree(tree)
    return new
