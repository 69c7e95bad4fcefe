/* detourctl-hints.h: finds in the state of the relay what needs the operator's attention.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const char *code; /* "plugin_failed", for programs; static */
  char *about;      /* "auth/friends"; "" when about the relay */
  char *text;       /* for people, with the next step; translated */
} DetourctlHint;

/* Pure. @manager: a{sv}; @objects: a{oa{sa{sv}}}; @now_us: Unix time. Of DetourctlHint, what
 * matters most first. */
GPtrArray *detourctl_hints (GVariant *manager, GVariant *objects, gint64 now_us);

G_END_DECLS
