/* detour-key.c: public keys and their text forms.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-key.h"

#include <sodium.h>

gboolean
detour_key_is_zero (const DetourKey *self)
{
  return sodium_is_zero (self->bytes, DETOUR_KEY_SIZE);
}

void
detour_key_to_hex (const DetourKey *self, char out[DETOUR_KEY_HEX_SIZE + 1])
{
  sodium_bin2hex (out, DETOUR_KEY_HEX_SIZE + 1, self->bytes, DETOUR_KEY_SIZE);
}

char *
detour_key_to_text (const DetourKey *self)
{
  char hex[DETOUR_KEY_HEX_SIZE + 1];

  detour_key_to_hex (self, hex);
  return g_strconcat ("nodekey:", hex, NULL);
}

gboolean
detour_key_parse (DetourKey *self, const char *text, const char *prefix)
{
  gsize n_prefix = strlen (prefix);
  gsize n_bytes;

  if (strncmp (text, prefix, n_prefix) != 0 || strlen (text + n_prefix) != DETOUR_KEY_HEX_SIZE)
    return FALSE;
  return sodium_hex2bin (self->bytes, DETOUR_KEY_SIZE, text + n_prefix, DETOUR_KEY_HEX_SIZE, NULL,
                         &n_bytes, NULL)
          == 0
      && n_bytes == DETOUR_KEY_SIZE;
}

void
detour_key_to_short (const DetourKey *self, char out[9])
{
  sodium_bin2hex (out, 9, self->bytes, 4);
}
