/* detourctl-map.c: a DERP map in memory, and one made of several.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-map.h"

#include "detourctl-map-field.h"

/* Findings are for people: behind so many, more of them help nobody. */
#define FINDINGS_MAX 1000u

#define NODE(member)   offsetof (DetourctlMapNode, member)
#define REGION(member) offsetof (DetourctlMapRegion, member)

const DetourctlMapField detourctl_map_node_fields[] = {
  { "Name", FIELD_TEXT, NODE (name), 0 },
  { "RegionID", FIELD_INTEGER, NODE (region_id), NODE (has_region_id) },
  { "HostName", FIELD_TEXT, NODE (host_name), 0 },
  { "CertName", FIELD_TEXT, NODE (cert_name), 0 },
  { "IPv4", FIELD_TEXT, NODE (ipv4), 0 },
  { "IPv6", FIELD_TEXT, NODE (ipv6), 0 },
  { "STUNPort", FIELD_INTEGER, NODE (stun_port), 0 },
  { "STUNOnly", FIELD_FLAG, NODE (stun_only), 0 },
  { "DERPPort", FIELD_INTEGER, NODE (derp_port), 0 },
  { "InsecureForTests", FIELD_FLAG, NODE (insecure), 0 },
  { "STUNTestIP", FIELD_TEXT, NODE (stun_test_ip), 0 },
  { "CanPort80", FIELD_FLAG, NODE (can_port80), 0 },
  { NULL },
};

const DetourctlMapField detourctl_map_region_fields[] = {
  { "RegionID", FIELD_INTEGER, REGION (id), REGION (has_id) },
  { "RegionCode", FIELD_TEXT, REGION (code), 0 },
  { "RegionName", FIELD_TEXT, REGION (name), 0 },
  { "Latitude", FIELD_NUMBER, REGION (latitude), 0 },
  { "Longitude", FIELD_NUMBER, REGION (longitude), 0 },
  { "Avoid", FIELD_FLAG, REGION (avoid), 0 },
  { "NoMeasureNoHome", FIELD_FLAG, REGION (no_measure_no_home), 0 },
  { "Nodes", FIELD_OTHER, 0, 0 },
  { NULL },
};

void
detourctl_map_note (DetourctlMap *self, gboolean is_error, guint line, const char *path,
                    const char *format, ...)
{
  DetourctlMapFinding *finding;
  va_list args;

  if (self->findings->len >= FINDINGS_MAX)
    return;
  finding = g_new0 (DetourctlMapFinding, 1);
  finding->is_error = is_error;
  finding->line = line;
  finding->path = g_strdup (path);
  va_start (args, format);
  finding->text = g_strdup_vprintf (format, args);
  va_end (args);
  g_ptr_array_add (self->findings, finding);
}

guint
detourctl_map_count (const DetourctlMap *self, gboolean is_error)
{
  guint n = 0;

  for (guint i = 0; i < self->findings->len; i++)
    n += ((const DetourctlMapFinding *) self->findings->pdata[i])->is_error == is_error;
  return n;
}

static void
ctl_map_finding_free (gpointer data)
{
  DetourctlMapFinding *finding = data;

  g_free (finding->path);
  g_free (finding->text);
  g_free (finding);
}

static gboolean
ctl_map_is_kept_as_text (const DetourctlMapField *field)
{
  return field->type == FIELD_TEXT || field->type == FIELD_NUMBER;
}

static void
ctl_map_free_texts (const DetourctlMapField *fields, gpointer self)
{
  for (const DetourctlMapField *field = fields; field->name != NULL; field++)
    if (ctl_map_is_kept_as_text (field))
      g_free (G_STRUCT_MEMBER (char *, self, field->offset));
}

/* @self: a copy whose texts are still those of the original */
static void
ctl_map_copy_texts (const DetourctlMapField *fields, gpointer self)
{
  for (const DetourctlMapField *field = fields; field->name != NULL; field++)
    if (ctl_map_is_kept_as_text (field))
      G_STRUCT_MEMBER (char *, self,
                       field->offset) = g_strdup (G_STRUCT_MEMBER (char *, self, field->offset));
}

static void
ctl_map_node_free (gpointer data)
{
  DetourctlMapNode *node = data;

  g_free (node->path);
  ctl_map_free_texts (detourctl_map_node_fields, node);
  g_free (node);
}

static void
ctl_map_region_free (gpointer data)
{
  DetourctlMapRegion *region = data;

  if (region == NULL)
    return;
  g_free (region->path);
  ctl_map_free_texts (detourctl_map_region_fields, region);
  g_ptr_array_unref (region->nodes);
  g_free (region);
}

static void
ctl_map_score_free (gpointer data)
{
  DetourctlMapScore *score = data;

  g_free (score->factor);
  g_free (score);
}

DetourctlMap *
detourctl_map_new (void)
{
  DetourctlMap *self = g_new0 (DetourctlMap, 1);

  self->regions = g_ptr_array_new_with_free_func (ctl_map_region_free);
  self->scores = g_ptr_array_new_with_free_func (ctl_map_score_free);
  self->findings = g_ptr_array_new_with_free_func (ctl_map_finding_free);
  return self;
}

DetourctlMapRegion *
detourctl_map_add_region (DetourctlMap *self, gint64 key, const char *path)
{
  DetourctlMapRegion *region = g_new0 (DetourctlMapRegion, 1);

  region->key = key;
  region->path = g_strdup (path);
  region->nodes = g_ptr_array_new_with_free_func (ctl_map_node_free);
  g_ptr_array_add (self->regions, region);
  return region;
}

DetourctlMapNode *
detourctl_map_add_node (DetourctlMapRegion *region, const char *path)
{
  DetourctlMapNode *node = g_new0 (DetourctlMapNode, 1);

  node->path = g_strdup (path);
  g_ptr_array_add (region->nodes, node);
  return node;
}

void
detourctl_map_free (DetourctlMap *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->regions);
  g_ptr_array_unref (self->scores);
  g_ptr_array_unref (self->findings);
  g_free (self);
}

/* Merging ----------------------------------------------------------------------------------------
 */

static DetourctlMapNode *
ctl_map_copy_node (const DetourctlMapNode *node)
{
  DetourctlMapNode *copy = g_memdup2 (node, sizeof *node);

  copy->path = g_strdup (node->path);
  ctl_map_copy_texts (detourctl_map_node_fields, copy);
  return copy;
}

static DetourctlMapRegion *
ctl_map_copy_region (const DetourctlMapRegion *region)
{
  DetourctlMapRegion *copy = g_memdup2 (region, sizeof *region);

  copy->path = g_strdup (region->path);
  ctl_map_copy_texts (detourctl_map_region_fields, copy);
  copy->nodes = g_ptr_array_new_with_free_func (ctl_map_node_free);
  for (guint i = 0; i < region->nodes->len; i++)
    g_ptr_array_add (copy->nodes, ctl_map_copy_node (region->nodes->pdata[i]));
  return copy;
}

static int
ctl_map_compare_regions (gconstpointer a, gconstpointer b)
{
  const DetourctlMapRegion *one = *(DetourctlMapRegion *const *) a;
  const DetourctlMapRegion *two = *(DetourctlMapRegion *const *) b;

  return one->key < two->key ? -1 : one->key > two->key;
}

/* By their numbers; of those with one number the last one stays. */
static void
ctl_map_sort_regions (DetourctlMap *self)
{
  gpointer *regions = self->regions->pdata;
  guint len = self->regions->len;
  guint n = 0;

  /* It is stable. */
  g_ptr_array_sort (self->regions, ctl_map_compare_regions);
  for (guint i = 0; i < len; i++)
    {
      DetourctlMapRegion *region = g_steal_pointer (&regions[i]);

      if (i + 1 < len && ((const DetourctlMapRegion *) regions[i + 1])->key == region->key)
        ctl_map_region_free (region);
      else
        regions[n++] = region;
    }
  g_ptr_array_set_size (self->regions, (int) n);
}

static void
ctl_map_put_score (DetourctlMap *into, const DetourctlMapScore *score)
{
  DetourctlMapScore *copy;

  for (guint i = 0; i < into->scores->len; i++)
    {
      DetourctlMapScore *old = into->scores->pdata[i];

      if (old->region != score->region)
        continue;
      g_free (old->factor);
      old->factor = g_strdup (score->factor);
      return;
    }
  copy = g_memdup2 (score, sizeof *score);
  copy->factor = g_strdup (score->factor);
  g_ptr_array_add (into->scores, copy);
}

void
detourctl_map_merge (DetourctlMap *into, const DetourctlMap *from)
{
  for (guint i = 0; i < from->regions->len; i++)
    g_ptr_array_add (into->regions, ctl_map_copy_region (from->regions->pdata[i]));
  ctl_map_sort_regions (into);
  for (guint i = 0; i < from->scores->len; i++)
    ctl_map_put_score (into, from->scores->pdata[i]);
  into->omit_default_regions = into->omit_default_regions || from->omit_default_regions;
}
