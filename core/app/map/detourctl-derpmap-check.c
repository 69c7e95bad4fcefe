/* detourctl-derpmap-check.c: the commands that check and list DERP maps.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-derpmap.h"

#include <glib/gi18n.h>

#include "detour-cert.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"

/* As a place to show: what is read from standard input has no better name. */
static const char *
ctl_derpmap_check_shown (const char *place)
{
  return g_str_equal (place, "-") ? "stdin" : place;
}

void
detourctl_derpmap_print_findings (const char *place, const DetourctlMap *map)
{
  const char *shown = ctl_derpmap_check_shown (place);

  for (guint i = 0; i < map->findings->len; i++)
    {
      const DetourctlMapFinding *finding = map->findings->pdata[i];
      g_autofree char *line = finding->line > 0 ? g_strdup_printf (":%u", finding->line)
                                                : g_strdup ("");
      g_autofree char *path = *finding->path != '\0' ? g_strconcat (" ", finding->path, ":", NULL)
                                                     : g_strdup ("");
      /* It may have words of somebody else's map. */
      g_autofree char *text = detourctl_format_safe (finding->text);

      if (finding->is_error)
        g_printerr ("%s%s:%s %s\n", shown, line, path, text);
      else
        /* TRANSLATORS: place, line, path within the map, and what may be wrong there. */
        g_printerr (_ ("%s%s:%s warning: %s\n"), shown, line, path, text);
    }
}

GPtrArray *
detourctl_derpmap_load (const Detourctl *self, char **places, DetourctlExit *exit)
{
  g_autoptr (GPtrArray) maps = g_ptr_array_new_with_free_func ((GDestroyNotify) detourctl_map_free);

  for (guint i = 0; places[i] != NULL; i++)
    {
      g_autoptr (GError) error = NULL;
      DetourctlMap *map = detourctl_map_load (places[i], self->timeout_ms, &error);

      if (map == NULL)
        {
          detourctl_complain ("%s", error->message);
          *exit = DETOURCTL_FAILED;
          return NULL;
        }
      for (guint k = 0; k < i; k++)
        detourctl_map_check_together (map, maps->pdata[k], ctl_derpmap_check_shown (places[k]));
      g_ptr_array_add (maps, map);
    }
  return g_steal_pointer (&maps);
}

static guint
ctl_derpmap_check_count_nodes (const DetourctlMap *map)
{
  guint n = 0;

  for (guint i = 0; i < map->regions->len; i++)
    n += ((const DetourctlMapRegion *) map->regions->pdata[i])->nodes->len;
  return n;
}

static void
ctl_derpmap_check_print_json (char **places, const GPtrArray *maps)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_begin_array (json, "maps");
  for (guint i = 0; i < maps->len; i++)
    {
      const DetourctlMap *map = maps->pdata[i];

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "place", places[i]);
      detourctl_json_number (json, "regions", map->regions->len);
      detourctl_json_number (json, "nodes", ctl_derpmap_check_count_nodes (map));
      detourctl_json_number (json, "errors", detourctl_map_count (map, TRUE));
      detourctl_json_number (json, "warnings", detourctl_map_count (map, FALSE));
      detourctl_json_begin_array (json, "findings");
      for (guint k = 0; k < map->findings->len; k++)
        {
          const DetourctlMapFinding *finding = map->findings->pdata[k];

          detourctl_json_begin_object (json, NULL);
          detourctl_json_text (json, "severity", finding->is_error ? "error" : "warning");
          detourctl_json_number (json, "line", finding->line);
          detourctl_json_text (json, "path", finding->path);
          detourctl_json_text (json, "text", finding->text);
          detourctl_json_end_object (json);
        }
      detourctl_json_end_array (json);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  detourctl_json_end_document (json, DETOURCTL_GOOD);
}

char *
detourctl_derpmap_describe (const DetourctlMap *map)
{
  guint n_nodes = ctl_derpmap_check_count_nodes (map);
  g_autofree char *regions = g_strdup_printf (
      ngettext ("%u region", "%u regions", map->regions->len), map->regions->len);
  g_autofree char *nodes = g_strdup_printf (ngettext ("%u node", "%u nodes", n_nodes), n_nodes);

  return g_strdup_printf ("%s, %s", regions, nodes);
}

static void
ctl_derpmap_check_print_sum (const char *place, const DetourctlMap *map)
{
  g_autofree char *size = detourctl_derpmap_describe (map);
  guint n_errors = detourctl_map_count (map, TRUE);
  guint n_warnings = detourctl_map_count (map, FALSE);
  g_autofree char *errors = g_strdup_printf (ngettext ("%u error", "%u errors", n_errors),
                                             n_errors);
  g_autofree char *warnings = g_strdup_printf (ngettext ("%u warning", "%u warnings", n_warnings),
                                               n_warnings);

  g_print ("%s: %s; %s, %s\n", ctl_derpmap_check_shown (place), size, errors, warnings);
}

static DetourctlExit
ctl_derpmap_check_run_check (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GPtrArray) maps = detourctl_derpmap_load (self, arguments, &exit);

  if (maps == NULL)
    return exit;
  if (self->json)
    ctl_derpmap_check_print_json (arguments, maps);
  for (guint i = 0; i < maps->len; i++)
    {
      if (detourctl_map_count (maps->pdata[i], TRUE) > 0)
        exit = DETOURCTL_FAILED;
      if (self->json)
        continue;
      detourctl_derpmap_print_findings (arguments[i], maps->pdata[i]);
      ctl_derpmap_check_print_sum (arguments[i], maps->pdata[i]);
    }
  return exit;
}

/* List -------------------------------------------------------------------------------------------
 */

static char *
ctl_derpmap_check_ports (const DetourctlMapNode *node)
{
  g_autofree char *derp = node->stun_only
                            ? g_strdup ("-")
                            : g_strdup_printf ("%" G_GINT64_FORMAT,
                                               node->derp_port == 0 ? 443 : node->derp_port);
  g_autofree char *stun = node->stun_port < 0
                            ? g_strdup ("-")
                            : g_strdup_printf ("%" G_GINT64_FORMAT,
                                               node->stun_port == 0 ? 3478 : node->stun_port);

  return g_strconcat (derp, " ", stun, NULL);
}

static const char *
ctl_derpmap_check_certificate (const DetourctlMapNode *node)
{
  if (node->insecure)
    return _ ("unchecked");
  if (node->cert_name == NULL || *node->cert_name == '\0')
    return "";
  return g_str_has_prefix (node->cert_name, DETOUR_CERT_PIN_PREFIX) ? _ ("pin") : node->cert_name;
}

static void
ctl_derpmap_check_add_node (DetourctlTable *table, const DetourctlMapRegion *region,
                            const DetourctlMapNode *node)
{
  g_autofree char *id = g_strdup_printf ("%" G_GINT64_FORMAT, region->key);
  g_autofree char *ports = ctl_derpmap_check_ports (node);
  g_autofree char *addresses = g_strjoin (" ", node->ipv4 != NULL ? node->ipv4 : "",
                                          node->ipv6 != NULL ? node->ipv6 : "", NULL);

  detourctl_table_add (
      table, id, region->code != NULL ? region->code : "", node->name != NULL ? node->name : "",
      ports, ctl_derpmap_check_certificate (node), node->host_name != NULL ? node->host_name : "",
      g_strstrip (addresses), NULL);
}

static DetourctlExit
ctl_derpmap_check_run_list (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("REGION"), DETOURCTL_COLUMN_RIGHT },   { _ ("CODE"), DETOURCTL_COLUMN_LEFT },
    { _ ("NODE"), DETOURCTL_COLUMN_LEFT },      { _ ("DERP STUN"), DETOURCTL_COLUMN_LEFT },
    { _ ("CERT"), DETOURCTL_COLUMN_LEFT },      { _ ("HOST"), DETOURCTL_COLUMN_LEFT },
    { _ ("ADDRESSES"), DETOURCTL_COLUMN_LEFT }, { NULL },
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GPtrArray) maps = detourctl_derpmap_load (self, arguments, &exit);
  g_autoptr (DetourctlTable) table = NULL;
  g_autoptr (DetourctlMap) sum = NULL;

  if (maps == NULL)
    return exit;
  sum = detourctl_map_new ();
  for (guint i = 0; i < maps->len; i++)
    detourctl_map_merge (sum, maps->pdata[i]);
  if (self->json)
    {
      g_autofree char *text = detourctl_map_format (sum, DETOURCTL_REGION_JSON);

      g_print ("%s", text);
      return DETOURCTL_GOOD;
    }
  table = detourctl_table_new (columns);
  for (guint i = 0; i < sum->regions->len; i++)
    {
      const DetourctlMapRegion *region = sum->regions->pdata[i];

      for (guint k = 0; k < region->nodes->len; k++)
        ctl_derpmap_check_add_node (table, region, region->nodes->pdata[k]);
    }
  detourctl_print_table (self, table);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_derpmap_check_commands[] = {
  { .name = "derpmap check",
    .arguments = N_ ("FILE|URL…"),
    .summary = N_ ("Check DERP maps: JSON, a policy of Tailscale's, or Headscale's YAML"),
    .details = N_ (
        "Each finding says where in the map it is: Regions.901.Nodes[0].DERPPort. Several maps are "
        "checked\ntogether, as Headscale would read them: a region takes the place of an earlier "
        "one with its number.\n- is standard input. The exit status is 1 when there is an error; a "
        "warning does not count. No daemon\nis needed."),
    .run = ctl_derpmap_check_run_check,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { .name = "derpmap list",
    .arguments = N_ ("FILE|URL…"),
    .summary = N_ ("List the nodes of DERP maps"),
    .details = N_ ("The ports are those of DERP and STUN. No daemon is needed."),
    .run = ctl_derpmap_check_run_list,
    .n_min = 1,
    .n_max = G_MAXUINT },
  { NULL },
};
