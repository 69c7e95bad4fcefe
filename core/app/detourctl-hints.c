/* detourctl-hints.c: finds in the state of the relay what needs the operator's attention.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-hints.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl.h"

/* From this share of dropped packets on there is a hint. */
#define DROPPED_PERCENT 2u
#define EXPIRES_SOON_US (G_GINT64_CONSTANT (30) * 86400 * G_USEC_PER_SEC)

typedef struct {
  GPtrArray *hints;
  gint64 now_us;
  gboolean has_certificate;
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
  else if (*trouble != '\0')
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
                     g_strdup_printf (_ ("%s: this host does not have %s, so nobody reaches the "
                                         "relay there. See: ip address"),
                                      detourctl_text (properties, "Instance"), absent[i]));
  context->has_secure_listener |= detourctl_flag (properties, "Secure");
  context->has_derp_listener |= detourctl_flag (properties, "Derp");
}

/* Certificates of some authorities live for days, others for months: a fifth of that may be left.
 * One that signs itself may live for decades: there a month is soon enough. */
static void
ctl_hints_look_at_certificate (const char *path, GVariant *properties, gpointer user)
{
  Context *context = user;
  gint64 not_after_us = (gint64) detourctl_number (properties, "NotAfter");
  gint64 life_us = not_after_us - (gint64) detourctl_number (properties, "NotBefore");
  gint64 left_us = not_after_us - context->now_us;
  const char *instance = detourctl_text (properties, "Instance");
  g_autofree const char **names = NULL;
  const char *name = "";

  context->has_certificate = TRUE;
  if (g_variant_lookup (properties, "Names", "^a&s", &names) && names[0] != NULL)
    name = names[0];
  if (left_us <= 0)
    ctl_hints_add (
        context, "certificate_expired", instance,
        g_strdup_printf (
            _ ("the certificate of %s has expired; clients cannot connect. See: detourctl certs"),
            name));
  else if (left_us < MIN (life_us / 5, EXPIRES_SOON_US))
    {
      g_autofree char *left = detourctl_format_duration ((guint64) left_us);

      ctl_hints_add (
          context, "certificate_expires", instance,
          g_strdup_printf (_ ("the certificate of %s expires in %s. See: detourctl certs"), name,
                           left));
    }
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

GPtrArray *
detourctl_hints (GVariant *manager, GVariant *objects, gint64 now_us)
{
  Context context = { .hints = g_ptr_array_new_with_free_func (ctl_hints_hint_free),
                      .now_us = now_us };

  if (detourctl_flag (manager, "Draining"))
    ctl_hints_add (
        &context, "draining", "",
        g_strdup (_ ("draining: no new connections are taken until the daemon is restarted")));
  detourctl_each_object (objects, "Plugin", ctl_hints_look_at_plugin, &context);
  detourctl_each_object (objects, "Listener", ctl_hints_look_at_listener, &context);
  detourctl_each_object (objects, "Certificate", ctl_hints_look_at_certificate, &context);
  if (!context.has_derp_listener && !detourctl_flag (manager, "Draining"))
    ctl_hints_add (&context, "no_listener", "",
                   g_strdup (_ ("no listener takes clients. See: detourctl plugins")));
  if (context.has_secure_listener && !context.has_certificate)
    ctl_hints_add (
        &context, "no_certificate", "",
        g_strdup (
            _ ("there is no certificate, so TLS turns everyone away; add a [cert NAME] group")));
  ctl_hints_look_at_admission (&context, manager);
  ctl_hints_look_at_log_level (&context, manager);
  ctl_hints_look_at_traffic (&context, manager);
  return context.hints;
}
