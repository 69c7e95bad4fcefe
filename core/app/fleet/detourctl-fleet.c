/* detourctl-fleet.c: several relays, named in an inventory file: how they are.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-fleet.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-peer.h"
#include "detourctl-print.h"
#include "detourctl-table.h"
#include "fleet-check.h"
#include "fleet-status.h"

/* A longer version or host name is of use to programs alone. */
#define VERSION_MAX 24u
#define NOTE_MAX    64u

/* A list of names is no longer than this; other ones are counted. */
#define NAMES_MAX 4u

char *detourctl_fleet_inventory;

static gboolean use_exit_code;

static const GOptionEntry options[] = {
  DETOURCTL_FLEET_OPTION,
  { "exit-code", 0, 0, G_OPTION_ARG_NONE, &use_exit_code,
    N_ ("Exit with 1 when there is something to look at, a line with \"!\""), NULL },
  { NULL },
};

/* What the commands share -----------------------------------------------------------------------
 */

const char *
detourctl_fleet_path (void)
{
  return detourctl_fleet_inventory != NULL ? detourctl_fleet_inventory
                                           : DETOUR_SYSCONF_DIR "/fleet.conf";
}

char *
detourctl_fleet_command (const char *words)
{
  g_autofree char *file = detourctl_fleet_inventory != NULL
                            ? detourctl_format_word (detourctl_fleet_inventory)
                            : NULL;

  return g_strconcat ("detourctl fleet ", words, file != NULL ? " --inventory " : NULL, file, NULL);
}

Fleet *
detourctl_fleet_load (char **names, DetourctlExit *exit)
{
  const char *path = detourctl_fleet_path ();
  g_autoptr (DetourConfigErrors) errors = detour_config_errors_new ();
  g_autoptr (Fleet) fleet = fleet_inventory_load (path, errors);
  g_auto (GStrv) lines = NULL;

  if (fleet == NULL)
    {
      lines = detour_config_errors_lines (errors);
      /* The last line is about a configuration of the daemon. */
      for (guint i = 0; lines[i] != NULL && lines[i + 1] != NULL; i++)
        g_printerr ("%s\n", lines[i]);
      if (detourctl_fleet_inventory == NULL && !g_file_test (path, G_FILE_TEST_EXISTS))
        detourctl_complain (
            _ ("write a group [relay NAME] for each relay, with region, and ssh or socket"));
      *exit = DETOURCTL_FAILED;
      return NULL;
    }
  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    if (fleet_inventory_relay (fleet, names[i]) == NULL)
      {
        detourctl_complain (_ ("%s has no relay \"%s\""), path, names[i]);
        *exit = DETOURCTL_USAGE;
        return NULL;
      }
  return g_steal_pointer (&fleet);
}

FleetState *
detourctl_fleet_load_state (const Fleet *fleet, DetourctlExit *exit)
{
  g_autoptr (GError) error = NULL;
  FleetState *state = fleet_state_load (fleet->path, &error);

  if (state == NULL)
    {
      detourctl_complain ("%s", error->message);
      *exit = DETOURCTL_FAILED;
    }
  return state;
}

GStrv
detourctl_fleet_in_service (const Fleet *fleet, const FleetState *state, DetourctlExit *exit)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  g_auto (GStrv) all = NULL;

  for (guint i = 0; i < fleet->relays->len; i++)
    {
      const FleetRelay *relay = fleet->relays->pdata[i];

      if (fleet_state_stage (state, relay->name) != FLEET_OUT)
        g_strv_builder_add (names, relay->name);
    }
  all = g_strv_builder_end (names);
  if (*all != NULL)
    return g_steal_pointer (&all);
  detourctl_complain (_ ("all relays of %s are out of service"), fleet->path);
  *exit = DETOURCTL_FAILED;
  return NULL;
}

DetourctlExit
detourctl_fleet_name_silent (const GPtrArray *answers, const FleetState *state, DetourctlExit exit)
{
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      if (answer->result != NULL)
        continue;
      if (fleet_state_stage (state, answer->relay->name) == FLEET_OUT)
        {
          detourctl_complain (_ ("%s: out of service, and does not answer: %s"),
                              answer->relay->name, answer->problem);
          continue;
        }
      detourctl_complain ("%s: %s", answer->relay->name, answer->problem);
      exit = DETOURCTL_FAILED;
    }
  return exit;
}

char *
detourctl_fleet_join_names (const GPtrArray *names)
{
  g_autoptr (GString) text = g_string_new (NULL);
  guint n_more = names->len > NAMES_MAX ? names->len - NAMES_MAX : 0;

  for (guint i = 0; i < names->len - n_more; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", (const char *) names->pdata[i]);
  if (n_more == 0)
    return g_strdup (text->str);
  /* TRANSLATORS: names of relays, and how many others there are. */
  return g_strdup_printf (ngettext ("%s and %u more", "%s and %u more", n_more), text->str, n_more);
}

/* fleet status ----------------------------------------------------------------------------------
 */

/* For programs. */
static const char *
ctl_fleet_state (GVariant *manager)
{
  if (detourctl_flag (manager, "Draining"))
    return "draining";
  return detourctl_flag (manager, "Ready") ? "ready" : "not-ready";
}

static const char *
ctl_fleet_state_word (GVariant *manager)
{
  if (detourctl_flag (manager, "Draining"))
    return _ ("draining");
  return detourctl_flag (manager, "Ready") ? _ ("ready") : _ ("not ready");
}

/* "1/2": links that are up of peers that are configured. */
static char *
ctl_fleet_mesh_word (GVariant *objects)
{
  const DetourctlPeers peers = detourctl_peers_count (objects);

  if (!peers.is_running)
    return g_strdup ("-");
  /* TRANSLATORS: a relay takes links of others, and makes none. */
  return peers.n_peers > 0 ? g_strdup_printf ("%u/%u", peers.n_up, peers.n_peers)
                           : g_strdup (_ ("yes"));
}

/* What stands beside a relay that is well. */
static char *
ctl_fleet_note (GVariant *manager, FleetStage stage)
{
  const char *installed = detourctl_text (manager, "InstalledVersion");
  g_autofree char *shown = detourctl_format_middle (installed, VERSION_MAX);

  if (*installed != '\0' && strcmp (installed, detourctl_text (manager, "Version")) != 0)
    return g_strdup_printf (_ ("%s is installed"), shown);
  if (stage == FLEET_ENTERING)
    return g_strdup (_ ("entering"));
  if (stage == FLEET_LEAVING)
    return g_strdup (_ ("leaving"));
  if (stage == FLEET_OUT)
    return g_strdup (_ ("out of service"));
  return detourctl_format_middle (detourctl_text (manager, "Hostname"), NOTE_MAX);
}

static void
ctl_fleet_add_row (DetourctlTable *table, const FleetAnswer *answer, const FleetState *state)
{
  const FleetStatus *status = answer->result;
  g_autofree char *region = g_strdup_printf ("%" G_GUINT64_FORMAT, answer->relay->region);
  g_autofree char *clients = NULL;
  g_autofree char *mesh = NULL;
  g_autofree char *note = NULL;
  g_autofree char *version = NULL;

  if (status == NULL)
    {
      gboolean is_out = fleet_state_stage (state, answer->relay->name) == FLEET_OUT;

      note = is_out
               ? g_strdup_printf (_ ("out of service, and does not answer: %s"), answer->problem)
               : g_strdup (answer->problem);
      detourctl_table_add (table, answer->relay->name, region, "-", "-",
                           is_out ? _ ("out") : _ ("NO ANSWER"), "-", note, NULL);
      return;
    }
  mesh = ctl_fleet_mesh_word (status->objects);
  clients = detourctl_format_count (detourctl_n_clients (status->manager));
  note = ctl_fleet_note (status->manager, fleet_state_stage (state, answer->relay->name));
  version = detourctl_format_middle (detourctl_text (status->manager, "Version"), VERSION_MAX);
  detourctl_table_add (table, answer->relay->name, region, version, clients,
                       ctl_fleet_state_word (status->manager), mesh, note, NULL);
}

static void
ctl_fleet_print_status (const Detourctl *self, const GPtrArray *answers, const FleetState *state)
{
  const DetourctlColumn columns[] = {
    { _ ("RELAY"), DETOURCTL_COLUMN_LEFT },   { _ ("REGION"), DETOURCTL_COLUMN_RIGHT },
    { _ ("VERSION"), DETOURCTL_COLUMN_LEFT }, { _ ("CLIENTS"), DETOURCTL_COLUMN_RIGHT },
    { _ ("STATE"), DETOURCTL_COLUMN_LEFT },   { _ ("MESH"), DETOURCTL_COLUMN_LEFT },
    { _ ("DETAIL"), DETOURCTL_COLUMN_LEFT },  { NULL },
  };
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  for (guint i = 0; i < answers->len; i++)
    ctl_fleet_add_row (table, answers->pdata[i], state);
  detourctl_print_table (self, table);
}

void
detourctl_fleet_print_finding (const Detourctl *self, const char *text)
{
  g_autofree char *safe = detourctl_format_safe (text);
  g_autofree char *lines = detourctl_format_wrap (safe, 2, 2, detourctl_print_width (self));

  g_print ("%s!%s %s\n", detourctl_style (self, DETOURCTL_YELLOW),
           detourctl_style (self, DETOURCTL_PLAIN), lines);
}

static void
ctl_fleet_print_findings (const Detourctl *self, const GPtrArray *findings)
{
  for (guint i = 0; i < findings->len; i++)
    {
      const FleetFinding *finding = findings->pdata[i];
      g_autofree char *text = g_strdup_printf ("%s. %s", finding->text, finding->remedy);

      detourctl_fleet_print_finding (self, text);
    }
}

static void
ctl_fleet_write_findings (DetourctlJson *json, const GPtrArray *findings)
{
  detourctl_json_begin_array (json, "findings");
  for (guint i = 0; i < findings->len; i++)
    {
      const FleetFinding *finding = findings->pdata[i];

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "code", finding->code);
      detourctl_json_text (json, "relay", finding->relay);
      detourctl_json_text (json, "other", finding->other);
      detourctl_json_text (json, "text", finding->text);
      detourctl_json_text (json, "remedy", finding->remedy);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
}

static void
ctl_fleet_write_status (DetourctlJson *json, const FleetAnswer *answer, const FleetState *state)
{
  const FleetStatus *status = answer->result;

  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "relay", answer->relay->name);
  detourctl_json_number (json, "region", answer->relay->region);
  detourctl_json_text (json, "stage",
                       fleet_state_stage_name (fleet_state_stage (state, answer->relay->name)));
  detourctl_json_text (json, "problem", answer->problem);
  if (status != NULL)
    {
      const DetourctlPeers peers = detourctl_peers_count (status->objects);

      detourctl_json_text (json, "state", ctl_fleet_state (status->manager));
      detourctl_json_flag (json, "mesh", peers.is_running);
      detourctl_json_begin_object (json, "status");
      detourctl_json_properties (json, status->manager);
      detourctl_peers_write (json, &peers);
      detourctl_json_objects (json, "peers", status->objects, "Peer");
      detourctl_json_end_object (json);
    }
  else
    {
      detourctl_json_text (json, "state", "no-answer");
    }
  detourctl_json_end_object (json);
}

/* Whether one does not answer that ought to. */
static gboolean
ctl_fleet_is_one_missed (const GPtrArray *answers, const FleetState *state)
{
  for (guint i = 0; i < answers->len; i++)
    {
      const FleetAnswer *answer = answers->pdata[i];

      if (answer->result == NULL && fleet_state_stage (state, answer->relay->name) != FLEET_OUT)
        return TRUE;
    }
  return FALSE;
}

static DetourctlExit
ctl_fleet_run_status (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (Fleet) fleet = detourctl_fleet_load (arguments, &exit);
  g_autoptr (GPtrArray) answers = NULL;
  g_autoptr (GPtrArray) findings = NULL;
  g_autoptr (FleetState) state = fleet != NULL ? detourctl_fleet_load_state (fleet, &exit) : NULL;
  DetourctlJson *json;

  if (state == NULL)
    return exit;
  answers = fleet_ask (fleet, arguments, self->timeout_ms, fleet_status_ask, NULL,
                       fleet_status_free);
  if (ctl_fleet_is_one_missed (answers, state))
    exit = DETOURCTL_FAILED;
  findings = fleet_status_check (fleet, answers, state);
  if (use_exit_code && findings->len > 0)
    exit = DETOURCTL_FAILED;
  if (!self->json)
    {
      ctl_fleet_print_status (self, answers, state);
      ctl_fleet_print_findings (self, findings);
      return exit;
    }
  json = detourctl_json_begin_document ();
  detourctl_json_begin_array (json, "relays");
  for (guint i = 0; i < answers->len; i++)
    ctl_fleet_write_status (json, answers->pdata[i], state);
  detourctl_json_end_array (json);
  ctl_fleet_write_findings (json, findings);
  return detourctl_json_end_document (json, exit);
}

const DetourctlCommand detourctl_fleet_commands[] = {
  { .name = "fleet status",
    .arguments = N_ ("[RELAY…]"),
    .summary = N_ ("Show how the relays of a fleet are"),
    .details = N_ (
        "Relays are named in an inventory file; see FLEET in detourctl(1). They are asked "
        "at the same time, each\nwithin --timeout. Lines with \"!\" say which two of a region are "
        "not "
        "linked, or show one server key, and whose\nclock is wrong. Exit status 1: one does not "
        "answer that is not out of service; what the others say is shown."),
    .options = options,
    .run = ctl_fleet_run_status,
    .n_max = G_MAXUINT },
  { NULL },
};
