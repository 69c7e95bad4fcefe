/* detour-client-key.c: a key as an operator writes it, whole or its first digits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-client-key.h"

#include <glib/gi18n-lib.h>

#include "detour-control-error.h"
#include "detour-events.h"

#define DIGITS_MIN 4u

gboolean
detour_client_key_parse (const char *text, DetourScanFilter *filter, GError **error)
{
  const char *digits = g_str_has_prefix (text, "nodekey:") ? text + strlen ("nodekey:") : text;
  gsize n = strlen (digits);

  memset (filter, 0, sizeof *filter);
  if (n >= DIGITS_MIN && n <= DETOUR_KEY_HEX_SIZE)
    {
      gsize i = 0;

      for (; g_ascii_isxdigit (digits[i]); i++)
        filter->key.bytes[i / 2] |= (guint8) (g_ascii_xdigit_value (digits[i])
                                              << (i % 2 == 0 ? 4 : 0));
      if (i == n)
        {
          filter->n_digits = (guint) n;
          return TRUE;
        }
    }
  g_set_error (
      error, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
      _ ("\"%s\" is not a key: write nodekey: and 64 hex digits, or the first %u of them or more"),
      text, DIGITS_MIN);
  return FALSE;
}

guint
detour_client_key_find_refused (const DetourScanFilter *filter, DetourKey *out)
{
  g_autoptr (GPtrArray) events = detour_events_read (0, NULL);
  guint n = 0;

  for (guint i = events->len; i > 0; i--)
    {
      const DetourEvent *event = events->pdata[i - 1];

      if (event->kind != DETOUR_EVENT_REFUSED || event->key == NULL
          || !detour_scan_key_fits (event->key, filter)
          || (n > 0 && detour_key_equal (event->key, out)))
        continue;
      if (n == 0)
        *out = *event->key;
      n++;
    }
  return n;
}
