/* test-insist.h: an assertion for the tests that do without GLib, one TAP test a program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define INSIST(condition)                       \
  do                                            \
    if (!(condition))                           \
      {                                         \
        printf ("not ok 1 - %s\n", #condition); \
        exit (1);                               \
      }                                         \
  while (0)
