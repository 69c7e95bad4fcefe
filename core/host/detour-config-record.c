/* detour-config-record.c: a configuration that is in force, for the program that comes next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-record.h"

#include <sodium.h>
#include <string.h>

/* A place is a file with a line, or a variable of the environment. Items of a group and of a key
 * come in the order of the file. */
enum {
  TAG_VENDOR_FILE = 1,
  TAG_MAIN_NAME = 2,
  TAG_GROUP = 3,
};

/* Of a group. */
enum {
  TAG_NAME = 1,
  TAG_FILE = 2,
  TAG_LINE = 3,
  TAG_KEY = 4,
};

/* Of a key; its name and its place have the same tags as those of a group. */
enum { TAG_VALUE = 4 };

/* Bytes of any of the texts: a line of a file has no more, and neither has a path. */
#define TEXT_MAX DETOUR_CONFIG_LINE_MAX

/* A path has any bytes; in messages it is shown like this. */
static void
config_record_put_path (DetourRecord *out, guint16 tag, const char *path)
{
  g_autofree char *text = path != NULL ? g_utf8_make_valid (path, -1) : NULL;

  detour_record_put_text (out, tag, text);
}

static void
config_record_write_key (const DetourMergedKey *key, DetourRecord *out)
{
  gsize mark = detour_record_begin (out, TAG_KEY);

  detour_record_put_text (out, TAG_NAME, key->key);
  config_record_put_path (out, TAG_FILE, key->file);
  detour_record_put_number (out, TAG_LINE, key->line);
  detour_record_put_text (out, TAG_VALUE, key->value);
  detour_record_end (out, mark);
}

static void
config_record_write_group (const DetourMergedGroup *group, DetourRecord *out)
{
  gsize mark = detour_record_begin (out, TAG_GROUP);

  detour_record_put_text (out, TAG_NAME, group->name);
  config_record_put_path (out, TAG_FILE, group->file);
  detour_record_put_number (out, TAG_LINE, group->line);
  for (guint i = 0; i < group->keys->len; i++)
    config_record_write_key (group->keys->pdata[i], out);
  detour_record_end (out, mark);
}

void
detour_config_record_write (const DetourConfig *config, DetourRecord *out, guint16 tag)
{
  const DetourConfigMerge *merge = config->merge;
  gsize mark = detour_record_begin (out, tag);

  config_record_put_path (out, TAG_VENDOR_FILE, merge->vendor_file);
  config_record_put_path (out, TAG_MAIN_NAME, merge->main_name);
  for (guint i = 0; i < merge->groups->len; i++)
    config_record_write_group (merge->groups->pdata[i], out);
  detour_record_end (out, mark);
}

/* Reading -------------------------------------------------------------------------------------- */

/* What an item of a group or a key says of itself. */
typedef struct {
  char *name, *file, *value; /* NULL: nothing */
  guint32 line;
} Place;

static void
config_record_place_clear (Place *self)
{
  if (self->value != NULL)
    sodium_memzero (self->value, strlen (self->value));
  g_free (self->value);
  g_free (self->name);
  g_free (self->file);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, config_record_place_clear)

/* FALSE: it says it twice, or wrongly. */
static gboolean
config_record_take_text (const DetourRecordItem *item, char **text)
{
  if (*text == NULL)
    *text = detour_record_dup_text (item, TEXT_MAX);
  else
    return FALSE;
  return *text != NULL;
}

/* Of a key, or of a group, whose keys are left for later. */
static gboolean
config_record_read_place (const DetourRecordItem *item, gboolean is_key, Place *place)
{
  DetourRecordReader reader = detour_record_inside (item);
  DetourRecordStep step;
  DetourRecordItem part;
  gboolean good = TRUE;

  while (good && (step = detour_record_next (&reader, &part)) == DETOUR_RECORD_ITEM)
    if (part.tag == TAG_NAME)
      good = config_record_take_text (&part, &place->name);
    else if (part.tag == TAG_FILE)
      good = config_record_take_text (&part, &place->file);
    else if (part.tag == TAG_LINE)
      good = detour_record_u32 (&part, &place->line);
    else if (part.tag == TAG_VALUE && is_key)
      good = config_record_take_text (&part, &place->value);
  return good && step == DETOUR_RECORD_END && place->name != NULL && place->file != NULL;
}

static gboolean
config_record_read_key (const DetourRecordItem *item, DetourMergedGroup *group)
{
  g_auto (Place) place = { NULL };

  if (!config_record_read_place (item, TRUE, &place))
    return FALSE;
  detour_merged_group_set (group, place.name, place.value != NULL ? place.value : "", place.file,
                           place.line);
  return TRUE;
}

static gboolean
config_record_read_group (const DetourRecordItem *item, DetourConfigMerge *merge)
{
  DetourRecordReader reader = detour_record_inside (item);
  g_auto (Place) place = { NULL };
  DetourMergedGroup *group;
  DetourRecordItem part;
  gboolean good = TRUE;

  if (!config_record_read_place (item, FALSE, &place))
    return FALSE;
  group = detour_config_merge_group (merge, place.name, place.file, place.line);
  while (good && detour_record_next (&reader, &part) == DETOUR_RECORD_ITEM)
    if (part.tag == TAG_KEY)
      good = config_record_read_key (&part, group);
  return good;
}

/* NULL: it is damaged. */
static DetourConfigMerge *
config_record_read_merge (const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  g_autofree char *vendor_file = detour_record_find_text (item, TAG_VENDOR_FILE, TEXT_MAX);
  g_autofree char *main_name = detour_record_find_text (item, TAG_MAIN_NAME, TEXT_MAX);
  g_autoptr (DetourConfigMerge) merge = NULL;
  DetourRecordStep step;
  DetourRecordItem part;

  if (main_name == NULL)
    return NULL;
  merge = detour_config_merge_new (vendor_file, main_name);
  while ((step = detour_record_next (&reader, &part)) == DETOUR_RECORD_ITEM)
    if (part.tag == TAG_GROUP && !config_record_read_group (&part, merge))
      return NULL;
  return step == DETOUR_RECORD_END ? g_steal_pointer (&merge) : NULL;
}

DetourConfig *
detour_config_record_read (const DetourRecordItem *item, DetourPlugins *plugins,
                           DetourConfigErrors *errors)
{
  DetourConfigMerge *merge = config_record_read_merge (item);

  if (merge != NULL)
    return detour_config_load_merged (merge, DETOUR_CONFIG_LOAD_AGAIN, plugins, errors);
  detour_config_errors_add (errors, NULL, 0, NULL, NULL, "the record of it is damaged");
  return NULL;
}
