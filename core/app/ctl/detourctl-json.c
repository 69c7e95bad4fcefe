/* detourctl-json.c: writes JSON as it comes, without building it first: a document on standard
 * output, or a text.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "detour-text.h"
#include "detourctl-format.h"

#define DEPTH_MAX   32u
#define FLUSH_BYTES 32768u

struct _DetourctlJson {
  GString *text;
  gboolean prints; /* to standard output; else the text is the caller's */
  guint depth;
  gboolean has_members[DEPTH_MAX];
};

DetourctlJson *
detourctl_json_new (GString *out)
{
  DetourctlJson *self = g_new0 (DetourctlJson, 1);

  self->text = out;
  return self;
}

static void
ctl_json_flush (DetourctlJson *self)
{
  if (!self->prints)
    return;
  fwrite (self->text->str, 1, self->text->len, stdout);
  g_string_truncate (self->text, 0);
}

void
detourctl_json_finish (DetourctlJson *self)
{
  g_assert (self->depth == 0);
  g_string_append_c (self->text, '\n');
  g_free (self);
}

DetourctlJson *
detourctl_json_begin_document (void)
{
  DetourctlJson *self = detourctl_json_new (g_string_new (NULL));

  self->prints = TRUE;
  detourctl_json_begin_object (self, NULL);
  return self;
}

DetourctlExit
detourctl_json_end_document (DetourctlJson *self, DetourctlExit exit)
{
  g_autoptr (GString) text = self->text;

  detourctl_json_end_object (self);
  g_string_append_c (text, '\n');
  ctl_json_flush (self);
  g_assert (self->depth == 0);
  g_free (self);
  if (fflush (stdout) == 0 && !ferror (stdout))
    return exit;
  return exit == DETOURCTL_GOOD ? DETOURCTL_FAILED : exit;
}

/* What nobody sees at a terminal, and what YAML and JavaScript take for the end of a line inside a
 * text, or for no text at all. */
static gboolean
ctl_json_is_escaped (gunichar c)
{
  return detour_text_is_hidden (c) || (c & 0xfffe) == 0xfffe;
}

static void
ctl_json_quote (DetourctlJson *self, const char *value)
{
  g_autofree char *valid = g_utf8_validate (value, -1, NULL) ? NULL : g_utf8_make_valid (value, -1);

  g_string_append_c (self->text, '"');
  for (const char *at = valid != NULL ? valid : value; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if (ctl_json_is_escaped (c) && c > 0xffff)
        g_string_append_printf (self->text, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
                                0xdc00 + (c & 0x3ff));
      else if (ctl_json_is_escaped (c))
        g_string_append_printf (self->text, "\\u%04x", c);
      else
        {
          if (c == '"' || c == '\\')
            g_string_append_c (self->text, '\\');
          g_string_append_unichar (self->text, c);
        }
    }
  g_string_append_c (self->text, '"');
}

/* The comma before a value, and its name in an object. */
static void
ctl_json_begin_value (DetourctlJson *self, const char *name)
{
  if (self->depth > 0)
    {
      if (self->has_members[self->depth - 1])
        g_string_append_c (self->text, ',');
      self->has_members[self->depth - 1] = TRUE;
      g_string_append_printf (self->text, "\n%*s", (int) (2 * self->depth), "");
    }
  if (name != NULL)
    {
      ctl_json_quote (self, name);
      g_string_append (self->text, ": ");
    }
  if (self->text->len >= FLUSH_BYTES)
    ctl_json_flush (self);
}

static void
ctl_json_begin (DetourctlJson *self, const char *name, char bracket)
{
  g_assert (self->depth < DEPTH_MAX);
  ctl_json_begin_value (self, name);
  g_string_append_c (self->text, bracket);
  self->has_members[self->depth++] = FALSE;
}

static void
ctl_json_end (DetourctlJson *self, char bracket)
{
  g_assert (self->depth > 0);
  self->depth--;
  if (self->has_members[self->depth])
    g_string_append_printf (self->text, "\n%*s", (int) (2 * self->depth), "");
  g_string_append_c (self->text, bracket);
}

void
detourctl_json_begin_object (DetourctlJson *self, const char *name)
{
  ctl_json_begin (self, name, '{');
}

void
detourctl_json_end_object (DetourctlJson *self)
{
  ctl_json_end (self, '}');
}

void
detourctl_json_begin_array (DetourctlJson *self, const char *name)
{
  ctl_json_begin (self, name, '[');
}

void
detourctl_json_end_array (DetourctlJson *self)
{
  ctl_json_end (self, ']');
}

void
detourctl_json_text (DetourctlJson *self, const char *name, const char *value)
{
  ctl_json_begin_value (self, name);
  if (value != NULL)
    ctl_json_quote (self, value);
  else
    g_string_append (self->text, "null");
}

void
detourctl_json_texts (DetourctlJson *self, const char *name, const GPtrArray *values)
{
  detourctl_json_begin_array (self, name);
  for (guint i = 0; i < values->len; i++)
    detourctl_json_text (self, NULL, values->pdata[i]);
  detourctl_json_end_array (self);
}

void
detourctl_json_number (DetourctlJson *self, const char *name, guint64 value)
{
  ctl_json_begin_value (self, name);
  g_string_append_printf (self->text, "%" G_GUINT64_FORMAT, value);
}

void
detourctl_json_signed (DetourctlJson *self, const char *name, gint64 value)
{
  ctl_json_begin_value (self, name);
  g_string_append_printf (self->text, "%" G_GINT64_FORMAT, value);
}

void
detourctl_json_real (DetourctlJson *self, const char *name, double value)
{
  char digits[G_ASCII_DTOSTR_BUF_SIZE];

  ctl_json_begin_value (self, name);
  g_string_append (self->text,
                   isfinite (value) ? g_ascii_dtostr (digits, sizeof digits, value) : "null");
}

void
detourctl_json_flag (DetourctlJson *self, const char *name, gboolean value)
{
  ctl_json_begin_value (self, name);
  g_string_append (self->text, value ? "true" : "false");
}

void
detourctl_json_time (DetourctlJson *self, const char *name, guint64 us)
{
  g_autofree char *text = us > 0 ? detourctl_format_time (us) : NULL;

  detourctl_json_text (self, name, text);
}

static void
ctl_json_write_dict (DetourctlJson *self, const char *name, GVariant *dict,
                     const char *const *times)
{
  GVariantIter iter;
  const char *key;
  GVariant *value;

  detourctl_json_begin_object (self, name);
  g_variant_iter_init (&iter, dict);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    detourctl_json_variant (self, key, value, times);
  detourctl_json_end_object (self);
}

static void
ctl_json_write_array (DetourctlJson *self, const char *name, GVariant *array,
                      const char *const *times)
{
  gsize n = g_variant_n_children (array);

  detourctl_json_begin_array (self, name);
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (array, i);

      detourctl_json_variant (self, NULL, child, times);
    }
  detourctl_json_end_array (self);
}

void
detourctl_json_variant (DetourctlJson *self, const char *name, GVariant *value,
                        const char *const *times)
{
  /* No daemon nests like that, but whoever answers in its place may. */
  if (g_variant_is_container (value) && self->depth == DEPTH_MAX)
    detourctl_json_text (self, name, NULL);
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    detourctl_json_text (self, name, g_variant_get_string (value, NULL));
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    {
      if (name != NULL && times != NULL && g_strv_contains (times, name))
        detourctl_json_time (self, name, g_variant_get_uint64 (value));
      else
        detourctl_json_number (self, name, g_variant_get_uint64 (value));
    }
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT32))
    detourctl_json_number (self, name, g_variant_get_uint32 (value));
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_DOUBLE))
    detourctl_json_real (self, name, g_variant_get_double (value));
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_BOOLEAN))
    detourctl_json_flag (self, name, g_variant_get_boolean (value));
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_VARDICT))
    ctl_json_write_dict (self, name, value, times);
  else if (g_variant_is_of_type (value, G_VARIANT_TYPE_ARRAY))
    ctl_json_write_array (self, name, value, times);
  else
    detourctl_json_text (self, name, NULL);
}

/* Objects of the daemon ------------------------------------------------------------------------ */

static const char *const times[] = { "StartTime", "Since",   "NotBefore", "NotAfter", "RenewTime",
                                     "ErrorTime", "NextTry", "Clock",     NULL };

/* "PacketsReceived" as "packets_received". */
static char *
ctl_json_member_name (const char *property)
{
  GString *name = g_string_new (NULL);

  for (const char *p = property; *p != '\0'; p++)
    {
      if (g_ascii_isupper (*p) && p != property)
        g_string_append_c (name, '_');
      g_string_append_c (name, g_ascii_tolower (*p));
    }
  if (strcmp (property, "Uptime") == 0)
    g_string_append (name, "_us");
  return g_string_free (name, FALSE);
}

/* No text has a line feed of its own in JSON. */
void
detourctl_json_print_line (GVariant *value, const char *const *times_of_value)
{
  g_autoptr (GString) text = g_string_new (NULL);
  DetourctlJson *json = detourctl_json_new (text);
  g_auto (GStrv) lines = NULL;
  g_autofree char *line = NULL;

  detourctl_json_variant (json, NULL, value, times_of_value);
  detourctl_json_finish (json);
  lines = g_strsplit (text->str, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    g_strchug (lines[i]);
  line = g_strjoinv ("", lines);
  g_print ("%s\n", line);
}

void
detourctl_json_properties (DetourctlJson *json, GVariant *properties)
{
  GVariantIter iter;
  const char *key;
  GVariant *value;

  g_variant_iter_init (&iter, properties);
  while (g_variant_iter_loop (&iter, "{&sv}", &key, &value))
    {
      g_autofree char *name = ctl_json_member_name (key);

      if (!g_strv_contains (times, key))
        detourctl_json_variant (json, name, value, NULL);
      else if (g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
        detourctl_json_time (json, name, g_variant_get_uint64 (value));
    }
}

static void
ctl_json_write_object (const char *path, GVariant *properties, gpointer user)
{
  detourctl_json_begin_object (user, NULL);
  detourctl_json_properties (user, properties);
  detourctl_json_end_object (user);
}

void
detourctl_json_objects (DetourctlJson *json, const char *name, GVariant *objects,
                        const char *interface)
{
  detourctl_json_begin_array (json, name);
  detourctl_each_object (objects, interface, ctl_json_write_object, json);
  detourctl_json_end_array (json);
}

DetourctlExit
detourctl_json_print_objects (const char *name, GVariant *objects, const char *interface)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_objects (json, name, objects, interface);
  return detourctl_json_end_document (json, DETOURCTL_GOOD);
}

DetourctlExit
detourctl_json_print_variant (const char *name, GVariant *value, const char *const *times_of_value)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_variant (json, name, value, times_of_value);
  return detourctl_json_end_document (json, DETOURCTL_GOOD);
}
