/* detourctl-document.c: a tree of values, read from JSON, JSON with comments, or YAML.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-document.h"

#include <glib/gi18n.h>
#include <string.h>

G_DEFINE_QUARK (detourctl-document-error, detourctl_document_error);

DetourctlValue *
detourctl_value_new (DetourctlValueType type, guint line)
{
  DetourctlValue *self = g_new0 (DetourctlValue, 1);

  self->type = type;
  self->line = line;
  if (type == DETOURCTL_VALUE_LIST || type == DETOURCTL_VALUE_OBJECT)
    self->values = g_ptr_array_new_with_free_func ((GDestroyNotify) detourctl_value_free);
  return self;
}

/* Its depth is bounded by the readers. */
void
detourctl_value_free (DetourctlValue *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self->text);
  g_clear_pointer (&self->values, g_ptr_array_unref);
  g_free (self);
}

const DetourctlValue *
detourctl_value_member (const DetourctlValue *object, const char *name)
{
  if (object == NULL || object->type != DETOURCTL_VALUE_OBJECT)
    return NULL;
  for (guint i = object->values->len; i > 0; i--)
    {
      const DetourctlValue *value = object->values->pdata[i - 1];

      if (g_strcmp0 (value->name, name) == 0)
        return value;
    }
  return NULL;
}

gboolean
detourctl_value_integer (const DetourctlValue *self, gint64 *out)
{
  return self->type == DETOURCTL_VALUE_NUMBER
      && g_ascii_string_to_signed (self->text, 10, G_MININT64, G_MAXINT64, out, NULL);
}

/* Whether the first thing behind blanks and comments is a brace, or the quote of a member that was
 * cut out of an object. */
static gboolean
ctl_document_is_json (const char *text, gsize len)
{
  for (gsize i = 0; i < len; i++)
    {
      if (g_ascii_isspace (text[i]))
        continue;
      if (text[i] != '/' || i + 1 == len)
        return text[i] == '{' || text[i] == '"';
      if (text[i + 1] == '/')
        {
          const char *end = memchr (text + i, '\n', len - i);

          if (end == NULL)
            return TRUE;
          i = (gsize) (end - text);
        }
      else if (text[i + 1] == '*')
        {
          const char *end = g_strstr_len (text + i + 2, (gssize) (len - i - 2), "*/");

          if (end == NULL)
            return TRUE;
          i = (gsize) (end - text) + 1;
        }
      else
        {
          return FALSE;
        }
    }
  return FALSE;
}

DetourctlDocument *
detourctl_document_parse (const char *text, gsize len, GError **error)
{
  DetourctlDocument *self;
  DetourctlValue *root;
  DetourctlDocumentKind kind = DETOURCTL_DOCUMENT_YAML;

  if (len > DETOURCTL_DOCUMENT_BYTES_MAX)
    {
      g_set_error (error, DETOURCTL_DOCUMENT_ERROR, 0, _ ("1: %zu bytes; expected at most %u"), len,
                   DETOURCTL_DOCUMENT_BYTES_MAX);
      return NULL;
    }
  /* No text may have no address. */
  if (len == 0)
    text = "";
  if (memchr (text, '\0', len) != NULL)
    {
      g_set_error_literal (error, DETOURCTL_DOCUMENT_ERROR, 0, _ ("1: not a text"));
      return NULL;
    }
  if (ctl_document_is_json (text, len))
    {
      gboolean is_hujson = FALSE;

      root = detourctl_document_read_json (text, len, &is_hujson, error);
      kind = is_hujson ? DETOURCTL_DOCUMENT_HUJSON : DETOURCTL_DOCUMENT_JSON;
    }
  else
    {
      root = detourctl_document_read_yaml (text, len, error);
    }
  if (root == NULL)
    return NULL;
  self = g_new0 (DetourctlDocument, 1);
  self->kind = kind;
  self->root = root;
  return self;
}

void
detourctl_document_free (DetourctlDocument *self)
{
  if (self == NULL)
    return;
  detourctl_value_free (self->root);
  g_free (self);
}
