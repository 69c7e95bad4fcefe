/* detourctl-document-yaml.c: reads YAML into a tree that knows its lines.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-document.h"

#include <glib/gi18n.h>
#include <string.h>
#include <yaml.h>

typedef struct {
  yaml_parser_t parser;
  GHashTable *anchors; /* char *: DetourctlValue that is complete, borrowed */
  guint n_values;
  gsize n_copied; /* bytes of texts and names that aliases stand for */
  guint depth;
} Reader;

static gboolean
ctl_document_yaml_fail (GError **error, gsize line, const char *text)
{
  g_set_error (error, DETOURCTL_DOCUMENT_ERROR, 0, "%" G_GSIZE_FORMAT ": %s", line + 1, text);
  return FALSE;
}

static gboolean
ctl_document_yaml_is_number (const char *text)
{
  const char *p = text + (*text == '-' || *text == '+');
  guint digits = 0, points = 0;

  for (; g_ascii_isdigit (*p) || (*p == '.' && points == 0); p++)
    if (*p == '.')
      points++;
    else
      digits++;
  return digits > 0 && *p == '\0';
}

/* As YAML's core schema reads a text without quotes; numbers of other bases are texts. */
static DetourctlValueType
ctl_document_yaml_type (const char *text, gboolean *flag)
{
  static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
  static const char *const flags[] = { "true", "True", "TRUE", "false", "False", "FALSE" };

  for (guint i = 0; i < G_N_ELEMENTS (nulls); i++)
    if (strcmp (nulls[i], text) == 0)
      return DETOURCTL_VALUE_NULL;
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    if (strcmp (flags[i], text) == 0)
      {
        *flag = i < 3;
        return DETOURCTL_VALUE_FLAG;
      }
  return ctl_document_yaml_is_number (text) ? DETOURCTL_VALUE_NUMBER : DETOURCTL_VALUE_TEXT;
}

static gboolean
ctl_document_yaml_next (Reader *reader, yaml_event_t *event, GError **error)
{
  if (yaml_parser_parse (&reader->parser, event))
    return TRUE;
  return ctl_document_yaml_fail (error, reader->parser.problem_mark.line,
                                 reader->parser.problem != NULL ? reader->parser.problem
                                                                : "not YAML");
}

/* A text is copied for each alias, so a long one with many aliases would take all memory. */
static gboolean
ctl_document_yaml_count (Reader *reader, const DetourctlValue *value)
{
  reader->n_copied += value->name != NULL ? strlen (value->name) : 0;
  reader->n_copied += value->text != NULL ? strlen (value->text) : 0;
  return ++reader->n_values <= DETOURCTL_DOCUMENT_VALUES_MAX
      && reader->n_copied <= DETOURCTL_DOCUMENT_BYTES_MAX;
}

/* NULL: there are too many values, or they are too long. */
static DetourctlValue *
ctl_document_yaml_copy (Reader *reader, const DetourctlValue *value, guint line, guint depth)
{
  g_autoptr (DetourctlValue) copy = NULL;

  if (!ctl_document_yaml_count (reader, value) || depth > DETOURCTL_DOCUMENT_DEPTH_MAX)
    return NULL;
  copy = detourctl_value_new (value->type, line);
  copy->name = g_strdup (value->name);
  copy->text = g_strdup (value->text);
  copy->flag = value->flag;
  copy->is_plain_name = value->is_plain_name;
  for (guint i = 0; value->values != NULL && i < value->values->len; i++)
    {
      DetourctlValue *part = ctl_document_yaml_copy (reader, value->values->pdata[i], line,
                                                     depth + 1);

      if (part == NULL)
        return NULL;
      g_ptr_array_add (copy->values, part);
    }
  return g_steal_pointer (&copy);
}

static DetourctlValue *
ctl_document_yaml_alias (Reader *reader, const yaml_event_t *event, GError **error)
{
  gsize line = event->start_mark.line;
  const DetourctlValue *meant = g_hash_table_lookup (reader->anchors, event->data.alias.anchor);
  DetourctlValue *copy;

  if (meant == NULL)
    {
      ctl_document_yaml_fail (error, line, _ ("an alias of nothing that stands before it"));
      return NULL;
    }
  copy = ctl_document_yaml_copy (reader, meant, (guint) line + 1, reader->depth);
  if (copy == NULL)
    {
      ctl_document_yaml_fail (error, line,
                              _ ("the aliases stand for too many values, or too long ones"));
      return NULL;
    }
  /* The name belongs to the place, not to the value. */
  g_clear_pointer (&copy->name, g_free);
  copy->is_plain_name = FALSE;
  return copy;
}

static DetourctlValue *
ctl_document_yaml_scalar (const yaml_event_t *event)
{
  const char *text = (const char *) event->data.scalar.value;
  gboolean flag = FALSE;
  DetourctlValueType type = event->data.scalar.plain_implicit ? ctl_document_yaml_type (text, &flag)
                                                              : DETOURCTL_VALUE_TEXT;
  DetourctlValue *value = detourctl_value_new (type, (guint) event->start_mark.line + 1);

  value->flag = flag;
  if (type != DETOURCTL_VALUE_NULL)
    value->text = g_strdup (text);
  return value;
}

static DetourctlValue *ctl_document_yaml_value (Reader *reader, yaml_event_t *event,
                                                GError **error);

static gboolean
ctl_document_yaml_fill (Reader *reader, DetourctlValue *into, GError **error)
{
  for (;;)
    {
      yaml_event_t event;
      g_autofree char *name = NULL;
      gboolean is_plain = FALSE;
      guint line = 0;
      DetourctlValue *value;

      if (!ctl_document_yaml_next (reader, &event, error))
        return FALSE;
      if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
        {
          yaml_event_delete (&event);
          return TRUE;
        }
      if (into->type == DETOURCTL_VALUE_OBJECT)
        {
          line = (guint) event.start_mark.line + 1;
          if (event.type == YAML_SCALAR_EVENT)
            {
              name = g_strdup ((const char *) event.data.scalar.value);
              is_plain = event.data.scalar.plain_implicit;
            }
          yaml_event_delete (&event);
          if (name == NULL)
            return ctl_document_yaml_fail (error, line - 1, _ ("a name that is no text"));
          if (!ctl_document_yaml_next (reader, &event, error))
            return FALSE;
        }
      value = ctl_document_yaml_value (reader, &event, error);
      if (value == NULL)
        return FALSE;
      value->name = g_steal_pointer (&name);
      value->is_plain_name = is_plain;
      if (line != 0)
        value->line = line;
      g_ptr_array_add (into->values, value);
    }
}

/* An anchor may be set again; what came before it meant the old one. */
static void
ctl_document_yaml_remember (Reader *reader, const char *anchor, DetourctlValue *value)
{
  if (anchor != NULL)
    g_hash_table_insert (reader->anchors, g_strdup (anchor), value);
}

/* The value that @event begins; consumes @event. */
static DetourctlValue *
ctl_document_yaml_value (Reader *reader, yaml_event_t *event, GError **error)
{
  gsize line = event->start_mark.line;
  g_autoptr (DetourctlValue) value = NULL;
  g_autofree char *anchor = NULL;

  if (event->type == YAML_ALIAS_EVENT)
    {
      value = ctl_document_yaml_alias (reader, event, error);
      yaml_event_delete (event);
      return g_steal_pointer (&value);
    }
  if (++reader->n_values > DETOURCTL_DOCUMENT_VALUES_MAX
      || reader->depth == DETOURCTL_DOCUMENT_DEPTH_MAX)
    {
      yaml_event_delete (event);
      ctl_document_yaml_fail (error, line, _ ("too many values, or nested too deep"));
      return NULL;
    }
  switch (event->type)
    {
    case YAML_SCALAR_EVENT:
      value = ctl_document_yaml_scalar (event);
      anchor = g_strdup ((const char *) event->data.scalar.anchor);
      break;
    case YAML_SEQUENCE_START_EVENT:
      value = detourctl_value_new (DETOURCTL_VALUE_LIST, (guint) line + 1);
      anchor = g_strdup ((const char *) event->data.sequence_start.anchor);
      break;
    case YAML_MAPPING_START_EVENT:
      value = detourctl_value_new (DETOURCTL_VALUE_OBJECT, (guint) line + 1);
      anchor = g_strdup ((const char *) event->data.mapping_start.anchor);
      break;
    default:
      ctl_document_yaml_fail (error, line, _ ("expected a value"));
      break;
    }
  yaml_event_delete (event);
  if (value == NULL)
    return NULL;
  if (value->values != NULL)
    {
      reader->depth++;
      if (!ctl_document_yaml_fill (reader, value, error))
        return NULL;
      reader->depth--;
    }
  ctl_document_yaml_remember (reader, anchor, value);
  return g_steal_pointer (&value);
}

/* The first document of the stream. */
static DetourctlValue *
ctl_document_yaml_root (Reader *reader, GError **error)
{
  yaml_event_t event;

  for (;;)
    {
      if (!ctl_document_yaml_next (reader, &event, error))
        return NULL;
      if (event.type == YAML_STREAM_END_EVENT)
        {
          yaml_event_delete (&event);
          ctl_document_yaml_fail (error, 0, _ ("there is nothing in it"));
          return NULL;
        }
      if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT)
        return ctl_document_yaml_value (reader, &event, error);
      yaml_event_delete (&event);
    }
}

DetourctlValue *
detourctl_document_read_yaml (const char *text, gsize len, GError **error)
{
  Reader reader = { .n_values = 0 };
  DetourctlValue *root;

  if (!yaml_parser_initialize (&reader.parser))
    g_error ("out of memory");
  reader.anchors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  yaml_parser_set_input_string (&reader.parser, (const unsigned char *) text, len);
  root = ctl_document_yaml_root (&reader, error);
  g_hash_table_unref (reader.anchors);
  yaml_parser_delete (&reader.parser);
  return root;
}
