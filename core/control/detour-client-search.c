/* detour-client-search.c: which clients a text fits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-search.h"

#include <string.h>

#include "detour-address.h"

/* Whether @text has @folded in it; both cases of ASCII letters are the same, and so are those of
 * others where @text is UTF-8. */
static gboolean
client_search_has (const char *text, const char *folded)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *own = g_utf8_casefold (valid, -1);

  return strstr (own, folded) != NULL;
}

static gboolean
client_search_fits (const DetourScanRow *row, const char *folded)
{
  g_autofree char *key = detour_key_to_text (&row->key);
  g_autofree char *app = g_strndup ((const char *) row->presence.name, row->presence.name_len);
  char address[DETOUR_ADDRESS_TEXT_MAX];

  /* Both are lower-case already. */
  detour_address_format_bytes (row->presence.ip, row->presence.port, address);
  return strstr (key, folded) != NULL || strstr (address, folded) != NULL
      || (row->label != NULL && client_search_has (row->label, folded))
      || (row->class_ != NULL && client_search_has (row->class_, folded))
      || (row->tenant != NULL && client_search_has (detour_tenant_name (row->tenant), folded))
      || client_search_has (app, folded);
}

void
detour_client_search (GPtrArray *rows, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *folded = g_utf8_casefold (valid, -1);
  guint n = 0;

  if (folded[0] == '\0')
    return;
  /* The array may own what is taken out, so those that stay change places with the others. */
  for (guint i = 0; i < rows->len; i++)
    if (client_search_fits (rows->pdata[i], folded))
      {
        gpointer row = rows->pdata[n];

        rows->pdata[n++] = rows->pdata[i];
        rows->pdata[i] = row;
      }
  g_ptr_array_set_size (rows, (int) n);
}
