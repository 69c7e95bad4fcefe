"""Runs a part of a test in namespaces of its own: a network with nothing but loopback, file systems that nobody else sees.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import ctypes
import os
import select
import struct
import subprocess
import threading

import pytest

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000
FUSE_INIT = 26

LIBC = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    """A call of the C library must have worked."""
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def apart(work, network=False, mounts=False):
    """Runs @work() in a thread of its own with new namespaces, which programs that it starts inherit; gives what it gives."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    outcome = {}

    def run():
        try:
            check(LIBC.unshare((CLONE_NEWNET if network else 0) | (CLONE_NEWNS if mounts else 0)), "unshare")
            if mounts:
                check(LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "mount")
            if network:
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            outcome["value"] = work()
        except BaseException as error:  # pylint: disable=broad-except
            outcome["error"] = error
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["value"]


def mount_memory(path, size, read_only=False):
    """A small file system in memory at @path, in the namespace of this thread."""
    path.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700{',ro' if read_only else ''}", "tmpfs", path], check=True)


def take_requests(server, is_over):
    """What a server of FUSE does that hangs: it takes requests, and answers but the first, with which all begins."""
    poll = select.poll()
    poll.register(server, select.POLLIN)
    while not is_over.is_set():
        if not poll.poll(50):
            continue
        request = os.read(server, 1 << 17)
        _, opcode, unique = struct.unpack_from("=IIQ", request)
        if opcode == FUSE_INIT:
            major, minor, ahead = struct.unpack_from("=III", request, 40)
            answer = struct.pack("=IIIIHHI40x", major, min(minor, 31), ahead, 0, 12, 9, 4096)
            os.write(server, struct.pack("=IiQ", 16 + len(answer), 0, unique) + answer)


@contextlib.contextmanager
def mounted_in_silence(path, is_taken=False):
    """A file system at @path that answers nothing until this ends, in the namespace of this thread.

    @is_taken: its server takes requests all the same. Nothing ends who waits then; otherwise a signal does."""
    path.mkdir(parents=True, exist_ok=True)
    server = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    is_over = threading.Event()
    taker = threading.Thread(target=take_requests, args=(server, is_over))
    try:
        options = f"fd={server},rootmode=40000,user_id=0,group_id=0"
        check(LIBC.mount(b"silence", bytes(path), b"fuse", MS_NOSUID | MS_NODEV, options.encode()), "mount")
        if is_taken:
            taker.start()
        yield
    finally:
        is_over.set()
        if taker.ident is not None:
            taker.join()
        os.close(server)
