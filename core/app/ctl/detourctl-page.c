/* detourctl-page.c: lists that the daemon gives a page at a time.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-page.h"

#include <glib/gi18n.h>

gboolean
detourctl_page_check_limit (int limit)
{
  if (limit >= 1 || limit == DETOURCTL_PAGE_NO_LIMIT)
    return TRUE;
  detourctl_complain (_ ("--limit: write a number from 1"));
  return FALSE;
}

void
detourctl_page_begin (GVariantBuilder *options, guint n, const char *after)
{
  g_variant_builder_init (options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (options, "{sv}", "limit", g_variant_new_uint32 (n));
  if (*after != '\0')
    g_variant_builder_add (options, "{sv}", "after", g_variant_new_string (after));
}

GVariant *
detourctl_page_rows (GVariant *reply, char **after)
{
  g_free (*after);
  g_variant_get_child (reply, 1, "s", after);
  return g_variant_get_child_value (reply, 0);
}
