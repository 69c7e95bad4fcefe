/* detourctl-document-json.c: reads JSON, with comments and trailing commas if there are any, into a
 * tree that knows its lines.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-document.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-json.h"

typedef struct {
  const char *text;
  GArray *starts; /* of gsize: where each line begins */
  guint n_values;
} Reader;

/* What a container is filled from. */
typedef struct {
  Reader *reader;
  DetourctlValue *into;
  gboolean is_full;
} Fill;

gboolean
detourctl_document_blank (char *text, gsize len)
{
  gboolean found = FALSE;
  char *comma = NULL; /* the last one, when nothing but blanks came since */
  char last = '{';    /* the last that was no blank */

  for (char *p = text, *end = text + len; p < end; p++)
    {
      if (*p == '"')
        {
          for (p++; p < end && *p != '"'; p++)
            if (*p == '\\' && p + 1 < end)
              p++;
          comma = NULL;
          last = '"';
        }
      else if (*p == '/' && p + 1 < end && p[1] == '/')
        {
          found = TRUE;
          for (; p < end && *p != '\n'; p++)
            *p = ' ';
        }
      else if (*p == '/' && p + 1 < end && p[1] == '*')
        {
          char *stop = g_strstr_len (p + 2, end - p - 2, "*/");

          if (stop == NULL)
            return found;
          found = TRUE;
          for (; p < stop + 2; p++)
            if (*p != '\n')
              *p = ' ';
          p--;
        }
      else if (*p == ',')
        {
          /* One that follows no value is left to the parser, too. */
          comma = strchr ("{[,:", last) == NULL ? p : NULL;
          last = ',';
        }
      else if (!g_ascii_isspace (*p))
        {
          if (comma != NULL && (*p == '}' || *p == ']'))
            {
              found = TRUE;
              *comma = ' ';
            }
          comma = NULL;
          last = *p;
        }
    }
  return found;
}

static guint
ctl_document_json_line (const Reader *reader, gsize offset)
{
  guint low = 0, high = reader->starts->len;

  while (high - low > 1)
    {
      guint middle = (low + high) / 2;

      if (g_array_index (reader->starts, gsize, middle) <= offset)
        low = middle;
      else
        high = middle;
    }
  return low + 1;
}

static char *
ctl_document_json_string (const DetourJsonValue *value)
{
  char *text = g_malloc (value->len);

  /* It only gets shorter, and two quotes are left out. */
  if (!detour_json_get_string (value, text, value->len))
    g_assert_not_reached ();
  return text;
}

static DetourctlValue *ctl_document_json_take (Reader *reader, const DetourJsonValue *value);

static gboolean
ctl_document_json_fill (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  Fill *fill = user;
  DetourctlValue *member = ctl_document_json_take (fill->reader, value);

  if (member == NULL)
    {
      fill->is_full = TRUE;
      return FALSE;
    }
  if (name != NULL)
    member->name = ctl_document_json_string (name);
  g_ptr_array_add (fill->into->values, member);
  return TRUE;
}

/* NULL: there are too many values. */
static DetourctlValue *
ctl_document_json_take (Reader *reader, const DetourJsonValue *value)
{
  static const DetourctlValueType types[] = {
    [DETOUR_JSON_NULL] = DETOURCTL_VALUE_NULL,     [DETOUR_JSON_FALSE] = DETOURCTL_VALUE_FLAG,
    [DETOUR_JSON_TRUE] = DETOURCTL_VALUE_FLAG,     [DETOUR_JSON_NUMBER] = DETOURCTL_VALUE_NUMBER,
    [DETOUR_JSON_STRING] = DETOURCTL_VALUE_TEXT,   [DETOUR_JSON_ARRAY] = DETOURCTL_VALUE_LIST,
    [DETOUR_JSON_OBJECT] = DETOURCTL_VALUE_OBJECT,
  };
  guint line = ctl_document_json_line (reader, (gsize) (value->text - reader->text));
  g_autoptr (DetourctlValue) self = NULL;
  Fill fill = { .reader = reader };

  if (++reader->n_values > DETOURCTL_DOCUMENT_VALUES_MAX)
    return NULL;
  self = detourctl_value_new (types[value->type], line);
  self->flag = value->type == DETOUR_JSON_TRUE;
  if (value->type == DETOUR_JSON_STRING)
    self->text = ctl_document_json_string (value);
  else if (self->type == DETOURCTL_VALUE_NUMBER || self->type == DETOURCTL_VALUE_FLAG)
    self->text = g_strndup (value->text, value->len);
  if (self->values != NULL)
    {
      fill.into = self;
      detour_json_each (value, ctl_document_json_fill, &fill);
      if (fill.is_full)
        return NULL;
    }
  return g_steal_pointer (&self);
}

DetourctlValue *
detourctl_document_read_json (const char *text, gsize len, gboolean *is_hujson, GError **error)
{
  /* A member alone gets the object around it, which a comment at its end must not take in. */
  gboolean is_member = text[strspn (text, " \t\r\n")] == '"';
  g_autofree char *plain = is_member ? g_strdup_printf ("{%.*s\n}", (int) len, text)
                                     : g_strndup (text, len);
  g_autoptr (GArray) starts = g_array_new (FALSE, FALSE, sizeof (gsize));
  Reader reader = { .text = plain, .starts = starts };
  DetourJsonValue root;
  DetourctlValue *value;
  const char *reason;
  gsize offset = 0;

  len = strlen (plain);
  *is_hujson = detourctl_document_blank (plain, len);
  g_array_append_val (starts, offset);
  for (offset = 1; offset <= len; offset++)
    if (plain[offset - 1] == '\n')
      g_array_append_val (starts, offset);
  if (!detour_json_scan (plain, len, DETOURCTL_DOCUMENT_DEPTH_MAX, &root, NULL, NULL, &reason,
                         &offset))
    {
      g_set_error (error, DETOURCTL_DOCUMENT_ERROR, 0, _ ("%u: not JSON: %s"),
                   ctl_document_json_line (&reader, offset), reason);
      return NULL;
    }
  value = ctl_document_json_take (&reader, &root);
  if (value == NULL)
    g_set_error (error, DETOURCTL_DOCUMENT_ERROR, 0, _ ("1: more than %u values"),
                 DETOURCTL_DOCUMENT_VALUES_MAX);
  return value;
}
