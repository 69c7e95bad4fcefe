/* detour-client-options.h: what a caller says about a list of clients.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-client-sort.h"

G_BEGIN_DECLS

typedef struct {
  DetourClientSort sort;
  gboolean reverse;
  gboolean rates; /* rows have rates */
  guint limit;    /* rows of a page */
  char *after;    /* of ListClients(): the page before gave it; NULL: begins anew */
  guint first;    /* of FindClients(): rows that are left out before the page */
  char *search;   /* likewise; NULL: all */
} DetourClientOptions;

/* @options: a{sv}; @finds: those of FindClients(), else of ListClients(). Sets all of @self, also
 * when it fails. */
gboolean detour_client_options_read (DetourClientOptions *self, GVariant *options, gboolean finds,
                                     GError **error);
void detour_client_options_clear (DetourClientOptions *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DetourClientOptions, detour_client_options_clear)

G_END_DECLS
