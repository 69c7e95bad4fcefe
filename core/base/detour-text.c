/* detour-text.c: texts of strangers, made fit to be shown.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-text.h"

#include <string.h>

/* Bytes of one character in UTF-8, at most. */
#define CHARACTER_MAX 4u

static gboolean
text_can_be_shown (gunichar c)
{
  return g_unichar_isdefined (c) && !detour_text_is_hidden (c);
}

char *
detour_text_tidy (const char *text, guint max)
{
  g_autofree char *valid = NULL;
  GString *out;
  guint n = 0;

  if (text == NULL)
    return NULL;
  valid = g_utf8_make_valid (text, (gssize) strnlen (text, (gsize) CHARACTER_MAX * max));
  out = g_string_new (NULL);
  for (const char *p = valid; *p != '\0' && n < max; p = g_utf8_next_char (p), n++)
    {
      gunichar c = g_utf8_get_char (p);

      g_string_append_unichar (out, text_can_be_shown (c) ? c : ' ');
    }
  g_strstrip (out->str);
  return g_string_free (out, *out->str == '\0');
}

gboolean
detour_text_is_hidden (gunichar c)
{
  switch (g_unichar_type (c))
    {
    case G_UNICODE_CONTROL:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
      return TRUE;
    case G_UNICODE_FORMAT:
      return c != 0x200c && c != 0x200d;
    default:
      /* The grapheme joiner and Hangul's fillers, which Unicode takes for marks and letters. */
      return c == 0x034f || c == 0x115f || c == 0x1160 || c == 0x3164 || c == 0xffa0;
    }
}

gunichar
detour_text_find_hidden (const char *text)
{
  for (const char *p = text; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (detour_text_is_hidden (c))
        return c;
    }
  return 0;
}
