/* detourctl-status.c: shows the state of the relay on one screen.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-cert.h"
#include "detourctl-drain.h"
#include "detourctl-drops.h"
#include "detourctl-format.h"
#include "detourctl-hints.h"
#include "detourctl-json.h"
#include "detourctl-peer.h"
#include "detourctl-print.h"

/* Column at which the facts begin. */
#define FACTS 15u

/* For people ----------------------------------------------------------------------------------- */

static void
ctl_status_print_title (const Detourctl *self, GVariant *manager)
{
  const char *hostname = detourctl_text (manager, "Hostname");
  g_autofree char *duration = detourctl_format_duration (detourctl_number (manager, "Uptime"));
  guint64 n_workers = detourctl_number (manager, "Workers");
  g_autofree char *workers = g_strdup_printf (ngettext ("%u worker", "%u workers", n_workers),
                                              (guint) n_workers);
  g_autofree char *safe = detourctl_format_safe (*hostname != '\0' ? hostname : _ ("this relay"));
  g_autofree char *text = NULL;
  g_autofree char *lines = NULL;

  /* TRANSLATORS: a duration, a version, "2 workers". */
  text = g_strdup_printf (_ ("running %s, detour %s, %s"), duration,
                          detourctl_text (manager, "Version"), workers);
  lines = detourctl_format_wrap (text, detourctl_format_width (safe) + 3, 2,
                                 detourctl_print_width (self));
  g_print ("%s%s%s   %s\n", detourctl_style (self, DETOURCTL_BOLD), safe,
           detourctl_style (self, DETOURCTL_PLAIN), lines);
}

static void
ctl_status_print_clients (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      minute = g_variant_lookup_value (manager, "LastMinute", G_VARIANT_TYPE_VARDICT);
  g_autofree char *count = detourctl_format_count (detourctl_n_clients (manager));
  g_autofree char *joined = detourctl_format_count (detourctl_number (minute, "joined"));
  g_autofree char *left = detourctl_format_count (detourctl_number (minute, "left"));
  guint64 n_duplicates = detourctl_number (manager, "DuplicateCount");
  guint64 n_held = detourctl_number (manager, "HeldCount");
  guint64 n_mesh = detourctl_number (manager, "MeshConnectionCount");
  GString *text = g_string_new (NULL);

  /* TRANSLATORS: numbers of clients. */
  g_string_printf (text, _ ("%s connected (%s joined, %s left in the last minute)"), count, joined,
                   left);
  if (n_duplicates > 0)
    {
      g_autofree char *duplicates = detourctl_format_count (n_duplicates);

      g_string_append_printf (
          text, ngettext (", %s of them several times", ", %s of them several times", n_duplicates),
          duplicates);
    }
  if (n_held > 0)
    {
      g_autofree char *held = detourctl_format_count (n_held);

      g_string_append_printf (
          text, ngettext (", %s refused and held", ", %s refused and held", n_held), held);
    }
  if (n_mesh > 0)
    {
      g_autofree char *mesh = detourctl_format_count (n_mesh);

      g_string_append_printf (
          text,
          /* TRANSLATORS: connections of other servers and of probers. */
          ngettext (", and %s connection of the mesh", ", and %s connections of the mesh", n_mesh),
          mesh);
    }
  detourctl_print_fact (self, _ ("clients"), FACTS, text->str);
  g_string_free (text, TRUE);
}

static void
ctl_status_print_drain (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      progress = g_variant_lookup_value (manager, "DrainProgress", G_VARIANT_TYPE_VARDICT);
  g_autofree char *text = NULL;

  if (progress == NULL || g_variant_n_children (progress) == 0)
    return;
  text = detourctl_drain_describe (progress, g_get_real_time ());
  detourctl_print_fact (self, _ ("drain"), FACTS, text);
}

static void
ctl_status_print_traffic (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant) recent = g_variant_lookup_value (manager, "Recent", G_VARIANT_TYPE_VARDICT);
  guint64 duration = detourctl_number (recent, "duration_us");
  guint64 n_packets = detourctl_number (recent, "packets_received");
  guint64 n_dropped = detourctl_number (recent, "packets_dropped");
  g_autofree char *in = detourctl_format_rate (detourctl_number (recent, "bytes_received"),
                                               duration);
  g_autofree char *out = detourctl_format_rate (detourctl_number (recent, "bytes_sent"), duration);
  g_autofree char *packets = detourctl_format_per_second (n_packets, duration);
  g_autofree char *share = detourctl_format_share (n_dropped, MAX (n_packets, n_dropped));
  g_autofree char *text = NULL;

  if (n_dropped > 0 && detourctl_number (recent, "packets_dropped_slow") * 2 > n_dropped)
    /* TRANSLATORS: rates in and out, packets a second, and a share of the packets. */
    text = g_strdup_printf (_ ("%s in, %s out, %s packets/s; %s dropped (slow readers)"), in, out,
                            packets, share);
  else
    text = g_strdup_printf (_ ("%s in, %s out, %s packets/s; %s dropped"), in, out, packets, share);
  detourctl_print_fact (self, _ ("traffic"), FACTS, text);
}

/* "4 MiB of 2 GiB" */
static char *
ctl_status_describe_budget (GVariant *budgets, const char *name, const char *limit_name)
{
  guint64 n_max = detourctl_number (budgets, limit_name);
  g_autofree char *used = detourctl_format_size (detourctl_number (budgets, name));
  g_autofree char *most = detourctl_format_size (n_max);

  /* TRANSLATORS: sizes: what is used, and the limit. */
  return n_max > 0 ? g_strdup_printf (_ ("%s of %s"), used, most) : g_steal_pointer (&used);
}

static void
ctl_status_print_room (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      budgets = g_variant_lookup_value (manager, "MemoryBudgets", G_VARIANT_TYPE_VARDICT);
  g_autofree char *left = detourctl_format_count (detourctl_number (manager, "DescriptorsLeft"));
  g_autofree char *logins = ctl_status_describe_budget (budgets, "half_open", "half_open_limit");
  g_autofree char *queues = ctl_status_describe_budget (budgets, "queues", "queues_limit");
  /* TRANSLATORS: file descriptors; memory of connections that are not logged in; memory of packets
   * that wait. Memory is "4 MiB of 2 GiB". */
  g_autofree char *text = g_strdup_printf (
      _ ("%s descriptors left; before logins %s; in queues %s"), left, logins, queues);

  /* TRANSLATORS: what is left of descriptors and memory. */
  detourctl_print_fact (self, _ ("room"), FACTS, text);
}

static void
ctl_status_append_source (GString *text, GVariant *source)
{
  const char *id = detourctl_text (source, "instance");
  const char *name = strchr (id, '/') != NULL ? strchr (id, '/') + 1 : id;
  guint64 latency_us = detourctl_number (source, "latency_us");

  g_string_append_printf (text, "%s%s", text->len > 0 ? "; " : "", name);
  if (!detourctl_flag (source, "takes_part"))
    g_string_append (text, _ (": stopped"));
  else if (detourctl_flag (source, "is_down"))
    g_string_append (text, _ (": not answering"));
  else if (latency_us > 0)
    {
      g_autofree char *latency = detourctl_format_latency (latency_us);

      g_string_append_printf (text, _ (": answering in %s"), latency);
    }
}

static void
ctl_status_print_admission (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      admission = g_variant_lookup_value (manager, "AdmissionSummary", G_VARIANT_TYPE_VARDICT);
  g_autoptr (GVariant) hour = g_variant_lookup_value (manager, "LastHour", G_VARIANT_TYPE_VARDICT);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GVariant)
      sources = g_variant_lookup_value (manager, "AdmissionSources", G_VARIANT_TYPE ("aa{sv}"));
  guint64 n_refused = detourctl_number (hour, "refused");

  if (detourctl_flag (admission, "open"))
    g_string_append (text, _ ("open to everyone"));
  else
    for (gsize i = 0; sources != NULL && i < g_variant_n_children (sources); i++)
      {
        g_autoptr (GVariant) source = g_variant_get_child_value (sources, i);

        ctl_status_append_source (text, source);
      }
  if (n_refused > 0)
    {
      g_autofree char *refused = detourctl_format_count (n_refused);

      g_string_append_printf (
          text,
          ngettext ("; %s refused in the last hour", "; %s refused in the last hour", n_refused),
          refused);
    }
  detourctl_print_fact (self, _ ("admission"), FACTS, text->str);
}

/* "red: 12 connected, 3 refused; 4 MiB in, 5 MiB out" */
static void
ctl_status_print_tenant (const Detourctl *self, const char *title, GVariant *tenant)
{
  g_autofree char *count = detourctl_format_count (detourctl_number (tenant, "connections"));
  g_autofree char *refused = detourctl_format_count (detourctl_number (tenant, "refused"));
  g_autofree char *in = detourctl_format_size (detourctl_number (tenant, "bytes_received"));
  g_autofree char *out = detourctl_format_size (detourctl_number (tenant, "bytes_sent"));
  guint64 limit = detourctl_number (tenant, "connections_limit");
  g_autofree char *most = detourctl_format_count (limit);
  /* TRANSLATORS: numbers of clients: what there is, and the limit. */
  g_autofree char *part = limit > 0 ? g_strdup_printf (_ ("%s of %s"), count, most)
                                    : g_steal_pointer (&count);
  /* TRANSLATORS: name of a tenant, clients that are connected, how many were refused, and sizes. */
  g_autofree char *text = g_strdup_printf (_ ("%s: %s connected, %s refused; %s in, %s out"),
                                           detourctl_text (tenant, "name"), part, refused, in, out);
  g_autofree char *whole = detourctl_flag (tenant, "removed")
                             ? g_strdup_printf (_ ("%s (removed)"), text)
                             : g_steal_pointer (&text);

  detourctl_print_fact (self, title, FACTS, whole);
}

static void
ctl_status_print_tenants (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      tenants = g_variant_lookup_value (manager, "Tenants", G_VARIANT_TYPE ("aa{sv}"));
  gsize n = tenants != NULL ? g_variant_n_children (tenants) : 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) tenant = g_variant_get_child_value (tenants, i);

      ctl_status_print_tenant (self, i == 0 ? _ ("tenants") : "", tenant);
    }
}

static void
ctl_status_print_mesh (const Detourctl *self, GVariant *objects)
{
  const DetourctlPeers peers = detourctl_peers_count (objects);
  g_autofree char *text = NULL;

  if (!peers.is_running)
    return;
  text = detourctl_peers_describe (&peers);
  detourctl_print_fact (self, _ ("mesh"), FACTS, text);
}

/* The plugin of an instance. */
typedef struct {
  const char *id;
  char *plugin;
} Search;

static void
ctl_status_find_plugin (const char *path, GVariant *properties, gpointer user)
{
  Search *search = user;

  if (strcmp (detourctl_text (properties, "Id"), search->id) == 0)
    search->plugin = g_strdup (detourctl_text (properties, "Plugin"));
}

typedef struct {
  const Detourctl *self;
  GVariant *objects;
  guint n;
} CertContext;

static void
ctl_status_print_certificate (const char *path, GVariant *properties, gpointer user)
{
  CertContext *context = user;
  Search search = { detourctl_text (properties, "Instance"), NULL };
  g_autofree char *names = detourctl_cert_names (properties);
  g_autofree char *state = detourctl_cert_describe_state (properties, g_get_real_time ());
  g_autofree char *text = NULL;
  const char *from;

  detourctl_each_object (context->objects, "Plugin", ctl_status_find_plugin, &search);
  from = search.plugin != NULL && strchr (search.plugin, '-') != NULL
           ? strchr (search.plugin, '-') + 1
           : search.id;
  /* TRANSLATORS: names of a certificate, how it is ("61 days left"), where it comes from. */
  text = g_strdup_printf (_ ("%s, %s, from %s"), names, state, from);
  detourctl_print_fact (context->self, context->n++ == 0 ? _ ("certificate") : "", FACTS, text);
  g_free (search.plugin);
}

static void
ctl_status_add_listener (const char *path, GVariant *properties, gpointer user)
{
  GString *text = user;
  g_autofree const char **addresses = NULL;

  if (!g_variant_lookup (properties, "Addresses", "^a&s", &addresses))
    return;
  for (guint i = 0; addresses[i] != NULL; i++)
    g_string_append_printf (text, "%s%s\302\240%s", text->len > 0 ? "  " : "", addresses[i],
                            detourctl_text (properties, "Protocol"));
}

/* The plugins that are in one state. */
typedef struct {
  const char *state;
  guint n;
  GString *names;
} StateContext;

static void
ctl_status_count_plugin (const char *path, GVariant *properties, gpointer user)
{
  StateContext *context = user;

  if (strcmp (detourctl_text (properties, "State"), context->state) != 0)
    return;
  context->n++;
  g_string_append_printf (context->names, "%s%s", context->names->len > 0 ? " " : "",
                          detourctl_text (properties, "Id"));
}

static char *
ctl_status_describe_state (const char *state, guint n, const char *names)
{
  if (strcmp (state, "failed") == 0)
    return g_strdup_printf (ngettext ("%u failed (%s)", "%u failed (%s)", n), n, names);
  if (strcmp (state, "stopped") == 0)
    return g_strdup_printf (ngettext ("%u stopped (%s)", "%u stopped (%s)", n), n, names);
  if (strcmp (state, "disabled") == 0)
    return g_strdup_printf (ngettext ("%u disabled (%s)", "%u disabled (%s)", n), n, names);
  return g_strdup_printf (ngettext ("%u running", "%u running", n), n);
}

static void
ctl_status_print_plugins (const Detourctl *self, GVariant *objects)
{
  static const char *const states[] = { "running", "failed", "stopped", "disabled" };
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    {
      g_autoptr (GString) names = g_string_new (NULL);
      StateContext context = { states[i], 0, names };
      g_autofree char *part = NULL;

      detourctl_each_object (objects, "Plugin", ctl_status_count_plugin, &context);
      if (context.n == 0)
        continue;
      part = ctl_status_describe_state (states[i], context.n, names->str);
      g_string_append_printf (text, "%s%s", text->len > 0 ? ", " : "", part);
    }
  detourctl_print_fact (self, _ ("plugins"), FACTS, text->str);
}

/* How long ago, and how long nothing moved. */
static void
ctl_status_print_upgrade (const Detourctl *self, GVariant *manager)
{
  g_autoptr (GVariant)
      last = g_variant_lookup_value (manager, "LastUpgrade", G_VARIANT_TYPE_VARDICT);
  guint64 time = last != NULL ? detourctl_number (last, "time") : 0;
  guint64 now = (guint64) g_get_real_time ();
  g_autofree char *ago = detourctl_format_duration (now > time ? now - time : 0);
  g_autofree char *paused_ms = NULL;
  g_autofree char *text = NULL;

  if (time == 0)
    return;
  paused_ms = detourctl_format_count ((detourctl_number (last, "paused_us") + 500) / 1000);
  if (*detourctl_text (last, "problem") != '\0')
    /* TRANSLATORS: a duration, and why. */
    text = g_strdup_printf (_ ("failed %s ago: %s"), ago, detourctl_text (last, "problem"));
  else
    /* TRANSLATORS: two versions, a duration, and a number of milliseconds. */
    text = g_strdup_printf (_ ("from %s to %s, %s ago, paused for %s ms"),
                            detourctl_text (last, "from"), detourctl_text (last, "to"), ago,
                            paused_ms);
  /* TRANSLATORS: the last upgrade. */
  detourctl_print_fact (self, _ ("upgrade"), FACTS, text);
}

static void
ctl_status_print_hints (const Detourctl *self, GPtrArray *hints)
{
  for (guint i = 0; i < hints->len; i++)
    {
      const DetourctlHint *hint = hints->pdata[i];
      g_autofree char *safe = detourctl_format_safe (hint->text);
      g_autofree char *lines = detourctl_format_wrap (safe, 2, 2, detourctl_print_width (self));

      g_print ("%s!%s %s\n", detourctl_style (self, DETOURCTL_YELLOW),
               detourctl_style (self, DETOURCTL_PLAIN), lines);
    }
}

static void
ctl_status_print_status (const Detourctl *self, GVariant *manager, GVariant *objects,
                         const GPtrArray *drops, GPtrArray *hints)
{
  CertContext certs = { self, objects, 0 };
  g_autoptr (GString) listeners = g_string_new (NULL);

  ctl_status_print_title (self, manager);
  ctl_status_print_clients (self, manager);
  ctl_status_print_drain (self, manager);
  if (*detourctl_text (manager, "Announcement") != '\0')
    detourctl_print_fact (self, _ ("told"), FACTS, detourctl_text (manager, "Announcement"));
  ctl_status_print_traffic (self, manager);
  if (drops->len > 0)
    {
      g_autofree char *text = detourctl_drops_describe (drops);

      detourctl_print_fact (self, _ ("dropped"), FACTS, text);
    }
  ctl_status_print_admission (self, manager);
  ctl_status_print_tenants (self, manager);
  ctl_status_print_mesh (self, objects);
  detourctl_each_object (objects, "Certificate", ctl_status_print_certificate, &certs);
  detourctl_each_object (objects, "Listener", ctl_status_add_listener, listeners);
  detourctl_print_fact (self, _ ("listeners"), FACTS,
                        listeners->len > 0 ? listeners->str : _ ("none"));
  ctl_status_print_plugins (self, objects);
  ctl_status_print_upgrade (self, manager);
  ctl_status_print_room (self, manager);
  ctl_status_print_hints (self, hints);
}

/* For programs --------------------------------------------------------------------------------- */

static DetourctlExit
ctl_status_write_status (GVariant *manager, GVariant *objects, const GPtrArray *drops,
                         GPtrArray *hints, DetourctlExit exit)
{
  const DetourctlPeers peers = detourctl_peers_count (objects);
  DetourctlJson *json = detourctl_json_begin_document ();

  detourctl_json_properties (json, manager);
  detourctl_json_begin_object (json, "drops");
  for (guint i = 0; i < drops->len; i++)
    {
      const DetourctlDrop *drop = drops->pdata[i];

      detourctl_json_number (json, drop->reason, drop->n_packets);
    }
  detourctl_json_end_object (json);
  detourctl_json_objects (json, "certificates", objects, "Certificate");
  detourctl_json_objects (json, "listeners", objects, "Listener");
  detourctl_json_objects (json, "plugins", objects, "Plugin");
  detourctl_peers_write (json, &peers);
  detourctl_json_begin_array (json, "hints");
  for (guint i = 0; i < hints->len; i++)
    {
      const DetourctlHint *hint = hints->pdata[i];

      detourctl_json_begin_object (json, NULL);
      detourctl_json_text (json, "code", hint->code);
      detourctl_json_text (json, "about", hint->about);
      detourctl_json_end_object (json);
    }
  detourctl_json_end_array (json);
  return detourctl_json_end_document (json, exit);
}

static gboolean use_exit_code;

static const GOptionEntry status_options[] = {
  { "exit-code", 0, 0, G_OPTION_ARG_NONE, &use_exit_code,
    N_ ("Exit with 1 when there is something to look at, a line with \"!\""), NULL },
  { NULL },
};

static DetourctlExit
ctl_status_run_status (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) manager = detourctl_manager (self, &exit);
  g_autoptr (GVariant) objects = manager != NULL ? detourctl_objects (self, &exit) : NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) counters = NULL;
  g_autoptr (GPtrArray) drops = NULL;
  g_autoptr (GPtrArray) hints = NULL;

  if (objects != NULL)
    reply = detourctl_call (self, "", "Manager", "GetCounters", NULL, "(a(sa{ss}ts))", &exit);
  if (reply == NULL)
    return exit;
  counters = g_variant_get_child_value (reply, 0);
  drops = detourctl_drops (counters);
  hints = detourctl_hints (manager, objects, g_get_real_time ());
  if (use_exit_code && hints->len > 0)
    exit = DETOURCTL_FAILED;
  if (self->json)
    return ctl_status_write_status (manager, objects, drops, hints, exit);
  ctl_status_print_status (self, manager, objects, drops, hints);
  return exit;
}

const DetourctlCommand detourctl_status_commands[] = {
  { .name = "status",
    .arguments = "",
    .summary = N_ ("Show the state of the relay; the default"),
    .options = status_options,
    .run = ctl_status_run_status },
  { NULL },
};
