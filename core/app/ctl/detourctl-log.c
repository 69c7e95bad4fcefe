/* detourctl-log.c: the last lines of the daemon's log, and those that come.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detour-log.h"
#include "detourctl-follow.h"
#include "detourctl-format.h"
#include "detourctl-json.h"

/* Lines that are shown when --lines does not say how many. */
#define LINES_DEFAULT        100
#define LINES_DEFAULT_FOLLOW 10
/* That the daemon gives in one answer. */
#define PAGE 1000u

static int lines_wanted = G_MININT; /* not given */
static char *level;
static gboolean follows;

static const GOptionEntry options[] = {
  { "lines", 'n', 0, G_OPTION_ARG_INT, &lines_wanted,
    N_ ("Show so many of the last lines: 100 when not given, 10 with --follow"), N_ ("N") },
  { "level", 'l', 0, G_OPTION_ARG_STRING, &level,
    N_ ("Leave out what is less grave: debug, info, message, warning or critical"), N_ ("LEVEL") },
  { "follow", 'f', 0, G_OPTION_ARG_NONE, &follows, N_ ("Go on with lines as they come"), NULL },
  { NULL },
};

typedef struct {
  GLogLevelFlags least;
  guint wanted;
  guint64 next; /* number of the last line that was asked for */
} Log;

/* Printing ------------------------------------------------------------------------------------- */

static char *
ctl_log_format_time (guint64 us, gboolean local)
{
  gint64 seconds = (gint64) (us / G_USEC_PER_SEC);
  g_autoptr (GDateTime) time = local ? g_date_time_new_from_unix_local (seconds)
                                     : g_date_time_new_from_unix_utc (seconds);
  g_autofree char *text = NULL;

  if (time == NULL)
    return g_strdup ("");
  text = g_date_time_format (time, local ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%dT%H:%M:%S");
  return local ? g_steal_pointer (&text)
               : g_strdup_printf ("%s.%06uZ", text, (guint) (us % G_USEC_PER_SEC));
}

static void
ctl_log_print_text (const Detourctl *self, GVariant *line)
{
  g_autofree char *time = ctl_log_format_time (detourctl_number (line, "time"), TRUE);
  g_autofree char *message = detourctl_format_safe (detourctl_text (line, "message"));
  const char *name = detourctl_text (line, "level");
  GLogLevelFlags grave = G_LOG_LEVEL_MESSAGE;
  DetourctlStyle style = DETOURCTL_FAINT;

  if (!detour_log_level_from_name (name, &grave) || grave <= G_LOG_LEVEL_CRITICAL)
    style = DETOURCTL_RED;
  else if (grave == G_LOG_LEVEL_WARNING)
    style = DETOURCTL_YELLOW;
  else if (grave == G_LOG_LEVEL_MESSAGE)
    style = DETOURCTL_PLAIN;
  g_print ("%s  %s%-8s%s  %s\n", time, detourctl_style (self, style), name,
           detourctl_style (self, DETOURCTL_PLAIN), message);
}

/* The form of a line in a log file with format=json. */
static void
ctl_log_print_json (GVariant *line)
{
  static const char *const names[] = { "level", "domain", "message" };
  g_autofree char *time = ctl_log_format_time (detourctl_number (line, "time"), FALSE);
  g_autoptr (GVariant) fields = g_variant_lookup_value (line, "fields", G_VARIANT_TYPE ("a{ss}"));
  g_autoptr (GVariant) flat = NULL;
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&out, "{sv}", "time", g_variant_new_string (time));
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_variant_builder_add (&out, "{sv}", names[i],
                           g_variant_new_string (detourctl_text (line, names[i])));
  for (gsize i = 0; fields != NULL && i < g_variant_n_children (fields); i++)
    {
      const char *name, *value;

      g_variant_get_child (fields, i, "{&s&s}", &name, &value);
      g_variant_builder_add (&out, "{sv}", name, g_variant_new_string (value));
    }
  flat = g_variant_ref_sink (g_variant_builder_end (&out));
  detourctl_json_print_line (flat, NULL);
}

static void
ctl_log_print_lost (const Detourctl *self, guint64 n)
{
  g_autofree char *count = detourctl_format_count (n);
  g_autofree char *text = NULL;

  if (n == 0)
    return;
  if (self->json)
    {
      g_print ("{\"lost\": %" G_GUINT64_FORMAT "}\n", n);
      return;
    }
  /* TRANSLATORS: of the log, between the lines above and below. */
  text = g_strdup_printf (ngettext ("%s line was lost", "%s lines were lost", n), count);
  g_print ("%s-- %s --%s\n", detourctl_style (self, DETOURCTL_YELLOW), text,
           detourctl_style (self, DETOURCTL_PLAIN));
}

static gboolean
ctl_log_is_wanted (const Log *log, GVariant *line)
{
  GLogLevelFlags grave;

  return !detour_log_level_from_name (detourctl_text (line, "level"), &grave)
      || grave <= log->least;
}

static void
ctl_log_print (const Detourctl *self, GVariant *line)
{
  if (self->json)
    ctl_log_print_json (line);
  else
    ctl_log_print_text (self, line);
}

/* The last lines ------------------------------------------------------------------------------- */

/* (aa{sv}tt); @after: G_MAXUINT64 asks for the last ones. */
static GVariant *
ctl_log_ask (Detourctl *self, const Log *log, guint64 after, guint n, DetourctlExit *exit)
{
  GVariantBuilder wishes;

  g_variant_builder_init (&wishes, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&wishes, "{sv}", "limit", g_variant_new_uint32 (n));
  g_variant_builder_add (&wishes, "{sv}", "level",
                         g_variant_new_string (detour_log_level_name (log->least)));
  if (after != G_MAXUINT64)
    g_variant_builder_add (&wishes, "{sv}", "after", g_variant_new_uint64 (after));
  return detourctl_call (self, "", "Manager", "ListLog", g_variant_new ("(a{sv})", &wishes),
                         "(aa{sv}tt)", exit);
}

/* Adds an answer's lines to @lines, of which only the last ones are wanted. Returns how many there
 * were. */
static gsize
ctl_log_take (Log *log, GVariant *reply, GQueue *lines)
{
  g_autoptr (GVariant) rows = g_variant_get_child_value (reply, 0);
  gsize n = g_variant_n_children (rows);

  g_variant_get_child (reply, 1, "t", &log->next);
  for (gsize i = 0; i < n; i++)
    g_queue_push_tail (lines, g_variant_get_child_value (rows, i));
  while (lines->length > log->wanted)
    g_variant_unref (g_queue_pop_head (lines));
  return n;
}

static DetourctlExit
ctl_log_print_last (Detourctl *self, gpointer user)
{
  Log *log = user;
  GQueue lines = G_QUEUE_INIT;
  DetourctlExit exit = DETOURCTL_GOOD;
  guint64 after = log->wanted <= PAGE ? G_MAXUINT64 : 0;
  gsize n = PAGE;

  /* More than one answer holds are read from the oldest on. */
  while (n == PAGE)
    {
      g_autoptr (GVariant) reply = ctl_log_ask (self, log, after, MIN (log->wanted, PAGE), &exit);

      if (reply == NULL)
        break;
      n = ctl_log_take (log, reply, &lines);
      if (after == G_MAXUINT64)
        break;
      after = log->next;
    }
  for (GList *link = lines.head; exit == DETOURCTL_GOOD && link != NULL; link = link->next)
    ctl_log_print (self, link->data);
  g_queue_clear_full (&lines, (GDestroyNotify) g_variant_unref);
  return exit;
}

/* Lines as they come --------------------------------------------------------------------------- */

static void
ctl_log_on_lines (Detourctl *self, GVariant *arguments, gpointer user)
{
  Log *log = user;
  g_autoptr (GVariant) lines = g_variant_get_child_value (arguments, 0);
  guint64 lost;

  g_variant_get_child (arguments, 1, "t", &lost);
  ctl_log_print_lost (self, lost);
  for (gsize i = 0; i < g_variant_n_children (lines); i++)
    {
      g_autoptr (GVariant) line = g_variant_get_child_value (lines, i);

      if (detourctl_number (line, "number") > log->next && ctl_log_is_wanted (log, line))
        ctl_log_print (self, line);
    }
}

static DetourctlExit
ctl_log_run (Detourctl *self, char **arguments)
{
  static const DetourctlFollow follow = {
    .subscribe = "SubscribeLog",
    .signal = "LogLines",
    .type = "(aa{sv}t)",
    .begin = ctl_log_print_last,
    .on_signal = ctl_log_on_lines,
  };
  Log log = { .least = G_LOG_LEVEL_DEBUG };

  if (level != NULL && !detour_log_level_from_name (level, &log.least))
    {
      detourctl_complain (_ ("--level: write debug, info, message, warning or critical"));
      return DETOURCTL_USAGE;
    }
  if (lines_wanted < 1 && lines_wanted != G_MININT)
    {
      detourctl_complain (_ ("--lines: write a number from 1"));
      return DETOURCTL_USAGE;
    }
  if (lines_wanted > 0)
    log.wanted = (guint) lines_wanted;
  else
    log.wanted = follows ? LINES_DEFAULT_FOLLOW : LINES_DEFAULT;
  return follows ? detourctl_follow (self, &follow, &log) : ctl_log_print_last (self, &log);
}

const DetourctlCommand detourctl_log_commands[] = {
  { .name = "log",
    .arguments = "[--follow]",
    .summary = N_ ("Show the last lines of the daemon's log"),
    .details = N_ (
        "Works without a journal: the daemon keeps the last lines itself, at level message and "
        "whatever else a log instance writes. With --json an object a line, as in a log file with "
        "format=json, \"event\" among its members."),
    .options = options,
    .run = ctl_log_run },
  { NULL },
};
