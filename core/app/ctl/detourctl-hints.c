/* detourctl-hints.c: finds in the state of the relay what needs the operator's attention.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-hints.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-cert.h"
#include "detourctl-format.h"
#include "detourctl-peer.h"
#include "detourctl.h"

/* From this share of dropped packets on there is a hint. */
#define DROPPED_PERCENT 2u
/* From this share of a limit on there is a hint. */
#define SPENT_PERCENT 90u

typedef struct {
  GPtrArray *hints;
  gint64 now_us;
  gboolean has_certificate;  /* or the wish for one */
  GHashTable *unhappy_certs; /* ids of instances, of which a certificate has an error */
  gboolean has_secure_listener;
  gboolean has_derp_listener;
  guint n_running_auth;
} Context;

static void
ctl_hints_hint_free (gpointer data)
{
  DetourctlHint *hint = data;

  g_free (hint->about);
  g_free (hint->text);
  g_free (hint);
}

static void
ctl_hints_add (Context *context, const char *code, const char *about, char *text)
{
  DetourctlHint *hint = g_new (DetourctlHint, 1);

  *hint = (DetourctlHint) { code, g_strdup (about), text };
  g_ptr_array_add (context->hints, hint);
}

static void
ctl_hints_look_at_plugin (const char *path, GVariant *properties, gpointer user)
{
  Context *context = user;
  const char *id = detourctl_text (properties, "Id");
  const char *trouble = detourctl_text (properties, "Trouble");
  const char *state = detourctl_text (properties, "State");

  if (strcmp (state, "failed") == 0)
    ctl_hints_add (context, "plugin_failed", id,
                   g_strdup_printf (_ ("%s failed: %s. Then: detourctl plugins enable %s"), id,
                                    detourctl_text (properties, "Error"), id));
  else if (strcmp (state, "stopped") == 0)
    ctl_hints_add (context, "plugin_stopped", id,
                   g_strdup_printf (_ ("%s was stopped by hand. To start it: detourctl plugins "
                                       "enable %s"),
                                    id, id));
  else if (*trouble != '\0' && !g_hash_table_contains (context->unhappy_certs, id))
    ctl_hints_add (context, "plugin_trouble", id, g_strdup_printf ("%s: %s", id, trouble));
  if (strcmp (state, "running") == 0 && strcmp (detourctl_text (properties, "Kind"), "auth") == 0)
    context->n_running_auth++;
}

static void
ctl_hints_look_at_listener (const char *path, GVariant *properties, gpointer user)
{
  Context *context = user;
  g_autofree const char **absent = NULL;

  if (g_variant_lookup (properties, "AbsentAddresses", "^a&s", &absent))
    for (guint i = 0; absent[i] != NULL; i++)
      ctl_hints_add (context, "address_absent", detourctl_text (properties, "Instance"),
                     g_strdup_printf (
                         _ ("%s: nobody reaches the relay at %s: this host does not have the "
                            "address, or another program has the port. See: ip address; ss -ltnp"),
                         detourctl_text (properties, "Instance"), absent[i]));
  context->has_secure_listener |= detourctl_flag (properties, "Secure");
  context->has_derp_listener |= detourctl_flag (properties, "Derp");
}

static void
ctl_hints_note_certificate (const char *path, GVariant *properties, gpointer user)
{
  Context *context = user;

  if (*detourctl_text (properties, "Error") != '\0')
    g_hash_table_add (context->unhappy_certs, g_strdup (detourctl_text (properties, "Instance")));
}

/* Puts a sentence behind what is there; its full stop, if it has one, is left away. */
static void
ctl_hints_append_sentence (GString *text, const char *sentence)
{
  g_autofree char *clause = detourctl_format_clause (sentence);

  if (*clause == '\0')
    return;
  g_string_append (text, text->len > 0 ? ". " : "");
  g_string_append (text, clause);
}

/* "Error. Remedy. Next try in 3 minutes", of which parts may be missing; NULL when all are. */
static char *
ctl_hints_certificate_error (GVariant *properties, gint64 now_us)
{
  const char *error = detourctl_text (properties, "Error");
  const char *remedy = detourctl_text (properties, "Remedy");
  gint64 away_us = detourctl_microseconds (properties, "NextTry") - now_us;
  g_autoptr (GString) text = g_string_new (NULL);

  ctl_hints_append_sentence (text, error);
  ctl_hints_append_sentence (text, remedy);
  if (detourctl_number (properties, "NextTry") != 0)
    {
      g_autofree char *duration = detourctl_format_duration ((guint64) MAX (away_us, 0));

      g_autofree char *next = g_strdup_printf (_ ("Next try in %s"), duration);

      ctl_hints_append_sentence (text, next);
    }
  return text->len > 0 ? g_strdup (text->str) : NULL;
}

/* What an operator does about a certificate that ends. */
static char *
ctl_hints_certificate_remedy (GVariant *properties, gint64 now_us)
{
  char *error = ctl_hints_certificate_error (properties, now_us);

  if (error != NULL)
    return error;
  if (detourctl_flag (properties, "Renewable"))
    return g_strdup_printf (_ ("to renew it now: detourctl certs renew %s"),
                            detourctl_text (properties, "Instance"));
  if (detourctl_flag (properties, "SelfSigned"))
    return g_strdup (_ ("the guide says how to move to a new pin, under \"A new self-signed "
                        "certificate\""));
  return g_strdup (_ ("look at the program that renews its files"));
}

static void
ctl_hints_look_at_certificate (const char *path, GVariant *properties, gpointer user)
{
  Context *context = user;
  gint64 left_us = detourctl_microseconds (properties, "NotAfter") - context->now_us;
  const char *instance = detourctl_text (properties, "Instance");
  g_autofree char *names = detourctl_cert_names (properties);
  g_autofree char *remedy = ctl_hints_certificate_remedy (properties, context->now_us);

  context->has_certificate = TRUE;
  if (!detourctl_cert_is_there (properties) && *detourctl_text (properties, "Error") != '\0')
    ctl_hints_add (
        context, "certificate_missing", instance,
        g_strdup_printf (_ ("there is no certificate for %s yet, so clients cannot connect: %s"),
                         names, remedy));
  else if (!detourctl_cert_is_there (properties))
    ctl_hints_add (
        context, "certificate_missing", instance,
        g_strdup_printf (_ ("the first certificate for %s is being fetched; clients cannot connect "
                            "before it is there. See: detourctl certs"),
                         names));
  else if (left_us <= 0)
    ctl_hints_add (context, "certificate_expired", instance,
                   g_strdup_printf (_ ("the certificate of %s has expired; clients cannot connect: "
                                       "%s"),
                                    names, remedy));
  else if (detourctl_cert_ends_soon (properties, context->now_us))
    {
      g_autofree char *left = detourctl_format_duration ((guint64) left_us);

      ctl_hints_add (
          context, "certificate_expires", instance,
          g_strdup_printf (_ ("the certificate of %s expires in %s: %s"), names, left, remedy));
    }
  /* The error of a try that only an operator wanted is shown with the certificate. */
  else if (*detourctl_text (properties, "Error") != '\0'
           && strcmp (detourctl_text (properties, "State"), "serving") != 0)
    ctl_hints_add (
        context, "certificate_failing", instance,
        g_strdup_printf (_ ("the certificate of %s could not be renewed: %s"), names, remedy));
}

/* One without a link is in the trouble of the plugin that dials it. */
static void
ctl_hints_look_at_peer (const char *path, GVariant *peer, gpointer user)
{
  Context *context = user;
  const char *name = detourctl_text (peer, "Name");

  if (detourctl_peer_lacks_way_back (peer, context->now_us))
    ctl_hints_add (context, "peer_not_back", name,
                   g_strdup_printf (_ ("peer %s is linked, but has no link to this relay: what its "
                                       "clients send does not come over here. See: detourctl "
                                       "doctor mesh"),
                                    name));
}

static void
ctl_hints_look_at_admission (Context *context, GVariant *manager)
{
  g_autoptr (GVariant)
      admission = g_variant_lookup_value (manager, "AdmissionSummary", G_VARIANT_TYPE_VARDICT);

  if (admission == NULL)
    return;
  if (detourctl_flag (admission, "open"))
    ctl_hints_add (context, "admission_open", "",
                   g_strdup (_ ("everyone may use this relay ([admission] chain = open). To limit "
                                "it: man detour.conf, [admission]")));
  else if (context->n_running_auth == 0)
    ctl_hints_add (
        context, "admission_stopped", "",
        g_strdup (_ ("no auth instance runs, so nobody new is let in. See: detourctl plugins")));
  if (detourctl_flag (admission, "dry_run"))
    ctl_hints_add (
        context, "admission_dry_run", "",
        g_strdup (_ ("admission is in a dry run: refusals are only logged ([admission] dry-run)")));
}

static void
ctl_hints_look_at_traffic (Context *context, GVariant *manager)
{
  g_autoptr (GVariant) recent = g_variant_lookup_value (manager, "Recent", G_VARIANT_TYPE_VARDICT);
  guint64 n_packets, n_slow;

  if (recent == NULL)
    return;
  n_packets = detourctl_number (recent, "packets_received");
  n_slow = detourctl_number (recent, "packets_dropped_slow");
  if (n_packets >= 1000 && n_slow * 100 > n_packets * DROPPED_PERCENT)
    ctl_hints_add (
        context, "slow_readers", "",
        g_strdup (_ (
            "many packets are dropped because their receivers do not read. Who: detourctl clients "
            "--sort dropped")));
}

/* One of the pairs in MemoryBudgets, when it is nearly spent. */
static gboolean
ctl_hints_is_spent (GVariant *budgets, const char *name, const char *limit_name, char **used,
                    char **limit)
{
  guint64 n = detourctl_number (budgets, name), max = detourctl_number (budgets, limit_name);

  if (max == 0 || n < max / 100 * SPENT_PERCENT)
    return FALSE;
  *used = detourctl_format_size (n);
  *limit = detourctl_format_size (max);
  return TRUE;
}

static void
ctl_hints_look_at_room (Context *context, GVariant *manager)
{
  g_autoptr (GVariant)
      budgets = g_variant_lookup_value (manager, "MemoryBudgets", G_VARIANT_TYPE_VARDICT);
  guint64 n_left = detourctl_number (manager, "DescriptorsLeft");
  guint64 n_max = detourctl_number (manager, "DescriptorLimit");
  g_autofree char *left = detourctl_format_count (n_left);
  g_autofree char *most = detourctl_format_count (n_max);
  g_autofree char *used = NULL;
  g_autofree char *limit = NULL;

  if (n_max > 0 && n_left < n_max / 100 * (100 - SPENT_PERCENT))
    ctl_hints_add (
        context, "descriptors_low", "",
        g_strdup_printf (_ ("only %s of %s file descriptors are left; when they are gone, new "
                            "clients are turned away. Raise LimitNOFILE= of the service"),
                         left, most));
  if (budgets == NULL)
    return;
  if (ctl_hints_is_spent (budgets, "half_open", "half_open_limit", &used, &limit))
    ctl_hints_add (context, "half_open_memory_spent", "",
                   g_strdup_printf (
                       _ ("connections before the login hold %s of the %s that they may have "
                          "([limits] half-open-memory), so new ones wait. Perhaps it is an attack"),
                       used, limit));
  g_clear_pointer (&used, g_free);
  g_clear_pointer (&limit, g_free);
  if (ctl_hints_is_spent (budgets, "queues", "queues_limit", &used, &limit))
    ctl_hints_add (
        context, "queue_memory_spent", "",
        g_strdup_printf (_ ("packets that wait for clients hold %s of the %s that they may have "
                            "([limits] queue-memory), so older ones are dropped. Who: detourctl "
                            "clients --sort waiting"),
                         used, limit));
}

/* One of the rows in BudgetsNear. */
static void
ctl_hints_look_at_budget (Context *context, GVariant *row)
{
  const char *kind = detourctl_text (row, "kind"), *name = detourctl_text (row, "name");
  g_autofree char *title = *name != '\0' ? g_strdup_printf ("%s %s", kind, name) : g_strdup (kind);
  g_autofree char *quota = detourctl_format_size (detourctl_number (row, "quota"));
  g_autofree char *until = detourctl_format_time (detourctl_number (row, "until"));
  g_autofree char *share = detourctl_format_share (detourctl_number (row, "used"),
                                                   detourctl_number (row, "quota"));

  if (strcmp (detourctl_text (row, "level"), "over") == 0)
    ctl_hints_add (context, "budget_over", title,
                   g_strdup_printf (_ ("%s has used up its quota of %s, until %s. See: detourctl "
                                       "budgets"),
                                    title, quota, until));
  else
    ctl_hints_add (context, "budget_near", title,
                   g_strdup_printf (_ ("%s has used %s of its quota of %s, until %s. See: "
                                       "detourctl budgets"),
                                    title, share, quota, until));
}

static void
ctl_hints_look_at_budgets (Context *context, GVariant *manager)
{
  g_autoptr (GVariant)
      rows = g_variant_lookup_value (manager, "BudgetsNear", G_VARIANT_TYPE ("aa{sv}"));

  for (gsize i = 0; rows != NULL && i < g_variant_n_children (rows); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      ctl_hints_look_at_budget (context, row);
    }
}

/* A level set by hand is easily forgotten, and debug messages fill a disk. */
static void
ctl_hints_look_at_log_level (Context *context, GVariant *manager)
{
  const char *level = detourctl_text (manager, "LogLevel");

  if (*level != '\0')
    ctl_hints_add (context, "log_level", "",
                   g_strdup_printf (_ ("all logs are written from level %s on, whatever their "
                                       "configuration says. To end that: detourctl log-level "
                                       "configured"),
                                    level));
}

static void
ctl_hints_look_at_version (Context *context, GVariant *manager)
{
  const char *version = detourctl_text (manager, "Version");
  const char *installed = detourctl_text (manager, "InstalledVersion");

  if (*installed != '\0' && strcmp (installed, version) != 0)
    ctl_hints_add (context, "other_version", "",
                   /* TRANSLATORS: two versions. */
                   g_strdup_printf (_ ("%s is installed, and %s runs. To go over to it: detourctl "
                                       "upgrade"),
                                    installed, version));
}

GPtrArray *
detourctl_hints (GVariant *manager, GVariant *objects, gint64 now_us)
{
  g_autoptr (GHashTable) unhappy = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Context context = { .hints = g_ptr_array_new_with_free_func (ctl_hints_hint_free),
                      .now_us = now_us,
                      .unhappy_certs = unhappy };

  if (detourctl_flag (manager, "Draining"))
    ctl_hints_add (&context, "draining", "",
                   g_strdup (_ ("out of service: no new connections are taken. To take it back: "
                                "detourctl drain --cancel")));
  detourctl_each_object (objects, "Certificate", ctl_hints_note_certificate, &context);
  detourctl_each_object (objects, "Plugin", ctl_hints_look_at_plugin, &context);
  detourctl_each_object (objects, "Listener", ctl_hints_look_at_listener, &context);
  detourctl_each_object (objects, "Certificate", ctl_hints_look_at_certificate, &context);
  detourctl_each_object (objects, "Peer", ctl_hints_look_at_peer, &context);
  if (!context.has_derp_listener && !detourctl_flag (manager, "Draining"))
    ctl_hints_add (&context, "no_listener", "",
                   g_strdup (_ ("no listener takes clients. See: detourctl plugins")));
  if (context.has_secure_listener && !context.has_certificate)
    ctl_hints_add (
        &context, "no_certificate", "",
        g_strdup (
            _ ("there is no certificate, so TLS turns everyone away; add a [cert NAME] group")));
  ctl_hints_look_at_admission (&context, manager);
  if (*detourctl_text (manager, "MapTrouble") != '\0')
    ctl_hints_add (&context, "map_file", "", g_strdup (detourctl_text (manager, "MapTrouble")));
  ctl_hints_look_at_version (&context, manager);
  ctl_hints_look_at_log_level (&context, manager);
  ctl_hints_look_at_traffic (&context, manager);
  ctl_hints_look_at_room (&context, manager);
  ctl_hints_look_at_budgets (&context, manager);
  return context.hints;
}
