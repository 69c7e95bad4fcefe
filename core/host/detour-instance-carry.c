/* detour-instance-carry.c: what an instance has counted and what its plugin remembers, written down
 * for the program that takes the place of this one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-instance-private.h"

#define NAME_MAX_LEN 256u
/* Of counters of an instance that are taken over. */
#define COUNTERS_MAX 4096u

/* Numbers of tags are never used for another thing. */
enum {
  TAG_ID = 1,
  TAG_PLUGIN = 2,
  TAG_COUNTER = 3,
  TAG_FROZEN = 4,
  TAG_PEER = 5, /* of the mesh */
};

/* Of a counter; labels are pairs. */
enum {
  TAG_C_NAME = 1,
  TAG_C_LABEL = 2,
  TAG_C_LABEL_VALUE = 3,
  TAG_C_VALUE = 4,
};

/* Writing -------------------------------------------------------------------------------------- */

static void
instance_carry_put_counter (const DetourInstanceMetric *entry, DetourRecord *out)
{
  const DetourMetric *metric = &entry->metric;
  guint64 value = detour_counter_get (&entry->number);
  gsize mark;

  if (metric->type != DETOUR_METRIC_COUNTER || value == 0)
    return;
  mark = detour_record_begin (out, TAG_COUNTER);
  detour_record_put_text (out, TAG_C_NAME, metric->name);
  for (guint i = 0; i < metric->n_labels; i++)
    {
      detour_record_put_text (out, TAG_C_LABEL, metric->labels[i].name);
      detour_record_put_text (out, TAG_C_LABEL_VALUE, metric->labels[i].value);
    }
  detour_record_put_number (out, TAG_C_VALUE, value);
  detour_record_end (out, mark);
}

/* Also those that the program before had counted and nobody asked for since. */
static void
instance_carry_put_counters (DetourInstance *self, DetourRecord *out)
{
  g_mutex_lock (&self->lock);
  for (guint i = 0; i < self->metrics->len; i++)
    instance_carry_put_counter (self->metrics->pdata[i], out);
  g_mutex_unlock (&self->lock);
}

static void
instance_carry_put_frozen (const DetourInstance *self, DetourRecord *out)
{
  g_autoptr (GBytes) frozen = NULL;

  /* It has not started since the last time: what it had frozen then goes along once more. */
  if (self->frozen != NULL)
    frozen = g_bytes_ref (self->frozen);
  else if (self->self != NULL && self->plugin->freeze != NULL)
    frozen = self->plugin->freeze (self->self);
  if (frozen == NULL)
    return;
  if (g_bytes_get_size (frozen) > DETOUR_PLUGIN_FROZEN_MAX)
    g_warning ("%s would take %" G_GSIZE_FORMAT " bytes along, which is too much", self->id,
               g_bytes_get_size (frozen));
  else
    detour_record_put (out, TAG_FROZEN, g_bytes_get_data (frozen, NULL), g_bytes_get_size (frozen));
}

static gsize
instance_carry_begin (const DetourInstance *self, DetourRecord *out, guint16 tag)
{
  gsize mark = detour_record_begin (out, tag);

  detour_record_put_text (out, TAG_ID, self->id);
  detour_record_put_text (out, TAG_PLUGIN, self->plugin_name);
  return mark;
}

void
detour_instance_write_memory (const DetourInstance *self, DetourRecord *out, guint16 tag)
{
  gsize mark = instance_carry_begin (self, out, tag);

  instance_carry_put_frozen (self, out);
  detour_record_end (out, mark);
}

void
detour_instance_write_counters (DetourInstance *self, DetourRecord *out, guint16 tag)
{
  gsize mark = instance_carry_begin (self, out, tag);

  instance_carry_put_counters (self, out);
  detour_mesh_reports_write (self, out, TAG_PEER);
  detour_record_end (out, mark);
}

/* Reading -------------------------------------------------------------------------------------- */

/* Names of counters live as long as the process, and there are few. */
static gboolean
instance_carry_take_name (const DetourRecordItem *item, const char **name)
{
  g_autofree char *text = detour_record_dup_text (item, NAME_MAX_LEN);

  *name = text != NULL ? g_intern_string (text) : NULL;
  return text != NULL;
}

static gboolean
instance_carry_take_counter_fact (const DetourRecordItem *item, gpointer user)
{
  DetourMetric *metric = user;

  switch (item->tag)
    {
    case TAG_C_NAME:
      return instance_carry_take_name (item, &metric->name);
    case TAG_C_LABEL:
      return metric->n_labels < DETOUR_METRIC_LABELS_MAX
          && instance_carry_take_name (item, &metric->labels[metric->n_labels++].name);
    case TAG_C_LABEL_VALUE:
      return metric->n_labels > 0
          && instance_carry_take_name (item, &metric->labels[metric->n_labels - 1].value);
    case TAG_C_VALUE:
      return detour_record_number (item, G_MAXUINT64, &metric->value);
    default:
      return (item->tag & DETOUR_RECORD_MUST) == 0;
    }
}

static gboolean
instance_carry_is_whole (const DetourMetric *metric)
{
  for (guint i = 0; i < metric->n_labels; i++)
    if (metric->labels[i].value == NULL)
      return FALSE;
  return metric->name != NULL;
}

/* Not shown before the plugin asks for a counter of that name. */
static void
instance_carry_add_counter (DetourInstance *self, const DetourMetric *metric)
{
  DetourInstanceMetric *entry = g_new0 (DetourInstanceMetric, 1);

  entry->metric = *metric;
  entry->metric.value = 0;
  detour_counter_add (&entry->number, metric->value);
  g_mutex_lock (&self->lock);
  g_ptr_array_add (self->metrics, entry);
  g_mutex_unlock (&self->lock);
}

static gboolean
instance_carry_take_counter (DetourInstance *self, const DetourRecordItem *item)
{
  DetourMetric metric = { .type = DETOUR_METRIC_COUNTER };

  if (!detour_record_take_inside (item, instance_carry_take_counter_fact, &metric)
      || !instance_carry_is_whole (&metric))
    return FALSE;
  if (self->metrics->len < COUNTERS_MAX)
    instance_carry_add_counter (self, &metric);
  return TRUE;
}

static gboolean
instance_carry_is_of (const DetourRecordItem *item, const char *text)
{
  g_autofree char *name = detour_record_dup_text (item, NAME_MAX_LEN);

  return g_strcmp0 (name, text) == 0;
}

gboolean
detour_instance_read (DetourInstance *self, const DetourRecordItem *item)
{
  DetourRecordReader reader = detour_record_inside (item);
  gboolean same_plugin = FALSE;
  DetourRecordItem inner;
  DetourRecordStep step;

  while ((step = detour_record_next (&reader, &inner)) == DETOUR_RECORD_ITEM)
    if (inner.tag == TAG_PLUGIN)
      same_plugin = instance_carry_is_of (&inner, self->plugin_name);
    else if (inner.tag == TAG_COUNTER && same_plugin)
      {
        if (!instance_carry_take_counter (self, &inner))
          return FALSE;
      }
    else if (inner.tag == TAG_PEER && same_plugin)
      {
        if (!detour_mesh_reports_read (self, &inner))
          return FALSE;
      }
    else if (inner.tag == TAG_FROZEN && same_plugin && inner.len <= DETOUR_PLUGIN_FROZEN_MAX)
      {
        g_clear_pointer (&self->frozen, g_bytes_unref);
        self->frozen = g_bytes_new (inner.data, inner.len);
      }
  return step == DETOUR_RECORD_END;
}

char *
detour_instance_read_id (const DetourRecordItem *item)
{
  return detour_record_find_text (item, TAG_ID, NAME_MAX_LEN);
}

void
detour_instance_thaw (DetourInstance *self)
{
  g_autoptr (GBytes) frozen = g_steal_pointer (&self->frozen);
  gsize len;
  gconstpointer data;

  if (frozen == NULL || self->plugin->thaw == NULL)
    return;
  data = g_bytes_get_data (frozen, &len);
  self->plugin->thaw (self->self, len > 0 ? data : (gconstpointer) "", len);
}
