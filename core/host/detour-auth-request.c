/* detour-auth-request.c: one client that asks to come in, as the auth instances see it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-request.h"

#include <sodium.h>

#include "detour-secret-hash.h"

typedef struct {
  DetourAuthRequest request; /* first: all others see only this */
  gatomicrefcount refs;
  guint64 hash;
  char texts[]; /* what the request points to, and what the hash is of */
} Owned;

static const Owned *
auth_request_owned (const DetourAuthRequest *self)
{
  return (const Owned *) self;
}

/* Texts with their ends, so that no two requests have the same bytes. */
static GByteArray *
auth_request_pack (const DetourAuthRequest *fields)
{
  const char *const texts[] = { fields->address, fields->listener, fields->app_name, fields->sni,
                                fields->tenant };
  GByteArray *bytes = g_byte_array_sized_new (128);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      const char *text = texts[i] != NULL ? texts[i] : "";

      g_byte_array_append (bytes, (const guint8 *) text, (guint) strlen (text) + 1);
    }
  return bytes;
}

static GByteArray *
auth_request_join (const DetourAuthRequest *fields, const GByteArray *texts)
{
  GByteArray *bytes = g_byte_array_sized_new (texts->len + DETOUR_KEY_SIZE + 1);
  guint8 flags = (guint8) ((fields->prober ? 1 : 0) | (fields->sni != NULL ? 2 : 0)
                           | (fields->tenant != NULL ? 4 : 0));

  g_byte_array_append (bytes, fields->key, DETOUR_KEY_SIZE);
  g_byte_array_append (bytes, &flags, 1);
  g_byte_array_append (bytes, texts->data, texts->len);
  return bytes;
}

static guint64
auth_request_make_hash (const DetourAuthRequest *fields, const GByteArray *texts)
{
  g_autoptr (GByteArray) bytes = auth_request_join (fields, texts);

  return detour_secret_hash (bytes->data, bytes->len);
}

/* The text that begins at *@at, which is moved behind it. */
static const char *
auth_request_take_text (const char **at)
{
  const char *text = *at;

  *at += strlen (text) + 1;
  return text;
}

DetourAuthRequest *
detour_auth_request_new (const DetourAuthRequest *fields)
{
  g_autoptr (GByteArray) texts = auth_request_pack (fields);
  Owned *self = g_malloc (sizeof *self + texts->len);
  const char *at = self->texts;

  memcpy (self->texts, texts->data, texts->len);
  g_atomic_ref_count_init (&self->refs);
  self->hash = auth_request_make_hash (fields, texts);
  self->request = *fields;
  self->request.address = auth_request_take_text (&at);
  self->request.listener = auth_request_take_text (&at);
  self->request.app_name = auth_request_take_text (&at);
  self->request.sni = auth_request_take_text (&at);
  if (fields->sni == NULL)
    self->request.sni = NULL;
  self->request.tenant = fields->tenant != NULL ? auth_request_take_text (&at) : NULL;
  return &self->request;
}

DetourAuthRequest *
detour_auth_request_ref (const DetourAuthRequest *self)
{
  Owned *owned = (Owned *) self;

  g_atomic_ref_count_inc (&owned->refs);
  return &owned->request;
}

void
detour_auth_request_unref (DetourAuthRequest *self)
{
  Owned *owned = (Owned *) self;

  if (g_atomic_ref_count_dec (&owned->refs))
    g_free (owned);
}

gboolean
detour_auth_request_equal (const DetourAuthRequest *a, const DetourAuthRequest *b)
{
  return a == b
      || (memcmp (a->key, b->key, DETOUR_KEY_SIZE) == 0 && strcmp (a->address, b->address) == 0
          && g_strcmp0 (a->sni, b->sni) == 0 && strcmp (a->listener, b->listener) == 0
          && strcmp (a->app_name, b->app_name) == 0 && a->prober == b->prober
          && g_strcmp0 (a->tenant, b->tenant) == 0);
}

guint64
detour_auth_request_hash (const DetourAuthRequest *self)
{
  return auth_request_owned (self)->hash;
}

guint64
detour_auth_request_keyed_hash (const DetourAuthRequest *self, const guint8 *secret)
{
  g_autoptr (GByteArray) texts = auth_request_pack (self);
  g_autoptr (GByteArray) bytes = auth_request_join (self, texts);
  guint8 out[crypto_shorthash_BYTES];
  guint64 value;

  crypto_shorthash (out, bytes->data, bytes->len, secret);
  memcpy (&value, out, sizeof value);
  return GUINT64_FROM_LE (value);
}
