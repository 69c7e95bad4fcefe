/* mesh-lookup.h: addresses of a host, both families, found without waiting.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread, all of it. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _MeshLookup MeshLookup;

/* @addresses: "192.0.2.1:443", "[2001:db8::1]:443", the families in turns, the one that the
 * resolver likes best first; empty with @error set. The lookup is over and must not be touched. */
typedef void (*MeshLookupDone) (const char *const *addresses, const char *error, gpointer user);

/**
 * mesh_lookup_new:
 * @host: a name, or an address without brackets
 * @timeout_ms: then it has failed
 * @done: called once, from the loop
 */
MeshLookup *mesh_lookup_new (const char *host, guint port, guint timeout_ms, MeshLookupDone done,
                             gpointer user);
/* @done is not called any more. */
void mesh_lookup_cancel (MeshLookup *self);

G_END_DECLS
