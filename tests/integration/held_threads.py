"""Threads of a daemon that stand still while the others go on, so that a race has the outcome that a test wants.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import contextlib
import functools
import os
import pathlib

import pytest

from relay import wait_until
from stepping import DETACH, INTERRUPT, SEIZE, WALL, ptrace

# Calls of the kernel that wait: poll, futex, epoll_wait, ppoll, epoll_pwait.
WAITS = {"x86_64": {7, 202, 232, 271, 281}, "aarch64": {22, 73, 98}}


def stop(thread):
    """Stops a thread that waits for something. False: it was at work, and may have held what others need; it goes on."""
    try:
        ptrace(SEIZE, thread)
    except PermissionError:
        pytest.skip("this host does not let tests trace their children")
    ptrace(INTERRUPT, thread)
    os.waitpid(thread, WALL)
    if int(pathlib.Path(f"/proc/{thread}/syscall").read_text().split()[0]) in WAITS[os.uname().machine]:
        return True
    ptrace(DETACH, thread)
    return False


def threads_called(process, prefix):
    """Numbers of the threads of a process whose name begins so."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text().startswith(prefix)]


@contextlib.contextmanager
def hold(*threads):
    """Holds threads of a process that must be a child of this one."""
    stopped = []
    try:
        for thread in threads:
            wait_until(functools.partial(stop, thread), f"thread {thread} waits")
            stopped.append(thread)
        yield
    finally:
        for thread in stopped:
            ptrace(DETACH, thread)


def held(process, prefix):
    """Holds the threads whose name begins so."""
    threads = threads_called(process, prefix)
    assert threads, f"no thread is called {prefix}"
    return hold(*threads)
