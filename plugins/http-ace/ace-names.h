/* ace-names.h: the host names to which tunnels may lead.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Whether @entry may stand in the list: a host name, or `*.` and one. */
gboolean ace_names_is_entry (const char *entry);

/**
 * ace_names_match:
 * @list: (array zero-terminated=1): of entries
 * @target: `HOST:PORT`, as a client asks for it
 * @host: (out): the name, for g_free()
 * @port: (out)
 *
 * A name allows itself; `*.NAME` allows every name below it, but none with "derp" in it, so that no
 * tunnel leads to another relay. Ports are 443 and 80.
 *
 * Returns: FALSE when it is not allowed: nothing is set.
 */
gboolean ace_names_match (const char *const *list, const char *target, char **host, guint16 *port);

G_END_DECLS
