/* detourctl-process.h: the process of the daemon, which may end while a command waits for it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

typedef struct {
  int fd; /* -1: it is not known, or not seen from here, as from another container */
  guint pid;
} DetourctlProcess;

/* Of the daemon that @self is connected to. */
void detourctl_process_init (DetourctlProcess *process, Detourctl *self);
void detourctl_process_clear (DetourctlProcess *process);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourctlProcess, detourctl_process_clear)

/* FALSE as well when that is not known. */
gboolean detourctl_process_has_ended (const DetourctlProcess *process);

G_END_DECLS
