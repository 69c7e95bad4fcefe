/* fleet-map.c: one DERP map out of what all relays of a fleet say of themselves.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-map.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-text.h"

#define LETTERS 26u
#define REGIONS "Regions."

/* One that answers. */
typedef struct {
  const FleetRelay *relay;
  const FleetFacts *facts;
  char *node_name;        /* in the map */
  DetourctlMapNode *node; /* NULL: it has none, which was said */
} Part;

typedef struct {
  const Fleet *fleet;
  DetourctlMap *map;
  GPtrArray *parts; /* of Part, in the order of the inventory */
  const FleetState *state;
} Build;

static void
fleet_map_part_free (gpointer data)
{
  Part *part = data;

  g_free (part->node_name);
  g_free (part);
}

char *
fleet_map_node_name (const Fleet *fleet, const FleetRelay *relay)
{
  guint n = 0;

  if (relay->node != NULL)
    return g_strdup (relay->node);
  for (guint i = 0; fleet->relays->pdata[i] != relay; i++)
    n += ((const FleetRelay *) fleet->relays->pdata[i])->region == relay->region;
  if (n < LETTERS)
    return g_strdup_printf ("%" G_GUINT64_FORMAT "%c", relay->region, (char) ('a' + n));
  return g_strdup_printf ("%" G_GUINT64_FORMAT "-%u", relay->region, n + 1);
}

/* Contradictions --------------------------------------------------------------------------------
 */

static void
fleet_map_check_region (const Build *build, const Part *part)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, part->relay->region);

  if (part->facts->region != NULL && strcmp (part->facts->region, number) != 0)
    detourctl_map_note (build->map, TRUE, part->relay->line, "",
                        _ ("%s: the inventory has it in region %s, and [derpmap] region of its own "
                           "configuration is %s"),
                        part->relay->name, number, part->facts->region);
}

/* Whether clients would come to the same socket by both. */
static gboolean
fleet_map_is_same_place (const DetourctlMapNode *a, const DetourctlMapNode *b)
{
  return g_ascii_strcasecmp (a->host_name, b->host_name) == 0 && a->derp_port == b->derp_port
      && g_strcmp0 (a->ipv4, b->ipv4) == 0 && g_strcmp0 (a->ipv6, b->ipv6) == 0;
}

static void
fleet_map_check_pair (const Build *build, const Part *part, const Part *before)
{
  const char *key = detourctl_text (part->facts->manager, "ServerKey");
  guint line = part->relay->line;

  if (*key != '\0' && strcmp (key, detourctl_text (before->facts->manager, "ServerKey")) == 0)
    detourctl_map_note (build->map, TRUE, line, "",
                        _ ("%s and %s have the same server key, %s; each relay needs its own "
                           "[core] key-file"),
                        before->relay->name, part->relay->name, key);
  if (strcmp (part->node_name, before->node_name) == 0)
    detourctl_map_note (build->map, TRUE, line, "",
                        _ ("%s and %s are both the node \"%s\"; set node of one of them in the "
                           "inventory"),
                        before->relay->name, part->relay->name, part->node_name);
  if (part->node != NULL && before->node != NULL
      && fleet_map_is_same_place (part->node, before->node))
    detourctl_map_note (build->map, TRUE, line, "",
                        _ ("%s and %s are both reached at %s; set hostname, ipv4 or ipv6 of one of "
                           "them in the inventory"),
                        before->relay->name, part->relay->name, part->node->host_name);
}

/* A relay's own program takes none of these characters: it is not what it says it is. TRUE: it was
 * said. @text: (nullable) */
static gboolean
fleet_map_is_hiding (const Build *build, const Part *part, const char *what, const char *text)
{
  if (text == NULL || detour_text_find_hidden (text) == 0)
    return FALSE;
  /* TRANSLATORS: a relay, a member of a map as HostName, its text. */
  detourctl_map_note (build->map, TRUE, part->relay->line, "",
                      _ ("%s has characters that nobody sees in its %s, \"%s\"; take it out of the "
                         "inventory, or see what answers there"),
                      part->relay->name, what, text);
  return TRUE;
}

/* Code or name of a region: of the inventory, else what its relays say, who have to agree. */
static char *
fleet_map_agree (const Build *build, guint64 id, const char *set, gsize offset, gboolean is_code)
{
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT, id);
  const Part *first = NULL;
  const char *text = set;

  for (guint i = 0; i < build->parts->len && set == NULL; i++)
    {
      const Part *part = build->parts->pdata[i];
      const char *own = G_STRUCT_MEMBER (const char *, part->facts, offset);

      if (part->relay->region != id || own == NULL)
        continue;
      if (fleet_map_is_hiding (build, part, is_code ? "RegionCode" : "RegionName", own))
        continue;
      if (first == NULL)
        {
          text = own;
          first = part;
        }
      else if (strcmp (text, own) != 0)
        {
          detourctl_map_note (
              build->map, TRUE, part->relay->line, "",
              is_code ? _ ("%s calls region %s by the code \"%s\", and %s by \"%s\"; set code in "
                           "[region %s] of the inventory")
                      : _ ("%s calls region %s by the name \"%s\", and %s by \"%s\"; set name in "
                           "[region %s] of the inventory"),
              first->relay->name, number, text, part->relay->name, own, number);
        }
    }
  return g_strdup (text);
}

/* Building --------------------------------------------------------------------------------------
 */

/* Whether a relay of the region serves. */
static gboolean
fleet_map_is_served (const Build *build, guint64 id)
{
  for (guint i = 0; i < build->fleet->relays->len; i++)
    {
      const FleetRelay *relay = build->fleet->relays->pdata[i];

      if (relay->region == id && fleet_state_stage (build->state, relay->name) == FLEET_OPEN)
        return TRUE;
    }
  return FALSE;
}

/* Whether clients are to know of the relay. */
static gboolean
fleet_map_is_in (const Build *build, const FleetRelay *relay)
{
  FleetStage stage = fleet_state_stage (build->state, relay->name);

  return stage == FLEET_OPEN || (stage != FLEET_OUT && !fleet_map_is_served (build, relay->region));
}

static DetourctlMapRegion *
fleet_map_region (const Build *build, const Part *part)
{
  guint64 id = part->relay->region;
  const FleetRegion *set = fleet_inventory_region (build->fleet, id);
  g_autofree char *path = g_strdup_printf (REGIONS "%" G_GUINT64_FORMAT, id);
  const char *host = detourctl_text (part->facts->manager, "Hostname");
  DetourctlMapRegion *region;

  for (guint i = 0; i < build->map->regions->len; i++)
    {
      region = build->map->regions->pdata[i];
      if (region->key == (gint64) id)
        return region;
    }
  region = detourctl_map_add_region (build->map, (gint64) id, path);
  region->id = (gint64) id;
  region->has_id = TRUE;
  region->no_measure_no_home = !fleet_map_is_served (build, id);
  region->code = fleet_map_agree (build, id, set != NULL ? set->code : NULL,
                                  G_STRUCT_OFFSET (FleetFacts, code), TRUE);
  region->name = fleet_map_agree (build, id, set != NULL ? set->name : NULL,
                                  G_STRUCT_OFFSET (FleetFacts, name), FALSE);
  if (region->code == NULL)
    region->code = detourctl_region_default_code (
        part->relay->host_name != NULL ? part->relay->host_name : host);
  if (region->name == NULL)
    region->name = g_strdup (region->code);
  return region;
}

/* What `detourctl derpmap` would say of it, with what the inventory sets. */
static void
fleet_map_learn (const Build *build, const Part *part, DetourctlRegion *out, GPtrArray *texts)
{
  out->id = part->relay->region;
  out->code = out->name = "";
  out->hostname = part->relay->host_name != NULL
                    ? part->relay->host_name
                    : detourctl_text (part->facts->manager, "Hostname");
  out->ipv4 = part->relay->ipv4 != NULL ? part->relay->ipv4 : part->facts->ipv4;
  out->ipv6 = part->relay->ipv6 != NULL ? part->relay->ipv6 : part->facts->ipv6;
  if (!detourctl_region_learn (out, part->facts->objects, texts) && !out->stun_only)
    detourctl_map_note (build->map, FALSE, part->relay->line, "",
                        _ ("%s: no listener speaks TLS; clients will expect something in front of "
                           "the relay that does, on port 443"),
                        part->relay->name);
  if (out->next != NULL)
    detourctl_map_note (build->map, FALSE, part->relay->line, "",
                        _ ("%s: its listeners show different certificates; the map has the pin of "
                           "the first"),
                        part->relay->name);
  out->next = NULL;
}

static void
fleet_map_add (const Build *build, Part *part)
{
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (DetourctlMap) own = detourctl_map_new ();
  DetourctlRegion learned = { 0 };
  DetourctlMapRegion *region, *alone;

  fleet_map_check_region (build, part);
  fleet_map_learn (build, part, &learned, texts);
  if (*learned.hostname == '\0')
    {
      detourctl_map_note (build->map, TRUE, part->relay->line, "",
                          _ ("%s does not know its own name; set hostname in [core] of its "
                             "configuration, or in the inventory"),
                          part->relay->name);
      return;
    }
  if (fleet_map_is_hiding (build, part, "HostName", learned.hostname)
      | fleet_map_is_hiding (build, part, "CertName", learned.cert_name)
      | fleet_map_is_hiding (build, part, "IPv4", learned.ipv4)
      | fleet_map_is_hiding (build, part, "IPv6", learned.ipv6))
    return;
  detourctl_map_add_relay (own, &learned);
  alone = own->regions->pdata[0];
  region = fleet_map_region (build, part);
  part->node = g_ptr_array_steal_index (alone->nodes, 0);
  g_free (part->node->name);
  part->node->name = g_strdup (part->node_name);
  g_free (part->node->path);
  part->node->path = g_strdup_printf ("%s.Nodes[%u]", region->path, region->nodes->len);
  g_ptr_array_add (region->nodes, part->node);
}

/* What the check of a map finds has the path of a member; these ones can be set in the inventory.
 */
static void
fleet_map_add_remedies (const Build *build)
{
  for (guint i = 0; i < build->map->findings->len; i++)
    {
      DetourctlMapFinding *finding = build->map->findings->pdata[i];
      const char *number = finding->path + strlen (REGIONS);
      const char *end = strchr (finding->path, '\0');
      const char *key = NULL;
      char *text;

      if (!finding->is_error || !g_str_has_prefix (finding->path, REGIONS))
        continue;
      if (g_str_has_suffix (finding->path, ".RegionCode"))
        key = "code";
      else if (g_str_has_suffix (finding->path, ".RegionName"))
        key = "name";
      if (key == NULL)
        continue;
      end -= strlen (".RegionCode");
      /* TRANSLATORS: what is wrong; a key and a region of the inventory. */
      text = g_strdup_printf (_ ("%s; set another %s in [region %.*s] of the inventory"),
                              finding->text, key, (int) (end - number), number);
      g_free (finding->text);
      finding->text = text;
    }
}

static int
fleet_map_compare_regions (gconstpointer a, gconstpointer b)
{
  const DetourctlMapRegion *one = *(DetourctlMapRegion *const *) a;
  const DetourctlMapRegion *two = *(DetourctlMapRegion *const *) b;

  return one->key < two->key ? -1 : one->key > two->key;
}

DetourctlMap *
fleet_map_build (const Fleet *fleet, const GPtrArray *answers, const FleetState *state)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (fleet_map_part_free);
  const Build build = { fleet, detourctl_map_new (), parts, state };

  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];
      Part *part;

      if (answer->result == NULL || !fleet_map_is_in (&build, answer->relay))
        continue;
      part = g_new0 (Part, 1);
      part->relay = answer->relay;
      part->facts = answer->result;
      part->node_name = fleet_map_node_name (fleet, answer->relay);
      g_ptr_array_add (parts, part);
    }
  for (guint i = 0; i < parts->len; i++)
    {
      fleet_map_add (&build, parts->pdata[i]);
      for (guint k = 0; k < i; k++)
        fleet_map_check_pair (&build, parts->pdata[i], parts->pdata[k]);
    }
  g_ptr_array_sort (build.map->regions, fleet_map_compare_regions);
  detourctl_map_check (build.map);
  fleet_map_add_remedies (&build);
  return build.map;
}
