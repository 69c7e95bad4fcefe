/* detourctl-events.c: events of the daemon as people read them, and what happened to a key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-events.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-client-key.h"
#include "detourctl-format.h"
#include "detourctl-table.h"
#include "detourctl-time.h"

/* What is shown of the time before and behind. */
#define AROUND_US (15 * 60 * G_USEC_PER_SEC)
#define LIMIT     1000u

const char *const detourctl_event_times[] = { "first", "last", NULL };

static char *
ctl_events_local_time (gint64 us)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (us / G_USEC_PER_SEC);

  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S") : g_strdup ("");
}

char *
detourctl_event_time (GVariant *event)
{
  return ctl_events_local_time (detourctl_microseconds (event, "last"));
}

const char *
detourctl_event_word (GVariant *event)
{
  static const struct {
    const char *name, *word;
  } words[] = {
    { "join", N_ ("joined") },
    { "gone", N_ ("left") },
    { "admitted", N_ ("admitted") },
    { "refused", N_ ("refused") },
    { "duplicate", N_ ("duplicate") },
    { "drops", N_ ("drops") },
    { "slowed", N_ ("slowed") },
    { "suspect", N_ ("suspect") },
    { "kick", N_ ("kicked") },
    { "ban", N_ ("banned") },
    { "unban", N_ ("unbanned") },
    { "class", N_ ("class") },
    { "tenant", N_ ("tenant") },
    { "budget", N_ ("budget") },
    { "say", N_ ("told") },
    { "source", N_ ("source") },
    { "reload", N_ ("reloaded") },
    { "drain", N_ ("drain") },
    { "link", N_ ("link") },
  };
  const char *name = detourctl_text (event, "event");

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    if (strcmp (words[i].name, name) == 0)
      return _ (words[i].word);
  return name;
}

char *
detourctl_event_text (GVariant *event)
{
  g_autoptr (GVariant) number = g_variant_lookup_value (event, "count", G_VARIANT_TYPE_UINT32);
  guint32 count = number != NULL ? g_variant_get_uint32 (number) : 1;
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);

  if (*detourctl_text (event, "text") != '\0')
    g_ptr_array_add (texts, g_strdup (detourctl_text (event, "text")));
  if (*detourctl_text (event, "label") != '\0')
    g_ptr_array_add (texts, g_strdup (detourctl_text (event, "label")));
  if (*detourctl_text (event, "tenant") != '\0')
    g_ptr_array_add (texts, g_strdup_printf (_ ("tenant %s"), detourctl_text (event, "tenant")));
  if (detourctl_flag (event, "dry_run"))
    g_ptr_array_add (texts, g_strdup (_ ("admitted because of dry-run")));
  if (count > 1)
    {
      g_autofree char *first = ctl_events_local_time (detourctl_microseconds (event, "first"));

      g_ptr_array_add (texts,
                       g_strdup_printf (ngettext ("%u time since %s", "%u times since %s", count),
                                        count, first));
    }
  g_ptr_array_add (texts, NULL);
  return g_strjoinv ("; ", (char **) texts->pdata);
}

/* Why ------------------------------------------------------------------------------------------ */

GVariant *
detourctl_events_wishes (const char *key, gint64 from_us, gint64 until_us)
{
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  if (key != NULL)
    g_variant_builder_add (&options, "{sv}", "key", g_variant_new_string (key));
  if (from_us != 0)
    g_variant_builder_add (&options, "{sv}", "from", g_variant_new_uint64 ((guint64) from_us));
  g_variant_builder_add (&options, "{sv}", "until", g_variant_new_uint64 ((guint64) until_us));
  g_variant_builder_add (&options, "{sv}", "limit", g_variant_new_uint32 (LIMIT));
  return g_variant_new ("(a{sv})", &options);
}

GVariant *
detourctl_events_ask (Detourctl *self, const char *key, gint64 from_us, gint64 until_us,
                      DetourctlExit *exit)
{
  g_autoptr (GVariant)
      reply = detourctl_call (self, "", "Manager", "ListEvents",
                              detourctl_events_wishes (key, from_us, until_us), "(aa{sv})", exit);

  return reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
}

/* The last event before @at_us that tells whether it was connected; NULL: none is known. */
static GVariant *
ctl_events_find_state (GVariant *events, gint64 at_us)
{
  for (gsize i = g_variant_n_children (events); i-- > 0;)
    {
      g_autoptr (GVariant) event = g_variant_get_child_value (events, i);
      const char *name = detourctl_text (event, "event");

      if (detourctl_microseconds (event, "first") <= at_us
          && (strcmp (name, "join") == 0 || strcmp (name, "gone") == 0
              || strcmp (name, "refused") == 0))
        return g_steal_pointer (&event);
    }
  return NULL;
}

static void
ctl_events_print_state (GVariant *events, gint64 at_us)
{
  g_autoptr (GVariant) state = ctl_events_find_state (events, at_us);
  g_autofree char *at = ctl_events_local_time (at_us);
  g_autofree char *since = state != NULL ? detourctl_event_time (state) : NULL;
  g_autofree char *reason = state != NULL ? detourctl_format_safe (detourctl_text (state, "text"))
                                          : NULL;
  const char *name = state != NULL ? detourctl_text (state, "event") : "";

  if (strcmp (name, "join") == 0)
    g_print (_ ("At %s it was connected, since %s, from %s.\n"), at, since,
             detourctl_text (state, "address"));
  else if (strcmp (name, "gone") == 0)
    g_print (_ ("At %s it was not connected: it had left at %s, %s.\n"), at, since, reason);
  else if (strcmp (name, "refused") == 0)
    g_print (_ ("At %s it was not connected: it had been refused at %s by %s, %s.\n"), at, since,
             detourctl_text (state, "source"), *reason != '\0' ? reason : _ ("no reason given"));
  else
    g_print (_ ("Nothing is known of this key at %s or before.\n"), at);
}

/* "tenant/red" and "class/fast" for all that the events of a key name. */
static GHashTable *
ctl_events_groups (GVariant *events)
{
  static const char *const kinds[] = { "tenant", "class" };
  GHashTable *groups = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; i < g_variant_n_children (events); i++)
    {
      g_autoptr (GVariant) event = g_variant_get_child_value (events, i);

      for (guint k = 0; k < G_N_ELEMENTS (kinds); k++)
        if (*detourctl_text (event, kinds[k]) != '\0')
          g_hash_table_add (groups,
                            g_strconcat (kinds[k], "/", detourctl_text (event, kinds[k]), NULL));
    }
  return groups;
}

static int
ctl_events_compare (gconstpointer a, gconstpointer b)
{
  guint64 left = detourctl_number (*(GVariant *const *) a, "first");
  guint64 right = detourctl_number (*(GVariant *const *) b, "first");

  return (left > right) - (left < right);
}

/* @events, which are of one key, and what happened around that time to the terms of its tenants and
 * classes, which has no key. */
static GVariant *
ctl_events_with_terms (Detourctl *self, GVariant *events, gint64 at_us, DetourctlExit *exit)
{
  g_autoptr (GHashTable) groups = ctl_events_groups (events);
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (GVariant) others = NULL;

  if (g_hash_table_size (groups) == 0)
    return g_variant_ref (events);
  others = detourctl_events_ask (self, NULL, at_us - AROUND_US, at_us + AROUND_US, exit);
  if (others == NULL)
    return NULL;
  for (gsize i = 0; i < g_variant_n_children (events); i++)
    g_ptr_array_add (all, g_variant_get_child_value (events, i));
  for (gsize i = 0; i < g_variant_n_children (others); i++)
    {
      g_autoptr (GVariant) event = g_variant_get_child_value (others, i);

      if (*detourctl_text (event, "key") == '\0'
          && g_hash_table_contains (groups, detourctl_text (event, "source")))
        g_ptr_array_add (all, g_steal_pointer (&event));
    }
  g_ptr_array_sort (all, ctl_events_compare);
  return g_variant_ref_sink (
      g_variant_new_array (G_VARIANT_TYPE_VARDICT, (GVariant *const *) all->pdata, all->len));
}

/* Those that happened around that time, as an array; floating. */
static GVariant *
ctl_events_around (GVariant *events, gint64 at_us)
{
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE ("aa{sv}"));
  for (gsize i = 0; i < g_variant_n_children (events); i++)
    {
      g_autoptr (GVariant) event = g_variant_get_child_value (events, i);

      if (detourctl_microseconds (event, "last") >= at_us - AROUND_US)
        g_variant_builder_add_value (&out, event);
    }
  return g_variant_builder_end (&out);
}

static void
ctl_events_print_table (Detourctl *self, GVariant *events)
{
  const DetourctlColumn columns[] = {
    { _ ("TIME"), DETOURCTL_COLUMN_LEFT },    { _ ("EVENT"), DETOURCTL_COLUMN_LEFT },
    { _ ("ADDRESS"), DETOURCTL_COLUMN_LEFT }, { _ ("BY"), DETOURCTL_COLUMN_LEFT },
    { _ ("WHY"), DETOURCTL_COLUMN_LEFT },     { NULL },
  };
  g_autoptr (DetourctlTable) table = NULL;

  if (g_variant_n_children (events) == 0)
    return;
  table = detourctl_table_new (columns);
  for (gsize i = 0; i < g_variant_n_children (events); i++)
    {
      g_autoptr (GVariant) event = g_variant_get_child_value (events, i);
      g_autofree char *time = detourctl_event_time (event);
      g_autofree char *text = detourctl_event_text (event);

      detourctl_table_add (table, time, detourctl_event_word (event),
                           detourctl_text (event, "address"), detourctl_text (event, "source"),
                           text, NULL);
    }
  detourctl_print_table (self, table);
}

DetourctlExit
detourctl_events_why (Detourctl *self, const char *key, const char *at)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autoptr (GVariant) events = NULL;
  g_autoptr (GVariant) all = NULL;
  g_autoptr (GVariant) around = NULL;
  g_autoptr (GError) error = NULL;
  DetourctlExit exit = DETOURCTL_GOOD;
  DetourScanFilter filter;
  gint64 at_us;

  if (!detour_client_key_parse (key, &filter, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_USAGE;
    }
  if (!detourctl_time_parse (at, now, &at_us))
    {
      detourctl_complain (_ ("\"%s\" is not a time: write 03:10, \"yesterday 03:10\", or "
                             "2026-11-29T03:10:00Z"),
                          at);
      return DETOURCTL_USAGE;
    }
  events = detourctl_events_ask (self, key, 0, at_us + AROUND_US, &exit);
  all = events != NULL ? ctl_events_with_terms (self, events, at_us, &exit) : NULL;
  if (all == NULL)
    return exit;
  around = g_variant_ref_sink (ctl_events_around (all, at_us));
  if (self->json)
    return detourctl_json_print_variant ("events", around, detourctl_event_times);
  ctl_events_print_state (events, at_us);
  ctl_events_print_table (self, around);
  return DETOURCTL_GOOD;
}
