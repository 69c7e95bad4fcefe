"""TLS: versions, ALPN, the meta certificate, the choice of certificates, and their change while clients stay.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import datetime
import re
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

from certs import Certificate
from derp_client import Closed, Stream, http_request, meta_key
from relay import EVERYTHING, StartFailed, wait_until, with_keys, without_group

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("version, name", [(V12, "TLSv1.2"), (V13, "TLSv1.3")])
def test_versions(tls_door, version, name):
    stream = tls_door.stream(tls={"minimum": version, "maximum": version})
    assert stream.sock.version() == name
    client = tls_door.client(stream=stream)
    client.send_packet(client.key, bytes(65536))
    client.expect_packet(client.key, bytes(65536))


def test_tls_1_1_is_refused(tls_door):
    with pytest.raises((ssl.SSLError, Closed), match="(?i)version|alert|eof|reset|end"):
        tls_door.stream(tls={"minimum": ssl.TLSVersion.TLSv1_1, "maximum": ssl.TLSVersion.TLSv1_1,
                             "ciphers": "DEFAULT@SECLEVEL=0"})


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                    "ECDHE-ECDSA-CHACHA20-POLY1305"])
def test_tls_1_2_ciphers_carry_packets(tls_door, cipher):
    stream = tls_door.stream(tls={"maximum": V12, "ciphers": cipher})
    assert stream.sock.cipher()[0] == cipher
    client = tls_door.client(stream=stream)
    for size in (0, 1400, 65536):
        client.send_packet(client.key, b"c" * size)
        client.expect_packet(client.key, b"c" * size)


# ---- ALPN

@pytest.mark.parametrize("offer, chosen", [(None, None), (["http/1.1"], "http/1.1"), (["spdy/3", "http/1.1"], "http/1.1")])
def test_alpn(tls_door, offer, chosen):
    stream = tls_door.stream(tls={"alpn": offer})
    assert stream.sock.selected_alpn_protocol() == chosen
    assert http_request(stream, "GET", "/derp/probe").status == 200


@pytest.mark.usefixtures("detour_only")
def test_alpn_never_chooses_http_2(tls_door):
    stream = tls_door.stream(tls={"alpn": ["h2", "http/1.1"]})
    assert stream.sock.selected_alpn_protocol() == "http/1.1"
    assert http_request(stream, "GET", "/derp/probe").status == 200


def test_alpn_without_overlap_is_refused(tls_door):
    with pytest.raises((ssl.SSLError, Closed)):
        tls_door.stream(tls={"alpn": ["spdy/3"]}).read(1)


# ---- the meta certificate

@pytest.mark.parametrize("version", [V12, V13])
def test_meta_certificate_is_the_last(tls_door, version):
    stream = tls_door.stream(tls={"minimum": version, "maximum": version})
    chain = stream.certificates()
    assert len(chain) == 2
    assert meta_key(chain[:1]) is None
    key = meta_key(chain[1:])
    client = tls_door.fresh(stream=stream)
    client.server_key = None
    client.login(fast=False)
    assert client.server_key == key


def test_meta_certificate_has_the_fields_clients_read(tls_door):
    der = tls_door.stream().certificates()[-1]
    meta = x509.load_der_x509_certificate(der)
    assert meta.version == x509.Version.v3
    assert meta.serial_number == 2
    names = meta.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert len(names) == 1 and re.fullmatch("derpkey[0-9a-f]{64}", names[0].value)
    assert meta.issuer == meta.subject
    now = datetime.datetime.utcnow()
    day = datetime.timedelta(days=1)
    assert meta.not_valid_before < now - day and now + day < meta.not_valid_after
    key = meta.public_key()
    assert isinstance(key, ed25519.Ed25519PublicKey)
    key.verify(meta.signature, meta.tbs_certificate_bytes)
    assert [extension.oid.dotted_string for extension in meta.extensions] == ["2.5.29.19"]
    basic = meta.extensions[0]
    assert basic.critical and basic.value.ca is False
    assert meta.public_bytes(serialization.Encoding.DER) == der


def test_self_signed_certificate_is_what_a_pin_wants(tls_door):
    """Just the leaf and the meta certificate, the leaf valid now and for the address."""
    leaf = x509.load_der_x509_certificate(tls_door.stream().certificates()[0])
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "127.0.0.1" in [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert leaf.not_valid_before <= datetime.datetime.utcnow() < leaf.not_valid_after
    assert leaf.issuer == leaf.subject


# ---- certificates from files

FILES = without_group(EVERYTHING, "cert main")


def pair(name, config, group=None):
    """@config with a cert instance that takes its files from the relay's directory."""
    return with_keys(config, f"cert {group or name}", plugin="file",
                     chain_file=f"{{dir}}/{name}.crt", key_file=f"{{dir}}/{name}.key")


def files(**certificates):
    """Their files."""
    return {f"{name}.crt": certificate.pem for name, certificate in certificates.items()} | {
        f"{name}.key": certificate.key_pem for name, certificate in certificates.items()}


def served(relay, server_name=None, source=None, address=None):
    """The chain that a new connection is shown, without the meta certificate."""
    host, port = relay.address("tls")
    stream = Stream.connect((address or host, port))
    stream.start_tls(server_name=server_name)
    chain = stream.certificates()
    stream.close()
    assert meta_key(chain[-1:]) is not None
    return chain[:-1]


def test_certificate_from_file(make_relay):
    mine = Certificate("relay.test", "127.0.0.1")
    relay = make_relay(pair("mine", FILES), files(mine=mine))
    assert served(relay) == [mine.der]
    relay.door("tls").client().ping(b"12345678")


def test_chain_is_sent_whole_and_in_order(make_relay):
    root = Certificate("root.test", authority=True)
    middle = Certificate("middle.test", issuer=root, authority=True)
    leaf = Certificate("relay.test", issuer=middle)
    relay = make_relay(pair("leaf", FILES), files(leaf=leaf))
    assert served(relay) == [leaf.der, middle.der]


def test_rsa_certificate(make_relay):
    mine = Certificate("relay.test", kind="rsa")
    relay = make_relay(pair("mine", FILES), files(mine=mine))
    for version in (V12, V13):
        stream = relay.door("tls").stream(tls={"minimum": version, "maximum": version})
        relay.door("tls").client(stream=stream).ping(b"12345678")


def test_certificate_is_chosen_by_name(make_relay):
    a, b = Certificate("a.test", "*.wild.test"), Certificate("b.test")
    relay = make_relay(pair("b", pair("a", FILES)), files(a=a, b=b))
    assert served(relay, "a.test") == [a.der]
    assert served(relay, "b.test") == [b.der]
    assert served(relay, "B.TEST") == [b.der]
    assert served(relay, "x.wild.test") == [a.der]
    first = served(relay)
    assert first in ([a.der], [b.der])
    assert served(relay, "unknown.test") == first


def test_certificate_is_chosen_by_address(make_relay):
    a, b = Certificate("a.test", "127.0.0.2"), Certificate("b.test", "127.0.0.3")
    config = with_keys(pair("b", pair("a", FILES)), "transport https", listen=":{https}")
    relay = make_relay(config, files(a=a, b=b))
    assert served(relay, address="127.0.0.2") == [a.der]
    assert served(relay, address="127.0.0.3") == [b.der]


def test_listener_with_a_certificate_of_its_own(make_relay):
    a, b = Certificate("a.test"), Certificate("b.test")
    config = with_keys(pair("b", pair("a", FILES)), "transport https", cert="b")
    relay = make_relay(config, files(a=a, b=b))
    assert served(relay) == [b.der]
    assert served(relay, "a.test") == [b.der]


def test_directory_as_derper_lays_it_out(make_relay):
    mine = Certificate("relay.test")
    config = with_keys(FILES, "cert main", plugin="file", directory="{dir}/certs")
    relay = make_relay(config, {"certs/relay.test.crt": mine.pem, "certs/relay.test.key": mine.key_pem})
    assert served(relay, "relay.test") == [mine.der]


def wait_served(relay, certificate):
    """Until new connections are shown that certificate."""
    wait_until(lambda: served(relay) == [certificate.der], "the new certificate")


def test_changed_files_are_taken_up_and_clients_stay(make_relay):
    old, new = Certificate("relay.test"), Certificate("relay.test")
    relay = make_relay(pair("mine", FILES), files(mine=old))
    client = relay.door("tls").client()
    relay.write_file("mine.key", new.key_pem)
    relay.write_file("mine.crt", new.pem)
    wait_served(relay, new)
    client.ping(b"12345678")


def test_files_replaced_by_renaming_are_taken_up(make_relay):
    old, new = Certificate("relay.test"), Certificate("relay.test")
    relay = make_relay(pair("mine", FILES), files(mine=old))
    for name, content in (("mine.key", new.key_pem), ("mine.crt", new.pem)):
        relay.write_file(name + ".new", content).rename(relay.directory / name)
    wait_served(relay, new)


def test_links_that_move_are_taken_up_on_hangup(make_relay):
    old, new = Certificate("relay.test"), Certificate("relay.test")
    relay = make_relay(pair("mine", FILES), {"one/mine.crt": old.pem, "one/mine.key": old.key_pem,
                                             "two/mine.crt": new.pem, "two/mine.key": new.key_pem}, start=False)
    link = relay.directory / "live"
    link.symlink_to("one")
    for name in ("mine.crt", "mine.key"):
        (relay.directory / name).symlink_to(f"live/{name}")
    relay.start()
    assert served(relay) == [old.der]
    link.unlink()
    link.symlink_to("two")
    relay.reload()
    wait_served(relay, new)


@pytest.mark.parametrize("damage", ["not a certificate", "key of another", "no key", "empty"])
def test_the_old_pair_stays_when_the_new_one_is_wrong(make_relay, damage):
    old, new, other = Certificate("relay.test"), Certificate("relay.test"), Certificate("relay.test")
    relay = make_relay(pair("mine", FILES), files(mine=old))
    since = len(relay.log)
    if damage == "not a certificate":
        relay.write_file("mine.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    elif damage == "key of another":
        relay.write_file("mine.key", other.key_pem)
    elif damage == "no key":
        (relay.directory / "mine.key").unlink()
    else:
        relay.write_file("mine.crt", "")
    relay.wait_log(r"mine\.(crt|key)", since)
    assert served(relay) == [old.der]
    relay.write_file("mine.key", new.key_pem)
    relay.write_file("mine.crt", new.pem)
    wait_served(relay, new)


@pytest.mark.parametrize("fault", ["no file", "key of another", "not a key"])
def test_a_bad_pair_at_the_start_is_one_clear_line(make_relay, fault):
    mine, other = Certificate("relay.test"), Certificate("relay.test")
    content = files(mine=mine)
    if fault == "no file":
        del content["mine.crt"]
    elif fault == "key of another":
        content["mine.key"] = other.key_pem
    else:
        content["mine.key"] = "nothing"
    with pytest.raises(StartFailed) as failed:
        make_relay(pair("mine", FILES), content)
    assert failed.value.code in (1, 78)
    assert re.search(r"\[cert mine\].*mine\.(crt|key)|mine\.(crt|key)", failed.value.log)


# ---- bytes that are no TLS

@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(100), b"\x16\x03\x01\x00\x05\x01\xff\xff\xff\xff",
    b"\x17\x03\x03\x00\x01x", b"\x80\x2e\x01\x03\x01", bytes(200), b"\x15\x03\x01\x00\x02\x02\x28",
], ids=["http", "huge record", "huge hello", "data first", "SSL 2", "zeros", "alert"])
def test_other_bytes_end_the_handshake(server, data):
    stream = Stream.connect(server.address("tls"))
    stream.write(data)
    stream.finish_writing()
    stream.expect_closed()


def test_end_of_stream_in_every_part_of_the_handshake(server):
    """A real ClientHello, cut off everywhere."""
    hello = client_hello()
    for size in list(range(0, 60)) + list(range(60, len(hello), 37)):
        stream = Stream.connect(server.address("tls"))
        stream.write(hello[:size])
        stream.abort()
    server.door("tls").client().ping(b"12345678")


def client_hello():
    """Bytes of a ClientHello."""
    return begin_handshake()[2]


def begin_handshake(name="relay.test"):
    """A TLS client in memory that has made its ClientHello: the client, what it reads, and the hello."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return tls, incoming, outgoing.read(), outgoing


def cut(record, size):
    """The content of one TLS record in records of @size bytes."""
    head, content = record[:3], record[5:]
    return b"".join(head + len(content[at:at + size]).to_bytes(2, "big") + content[at:at + size]
                    for at in range(0, len(content), size))


@pytest.mark.parametrize("size, name", [(1, "relay.test"), (7, "relay.test"), (1, ".".join(["a" * 60] * 4))],
                         ids=["one byte each", "seven bytes each", "a long name"])
def test_client_hello_in_hundreds_of_records(tls_door, size, name):
    tls, incoming, hello, outgoing = begin_handshake(name)
    assert len(hello) > 500 and int.from_bytes(hello[3:5], "big") == len(hello) - 5
    stream = Stream.connect(tls_door.address)
    stream.write(cut(hello, size))
    done = False
    while not done:
        incoming.write(stream.sock.recv(65536))
        try:
            tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            pass
        stream.write(outgoing.read())
    tls.write(b"GET /derp/probe HTTP/1.1\r\nHost: relay.test\r\n\r\n")
    stream.write(outgoing.read())
    answer = b""
    while b"\r\n\r\n" not in answer:
        incoming.write(stream.sock.recv(65536))
        try:
            answer += tls.read(65536)
        except ssl.SSLWantReadError:
            pass
    assert answer.startswith(b"HTTP/1.1 200 ")
    stream.close()


@pytest.mark.usefixtures("detour_only")
@pytest.mark.parametrize("size", [1, 1000, 16384])
def test_client_hello_without_end(tls_door, size):
    """An unfinished ClientHello is kept up to 16 KiB; derper's limit is another."""
    message = b"\x01\x02\x00\x00" + bytes(16380)
    stream = Stream.connect(tls_door.address)
    stream.write(cut(b"\x16\x03\x01\0\0" + message, size))
    stream.write(b"\x16\x03\x01\0\1x")
    assert stream.sock.recv(7) == b"\x15\x03\x03\0\2\2\x0a"  # a fatal alert: unexpected_message
    stream.close()
