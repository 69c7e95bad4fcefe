/* doctor-apart.h: has the looks done in a process that may be left behind.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A thread that waits in the kernel for a file system whose server has taken the request, of FUSE
 * or NFS for instance, cannot be ended, and its process is not over before it. So the process that
 * somebody waits for is another one, which touches no file. */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* Before there is any thread. TRUE: this is the process that looks. FALSE: the looks are over, and
 * @exit is how they ended. */
gboolean doctor_apart_enter (DetourctlExit *exit);
/* In the process that looks, when some look has not ended. */
void doctor_apart_leave (const Detourctl *ctl, DetourctlExit exit) G_GNUC_NORETURN;

G_END_DECLS
