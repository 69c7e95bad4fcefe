/* test-tls-wipe.c: no memory that is given back holds a secret or a key.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The program has a free() of its own that looks into each block first. Not built with sanitizers:
 * they have theirs. */
#include "config.h"

#include <dlfcn.h>
#include <malloc.h>
#include <string.h>

#include "test-tls-forge.h"
#include "tls-channel-export.h"

#define N_NEEDLES   16u
#define NEEDLE_SIZE 16u

static const DetourChannelClass *const cls = &tls_channel_export_class;

static guint8 needles[N_NEEDLES][NEEDLE_SIZE];
static guint n_needles;
static guint n_found;
static guint n_blocks;

static void (*real_free) (void *);

void
free (void *block)
{
  if (real_free == NULL)
    *(void **) &real_free = dlsym (RTLD_NEXT, "free");
  if (block != NULL && n_needles > 0)
    {
      n_blocks++;
      for (guint i = 0; i < n_needles; i++)
        if (memmem (block, malloc_usable_size (block), needles[i], NEEDLE_SIZE) != NULL)
          n_found++;
    }
  real_free (block);
}

static void
remember (const TlsKeys *keys)
{
  g_assert_cmpuint (n_needles + 2, <=, N_NEEDLES);
  memcpy (needles[n_needles++], keys->secret, NEEDLE_SIZE);
  memcpy (needles[n_needles++], keys->key, NEEDLE_SIZE);
}

static void
talk (TestForge *forge, gpointer channel, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      gboolean reply = FALSE;

      test_forge_record (forge, TLS_TYPE_DATA, "ping", 4, 0);
      g_assert_cmpint (test_forge_feed (forge, cls, channel, 0, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_true (test_forge_seal (forge, cls, channel, "pong", 4));
      while (test_forge_read (forge, plain) != 0)
        ;
    }
}

/* Enough records for keys to be kept, a change of both, carried over, and the end of connection and
 * thread. */
static gpointer
live_and_die (gpointer data)
{
  const TlsExportStart *start = data;
  gpointer channel = tls_channel_export_new (start);
  gpointer other;
  TestForge forge;
  GBytes *saved;

  remember (tls_channel_export_keys (channel, TRUE));
  remember (tls_channel_export_keys (channel, FALSE));
  test_forge_init (&forge, tls_channel_export_keys (channel, TRUE),
                   tls_channel_export_keys (channel, FALSE));
  talk (&forge, channel, 20);
  test_forge_record (&forge, TLS_TYPE_HANDSHAKE, "\x18\0\0\1\1", 5, 0);
  g_assert_true (tls_keys_update (&forge.write));
  talk (&forge, channel, 20);
  remember (tls_channel_export_keys (channel, TRUE));
  remember (tls_channel_export_keys (channel, FALSE));
  saved = cls->save (channel);
  other = cls->restore (g_bytes_get_data (saved, NULL), g_bytes_get_size (saved));
  g_bytes_unref (saved);
  cls->free (channel);
  talk (&forge, other, 20);
  cls->free (other);
  test_forge_clear (&forge);
  return NULL;
}

static void
wiped (gconstpointer data)
{
  guint8 secrets[2][TLS_SECRET_MAX];
  TlsExportStart start = { .cipher = GPOINTER_TO_UINT (data),
                           .read_secret = secrets[0],
                           .write_secret = secrets[1] };

  for (guint i = 0; i < TLS_SECRET_MAX; i++)
    {
      secrets[0][i] = (guint8) (101 + 7 * i);
      secrets[1][i] = (guint8) (13 + 11 * i);
    }
  n_needles = n_found = n_blocks = 0;
  g_thread_join (g_thread_new ("worker", live_and_die, &start));
  n_needles = 0;
  g_assert_cmpuint (n_blocks, >, 10);
  g_assert_cmpuint (n_found, ==, 0);
}

/* Does it see anything at all? */
static void
seen (void)
{
  guint8 *block = g_malloc (100);

  n_found = 0;
  n_needles = 1;
  memset (needles[0], 0xa5, NEEDLE_SIZE);
  memset (block + 50, 0xa5, NEEDLE_SIZE);
  g_free (block);
  n_needles = 0;
  g_assert_cmpuint (n_found, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-wipe/a-secret-left-behind-is-seen", seen);
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    {
      g_autofree char *path = g_strconcat ("/tls-wipe/freed-memory-holds-no-secrets", "/",
                                           tls_cipher_name (cipher), NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (cipher), wiped);
    }
  return g_test_run ();
}
