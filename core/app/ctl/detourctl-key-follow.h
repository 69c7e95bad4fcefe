/* detourctl-key-follow.h: waits until the daemon has taken a change of a list of keys over.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-key.h"
#include "detourctl-key-places.h"

G_BEGIN_DECLS

typedef enum {
  DETOURCTL_KEY_FOLLOW_UNKNOWN, /* there is no daemon, or it cannot be asked */
  DETOURCTL_KEY_FOLLOW_YES,
  DETOURCTL_KEY_FOLLOW_NO,
} DetourctlKeyFollow;

/* @place: (nullable): that reads the file. @in: the key was added, and not taken off. Waits some
 * seconds at most. */
DetourctlKeyFollow detourctl_key_follow (Detourctl *self, const DetourctlKeyPlace *place,
                                         const DetourKey *key, gboolean in);
/* (nullable): what the instance says is wrong with its lists. */
char *detourctl_key_follow_get_trouble (Detourctl *self, const char *instance);

G_END_DECLS
