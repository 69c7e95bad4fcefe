"""What stands in an inventory as `command` and answers as no relay would: fake_relay.py FILE bridge.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import json
import os
import pathlib
import shlex
import struct
import sys

from control_attacks import ANSWER, NAME, ROOT, message, text

# Alignment and format of the types of fixed size.
FIXED = {"b": (4, "<I"), "u": (4, "<I"), "t": (8, "<Q"), "d": (8, "<d")}

SIGNATURES = {"GetAll": "a{sv}", "GetManagedObjects": "a{oa{sa{sv}}}", "DescribeConfig": "a(ssssss)", "ExplainKey": "a{sv}"}


def align(data, size):
    """Fills up to a multiple of that."""
    data.extend(bytes(-len(data) % size))


def write(data, signature, value):
    """A value behind others; variants are pairs of type and value, dictionaries are those of Python."""
    if signature in FIXED:
        size, kind = FIXED[signature]
        align(data, size)
        data.extend(struct.pack(kind, value))
    elif signature == "v":
        data.extend(bytes([len(value[0])]) + value[0].encode() + b"\0")
        write(data, *value)
    elif signature[0] == "{":
        align(data, 8)
        key = signature[1]
        write(data, key, value[0])
        write(data, signature[2:-1], value[1])
    elif signature[0] == "(":
        align(data, 8)
        for kind, member in zip(signature[1:-1], value, strict=True):
            write(data, kind, member)
    elif signature[0] == "a":
        align(data, 4)
        place = len(data)
        data.extend(bytes(4))
        align(data, 8 if signature[1] in "{(td" else 1 if signature[1] == "v" else 4)
        begin = len(data)
        for entry in value.items() if signature[1] == "{" else value:
            write(data, signature[1:], entry)
        data[place:place + 4] = struct.pack("<I", len(data) - begin)
    else:
        align(data, 4)
        data.extend(text(value))


def fake_relay(path, manager, derpmap=(), **peer):
    """The `command` of one that says this of itself, name -> (type, value), and of a peer in its mesh; @path: of a file for that;
    @derpmap: pairs of a key of [derpmap] and its value."""
    plugin = {"Plugin": ("s", "service-mesh"), "State": ("s", "running")}
    objects = {f"{ROOT}/plugins/mesh": {f"{NAME}.Plugin": plugin}, f"{ROOT}/peers/p": {f"{NAME}.Peer": peer}}
    keys = [("derpmap", key, "text", value, "", "") for key, value in derpmap]
    answers = {"GetAll": manager, "GetManagedObjects": objects, "DescribeConfig": keys, "ExplainKey": {}}
    pathlib.Path(path).write_text(json.dumps(answers))
    return shlex.join([sys.executable, "-B", __file__, str(path)])


def read_calls(read):
    """Messages that come, to the end; @read: gives some bytes, none at the end."""
    data = b""
    while True:
        while len(data) >= 16:
            body, _, fields = struct.unpack("<III", data[4:16])
            size = 16 + fields + -fields % 8 + body
            if len(data) < size:
                break
            yield data[:size]
            data = data[size:]
        more = read()
        if not more:
            return
        data += more


def main():
    """Answers what is in the file."""
    answers = json.loads(pathlib.Path(sys.argv[1]).read_text())
    for number, call in enumerate(read_calls(lambda: os.read(0, 65536)), 1):
        name = next(name for name in answers if name.encode() in call)
        signature = SIGNATURES[name]
        body = bytearray()
        write(body, signature, answers[name])
        serial, = struct.unpack("<I", call[8:12])
        os.write(1, message(ANSWER, number, [(5, "u", serial), (8, "g", signature)], bytes(body)))


if __name__ == "__main__":
    main()
