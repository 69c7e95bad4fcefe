/* test-tls-record.c: heads, types and padding of records.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "tls-record.h"

#include <string.h>

#define NONE 255

static void
parse (void)
{
  static const struct {
    const char *head;
    gsize body; /* bytes that are there */
    TlsRecordVerdict verdict;
    gsize body_len;
    int alert;
  } cases[] = {
    { "\x17\3\3\0\x11", 17, TLS_RECORD_OK, 17, NONE },
    { "\x17\3\3\0\x11", 18, TLS_RECORD_OK, 17, NONE },
    { "\x17\3\3\0\x11", 16, TLS_RECORD_MORE, 17, NONE },
    { "\x17\3\3\0\x11", 0, TLS_RECORD_MORE, 17, NONE },
    { "\x17\3\3\x41\0", 0, TLS_RECORD_MORE, 16640, NONE },
    { "\x17\3\3\x41\0", 16640, TLS_RECORD_OK, 16640, NONE },
    { "\x17\3\3\x41\1", 0, TLS_RECORD_BAD, 16641, TLS_ALERT_RECORD_OVERFLOW },
    { "\x17\3\3\xff\xff", 0, TLS_RECORD_BAD, 65535, TLS_ALERT_RECORD_OVERFLOW },
    { "\x17\3\3\0\x10", 16, TLS_RECORD_BAD, 16, TLS_ALERT_BAD_RECORD_MAC },
    { "\x17\3\3\0\0", 0, TLS_RECORD_BAD, 0, TLS_ALERT_BAD_RECORD_MAC },
    { "\x17\0\0\0\x11", 17, TLS_RECORD_OK, 17, NONE },
    { "\x16\3\3\0\x11", 17, TLS_RECORD_BAD, 0, TLS_ALERT_UNEXPECTED_MESSAGE },
    { "\x15\3\3\0\x02", 2, TLS_RECORD_BAD, 0, TLS_ALERT_UNEXPECTED_MESSAGE },
    { "\x14\3\3\0\x01", 1, TLS_RECORD_BAD, 0, TLS_ALERT_UNEXPECTED_MESSAGE },
    { "\0\3\3\0\x11", 17, TLS_RECORD_BAD, 0, TLS_ALERT_UNEXPECTED_MESSAGE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      gsize len = TLS_RECORD_HEAD_SIZE + cases[i].body;
      g_autofree guint8 *record = g_malloc0 (len);
      TlsAlert alert = NONE;
      gsize body_len = 1;

      memcpy (record, cases[i].head, TLS_RECORD_HEAD_SIZE);
      g_assert_cmpint (tls_record_parse (record, len, &body_len, &alert), ==, cases[i].verdict);
      g_assert_cmpuint (body_len, ==, cases[i].body_len);
      g_assert_cmpint (alert, ==, cases[i].alert);
    }
}

/* In a block of exactly that size, so that reading one byte too far is caught. */
static void
prefixes (void)
{
  static const guint8 head[] = { 23, 3, 3, 0, 20 };

  for (gsize len = 0; len <= sizeof head + 20; len++)
    {
      g_autofree guint8 *block = g_malloc0 (MAX (len, 1));
      gsize body_len;
      TlsAlert alert;

      memcpy (block, head, MIN (len, sizeof head));
      g_assert_cmpint (tls_record_parse (block, len, &body_len, &alert), ==,
                       len < sizeof head + 20 ? TLS_RECORD_MORE : TLS_RECORD_OK);
      g_assert_cmpuint (body_len, ==, len < sizeof head ? 0 : 20);
    }
}

static void
strip (void)
{
  static const gsize lens[] = { 0, 1, 2, 7, 8, 9, 100 };
  static const gsize paddings[] = { 0, 1, 6, 7, 8, 9, 15, 16, 17, 1000 };

  for (guint i = 0; i < G_N_ELEMENTS (lens); i++)
    for (guint j = 0; j < G_N_ELEMENTS (paddings); j++)
      {
        gsize len = lens[i] + 1 + paddings[j];
        g_autofree guint8 *inner = g_malloc0 (len);
        guint8 type = 0;
        gsize text_len = 1;
        TlsAlert alert;

        inner[lens[i]] = TLS_TYPE_DATA;
        g_assert_true (tls_record_strip (inner, len, &type, &text_len, &alert));
        g_assert_cmpuint (type, ==, TLS_TYPE_DATA);
        g_assert_cmpuint (text_len, ==, lens[i]);

        inner[lens[i]] = 0;
        g_assert_false (tls_record_strip (inner, len, &type, &text_len, &alert));
        g_assert_cmpint (alert, ==, TLS_ALERT_UNEXPECTED_MESSAGE);
      }
}

static void
strip_limit (void)
{
  g_autofree guint8 *inner = g_malloc (16386);
  guint8 type;
  gsize len;
  TlsAlert alert;

  memset (inner, 'x', 16386);
  g_assert_true (tls_record_strip (inner, 16385, &type, &len, &alert));
  g_assert_cmpuint (len, ==, 16384);
  g_assert_false (tls_record_strip (inner, 16386, &type, &len, &alert));
  g_assert_cmpint (alert, ==, TLS_ALERT_RECORD_OVERFLOW);
}

static void
head (void)
{
  static const gsize lens[] = { 0, 1, 238, 239, 240, 16384 };

  for (guint i = 0; i < G_N_ELEMENTS (lens); i++)
    {
      guint8 bytes[TLS_RECORD_HEAD_SIZE];
      gsize body_len;
      TlsAlert alert;

      tls_record_head (bytes, lens[i]);
      g_assert_cmpint (tls_record_parse (bytes, sizeof bytes, &body_len, &alert), ==,
                       TLS_RECORD_MORE);
      g_assert_cmpuint (sizeof bytes + body_len, ==, lens[i] + TLS_RECORD_OVERHEAD);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tls-record/parse", parse);
  g_test_add_func ("/tls-record/prefixes-want-more", prefixes);
  g_test_add_func ("/tls-record/type-before-the-padding", strip);
  g_test_add_func ("/tls-record/longest-text", strip_limit);
  g_test_add_func ("/tls-record/head-of-ours", head);
  return g_test_run ();
}
