/* detourctl-fleet-upgrade.c: the command that upgrades the relays of a fleet, one after the other.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-fleet-probe.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "fleet-state.h"

/* How often a relay is looked for while its other program starts, how long a look may take where
 * --timeout does not allow for more, and how long in all. The way there alone may take seconds. */
#define LOOK_US   100000
#define LOOK_MS   10000
#define RETURN_US (60 * G_USEC_PER_SEC)

static gboolean is_dry, resumes, is_again;

static const GOptionEntry options[] = {
  DETOURCTL_FLEET_OPTION,
  DETOURCTL_FLEET_PROBE_OPTIONS,
  { "resume", 0, 0, G_OPTION_ARG_NONE, &resumes,
    N_ ("Go on behind the relays that the last upgrade was done with"), NULL },
  { "again", 0, 0, G_OPTION_ARG_NONE, &is_again,
    N_ ("Also where the version that is installed runs already"), NULL },
  { "dry-run", 0, 0, G_OPTION_ARG_NONE, &is_dry, N_ ("Show what would change, and change nothing"),
    NULL },
  { NULL },
};

typedef struct {
  const Detourctl *ctl;
  const Fleet *fleet;
  FleetState *state;
  char **names;                     /* of those to upgrade; NULL or empty: all */
  GPtrArray *done, *left, *skipped; /* of names, borrowed */
  const char *failed;               /* NULL: none */
  char *problem;
  gboolean has_begun; /* with any of them */
} Upgrade;

static void
ctl_fleet_upgrade_say (const Upgrade *self, const FleetRelay *relay, const char *text)
{
  g_autofree char *safe = detourctl_format_safe (text);

  if (!self->ctl->json)
    g_print ("%s: %s\n", relay->name, safe);
}

/* One relay -------------------------------------------------------------------------------------
 */

/* NULL with @problem set: it does not answer, or refuses. */
static GVariant *
ctl_fleet_upgrade_call (const Upgrade *self, const FleetRelay *relay, const char *method,
                        const char *reply, char **problem)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FleetLink) link = fleet_link_open (relay, self->ctl->timeout_ms, &error);
  GVariant *result = NULL;

  if (link != NULL && method == NULL)
    result = fleet_link_manager (link, &error);
  else if (link != NULL)
    result = fleet_link_call (link, "", "Manager", method, g_variant_new ("(s)", ""), reply,
                              &error);
  if (result == NULL)
    *problem = g_strdup (error->message);
  return result;
}

/* How the last upgrade went, a{sv}; NULL: nobody answers now. */
static GVariant *
ctl_fleet_upgrade_last (const Upgrade *self, const FleetRelay *relay)
{
  g_autoptr (FleetLink) link = fleet_link_open (relay, MAX (self->ctl->timeout_ms, LOOK_MS), NULL);
  g_autoptr (GVariant) manager = link != NULL ? fleet_link_manager (link, NULL) : NULL;

  return manager != NULL ? g_variant_lookup_value (manager, "LastUpgrade", G_VARIANT_TYPE_VARDICT)
                         : NULL;
}

/* NULL: it is not there in time. */
static GVariant *
ctl_fleet_upgrade_wait (const Upgrade *self, const FleetRelay *relay, guint64 attempts_before)
{
  gint64 end_us = g_get_monotonic_time () + RETURN_US;

  do
    {
      g_autoptr (GVariant) last = ctl_fleet_upgrade_last (self, relay);

      if (last != NULL && detourctl_number (last, "attempts") > attempts_before)
        return g_steal_pointer (&last);
      g_usleep (LOOK_US);
    }
  while (g_get_monotonic_time () < end_us);
  return NULL;
}

/* Relays out of service take no clients. NULL: all is well. */
static char *
ctl_fleet_upgrade_probe (const Upgrade *self, const FleetRelay *relay)
{
  if (fleet_state_stage (self->state, relay->name) == FLEET_OUT)
    return NULL;
  return detourctl_fleet_probe_one (self->ctl, self->fleet, relay);
}

/* What went wrong; NULL: nothing. */
static char *
ctl_fleet_upgrade_change (const Upgrade *self, const FleetRelay *relay, GVariant *manager)
{
  g_autoptr (GVariant)
      before = g_variant_lookup_value (manager, "LastUpgrade", G_VARIANT_TYPE_VARDICT);
  guint64 attempts = before != NULL ? detourctl_number (before, "attempts") : 0;
  g_autofree char *seen = ctl_fleet_upgrade_probe (self, relay);
  g_autofree char *after = NULL;
  g_autofree char *kept = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GVariant) reply = NULL, last = NULL;
  char *problem = NULL;

  if (seen != NULL)
    return g_strdup_printf (_ ("it is not well before the upgrade: %s"), seen);
  reply = ctl_fleet_upgrade_call (self, relay, "Upgrade", NULL, &problem);
  if (reply == NULL)
    return problem;
  last = ctl_fleet_upgrade_wait (self, relay, attempts);
  if (last == NULL)
    return g_strdup (_ ("the other program was started, and does not answer"));
  if (*detourctl_text (last, "problem") != '\0')
    return g_strdup_printf (_ ("not upgraded, all goes on as before: %s"),
                            detourctl_text (last, "problem"));
  after = ctl_fleet_upgrade_probe (self, relay);
  if (after != NULL)
    return g_strdup_printf (_ ("it is upgraded, and not well since: %s"), after);
  kept = detourctl_format_kept (detourctl_number (last, "kept"), detourctl_number (last, "links"));
  /* TRANSLATORS: a version, and "12 clients kept". */
  text = g_strdup_printf (_ ("upgraded to %s, %s"), detourctl_text (last, "to"), kept);
  ctl_fleet_upgrade_say (self, relay, text);
  return NULL;
}

/* One that is out of service may be away, unless it was asked for. */
static gboolean
ctl_fleet_upgrade_may_be_away (const Upgrade *self, const FleetRelay *relay)
{
  return (self->names == NULL || *self->names == NULL)
      && fleet_state_stage (self->state, relay->name) == FLEET_OUT;
}

/* What went wrong; NULL: nothing. */
static char *
ctl_fleet_upgrade_one (const Upgrade *self, const FleetRelay *relay, GVariant *manager)
{
  char *problem = NULL;
  g_autoptr (GVariant) reply = NULL, outcome = NULL;
  g_autofree char *text = NULL;
  const char *running = detourctl_text (manager, "Version");
  const char *installed = detourctl_text (manager, "InstalledVersion");

  /* A daemon reads it from the program's file: empty, there is none, or another one. */
  if (!is_again && *installed == '\0')
    return g_strdup (_ ("it does not know which version is installed: the program is missing, or "
                        "is none of Detour's. On its host, this says more: detourctl upgrade "
                        "--check"));
  if (!is_again && strcmp (running, installed) == 0)
    {
      text = g_strdup_printf (_ ("runs %s, which is installed"), running);
      ctl_fleet_upgrade_say (self, relay, text);
      return NULL;
    }
  reply = ctl_fleet_upgrade_call (self, relay, "CheckUpgrade", "(a{sv})", &problem);
  if (reply == NULL)
    return problem;
  if (!is_dry)
    return ctl_fleet_upgrade_change (self, relay, manager);
  outcome = g_variant_get_child_value (reply, 0);
  /* TRANSLATORS: two versions. */
  text = g_strdup_printf (_ ("would be upgraded from %s to %s"), running,
                          detourctl_text (outcome, "to"));
  ctl_fleet_upgrade_say (self, relay, text);
  return NULL;
}

/* All of them -----------------------------------------------------------------------------------
 */

static char *
ctl_fleet_upgrade_join (GPtrArray *names)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < names->len; i++)
    g_string_append_printf (text, "%s%s", i > 0 ? ", " : "", (const char *) names->pdata[i]);
  return g_strdup (names->len > 0 ? text->str : _ ("none"));
}

static DetourctlExit
ctl_fleet_upgrade_tell (const Upgrade *self)
{
  DetourctlExit exit = self->failed != NULL ? DETOURCTL_FAILED : DETOURCTL_GOOD;
  g_autofree char *done = ctl_fleet_upgrade_join (self->done);
  g_autofree char *left = ctl_fleet_upgrade_join (self->left);
  g_autofree char *again = detourctl_fleet_command ("upgrade");
  g_autofree char *resume = detourctl_fleet_command ("upgrade --resume");
  DetourctlJson *json;

  if (self->ctl->json)
    {
      json = detourctl_json_begin_document ();
      detourctl_json_texts (json, "done", self->done);
      detourctl_json_text (json, "failed", self->failed);
      detourctl_json_text (json, "problem", self->problem);
      detourctl_json_texts (json, "left", self->left);
      detourctl_json_texts (json, "skipped", self->skipped);
      return detourctl_json_end_document (json, exit);
    }
  if (resumes && !self->has_begun)
    g_print (_ ("Nothing is left of the last upgrade. For another one: %s\n"), again);
  if (self->failed == NULL)
    return exit;
  detourctl_complain ("%s: %s", self->failed, self->problem);
  if (is_dry)
    return exit;
  /* TRANSLATORS: names of relays in all three places. */
  detourctl_complain (_ ("stopped. Done: %s. Failed: %s. Not begun: %s"), done, self->failed, left);
  detourctl_complain (_ ("when it is well again, go on with: %s"), resume);
  return exit;
}

static void
ctl_fleet_upgrade_take (Upgrade *self, const FleetRelay *relay)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) manager = NULL;

  self->has_begun = TRUE;
  /* The ones before took their time, and other commands may have changed stages meanwhile. */
  if (!fleet_state_refresh (self->state, &error))
    {
      self->problem = g_strdup (error->message);
      self->failed = relay->name;
      return;
    }
  manager = ctl_fleet_upgrade_call (self, relay, NULL, NULL, &self->problem);
  if (manager == NULL && ctl_fleet_upgrade_may_be_away (self, relay))
    {
      g_autofree char *problem = g_steal_pointer (&self->problem);
      g_autofree char *text = g_strdup_printf (
          _ ("out of service, and does not answer, so it is left out: %s"), problem);

      ctl_fleet_upgrade_say (self, relay, text);
      g_ptr_array_add (self->skipped, relay->name);
      return;
    }
  if (manager != NULL)
    self->problem = ctl_fleet_upgrade_one (self, relay, manager);
  if (self->problem == NULL && !is_dry
      && !fleet_state_set_upgraded (self->state, relay->name, &error))
    self->problem = g_strdup (error->message);
  if (self->problem != NULL)
    self->failed = relay->name;
  else
    g_ptr_array_add (self->done, relay->name);
}

static DetourctlExit
ctl_fleet_upgrade_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GError) error = NULL;
  g_autoptr (Fleet) fleet = detourctl_fleet_load (arguments, &exit);
  g_autoptr (FleetState) state = fleet != NULL ? detourctl_fleet_load_state (fleet, &exit) : NULL;
  g_autoptr (GPtrArray) done = g_ptr_array_new ();
  g_autoptr (GPtrArray) left = g_ptr_array_new ();
  g_autoptr (GPtrArray) skipped = g_ptr_array_new ();
  Upgrade upgrade = { self, fleet, state, arguments, done, left, skipped, NULL, NULL, FALSE };

  if (state == NULL)
    return exit;
  if (!is_dry
      && (!fleet_state_claim_upgrade (state, &error)
          || (!resumes && !fleet_state_forget_upgrade (state, &error))))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_FAILED;
    }
  for (guint i = 0; i < fleet->relays->len; i++)
    {
      const FleetRelay *relay = fleet->relays->pdata[i];

      if (arguments[0] != NULL && !g_strv_contains ((const char *const *) arguments, relay->name))
        continue;
      if (resumes && fleet_state_is_upgraded (state, relay->name))
        g_ptr_array_add (done, relay->name);
      else if (upgrade.failed != NULL)
        g_ptr_array_add (left, relay->name);
      else
        ctl_fleet_upgrade_take (&upgrade, relay);
    }
  exit = ctl_fleet_upgrade_tell (&upgrade);
  g_free (upgrade.problem);
  return exit;
}

const DetourctlCommand detourctl_fleet_upgrade_commands[] = {
  { .name = "fleet upgrade",
    .arguments = N_ ("[RELAY…]"),
    .summary = N_ (
        "Put the installed programs in the place of the running ones, one relay at a time"),
    .details = N_ (
        "A relay is looked at as clients do before and after its upgrade. At the first that is "
        "not well the command\nstops, and says which are done and which are not; --resume "
        "goes on."),
    .options = options,
    .run = ctl_fleet_upgrade_run,
    .n_max = G_MAXUINT },
  { NULL },
};
