/* detourctl-fleet-bans.c: the command that lists what is banned on which relays of a fleet.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-ban.h"
#include "detourctl-fleet.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-table.h"
#include "fleet-bans.h"

/* More findings are counted: a relay that was away may miss thousands of bans. */
#define FINDINGS_MAX 10u

static gboolean use_exit_code;

static const GOptionEntry options[] = {
  DETOURCTL_FLEET_OPTION,
  { "exit-code", 0, 0, G_OPTION_ARG_NONE, &use_exit_code,
    N_ ("Exit with 1 when there is something to look at, a line with \"!\""), NULL },
  { NULL },
};

typedef struct {
  GPtrArray *answers; /* of FleetAnswer */
  guint n_answered;
  GPtrArray *bans; /* of FleetBan */
} Bans;

/* Findings --------------------------------------------------------------------------------------
 */

/* What is different between relays in a ban. */
typedef struct {
  const char *code;
  GPtrArray *with, *without; /* of names, borrowed: without it, or with another end or reason */
} Difference;

static void
ctl_fleet_bans_clear_difference (Difference *self)
{
  g_clear_pointer (&self->with, g_ptr_array_unref);
  g_clear_pointer (&self->without, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Difference, ctl_fleet_bans_clear_difference)

/* FALSE: there is none. */
static gboolean
ctl_fleet_bans_compare (const Bans *self, const FleetBan *ban, Difference *out)
{
  const FleetBanPart *longest = fleet_bans_longest (ban);
  gboolean is_everywhere = ban->parts->len == self->n_answered;

  *out = (Difference) { is_everywhere ? "ban_differs" : "ban_missing", g_ptr_array_new (),
                        g_ptr_array_new () };
  for (guint i = 0; i < self->answers->len; i++)
    {
      const FleetAnswer *answer = self->answers->pdata[i];
      const FleetBanPart *part = fleet_bans_part (ban, answer->relay);
      gboolean is_good = part != NULL && (!is_everywhere || fleet_bans_is_same (part, longest));

      if (answer->result != NULL)
        g_ptr_array_add (is_good ? out->with : out->without, answer->relay->name);
    }
  return out->without->len > 0;
}

static char *
ctl_fleet_bans_describe (const FleetBan *ban, const Difference *difference)
{
  g_autofree char *with = detourctl_fleet_join_names (difference->with);
  g_autofree char *without = detourctl_fleet_join_names (difference->without);

  if (strcmp (difference->code, "ban_missing") == 0)
    /* TRANSLATORS: a key or a network, and names of relays in both places. */
    return g_strdup_printf (_ ("%s is banned on %s, and not on %s"), ban->target, with, without);
  /* TRANSLATORS: a key or a network, and names of relays in both places. */
  return g_strdup_printf (_ ("the ban of %s has another end or reason on %s than on %s"),
                          ban->target, without, with);
}

/* The command that bans it everywhere, for as long as the longest one lasts. */
static char *
ctl_fleet_bans_command (const FleetBan *ban)
{
  const FleetBanPart *part = fleet_bans_longest (ban);
  guint64 now_us = (guint64) g_get_real_time ();
  guint64 rest_s = part->until_us > now_us ? (part->until_us - now_us) / G_USEC_PER_SEC : 0;
  g_autofree char *target = detourctl_format_word (ban->target);
  g_autofree char *reason = detourctl_format_word (part->reason);
  g_autofree char *limit = g_strdup_printf (" --for=%" G_GUINT64_FORMAT "s", MAX (rest_s, 1));
  g_autofree char *words = NULL;
  DetourBanTarget parsed;
  gboolean is_wide = detour_ban_target_parse (ban->target, &parsed, NULL)
                  && !detour_ban_target_is_narrow (&parsed, NULL);

  words = g_strconcat ("ban ", target, part->until_us > 0 ? limit : "",
                       *part->reason != '\0' ? " --reason=" : "",
                       *part->reason != '\0' ? reason : "", is_wide ? " --force" : "", NULL);
  return detourctl_fleet_command (words);
}

static char *
ctl_fleet_bans_remedy (const FleetBan *ban)
{
  g_autofree char *target = detourctl_format_word (ban->target);
  g_autofree char *words = g_strconcat ("unban ", target, NULL);
  g_autofree char *all = ctl_fleet_bans_command (ban);
  g_autofree char *none = detourctl_fleet_command (words);

  /* TRANSLATORS: two commands. */
  return g_strdup_printf (_ ("ban it on all of them: %s, or on none: %s"), all, none);
}

static void
ctl_fleet_bans_print_finding (const Detourctl *ctl, const char *text, const char *remedy)
{
  g_autofree char *all = g_strdup_printf ("%s%s%s", text, remedy != NULL ? ". " : "",
                                          remedy != NULL ? remedy : "");

  detourctl_fleet_print_finding (ctl, all);
}

/* How many there are. */
static guint
ctl_fleet_bans_print_findings (const Detourctl *ctl, const Bans *self)
{
  guint n = 0;

  for (guint i = 0; i < self->bans->len; i++)
    {
      const FleetBan *ban = self->bans->pdata[i];
      g_auto (Difference) difference = { NULL };
      g_autofree char *text = NULL;
      g_autofree char *remedy = NULL;

      if (!ctl_fleet_bans_compare (self, ban, &difference) || n++ >= FINDINGS_MAX)
        continue;
      text = ctl_fleet_bans_describe (ban, &difference);
      remedy = ctl_fleet_bans_remedy (ban);
      ctl_fleet_bans_print_finding (ctl, text, remedy);
    }
  if (n > FINDINGS_MAX)
    {
      g_autofree char *more = g_strdup_printf (ngettext ("%u more ban differs; --json has all",
                                                         "%u more bans differ; --json has all",
                                                         n - FINDINGS_MAX),
                                               n - FINDINGS_MAX);

      ctl_fleet_bans_print_finding (ctl, more, NULL);
    }
  return n;
}

/* The table -------------------------------------------------------------------------------------
 */

/* The relays that have it as @part says. */
static char *
ctl_fleet_bans_relays (const Bans *self, const FleetBan *ban, const FleetBanPart *part)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; i < ban->parts->len; i++)
    {
      const FleetBanPart *other = &g_array_index (ban->parts, FleetBanPart, i);

      if (fleet_bans_is_same (part, other))
        g_ptr_array_add (names, other->relay->name);
    }
  return names->len == self->n_answered ? g_strdup (_ ("all")) : detourctl_fleet_join_names (names);
}

/* Whether a row has it already. */
static gboolean
ctl_fleet_bans_is_told (const FleetBan *ban, guint at)
{
  const FleetBanPart *part = &g_array_index (ban->parts, FleetBanPart, at);

  for (guint i = 0; i < at; i++)
    if (fleet_bans_is_same (&g_array_index (ban->parts, FleetBanPart, i), part))
      return TRUE;
  return FALSE;
}

static void
ctl_fleet_bans_print (const Detourctl *ctl, const Bans *self)
{
  const DetourctlColumn columns[] = {
    { _ ("TARGET"), DETOURCTL_COLUMN_LEFT },
    { _ ("RELAYS"), DETOURCTL_COLUMN_LEFT },
    { _ ("UNTIL"), DETOURCTL_COLUMN_LEFT },
    { _ ("REASON"), DETOURCTL_COLUMN_LEFT },
    { NULL },
  };
  g_autoptr (DetourctlTable) table = detourctl_table_new (columns);

  for (guint i = 0; i < self->bans->len; i++)
    {
      const FleetBan *ban = self->bans->pdata[i];

      for (guint k = 0; k < ban->parts->len; k++)
        {
          const FleetBanPart *part = &g_array_index (ban->parts, FleetBanPart, k);
          g_autofree char *relays = NULL;
          g_autofree char *until = NULL;

          if (ctl_fleet_bans_is_told (ban, k))
            continue;
          relays = ctl_fleet_bans_relays (self, ban, part);
          until = part->until_us > 0 ? detourctl_format_time (part->until_us)
                                     : g_strdup (_ ("lifted"));
          detourctl_table_add (table, ban->target, relays, until, part->reason, NULL);
        }
    }
  if (self->bans->len == 0)
    g_print (_ ("Nothing is banned.\n"));
  else
    detourctl_print_table (ctl, table);
}

/* For programs ----------------------------------------------------------------------------------
 */

static void
ctl_fleet_bans_write_ban (DetourctlJson *json, const FleetBan *ban)
{
  detourctl_json_begin_object (json, NULL);
  detourctl_json_text (json, "target", ban->target);
  detourctl_json_begin_array (json, "relays");
  for (guint i = 0; i < ban->parts->len; i++)
    {
      const FleetBanPart *part = &g_array_index (ban->parts, FleetBanPart, i);

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "relay", part->relay->name);
      detourctl_json_time (json, "since", part->since_us);
      detourctl_json_time (json, "until", part->until_us);
      detourctl_json_text (json, "reason", part->reason);
      detourctl_json_number (json, "refused", part->refused);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  detourctl_json_end_object (json);
}

/* How many findings there are. */
static guint
ctl_fleet_bans_write_findings (DetourctlJson *json, const Bans *self)
{
  guint n = 0;

  detourctl_json_begin_array (json, "findings");
  for (guint i = 0; i < self->bans->len; i++)
    {
      const FleetBan *ban = self->bans->pdata[i];
      g_auto (Difference) difference = { NULL };
      g_autofree char *text = NULL;
      g_autofree char *remedy = NULL;

      if (!ctl_fleet_bans_compare (self, ban, &difference))
        continue;
      n++;
      text = ctl_fleet_bans_describe (ban, &difference);
      remedy = ctl_fleet_bans_remedy (ban);
      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "code", difference.code);
      detourctl_json_text (json, "target", ban->target);
      detourctl_json_texts (json, "with", difference.with);
      detourctl_json_texts (json, "without", difference.without);
      detourctl_json_text (json, "text", text);
      detourctl_json_text (json, "remedy", remedy);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  return n;
}

static DetourctlExit
ctl_fleet_bans_write (const Bans *self, const FleetState *state, DetourctlExit exit)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_begin_array (json, "relays");
  for (guint i = 0; i < self->answers->len; i++)
    {
      const FleetAnswer *answer = self->answers->pdata[i];
      const char *stage = fleet_state_stage_name (fleet_state_stage (state, answer->relay->name));

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "relay", answer->relay->name);
      detourctl_json_text (json, "stage", stage);
      detourctl_json_text (json, "problem", answer->problem);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  detourctl_json_begin_array (json, "bans");
  for (guint i = 0; i < self->bans->len; i++)
    ctl_fleet_bans_write_ban (json, self->bans->pdata[i]);
  detourctl_json_end_array (json);
  if (ctl_fleet_bans_write_findings (json, self) > 0 && use_exit_code)
    exit = DETOURCTL_FAILED;
  return detourctl_json_end_document (json, exit);
}

static DetourctlExit
ctl_fleet_bans_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (Fleet) fleet = detourctl_fleet_load (NULL, &exit);
  g_autoptr (FleetState) state = fleet != NULL ? detourctl_fleet_load_state (fleet, &exit) : NULL;
  g_autoptr (GPtrArray) answers = NULL;
  g_autoptr (GPtrArray) bans = NULL;
  Bans all;

  if (state == NULL)
    return exit;
  answers = fleet_ask (fleet, NULL, self->timeout_ms, fleet_bans_ask, NULL, fleet_bans_free);
  exit = detourctl_fleet_name_silent (answers, state, DETOURCTL_GOOD);
  bans = fleet_bans_join (answers);
  all = (Bans) { answers, answers->len - fleet_ask_count_silent (answers), bans };
  if (self->json)
    return ctl_fleet_bans_write (&all, state, exit);
  if (all.n_answered > 0)
    ctl_fleet_bans_print (self, &all);
  if (ctl_fleet_bans_print_findings (self, &all) > 0 && use_exit_code)
    exit = DETOURCTL_FAILED;
  return exit;
}

const DetourctlCommand detourctl_fleet_bans_commands[] = {
  { .name = "fleet bans",
    .arguments = "",
    .summary = N_ ("List what is banned on which relays of a fleet, until when and why"),
    .details = N_ (
        "Lines with \"!\" say which relays do not have a ban that others have, or have it "
        "with another end or\nreason, and how it gets there. Exit status 1: a relay does "
        "not answer that is not out of service."),
    .options = options,
    .run = ctl_fleet_bans_run },
  { NULL },
};
