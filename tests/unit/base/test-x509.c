/* test-x509.c: who signed a certificate, read from DER of any kind.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-x509.h"

/* ---- a small writer of DER ------------------------------------------------------------------- */

static GByteArray *
element (guint8 tag, const guint8 *content, gsize len)
{
  GByteArray *out = g_byte_array_new ();
  guint8 head[4] = { tag, 0x82, (guint8) (len >> 8), (guint8) len };

  g_assert_cmpuint (len, <, 65536);
  if (len < 0x80)
    {
      head[1] = (guint8) len;
      g_byte_array_append (out, head, 2);
    }
  else
    g_byte_array_append (out, head, 4);
  g_byte_array_append (out, content, (guint) len);
  return out;
}

/* Puts an element behind what is in @out. */
static void
put (GByteArray *out, guint8 tag, const void *content, gsize len)
{
  g_autoptr (GByteArray) one = element (tag, content, len);

  g_byte_array_append (out, one->data, one->len);
}

/* One attribute of type 2.5.4.@type. */
static void
put_attribute (GByteArray *name, guint8 type, guint8 tag, const void *value, gsize len)
{
  const guint8 oid[] = { 0x55, 0x04, type };
  g_autoptr (GByteArray) attribute = g_byte_array_new ();
  g_autoptr (GByteArray) sequence = NULL;

  put (attribute, 0x06, oid, sizeof oid);
  put (attribute, tag, value, len);
  sequence = element (0x30, attribute->data, attribute->len);
  put (name, 0x31, sequence->data, sequence->len);
}

static void
put_text (GByteArray *name, guint8 type, const char *text)
{
  put_attribute (name, type, 0x0c, text, strlen (text));
}

/* A certificate as far as it is read, with something behind it. */
static GByteArray *
certificate (const GByteArray *issuer, const GByteArray *subject, gboolean has_version)
{
  g_autoptr (GByteArray) body = g_byte_array_new ();
  g_autoptr (GByteArray) all = g_byte_array_new ();

  if (has_version)
    put (body, 0xa0, "\x02\x01\x02", 3);
  put (body, 0x02, "\x01", 1);
  put (body, 0x30, "", 0);
  put (body, 0x30, issuer->data, issuer->len);
  put (body, 0x30, "dates", 5);
  put (body, 0x30, subject->data, subject->len);
  put (body, 0x30, "key", 3);
  put (all, 0x30, body->data, body->len);
  put (all, 0x03, "signature", 9);
  return element (0x30, all->data, all->len);
}

/* ---------------------------------------------------------------------------------------------- */

static void
issuer_and_subject (void)
{
  for (guint has_version = 0; has_version < 2; has_version++)
    {
      g_autoptr (GByteArray) issuer = g_byte_array_new ();
      g_autoptr (GByteArray) subject = g_byte_array_new ();
      g_autoptr (GByteArray) der = NULL;
      g_autofree char *text = NULL;
      DetourX509 found;

      put_text (issuer, 6, "US");
      put_text (issuer, 10, "Let's Encrypt");
      put_text (issuer, 3, "E7");
      der = certificate (issuer, subject, has_version);
      g_assert_true (detour_x509_read (der->data, der->len, &found));
      g_assert_cmpmem (found.issuer, found.issuer_len, issuer->data, issuer->len);
      g_assert_cmpuint (found.subject_len, ==, 0);
      text = detour_x509_name_text (found.issuer, found.issuer_len);
      g_assert_cmpstr (text, ==, "Let's Encrypt (E7)");
    }
}

static void
names (void)
{
  static const struct {
    const char *organisation, *common_name, *text;
  } cases[] = {
    { NULL, NULL, "" },
    { NULL, "relay.test", "relay.test" },
    { "Big Trust", NULL, "Big Trust" },
    { "Big Trust", "Big Trust", "Big Trust" },
    { "Pebble", "Pebble Intermediate CA 12", "Pebble Intermediate CA 12" },
    { "Big\nTrust", "\033[31mred", "Big Trust ([31mred)" },
    { "", "relay.test", "relay.test" },
    { "Big Trust", "\xff", "Big Trust (\357\277\275)" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) name = g_byte_array_new ();
      g_autofree char *text = NULL;

      if (cases[i].common_name != NULL)
        put_text (name, 3, cases[i].common_name);
      if (cases[i].organisation != NULL)
        put_text (name, 10, cases[i].organisation);
      if (cases[i].common_name != NULL)
        put_text (name, 3, "another"); /* the first one counts */
      text = detour_x509_name_text (name->data, name->len);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
kinds_of_text (void)
{
  static const struct {
    guint8 tag;
    const char *value;
    gsize len;
    const char *text;
  } cases[] = {
    { 0x13, "printable", 9, "printable" },
    { 0x16, "ia5", 3, "ia5" },
    { 0x14, "M\xfcller", 6, "M\303\274ller" },
    { 0x1e, "\0M\0\xfc\0l", 6, "M\303\274l" },
    { 0x1e, "\0M\0", 3, "" },
    { 0x02, "number", 6, "" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GByteArray) name = g_byte_array_new ();
      g_autofree char *text = NULL;

      put_attribute (name, 3, cases[i].tag, cases[i].value, cases[i].len);
      text = detour_x509_name_text (name->data, name->len);
      g_assert_cmpstr (text, ==, cases[i].text);
    }
}

static void
long_names_are_cut (void)
{
  g_autoptr (GByteArray) name = g_byte_array_new ();
  g_autofree char *value = g_strnfill (1000, 'x');
  g_autofree char *text = NULL;

  put_text (name, 3, value);
  value[0] = 'y';
  put_text (name, 10, value);
  text = detour_x509_name_text (name->data, name->len);
  g_assert_cmpint (g_utf8_strlen (text, -1), <=, DETOUR_X509_TEXT_MAX);
  g_assert_cmpint (g_utf8_strlen (text, -1), >, 100);
}

/* Each beginning, in a block of exactly its size, so that reading on is seen. */
static void
cut_short (void)
{
  g_autoptr (GByteArray) issuer = g_byte_array_new ();
  g_autoptr (GByteArray) subject = g_byte_array_new ();
  g_autoptr (GByteArray) der = NULL;

  put_text (issuer, 10, "Let's Encrypt");
  put_text (subject, 3, "relay.test");
  der = certificate (issuer, subject, TRUE);
  for (gsize len = 0; len < der->len; len++)
    {
      g_autofree guint8 *block = g_memdup2 (der->data, len);
      DetourX509 found;

      g_assert_false (detour_x509_read (block, len, &found));
      g_assert_null (found.issuer);
    }
  for (gsize len = 0; len < issuer->len; len++)
    {
      g_autofree guint8 *block = g_memdup2 (issuer->data, len);
      g_autofree char *text = detour_x509_name_text (block, len);

      g_assert_cmpstr (text, ==, "");
    }
}

static void
not_a_certificate (void)
{
  static const struct {
    const char *bytes;
    gsize len;
  } cases[] = {
    { "", 0 },
    { "secret", 6 },
    { "\x30\x80", 2 },                     /* a length without an end */
    { "\x30\x84\xff\xff\xff\xff", 6 },     /* 4 GiB */
    { "\x30\x83\xff\xff\xff", 5 },         /* 16 MiB that are not there */
    { "\x30\x02\x30\x00", 4 },             /* nothing inside */
    { "\x30\x05\x30\x03\xa0\x01\x00", 7 }, /* a version alone */
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree guint8 *block = g_memdup2 (cases[i].bytes, cases[i].len);
      DetourX509 found;

      g_assert_false (detour_x509_read (block, cases[i].len, &found));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/x509/issuer-and-subject", issuer_and_subject);
  g_test_add_func ("/x509/names", names);
  g_test_add_func ("/x509/kinds-of-text", kinds_of_text);
  g_test_add_func ("/x509/long-names-are-cut", long_names_are_cut);
  g_test_add_func ("/x509/cut-short", cut_short);
  g_test_add_func ("/x509/not-a-certificate", not_a_certificate);
  return g_test_run ();
}
