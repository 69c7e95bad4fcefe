"""Threads of a daemon that stand still while the others go on, so that a race has the outcome that a test wants.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import ctypes
import os
import pathlib

import pytest

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
LIBC.ptrace.restype = ctypes.c_long


def trace(request, thread):
    """One call of ptrace()."""
    if LIBC.ptrace(request, thread, None, None) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def threads_called(process, prefix):
    """Numbers of the threads of a process whose name begins so."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().startswith(prefix)]


@contextlib.contextmanager
def held(process, prefix):
    """Holds the threads whose name begins so. The process must be a child of this one."""
    threads = threads_called(process, prefix)
    assert threads, f"no thread is called {prefix}"
    stopped = []
    try:
        for thread in threads:
            try:
                trace(SEIZE, thread)
            except PermissionError:
                pytest.skip("this host does not let tests trace their children")
            stopped.append(thread)
            trace(INTERRUPT, thread)
            os.waitpid(thread, WALL)
        yield
    finally:
        for thread in stopped:
            trace(DETACH, thread)
