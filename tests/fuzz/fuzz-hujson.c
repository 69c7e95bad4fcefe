/* fuzz-hujson.c: any bytes as a policy that is edited; what comes out is well-formed, has the new
 * value, and keeps every byte of its comments.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-hujson.h"

#include <string.h>

#include "detourctl-document.h"

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static const char *const path[] = { "derpMap", "Regions", "900", NULL };
static const char value[] = "{\"RegionID\":900,\"Nodes\":[{\"Name\":\"900a\"},{}]}";

/* What is in the comments of @text. */
static char *
comments (const char *text, gsize len)
{
  g_autofree char *plain = g_strndup (text, len);
  GString *out = g_string_new (NULL);

  detourctl_document_blank (plain, len);
  for (gsize i = 0; i < len; i++)
    if (plain[i] != text[i] && text[i] != ',')
      g_string_append_c (out, text[i]);
  return g_string_free (out, FALSE);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  const char *text = (const char *) data;
  g_autoptr (GError) error = NULL;
  g_autofree char *old = detourctl_hujson_get (text, size, path);
  g_autofree char *after = detourctl_hujson_set (text, size, path, value, &error);
  g_autofree char *read = NULL, *again = NULL, *less = NULL, *gone = NULL;

  g_assert ((after == NULL) == (error != NULL));
  if (after == NULL)
    return 0;
  read = detourctl_hujson_get (after, strlen (after), path);
  g_assert_cmpstr (read, ==, value);
  again = detourctl_hujson_set (after, strlen (after), path, value, NULL);
  g_assert_cmpstr (again, ==, after);
  less = detourctl_hujson_remove (after, strlen (after), path, NULL);
  gone = detourctl_hujson_get (less, strlen (less), path);
  g_assert (less != NULL && gone == NULL);
  if (old == NULL)
    {
      g_autofree char *before_notes = comments (text, size);
      g_autofree char *notes = comments (after, strlen (after));
      g_autofree char *less_notes = comments (less, strlen (less));

      g_assert_cmpstr (notes, ==, before_notes);
      g_assert_cmpstr (less_notes, ==, before_notes);
    }
  return 0;
}
