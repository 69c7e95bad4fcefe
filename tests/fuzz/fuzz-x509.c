/* fuzz-x509.c: whatever a certificate says of its names becomes one short line of valid text, and
 * lies inside of it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <string.h>

#include "detour-x509.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
check_name (const guint8 *data, gsize size, const guint8 *name, gsize len)
{
  g_autofree char *text = detour_x509_name_text (name, len);

  if (name >= data && name <= data + size)
    g_assert_cmpuint (len, <=, size - (gsize) (name - data));
  g_assert_true (g_utf8_validate (text, -1, NULL));
  g_assert_cmpint (g_utf8_strlen (text, -1), <=, DETOUR_X509_TEXT_MAX);
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    g_assert_true (g_unichar_isprint (g_utf8_get_char (p)));
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  DetourX509 names;

  if (detour_x509_read (data, size, &names))
    {
      g_assert_true (names.issuer >= data && names.subject >= data);
      check_name (data, size, names.issuer, names.issuer_len);
      check_name (data, size, names.subject, names.subject_len);
    }
  else
    g_assert_true (names.issuer == NULL && names.issuer_len == 0);
  check_name (data, size, data, size);
  return 0;
}
