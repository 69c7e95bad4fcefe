/* detour-memory.h: how much memory the process may have, and what it gives back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Bytes of the budgets that follow the memory by themselves: an eighth of what the machine has, or
 * of what the control group of the process may have where that is less (systemd's MemoryMax= and
 * MemoryHigh=, a container's limit); but at least 64 MB, or a quarter where there is less than 256
 * MB. Reads files. Any thread. */
guint64 detour_memory_share (void);

/**
 * detour_memory_group_limit:
 * @cgroup: a file like /proc/self/cgroup
 * @mountinfo: a file like /proc/self/mountinfo
 *
 * The smallest limit of the control groups that the process is in, version 2 or 1.
 *
 * Returns: bytes; %G_MAXUINT64 when there is no limit, or the files do not say.
 */
guint64 detour_memory_group_limit (const char *cgroup, const char *mountinfo);

/* Gives to the system what was freed, where the C library keeps that until it is told: glibc does,
 * musl does not and has no such call. Takes some milliseconds. Any thread. */
void detour_memory_trim (void);

G_END_DECLS
