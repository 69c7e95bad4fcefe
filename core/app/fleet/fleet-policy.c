/* fleet-policy.c: puts the regions of a fleet into a policy of Tailscale's.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-policy.h"

#include <string.h>

#include "detour-json.h"
#include "detourctl-hujson.h"

/* Steps of the longest path: derpMap, Regions, a number, Nodes, an element, a member. */
#define STEPS 6u

typedef struct {
  char *text;                   /* as it is by now */
  const char *steps[STEPS + 1]; /* borrowed */
  guint n_steps;
} Policy;

/* What a relay says of a region and of a node, and leaves out when it is not so. */
static const char *const region_members[] = { "NoMeasureNoHome", NULL };
static const char *const node_members[] = { "CertName", "IPv4",     "IPv6",      "STUNPort",
                                            "STUNOnly", "DERPPort", "CanPort80", NULL };

/* Takes @text, the answer of an edit. FALSE: there is none. */
static gboolean
fleet_policy_take (Policy *self, char *text)
{
  if (text == NULL)
    return FALSE;
  g_free (self->text);
  self->text = text;
  return TRUE;
}

static void
fleet_policy_enter (Policy *self, const char *step)
{
  g_assert (self->n_steps < STEPS);
  self->steps[self->n_steps++] = step;
  self->steps[self->n_steps] = NULL;
}

static void
fleet_policy_leave (Policy *self)
{
  self->steps[--self->n_steps] = NULL;
}

static char *
fleet_policy_get (Policy *self, const char *step)
{
  char *value;

  fleet_policy_enter (self, step);
  value = detourctl_hujson_get (self->text, strlen (self->text), self->steps);
  fleet_policy_leave (self);
  return value;
}

static gboolean
fleet_policy_set (Policy *self, const char *step, const char *json, GError **error)
{
  gboolean good;

  fleet_policy_enter (self, step);
  good = fleet_policy_take (
      self, detourctl_hujson_set (self->text, strlen (self->text), self->steps, json, error));
  fleet_policy_leave (self);
  return good;
}

static gboolean
fleet_policy_remove (Policy *self, const char *step, GError **error)
{
  gboolean good;

  fleet_policy_enter (self, step);
  good = fleet_policy_take (
      self, detourctl_hujson_remove (self->text, strlen (self->text), self->steps, error));
  fleet_policy_leave (self);
  return good;
}

/* Members of an object of ours, each a text. */
static gboolean
fleet_policy_collect (const DetourJsonValue *name, const DetourJsonValue *value, gpointer user)
{
  GPtrArray *members = user;

  /* Our own names have no escapes. */
  g_ptr_array_add (members,
                   name != NULL ? g_strndup (name->text + 1, name->len - 2) : g_strdup (""));
  g_ptr_array_add (members, g_strndup (value->text, value->len));
  return TRUE;
}

/* Pairs of a name and a value. */
static GPtrArray *
fleet_policy_members (const char *json)
{
  GPtrArray *members = g_ptr_array_new_with_free_func (g_free);
  DetourJsonValue root;
  const char *reason;

  if (!detour_json_scan (json, strlen (json), 64, &root, NULL, NULL, &reason, NULL))
    g_assert_not_reached ();
  detour_json_each (&root, fleet_policy_collect, members);
  return members;
}

/* Makes the object at the path say the same as @json, but for the member @apart. @known: what is
 * taken away when @json has it not */
static gboolean
fleet_policy_update (Policy *self, const char *json, const char *const *known, const char *apart,
                     GError **error)
{
  g_autoptr (GPtrArray) members = fleet_policy_members (json);

  for (guint i = 0; i < members->len; i += 2)
    if (strcmp (members->pdata[i], apart) != 0
        && !fleet_policy_set (self, members->pdata[i], members->pdata[i + 1], error))
      return FALSE;
  for (guint k = 0; known[k] != NULL; k++)
    {
      gboolean is_there = FALSE;

      for (guint i = 0; i < members->len; i += 2)
        is_there |= strcmp (members->pdata[i], known[k]) == 0;
      if (!is_there && !fleet_policy_remove (self, known[k], error))
        return FALSE;
    }
  return TRUE;
}

/* Whether the policy has nodes of these names, in this order; @nodes: pairs of "" and a value */
static gboolean
fleet_policy_has_nodes (Policy *self, const GPtrArray *nodes)
{
  guint n = nodes->len / 2;
  g_autofree char *behind = g_strdup_printf ("#%u", n);
  g_autofree char *more = fleet_policy_get (self, behind);

  for (guint i = 0; i < n; i++)
    {
      static const char *const name[] = { "Name", NULL };
      const char *ours = nodes->pdata[2 * i + 1];
      g_autofree char *step = g_strdup_printf ("#%u", i);
      g_autofree char *wanted = detourctl_hujson_get (ours, strlen (ours), name);
      g_autofree char *there = NULL;

      fleet_policy_enter (self, step);
      there = fleet_policy_get (self, "Name");
      fleet_policy_leave (self);
      if (g_strcmp0 (there, wanted) != 0)
        return FALSE;
    }
  return more == NULL;
}

static gboolean
fleet_policy_put_nodes (Policy *self, const char *json, GError **error)
{
  g_autoptr (GPtrArray) nodes = fleet_policy_members (json);
  gboolean has_all, good = TRUE;

  fleet_policy_enter (self, "Nodes");
  has_all = fleet_policy_has_nodes (self, nodes);
  for (guint i = 0; has_all && good && i < nodes->len / 2; i++)
    {
      g_autofree char *step = g_strdup_printf ("#%u", i);

      fleet_policy_enter (self, step);
      good = fleet_policy_update (self, nodes->pdata[2 * i + 1], node_members, "", error);
      fleet_policy_leave (self);
    }
  fleet_policy_leave (self);
  return has_all ? good : fleet_policy_set (self, "Nodes", json, error);
}

/* The region as JSON, without blanks. */
static char *
fleet_policy_format (const DetourctlMapRegion *region, const char *number)
{
  const char *const path[] = { "Regions", number, NULL };
  g_autoptr (DetourctlMap) alone = detourctl_map_new ();
  g_autofree char *document = NULL;

  g_ptr_array_set_free_func (alone->regions, NULL);
  g_ptr_array_add (alone->regions, (gpointer) region);
  document = detourctl_map_format (alone, DETOURCTL_REGION_JSON);
  return detourctl_hujson_get (document, strlen (document), path);
}

static gboolean
fleet_policy_put (Policy *self, const DetourctlMapRegion *region, GError **error)
{
  static const char *const path[] = { "Nodes", NULL };
  g_autofree char *number = g_strdup_printf ("%" G_GINT64_FORMAT, region->key);
  g_autofree char *json = fleet_policy_format (region, number);
  g_autofree char *nodes = detourctl_hujson_get (json, strlen (json), path);
  g_autofree char *there = fleet_policy_get (self, number);
  gboolean good;

  if (there == NULL || *there != '{')
    return fleet_policy_set (self, number, json, error);
  fleet_policy_enter (self, number);
  good = fleet_policy_update (self, json, region_members, "Nodes", error)
      && fleet_policy_put_nodes (self, nodes, error);
  fleet_policy_leave (self);
  return good;
}

char *
fleet_policy_apply (const char *text, gsize len, const DetourctlMap *map, const GArray *gone,
                    GError **error)
{
  Policy self = { .text = g_strndup (text, len), .steps = { "derpMap", "Regions" }, .n_steps = 2 };
  gboolean good = TRUE;

  for (guint i = 0; good && i < map->regions->len; i++)
    good = fleet_policy_put (&self, map->regions->pdata[i], error);
  for (guint i = 0; good && gone != NULL && i < gone->len; i++)
    {
      g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT,
                                                 g_array_index (gone, guint64, i));

      good = fleet_policy_remove (&self, number, error);
    }
  if (good)
    return self.text;
  g_free (self.text);
  return NULL;
}
