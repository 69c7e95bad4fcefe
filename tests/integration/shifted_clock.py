"""A clock that a test moves while a daemon runs, wall clock and monotonic clock each by itself.
SPDX-License-Identifier: LGPL-2.1-or-later

    clock = ShiftedClock(directory)
    with clock: relay.start()       # daemons started inside have this clock, and programs that they start
    clock.pass_time(2 * 86400)      # both clocks; timers that are due by that fire when the loop wakes up next
    clock.jump(-3600)               # somebody sets the wall clock

With TEST_CLOCK_STATUS in its environment a program sees that status of the kernel's clock.
"""

import mmap
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pytest

from relay import DETOURD

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>
static volatile long *shift;
__attribute__ ((constructor)) static void map (void)
{
  int fd = open (getenv ("TEST_CLOCK_FILE"), O_RDONLY | O_CLOEXEC);
  void *place = mmap (NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
  close (fd);
  if (place != MAP_FAILED)
    shift = place;
}
int clock_gettime (clockid_t clock, struct timespec *out)
{
  static int (*real) (clockid_t, struct timespec *);
  int result;
  if (!real)
    real = (int (*) (clockid_t, struct timespec *)) dlsym (RTLD_NEXT, "clock_gettime");
  result = real (clock, out);
  if (shift && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    out->tv_sec += shift[0];
  else if (shift && (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME))
    out->tv_sec += shift[1];
  return result;
}
time_t time (time_t *out)
{
  struct timespec now;
  clock_gettime (CLOCK_REALTIME, &now);
  if (out)
    *out = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday (struct timeval *restrict out, void *restrict zone)
{
  struct timespec now;
  clock_gettime (CLOCK_REALTIME, &now);
  *out = (struct timeval) { now.tv_sec, now.tv_nsec / 1000 };
  return 0;
}
int adjtimex (struct timex *out)
{
  static int (*real) (struct timex *);
  const char *status = getenv ("TEST_CLOCK_STATUS");
  int result;
  if (!real)
    real = (int (*) (struct timex *)) dlsym (RTLD_NEXT, "adjtimex");
  result = real (out);
  if (!status)
    return result;
  out->status = atoi (status);
  return 0;
}
"""


class ShiftedClock:
    """See above."""

    def __init__(self, directory):
        if shutil.which("cc") is None:
            pytest.skip("there is no C compiler")
        directory = pathlib.Path(directory)
        (directory / "clock.c").write_text(SOURCE)
        self.library = directory / "clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.library, directory / "clock.c", "-ldl"], check=True)
        self.file = directory / "clock"
        self.file.write_bytes(bytes(16))
        with open(self.file, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 16)
        # The sanitizer wants to be the first of all libraries.
        linked = subprocess.run(["ldd", DETOURD], capture_output=True, text=True, check=True).stdout
        self.preload = ":".join(re.findall(r"lib[a-z]*san\.so\S* => (\S+)", linked) + [str(self.library)])
        self.wall = 0
        self.monotonic = 0

    def __enter__(self):
        os.environ |= {"LD_PRELOAD": self.preload, "TEST_CLOCK_FILE": str(self.file)}
        return self

    def __exit__(self, kind, error, trace):
        for name in ("LD_PRELOAD", "TEST_CLOCK_FILE"):
            os.environ.pop(name, None)

    def jump(self, seconds):
        """Sets the wall clock forward or back."""
        self.wall += seconds
        self.map[0:8] = struct.pack("q", self.wall)

    def pass_time(self, seconds):
        """So much time goes by."""
        self.monotonic += seconds
        self.map[8:16] = struct.pack("q", self.monotonic)
        self.jump(seconds)
