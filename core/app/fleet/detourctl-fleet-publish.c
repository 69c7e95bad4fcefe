/* detourctl-fleet-publish.c: the command that brings the map of a fleet to where clients get it
 * from.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-fleet-publish.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "detourctl-derpmap.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-setup.h"
#include "fleet-diff.h"
#include "fleet-policy.h"
#include "fleet-tailscale.h"

static gboolean is_partial, is_certain, is_dry;

static const GOptionEntry options[] = {
  DETOURCTL_FLEET_OPTION,
  { "yes", 0, 0, G_OPTION_ARG_NONE, &is_certain, N_ ("Ask nobody"), NULL },
  { "dry-run", 0, 0, G_OPTION_ARG_NONE, &is_dry, N_ ("Show what would change, and change nothing"),
    NULL },
  { "partial", 0, 0, G_OPTION_ARG_NONE, &is_partial, N_ ("Leave out relays that do not answer"),
    NULL },
  { NULL },
};

void
detourctl_publication_clear (DetourctlPublication *self)
{
  g_clear_pointer (&self->diff, g_free);
}

gboolean
detourctl_fleet_has_place (const Fleet *fleet)
{
  return fleet->headscale.file != NULL || fleet->tailscale.url != NULL;
}

/* A file for Headscale ---------------------------------------------------------------------------
 */

static DetourctlExit
ctl_fleet_publish_file (const Detourctl *self, const FleetHeadscale *headscale,
                        const DetourctlMap *map, DetourctlPublication *publication)
{
  g_autofree char *text = detourctl_map_format (
      map, headscale->is_json ? DETOURCTL_REGION_JSON : DETOURCTL_REGION_HEADSCALE);
  gboolean has_it = detourctl_derpmap_has (headscale->file, text);

  publication->has_changed |= !has_it;
  if (!has_it && !publication->is_dry && !detourctl_derpmap_write (headscale->file, text))
    return DETOURCTL_FAILED;
  if (self->json)
    return DETOURCTL_GOOD;
  if (has_it)
    g_print (_ ("%s: has this map already\n"), headscale->file);
  else if (publication->is_dry)
    g_print (_ ("%s: would be written\n"), headscale->file);
  else
    g_print (_ ("%s: written; Headscale reads it when it starts, and each derp.update_frequency\n"),
             headscale->file);
  return DETOURCTL_GOOD;
}

/* The policy of a tailnet -------------------------------------------------------------------------
 */

/* Regions of the inventory that are not in the map. */
static GArray *
ctl_fleet_publish_gone (const Fleet *fleet, const DetourctlMap *map)
{
  GArray *gone = g_array_new (FALSE, FALSE, sizeof (guint64));

  for (guint i = 0; i < fleet->relays->len; i++)
    {
      guint64 id = ((const FleetRelay *) fleet->relays->pdata[i])->region;
      gboolean is_there = FALSE;

      for (guint k = 0; k < map->regions->len; k++)
        is_there |= ((const DetourctlMapRegion *) map->regions->pdata[k])->key == (gint64) id;
      if (!is_there)
        g_array_append_val (gone, id);
    }
  return gone;
}

static void
ctl_fleet_publish_show (const Detourctl *self, const char *diff)
{
  g_auto (GStrv) lines = g_strsplit (diff, "\n", -1);

  for (guint i = 0; lines[i] != NULL && lines[i + 1] != NULL; i++)
    {
      g_autofree char *safe = NULL;
      const char *style = *lines[i] == '+' ? detourctl_style (self, DETOURCTL_GREEN)
                        : *lines[i] == '-' ? detourctl_style (self, DETOURCTL_RED)
                                           : "";
      g_auto (GStrv) parts = g_strsplit (lines[i], "\t", -1);

      /* A tab is harmless; as an escape it could not be read. */
      for (guint k = 0; parts[k] != NULL; k++)
        {
          char *part = detourctl_format_safe (parts[k]);

          g_free (parts[k]);
          parts[k] = part;
        }
      safe = g_strjoinv ("\t", parts);
      g_print ("%s%s%s\n", style, safe,
               *style != '\0' ? detourctl_style (self, DETOURCTL_PLAIN) : "");
    }
}

/* FALSE after a message: it is not to be done. */
static gboolean
ctl_fleet_publish_confirm (const Detourctl *self, const DetourctlPublication *publication)
{
  g_autofree char *answer = NULL;

  if (publication->is_certain)
    return TRUE;
  if (self->json || !isatty (STDIN_FILENO))
    {
      detourctl_complain (
          _ ("the policy is not changed, as nobody can be asked; --yes does it without asking"));
      return FALSE;
    }
  answer = detourctl_setup_ask (_ ("Put this into the policy? (yes or no)"), _ ("no"));
  if (answer != NULL && (strcmp (answer, "yes") == 0 || strcmp (answer, _ ("yes")) == 0))
    return TRUE;
  detourctl_complain (_ ("the policy is not changed"));
  return FALSE;
}

/* As it was before the relays were asked: what others put into it since is newer. */
typedef struct {
  FleetApi *api; /* NULL: there is none, or its secret cannot be had */
  char *text;    /* NULL: it could not be read */
  char *problem; /* NULL: none */
} Policy;

static void
ctl_fleet_publish_clear_policy (Policy *self)
{
  g_clear_pointer (&self->api, fleet_tailscale_close);
  g_clear_pointer (&self->text, g_free);
  g_clear_pointer (&self->problem, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Policy, ctl_fleet_publish_clear_policy)

static void
ctl_fleet_publish_get_policy (const Detourctl *self, const Fleet *fleet, Policy *policy)
{
  g_autoptr (GError) error = NULL;

  policy->api = fleet_tailscale_open (&fleet->tailscale, self->timeout_ms, &error);
  if (policy->api != NULL)
    policy->text = fleet_tailscale_get (policy->api, &error);
  if (policy->text == NULL)
    policy->problem = g_strdup (error->message);
}

static DetourctlExit
ctl_fleet_publish_policy (const Detourctl *self, const Fleet *fleet, const DetourctlMap *map,
                          const Policy *policy, DetourctlPublication *publication)
{
  g_autoptr (GArray) gone = ctl_fleet_publish_gone (fleet, map);
  g_autoptr (GError) error = NULL;
  const char *before = policy->text;
  g_autofree char *after = before != NULL
                             ? fleet_policy_apply (before, strlen (before), map, gone, &error)
                             : NULL;

  if (before == NULL)
    {
      detourctl_complain ("%s", policy->problem);
      return DETOURCTL_FAILED;
    }
  if (after == NULL)
    {
      detourctl_complain (_ ("the policy cannot be edited: %s"), error->message);
      return DETOURCTL_FAILED;
    }
  publication->diff = fleet_diff (before, after);
  publication->has_changed |= *publication->diff != '\0';
  if (*publication->diff == '\0')
    {
      if (!self->json)
        g_print (_ ("The policy has this map already.\n"));
      return DETOURCTL_GOOD;
    }
  if (!self->json)
    ctl_fleet_publish_show (self, publication->diff);
  if (publication->is_dry)
    return DETOURCTL_GOOD;
  if (!ctl_fleet_publish_confirm (self, publication))
    return DETOURCTL_FAILED;
  if (!fleet_tailscale_put (policy->api, after, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_FAILED;
    }
  if (!self->json)
    g_print (_ ("The policy has this map now.\n"));
  return DETOURCTL_GOOD;
}

/* -------------------------------------------------------------------------------------------------
 */

/* The inventory, and with @lock that of the file that it names, so that nobody writes what is older
 * behind what is made of it. NULL after a message, with @exit. */
static Fleet *
ctl_fleet_publish_begin (const DetourctlPublication *publication, int *lock, DetourctlExit *exit)
{
  g_autoptr (Fleet) before = NULL;

  for (;;)
    {
      g_autoptr (Fleet) fleet = detourctl_fleet_load (NULL, exit);

      if (fleet == NULL || publication->is_dry || fleet->headscale.file == NULL
          || (before != NULL && strcmp (before->headscale.file, fleet->headscale.file) == 0))
        return g_steal_pointer (&fleet);
      if (*lock >= 0)
        close (*lock);
      *lock = detourctl_derpmap_lock (fleet->headscale.file);
      if (*lock < 0)
        {
          *exit = DETOURCTL_FAILED;
          return NULL;
        }
      g_clear_pointer (&before, fleet_inventory_free);
      before = g_steal_pointer (&fleet);
    }
}

/* Map and places of one inventory. */
static DetourctlExit
ctl_fleet_publish_all (const Detourctl *self, const Fleet *fleet, int *lock,
                       DetourctlPublication *publication)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_auto (Policy) policy = { NULL };
  g_autoptr (DetourctlMap) map = NULL;

  if (fleet->tailscale.url != NULL)
    ctl_fleet_publish_get_policy (self, fleet, &policy);
  map = detourctl_fleet_map (self, fleet, publication->is_partial, &exit);
  if (map == NULL)
    return exit;
  if (fleet->headscale.file != NULL)
    exit = ctl_fleet_publish_file (self, &fleet->headscale, map, publication);
  /* Nobody has to wait for a person's answer. */
  if (*lock >= 0)
    close (*lock);
  *lock = -1;
  if (exit == DETOURCTL_GOOD && fleet->tailscale.url != NULL)
    exit = ctl_fleet_publish_policy (self, fleet, map, &policy, publication);
  return exit;
}

DetourctlExit
detourctl_fleet_publish (const Detourctl *self, DetourctlPublication *publication)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  int lock = -1;
  g_autoptr (Fleet) fleet = ctl_fleet_publish_begin (publication, &lock, &exit);

  if (fleet != NULL)
    exit = ctl_fleet_publish_all (self, fleet, &lock, publication);
  if (lock >= 0)
    close (lock);
  return exit;
}

static DetourctlExit
ctl_fleet_publish_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (Fleet) fleet = detourctl_fleet_load (NULL, &exit);
  g_auto (DetourctlPublication)
      publication = { .is_partial = is_partial, .is_dry = is_dry, .is_certain = is_certain };
  DetourctlJson *json;

  if (fleet == NULL)
    return exit;
  if (!detourctl_fleet_has_place (fleet))
    {
      detourctl_complain (
          _ ("%s does not say where the map is to be; write [headscale] with file, or "
             "[tailscale] with key-file"),
          fleet->path);
      return DETOURCTL_FAILED;
    }
  exit = detourctl_fleet_publish (self, &publication);
  if (!self->json)
    return exit;
  json = detourctl_json_begin_document ();
  detourctl_json_flag (json, "published", exit == DETOURCTL_GOOD && !is_dry);
  detourctl_json_flag (json, "changes", publication.has_changed);
  detourctl_json_text (json, "diff", publication.diff);
  return detourctl_json_end_document (json, exit);
}

const DetourctlCommand detourctl_fleet_publish_commands[] = {
  { .name = "fleet publish",
    .arguments = "",
    .summary = N_ ("Bring the map of a fleet to where clients get it from"),
    .details = N_ (
        "Into the file that [headscale] of the inventory names, and into the policy of the "
        "tailnet of [tailscale]:\nthere the regions of the fleet are edited in place, what "
        "changes is shown and has to be confirmed, and\nif somebody else was faster nothing "
        "is changed."),
    .options = options,
    .run = ctl_fleet_publish_run },
  { NULL },
};
