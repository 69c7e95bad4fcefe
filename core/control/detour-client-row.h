/* detour-client-row.h: one connection of a client as a row for callers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-scan.h"

G_BEGIN_DECLS

/* A row of ListClients(), a{sv}; floating. @with_rates: they are known */
GVariant *detour_client_row_new (const DetourScanRow *row, gboolean with_rates);

/* For text that comes from a client or a plugin and may not be UTF-8. */
void detour_client_row_add_text (GVariantBuilder *row, const char *name, const char *text,
                                 gsize len);

G_END_DECLS
