/* detourctl-refused.c: shows who was refused lately or is held, and what would let each in.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * It is the operator's own view, on a socket that only operators reach: keys and addresses are
 * whole, whatever `privacy` of a log says, because the commands need them. */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-key-places.h"
#include "detourctl-page.h"
#include "detourctl-print.h"

/* Column at which the facts about a client begin. */
#define FACTS 12u

#define LIMIT_MAX 1000

static int limit = DETOURCTL_PAGE_NO_LIMIT;

static const GOptionEntry options[] = {
  DETOURCTL_PAGE_OPTION (&limit),
  { NULL },
};

/* What would let it in ------------------------------------------------------------------------- */

typedef struct {
  char *command; /* NULL: none would */
  char *advice;  /* NULL: the command says it all */
} Remedy;

static void
ctl_refused_clear_remedy (Remedy *remedy)
{
  g_free (remedy->command);
  g_free (remedy->advice);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Remedy, ctl_refused_clear_remedy)

static const DetourctlKeyPlace *
ctl_refused_find_place (const GPtrArray *places, const char *instance)
{
  for (guint i = 0; i < places->len; i++)
    {
      const DetourctlKeyPlace *place = places->pdata[i];

      if (strcmp (place->instance, instance) == 0)
        return place;
    }
  return NULL;
}

/* `detourctl keys add`, with the file where it has to be named. */
static char *
ctl_refused_add_key (const GPtrArray *places, const char *instance, const char *key)
{
  const DetourctlKeyPlace *place = ctl_refused_find_place (places, instance);
  g_autoptr (GPtrArray) all = detourctl_key_places_all_files (places);
  g_autoptr (GPtrArray) own = place != NULL ? detourctl_key_places_files (place) : NULL;
  g_autofree char *file = NULL;
  g_autofree char *quoted = NULL;

  if (all->len == 1 && own != NULL && own->len == 1)
    return g_strconcat ("detourctl keys add ", key, NULL);
  if (own != NULL && own->len > 0)
    file = g_strdup (own->pdata[0]);
  else if (place != NULL)
    file = g_build_filename (place->path, "admitted.keys", NULL);
  else
    return NULL;
  quoted = detourctl_format_word (file);
  return g_strconcat ("detourctl keys add ", key, " ", quoted, NULL);
}

static Remedy
ctl_refused_find_remedy (GVariant *row, const GPtrArray *places)
{
  const char *source = detourctl_text (row, "source"), *plugin = detourctl_text (row, "plugin");
  const char *key = detourctl_text (row, "key"), *ban = detourctl_text (row, "ban");
  Remedy remedy = { NULL, NULL };

  if (*ban != '\0')
    remedy.command = g_strconcat ("detourctl unban ", ban, NULL);
  else if (strcmp (source, "bans") == 0)
    remedy.advice = g_strdup (_ ("nothing is needed: the ban is over or was lifted"));
  else if (strcmp (detourctl_text (row, "verdict"), "unavailable") == 0)
    {
      remedy.command = g_strdup ("detourctl status");
      remedy.advice = g_strdup (_ ("nobody could say whether it may come in; the status says why"));
    }
  else if (strcmp (plugin, "auth-keys") == 0)
    remedy.command = ctl_refused_add_key (places, source, key);
  else if (strcmp (plugin, "auth-tailscaled") == 0)
    {
      remedy.command = g_strdup ("tailscale up");
      remedy.advice = g_strdup (_ ("on that node, into the tailnet of this host's tailscaled"));
    }
  else if (strcmp (plugin, "auth-tailscale-api") == 0)
    remedy.advice = g_strdup_printf (
        _ ("let the node log in to the tailnet of %s, and authorise it there"), source);
  else if (strcmp (plugin, "auth-url") == 0)
    remedy.advice = g_strdup_printf (_ ("the server that %s asks decides it"), source);
  else if (strcmp (source, "admission") == 0)
    remedy.advice = g_strdup (_ ("[admission] disallow-app-names keeps it out"));
  return remedy;
}

/* ---------------------------------------------------------------------------------------------- */

static void
ctl_refused_print_row (const Detourctl *self, GVariant *row, const Remedy *remedy)
{
  g_autofree char *count = detourctl_format_count (detourctl_number (row, "count"));
  g_autofree char *last = detourctl_format_time (detourctl_number (row, "last"));
  guint64 n = detourctl_number (row, "count");
  guint64 n_others = MAX (detourctl_number (row, "addresses"), 1) - 1;
  const char *reason = detourctl_text (row, "reason");
  g_autofree char *times = NULL;
  g_autofree char *from = NULL;
  g_autofree char *why = NULL;

  times = g_strdup_printf (ngettext ("%s time, last at %s", "%s times, last at %s", (gulong) n),
                           count, last);
  from = n_others > 0
           ? g_strdup_printf (ngettext ("%s, and %u other", "%s, and %u others", (gulong) n_others),
                              detourctl_text (row, "address"), (guint) n_others)
           : g_strdup (detourctl_text (row, "address"));
  why = g_strdup_printf ("%s (%s)", *reason != '\0' ? reason : _ ("no reason given"),
                         detourctl_text (row, "source"));
  g_print ("%s%s%s\n", detourctl_style (self, DETOURCTL_BOLD), detourctl_text (row, "key"),
           detourctl_style (self, DETOURCTL_PLAIN));
  detourctl_print_fact (self, _ ("refused"), FACTS, times);
  if (detourctl_number (row, "held") > 0)
    detourctl_print_fact (self, "", FACTS, _ ("held now: it comes in on the spot when it may"));
  detourctl_print_fact (self, _ ("from"), FACTS, from);
  if (*detourctl_text (row, "tenant") != '\0')
    detourctl_print_fact (self, _ ("tenant"), FACTS, detourctl_text (row, "tenant"));
  detourctl_print_fact (self, _ ("why"), FACTS, why);
  if (remedy->command != NULL)
    {
      /* In one line, so that it can be copied. */
      g_auto (GStrv) words = g_strsplit (remedy->command, " ", -1);
      g_autofree char *whole = g_strjoinv ("\xc2\xa0", words);

      detourctl_print_fact (self, _ ("remedy"), FACTS, whole);
    }
  if (remedy->advice != NULL)
    detourctl_print_fact (self, remedy->command != NULL ? "" : _ ("remedy"), FACTS, remedy->advice);
}

static void
ctl_refused_write_row (DetourctlJson *json, GVariant *row, const Remedy *remedy)
{
  static const char *const times[] = { "first", "last", NULL };
  GVariantDict dict;
  g_autoptr (GVariant) whole = NULL;

  g_variant_dict_init (&dict, row);
  if (remedy->command != NULL)
    g_variant_dict_insert (&dict, "remedy", "s", remedy->command);
  whole = g_variant_ref_sink (g_variant_dict_end (&dict));
  detourctl_json_variant (json, NULL, whole, times);
}

static void
ctl_refused_print_rows (const Detourctl *self, GVariant *rows, const GPtrArray *places,
                        DetourctlJson *json)
{
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
      g_auto (Remedy) remedy = ctl_refused_find_remedy (row, places);

      if (json != NULL)
        ctl_refused_write_row (json, row, &remedy);
      else
        ctl_refused_print_row (self, row, &remedy);
    }
}

static DetourctlExit
ctl_refused_run_refused (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) rows = NULL;
  g_autoptr (GPtrArray) places = NULL;
  GVariantBuilder wanted;
  DetourctlJson *json;

  if ((limit < 1 && limit != DETOURCTL_PAGE_NO_LIMIT) || limit > LIMIT_MAX)
    {
      detourctl_complain (_ ("--limit: write a number from 1 to %d"), LIMIT_MAX);
      return DETOURCTL_USAGE;
    }
  g_variant_builder_init (&wanted, G_VARIANT_TYPE_VARDICT);
  if (limit > 0)
    g_variant_builder_add (&wanted, "{sv}", "limit", g_variant_new_uint32 ((guint32) limit));
  reply = detourctl_call (self, "", "Manager", "ListRefused", g_variant_new ("(a{sv})", &wanted),
                          "(aa{sv})", &exit);
  if (reply == NULL)
    return exit;
  rows = g_variant_get_child_value (reply, 0);
  places = detourctl_key_places_find (self, NULL, TRUE, &exit);
  if (places == NULL)
    return exit;
  if (self->json)
    {
      json = detourctl_json_begin_document ();
      detourctl_json_begin_array (json, "refused");
      ctl_refused_print_rows (self, rows, places, json);
      detourctl_json_end_array (json);
      return detourctl_json_end_document (json, DETOURCTL_GOOD);
    }
  if (g_variant_n_children (rows) == 0)
    g_print (_ ("Nobody was refused lately.\n"));
  ctl_refused_print_rows (self, rows, places, NULL);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_refused_commands[] = {
  { .name = "refused",
    .arguments = "",
    .summary = N_ ("Show who was refused lately or is held, and what would let them in"),
    .details = N_ ("Those that are held come first, then the latest; 100 of them without --limit. "
                   "A client that was\nlet in since is not shown; \"detourctl why\" has its past."),
    .options = options,
    .run = ctl_refused_run_refused },
  { NULL },
};
