/* acme-base64.c: base64url as ACME wants it, and what people make of it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-base64.h"

#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

char *
acme_base64_encode (gconstpointer data, gsize len)
{
  char *text = len > 0 ? g_base64_encode (data, len) : g_strdup ("");

  g_strdelimit (text, "+", '-');
  g_strdelimit (text, "/", '_');
  text[strcspn (text, "=")] = '\0';
  return text;
}

guint8 *
acme_base64_decode (const char *text, gsize *len)
{
  g_autofree char *copy = g_strstrip (g_strdup (text));
  g_autofree char *padded = NULL;
  gsize n;

  g_strdelimit (copy, "-", '+');
  g_strdelimit (copy, "_", '/');
  n = strspn (copy, LETTERS "+/");
  /* What is behind the letters must be padding, and one letter alone holds no byte. */
  if (n == 0 || n % 4 == 1 || strspn (copy + n, "=") != strlen (copy + n) || strlen (copy + n) > 2)
    return NULL;
  copy[n] = '\0';
  padded = g_strconcat (copy, n % 4 == 2 ? "==" : n % 4 == 3 ? "=" : "", NULL);
  return g_base64_decode (padded, len);
}

gboolean
acme_base64_is_token (const char *text, gsize len_max)
{
  gsize len = strspn (text, LETTERS "-_");

  return len > 0 && len <= len_max && text[len] == '\0';
}
