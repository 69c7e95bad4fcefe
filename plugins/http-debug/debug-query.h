/* debug-query.h: the query of a request for a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _DebugQuery DebugQuery;

/* @text: behind the `?`, as it was sent. What cannot be decoded is left out. */
DebugQuery *debug_query_new (const char *text);
void debug_query_free (DebugQuery *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DebugQuery, debug_query_free)

/* The value of the first one with that name, which is valid UTF-8; NULL: there is none. */
const char *debug_query_get (const DebugQuery *self, const char *name);
/* As a number from 0 to @max; @fallback when there is none, or something else. */
guint debug_query_number (const DebugQuery *self, const char *name, guint max, guint fallback);

/* Appends `name=value&`, encoded. */
void debug_query_append (GString *out, const char *name, const char *value);

G_END_DECLS
