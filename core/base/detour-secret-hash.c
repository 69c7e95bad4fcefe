/* detour-secret-hash.c: a hash that strangers cannot predict.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-secret-hash.h"

#include <sodium.h>

/* Made once, then only read. */
static const guint8 *
secret_hash_secret (void)
{
  static guint8 bytes[crypto_shorthash_KEYBYTES];
  static gsize made;

  if (g_once_init_enter (&made))
    {
      randombytes_buf (bytes, sizeof bytes);
      g_once_init_leave (&made, 1);
    }
  return bytes;
}

guint64
detour_secret_hash (gconstpointer data, gsize len)
{
  guint8 out[crypto_shorthash_BYTES];
  guint64 value;

  crypto_shorthash (out, data, len, secret_hash_secret ());
  memcpy (&value, out, sizeof value);
  return value;
}

guint
detour_secret_hash_key (gconstpointer key)
{
  return (guint) detour_secret_hash (((const DetourKey *) key)->bytes, DETOUR_KEY_SIZE);
}

gboolean
detour_secret_hash_key_equal (gconstpointer a, gconstpointer b)
{
  return detour_key_equal (a, b);
}
