/* detour-json.c: reads JSON of strangers strictly, before or instead of a parser that takes
 * everything.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-json.h"

#include <string.h>

#define CHECK_DEPTH_MAX 32

static G_DEFINE_QUARK (detour-json-error, detour_json_error);

typedef struct {
  const char *p, *end;
  const char *reason; /* NULL while all is well */
} Scan;

/* The next byte, '\0' at the end; the text itself holds none, or is not valid UTF-8 for GLib. */
static inline char
json_scan_peek (const Scan *scan)
{
  return scan->p < scan->end ? *scan->p : '\0';
}

static gboolean
json_scan_fail (Scan *scan, const char *reason)
{
  scan->reason = reason;
  return FALSE;
}

static void
json_scan_space (Scan *scan)
{
  while (scan->p < scan->end
         && (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\n' || *scan->p == '\r'))
    scan->p++;
}

static gboolean
json_scan_word (Scan *scan, const char *word)
{
  gsize len = strlen (word);

  if ((gsize) (scan->end - scan->p) < len || memcmp (scan->p, word, len) != 0)
    return json_scan_fail (scan, "expected a value");
  scan->p += len;
  return TRUE;
}

static gboolean
json_scan_digits (Scan *scan)
{
  if (!g_ascii_isdigit (json_scan_peek (scan)))
    return json_scan_fail (scan, "expected a digit");
  while (g_ascii_isdigit (json_scan_peek (scan)))
    scan->p++;
  return TRUE;
}

static gboolean
json_scan_number (Scan *scan)
{
  if (json_scan_peek (scan) == '-')
    scan->p++;
  if (json_scan_peek (scan) == '0')
    scan->p++;
  else if (!json_scan_digits (scan))
    return FALSE;
  if (json_scan_peek (scan) == '.')
    {
      scan->p++;
      if (!json_scan_digits (scan))
        return FALSE;
    }
  if (json_scan_peek (scan) == 'e' || json_scan_peek (scan) == 'E')
    {
      scan->p++;
      if (json_scan_peek (scan) == '+' || json_scan_peek (scan) == '-')
        scan->p++;
      if (!json_scan_digits (scan))
        return FALSE;
    }
  return TRUE;
}

/* Four hex digits at @text, which has @len bytes; -1 when they are not. */
static gint32
json_hex_quad (const char *text, gsize len)
{
  gint32 value = 0;

  if (len < 4)
    return -1;
  for (gsize i = 0; i < 4; i++)
    {
      if (!g_ascii_isxdigit (text[i]))
        return -1;
      value = value * 16 + g_ascii_xdigit_value (text[i]);
    }
  return value;
}

/* The character of an escape, whose `\u` is at *@text; moves *@text behind it. 0 when it is not one
 * to take. */
static gunichar
json_unicode_escape (const char **text, const char *end)
{
  gint32 unit = json_hex_quad (*text + 2, (gsize) (end - *text) - 2);
  gint32 low;

  if (unit < 0)
    return 0;
  *text += 6;
  if (unit < 0xd800 || unit > 0xdfff)
    return (gunichar) unit;
  if (unit >= 0xdc00 || end - *text < 6 || (*text)[0] != '\\' || (*text)[1] != 'u')
    return 0;
  low = json_hex_quad (*text + 2, 4);
  *text += 6;
  if (low < 0xdc00 || low > 0xdfff)
    return 0;
  return 0x10000 + ((gunichar) (unit - 0xd800) << 10) + (gunichar) (low - 0xdc00);
}

static gboolean
json_scan_string (Scan *scan)
{
  if (json_scan_peek (scan) != '"')
    return json_scan_fail (scan, "expected a string");
  scan->p++;
  for (;;)
    {
      const char *escape;

      if (scan->p == scan->end)
        return json_scan_fail (scan, "the string does not end");
      if (*scan->p == '"')
        {
          scan->p++;
          return TRUE;
        }
      if ((guchar) *scan->p < 0x20)
        return json_scan_fail (scan, "control character in a string");
      if (*scan->p != '\\')
        {
          scan->p++;
          continue;
        }
      if (scan->end - scan->p < 2)
        return json_scan_fail (scan, "the string does not end");
      if (scan->p[1] != 'u')
        {
          if (strchr ("\"\\/bfnrt", scan->p[1]) == NULL)
            return json_scan_fail (scan, "unknown escape in a string");
          scan->p += 2;
          continue;
        }
      escape = scan->p;
      if (json_unicode_escape (&escape, scan->end) == 0)
        return json_scan_fail (scan, "escape of no character in a string");
      scan->p = escape;
    }
}

/* A value that holds no other. */
static gboolean
json_scan_scalar (Scan *scan, DetourJsonType *type)
{
  switch (json_scan_peek (scan))
    {
    case '"':
      *type = DETOUR_JSON_STRING;
      return json_scan_string (scan);
    case 'n':
      *type = DETOUR_JSON_NULL;
      return json_scan_word (scan, "null");
    case 'f':
      *type = DETOUR_JSON_FALSE;
      return json_scan_word (scan, "false");
    case 't':
      *type = DETOUR_JSON_TRUE;
      return json_scan_word (scan, "true");
    case '-':
    case '0' ... '9':
      *type = DETOUR_JSON_NUMBER;
      return json_scan_number (scan);
    default:
      return json_scan_fail (scan, "expected a value");
    }
}

typedef struct {
  Scan scan;
  guint depth, depth_max;
  guint64 is_object;     /* a bit for each level, the innermost lowest */
  gboolean has_elements; /* those of an outermost array are told of, too */
  DetourJsonValue *root;
  DetourJsonValue name, member; /* of the outermost object */
} Walk;

/* Name and colon of a member. */
static gboolean
json_walk_name (Walk *walk)
{
  const char *start;

  json_scan_space (&walk->scan);
  start = walk->scan.p;
  if (!json_scan_string (&walk->scan))
    return FALSE;
  if (walk->depth == 1)
    walk->name = (DetourJsonValue) { DETOUR_JSON_STRING, start, (gsize) (walk->scan.p - start) };
  json_scan_space (&walk->scan);
  if (json_scan_peek (&walk->scan) != ':')
    return json_scan_fail (&walk->scan, "expected a colon");
  walk->scan.p++;
  return TRUE;
}

/* A value has begun at @start: notes it if it is the root or a member of the root. */
static void
json_walk_note (Walk *walk, DetourJsonType type, const char *start)
{
  if (walk->depth == 0)
    *walk->root = (DetourJsonValue) { type, start, 0 };
  else if (walk->depth == 1)
    walk->member = (DetourJsonValue) { type, start, 0 };
}

/* Goes up to the next comma, closing what ends before it. Sets *@done when the root ended. */
static gboolean
json_walk_up (Walk *walk, gboolean *done, DetourJsonMemberFunc func, gpointer user)
{
  Scan *scan = &walk->scan;

  for (;;)
    {
      gboolean in_object = walk->is_object & 1;

      if (walk->depth == 0)
        {
          walk->root->len = (gsize) (scan->p - walk->root->text);
          *done = TRUE;
          json_scan_space (scan);
          return scan->p == scan->end || json_scan_fail (scan, "text behind the value");
        }
      if (walk->depth == 1 && (in_object || walk->has_elements) && walk->member.text != NULL)
        {
          walk->member.len = (gsize) (scan->p - walk->member.text);
          if (func != NULL && !func (in_object ? &walk->name : NULL, &walk->member, user))
            return FALSE;
          walk->member.text = NULL;
        }
      json_scan_space (scan);
      if (json_scan_peek (scan) == ',')
        {
          scan->p++;
          return !in_object || json_walk_name (walk);
        }
      if (json_scan_peek (scan) != (in_object ? '}' : ']'))
        return json_scan_fail (scan, in_object ? "expected a comma or }" : "expected a comma or ]");
      scan->p++;
      walk->depth--;
      walk->is_object >>= 1;
    }
}

static gboolean
json_walk_value (Walk *walk, DetourJsonMemberFunc func, gpointer user)
{
  Scan *scan = &walk->scan;
  gboolean done = FALSE;

  while (!done)
    {
      const char *start;
      DetourJsonType type;
      char first;

      json_scan_space (scan);
      start = scan->p;
      first = json_scan_peek (scan);
      if (first != '{' && first != '[')
        {
          if (!json_scan_scalar (scan, &type))
            return FALSE;
          json_walk_note (walk, type, start);
          if (!json_walk_up (walk, &done, func, user))
            return FALSE;
          continue;
        }
      if (walk->depth == walk->depth_max)
        return json_scan_fail (scan, "nested too deep");
      scan->p++;
      json_walk_note (walk, first == '{' ? DETOUR_JSON_OBJECT : DETOUR_JSON_ARRAY, start);
      walk->depth++;
      walk->is_object = walk->is_object << 1 | (first == '{');
      json_scan_space (scan);
      if (json_scan_peek (scan) == (first == '{' ? '}' : ']'))
        {
          scan->p++;
          walk->depth--;
          walk->is_object >>= 1;
          if (!json_walk_up (walk, &done, func, user))
            return FALSE;
        }
      else if (first == '{' && !json_walk_name (walk))
        {
          return FALSE;
        }
    }
  return TRUE;
}

gboolean
detour_json_scan (const char *text, gsize len, guint depth_max, DetourJsonValue *root,
                  DetourJsonMemberFunc func, gpointer user, const char **reason, gsize *offset)
{
  Walk walk = { .depth_max = depth_max, .root = root };
  const char *fault;
  gboolean is_good;

  g_assert (depth_max <= 64);
  /* No text may have no address, which nothing may be added to. */
  if (len == 0)
    text = "";
  walk.scan = (Scan) { text, text + len, NULL };
  if (len > 0 && !g_utf8_validate_len (text, len, &fault))
    {
      walk.scan.p = fault;
      is_good = json_scan_fail (&walk.scan, "not valid UTF-8");
    }
  else
    {
      is_good = json_walk_value (&walk, func, user);
    }
  *reason = walk.scan.reason;
  if (offset != NULL)
    *offset = (gsize) (walk.scan.p - text);
  return is_good;
}

gboolean
detour_json_each (const DetourJsonValue *container, DetourJsonMemberFunc func, gpointer user)
{
  DetourJsonValue root;
  Walk walk = { .depth_max = 64, .root = &root, .has_elements = TRUE };

  g_assert (container->type == DETOUR_JSON_OBJECT || container->type == DETOUR_JSON_ARRAY);
  walk.scan = (Scan) { container->text, container->text + container->len, NULL };
  return json_walk_value (&walk, func, user);
}

gboolean
detour_json_check (const char *text, gsize len, gsize len_max, GError **error)
{
  DetourJsonValue root;
  const char *reason;
  gsize offset;

  if (len > len_max)
    {
      g_set_error (error, detour_json_error_quark (), 0,
                   "JSON of %" G_GSIZE_FORMAT " bytes, expected at most %" G_GSIZE_FORMAT, len,
                   len_max);
      return FALSE;
    }
  if (!detour_json_scan (text, len, CHECK_DEPTH_MAX, &root, NULL, NULL, &reason, &offset))
    {
      g_set_error (error, detour_json_error_quark (), 0, "not JSON at byte %" G_GSIZE_FORMAT ": %s",
                   offset, reason);
      return FALSE;
    }
  return TRUE;
}

gboolean
detour_json_get_string (const DetourJsonValue *value, char *out, gsize size)
{
  const char *p = value->text + 1, *end = value->text + value->len - 1;
  gsize len = 0;

  g_assert (value->type == DETOUR_JSON_STRING && size > 0);
  while (p < end)
    {
      static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
      char utf8[6];
      gsize n = 1;

      if (*p != '\\')
        {
          utf8[0] = *p++;
        }
      else if (p[1] != 'u')
        {
          utf8[0] = meant[strchr (plain, p[1]) - plain];
          p += 2;
        }
      else
        {
          n = (gsize) g_unichar_to_utf8 (json_unicode_escape (&p, end), utf8);
        }
      if (size - len <= n)
        return FALSE;
      memcpy (out + len, utf8, n);
      len += n;
    }
  out[len] = '\0';
  return TRUE;
}

gboolean
detour_json_get_integer (const DetourJsonValue *value, gint64 *out)
{
  char digits[24];

  g_assert (value->type == DETOUR_JSON_NUMBER);
  if (value->len >= sizeof digits)
    return FALSE;
  memcpy (digits, value->text, value->len);
  digits[value->len] = '\0';
  return g_ascii_string_to_signed (digits, 10, G_MININT64, G_MAXINT64, out, NULL);
}
