/* test-tls-aead.c: every library seals the same bytes and opens what the others sealed.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GnuTLS is the oracle: it is the one that also speaks with real peers. */
#include "config.h"

#include "tls-aead.h"

#include <sodium.h>
#include <string.h>

#include "tls-record.h"

/* A length, and how the text is scattered: pieces of these sizes, over and over. */
typedef struct {
  gsize len;
  gsize pieces[3];
} Shape;

static const Shape shapes[] = {
  { 0, { 1, 1, 1 } },         { 1, { 1, 1, 1 } },
  { 2, { 1, 1, 1 } },         { 15, { 4, 0, 11 } },
  { 16, { 16, 16, 16 } },     { 17, { 16, 1, 16 } },
  { 31, { 15, 1, 15 } },      { 63, { 5, 32, 7 } },
  { 64, { 64, 64, 64 } },     { 65, { 1, 63, 1 } },
  { 127, { 100, 1, 26 } },    { 128, { 127, 1, 1 } },
  { 255, { 3, 5, 7 } },       { 256, { 255, 1, 16 } },
  { 257, { 1, 1, 255 } },     { 511, { 37, 0, 200 } },
  { 1000, { 5, 13, 61 } },    { 1437, { 37, 1400, 1 } },
  { 4096, { 1437, 37, 37 } }, { 11496, { 1437, 1437, 1437 } },
  { 16383, { 16000, 1, 7 } }, { 16384, { 1437, 37, 1 } },
  { 16384, { 16384, 1, 1 } },
};

typedef struct {
  guint8 text[TLS_RECORD_TEXT_MAX];
  guint8 key[TLS_AEAD_KEY_MAX];
  guint8 nonce[TLS_AEAD_NONCE_SIZE];
  guint8 head[TLS_AEAD_HEAD_SIZE];
} Input;

/* The same bytes in every run. */
static void
fill (Input *input, guint8 number)
{
  guint8 seed[randombytes_SEEDBYTES] = { number };

  randombytes_buf_deterministic (input, sizeof *input, seed);
}

static GArray *
scatter (Input *input, const Shape *shape)
{
  GArray *spans = g_array_new (FALSE, FALSE, sizeof (struct iovec));
  gsize at = 0;

  for (guint i = 0; at < shape->len; i++)
    {
      struct iovec span = { input->text + at, MIN (shape->pieces[i % 3], shape->len - at) };

      g_array_append_val (spans, span);
      at += span.iov_len;
    }
  return spans;
}

typedef struct {
  const TlsAead *aead;
  gpointer engine;
  gpointer expanded;
} Machine;

/* FALSE: not on this machine, or not this cipher. */
static gboolean
machine_init (Machine *self, const TlsAead *aead, TlsCipher cipher, const guint8 *key)
{
  gsize size = (aead->key_size + 63) & ~(gsize) 63;

  if (!(aead->ciphers & 1u << cipher))
    return FALSE;
  self->aead = aead;
  self->engine = aead->engine_new != NULL ? aead->engine_new () : NULL;
  if (aead->engine_new != NULL && self->engine == NULL)
    {
      g_test_message ("%s: not with this processor", aead->name);
      return FALSE;
    }
  self->expanded = g_aligned_alloc0 (1, size, 64);
  g_assert_true (aead->expand (self->engine, cipher, key, self->expanded));
  return TRUE;
}

static void
machine_clear (Machine *self)
{
  if (self->aead->release != NULL)
    self->aead->release (self->expanded);
  g_aligned_free (self->expanded);
  if (self->engine != NULL)
    self->aead->engine_free (self->engine);
}

/* One shape with one library, against bytes that GnuTLS sealed. */
static void
check_shape (const Machine *machine, TlsCipher cipher, Input *input, const Shape *shape,
             const guint8 *sealed)
{
  g_autoptr (GArray) spans = scatter (input, shape);
  gsize sealed_len = shape->len + 1 + TLS_AEAD_TAG_SIZE;
  g_autofree guint8 *out = g_malloc (sealed_len); /* exactly what is promised */
  g_autofree guint8 *opened = g_malloc (sealed_len);
  g_autofree guint8 *tag = g_memdup2 (sealed + shape->len + 1, TLS_AEAD_TAG_SIZE);
  struct iovec pieces[3] = { { out, shape->len / 3 },
                             { NULL, 0 },
                             { out + shape->len / 3, shape->len + 1 - shape->len / 3 } };
  TlsText text = { (const struct iovec *) (gpointer) spans->data, 0, shape->len };

  g_assert_true (machine->aead->seal (machine->engine, cipher, machine->expanded, input->nonce,
                                      input->head, text, TLS_TYPE_DATA, out));
  g_assert_cmpmem (out, sealed_len, sealed, sealed_len);

  /* In pieces, the tag elsewhere. */
  g_assert_true (machine->aead->open (machine->engine, cipher, machine->expanded, input->nonce,
                                      input->head, (TlsText) { pieces, 0, shape->len + 1 }, tag,
                                      opened));
  g_assert_cmpmem (opened, shape->len, input->text, shape->len);
  g_assert_cmpuint (opened[shape->len], ==, TLS_TYPE_DATA);

  /* In one piece, and in place. */
  pieces[0].iov_len = shape->len + 1;
  for (guint i = 0; i < 2; i++)
    {
      guint8 *to = i == 0 ? opened : out;

      memset (opened, 0, sealed_len);
      g_assert_true (machine->aead->open (machine->engine, cipher, machine->expanded, input->nonce,
                                          input->head, (TlsText) { pieces, 0, shape->len + 1 },
                                          out + shape->len + 1, to));
      g_assert_cmpmem (to, shape->len, input->text, shape->len);
      g_assert_cmpuint (to[shape->len], ==, TLS_TYPE_DATA);
    }
}

static void
each_equal (gconstpointer data)
{
  TlsCipher cipher = GPOINTER_TO_UINT (data);
  g_autofree Input *input = g_new (Input, 1);

  for (guint8 round = 0; round < 3; round++)
    {
      Machine oracle;

      fill (input, round);
      g_assert_true (machine_init (&oracle, &tls_aead_gnutls, cipher, input->key));
      for (guint i = 0; tls_aeads[i] != NULL; i++)
        {
          Machine machine;

          if (!machine_init (&machine, tls_aeads[i], cipher, input->key))
            continue;
          for (guint j = 0; j < G_N_ELEMENTS (shapes); j++)
            {
              g_autofree guint8 *sealed = g_malloc (shapes[j].len + 1 + TLS_AEAD_TAG_SIZE);
              struct iovec whole = { input->text, shapes[j].len };

              g_assert_true (oracle.aead->seal (NULL, cipher, oracle.expanded, input->nonce,
                                                input->head, (TlsText) { &whole, 0, shapes[j].len },
                                                TLS_TYPE_DATA, sealed));
              check_shape (&machine, cipher, input, &shapes[j], sealed);
            }
          machine_clear (&machine);
        }
      machine_clear (&oracle);
    }
}

/* Every length up to some blocks, in one piece and cut in two. */
static void
every_length (gconstpointer data)
{
  TlsCipher cipher = GPOINTER_TO_UINT (data);
  g_autofree Input *input = g_new (Input, 1);
  Machine oracle;

  fill (input, 9);
  g_assert_true (machine_init (&oracle, &tls_aead_gnutls, cipher, input->key));
  for (guint i = 0; tls_aeads[i] != NULL; i++)
    {
      Machine machine;

      if (!machine_init (&machine, tls_aeads[i], cipher, input->key))
        continue;
      for (gsize len = 0; len < 600; len++)
        {
          g_autofree guint8 *sealed = g_malloc (len + 1 + TLS_AEAD_TAG_SIZE);
          struct iovec whole = { input->text, len };
          const Shape one = { len, { len, len, len } };
          const Shape two = { len, { len / 3, len, len } };

          g_assert_true (oracle.aead->seal (NULL, cipher, oracle.expanded, input->nonce,
                                            input->head, (TlsText) { &whole, 0, len },
                                            TLS_TYPE_DATA, sealed));
          check_shape (&machine, cipher, input, &one, sealed);
          if (len >= 3)
            check_shape (&machine, cipher, input, &two, sealed);
        }
      machine_clear (&machine);
    }
  machine_clear (&oracle);
}

/* One flipped bit anywhere, in text, tag, nonce, head or key. */
static void
forged (gconstpointer data)
{
  TlsCipher cipher = GPOINTER_TO_UINT (data);
  g_autofree Input *input = g_new (Input, 1);
  const gsize len = 70;

  fill (input, 4);
  for (guint i = 0; tls_aeads[i] != NULL; i++)
    {
      struct iovec whole = { input->text, len };
      guint8 sealed[70 + 1 + TLS_AEAD_TAG_SIZE];
      guint8 opened[70 + 1 + TLS_AEAD_TAG_SIZE];
      struct iovec body = { sealed, len + 1 };
      Machine machine;

      if (!machine_init (&machine, tls_aeads[i], cipher, input->key))
        continue;
#define OPENS()                                                                            \
  machine.aead->open (machine.engine, cipher, machine.expanded, input->nonce, input->head, \
                      (TlsText) { &body, 0, len + 1 }, sealed + len + 1, opened)
      g_assert_true (machine.aead->seal (machine.engine, cipher, machine.expanded, input->nonce,
                                         input->head, (TlsText) { &whole, 0, len }, TLS_TYPE_DATA,
                                         sealed));
      for (guint bit = 0; bit < 8 * sizeof sealed; bit++)
        {
          sealed[bit / 8] ^= (guint8) (1u << bit % 8);
          g_assert_false (OPENS ());
          sealed[bit / 8] ^= (guint8) (1u << bit % 8);
        }
      for (guint bit = 0; bit < 8 * sizeof input->nonce; bit++)
        {
          input->nonce[bit / 8] ^= (guint8) (1u << bit % 8);
          g_assert_false (OPENS ());
          input->nonce[bit / 8] ^= (guint8) (1u << bit % 8);
        }
      for (guint bit = 0; bit < 8 * sizeof input->head; bit++)
        {
          input->head[bit / 8] ^= (guint8) (1u << bit % 8);
          g_assert_false (OPENS ());
          input->head[bit / 8] ^= (guint8) (1u << bit % 8);
        }
      g_assert_true (OPENS ());
      machine_clear (&machine);

      input->key[tls_cipher_key_size (cipher) - 1] ^= 0x80;
      g_assert_true (machine_init (&machine, tls_aeads[i], cipher, input->key));
      g_assert_false (OPENS ());
      machine_clear (&machine);
      input->key[tls_cipher_key_size (cipher) - 1] ^= 0x80;
#undef OPENS
    }
}

static void
best (void)
{
  g_autofree char *text = tls_aead_describe ();
  TlsAeadSet set;

  g_test_message ("%s", text);
  tls_aead_set_init (&set);
  g_assert_nonnull (strstr (text, set.aead[TLS_CIPHER_AES_128_GCM]->name));
  g_assert_nonnull (strstr (text, set.aead[TLS_CIPHER_CHACHA20_POLY1305]->name));
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    {
      g_assert_nonnull (set.aead[cipher]);
      g_assert_true (set.aead[cipher]->ciphers & 1u << cipher);
      g_assert_cmpint (set.engine[cipher] != NULL, ==, set.aead[cipher]->engine_new != NULL);
    }
  /* GnuTLS is fourteen times as dear there. */
  g_assert_true (set.aead[TLS_CIPHER_CHACHA20_POLY1305] != &tls_aead_gnutls);
  tls_aead_set_clear (&set);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (sodium_init (), >=, 0);
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    {
      static const struct {
        const char *name;
        void (*run) (gconstpointer data);
      } tests[] = {
        { "/tls-aead/all-libraries-agree", each_equal },
        { "/tls-aead/every-length", every_length },
        { "/tls-aead/forged", forged },
      };

      for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
        {
          g_autofree char *path = g_strconcat (tests[i].name, "/", tls_cipher_name (cipher), NULL);

          g_test_add_data_func (path, GUINT_TO_POINTER (cipher), tests[i].run);
        }
    }
  g_test_add_func ("/tls-aead/best-of-each-cipher", best);
  return g_test_run ();
}
