/* test-tls-duties.c: what a record layer owes, one case each, asked of both record layers with the
 * same bytes.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A GnuTLS client shakes hands with the `gnutls` channel; the `export` channel is made from the
 * same secrets, and a forger writes in the client's name. Both channels get the same bytes, cut in
 * several ways, and have to give the same plain text, the same answer and the same alert. Where
 * GnuTLS differs the case says so, and why the RFC is on our side. */
#include "config.h"

#include <gnutls/gnutls.h>
#include <string.h>

#include "test-tls-forge.h"
#include "test-tls-pair.h"

typedef enum {
  STEP_END,
  STEP_RECORD,  /* of type, with text */
  STEP_BIG,     /* of type, with `size` bytes of text and `padding` */
  STEP_RAW,     /* bytes as they are */
  STEP_VERSION, /* of the heads of records that follow */
  STEP_UPDATE,  /* the forger's keys change */
  STEP_FLIP,    /* the last bit sent */
  STEP_LOST,    /* the last record does not arrive */
  STEP_AGAIN,   /* the bytes of the last step once more */
  STEP_REPEAT,  /* the last step, sealed anew, until there are `size` of them */
} StepKind;

typedef struct {
  StepKind kind;
  guint8 type;
  const char *text;
  gsize size;
  gsize padding;
} Step;

#define NO_ALERT (-1)

typedef struct {
  const char *name;
  Step steps[6];
  const char *plain; /* NULL: not looked at */
  DetourChannelResult result;
  int alert;
  const char *differs; /* why GnuTLS is not asked */
} Case;

#define RECORD(type, text)                        \
  {                                               \
    STEP_RECORD, type, text, sizeof (text) - 1, 0 \
  }
#define PADDED(type, text, padding)                     \
  {                                                     \
    STEP_RECORD, type, text, sizeof (text) - 1, padding \
  }
#define BIG(type, size, padding)        \
  {                                     \
    STEP_BIG, type, NULL, size, padding \
  }
#define RAW(bytes)                            \
  {                                           \
    STEP_RAW, 0, bytes, sizeof (bytes) - 1, 0 \
  }
#define VERSION(byte)              \
  {                                \
    STEP_VERSION, byte, NULL, 0, 0 \
  }
#define UPDATE                 \
  {                            \
    STEP_UPDATE, 0, NULL, 0, 0 \
  }
#define FLIP                 \
  {                          \
    STEP_FLIP, 0, NULL, 0, 0 \
  }
#define AGAIN                 \
  {                           \
    STEP_AGAIN, 0, NULL, 0, 0 \
  }
#define LOST                 \
  {                          \
    STEP_LOST, 0, NULL, 0, 0 \
  }
#define TIMES(n)               \
  {                            \
    STEP_REPEAT, 0, NULL, n, 0 \
  }

#define DATA    TLS_TYPE_DATA
#define ALERT   TLS_TYPE_ALERT
#define MESSAGE TLS_TYPE_HANDSHAKE

#define OK     DETOUR_CHANNEL_OK
#define BAD    DETOUR_CHANNEL_BAD
#define CLOSED DETOUR_CHANNEL_CLOSED

static const Case cases[] = {
  /* Data */
  { "/tls-duties/data", { RECORD (DATA, "hello") }, "hello", OK, NO_ALERT },
  { "/tls-duties/several-records",
    { RECORD (DATA, "he"), RECORD (DATA, "l"), RECORD (DATA, "lo") },
    "hello",
    OK,
    NO_ALERT },
  { "/tls-duties/padding",
    { PADDED (DATA, "he", 1), PADDED (DATA, "ll", 16), PADDED (DATA, "o", 1000) },
    "hello",
    OK,
    NO_ALERT },
  { "/tls-duties/text-that-ends-with-zeros",
    { RECORD (DATA, "a\0\0"), RECORD (DATA, "b") },
    NULL,
    OK,
    NO_ALERT },
  { "/tls-duties/largest-text", { BIG (DATA, 16384, 0), RECORD (DATA, "x") }, NULL, OK, NO_ALERT },
  { "/tls-duties/largest-padding",
    { BIG (DATA, 1, 16383), RECORD (DATA, "x") },
    NULL,
    OK,
    NO_ALERT },
  { "/tls-duties/version-of-a-record-says-nothing",
    { VERSION (1), RECORD (DATA, "x") },
    "x",
    OK,
    NO_ALERT,
    "it insists on the version" },

  /* Limits */
  { "/tls-duties/text-too-long",
    { RECORD (DATA, "hello"), BIG (DATA, 16385, 0) },
    "hello",
    BAD,
    TLS_ALERT_RECORD_OVERFLOW },
  { "/tls-duties/padding-too-long",
    { RECORD (DATA, "hello"), BIG (DATA, 1, 16384) },
    "hello",
    BAD,
    TLS_ALERT_RECORD_OVERFLOW },
  { "/tls-duties/body-too-long", { RAW ("\x17\3\3\x41\1") }, "", BAD, TLS_ALERT_RECORD_OVERFLOW },
  { "/tls-duties/body-of-nothing", { RAW ("\x17\3\3\0\0") }, "", BAD, TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/body-shorter-than-a-tag",
    { RAW ("\x17\3\3\0\x0f"
           "123456789012345") },
    "",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/body-without-a-type",
    { RAW ("\x17\3\3\0\x10"
           "1234567890123456") },
    "",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },

  /* Forged, lost, doubled */
  { "/tls-duties/flipped-bit",
    { RECORD (DATA, "whole"), RECORD (DATA, "broken"), FLIP },
    "whole",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/record-comes-twice",
    { RECORD (DATA, "one"), AGAIN },
    "one",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/record-is-lost",
    { RECORD (DATA, "one"), RECORD (DATA, "two"), LOST, RECORD (DATA, "three") },
    "one",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/body-made-up",
    { RAW ("\x17\3\3\0\x20"
           "12345678901234567890123456789012") },
    "",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },

  /* Types */
  { "/tls-duties/only-zeros",
    { RECORD (0, "\0\0\0") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it sends another alert" },
  { "/tls-duties/change-cipher-spec-in-the-clear",
    { RAW ("\x14\3\3\0\1\1") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/change-cipher-spec-inside",
    { RECORD (20, "\1") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/alert-in-the-clear",
    { RAW ("\x15\3\3\0\2\2\x28") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it tries to open it first" },
  { "/tls-duties/message-in-the-clear",
    { RAW ("\x16\3\3\0\5\x18\0\0\1\0") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it tries to open it first" },
  { "/tls-duties/type-nobody-knows",
    { RECORD (99, "hello") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/heartbeat", { RECORD (24, "\1\0\1x") }, "", BAD, TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/http", { RAW ("GET / HTTP/1.1\r\n\r\n") }, "", BAD, TLS_ALERT_UNEXPECTED_MESSAGE },

  /* Records without data */
  { "/tls-duties/some-empty-records",
    { RECORD (DATA, ""), TIMES (16), RECORD (DATA, "x") },
    "x",
    OK,
    NO_ALERT },
  { "/tls-duties/flood-of-empty-records",
    { RECORD (DATA, ""), TIMES (17) },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it passes over more of them" },
  { "/tls-duties/flood-of-padding",
    { PADDED (DATA, "", 500), TIMES (17) },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it passes over more of them" },

  /* Alerts */
  { "/tls-duties/close-notify",
    { RECORD (DATA, "last"), RECORD (ALERT, "\1\0") },
    "last",
    CLOSED,
    NO_ALERT },
  { "/tls-duties/nothing-behind-close-notify",
    { RECORD (ALERT, "\1\0"), RECORD (DATA, "more") },
    "",
    CLOSED,
    NO_ALERT },
  { "/tls-duties/close-notify-of-any-level",
    { RECORD (ALERT, "\2\0") },
    "",
    CLOSED,
    NO_ALERT,
    "it heeds the level" },
  { "/tls-duties/fatal-alert",
    { RECORD (DATA, "last"), RECORD (ALERT, "\2\x28"), RECORD (DATA, "more") },
    "last",
    BAD,
    NO_ALERT },
  { "/tls-duties/user-canceled",
    { RECORD (ALERT, "\1\x5a"), RECORD (DATA, "x") },
    "x",
    OK,
    NO_ALERT,
    "it goes by the type and ends" },
  { "/tls-duties/flood-of-alerts",
    { RECORD (ALERT, "\1\x5a"), TIMES (17) },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it ends with the first" },
  { "/tls-duties/error-alert-of-any-level", { RECORD (ALERT, "\1\x28") }, "", BAD, NO_ALERT },
  { "/tls-duties/alert-nobody-knows", { RECORD (ALERT, "\1\xee") }, "", BAD, NO_ALERT },
  { "/tls-duties/alert-without-text",
    { RECORD (ALERT, "") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/half-an-alert",
    { RECORD (ALERT, "\1") },
    "",
    BAD,
    TLS_ALERT_DECODE_ERROR,
    "it sends another alert" },
  { "/tls-duties/two-alerts-in-a-record",
    { RECORD (ALERT, "\1\x5a\1\x5a") },
    "",
    BAD,
    TLS_ALERT_DECODE_ERROR,
    "it reads the first" },

  /* Messages */
  { "/tls-duties/key-update",
    { RECORD (DATA, "old"), RECORD (MESSAGE, "\x18\0\0\1\0"), UPDATE, RECORD (DATA, "new") },
    "oldnew",
    OK,
    NO_ALERT },
  { "/tls-duties/key-update-requested",
    { RECORD (MESSAGE, "\x18\0\0\1\1"), UPDATE, RECORD (DATA, "new") },
    "new",
    OK,
    NO_ALERT },
  { "/tls-duties/old-keys-after-key-update",
    { RECORD (MESSAGE, "\x18\0\0\1\0"), RECORD (DATA, "old") },
    "",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/new-keys-without-key-update",
    { UPDATE, RECORD (DATA, "new") },
    "",
    BAD,
    TLS_ALERT_BAD_RECORD_MAC },
  { "/tls-duties/key-update-with-a-wrong-wish",
    { RECORD (MESSAGE, "\x18\0\0\1\2") },
    "",
    BAD,
    TLS_ALERT_ILLEGAL_PARAMETER },
  { "/tls-duties/key-update-too-long",
    { RECORD (MESSAGE, "\x18\0\0\2\0\0") },
    "",
    BAD,
    TLS_ALERT_DECODE_ERROR },
  { "/tls-duties/key-update-without-a-body",
    { RECORD (MESSAGE, "\x18\0\0\0") },
    "",
    BAD,
    TLS_ALERT_DECODE_ERROR },
  { "/tls-duties/key-update-in-parts",
    { RECORD (MESSAGE, "\x18\0"), RECORD (MESSAGE, "\0\1"), RECORD (MESSAGE, "\0"), UPDATE,
      RECORD (DATA, "new") },
    "new",
    OK,
    NO_ALERT },
  { "/tls-duties/data-between-the-parts",
    { RECORD (MESSAGE, "\x18\0"), RECORD (DATA, "x"), RECORD (MESSAGE, "\0\1\0") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/alert-between-the-parts",
    { RECORD (MESSAGE, "\x18\0"), RECORD (ALERT, "\1\x5a") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it takes the alert" },
  { "/tls-duties/more-behind-a-key-update",
    { RECORD (MESSAGE, "\x18\0\0\1\0\x18") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it lets it pass" },
  { "/tls-duties/two-key-updates-in-a-record",
    { RECORD (MESSAGE, "\x18\0\0\1\0\x18\0\0\1\0") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it lets it pass" },
  { "/tls-duties/message-without-text",
    { RECORD (MESSAGE, "") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE,
    "it lets it pass" },
  { "/tls-duties/ticket-from-a-client",
    { RECORD (MESSAGE, "\x04\0\0\1x") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/client-hello",
    { RECORD (MESSAGE, "\x01\0\0\4\3\3\0\0") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/finished-again",
    { RECORD (MESSAGE, "\x14\0\0\4xxxx") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/certificate-nobody-asked-for",
    { RECORD (MESSAGE, "\x0b\0\0\4\0\0\0\0") },
    "",
    BAD,
    TLS_ALERT_UNEXPECTED_MESSAGE },
  { "/tls-duties/message-too-long-to-come",
    { RECORD (MESSAGE, "\x18\xff\xff\xff") },
    "",
    BAD,
    TLS_ALERT_DECODE_ERROR,
    "it waits for it" },
};

static void
write_step (TestForge *forge, const Step *step)
{
  g_autofree guint8 *text = NULL;

  switch (step->kind)
    {
    case STEP_RECORD:
      test_forge_record (forge, step->type, step->text, step->size, step->padding);
      break;
    case STEP_BIG:
      text = g_malloc (step->size);
      memset (text, 'b', step->size);
      test_forge_record (forge, step->type, text, step->size, step->padding);
      break;
    case STEP_RAW:
      test_forge_raw (forge, step->text, step->size);
      break;
    case STEP_VERSION:
      forge->version = step->type;
      break;
    case STEP_UPDATE:
      g_assert_true (tls_keys_update (&forge->write));
      break;
    case STEP_FLIP:
      forge->sent->data[forge->sent->len - 1] ^= 1;
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
write_steps (TestForge *forge, const Step *steps)
{
  gsize last = 0;

  for (guint i = 0; i < G_N_ELEMENTS (cases[0].steps) && steps[i].kind != STEP_END; i++)
    {
      gsize start = forge->sent->len;

      if (steps[i].kind == STEP_AGAIN)
        {
          g_autofree guint8 *copy = g_memdup2 (forge->sent->data + last, start - last);

          test_forge_raw (forge, copy, start - last);
        }
      else if (steps[i].kind == STEP_LOST)
        g_byte_array_set_size (forge->sent, (guint) last);
      else if (steps[i].kind == STEP_REPEAT)
        for (gsize n = 1; n < steps[i].size; n++)
          write_step (forge, &steps[i - 1]);
      else
        write_step (forge, &steps[i]);
      if (steps[i].kind != STEP_FLIP)
        last = start;
    }
}

/* The channel has to do what the case says, and to go on afterwards if it may. */
static void
check_case (const Case *test, const DetourChannelClass *cls, gpointer channel, TestForge *forge,
            gsize step)
{
  g_autoptr (GByteArray) plain = g_byte_array_new ();
  g_autoptr (GByteArray) text = g_byte_array_new ();
  gboolean reply = FALSE;
  DetourChannelResult result;
  guint updates = 0;
  guint8 type;

  g_test_message ("%s with spans of %u", cls->name, (guint) step);
  write_steps (forge, test->steps);
  result = test_forge_feed (forge, cls, channel, step, plain, &reply);
  g_assert_cmpint (result, ==, test->result);
  if (test->plain != NULL)
    g_assert_cmpmem (plain->data, plain->len, test->plain, strlen (test->plain));

  if (result == DETOUR_CHANNEL_OK)
    {
      g_byte_array_set_size (plain, 0);
      test_forge_record (forge, DATA, "ping", 4, 0);
      g_assert_cmpint (test_forge_feed (forge, cls, channel, step, plain, &reply), ==,
                       DETOUR_CHANNEL_OK);
      g_assert_cmpmem (plain->data, plain->len, "ping", 4);
      g_assert_true (test_forge_seal (forge, cls, channel, "pong", 4));
      while ((type = test_forge_read (forge, text)) == TLS_TYPE_HANDSHAKE)
        updates++;
      g_assert_cmpuint (type, ==, TLS_TYPE_DATA);
      g_assert_cmpmem (text->data, text->len, "pong", 4);
      if (cls == &tls_channel_export_class) /* GnuTLS answers no sooner than it has data to send */
        g_assert_cmpuint (updates, ==, reply ? 1 : 0);
      return;
    }
  g_assert_cmpint (reply, ==, test->alert != NO_ALERT);
  if (reply)
    {
      g_assert_true (test_forge_seal (forge, cls, channel, NULL, 0));
      test_forge_expect_alert (forge, 2, (TlsAlert) test->alert);
    }
  g_assert_cmpuint (forge->received->len, ==, 0);
}

static void
check_gnutls (const Case *test, gsize step)
{
  TestForge forge;
  TestPair pair;

  test_pair_init (&pair, TEST_PEER_TLS13);
  test_forge_init (&forge, tls_channel_export_keys (pair.exported, TRUE),
                   tls_channel_export_keys (pair.exported, FALSE));
  check_case (test, &tls_channel_gnutls_class, pair.gnutls, &forge, step);
  test_forge_clear (&forge);
  test_pair_clear (&pair);
}

static gpointer
copy_of (gpointer exported)
{
  g_autoptr (GBytes) saved = tls_channel_export_class.save (exported);

  return tls_channel_export_class.restore (g_bytes_get_data (saved, NULL),
                                           g_bytes_get_size (saved));
}

static void
check_export (const Case *test, gpointer exported, gsize step)
{
  gpointer channel = copy_of (exported);
  TestForge forge;

  test_forge_init (&forge, tls_channel_export_keys (channel, TRUE),
                   tls_channel_export_keys (channel, FALSE));
  check_case (test, &tls_channel_export_class, channel, &forge, step);
  test_forge_clear (&forge);
  tls_channel_export_class.free (channel);
}

static gboolean
is_big (const Case *test)
{
  for (guint i = 0; i < G_N_ELEMENTS (test->steps); i++)
    if (test->steps[i].kind == STEP_BIG)
      return TRUE;
  return FALSE;
}

static void
duty (gconstpointer data)
{
  const Case *test = data;
  static const gsize steps[] = { 0, 1, 3, 22, 16384 };
  TestPair pair;

  test_pair_init (&pair, TEST_PEER_TLS13);
  for (gsize step = 0; step < 64; step += is_big (test) ? 21 : 1)
    check_export (test, pair.exported, step);
  for (gsize step = 16400; step < 16412 && is_big (test); step++)
    check_export (test, pair.exported, step);
  test_pair_clear (&pair);

  if (test->differs != NULL)
    {
      g_test_message ("GnuTLS differs: %s", test->differs);
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    if (steps[i] != 1 || !is_big (test))
      check_gnutls (test, steps[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].name, &cases[i], duty);
  return g_test_run ();
}
