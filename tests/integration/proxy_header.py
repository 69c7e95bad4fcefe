"""PROXY headers as a proxy sends them, written from the protocol's description alone.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
LOCAL, PROXY = 0, 1


def v1(source, port, destination="198.51.100.2", destination_port=443):
    """A line of version 1."""
    family = ipaddress.ip_address(source).version
    return f"PROXY TCP{family} {source} {destination} {port} {destination_port}\r\n".encode()


def v2(source=None, port=0, destination="198.51.100.2", destination_port=443, command=PROXY, tlvs=b"", family=None):
    """A header of version 2; without a source of an unknown family."""
    block = b""
    if source is not None:
        source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
        family = {4: 0x11, 6: 0x21}[source.version] if family is None else family
        block = source.packed + destination.packed + struct.pack(">HH", port, destination_port)
    payload = block + tlvs
    return SIGNATURE + bytes([0x20 | command, family or 0]) + struct.pack(">H", len(payload)) + payload


def crc32c(data):
    """CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def v2_with_crc(source, port, tlvs=b"", wrong=0, **options):
    """The same with a checksum behind the other fields."""
    header = v2(source, port, tlvs=tlvs + b"\x03\x00\x04" + bytes(4), **options)
    return header[:-4] + struct.pack(">I", crc32c(header) ^ wrong)
