/* detour-verdict-seal.c: hides keys and names in what is kept of verdicts on disk.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-seal.h"

#include <sodium.h>
#include <string.h>

#define CONTEXT  "verdicts"
#define MASTER   "detour: verdicts that outlast a restart"
#define BASE64   sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define OVERHEAD (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES)

G_STATIC_ASSERT (crypto_kdf_CONTEXTBYTES == sizeof CONTEXT - 1);
G_STATIC_ASSERT (DETOUR_VERDICT_SEAL_NAME >= crypto_generichash_BYTES_MIN);

/* Its memory is locked, and wiped at the end. */
struct _DetourVerdictSeal {
  guint8 name_key[32];
  guint8 name_text[32];
  guint8 box[32];
  guint8 request[crypto_shorthash_KEYBYTES];
  guint8 check[crypto_kdf_BYTES_MIN];
};

G_STATIC_ASSERT (crypto_kdf_BYTES_MIN >= DETOUR_VERDICT_SEAL_CHECK);

DetourVerdictSeal *
detour_verdict_seal_new (const guint8 *private_key)
{
  DetourVerdictSeal *self = sodium_malloc (sizeof *self);
  guint8 master[crypto_kdf_KEYBYTES];

  g_assert (self != NULL);
  crypto_generichash (master, sizeof master, (const guint8 *) MASTER, strlen (MASTER), private_key,
                      DETOUR_KEY_SIZE);
  crypto_kdf_derive_from_key (self->name_key, sizeof self->name_key, 1, CONTEXT, master);
  crypto_kdf_derive_from_key (self->name_text, sizeof self->name_text, 2, CONTEXT, master);
  crypto_kdf_derive_from_key (self->box, sizeof self->box, 3, CONTEXT, master);
  crypto_kdf_derive_from_key (self->request, sizeof self->request, 4, CONTEXT, master);
  crypto_kdf_derive_from_key (self->check, sizeof self->check, 5, CONTEXT, master);
  sodium_memzero (master, sizeof master);
  return self;
}

void
detour_verdict_seal_free (DetourVerdictSeal *self)
{
  sodium_free (self);
}

const guint8 *
detour_verdict_seal_check (const DetourVerdictSeal *self)
{
  return self->check;
}

void
detour_verdict_seal_name_key (const DetourVerdictSeal *self, const DetourKey *key, guint8 *out)
{
  crypto_generichash (out, DETOUR_VERDICT_SEAL_NAME, key->bytes, DETOUR_KEY_SIZE, self->name_key,
                      sizeof self->name_key);
}

void
detour_verdict_seal_name_text (const DetourVerdictSeal *self, const char *text, guint8 *out)
{
  crypto_generichash (out, DETOUR_VERDICT_SEAL_NAME, (const guint8 *) text, strlen (text),
                      self->name_text, sizeof self->name_text);
}

guint64
detour_verdict_seal_hash_request (const DetourVerdictSeal *self, const DetourAuthRequest *request)
{
  return MAX (detour_auth_request_keyed_hash (request, self->request), 1);
}

/* Boxes ---------------------------------------------------------------------------------------- */

/* Each key has a secret of its own, which cannot be made without the key. */
static void
verdict_seal_make_secret (const DetourVerdictSeal *self, const DetourKey *key, guint8 *out)
{
  crypto_generichash (out, crypto_secretbox_KEYBYTES, key->bytes, DETOUR_KEY_SIZE, self->box,
                      sizeof self->box);
}

char *
detour_verdict_seal_close (const DetourVerdictSeal *self, const DetourKey *key, const char *label,
                           const char *class_)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autofree guint8 *sealed = NULL;
  guint8 secret[crypto_secretbox_KEYBYTES];
  gsize len, size;
  char *text;

  label = label != NULL ? label : "";
  class_ = class_ != NULL ? class_ : "";
  if (*label == '\0' && *class_ == '\0')
    return NULL;
  g_byte_array_append (plain, (const guint8 *) label, (guint) strlen (label) + 1);
  g_byte_array_append (plain, (const guint8 *) class_, (guint) strlen (class_) + 1);
  len = OVERHEAD + plain->len;
  size = sodium_base64_ENCODED_LEN (len, BASE64);
  /* Texts of verdicts are far shorter. */
  if (size > DETOUR_VERDICT_SEAL_BOX_MAX)
    return NULL;
  sealed = g_malloc (len);
  randombytes_buf (sealed, crypto_secretbox_NONCEBYTES);
  verdict_seal_make_secret (self, key, secret);
  crypto_secretbox_easy (sealed + crypto_secretbox_NONCEBYTES, plain->data, plain->len, sealed,
                         secret);
  sodium_memzero (secret, sizeof secret);
  text = g_malloc (size);
  sodium_bin2base64 (text, size, sealed, len, BASE64);
  return text;
}

/* Text that ends within @len bytes from *@at, which is moved behind it; NULL: there is none. */
static const char *
verdict_seal_take_text (const char **at, gsize *len)
{
  const char *text = *at;
  const char *end = memchr (text, '\0', *len);

  if (end == NULL)
    return NULL;
  *len -= (gsize) (end + 1 - text);
  *at = end + 1;
  return text;
}

static gboolean
verdict_seal_split (const char *plain, gsize len, char **label, char **class_)
{
  const char *first = verdict_seal_take_text (&plain, &len);
  const char *second = first != NULL ? verdict_seal_take_text (&plain, &len) : NULL;

  if (second == NULL || len != 0)
    return FALSE;
  *label = *first != '\0' ? g_strdup (first) : NULL;
  *class_ = *second != '\0' ? g_strdup (second) : NULL;
  return TRUE;
}

gboolean
detour_verdict_seal_open (const DetourVerdictSeal *self, const DetourKey *key, const char *box,
                          char **label, char **class_)
{
  guint8 sealed[DETOUR_VERDICT_SEAL_BOX_MAX], plain[DETOUR_VERDICT_SEAL_BOX_MAX];
  guint8 secret[crypto_secretbox_KEYBYTES];
  gsize len = 0;
  int failed;

  *label = *class_ = NULL;
  if (box == NULL)
    return TRUE;
  if (sodium_base642bin (sealed, sizeof sealed, box, strlen (box), NULL, &len, NULL, BASE64) != 0
      || len < OVERHEAD)
    return FALSE;
  verdict_seal_make_secret (self, key, secret);
  failed = crypto_secretbox_open_easy (plain, sealed + crypto_secretbox_NONCEBYTES,
                                       len - crypto_secretbox_NONCEBYTES, sealed, secret);
  sodium_memzero (secret, sizeof secret);
  return failed == 0 && verdict_seal_split ((const char *) plain, len - OVERHEAD, label, class_);
}
