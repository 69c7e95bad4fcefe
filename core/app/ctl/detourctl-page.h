/* detourctl-page.h: lists that the daemon gives a page at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* For the options of a command that lists; @place is an int with DETOURCTL_PAGE_NO_LIMIT in it. */
#define DETOURCTL_PAGE_NO_LIMIT G_MININT
#define DETOURCTL_PAGE_OPTION(place)                                              \
  {                                                                               \
    "limit", 0, 0, G_OPTION_ARG_INT, place, N_ ("Stop after N of them"), N_ ("N") \
  }

/* FALSE after a message. */
gboolean detourctl_page_check_limit (int limit);

/* Begins the options of a call for @n rows, the first ones or those behind @after, unless that is
 * empty. More options may be added. */
void detourctl_page_begin (GVariantBuilder *options, guint n, const char *after);

/* The rows, aa{sv}, of such a call's answer, (aa{sv}s). @after: (inout): what to ask for next; ""
 * comes with the last page. */
GVariant *detourctl_page_rows (GVariant *reply, char **after);

G_END_DECLS
