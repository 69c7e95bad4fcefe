"""The image: built from the tree, started as an operator would, used by clients, stopped. Each test of the relay goes on where the one before ended.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import time

import pytest
import yaml

from conftest import PATIENCE, Container, Node, call

TOP = pathlib.Path(__file__).resolve().parents[2]
FILES = TOP / "data" / "packaging" / "container"
TALKERS = TOP / "tests" / "packages" / "talkers.py"
LEAVERS = TOP / "tests" / "container" / "leavers.py"
STRANGER = LEAVERS.with_name("stranger.py")
SIZE_MAX = 40 * 1000 * 1000

# The user of the image, the right to bind low ports, and a root that is read-only.
CONFINED = {"65532"}, {"65532"}, 1 << 10, True
OPEN = {"DETOUR_CORE_HOSTNAME": "relay.example.com", "DETOUR_CERT_MAIN__PLUGIN": "selfsigned", "DETOUR_ADMISSION_CHAIN": "open"}


@contextlib.contextmanager
def talkers(relay):
    """Two clients that talk all the time in the network of a container; gives a function that ends them and says how many packets went each way."""
    process = subprocess.Popen(["nsenter", "-t", str(relay.pid), "-n", sys.executable, TALKERS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end():
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return int(said)

    try:
        assert process.stdout.readline() == "logged in\n"
        yield end
    finally:
        process.kill()
        process.wait()


def test_the_image_is_small_and_has_nothing_but_the_relay(engine):
    """All of its files together, not packed, are below 40 MB."""
    image = engine.inspect("image", engine.image)
    assert image["Size"] < SIZE_MAX
    assert image["Config"]["User"] == "65532:65532"
    names = engine.files()
    assert {"usr/sbin/detourd", "usr/bin/detourctl", "etc/ssl/certs/ca-certificates.crt", "usr/share/detour/detour.conf"} <= names
    programs = {name for name in names if "/bin/" in name or "/sbin/" in name}
    assert programs == {"usr/sbin/detourd", "usr/bin/detourctl"}
    assert not [name for name in names if name.endswith((".h", ".a", ".service", ".gz")) or "/man/" in name or "libasan" in name]


@pytest.fixture(name="relay", scope="module")
def fixture_relay(engine):
    """A relay whose root is read-only and whose user is not root, with nothing but variables."""
    with engine.run("relay", *engine.confined(), environment=OPEN) as relay:
        relay.wait_log("ready:")
        yield relay


def test_it_runs_as_nobody_on_a_root_that_is_read_only(relay):
    assert relay.confinement() == CONFINED


def test_a_client_relays_through_it(relay):
    with talkers(relay) as end:
        assert "2 connected" in relay.ctl("status").stdout
        assert end() >= 0


def test_it_is_healthy(engine, relay):
    engine("healthcheck", "run", relay.name)


def test_the_status_says_where_values_come_from(relay):
    assert "environment:DETOUR_CORE_HOSTNAME" in relay.ctl("config", "explain", "core.hostname").stdout
    assert relay.ctl("config", "check").stdout == "The configuration is good.\n"


def test_sigterm_ends_it_cleanly(engine, relay):
    engine("kill", "--signal", "TERM", relay.name)
    assert engine("wait", relay.name).stdout.strip() == "0"


def test_another_container_takes_over(engine):
    """With the same volume and network, and processes that do not see each other: every packet comes, over the same connections; and once more."""
    options = [*engine.confined(), "--volume", "both:/var/lib/detour"]
    how = {"environment": OPEN, "arguments": ["--take-over=/var/lib/detour/next"]}
    with contextlib.ExitStack() as containers:
        old = containers.enter_context(engine.run("blue", *options, **how))
        old.wait_log("ready:")
        end = containers.enter_context(talkers(old))
        for name in ("green", "red"):
            # Of one that runs, as podman starts one that has ended for its network.
            network = options[:-3] + [f"container:{old.name}"] + options[-2:]
            new = containers.enter_context(engine.run(name, *network, **how))
            new.wait_log("waiting at /var/lib/detour/next")
            assert "2 clients would be kept" in old.ctl("upgrade", "--to", "/var/lib/detour/next", "--check").stdout
            assert "2 clients kept" in old.ctl("upgrade", "--to", "/var/lib/detour/next").stdout
            assert engine("wait", old.name).stdout.strip() == "0"
            new.wait_log("2 clients kept, 0 asked to reconnect")
            new.wait_log("ready:")
            assert "2 connected" in new.ctl("status").stdout and "service/stun" in new.ctl("plugins").stdout
            old = new
        assert end() > 0


def test_a_mounted_file_is_enough(engine, tmp_path):
    (tmp_path / "detour.conf").write_text("[core]\nhostname = file.example.com\n[cert main]\nplugin = selfsigned\n[admission]\nchain = open\n")
    tmp_path.chmod(0o755)
    with engine.run("with-file", *engine.confined(), "--volume", f"{tmp_path}:/etc/detour:ro") as relay:
        relay.wait_log("ready:")
        assert "file.example.com" in relay.ctl("status").stdout
        engine("kill", "--signal", "USR1", relay.name)
        assert engine("wait", relay.name).stdout.strip() == "0"


def test_names_are_shown_as_they_are_written(engine, tmp_path):
    """And what detourctl says can be had in another language."""
    (tmp_path / "friends.keys").write_text(f"nodekey:{'ab' * 32} Jürgens Gerät\n")
    tmp_path.chmod(0o755)
    variables = OPEN | {"DETOUR_ADMISSION_CHAIN": "friends", "DETOUR_AUTH_FRIENDS__PLUGIN": "keys", "DETOUR_AUTH_FRIENDS__FILE": "/etc/detour/friends.keys"}
    with engine.run("names", *engine.confined(), "--volume", f"{tmp_path}:/etc/detour:ro", environment=variables) as relay:
        relay.wait_log("ready:")
        assert "Jürgens Gerät" in relay.ctl("keys", "list").stdout
        assert "verbunden" in engine("exec", "--env", "LANGUAGE=de", relay.name, "/usr/bin/detourctl").stdout


def test_a_variable_that_means_nothing_ends_it(engine):
    done = engine.once(environment=OPEN | {"DETOUR_ADMISION_CHAIN": "open"}, code=78)
    assert "did you mean DETOUR_ADMISSION_CHAIN?" in done.stderr


def environments():
    """What the samples give the relay: name of the file → variables."""
    found = {}
    for name, service in (("compose.yaml", "detour"), ("compose-tailscaled.yaml", "detour"), ("compose-handover.yaml", "green")):
        services = yaml.safe_load((FILES / name).read_text())["services"]
        found[name] = {key: "relay.example.com" if value.startswith("${RELAY") else value
                       for key, value in services[service]["environment"].items()}
    for document in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text()):
        if document["kind"] == "Deployment":
            found["kubernetes.yaml"] = {entry["name"]: entry["value"]
                                        for entry in document["spec"]["template"]["spec"]["containers"][0]["env"]}
    return found


@pytest.mark.parametrize("name", ["compose.yaml", "compose-handover.yaml", "compose-tailscaled.yaml", "kubernetes.yaml"])
def test_the_samples_give_it_what_it_understands(engine, tmp_path, name):
    (tmp_path / "friends.keys").write_text("")
    tmp_path.chmod(0o755)
    variables = environments()[name]
    if name == "kubernetes.yaml":
        variables |= {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "DETOUR_SERVICE_HOST": "10.0.0.2", "DETOUR_PORT_443_TCP": "tcp://10.0.0.2:443"}
    engine.once("--check-config", options=["--volume", f"{tmp_path}:/etc/detour:ro"], environment=variables)


def test_compose_starts_it(engine, compose):
    """As the sample's first lines say, on the host's network; it is confined as the sample says, and ends when it has drained."""
    shutil.copy(FILES / "compose.yaml", compose.folder)
    (compose.folder / "detour" / "friends.keys").write_text(f"nodekey:{'ab' * 32} friend\n")
    compose("up", "-d")
    relay = compose.container("detour")
    relay.wait_log("ready:")
    assert "transport/https ([::]:443), transport/http ([::]:80), service/stun (listening on [::]:3478)" in relay.log()
    assert relay.confinement() == CONFINED
    assert compose("exec", "detour", "detourctl", "status").stdout.startswith("relay.example.com ")
    compose("stop", "detour")
    state = engine.inspect("container", relay.name)["State"]
    assert state["ExitCode"] == 0 and "draining" in relay.log()


def test_compose_hands_over(engine, compose):
    """The sample with two services that take turns: clients of the first are those of the second."""
    shutil.copy(FILES / "compose-handover.yaml", compose.folder / "compose.yaml")
    (compose.folder / "detour" / "friends.keys").write_text("")
    # For everyone, and with a certificate that needs no internet.
    (compose.folder / "open.yaml").write_text(yaml.safe_dump({"services": {name: {"environment": {
        "DETOUR_ADMISSION_CHAIN": "open", "DETOUR_CERT_MAIN__PLUGIN": "selfsigned"}} for name in ("blue", "green")}}))
    files = ["-f", "compose.yaml", "-f", "open.yaml"]
    compose(*files, "up", "-d", "blue")
    blue = compose.container("blue")
    blue.wait_log("ready:")
    with talkers(blue) as end:
        compose(*files, "up", "-d", "green")
        green = compose.container("green")
        green.wait_log("waiting at /var/lib/detour/next")
        assert "2 clients kept" in compose("exec", "blue", "detourctl", "upgrade", "--to", "/var/lib/detour/next").stdout
        assert engine("wait", blue.name).stdout.strip() == "0"
        green.wait_log("ready:")
        assert end() > 0


@contextlib.contextmanager
def control_server(host, programs, address, derp_map):
    """Tailscale's, for tests, on a network."""
    process = subprocess.Popen([*host.enter, programs / "control", address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        process.stdin.write(json.dumps(derp_map))
        process.stdin.flush()
        assert process.stdout.readline() == "listening\n"
        yield
    finally:
        process.kill()
        process.communicate()


def turned_away(host, address):
    """The key of a stranger that the relay did not let in."""
    return call(*host.enter, sys.executable, STRANGER, address).stdout.strip()


def wait_for(relay, condition):
    """Waits until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, relay.log()
        time.sleep(0.2)


def test_compose_asks_tailscaled(engine, host, compose, tailscale, tmp_path):
    """The sample with a tailscaled: nodes of its tailnet are let in, strangers are not, and so it is when it was started anew."""
    address, key = "10.77.0.1", "tskey-auth-once"
    # tailscaled waits for a network where there is only loopback.
    call(*host.enter, "ip", "link", "add", "one", "type", "veth", "peer", "name", "two")
    call(*host.enter, "ip", "address", "add", f"{address}/24", "dev", "one")
    for name in ("one", "two"):
        call(*host.enter, "ip", "link", "set", name, "up")
    login = f"--login-server=http://{address}:8080"
    shutil.copy(FILES / "compose-tailscaled.yaml", compose.folder / "compose.yaml")
    # A certificate that needs no internet, a control server that is here, strangers that need not wait, and a drain that is soon over.
    (compose.folder / "here.yaml").write_text(yaml.safe_dump({"services": {
        "detour": {"environment": {"DETOUR_CERT_MAIN__PLUGIN": "selfsigned", "DETOUR_ADMISSION_REFUSE_HOLD": "0s", "DETOUR_LIMITS_DRAIN_TIME": "1s"}},
        "tailscaled": {"environment": {"TS_EXTRA_ARGS": login}}}}))
    files = ["-f", "compose.yaml", "-f", "here.yaml"]
    compose(*files, "up", "-d", TS_AUTHKEY=key)
    relay, guard = compose.container("detour"), compose.container("tailscaled")
    relay.wait_log("ready:")
    assert relay.confinement() == CONFINED
    derp_map = json.loads(relay.ctl("derpmap", "--format=json", f"--ipv4={address}").stdout) | {"OmitDefaultRegions": True}

    def unknown():
        """A stranger is turned away since tailscaled does not know it, and for no other reason."""
        return "does not know it" in relay.ctl("why", turned_away(host, address)).stdout

    with contextlib.ExitStack() as stack:
        stack.enter_context(control_server(host, tailscale, f"{address}:8080", derp_map))
        guard.wait_log("Startup complete")
        folder = tmp_path / "member"
        folder.mkdir()
        member = Node(host, tailscale, folder)
        stack.callback(member.end)
        member("up", login, f"--authkey={key}", "--hostname=member", "--accept-dns=false", "--timeout=60s")
        node = json.loads(member("status", "--json"))["Self"]["PublicKey"]
        wait_for(relay, lambda: node in relay.ctl("clients", "--json").stdout)
        assert unknown()
        # Another container goes on with what the volume has. It does not need the key again, since most keys are good for one login only.
        engine("rm", "--force", "--time", "10", guard.name)
        compose(*files, "up", "-d", "tailscaled", TS_AUTHKEY=key)
        guard = compose.container("tailscaled")
        guard.wait_log("Startup complete")
        assert "Running 'tailscale up'" not in guard.log()
        wait_for(relay, unknown)
        # A login that has to be asked about.
        relay.ctl("kick", node)
        wait_for(relay, lambda: node in relay.ctl("clients", "--json").stdout)
        assert unknown()
    compose(*files, "stop", "detour")
    assert engine.inspect("container", relay.name)["State"]["ExitCode"] == 0


def answer(host, probe):
    """The status with which a probe of the manifest is answered."""
    where = probe["httpGet"]
    return call(*host.enter, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"http://{where['host']}:{where['port']}{where['path']}").stdout


def test_the_manifest_starts_it(engine, host):
    """podman reads manifests of Kubernetes: the user, the files, the capability, the ports, the probes and the drain are as they are said to be."""
    file = FILES / "kubernetes.yaml"
    deployment = next(document for document in yaml.safe_load_all(file.read_text()) if document["kind"] == "Deployment")
    container, = deployment["spec"]["template"]["spec"]["containers"]
    engine("tag", engine.image, container["image"])
    engine("play", "kube", file, host=host)
    try:
        relay = Container(engine, "detour-pod-0-detour")
        relay.wait_log("ready:")
        assert "transport/https ([::]:443), transport/http ([::]:80), service/stun (listening on [::]:3478)" in relay.log()
        assert "there is no key in /etc/detour/friends.keys" in relay.log()
        assert relay.confinement() == CONFINED
        assert relay.ctl("status").stdout.startswith("relay.example.com ")
        # Without a certificate, which it cannot fetch here, it lives and is not ready.
        assert (answer(host, container["livenessProbe"]), answer(host, container["readinessProbe"])) == ("200", "503")
        engine("exec", relay.name, *container["lifecycle"]["preStop"]["exec"]["command"])
        assert "draining" in relay.log()
    finally:
        engine("play", "kube", "--down", file, host=host)
        engine("volume", "rm", "--force", "detour-state", "detour-keys")


def test_the_end_of_a_pod_sends_its_clients_away_first(engine, host, tmp_path):
    """What a kubelet does at its end: the command of preStop until that has ended, while the probes go on, and then SIGTERM."""
    documents = list(yaml.safe_load_all((FILES / "kubernetes.yaml").read_text()))
    container, = next(document for document in documents if document["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"]
    # For everyone, with a certificate that needs no internet, and sooner.
    changes = {"DETOUR_ADMISSION_CHAIN": "open", "DETOUR_CERT_MAIN__PLUGIN": "selfsigned"}
    for variable in container["env"]:
        variable["value"] = changes.get(variable["name"], variable["value"])
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command[-1] == "5m"
    command[-1] = "3s"
    file = tmp_path / "kubernetes.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    engine("tag", engine.image, container["image"])
    engine("play", "kube", file, host=host)
    try:
        relay = Container(engine, "detour-pod-0-detour")
        relay.wait_log("ready:")
        assert (answer(host, container["livenessProbe"]), answer(host, container["readinessProbe"])) == ("200", "200")
        with subprocess.Popen([*host.enter, sys.executable, LEAVERS, "5"], stdout=subprocess.PIPE, text=True) as clients:
            assert clients.stdout.readline() == "logged in\n"
            with concurrent.futures.ThreadPoolExecutor() as pool:
                drain = pool.submit(engine, "exec", relay.name, *command)
                assert clients.stdout.readline() == "closed\n"
                # Alive, so that it is not killed, and not ready, so that nobody is sent to it.
                assert (answer(host, container["livenessProbe"]), answer(host, container["readinessProbe"])) == ("200", "503")
                drain.result(PATIENCE)
            assert clients.stdout.read() == "closed\n" * 4 and clients.wait(PATIENCE) == 0
        assert "0 connected" in relay.ctl("status").stdout
        engine("stop", "--time", "60", relay.name)
        assert engine.inspect("container", relay.name)["State"]["ExitCode"] == 0
    finally:
        engine("play", "kube", "--down", file, host=host)
        engine("volume", "rm", "--force", "detour-state", "detour-keys")


def test_a_volume_of_kubernetes_serves_again_and_again(engine, tmp_path):
    """A folder of root's that the group may write, which its kubelet leaves alone as long as it stays so."""
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, 0, 65532)
    state.chmod(0o2775)
    tmp_path.chmod(0o755)
    for name in ("first", "second"):
        with engine.run(name, *engine.confined(), "--volume", f"{state}:/var/lib/detour", environment=OPEN) as relay:
            relay.wait_log("ready:")
            engine("stop", "--time", "60", relay.name)
        assert stat.S_IMODE(state.stat().st_mode) == 0o2775 and state.stat().st_gid == 65532
    pod = next(document for document in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text()) if document["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["fsGroup"] == 65532 and pod["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_the_manifest_drains_before_it_ends():
    deployment = next(document for document in yaml.safe_load_all((FILES / "kubernetes.yaml").read_text()) if document["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    container, = pod["containers"]
    assert deployment["spec"]["replicas"] == 1 and deployment["spec"]["strategy"]["type"] == "Recreate"
    command = container["lifecycle"]["preStop"]["exec"]["command"]
    assert command[:2] == ["/usr/bin/detourctl", "drain"] and 60 * int(command[-1].removesuffix("m")) < pod["terminationGracePeriodSeconds"]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
