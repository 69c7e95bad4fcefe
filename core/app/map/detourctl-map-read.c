/* detourctl-map-read.c: reads a DERP map from a document of whichever form.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "detour-nearest.h"
#include "detour-text.h"
#include "detourctl-map-field.h"

static const DetourctlMapField map_fields[] = {
  { "Regions", FIELD_OTHER, 0, 0 },
  { "omitDefaultRegions", FIELD_FLAG, offsetof (DetourctlMap, omit_default_regions), 0 },
  { "HomeParams", FIELD_OTHER, 0, 0 },
  { NULL },
};

static const DetourctlMapField home_fields[] = {
  { "RegionScore", FIELD_OTHER, 0, 0 },
  { NULL },
};

static const DetourctlMapField *
ctl_map_read_find_field (const DetourctlMapField *fields, const char *name)
{
  for (; fields->name != NULL; fields++)
    if (g_ascii_strcasecmp (fields->name, name) == 0)
      return fields;
  return NULL;
}

static char *
ctl_map_read_path (const char *path, const char *name)
{
  g_autofree char *shown = g_strescape (name, NULL);

  return *path == '\0' ? g_steal_pointer (&shown) : g_strconcat (path, ".", shown, NULL);
}

static const char *
ctl_map_read_type_name (const DetourctlValue *value)
{
  switch (value->type)
    {
    case DETOURCTL_VALUE_NULL:
      return _ ("nothing");
    case DETOURCTL_VALUE_FLAG:
      return _ ("true or false");
    case DETOURCTL_VALUE_NUMBER:
      return _ ("a number");
    case DETOURCTL_VALUE_TEXT:
      return _ ("a text");
    case DETOURCTL_VALUE_LIST:
      return _ ("a list");
    default:
      return _ ("an object");
    }
}

static void
ctl_map_read_note_type (DetourctlMap *self, const DetourctlValue *value, const char *path,
                        const char *expected)
{
  detourctl_map_note (self, TRUE, value->line, path, _ ("found %s, expected %s"),
                      ctl_map_read_type_name (value), expected);
}

static gboolean
ctl_map_read_is_finite (const DetourctlValue *value)
{
  return value->type == DETOURCTL_VALUE_NUMBER && isfinite (g_ascii_strtod (value->text, NULL));
}

static void
ctl_map_read_note_no_number (DetourctlMap *self, const DetourctlValue *value, const char *path)
{
  if (value->type == DETOURCTL_VALUE_NUMBER)
    detourctl_map_note (self, TRUE, value->line, path, _ ("%s is too large for a number"),
                        value->text);
  else
    ctl_map_read_note_type (self, value, path, _ ("a number"));
}

static void
ctl_map_read_check_text (DetourctlMap *self, const DetourctlValue *value, const char *path)
{
  gunichar hidden = detour_text_find_hidden (value->text);

  if (hidden != 0)
    detourctl_map_note (self, TRUE, value->line, path,
                        _ ("has a character that is not seen or turns the direction of writing, "
                           "U+%04X; type it anew"),
                        hidden);
}

static void
ctl_map_read_take_field (DetourctlMap *self, const DetourctlMapField *field,
                         const DetourctlValue *value, const char *path, gpointer into)
{
  gpointer place = (char *) into + field->offset;
  /* A number is a text for YAML's readers where a text is wanted. */
  gboolean is_text = value->type == DETOURCTL_VALUE_TEXT
                  || (self->kind == DETOURCTL_DOCUMENT_YAML
                      && value->type == DETOURCTL_VALUE_NUMBER);

  if (field->type == FIELD_OTHER || value->type == DETOURCTL_VALUE_NULL)
    return;
  switch (field->type)
    {
    case FIELD_TEXT:
      if (!is_text)
        {
          ctl_map_read_note_type (self, value, path, _ ("a text"));
          return;
        }
      ctl_map_read_check_text (self, value, path);
      g_free (*(char **) place);
      *(char **) place = g_strdup (value->text);
      break;
    case FIELD_INTEGER:
      if (!detourctl_value_integer (value, place))
        {
          ctl_map_read_note_type (self, value, path, _ ("a whole number"));
          return;
        }
      break;
    case FIELD_NUMBER:
      if (!ctl_map_read_is_finite (value))
        {
          ctl_map_read_note_no_number (self, value, path);
          return;
        }
      g_free (*(char **) place);
      *(char **) place = g_strdup (value->text);
      break;
    default:
      if (value->type != DETOURCTL_VALUE_FLAG)
        {
          ctl_map_read_note_type (self, value, path, _ ("true or false"));
          return;
        }
      *(gboolean *) place = value->flag;
      break;
    }
  if (field->has_offset != 0)
    G_STRUCT_MEMBER (gboolean, into, field->has_offset) = TRUE;
}

/* A name that none of @fields has. */
static void
ctl_map_read_note_unknown (DetourctlMap *self, const DetourctlMapField *fields,
                           const DetourctlValue *value, const char *path)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  const char *nearest;

  for (; fields->name != NULL; fields++)
    g_ptr_array_add (names, (gpointer) fields->name);
  g_ptr_array_add (names, NULL);
  nearest = detour_nearest (value->name, (const char *const *) names->pdata);
  if (nearest != NULL)
    detourctl_map_note (self, TRUE, value->line, path,
                        _ ("no such key, so clients do not see it; do you mean %s?"), nearest);
  else
    detourctl_map_note (self, FALSE, value->line, path,
                        _ ("no such key; clients take no notice of it"));
}

/* Headscale's reader of YAML wants the names in lower case, and takes no notice of others. */
static void
ctl_map_read_check_spelling (DetourctlMap *self, const DetourctlValue *value, const char *path)
{
  g_autofree char *lower = NULL;

  if (self->kind != DETOURCTL_DOCUMENT_YAML)
    return;
  lower = g_ascii_strdown (value->name, -1);
  if (strcmp (lower, value->name) != 0)
    detourctl_map_note (self, TRUE, value->line, path,
                        _ ("Headscale takes no notice of this spelling in YAML; write %s"), lower);
}

typedef void (*MemberFunc) (DetourctlMap *self, const char *path, const DetourctlValue *value,
                            gpointer into);

/* All members of @object into the struct @into. @other: for those of FIELD_OTHER */
static void
ctl_map_read_take_object (DetourctlMap *self, const DetourctlValue *object, const char *path,
                          const DetourctlMapField *fields, gpointer into, MemberFunc other)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < object->values->len; i++)
    {
      const DetourctlValue *value = object->values->pdata[i];
      const DetourctlMapField *field = ctl_map_read_find_field (fields, value->name);
      g_autofree char *member = ctl_map_read_path (path, value->name);

      if (field == NULL)
        {
          ctl_map_read_note_unknown (self, fields, value, member);
          continue;
        }
      ctl_map_read_check_spelling (self, value, member);
      if (!g_hash_table_add (seen, (gpointer) field->name))
        detourctl_map_note (self, TRUE, value->line, member,
                            _ ("is there twice; clients take the last one"));
      ctl_map_read_take_field (self, field, value, member, into);
      if (field->type == FIELD_OTHER)
        other (self, member, value, into);
    }
}

/* FALSE after a finding. */
static gboolean
ctl_map_read_expect (DetourctlMap *self, const DetourctlValue *value, const char *path,
                     DetourctlValueType type)
{
  if (value->type == type)
    return TRUE;
  ctl_map_read_note_type (self, value, path,
                          type == DETOURCTL_VALUE_LIST ? _ ("a list") : _ ("an object"));
  return FALSE;
}

static void
ctl_map_read_take_nodes (DetourctlMap *self, const char *path, const DetourctlValue *list,
                         gpointer into)
{
  DetourctlMapRegion *region = into;

  g_ptr_array_set_size (region->nodes, 0);
  if (list->type == DETOURCTL_VALUE_NULL
      || !ctl_map_read_expect (self, list, path, DETOURCTL_VALUE_LIST))
    return;
  for (guint i = 0; i < list->values->len; i++)
    {
      const DetourctlValue *value = list->values->pdata[i];
      g_autofree char *place = g_strdup_printf ("%s[%u]", path, i);
      DetourctlMapNode *node;

      if (!ctl_map_read_expect (self, value, place, DETOURCTL_VALUE_OBJECT))
        continue;
      node = detourctl_map_add_node (region, place);
      node->line = value->line;
      ctl_map_read_take_object (self, value, place, detourctl_map_node_fields, node, NULL);
    }
}

/* The number that a member's name is; FALSE after a finding. */
static gboolean
ctl_map_read_key (DetourctlMap *self, const DetourctlValue *value, const char *path, gint64 *out)
{
  if (!g_ascii_string_to_signed (value->name, 10, G_MININT64, G_MAXINT64, out, NULL))
    {
      detourctl_map_note (self, TRUE, value->line, path,
                          _ ("the name of a region is its number; the whole map is refused"));
      return FALSE;
    }
  if (self->kind == DETOURCTL_DOCUMENT_YAML && !value->is_plain_name)
    detourctl_map_note (self, TRUE, value->line, path,
                        _ ("in YAML the number is to have no quotes, or Headscale refuses the "
                           "whole map"));
  return TRUE;
}

static void
ctl_map_read_take_regions (DetourctlMap *self, const char *path, const DetourctlValue *object,
                           gpointer into)
{
  g_autoptr (GHashTable) seen = NULL;

  if (object->type == DETOURCTL_VALUE_NULL
      || !ctl_map_read_expect (self, object, path, DETOURCTL_VALUE_OBJECT))
    return;
  seen = g_hash_table_new (g_int64_hash, g_int64_equal);
  for (guint i = 0; i < object->values->len; i++)
    {
      const DetourctlValue *value = object->values->pdata[i];
      g_autofree char *place = ctl_map_read_path (path, value->name);
      DetourctlMapRegion *region;
      gint64 key;

      if (!ctl_map_read_key (self, value, place, &key)
          || (value->type != DETOURCTL_VALUE_NULL
              && !ctl_map_read_expect (self, value, place, DETOURCTL_VALUE_OBJECT)))
        continue;
      region = detourctl_map_add_region (self, key, place);
      region->line = value->line;
      region->is_null = value->type == DETOURCTL_VALUE_NULL;
      if (!g_hash_table_add (seen, &region->key))
        detourctl_map_note (self, TRUE, value->line, place,
                            _ ("is there twice; clients take the last one"));
      if (!region->is_null)
        ctl_map_read_take_object (self, value, place, detourctl_map_region_fields, region,
                                  ctl_map_read_take_nodes);
    }
}

static void
ctl_map_read_take_scores (DetourctlMap *self, const char *path, const DetourctlValue *object,
                          gpointer into)
{
  if (object->type == DETOURCTL_VALUE_NULL
      || !ctl_map_read_expect (self, object, path, DETOURCTL_VALUE_OBJECT))
    return;
  for (guint i = 0; i < object->values->len; i++)
    {
      const DetourctlValue *value = object->values->pdata[i];
      g_autofree char *place = ctl_map_read_path (path, value->name);
      DetourctlMapScore *score;
      gint64 key;

      if (!ctl_map_read_key (self, value, place, &key))
        continue;
      if (!ctl_map_read_is_finite (value))
        {
          ctl_map_read_note_no_number (self, value, place);
          continue;
        }
      if (g_ascii_strtod (value->text, NULL) <= 0)
        detourctl_map_note (self, FALSE, value->line, place,
                            _ ("a factor of %s counts as none; write a number above 0"),
                            value->text);
      score = g_new0 (DetourctlMapScore, 1);
      score->region = key;
      score->factor = g_strdup (value->text);
      g_ptr_array_add (self->scores, score);
    }
}

static void
ctl_map_read_take_member (DetourctlMap *self, const char *path, const DetourctlValue *value,
                          gpointer into)
{
  if (g_ascii_strcasecmp (value->name, "Regions") == 0)
    ctl_map_read_take_regions (self, path, value, into);
  else if (value->type != DETOURCTL_VALUE_NULL
           && ctl_map_read_expect (self, value, path, DETOURCTL_VALUE_OBJECT))
    ctl_map_read_take_object (self, value, path, home_fields, self, ctl_map_read_take_scores);
}

DetourctlMap *
detourctl_map_read (const DetourctlDocument *document)
{
  DetourctlMap *self = detourctl_map_new ();
  const DetourctlValue *root = document->root;
  const DetourctlValue *inner = detourctl_value_member (root, "derpMap");

  self->kind = document->kind;
  self->is_policy = inner != NULL;
  if (inner != NULL)
    root = inner;
  if (ctl_map_read_expect (self, root, inner != NULL ? "derpMap" : "", DETOURCTL_VALUE_OBJECT))
    ctl_map_read_take_object (self, root, inner != NULL ? "derpMap" : "", map_fields, self,
                              ctl_map_read_take_member);
  return self;
}
