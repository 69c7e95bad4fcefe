/* detour-niceness.c: how a thread gives way to others on the processor, or does not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-niceness.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest and the longest turn on the processor that the kernel takes. */
#define TURN_MIN_NS (100 * 1000)
#define TURN_MAX_NS (100 * 1000 * 1000)

/* As the kernel has it; the C library declares no such struct. */
typedef struct {
  guint32 size;
  guint32 policy;
  guint64 flags;
  gint32 nice;
  guint32 priority;
  guint64 runtime_ns;
  guint64 deadline_ns;
  guint64 period_ns;
} SchedAttr;

/* Since Linux 6.6 the length of turns decides who interrupts whom, not the share of the processor,
 * and without a request for that a thread that was just woken waits for the end of the turn of
 * another, up to 4 ms. So a loop asks for the shortest turns: it has the same share, but has it at
 * once. A thread that is nice gives way: it has a smaller share where the processor is contended,
 * its wake-ups interrupt nobody, and by the longest turns everybody interrupts it. Older systems do
 * not know about turns and interrupt by the share. On Linux all of this belongs to the thread. */
void
detour_niceness_add (int nice)
{
  SchedAttr attr = { .size = sizeof attr,
                     .policy = nice > 0 ? SCHED_BATCH : SCHED_OTHER,
                     .runtime_ns = nice > 0 ? TURN_MAX_NS : TURN_MIN_NS };

  errno = 0;
  nice += getpriority (PRIO_PROCESS, 0);
  if (errno != 0)
    return;
  attr.nice = MIN (nice, 19);
  if (syscall (SYS_sched_setattr, 0, &attr, 0) == 0)
    return;
  g_debug ("the policy of a thread stays as it is: %s", g_strerror (errno));
  setpriority (PRIO_PROCESS, 0, attr.nice);
}
