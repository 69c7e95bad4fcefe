/* detour-question.c: what the admission wants to know of one client: who it is, and how it came.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-question.h"

#include <sodium.h>

/* Made once, then only read. */
static const guint8 *
question_secret (void)
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

static guint64
question_hash_bytes (const void *data, gsize len)
{
  guint8 out[crypto_shorthash_BYTES];
  guint64 value;

  crypto_shorthash (out, data, len, question_secret ());
  memcpy (&value, out, sizeof value);
  return value;
}

void
detour_question_copy (DetourQuestion *self, const DetourQuestion *other)
{
  *self = *other;
  self->sni = g_strdup (other->sni);
  self->listener = g_strdup (other->listener);
}

void
detour_question_clear (DetourQuestion *self)
{
  g_clear_pointer (&self->sni, g_free);
  g_clear_pointer (&self->listener, g_free);
}

void
detour_question_free (DetourQuestion *self)
{
  detour_question_clear (self);
  g_free (self);
}

gboolean
detour_question_equal (const DetourQuestion *a, const DetourQuestion *b)
{
  return detour_key_equal (&a->key, &b->key) && strcmp (a->source, b->source) == 0
      && g_strcmp0 (a->sni, b->sni) == 0 && g_strcmp0 (a->listener, b->listener) == 0
      && strcmp (a->app_name, b->app_name) == 0 && a->prober == b->prober;
}

guint64
detour_question_hash (const DetourQuestion *self)
{
  g_autoptr (GString) words = g_string_sized_new (128);

  /* Each word with its end, so that none can pass for two. */
  g_string_append_len (words, self->source, (gssize) strlen (self->source) + 1);
  g_string_append_len (words, self->app_name, (gssize) strlen (self->app_name) + 1);
  g_string_append_c (words, self->prober ? 'p' : '-');
  g_string_append_c (words, self->sni != NULL ? 's' : '-');
  if (self->sni != NULL)
    g_string_append_len (words, self->sni, (gssize) strlen (self->sni) + 1);
  if (self->listener != NULL)
    g_string_append (words, self->listener);
  return question_hash_bytes (words->str, words->len);
}

guint
detour_question_hash_key (gconstpointer key)
{
  return (guint) question_hash_bytes (((const DetourKey *) key)->bytes, DETOUR_KEY_SIZE);
}

void
detour_question_to_auth (const DetourQuestion *self, DetourAuthQuestion *out)
{
  *out = (DetourAuthQuestion) {
    .source = self->source,
    .sni = self->sni,
    .listener = self->listener != NULL ? self->listener : "",
    .app_name = self->app_name,
    .prober = self->prober,
  };
  memcpy (out->key, self->key.bytes, DETOUR_KEY_SIZE);
}
