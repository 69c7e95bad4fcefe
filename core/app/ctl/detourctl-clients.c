/* detourctl-clients.c: lists clients, shows one, and closes its connections.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <stdio.h>
#include <string.h>

#include "detour-client-list.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-page.h"
#include "detourctl-print.h"
#include "detourctl-table.h"

/* Column at which the facts about a client begin. */
#define FACTS 15u

/* Rows asked for at a time. */
#define PAGE 1000u

static const char *const row_times[] = { "since", "first", "last", NULL };

static char *sort;
static int limit = DETOURCTL_PAGE_NO_LIMIT;
static gboolean reverse;

static const GOptionEntry list_options[] = {
  { "sort", 0, 0, G_OPTION_ARG_STRING, &sort,
    N_ ("Order: connection, traffic, received, sent, dropped, waiting, since, key, address, label, "
        "or by what passes now: rate, packets or idle"),
    N_ ("ORDER") },
  { "reverse", 0, 0, G_OPTION_ARG_NONE, &reverse, N_ ("Turn the order round"), NULL },
  DETOURCTL_PAGE_OPTION (&limit),
  { NULL },
};

/* The first digits of the key, which the other commands accept. */
static char *
ctl_clients_short_key (GVariant *row)
{
  const char *key = detourctl_text (row, "key");

  return g_strndup (g_str_has_prefix (key, "nodekey:") ? key + strlen ("nodekey:") : key, 8);
}

static gboolean
ctl_clients_is_websocket (GVariant *row)
{
  return strcmp (detourctl_text (row, "way"), "websocket") == 0;
}

/* Its label, its tenant, that it came by a WebSocket, and that it is slowed. */
static char *
ctl_clients_join_notes (GVariant *row)
{
  const char *label = detourctl_text (row, "label"), *slowed = detourctl_text (row, "slowed");
  const char *tenant = detourctl_text (row, "tenant");
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);

  if (*label != '\0')
    g_ptr_array_add (notes, g_strdup (label));
  if (*tenant != '\0')
    g_ptr_array_add (notes, g_strdup_printf (_ ("tenant %s"), tenant));
  if (ctl_clients_is_websocket (row))
    g_ptr_array_add (notes, g_strdup (_ ("WebSocket")));
  if (*slowed != '\0')
    g_ptr_array_add (notes, g_strdup_printf (_ ("slowed by %s"), slowed));
  g_ptr_array_add (notes, NULL);
  return g_strjoinv (", ", (char **) notes->pdata);
}

/* "transport/https, TLS 1.3, WebSocket" */
static char *
ctl_clients_describe_way (GVariant *row)
{
  const char *tls = detourctl_text (row, "tls");

  return g_strconcat (detourctl_text (row, "listener"), *tls != '\0' ? ", TLS " : "", tls,
                      ctl_clients_is_websocket (row) ? ", " : "",
                      ctl_clients_is_websocket (row) ? _ ("WebSocket") : "", NULL);
}

static void
ctl_clients_add_client (DetourctlTable *table, GVariant *row)
{
  g_autofree char *key = ctl_clients_short_key (row);
  gint64 age_us = g_get_real_time () - detourctl_microseconds (row, "since");
  g_autofree char *age = detourctl_format_age ((guint64) MAX (age_us, 0));
  g_autofree char *in = detourctl_format_size (detourctl_number (row, "bytes_received"));
  g_autofree char *out = detourctl_format_size (detourctl_number (row, "bytes_sent"));
  g_autofree char *drops = detourctl_format_count (detourctl_number (row, "packets_dropped"));
  g_autofree char *notes = ctl_clients_join_notes (row);
  const char *home = detourctl_flag (row, "mesh") ? _ ("mesh")
                   : detourctl_flag (row, "home") ? _ ("yes")
                                                  : _ ("no");

  detourctl_table_add (table, key, detourctl_text (row, "address"), detourctl_text (row, "kind"),
                       age, home, in, out, drops, notes, NULL);
}

/* Lists ---------------------------------------------------------------------------------------- */

/* The next page of rows, aa{sv}; @after: (inout): "" asks for the first page, and comes with the
 * last one. */
static GVariant *
ctl_clients_get_page (Detourctl *self, guint n, char **after, DetourctlExit *exit)
{
  g_autoptr (GVariant) reply = NULL;
  GVariantBuilder options;

  detourctl_page_begin (&options, n, *after);
  if (sort != NULL)
    g_variant_builder_add (&options, "{sv}", "sort", g_variant_new_string (sort));
  g_variant_builder_add (&options, "{sv}", "reverse", g_variant_new_boolean (reverse));
  reply = detourctl_call (self, "", "Manager", "ListClients", g_variant_new ("(a{sv})", &options),
                          "(aa{sv}s)", exit);
  return reply != NULL ? detourctl_page_rows (reply, after) : NULL;
}

static void
ctl_clients_print_rows (Detourctl *self, GVariant *rows, DetourctlTable *table, DetourctlJson *json)
{
  gsize n = g_variant_n_children (rows);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      if (json != NULL)
        detourctl_json_variant (json, NULL, row, row_times);
      else
        ctl_clients_add_client (table, row);
    }
  if (json == NULL)
    detourctl_print_table (self, table);
}

/* All pages, one at a time. */
static DetourctlExit
ctl_clients_print_pages (Detourctl *self, GVariant *first, char **after, DetourctlTable *table,
                         DetourctlJson *json)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  guint left = limit >= 0 ? (guint) limit : G_MAXUINT;
  g_autoptr (GVariant) rows = g_variant_ref (first);

  if (json == NULL && g_variant_n_children (rows) == 0)
    g_print (_ ("No client is connected.\n"));
  for (;;)
    {
      ctl_clients_print_rows (self, rows, table, json);
      left -= MIN (left, (guint) g_variant_n_children (rows));
      if (left == 0 || **after == '\0')
        return DETOURCTL_GOOD;
      g_clear_pointer (&rows, g_variant_unref);
      rows = ctl_clients_get_page (self, MIN (left, PAGE), after, &exit);
      if (rows == NULL)
        return exit;
    }
}

static DetourctlExit
ctl_clients_run_clients (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("KEY"), DETOURCTL_COLUMN_LEFT },   { _ ("ADDRESS"), DETOURCTL_COLUMN_LEFT },
    { _ ("KIND"), DETOURCTL_COLUMN_LEFT },  { _ ("FOR"), DETOURCTL_COLUMN_RIGHT },
    { _ ("HOME"), DETOURCTL_COLUMN_LEFT },  { _ ("IN"), DETOURCTL_COLUMN_RIGHT },
    { _ ("OUT"), DETOURCTL_COLUMN_RIGHT },  { _ ("DROPS"), DETOURCTL_COLUMN_RIGHT },
    { _ ("LABEL"), DETOURCTL_COLUMN_LEFT }, { NULL },
  };
  g_autoptr (DetourctlTable) table = NULL;
  g_autoptr (GVariant) first = NULL;
  g_autofree char *after = g_strdup ("");
  DetourctlExit exit = DETOURCTL_GOOD;
  DetourctlJson *json;

  if (!detourctl_page_check_limit (limit))
    return DETOURCTL_USAGE;
  first = ctl_clients_get_page (self, limit > 0 ? MIN ((guint) limit, PAGE) : PAGE, &after, &exit);
  if (first == NULL)
    return exit;
  if (!self->json)
    {
      table = detourctl_table_new (columns);
      return ctl_clients_print_pages (self, first, &after, table, NULL);
    }
  json = detourctl_json_begin_document ();
  detourctl_json_begin_array (json, "clients");
  exit = ctl_clients_print_pages (self, first, &after, NULL, json);
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

/* One client ----------------------------------------------------------------------------------- */

static void
ctl_clients_print_amount (const Detourctl *self, const char *title, guint64 bytes,
                          guint64 n_packets)
{
  g_autofree char *size = detourctl_format_size (bytes);
  g_autofree char *packets = detourctl_format_count (n_packets);
  g_autofree char *text = g_strdup_printf (
      ngettext ("%s in %s packet", "%s in %s packets", n_packets), size, packets);

  detourctl_print_fact (self, title, FACTS, text);
}

static char *
ctl_clients_list_traits (GVariant *row)
{
  static const struct {
    const char *flag, *text;
  } traits[] = {
    { "home", N_ ("this relay is its home") },
    { "mesh", N_ ("another relay of the mesh") },
    { "watcher", N_ ("is told which clients come and go") },
    { "prober", N_ ("a prober") },
    { "blocked", N_ ("reads nothing at the moment") },
    { "suspect", N_ ("neither acknowledges nor answers what it is sent") },
  };
  g_autoptr (GPtrArray) texts = g_ptr_array_new ();

  for (guint i = 0; i < G_N_ELEMENTS (traits); i++)
    if (detourctl_flag (row, traits[i].flag))
      g_ptr_array_add (texts, (gpointer) _ (traits[i].text));
  g_ptr_array_add (texts, NULL);
  return g_strjoinv (", ", (char **) texts->pdata);
}

/* How many packets for the client were dropped, and how many of them were too long for it. */
static char *
ctl_clients_describe_drops (GVariant *row)
{
  guint64 n_long = detourctl_number (row, "packets_dropped_too_long");
  g_autofree char *drops = detourctl_format_count (detourctl_number (row, "packets_dropped"));
  g_autofree char *too_long = NULL;

  if (n_long == 0)
    return g_steal_pointer (&drops);
  too_long = detourctl_format_count (n_long);
  return g_strdup_printf (_ ("%s, of which %s were longer than the client takes"), drops, too_long);
}

static const char *
ctl_clients_describe_kind (GVariant *row)
{
  static const struct {
    const char *kind, *text;
  } texts[] = {
    { "go", N_ ("in Go, like the official client") },
    { "rust", N_ ("in Rust: tailscale-rs") },
    { "browser", N_ ("a page in a browser") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (strcmp (texts[i].kind, detourctl_text (row, "kind")) == 0)
      return _ (texts[i].text);
  return _ ("not known");
}

/* (nullable) */
static char *
ctl_clients_list_told (GVariant *row)
{
  static const struct {
    const char *reason, *text;
  } texts[] = {
    { "announcement", N_ ("what \"detourctl say\" says") },
    { "budget", N_ ("that the traffic budget is used up") },
    { "duplicate", N_ ("that another device has its key") },
    { "slowed", N_ ("that it is slowed down") },
  };
  g_autoptr (GPtrArray) parts = g_ptr_array_new ();
  g_autofree const char **told = NULL;

  if (!g_variant_lookup (row, "told", "^a&s", &told))
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    if (g_strv_contains (told, texts[i].reason))
      g_ptr_array_add (parts, (gpointer) _ (texts[i].text));
  g_ptr_array_add (parts, NULL);
  return g_strjoinv (", ", (char **) parts->pdata);
}

static void
ctl_clients_print_client (const Detourctl *self, GVariant *row)
{
  g_autofree char *since = detourctl_format_time (detourctl_number (row, "since"));
  g_autofree char *number = g_strdup_printf ("%" G_GUINT64_FORMAT,
                                             detourctl_number (row, "connection"));
  g_autofree char *drops = ctl_clients_describe_drops (row);
  g_autofree char *waiting = detourctl_format_size (detourctl_number (row, "waiting_bytes"));
  g_autofree char *traits = ctl_clients_list_traits (row);
  g_autofree char *way = ctl_clients_describe_way (row);
  g_autofree char *told = ctl_clients_list_told (row);

  g_print ("%s%s%s\n", detourctl_style (self, DETOURCTL_BOLD), detourctl_text (row, "key"),
           detourctl_style (self, DETOURCTL_PLAIN));
  detourctl_print_fact (self, _ ("connection"), FACTS, number);
  detourctl_print_fact (self, _ ("address"), FACTS, detourctl_text (row, "address"));
  detourctl_print_fact (self, _ ("through"), FACTS, way);
  detourctl_print_fact (self, _ ("since"), FACTS, since);
  if (*detourctl_text (row, "label") != '\0')
    detourctl_print_fact (self, _ ("label"), FACTS, detourctl_text (row, "label"));
  if (*detourctl_text (row, "class") != '\0')
    detourctl_print_fact (self, _ ("class"), FACTS, detourctl_text (row, "class"));
  if (*detourctl_text (row, "tenant") != '\0')
    detourctl_print_fact (self, _ ("tenant"), FACTS, detourctl_text (row, "tenant"));
  if (*detourctl_text (row, "app") != '\0')
    detourctl_print_fact (self, _ ("application"), FACTS, detourctl_text (row, "app"));
  detourctl_print_fact (self, _ ("program"), FACTS, ctl_clients_describe_kind (row));
  ctl_clients_print_amount (self, _ ("received"), detourctl_number (row, "bytes_received"),
                            detourctl_number (row, "packets_received"));
  ctl_clients_print_amount (self, _ ("sent"), detourctl_number (row, "bytes_sent"),
                            detourctl_number (row, "packets_sent"));
  if (*detourctl_text (row, "slowed") != '\0')
    {
      g_autofree char *slowed = g_strdup_printf (
          _ ("by %s: it sent more than that, and was read more slowly; nothing was dropped"),
          detourctl_text (row, "slowed"));

      detourctl_print_fact (self, _ ("slowed"), FACTS, slowed);
    }
  if (told != NULL)
    detourctl_print_fact (self, _ ("told"), FACTS, told);
  detourctl_print_fact (self, _ ("dropped"), FACTS, drops);
  detourctl_print_fact (self, _ ("waiting"), FACTS, waiting);
  if (*traits != '\0')
    detourctl_print_fact (self, _ ("also"), FACTS, traits);
}

/* Calls a method whose only argument is a key. Returns what it returned, or NULL after a message.
 */
static GVariant *
ctl_clients_call_with_key (Detourctl *self, const char *method, const char *key, const char *reply,
                           DetourctlExit *exit)
{
  DetourScanFilter filter;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) values = NULL;

  /* The daemon would refuse a wrong key as well, but not in the user's language. */
  if (!detour_client_key_parse (key, &filter, &error))
    {
      detourctl_complain ("%s", error->message);
      *exit = DETOURCTL_USAGE;
      return NULL;
    }
  values = detourctl_call (self, "", "Manager", method, g_variant_new ("(s)", key), reply, exit);
  return values != NULL ? g_variant_get_child_value (values, 0) : NULL;
}

static DetourctlExit
ctl_clients_run_client (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant)
      rows = ctl_clients_call_with_key (self, "GetClient", arguments[0], "(aa{sv})", &exit);

  if (rows == NULL)
    return exit;
  if (self->json)
    return detourctl_json_print_variant ("connections", rows, row_times);
  for (gsize i = 0; i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      ctl_clients_print_client (self, row);
    }
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_clients_run_kick (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant)
      closed = ctl_clients_call_with_key (self, "DisconnectClient", arguments[0], "(u)", &exit);
  guint32 n;

  if (closed == NULL)
    return exit;
  n = g_variant_get_uint32 (closed);
  if (self->json)
    return detourctl_json_print_variant ("closed", closed, NULL);
  g_print (ngettext ("%u connection was closed\n", "%u connections were closed\n", n), n);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_clients_commands[] = {
  { .name = "clients",
    .arguments = "",
    .summary = N_ ("List the connected clients"),
    .details = N_ ("IN and OUT are what the relay received from and sent to the client. KIND is "
                   "which program it is, as far as its login shows: go, rust, browser or other."),
    .options = list_options,
    .run = ctl_clients_run_clients },
  { .name = "client",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Show all about one client"),
    .details = N_ ("KEY is nodekey: and 64 hex digits, or the first digits, as \"detourctl "
                   "clients\" shows them."),
    .run = ctl_clients_run_client,
    .n_min = 1,
    .n_max = 1 },
  { .name = "kick",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Close a client's connections"),
    .details = N_ ("The client may connect again at once; only admission keeps it away."),
    .run = ctl_clients_run_kick,
    .n_min = 1,
    .n_max = 1 },
  { NULL },
};
