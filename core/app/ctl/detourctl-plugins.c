/* detourctl-plugins.c: lists the instances of plugins, and stops and starts them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detour-nearest.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-list.h"

#define ARGUMENTS_MAX 64u

/* A list --------------------------------------------------------------------------------------- */

static void
ctl_plugins_add_row (const char *path, GVariant *properties, gpointer user)
{
  gint64 age_us = g_get_real_time () - detourctl_microseconds (properties, "Since");
  g_autofree char *age = detourctl_format_age ((guint64) MAX (age_us, 0));
  const char *words = detourctl_text (properties, "Error");

  if (*words == '\0')
    words = detourctl_text (properties, "Trouble");
  if (*words == '\0')
    words = detourctl_text (properties, "Summary");
  if (*words == '\0')
    words = detourctl_text (properties, "About");
  detourctl_table_add (user, detourctl_text (properties, "Id"),
                       detourctl_text (properties, "Plugin"), detourctl_text (properties, "State"),
                       age, words, NULL);
}

static DetourctlExit
ctl_plugins_run_list (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("ID"), DETOURCTL_COLUMN_LEFT },    { _ ("PLUGIN"), DETOURCTL_COLUMN_LEFT },
    { _ ("STATE"), DETOURCTL_COLUMN_LEFT }, { _ ("SINCE"), DETOURCTL_COLUMN_RIGHT },
    { _ ("WHAT"), DETOURCTL_COLUMN_LEFT },  { NULL },
  };

  return detourctl_list_objects (self, "plugins", "Plugin", columns, ctl_plugins_add_row);
}

/* Switching ------------------------------------------------------------------------------------ */

/* Looks for "service/stun", or for a NAME that only one instance has. */
typedef struct {
  const char *wanted;
  char *path, *id;
  guint n_found;
  GPtrArray *ids;
} Search;

static void
ctl_plugins_look (const char *path, GVariant *properties, gpointer user)
{
  Search *search = user;
  const char *id = detourctl_text (properties, "Id");
  const char *name = strchr (id, '/') != NULL ? strchr (id, '/') + 1 : id;

  g_ptr_array_add (search->ids, g_strdup (id));
  if (strcmp (id, search->wanted) != 0 && strcmp (name, search->wanted) != 0)
    return;
  search->n_found++;
  g_free (search->path);
  g_free (search->id);
  search->path = g_strdup (strstr (path, "plugin/"));
  search->id = g_strdup (id);
}

/* FALSE after a message: there is no such instance, or there are several. */
static gboolean
ctl_plugins_find (GVariant *objects, const char *wanted, char **path, char **id)
{
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  Search search = { wanted, NULL, NULL, 0, ids };
  const char *nearest;

  detourctl_each_object (objects, "Plugin", ctl_plugins_look, &search);
  if (search.n_found == 1)
    {
      *path = search.path;
      *id = search.id;
      return TRUE;
    }
  g_free (search.path);
  g_free (search.id);
  if (search.n_found > 1)
    {
      detourctl_complain (_ ("\"%s\" is the name of several instances; write KIND/NAME"), wanted);
      return FALSE;
    }
  g_ptr_array_add (ids, NULL);
  nearest = detour_nearest (wanted, (const char *const *) ids->pdata);
  if (nearest != NULL)
    detourctl_complain (_ ("there is no instance \"%s\"; did you mean \"%s\"?"), wanted, nearest);
  else
    detourctl_complain (_ ("there is no instance \"%s\"; \"detourctl plugins\" lists them"),
                        wanted);
  return FALSE;
}

typedef enum {
  SWITCH_ENABLE,
  SWITCH_DISABLE,
  SWITCH_RESTART,
} Switch;

static gboolean persist;

static const GOptionEntry switch_options[] = {
  { "persist", 0, 0, G_OPTION_ARG_NONE, &persist,
    N_ ("Keep it so after the next start of the daemon, too"), NULL },
  { NULL },
};

static void
ctl_plugins_report (Switch what, const char *id)
{
  switch (what)
    {
    case SWITCH_ENABLE:
      g_print (_ ("%s runs\n"), id);
      break;
    case SWITCH_DISABLE:
      g_print (_ ("%s is stopped\n"), id);
      break;
    default:
      g_print (_ ("%s was restarted\n"), id);
      break;
    }
}

static DetourctlExit
ctl_plugins_switch_all (Detourctl *self, char **names, Switch what)
{
  static const char *const methods[] = {
    [SWITCH_ENABLE] = "Enable",
    [SWITCH_DISABLE] = "Disable",
    [SWITCH_RESTART] = "Restart",
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  DetourctlJson *json;

  if (objects == NULL)
    return exit;
  json = self->json ? detourctl_json_begin_document () : NULL;
  for (; *names != NULL; names++)
    {
      g_autofree char *path = NULL;
      g_autofree char *id = NULL;
      g_autoptr (GVariant) reply = NULL;
      DetourctlExit one = DETOURCTL_FAILED;

      if (ctl_plugins_find (objects, *names, &path, &id))
        reply = detourctl_call (self, path, "Plugin", methods[what],
                                what == SWITCH_RESTART ? NULL : g_variant_new ("(b)", persist),
                                NULL, &one);
      if (json != NULL)
        detourctl_json_flag (json, id != NULL ? id : *names, reply != NULL);
      else if (reply != NULL)
        ctl_plugins_report (what, id);
      if (reply == NULL)
        exit = one;
    }
  return json != NULL ? detourctl_json_end_document (json, exit) : exit;
}

static DetourctlExit
ctl_plugins_run_enable (Detourctl *self, char **arguments)
{
  return ctl_plugins_switch_all (self, arguments, SWITCH_ENABLE);
}

static DetourctlExit
ctl_plugins_run_disable (Detourctl *self, char **arguments)
{
  return ctl_plugins_switch_all (self, arguments, SWITCH_DISABLE);
}

static DetourctlExit
ctl_plugins_run_restart (Detourctl *self, char **arguments)
{
  return ctl_plugins_switch_all (self, arguments, SWITCH_RESTART);
}

const DetourctlCommand detourctl_plugins_commands[] = {
  { .name = "plugins",
    .arguments = "",
    .summary = N_ ("List the instances of plugins"),
    .run = ctl_plugins_run_list },
  { .name = "plugins enable",
    .arguments = N_ ("ID…"),
    .summary = N_ ("Start instances"),
    .details = N_ (
        "An ID is KIND/NAME, as in service/stun; a NAME will do where it is the only one."),
    .options = switch_options,
    .run = ctl_plugins_run_enable,
    .n_min = 1,
    .n_max = ARGUMENTS_MAX },
  { .name = "plugins disable",
    .arguments = N_ ("ID…"),
    .summary = N_ ("Stop instances; clients stay connected"),
    .details = N_ ("Those that came through a listener that is stopped stay connected, too."),
    .options = switch_options,
    .run = ctl_plugins_run_disable,
    .n_min = 1,
    .n_max = ARGUMENTS_MAX },
  { .name = "plugins restart",
    .arguments = N_ ("ID…"),
    .summary = N_ ("Stop and start instances"),
    .run = ctl_plugins_run_restart,
    .n_min = 1,
    .n_max = ARGUMENTS_MAX },
  { NULL },
};
