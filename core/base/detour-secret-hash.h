/* detour-secret-hash.h: a hash that strangers cannot predict.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-key.h"

G_BEGIN_DECLS

/* SipHash with a secret that the process makes once. Clients choose their keys and names, and must
 * not be able to choose ones that collide in a table. Any thread. */
guint64 detour_secret_hash (gconstpointer data, gsize len);

/* Of a DetourKey, for GHashTable. */
guint detour_secret_hash_key (gconstpointer key);
/* GEqualFunc for two DetourKey. */
gboolean detour_secret_hash_key_equal (gconstpointer a, gconstpointer b);

G_END_DECLS
