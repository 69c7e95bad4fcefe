/* detourctl-fleet-why.c: the command that says why a client is let in or kept out by the relays of
 * a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "detourctl-ban.h"
#include "detourctl-events.h"
#include "detourctl-fleet-key.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"
#include "detourctl-why.h"
#include "fleet-bans.h"

static const GOptionEntry options[] = { DETOURCTL_FLEET_OPTION, { NULL } };

static const char *const row_times[] = { "since", "until", "first", "last", NULL };

typedef struct {
  const Detourctl *ctl;
  Fleet *fleet;
  FleetState *state;
  char *key;
  GPtrArray *addresses; /* of the client, without ports: what any relay knows */
  GPtrArray *verdicts;  /* of FleetAnswer with Verdicts */
  GPtrArray *bans;      /* of FleetAnswer with rows that keep it out, of the same relays */
} Why;

static void
ctl_fleet_why_clear (Why *self)
{
  g_clear_pointer (&self->bans, g_ptr_array_unref);
  g_clear_pointer (&self->verdicts, g_ptr_array_unref);
  g_clear_pointer (&self->addresses, g_ptr_array_unref);
  g_clear_pointer (&self->key, g_free);
  g_clear_pointer (&self->state, fleet_state_free);
  g_clear_pointer (&self->fleet, fleet_inventory_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Why, ctl_fleet_why_clear)

/* Asking ----------------------------------------------------------------------------------------
 */

/* Each aa{sv}. */
typedef struct {
  GVariant *rows, *events;
} Verdicts;

static void
ctl_fleet_why_free_verdicts (gpointer data)
{
  Verdicts *self = data;

  g_clear_pointer (&self->rows, g_variant_unref);
  g_clear_pointer (&self->events, g_variant_unref);
  g_free (self);
}

/* The first value of the answer; NULL with @error. */
static GVariant *
ctl_fleet_why_call (FleetLink *link, const char *method, GVariant *arguments, const char *reply,
                    GError **error)
{
  g_autoptr (GVariant)
      answer = fleet_link_call (link, "", "Manager", method, arguments, reply, error);

  return answer != NULL ? g_variant_get_child_value (answer, 0) : NULL;
}

static gpointer
ctl_fleet_why_ask_verdicts (FleetLink *link, gpointer user, GError **error)
{
  const Why *self = user;
  Verdicts *verdicts = g_new0 (Verdicts, 1);

  verdicts->rows = ctl_fleet_why_call (link, "Why", g_variant_new ("(s)", self->key), "(aa{sv})",
                                       error);
  if (verdicts->rows != NULL)
    verdicts->events = ctl_fleet_why_call (
        link, "ListEvents", detourctl_events_wishes (self->key, 0, g_get_real_time ()), "(aa{sv})",
        error);
  if (verdicts->events != NULL)
    return verdicts;
  ctl_fleet_why_free_verdicts (verdicts);
  return NULL;
}

/* As fleet_bans_ask() gives them. */
static gpointer
ctl_fleet_why_ask_bans (FleetLink *link, gpointer user, GError **error)
{
  const Why *self = user;
  g_autoptr (GPtrArray) about = g_ptr_array_new ();
  g_autoptr (GPtrArray) kept = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (GVariant) rows = NULL;

  g_ptr_array_add (about, self->key);
  for (guint i = 0; i < self->addresses->len; i++)
    g_ptr_array_add (about, self->addresses->pdata[i]);
  g_ptr_array_add (about, NULL);
  rows = ctl_fleet_why_call (link, "ListBans",
                             detourctl_ban_about_wishes ((const char *const *) about->pdata),
                             "(aa{sv}s)", error);
  if (rows == NULL)
    return NULL;
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) ban = g_variant_get_child_value (rows, i);

      if (detourctl_why_is_kept_out (ban, self->key, self->addresses))
        g_ptr_array_add (kept, g_steal_pointer (&ban));
    }
  return g_steal_pointer (&kept);
}

/* What came from where counts for all relays: the next one that the client goes to may be the one
 * that has banned its network. */
static void
ctl_fleet_why_ask (Why *self)
{
  self->addresses = g_ptr_array_new_with_free_func (g_free);
  self->verdicts = fleet_ask (self->fleet, NULL, self->ctl->timeout_ms, ctl_fleet_why_ask_verdicts,
                              self, ctl_fleet_why_free_verdicts);
  for (guint i = 0; i < self->verdicts->len; i++)
    {
      const FleetAnswer *answer = self->verdicts->pdata[i];
      const Verdicts *verdicts = answer->result;

      if (verdicts == NULL)
        continue;
      detourctl_why_note_addresses (self->addresses, verdicts->rows);
      detourctl_why_note_addresses (self->addresses, verdicts->events);
    }
  self->bans = fleet_ask (self->fleet, NULL, self->ctl->timeout_ms, ctl_fleet_why_ask_bans, self,
                          fleet_bans_free);
}

static char *
ctl_fleet_why_find_key (gpointer user, const char *text, DetourctlExit *exit)
{
  const Why *self = user;

  return detourctl_fleet_find_key (self->ctl, self->fleet, self->state, text, TRUE, exit);
}

/* Telling ---------------------------------------------------------------------------------------
 */

/* The row that a part of a joined ban was made of. */
static GVariant *
ctl_fleet_why_row (const Why *self, const FleetBan *ban, const FleetRelay *relay)
{
  for (guint i = 0; i < self->bans->len; i++)
    {
      const FleetAnswer *answer = self->bans->pdata[i];
      const GPtrArray *rows = answer->relay == relay ? answer->result : NULL;

      for (guint k = 0; rows != NULL && k < rows->len; k++)
        if (g_strcmp0 (detourctl_text (rows->pdata[k], "target"), ban->target) == 0)
          return rows->pdata[k];
    }
  g_assert_not_reached ();
}

/* One line for the relays that have it so. FALSE: an earlier line has them. */
static gboolean
ctl_fleet_why_print_part (const Why *self, const FleetBan *ban, guint at)
{
  const FleetBanPart *part = &g_array_index (ban->parts, FleetBanPart, at);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autofree char *text = NULL;
  g_autofree char *whose = NULL;

  for (guint i = 0; i < ban->parts->len; i++)
    {
      const FleetBanPart *other = &g_array_index (ban->parts, FleetBanPart, i);

      if (!fleet_bans_is_same (part, other))
        continue;
      if (i < at)
        return FALSE;
      g_ptr_array_add (names, other->relay->name);
    }
  text = detourctl_why_describe_ban (ctl_fleet_why_row (self, ban, part->relay), self->addresses);
  whose = names->len == self->fleet->relays->len ? g_strdup (_ ("all relays"))
                                                 : detourctl_fleet_join_names (names);
  g_print ("%s: %s\n", whose, text);
  return TRUE;
}

static void
ctl_fleet_why_print_bans (const Why *self)
{
  g_autoptr (GPtrArray) bans = fleet_bans_join (self->bans);

  for (guint i = 0; i < bans->len; i++)
    {
      const FleetBan *ban = bans->pdata[i];
      g_autofree char *target = detourctl_format_word (ban->target);
      g_autofree char *words = g_strconcat ("unban ", target, NULL);
      g_autofree char *command = detourctl_fleet_command (words);

      for (guint k = 0; k < ban->parts->len; k++)
        ctl_fleet_why_print_part (self, ban, k);
      /* TRANSLATORS: a command. */
      g_print (_ ("To lift the ban: %s\n"), command);
    }
}

static void
ctl_fleet_why_add_verdicts (DetourctlTable *table, const FleetRelay *relay, GVariant *rows)
{
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      g_autofree char *last = detourctl_format_time (detourctl_number (row, "last"));
      g_autofree char *count = detourctl_format_count (detourctl_number (row, "count"));
      g_autofree char *notes = detourctl_why_verdict_notes (row);

      detourctl_table_add (table, relay->name, last, count, detourctl_why_verdict_word (row),
                           detourctl_text (row, "source"), detourctl_text (row, "address"), notes,
                           NULL);
    }
}

static void
ctl_fleet_why_print_verdicts (const Why *self)
{
  const DetourctlColumn columns[] = {
    { _ ("RELAY"), DETOURCTL_COLUMN_LEFT },  { _ ("LAST"), DETOURCTL_COLUMN_LEFT },
    { _ ("TIMES"), DETOURCTL_COLUMN_RIGHT }, { _ ("VERDICT"), DETOURCTL_COLUMN_LEFT },
    { _ ("BY"), DETOURCTL_COLUMN_LEFT },     { _ ("ADDRESS"), DETOURCTL_COLUMN_LEFT },
    { _ ("WHY"), DETOURCTL_COLUMN_LEFT },    { NULL },
  };
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);
  gsize n = 0;

  for (guint i = 0; i < self->verdicts->len; i++)
    {
      const FleetAnswer *answer = self->verdicts->pdata[i];
      const Verdicts *verdicts = answer->result;

      if (verdicts == NULL)
        continue;
      n += g_variant_n_children (verdicts->rows);
      ctl_fleet_why_add_verdicts (table, answer->relay, verdicts->rows);
    }
  if (n == 0)
    g_print (_ ("There was no verdict on this key lately.\n"));
  else
    detourctl_print_table (self->ctl, table);
}

static void
ctl_fleet_why_write_bans (DetourctlJson *json, const GPtrArray *rows)
{
  if (rows == NULL)
    {
      detourctl_json_text (json, "bans", NULL);
      return;
    }
  detourctl_json_begin_array (json, "bans");
  for (guint i = 0; i < rows->len; i++)
    detourctl_json_variant (json, NULL, rows->pdata[i], row_times);
  detourctl_json_end_array (json);
}

static DetourctlExit
ctl_fleet_why_write (const Why *self, DetourctlExit exit)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_begin_array (json, "relays");
  for (guint i = 0; i < self->verdicts->len; i++)
    {
      const FleetAnswer *answer = self->verdicts->pdata[i], *bans = self->bans->pdata[i];
      const Verdicts *verdicts = answer->result;
      const char *name = answer->relay->name;

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "relay", name);
      detourctl_json_text (json, "stage",
                           fleet_state_stage_name (fleet_state_stage (self->state, name)));
      detourctl_json_text (json, "problem",
                           answer->problem != NULL ? answer->problem : bans->problem);
      if (verdicts != NULL)
        detourctl_json_variant (json, "verdicts", verdicts->rows, row_times);
      else
        detourctl_json_text (json, "verdicts", NULL);
      ctl_fleet_why_write_bans (json, bans->result);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

/* Each silent relay once: it may have been there for the first question alone. */
static DetourctlExit
ctl_fleet_why_name_silent (const Why *self)
{
  DetourctlExit exit = detourctl_fleet_name_silent (self->verdicts, self->state, DETOURCTL_GOOD);
  g_autoptr (GPtrArray) rest = g_ptr_array_new ();

  for (guint i = 0; i < self->bans->len; i++)
    if (((const FleetAnswer *) self->verdicts->pdata[i])->result != NULL)
      g_ptr_array_add (rest, self->bans->pdata[i]);
  return detourctl_fleet_name_silent (rest, self->state, exit);
}

static DetourctlExit
ctl_fleet_why_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_auto (Why) why = { .ctl = self, .fleet = detourctl_fleet_load (NULL, &exit) };

  if (why.fleet != NULL)
    why.state = detourctl_fleet_load_state (why.fleet, &exit);
  if (why.state != NULL)
    why.key = detourctl_ban_whole_key (arguments[0], ctl_fleet_why_find_key, &why, &exit);
  if (why.key == NULL)
    return exit;
  ctl_fleet_why_ask (&why);
  exit = ctl_fleet_why_name_silent (&why);
  if (self->json)
    return ctl_fleet_why_write (&why, exit);
  ctl_fleet_why_print_bans (&why);
  ctl_fleet_why_print_verdicts (&why);
  return exit;
}

const DetourctlCommand detourctl_fleet_why_commands[] = {
  { .name = "fleet why",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Show the bans and the last verdicts of all relays of a fleet on a key"),
    .details = N_ ("KEY is nodekey: and 64 hex digits, or the first digits of a client that one of "
                   "the relays knows, or has\nbanned. Bans of networks are shown where one of "
                   "them knows an address of the client."),
    .options = options,
    .run = ctl_fleet_why_run,
    .n_min = 1,
    .n_max = 1 },
  { NULL },
};
