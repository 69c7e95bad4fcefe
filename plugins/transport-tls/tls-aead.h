/* tls-aead.h: the ciphers that seal records here, and the libraries that compute them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef enum {
  TLS_CIPHER_AES_128_GCM,
  TLS_CIPHER_AES_256_GCM,
  TLS_CIPHER_CHACHA20_POLY1305,
  TLS_N_CIPHERS,
} TlsCipher;

#define TLS_AEAD_KEY_MAX    32
#define TLS_AEAD_NONCE_SIZE 12
#define TLS_AEAD_TAG_SIZE   16
/* What is authenticated beside the text: the head of the record. */
#define TLS_AEAD_HEAD_SIZE 5

const char *tls_cipher_name (TlsCipher cipher); /* as GnuTLS calls it: "AES-128-GCM" */
gsize tls_cipher_key_size (TlsCipher cipher);

/* Text in pieces: @len bytes that begin @skip bytes into *@span and go on in the spans behind it.
 */
typedef struct {
  const struct iovec *span;
  gsize skip;
  gsize len;
} TlsText;

/* The next piece; NULL: there is no more. Never of length 0. */
static inline const guint8 *
tls_text_next (TlsText *text, gsize *n)
{
  const guint8 *piece;

  if (text->len == 0)
    return NULL;
  while (text->skip == text->span->iov_len)
    {
      text->span++;
      text->skip = 0;
    }
  piece = (const guint8 *) text->span->iov_base + text->skip;
  *n = MIN (text->len, text->span->iov_len - text->skip);
  text->skip += *n;
  text->len -= *n;
  return piece;
}

/* All of it to @out. */
void tls_text_copy (TlsText text, guint8 *out);
/* All of it in one place: where it is, if it is one piece, else copied to @out. */
const guint8 *tls_text_gather (TlsText text, guint8 *out, gsize *len);

/* One library. Functions get the engine of the calling thread and a key that expand() made. All
 * that fails is a bug or a broken library, except open(), which fails when a record was forged. */
typedef struct {
  const char *name; /* "ipsec-mb" */
  guint ciphers;    /* bits by TlsCipher */
  gsize key_size;   /* bytes of an expanded key, which is aligned to 64 */
  gboolean keep;    /* expanding costs enough that expanded keys are worth keeping */

  /* Whether this processor has what it takes; NULL: any has. Costs nothing. */
  gboolean (*fits) (void);
  /* NULL: not with this processor after all, or the library fails its own test, which takes
   * milliseconds and megabytes. One thread uses it. Both may be NULL: there is nothing to be had.
   */
  gpointer (*engine_new) (void);
  void (*engine_free) (gpointer engine);

  gboolean (*expand) (gpointer engine, TlsCipher cipher, const guint8 *key, gpointer expanded);
  void (*release) (gpointer expanded); /* before its bytes are wiped; may be NULL */

  /* Writes the cipher text of @text and of one byte @type behind it, and the tag: @text->len + 17
   * bytes. */
  gboolean (*seal) (gpointer engine, TlsCipher cipher, gconstpointer expanded, const guint8 *nonce,
                    const guint8 *head, TlsText text, guint8 type, guint8 *out);
  /* Writes @sealed.len bytes to @out, which has 16 bytes of room beyond them; it may be where
   * @sealed is, if that is in one piece. When it returns FALSE what was written is not to be
   * trusted and the caller wipes it. */
  gboolean (*open) (gpointer engine, TlsCipher cipher, gconstpointer expanded, const guint8 *nonce,
                    const guint8 *head, TlsText sealed, const guint8 *tag, guint8 *out);
} TlsAead;

/* All that were built in, best first. NULL-terminated. */
extern const TlsAead *const tls_aeads[];

extern const TlsAead tls_aead_ipsec;
extern const TlsAead tls_aead_sodium;
extern const TlsAead tls_aead_gnutls;

/* The best one of each cipher on this machine, for the calling thread. */
typedef struct {
  const TlsAead *aead[TLS_N_CIPHERS];
  gpointer engine[TLS_N_CIPHERS]; /* ciphers of one library share it */
} TlsAeadSet;

void tls_aead_set_init (TlsAeadSet *self);
void tls_aead_set_clear (TlsAeadSet *self);

/* For people: "records by ipsec-mb", or "AES-GCM by GnuTLS, ChaCha20-Poly1305 by libsodium". What
 * fits, and has not failed its own test in this process; makes no engine, so that a listener that
 * nobody calls costs nothing. */
char *tls_aead_describe (void);

G_END_DECLS
