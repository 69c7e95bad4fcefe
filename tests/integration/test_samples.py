"""The sample configurations: each runs as it is written, but for ports, paths and addresses of this host.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import os
import pathlib
import re
import socket
import subprocess

import nacl.public
import pytest

from adapted import AdaptedRelay, adapted
from certs import Certificate
from derp_client import PATIENCE, Stream, http_request
from relay import DETOURD, Relay, daemon_environment, run_detourd, wait_until
from test_stun import expected_v4, request

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "data" / "examples"
SAMPLES = sorted(path.relative_to(EXAMPLES) for path in EXAMPLES.glob("*.conf"))
FRIEND = nacl.public.PrivateKey.generate()
FRIEND_LINE = f"nodekey:{bytes(FRIEND.public_key).hex()} a friend\n"

# The files that samples name, with what an operator would have put there.
CERTIFICATE = Certificate("relay.example.com")
FILES = {
    "etc/detour/friends.keys": FRIEND_LINE,
    "etc/detour/friends/home.keys": FRIEND_LINE,
    "etc/detour/private/headscale.key": "hskey-api-abcdefghijkl-secret\n",
    "etc/detour/headscale-ca.pem": CERTIFICATE.pem,
    "etc/detour/private/fullchain.pem": CERTIFICATE.pem,
    "etc/detour/private/privkey.pem": CERTIFICATE.key_pem,
    "etc/detour/certs/relay.example.com.crt": CERTIFICATE.pem,
    "etc/detour/certs/relay.example.com.key": CERTIFICATE.key_pem,
}


@pytest.fixture
def run_sample(tmp_path):
    """Starts a sample's relay; it is stopped, and looked at, when the test ends."""
    with contextlib.ExitStack() as relays:
        yield lambda sample: relays.enter_context(AdaptedRelay(tmp_path, (EXAMPLES / sample).read_text(), FILES)).start()


def test_there_are_samples():
    assert {"vps.conf", "address.conf", "container.conf"} <= {str(sample) for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_sample_runs_and_answers(run_sample, sample):
    relay = run_sample(sample)
    assert http_request(relay.door("tls").stream(), "GET", "/derp/probe", host=relay.name).status == 200
    plain = http_request(Stream.connect(relay.address("http")), "GET", "/generate_204", host=relay.name)
    assert plain.status == 204
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(relay.address("stun"))
        transaction = os.urandom(12)
        sock.send(request(transaction))
        assert sock.recv(2048) == expected_v4(transaction, sock)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_sample_admits_whom_it_names(run_sample, sample):
    """Friends relay; a stranger is held and hears nothing."""
    relay = run_sample(sample)
    stranger = relay.door("tls").fresh().upgrade()
    stranger.stream.write(stranger.client_info())
    if "plugin = keys" in relay.config:
        relay.door("tls").client(FRIEND).ping(b"12345678")
    stranger.stream.expect_open_and_silent(0.2)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_what_a_sample_offers_in_comments_is_right(tmp_path, sample):
    """Keys that are commented out can be switched on."""
    text = re.sub(r"^# (?=[\w-]+ = )", "", (EXAMPLES / sample).read_text(), flags=re.M)
    with Relay(tmp_path, adapted(text), FILES) as relay:
        relay.write_config()
        run_detourd("--config", relay.config_file, "--check-config")


def test_sockets_of_the_service_manager(tmp_path):
    """The sample with passed sockets binds nothing itself; connections made before it ran are served."""
    relay = AdaptedRelay(tmp_path, (EXAMPLES / "sockets/detour.conf").read_text(), FILES)
    relay.write_config()
    listeners = {}
    for name in re.findall(r"^socket *= *(\w+)$", relay.config, re.M):
        unit = (EXAMPLES / "sockets" / f"detour-{name}.socket").read_text()
        assert f"FileDescriptorName={name}\n" in unit and "Service=detour.service\n" in unit
        listeners[name] = socket.create_server(("127.0.0.1", 0))
        relay.ports[name] = listeners[name].getsockname()[1]
    assert set(listeners) == {"https", "http"}
    early = Stream.connect(relay.address("http"))

    # Descriptors go to 3 and up, and LISTEN_PID is the pid of the daemon itself: a shell becomes it.
    fds = [sock.fileno() for sock in listeners.values()]
    moves = " ".join(f"{100 + n}<&{fd} {fd}<&-" for n, fd in enumerate(fds))
    places = " ".join(f"{3 + n}<&{100 + n} {100 + n}<&-" for n in range(len(fds)))
    script = f'exec {moves}; exec {places}; LISTEN_PID=$$ exec "$@"'
    with open(relay.log_file, "wb") as log:
        relay.process = subprocess.Popen(
            ["bash", "-c", script, "bash", DETOURD, "--config", relay.config_file],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, pass_fds=fds,
            env=daemon_environment() | {"LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(listeners)})
    try:
        wait_until(lambda: "ready:" in relay.log or relay.process.poll() is not None, "the ready line")
        assert http_request(early, "GET", "/generate_204", host=relay.name).status == 204
        assert http_request(relay.door("tls").stream(), "GET", "/derp/probe", host=relay.name).status == 200
    finally:
        relay.stop()
        relay.remove()
        for sock in listeners.values():
            sock.close()
