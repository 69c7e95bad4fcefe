/* test-tls-channel-export.c: the export channel by itself: limits of keys, goodbyes, carrying
 * over, threads, both sides.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-channel-export.h"

#include <malloc.h>
#include <sodium.h>
#include <string.h>

#include "test-tls-forge.h"
#include "tls-message.h"

static const DetourChannelClass *const cls = &tls_channel_export_class;

typedef struct {
  TlsExportStart start;
  guint8 secrets[2][TLS_SECRET_MAX];
  gpointer channel;
  TestForge forge;
} Fixture;

static void
fixture_init (Fixture *f, TlsCipher cipher, guint8 number)
{
  guint8 seed[randombytes_SEEDBYTES] = { number };

  memset (f, 0, sizeof *f);
  randombytes_buf_deterministic (f->secrets, sizeof f->secrets, seed);
  f->start.cipher = cipher;
  f->start.read_secret = f->secrets[0];
  f->start.write_secret = f->secrets[1];
  f->start.sni = "relay.example";
}

static void
fixture_begin (Fixture *f)
{
  f->channel = tls_channel_export_new (&f->start);
  g_assert_nonnull (f->channel);
  test_forge_init (&f->forge, tls_channel_export_keys (f->channel, TRUE),
                   tls_channel_export_keys (f->channel, FALSE));
}

static void
fixture_clear (Fixture *f)
{
  test_forge_clear (&f->forge);
  cls->free (f->channel);
}

static void
setup (Fixture *f, gconstpointer data)
{
  fixture_init (f, TLS_CIPHER_AES_128_GCM, 1);
}

static void
teardown (Fixture *f, gconstpointer data)
{
  fixture_clear (f);
}

static void
expect (Fixture *f, const char *text, DetourChannelResult result, gboolean replies)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  gboolean reply = FALSE;

  g_assert_cmpint (test_forge_feed (&f->forge, cls, f->channel, 0, plain, &reply), ==, result);
  g_assert_cmpmem (plain->data, plain->len, text, strlen (text));
  g_assert_cmpint (reply, ==, replies);
}

/* Data arrives in both directions. */
static void
ping_pong (Fixture *f)
{
  test_forge_record (&f->forge, TLS_TYPE_DATA, "ping", 4, 0);
  expect (f, "ping", DETOUR_CHANNEL_OK, FALSE);
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, "pong", 4));
  test_forge_expect_data (&f->forge, "pong", 4);
}

static void
info (Fixture *f, gconstpointer data)
{
  DetourChannelInfo known = { NULL };

  fixture_begin (f);
  cls->info (f->channel, &known);
  g_assert_cmpstr (known.version, ==, "1.3");
  g_assert_cmpstr (known.cipher, ==, "AES-128-GCM");
  g_assert_cmpstr (known.sni, ==, "relay.example");
}

/* What a client that only waits costs. */
static void
size (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  ping_pong (f);
  g_assert_cmpuint (malloc_usable_size (f->channel), <=, 320);
}

#ifdef __GLIBC__
/* A head that announces a long record, and then silence. Counts only where malloc counts. */
static void
promises (void)
{
  enum { N = 100 };
  Fixture f[N];
  gsize before, after;

  for (guint i = 0; i < N; i++)
    {
      fixture_init (&f[i], TLS_CIPHER_AES_128_GCM, 1);
      fixture_begin (&f[i]);
    }
  before = mallinfo2 ().uordblks;
  for (guint i = 0; i < N; i++)
    {
      guint8 room[DETOUR_CHANNEL_FEED_SLACK];
      DetourBuffer plain = { room, 0, sizeof room };
      gboolean reply;

      g_assert_cmpint (
          cls->feed (f[i].channel, (const guint8 *) "\x17\3\3\x40\x11silent", 11, &plain, &reply),
          ==, DETOUR_CHANNEL_OK);
      g_assert_cmpint (cls->feed (f[i].channel, (const guint8 *) "ce", 2, &plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
    }
  after = mallinfo2 ().uordblks;
  g_assert_cmpuint (after, <=, before + N * 200);
  for (guint i = 0; i < N; i++)
    fixture_clear (&f[i]);
}
#endif

/* Goodbyes ------------------------------------------------------------------------------------- */

static void
goodbye (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  test_forge_close (&f->forge, cls, f->channel);
  test_forge_close (&f->forge, cls, f->channel);
  test_forge_expect_alert (&f->forge, 1, TLS_ALERT_CLOSE_NOTIFY);
  g_assert_cmpuint (f->forge.received->len, ==, 0);
  g_assert_false (test_forge_seal (&f->forge, cls, f->channel, "more", 4));
  g_assert_cmpuint (f->forge.received->len, ==, 0);
}

static void
goodbye_answered (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_ALERT, "\1\0", 2, 0);
  expect (f, "", DETOUR_CHANNEL_CLOSED, FALSE);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "more", 4, 0);
  expect (f, "", DETOUR_CHANNEL_CLOSED, FALSE);
  g_assert_true (
      test_forge_seal (&f->forge, cls, f->channel, "last", 4)); /* only one direction is closed */
  test_forge_close (&f->forge, cls, f->channel);
  g_assert_cmpuint (test_forge_read (&f->forge, f->forge.sent), ==, TLS_TYPE_DATA);
  test_forge_expect_alert (&f->forge, 1, TLS_ALERT_CLOSE_NOTIFY);
}

/* Core may close without having asked for the alert; then close() brings it, and no goodbye
 * follows. */
static void
alert_instead_of_goodbye (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  test_forge_raw (&f->forge, "GET /", 5);
  expect (f, "", DETOUR_CHANNEL_BAD, TRUE);
  test_forge_close (&f->forge, cls, f->channel);
  test_forge_close (&f->forge, cls, f->channel);
  test_forge_expect_alert (&f->forge, 2, TLS_ALERT_UNEXPECTED_MESSAGE);
  g_assert_cmpuint (f->forge.received->len, ==, 0);
}

static void
nothing_after_failure (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  test_forge_raw (&f->forge, "GET /", 5);
  expect (f, "", DETOUR_CHANNEL_BAD, TRUE);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "more", 4, 0);
  expect (f, "", DETOUR_CHANNEL_BAD, FALSE);
  g_assert_false (test_forge_seal (&f->forge, cls, f->channel, "data", 4));
  test_forge_expect_alert (&f->forge, 2, TLS_ALERT_UNEXPECTED_MESSAGE);
  g_assert_null (cls->save (f->channel));
}

static void
no_answer_to_an_alert (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_ALERT, "\2\x14", 2, 0);
  expect (f, "", DETOUR_CHANNEL_BAD, FALSE);
  test_forge_close (&f->forge, cls, f->channel);
  g_assert_cmpuint (f->forge.received->len, ==, 0);
}

/* Limits of keys ------------------------------------------------------------------------------- */

static void
change_before_limit (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) text = g_byte_array_new ();

  f->start.write_seq = TLS_KEYS_RECORDS_MAX - 2;
  fixture_begin (f);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (test_forge_seal (&f->forge, cls, f->channel, "x", 1));
      g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_DATA);
    }
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, "x", 1));
  g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_HANDSHAKE);
  g_assert_cmpmem (text->data, text->len, "\x18\0\0\1\0", 5);
  g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_DATA);
  g_assert_cmpuint (tls_channel_export_keys (f->channel, FALSE)->seq, ==, 1);
  ping_pong (f);
}

/* In the middle of what one call seals, too, and the room that is promised suffices. */
static void
change_within_a_call (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *bulk = g_malloc0 (65536);
  g_autoptr (GByteArray) text = g_byte_array_new ();
  GString *types = g_string_new (NULL);
  guint8 type;

  f->start.write_seq = TLS_KEYS_RECORDS_MAX - 2;
  fixture_begin (f);
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, bulk, 65536));
  while ((type = test_forge_read (&f->forge, text)) != 0)
    g_string_append_c (types, type == TLS_TYPE_DATA ? 'd' : 'u');
  g_assert_cmpstr (types->str, ==, "ddudd");
  g_string_free (types, TRUE);
}

/* A peer that never changes its keys is asked to, once. */
static void
ask_peer (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) text = g_byte_array_new ();

  f->start.read_seq = TLS_KEYS_RECORDS_MAX - 2;
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "a", 1, 0);
  expect (f, "a", DETOUR_CHANNEL_OK, FALSE);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "b", 1, 0);
  expect (f, "b", DETOUR_CHANNEL_OK, TRUE);
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, NULL, 0));
  g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_HANDSHAKE);
  g_assert_cmpmem (text->data, text->len, "\x18\0\0\1\1", 5);
  g_assert_cmpuint (f->forge.received->len, ==, 0);
  ping_pong (f);

  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\x18\0\0\1\0", 5, 0);
  g_assert_true (tls_keys_update (&f->forge.write));
  ping_pong (f);
}

/* Ours is owed and theirs is due: one KeyUpdate says both. */
static void
ask_with_the_answer (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) text = g_byte_array_new ();

  f->start.read_seq = TLS_KEYS_RECORDS_MAX;
  f->start.write_seq = TLS_KEYS_RECORDS_MAX;
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "a", 1, 0);
  expect (f, "a", DETOUR_CHANNEL_OK, TRUE);
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, "x", 1));
  g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_HANDSHAKE);
  g_assert_cmpmem (text->data, text->len, "\x18\0\0\1\1", 5);
  test_forge_expect_data (&f->forge, "x", 1);
}

static void
number_would_wrap (Fixture *f, gconstpointer data)
{
  f->start.read_seq = G_MAXUINT64 - 1;
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "a", 1, 0);
  expect (f, "a", DETOUR_CHANNEL_OK, TRUE);
  f->forge.write.seq = 0;
  test_forge_record (&f->forge, TLS_TYPE_DATA, "b", 1, 0);
  expect (f, "", DETOUR_CHANNEL_BAD, TRUE);
}

/* Several wishes that came before we sent anything are one. */
static void
wishes_are_one (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) text = g_byte_array_new ();

  fixture_begin (f);
  for (guint i = 0; i < 3; i++)
    {
      test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\x18\0\0\1\1", 5, 0);
      g_assert_true (tls_keys_update (&f->forge.write));
    }
  expect (f, "", DETOUR_CHANNEL_OK, TRUE);
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, NULL, 0));
  g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_HANDSHAKE);
  g_assert_cmpmem (text->data, text->len, "\x18\0\0\1\0", 5);
  g_assert_cmpuint (f->forge.received->len, ==, 0);
  ping_pong (f);
}

/* The side that dialled ------------------------------------------------------------------------ */

static void
tickets (Fixture *f, gconstpointer data)
{
  g_autofree guint8 *ticket = g_malloc0 (4 + 40000);

  f->start.is_client = TRUE;
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\x04\0\0\3abc\x04\0\0\0\x04\0\0\1x", 16, 0);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "a", 1, 0);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\x04\0", 2, 0);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\0\3ab", 4, 0);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "c\x18\0\0\1\0", 6, 0);
  g_assert_true (tls_keys_update (&f->forge.write));
  ticket[0] = 4;
  ticket[2] = 40000 >> 8;
  ticket[3] = 40000 & 0xff;
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, ticket, 16384, 0);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, ticket + 16384, 16384, 0);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, ticket + 32768, 4 + 40000 - 32768, 0);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "b", 1, 0);
  expect (f, "ab", DETOUR_CHANNEL_OK, FALSE);

  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\x04\1\0\1", 4, 0);
  expect (f, "", DETOUR_CHANNEL_BAD, TRUE);
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, NULL, 0));
  test_forge_expect_alert (&f->forge, 2, TLS_ALERT_DECODE_ERROR);
}

/* Carrying over -------------------------------------------------------------------------------- */

static gpointer
carry_over (gpointer channel)
{
  g_autoptr (GBytes) saved = cls->save (channel);
  g_autofree guint8 *copy = g_memdup2 (g_bytes_get_data (saved, NULL), g_bytes_get_size (saved));
  gpointer other = cls->restore (copy, g_bytes_get_size (saved));

  g_assert_nonnull (other);
  cls->free (channel);
  return other;
}

/* A stream with everything in it, carried over at each of its bytes. */
static void
carried_at_any_byte (gconstpointer data)
{
  TlsCipher cipher = GPOINTER_TO_UINT (data);
  gsize total = 1;

  for (gsize cut = 0; cut < total; cut++)
    {
      g_autoptr (GByteArray) plain = g_byte_array_new ();
      g_autoptr (GByteArray) text = g_byte_array_new ();
      g_autoptr (GByteArray) rest = g_byte_array_new ();
      DetourChannelInfo known = { NULL };
      gboolean reply = FALSE;
      Fixture f;

      fixture_init (&f, cipher, 2);
      f.start.read_seq = 1000;
      f.start.write_seq = 2000;
      fixture_begin (&f);
      test_forge_record (&f.forge, TLS_TYPE_DATA, "one ", 4, 0);
      test_forge_record (&f.forge, TLS_TYPE_HANDSHAKE, "\x18\0", 2, 0);
      test_forge_record (&f.forge, TLS_TYPE_HANDSHAKE, "\0\1\1", 3, 0);
      g_assert_true (tls_keys_update (&f.forge.write));
      test_forge_record (&f.forge, TLS_TYPE_DATA, "two ", 4, 10);
      test_forge_record (&f.forge, TLS_TYPE_DATA, "three", 5, 0);
      total = f.forge.sent->len;
      g_byte_array_append (rest, f.forge.sent->data + cut, (guint) (total - cut));
      g_byte_array_set_size (f.forge.sent, (guint) cut);

      g_assert_cmpint (test_forge_feed (&f.forge, cls, f.channel, 0, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      f.channel = carry_over (f.channel);
      test_forge_raw (&f.forge, rest->data, rest->len);
      g_assert_cmpint (test_forge_feed (&f.forge, cls, f.channel, 0, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "one two three", 13);
      g_assert_true (reply);
      f.channel = carry_over (f.channel);
      g_assert_true (test_forge_seal (&f.forge, cls, f.channel, "answer", 6));
      g_assert_cmpuint (test_forge_read (&f.forge, text), ==, TLS_TYPE_HANDSHAKE);
      test_forge_expect_data (&f.forge, "answer", 6);
      cls->info (f.channel, &known);
      g_assert_cmpstr (known.sni, ==, "relay.example");
      g_assert_cmpstr (known.cipher, ==, tls_cipher_name (cipher));
      fixture_clear (&f);
    }
}

static void
carried_with_all_flags (Fixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) text = g_byte_array_new ();

  f->start.is_client = TRUE;
  f->start.sni = NULL;
  f->start.read_seq = TLS_KEYS_RECORDS_MAX;
  fixture_begin (f);
  test_forge_record (&f->forge, TLS_TYPE_DATA, "a", 1, 0);
  expect (f, "a", DETOUR_CHANNEL_OK, TRUE);
  f->channel = carry_over (f->channel);
  test_forge_record (&f->forge, TLS_TYPE_HANDSHAKE, "\x04\0\0\1x", 5, 0); /* the role */
  expect (f, "", DETOUR_CHANNEL_OK, TRUE);                                /* the debt */
  g_assert_true (test_forge_seal (&f->forge, cls, f->channel, NULL, 0));
  g_assert_cmpuint (test_forge_read (&f->forge, text), ==, TLS_TYPE_HANDSHAKE);
  g_assert_cmpmem (text->data, text->len, "\x18\0\0\1\1", 5); /* the wish */
  f->channel = carry_over (f->channel);
  ping_pong (f); /* and it does not ask again */
}

/* Sixteen useless records before, one after: the count goes along. */
static void
carried_with_the_count (Fixture *f, gconstpointer data)
{
  fixture_begin (f);
  for (guint i = 0; i < 16; i++)
    test_forge_record (&f->forge, TLS_TYPE_DATA, NULL, 0, 0);
  expect (f, "", DETOUR_CHANNEL_OK, FALSE);
  f->channel = carry_over (f->channel);
  test_forge_record (&f->forge, TLS_TYPE_DATA, NULL, 0, 0);
  expect (f, "", DETOUR_CHANNEL_BAD, TRUE);
}

/* Whatever is read back, nothing breaks; what has another length or form is refused. */
static void
damaged_state (Fixture *f, gconstpointer data)
{
  g_autoptr (GBytes) saved = NULL;
  const guint8 *bytes;
  gsize len;

  fixture_begin (f);
  test_forge_raw (&f->forge, "\x17\3\3\1\0partial", 12);
  expect (f, "", DETOUR_CHANNEL_OK, FALSE);
  saved = cls->save (f->channel);
  bytes = g_bytes_get_data (saved, &len);

  for (gsize n = 0; n <= len + 1; n++)
    {
      g_autofree guint8 *copy = g_malloc0 (MAX (n, 1));
      gpointer other;

      memcpy (copy, bytes, MIN (n, len));
      other = cls->restore (copy, n);
      g_assert_cmpint (other != NULL, ==, n == len);
      if (other != NULL)
        cls->free (other);
    }
  for (gsize bit = 0; bit < 8 * len; bit++)
    {
      g_autofree guint8 *copy = g_memdup2 (bytes, len);
      gpointer other;

      copy[bit / 8] ^= (guint8) (1u << bit % 8);
      other = cls->restore (copy, len);
      if (bit < 32)
        g_assert_null (other); /* the magic */
      if (other != NULL)
        {
          const guint8 zeros[300] = { 0 };
          guint8 room[DETOUR_CHANNEL_FEED_SLACK + sizeof zeros];
          DetourBuffer plain = { room, 0, sizeof room };
          gboolean reply = FALSE;

          g_assert_cmpint (cls->feed (other, zeros, sizeof zeros, &plain, &reply), !=,
                           DETOUR_CHANNEL_CLOSED);
          cls->free (other);
        }
    }
}

/* Threads and their keys ----------------------------------------------------------------------- */

/* More connections than a thread keeps keys for, all busy at once, and addresses that come to
 * belong to others. */
static void
many_channels (void)
{
  enum { N = 300 };
  g_autofree Fixture *all = g_new0 (Fixture, N);

  for (guint generation = 0; generation < 2; generation++)
    {
      for (guint i = 0; i < N; i++)
        {
          fixture_init (&all[i], i % TLS_N_CIPHERS, (guint8) (i + generation));
          fixture_begin (&all[i]);
        }
      for (guint round = 0; round < 20; round++)
        for (guint i = 0; i < N; i++)
          ping_pong (&all[i]);
      for (guint i = 0; i < N; i++)
        fixture_clear (&all[i]);
    }
}

static gpointer
talk (gpointer data)
{
  for (guint i = 0; i < 20; i++)
    ping_pong (data);
  return NULL;
}

static gpointer
talk_and_end (gpointer data)
{
  talk (data);
  fixture_clear (data);
  return NULL;
}

/* From the handshake pool to a worker, and to an end. */
static void
threads (void)
{
  Fixture f[4];

  for (guint i = 0; i < G_N_ELEMENTS (f); i++)
    {
      fixture_init (&f[i], i % TLS_N_CIPHERS, (guint8) i);
      fixture_begin (&f[i]);
      talk (&f[i]);
    }
  for (guint round = 0; round < 3; round++)
    {
      GThread *threads[G_N_ELEMENTS (f)];

      for (guint i = 0; i < G_N_ELEMENTS (f); i++)
        threads[i] = g_thread_new ("worker", round == 2 ? talk_and_end : talk, &f[i]);
      for (guint i = 0; i < G_N_ELEMENTS (f); i++)
        g_thread_join (threads[i]);
    }
}

#define TEST(path, function) g_test_add (path, Fixture, NULL, setup, function, teardown)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  TEST ("/tls-export/info", info);
  TEST ("/tls-export/idle-channel-is-small", size);
#ifdef __GLIBC__
  g_test_add_func ("/tls-export/promises-get-no-memory", promises);
#endif
  TEST ("/tls-export/goodbye-is-said-once", goodbye);
  TEST ("/tls-export/goodbye-is-answered", goodbye_answered);
  TEST ("/tls-export/alert-instead-of-goodbye", alert_instead_of_goodbye);
  TEST ("/tls-export/nothing-after-failure", nothing_after_failure);
  TEST ("/tls-export/no-answer-to-an-alert", no_answer_to_an_alert);
  TEST ("/tls-export/keys-change-before-their-limit", change_before_limit);
  TEST ("/tls-export/keys-change-within-a-call", change_within_a_call);
  TEST ("/tls-export/peer-is-asked-for-new-keys", ask_peer);
  TEST ("/tls-export/peer-is-asked-with-the-answer", ask_with_the_answer);
  TEST ("/tls-export/number-would-wrap", number_would_wrap);
  TEST ("/tls-export/wishes-for-new-keys-are-one", wishes_are_one);
  TEST ("/tls-export/tickets-are-passed-over", tickets);
  for (guint cipher = 0; cipher < TLS_N_CIPHERS; cipher++)
    {
      g_autofree char *path = g_strconcat ("/tls-export/carried-over-at-any-byte", "/",
                                           tls_cipher_name (cipher), NULL);

      g_test_add_data_func (path, GUINT_TO_POINTER (cipher), carried_at_any_byte);
    }
  TEST ("/tls-export/carried-over-with-all-debts", carried_with_all_flags);
  TEST ("/tls-export/carried-over-with-the-count-of-useless-records", carried_with_the_count);
  TEST ("/tls-export/damaged-state-is-refused", damaged_state);
  g_test_add_func ("/tls-export/more-channels-than-kept-keys", many_channels);
  g_test_add_func ("/tls-export/from-thread-to-thread", threads);
  return g_test_run ();
}
