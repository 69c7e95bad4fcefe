/* prober-report.c: what the program saw at all nodes of a map, read from its document.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "prober-report.h"

#include <gio/gio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "detour-plugin.h"

#define DOCUMENT_MAX (16u << 20)
/* Names come from a map, and texts from certificates: more does not help anybody. */
#define NAME_MAX_CHARS 64
#define TEXT_MAX_CHARS 300

const char *
prober_status_name (ProberStatus status)
{
  static const char *const names[] = { "good", "warning", "failed", "skipped" };

  return names[status];
}

/* ---- members --------------------------------------------------------------------------------- */

/* Without control characters, and not longer than @max. */
static char *
prober_report_tidy (const char *text, glong max)
{
  GString *out = g_string_new (NULL);

  for (; *text != '\0' && max > 0; text = g_utf8_next_char (text), max--)
    {
      gunichar c = g_utf8_get_char (text);

      g_string_append_unichar (out, g_unichar_isprint (c) ? c : '?');
    }
  return g_string_free (out, FALSE);
}

static char *
prober_report_text (JsonObject *object, const char *name, glong max)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;
  return prober_report_tidy (json_node_get_string (node), max);
}

static gint64
prober_report_number (JsonObject *object, const char *name, gint64 fallback)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return fallback;
  return json_node_get_int (node);
}

static JsonArray *
prober_report_array (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
}

/* NULL: it is no object. */
static JsonObject *
prober_report_element (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  return JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static void
prober_report_check_free (gpointer data)
{
  ProberCheck *check = data;

  g_free (check->region);
  g_free (check->node);
  g_free (check->check);
  g_free (check->code);
  g_free (check->text);
  g_free (check);
}

static gboolean
prober_report_read_status (JsonObject *object, ProberStatus *status)
{
  g_autofree char *word = prober_report_text (object, "status", NAME_MAX_CHARS);

  for (guint i = 0; word != NULL && i < PROBER_N_STATUS; i++)
    if (strcmp (word, prober_status_name ((ProberStatus) i)) == 0)
      {
        *status = (ProberStatus) i;
        return TRUE;
      }
  return FALSE;
}

static gboolean
prober_report_read_check (ProberReport *self, JsonObject *object)
{
  ProberCheck *check = g_new0 (ProberCheck, 1);
  g_autofree char *to = prober_report_text (object, "to", NAME_MAX_CHARS);
  g_autofree char *node = prober_report_text (object, "node", NAME_MAX_CHARS);
  gint64 left_s = prober_report_number (object, "certificate_seconds", -1);
  gint64 rate = prober_report_number (object, "bytes_per_second", 0);

  g_ptr_array_add (self->checks, check);
  check->region = g_strdup_printf ("%" G_GINT64_FORMAT, prober_report_number (object, "region", 0));
  check->node = to != NULL ? g_strconcat (node != NULL ? node : "", ">", to, NULL)
                           : g_steal_pointer (&node);
  check->check = prober_report_text (object, "check", NAME_MAX_CHARS);
  check->code = prober_report_text (object, "code", NAME_MAX_CHARS);
  check->text = prober_report_text (object, "text", TEXT_MAX_CHARS);
  check->took_us = prober_report_number (object, "microseconds", -1);
  check->certificate_us = json_object_has_member (object, "certificate_seconds")
                            ? CLAMP (left_s, 0, G_MAXINT64 / G_USEC_PER_SEC) * G_USEC_PER_SEC
                            : -1;
  check->rate = rate > 0 ? (guint64) rate : 0;
  if (check->node == NULL || check->check == NULL || check->code == NULL || check->text == NULL
      || !prober_report_read_status (object, &check->status))
    return FALSE;
  self->n[check->status]++;
  return TRUE;
}

static gboolean
prober_report_read_checks (ProberReport *self, JsonArray *array)
{
  for (guint i = 0; i < json_array_get_length (array); i++)
    {
      JsonObject *object = prober_report_element (array, i);

      if (object == NULL || !prober_report_read_check (self, object))
        return FALSE;
    }
  return TRUE;
}

static void
prober_report_read_advice (ProberReport *self, JsonArray *array)
{
  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++)
    {
      JsonObject *object = prober_report_element (array, i);
      g_autofree char *code = object != NULL ? prober_report_text (object, "code", NAME_MAX_CHARS)
                                             : NULL;

      char *text = code != NULL ? prober_report_text (object, "text", TEXT_MAX_CHARS) : NULL;

      if (text == NULL)
        continue;
      g_ptr_array_add (self->advice, text);
      if (strstr (code, "home") != NULL)
        self->home = text;
    }
}

/* ---------------------------------------------------------------------------------------------- */

ProberReport *
prober_report_parse (const char *text, gsize len, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (ProberReport) self = g_new0 (ProberReport, 1);
  JsonNode *root;
  JsonArray *checks;

  self->checks = g_ptr_array_new_with_free_func (prober_report_check_free);
  self->advice = g_ptr_array_new_with_free_func (g_free);
  if (!detour_json_check (text, len, DOCUMENT_MAX, error)
      || !json_parser_load_from_data (parser, text, (gssize) len, error))
    return NULL;
  root = json_parser_get_root (parser);
  checks = root != NULL && JSON_NODE_HOLDS_OBJECT (root)
             ? prober_report_array (json_node_get_object (root), "checks")
             : NULL;
  if (checks == NULL || !prober_report_read_checks (self, checks))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           "it is not the document of detourctl probe");
      return NULL;
    }
  prober_report_read_advice (self, prober_report_array (json_node_get_object (root), "client"));
  self->n_map_errors = (guint) CLAMP (
      prober_report_number (json_node_get_object (root), "map_errors", 0), 0, G_MAXUINT);
  return g_steal_pointer (&self);
}

void
prober_report_free (ProberReport *self)
{
  g_ptr_array_unref (self->checks);
  g_ptr_array_unref (self->advice);
  g_free (self);
}

char *
prober_check_id (const ProberCheck *check)
{
  return g_strjoin ("\n", check->region, check->node, check->check, NULL);
}

char *
prober_check_name (const ProberCheck *check)
{
  return g_strconcat (check->node, " ", check->check, NULL);
}

const ProberCheck *
prober_report_first_failed (const ProberReport *self)
{
  for (guint i = 0; i < self->checks->len; i++)
    {
      const ProberCheck *check = self->checks->pdata[i];

      if (check->status == PROBER_FAILED)
        return check;
    }
  return NULL;
}
