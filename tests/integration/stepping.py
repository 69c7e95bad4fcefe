"""Follows a program that takes over, call by call of the kernel, to end or stop it wherever a test likes.
SPDX-License-Identifier: LGPL-2.1-or-later
"""

import ctypes
import os
import signal

SEIZE, INTERRUPT, CONT, SYSCALL, DETACH = 0x4206, 0x4207, 7, 24, 17
OPTIONS = 0x1 | 0x10 | 0x100000  # stops at calls are told from signals; an exec is told; it ends with the test
EXEC = signal.SIGTRAP | (4 << 8)
AT_CALL = signal.SIGTRAP | 0x80
WALL = 0x40000000
EVENT_STOP = 128


def ptrace(request, pid, data=0):
    """ptrace(2)"""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Steps:
    """The main thread of a process, from its next exec on. All on one thread of the test."""

    def __init__(self, pid):
        self.pid = pid
        ptrace(SEIZE, pid, OPTIONS)

    def wait(self):
        """Until it stops, and gives why."""
        _, status = os.waitpid(self.pid, WALL)
        assert os.WIFSTOPPED(status), f"ended: {status}"
        return status >> 8

    def go_on(self, request, why):
        """A signal that it was about to get comes through."""
        ptrace(request, self.pid, why if why < 0x80 and why != signal.SIGTRAP else 0)

    def until_exec(self):
        """Stands at the first instruction of the other program then."""
        while (why := self.wait()) != EXEC:
            self.go_on(CONT, why)

    def calls(self, most, enough=lambda: False):
        """Lets it make so many calls, or fewer; gives how many."""
        why, n = EXEC, 0
        while n < most and not enough():
            self.go_on(SYSCALL, why)
            why = self.wait()
            n += why == AT_CALL
        return n

    def let_go(self, number=0):
        """It goes on by itself, with that signal first."""
        if number:
            os.kill(self.pid, number)
        ptrace(DETACH, self.pid)

    def stop(self):
        """Stands wherever it is, which may be in the middle of a call."""
        ptrace(INTERRUPT, self.pid)
        while (why := self.wait()) >> 8 != EVENT_STOP:
            self.go_on(CONT, why)
