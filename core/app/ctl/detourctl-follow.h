/* detourctl-follow.h: what the daemon tells as it happens, until somebody ends it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

typedef struct {
  const char *subscribe; /* method of the Manager without arguments, after which signals come */
  const char *signal;
  const char *type; /* of its arguments; a signal of another type is ignored */
  /* (nullable): what to do before the first signal; anything but GOOD ends it, and was told */
  DetourctlExit (*begin) (Detourctl *self, gpointer user);
  void (*on_signal) (Detourctl *self, GVariant *arguments, gpointer user);
} DetourctlFollow;

/* Until SIGINT or SIGTERM, until nobody reads standard output any more, or until the daemon goes,
 * which the user is told. */
DetourctlExit detourctl_follow (Detourctl *self, const DetourctlFollow *follow, gpointer user);

G_END_DECLS
