/* detourctl-fleet-probe.c: the command that looks at every relay of a fleet from here and from the
 * hosts of all others.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-fleet-probe.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"
#include "fleet-vantage.h"

/* A probe of one map has many steps, each with a limit of its own: what `detourctl probe` gives a
 * step, steps of a node or a pair, how many of these it looks at together, and the way there. */
#define STEP_MS  5000
#define STEPS    20u
#define TOGETHER 8u
#define WAY_MS   10000

char *detourctl_fleet_ca;
gboolean detourctl_fleet_closed;

static gboolean no_mesh, is_here;
static char *mesh_key;

static const GOptionEntry options[] = {
  DETOURCTL_FLEET_OPTION,
  DETOURCTL_FLEET_PROBE_OPTIONS,
  { "here", 0, 0, G_OPTION_ARG_NONE, &is_here, N_ ("Look from here alone, and not from the relays"),
    NULL },
  { "no-mesh", 0, 0, G_OPTION_ARG_NONE, &no_mesh,
    N_ ("Try no packets from one node of a region to another"), NULL },
  { "mesh-key", 0, 0, G_OPTION_ARG_FILENAME, &mesh_key,
    N_ ("Log in with the mesh key in FILE, where unknown keys are not admitted"), N_ ("FILE") },
  { NULL },
};

/* Nodes of the map, and both directions of each pair of a region. */
static guint
ctl_fleet_probe_count (const DetourctlMap *map)
{
  guint n = 0;

  for (guint i = 0; i < map->regions->len; i++)
    {
      guint n_nodes = ((const DetourctlMapRegion *) map->regions->pdata[i])->nodes->len;

      n += n_nodes * n_nodes;
    }
  return n;
}

static GPtrArray *
ctl_fleet_probe_look (const Detourctl *self, const Fleet *fleet, const GPtrArray *relays,
                      const DetourctlMap *map)
{
  g_autoptr (GStrvBuilder) common = g_strv_builder_new ();
  g_autoptr (GStrvBuilder) local = g_strv_builder_new ();
  g_auto (GStrv) common_words = NULL;
  g_auto (GStrv) local_words = NULL;
  FleetVantageSetup setup = { 0 };
  gint64 step_ms = STEP_MS;

  if (detourctl_fleet_closed)
    g_strv_builder_add (common, "--closed");
  if (self->timeout != NULL && self->timeout_ms > 0)
    {
      g_autofree char *limit = g_strdup_printf ("--timeout=%" G_GINT64_FORMAT "ms",
                                                self->timeout_ms);

      g_strv_builder_add (common, limit);
      step_ms = self->timeout_ms;
    }
  setup.limit_ms = WAY_MS + step_ms * STEPS * (ctl_fleet_probe_count (map) / TOGETHER + 1);
  if (no_mesh)
    g_strv_builder_add (local, "--no-mesh");
  if (detourctl_fleet_ca != NULL)
    g_strv_builder_add_many (local, "--ca", detourctl_fleet_ca, NULL);
  if (mesh_key != NULL)
    g_strv_builder_add_many (local, "--mesh-key", mesh_key, NULL);
  common_words = g_strv_builder_end (common);
  local_words = g_strv_builder_end (local);
  setup.options = common_words;
  setup.local_options = local_words;
  return fleet_vantage_look (fleet, relays, map, &setup);
}

/* One relay -------------------------------------------------------------------------------------
 */

/* The first check that has failed; NULL: none. */
static const DetourctlValue *
ctl_fleet_probe_failed (const FleetVantage *vantage)
{
  const DetourctlValue *checks = fleet_vantage_checks (vantage);

  for (guint i = 0; checks != NULL && i < checks->values->len; i++)
    if (strcmp (fleet_vantage_text (checks->values->pdata[i], "status"), "failed") == 0)
      return checks->values->pdata[i];
  return NULL;
}

char *
detourctl_fleet_probe_one (const Detourctl *self, const Fleet *fleet, const FleetRelay *relay)
{
  char *names[] = { relay->name, NULL };
  g_autoptr (GPtrArray)
      answers = fleet_ask (fleet, names, self->timeout_ms, fleet_facts_ask, NULL, fleet_facts_free);
  const FleetAnswer *answer = answers->pdata[0];
  g_autoptr (GPtrArray) nobody = g_ptr_array_new ();
  g_autoptr (DetourctlMap) map = NULL;
  g_autoptr (GPtrArray) vantages = NULL;
  const FleetVantage *here;
  const DetourctlValue *failed;

  if (answer->result == NULL)
    return g_strdup (answer->problem);
  map = fleet_map_build (fleet, answers, NULL);
  for (guint i = 0; i < map->findings->len; i++)
    {
      const DetourctlMapFinding *finding = map->findings->pdata[i];

      if (finding->is_error)
        return g_strdup (finding->text);
    }
  vantages = ctl_fleet_probe_look (self, fleet, nobody, map);
  here = vantages->pdata[0];
  if (here->problem != NULL)
    return g_strdup (here->problem);
  failed = ctl_fleet_probe_failed (here);
  if (failed == NULL)
    return NULL;
  return g_strdup_printf ("%s: %s", fleet_vantage_text (failed, "check"),
                          fleet_vantage_text (failed, "text"));
}

/* FALSE: there is no such number. */
static gboolean
ctl_fleet_probe_number (const DetourctlValue *check, const char *name, gint64 *out)
{
  const DetourctlValue *value = detourctl_value_member (check, name);

  return value != NULL && detourctl_value_integer (value, out);
}

/* The matrix ------------------------------------------------------------------------------------
 */

static const char *const families[] = { "stun4", "stun6", "tls4", "tls6" };
#define N_FAMILIES G_N_ELEMENTS (families)

static const char *
ctl_fleet_probe_from (const FleetVantage *vantage)
{
  return vantage->relay != NULL ? vantage->relay->name : _ ("here");
}

/* Name of the relay that has that node. */
static const char *
ctl_fleet_probe_relay (const Fleet *fleet, const char *node)
{
  for (guint i = 0; i < fleet->relays->len; i++)
    {
      const FleetRelay *relay = fleet->relays->pdata[i];
      g_autofree char *name = fleet_map_node_name (fleet, relay);

      if (strcmp (name, node) == 0)
        return relay->name;
    }
  return node;
}

static char *
ctl_fleet_probe_cell (const DetourctlValue *check)
{
  const char *status = fleet_vantage_text (check, "status");
  gint64 us = 0;

  if (strcmp (status, "failed") == 0)
    return g_strdup (_ ("FAILED"));
  if (strcmp (status, "skipped") == 0)
    return g_strdup ("-");
  if (ctl_fleet_probe_number (check, "microseconds", &us) && us >= 0)
    return detourctl_format_latency ((guint64) us);
  return g_strdup (strcmp (status, "warning") == 0 ? _ ("warning") : _ ("good"));
}

static gboolean
ctl_fleet_probe_is_bad (const char *status)
{
  return strcmp (status, "failed") == 0 || strcmp (status, "warning") == 0;
}

/* What is said of a check that is not good. */
static void
ctl_fleet_probe_add_fault (GString *faults, const DetourctlValue *check)
{
  g_autofree char *text = detourctl_format_clause (fleet_vantage_text (check, "text"));

  if (ctl_fleet_probe_is_bad (fleet_vantage_text (check, "status")))
    g_string_append_printf (faults, "%s%s: %s", faults->len > 0 ? "; " : "",
                            fleet_vantage_text (check, "check"), text);
}

static void
ctl_fleet_probe_add_node (DetourctlTable *table, const Fleet *fleet, const FleetVantage *vantage,
                          const char *node, const char *region)
{
  const DetourctlValue *checks = fleet_vantage_checks (vantage);
  g_autoptr (GString) faults = g_string_new (NULL);
  char *cells[N_FAMILIES] = { NULL };
  const char *login = "-";

  for (guint i = 0; i < checks->values->len; i++)
    {
      const DetourctlValue *check = checks->values->pdata[i];
      const char *name = fleet_vantage_text (check, "check");
      const char *status = fleet_vantage_text (check, "status");

      if (strcmp (fleet_vantage_text (check, "node"), node) != 0
          || *fleet_vantage_text (check, "to") != '\0')
        continue;
      ctl_fleet_probe_add_fault (faults, check);
      for (guint k = 0; k < N_FAMILIES; k++)
        if (strcmp (name, families[k]) == 0 && cells[k] == NULL)
          cells[k] = ctl_fleet_probe_cell (check);
      if (strcmp (name, "login") == 0)
        login = strcmp (status, "good") == 0    ? _ ("good")
              : ctl_fleet_probe_is_bad (status) ? _ ("FAILED")
                                                : "-";
    }
  detourctl_table_add (table, ctl_fleet_probe_from (vantage), ctl_fleet_probe_relay (fleet, node),
                       region, cells[2] != NULL ? cells[2] : "-", cells[3] != NULL ? cells[3] : "-",
                       cells[0] != NULL ? cells[0] : "-", cells[1] != NULL ? cells[1] : "-", login,
                       faults->str, NULL);
  for (guint k = 0; k < N_FAMILIES; k++)
    g_free (cells[k]);
}

static void
ctl_fleet_probe_add_pair (DetourctlTable *table, const Fleet *fleet, const FleetVantage *vantage,
                          const DetourctlValue *check)
{
  g_autofree char *pair = g_strdup_printf (
      "%s>%s", ctl_fleet_probe_relay (fleet, fleet_vantage_text (check, "node")),
      ctl_fleet_probe_relay (fleet, fleet_vantage_text (check, "to")));
  g_autofree char *cell = ctl_fleet_probe_cell (check);
  g_autoptr (GString) faults = g_string_new (NULL);

  ctl_fleet_probe_add_fault (faults, check);
  detourctl_table_add (table, ctl_fleet_probe_from (vantage), pair,
                       fleet_vantage_text (check, "region"), "", "", "", "", cell, faults->str,
                       NULL);
}

static void
ctl_fleet_probe_add_vantage (DetourctlTable *table, const Fleet *fleet, const FleetVantage *vantage)
{
  const DetourctlValue *checks = fleet_vantage_checks (vantage);
  const char *last = NULL;

  if (checks == NULL)
    {
      detourctl_table_add (table, ctl_fleet_probe_from (vantage), "-", "-", "-", "-", "-", "-", "-",
                           vantage->problem, NULL);
      return;
    }
  for (guint i = 0; i < checks->values->len; i++)
    {
      const DetourctlValue *check = checks->values->pdata[i];
      const char *node = fleet_vantage_text (check, "node");

      if (*fleet_vantage_text (check, "to") != '\0')
        ctl_fleet_probe_add_pair (table, fleet, vantage, check);
      else if (g_strcmp0 (node, last) != 0)
        ctl_fleet_probe_add_node (table, fleet, vantage, node,
                                  fleet_vantage_text (check, "region"));
      last = node;
    }
}

static void
ctl_fleet_probe_print (const Detourctl *self, const Fleet *fleet, const GPtrArray *vantages)
{
  const DetourctlColumn columns[] = {
    { _ ("FROM"), DETOURCTL_COLUMN_LEFT },    { _ ("TO"), DETOURCTL_COLUMN_LEFT },
    { _ ("REGION"), DETOURCTL_COLUMN_RIGHT }, { _ ("TLS4"), DETOURCTL_COLUMN_RIGHT },
    { _ ("TLS6"), DETOURCTL_COLUMN_RIGHT },   { _ ("STUN4"), DETOURCTL_COLUMN_RIGHT },
    { _ ("STUN6"), DETOURCTL_COLUMN_RIGHT },  { _ ("LOGIN"), DETOURCTL_COLUMN_LEFT },
    { _ ("DETAIL"), DETOURCTL_COLUMN_LEFT },  { NULL },
  };
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  for (guint i = 0; i < vantages->len; i++)
    ctl_fleet_probe_add_vantage (table, fleet, vantages->pdata[i]);
  detourctl_print_table (self, table);
}

/* For programs ----------------------------------------------------------------------------------
 */

static void
ctl_fleet_probe_write_check (DetourctlJson *json, const Fleet *fleet, const DetourctlValue *check)
{
  static const char *const texts[] = { "node", "check", "status", "code", "text" };
  const char *to = fleet_vantage_text (check, "to");
  gint64 number = 0;

  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "relay",
                       ctl_fleet_probe_relay (fleet, fleet_vantage_text (check, "node")));
  if (*to != '\0')
    detourctl_json_text (json, "to", ctl_fleet_probe_relay (fleet, to));
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    detourctl_json_text (json, texts[i], fleet_vantage_text (check, texts[i]));
  if (ctl_fleet_probe_number (check, "region", &number))
    detourctl_json_signed (json, "region", number);
  if (ctl_fleet_probe_number (check, "microseconds", &number))
    detourctl_json_signed (json, "microseconds", number);
  detourctl_json_end_object (json);
}

static DetourctlExit
ctl_fleet_probe_write (const Fleet *fleet, const GPtrArray *vantages, DetourctlExit exit)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_begin_array (json, "from");
  for (guint i = 0; i < vantages->len; i++)
    {
      const FleetVantage *vantage = vantages->pdata[i];
      const DetourctlValue *checks = fleet_vantage_checks (vantage);

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "relay", vantage->relay != NULL ? vantage->relay->name : NULL);
      detourctl_json_text (json, "problem", vantage->problem);
      detourctl_json_begin_array (json, "checks");
      for (guint k = 0; checks != NULL && k < checks->values->len; k++)
        ctl_fleet_probe_write_check (json, fleet, checks->values->pdata[k]);
      detourctl_json_end_array (json);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

/* Clients do not come to a relay that is out of service, so nothing is wrong when it takes none. */
static void
ctl_fleet_probe_name_out (const Fleet *fleet, const FleetState *state)
{
  for (guint i = 0; i < fleet->relays->len; i++)
    {
      const FleetRelay *relay = fleet->relays->pdata[i];

      if (fleet_state_stage (state, relay->name) == FLEET_OUT)
        detourctl_complain (_ ("%s: out of service, so nobody looks at it"), relay->name);
    }
}

static DetourctlExit
ctl_fleet_probe_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (Fleet) fleet = detourctl_fleet_load (NULL, &exit);
  g_autoptr (FleetState) state = fleet != NULL ? detourctl_fleet_load_state (fleet, &exit) : NULL;
  g_auto (GStrv) names = state != NULL ? detourctl_fleet_in_service (fleet, state, &exit) : NULL;
  g_autoptr (GPtrArray) from = g_ptr_array_new ();
  g_autoptr (GPtrArray) answers = NULL;
  g_autoptr (GPtrArray) vantages = NULL;
  g_autoptr (DetourctlMap) map = NULL;

  if (names == NULL)
    return exit;
  ctl_fleet_probe_name_out (fleet, state);
  answers = fleet_ask (fleet, names, self->timeout_ms, fleet_facts_ask, NULL, fleet_facts_free);
  exit = detourctl_fleet_name_silent (answers, state, DETOURCTL_GOOD);
  map = fleet_map_build (fleet, answers, NULL);
  if (map->regions->len == 0)
    return DETOURCTL_FAILED;
  for (guint i = 0; i < answers->len && !is_here; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      if (answer->result != NULL)
        g_ptr_array_add (from, (gpointer) answer->relay);
    }
  vantages = ctl_fleet_probe_look (self, fleet, from, map);
  for (guint i = 0; i < vantages->len; i++)
    {
      const FleetVantage *vantage = vantages->pdata[i];

      if (vantage->problem != NULL || ctl_fleet_probe_failed (vantage) != NULL)
        exit = DETOURCTL_FAILED;
    }
  if (self->json)
    return ctl_fleet_probe_write (fleet, vantages, exit);
  ctl_fleet_probe_print (self, fleet, vantages);
  return exit;
}

const DetourctlCommand detourctl_fleet_probe_commands[] = {
  { .name = "fleet probe",
    .arguments = "",
    .summary = N_ ("Look at every relay of a fleet from here and from all others"),
    .details = N_ (
        "Each relay in each family, as \"detourctl probe\" looks at it: from here, and from "
        "the hosts of all other\nrelays; and packets between the relays of a region. Exit "
        "status 1: a check has failed, or a relay does not answer. Those "
        "out of service are left out."),
    .options = options,
    .run = ctl_fleet_probe_run },
  { NULL },
};
