/* detourctl-drain.c: takes the relay out of service, and back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-drain.h"

#include <glib/gi18n.h>
#include <stdio.h>

#include "detour-config-value.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl.h"

/* How often progress is asked for, and said where no terminal is. */
#define ASK_US (G_USEC_PER_SEC / 2)
#define SAY_US (10 * G_USEC_PER_SEC)

static char *duration;
static int keep;
static gboolean is_cancelled;
static gboolean ends_daemon;
static gboolean no_wait;

static const GOptionEntry options[] = {
  { "for", 0, 0, G_OPTION_ARG_STRING, &duration,
    N_ ("Close all clients within TIME, as in 30s or 10m; otherwise within [limits] drain-time"),
    N_ ("TIME") },
  { "keep", 0, 0, G_OPTION_ARG_INT, &keep, N_ ("Close nobody any more when N clients are left"),
    N_ ("N") },
  { "end", 0, 0, G_OPTION_ARG_NONE, &ends_daemon, N_ ("End the daemon when it is done"), NULL },
  { "no-wait", 0, 0, G_OPTION_ARG_NONE, &no_wait, N_ ("Do not wait until it is done"), NULL },
  { "cancel", 0, 0, G_OPTION_ARG_NONE, &is_cancelled, N_ ("Take the relay back into service"),
    NULL },
  { NULL },
};

static char *
ctl_drain_describe_clients (GVariant *progress, gint64 now_us)
{
  guint64 end_us = detourctl_number (progress, "begin") + detourctl_number (progress, "duration");
  guint64 n_begin = detourctl_number (progress, "connections");
  guint64 n_left = detourctl_number (progress, "left");
  g_autofree char *begin = detourctl_format_count (MAX (n_begin, n_left));
  g_autofree char *left = detourctl_format_count (n_left);
  g_autofree char *rest = NULL;

  if (detourctl_flag (progress, "done"))
    return g_strdup_printf (_ ("done; %s of %s connections left"), left, begin);
  if (end_us <= (guint64) now_us)
    return g_strdup_printf (_ ("%s of %s connections left"), left, begin);
  rest = detourctl_format_age (end_us - (guint64) now_us);
  /* TRANSLATORS: numbers of connections, and a time such as "4m 10s". */
  return g_strdup_printf (_ ("%s of %s connections left, %s to go"), left, begin, rest);
}

char *
detourctl_drain_describe (GVariant *progress, gint64 now_us)
{
  g_autofree char *clients = ctl_drain_describe_clients (progress, now_us);
  guint64 n_links = detourctl_number (progress, "links");
  g_autofree char *links = detourctl_format_count (n_links);

  if (n_links == 0)
    return g_steal_pointer (&clients);
  /* TRANSLATORS: "3 of 12 connections left", and a number of connections to other servers. */
  return g_strdup_printf (ngettext ("%s; %s link of the mesh", "%s; %s links of the mesh", n_links),
                          clients, links);
}

/* FALSE: it has said what is wrong. */
static gboolean
ctl_drain_read_options (GVariantBuilder *out)
{
  static const DetourConfigKey key = { "for", DETOUR_CONFIG_DURATION,     NULL,
                                       0,     (guint64) 7 * 86400 * 1000, NULL };
  g_autoptr (GError) error = NULL;
  DetourConfigValue value;

  if (is_cancelled && (duration != NULL || keep != 0 || ends_daemon))
    {
      detourctl_complain (_ ("--cancel goes with no other option"));
      return FALSE;
    }
  if (keep < 0)
    {
      detourctl_complain (_ ("--keep: a number from 0 on, please"));
      return FALSE;
    }
  if (duration != NULL)
    {
      if (!detour_config_value_parse (&key, duration, &value, &error))
        {
          detourctl_complain ("--for: %s", error->message);
          return FALSE;
        }
      g_variant_builder_add (out, "{sv}", "duration", g_variant_new_uint64 (value.number * 1000));
      detour_config_value_clear (&value);
    }
  g_variant_builder_add (out, "{sv}", "keep", g_variant_new_uint64 ((guint64) keep));
  g_variant_builder_add (out, "{sv}", "ends_daemon", g_variant_new_boolean (ends_daemon));
  return TRUE;
}

/* Whether the call failed because nobody is there any more. One that hangs or refuses is. */
static gboolean
ctl_drain_is_gone (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    return FALSE;
  return !g_dbus_error_is_remote_error (error)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER)
      || g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY);
}

/* The document for programs. @progress: (nullable): as it was last seen */
static DetourctlExit
ctl_drain_print (GVariant *progress, gboolean has_ended)
{
  DetourctlJson *json = detourctl_json_begin_document ();

  if (progress != NULL)
    detourctl_json_variant (json, "drain", progress, NULL);
  else
    {
      detourctl_json_begin_object (json, "drain");
      detourctl_json_end_object (json);
    }
  detourctl_json_flag (json, "ended", has_ended);
  return detourctl_json_end_document (json, DETOURCTL_GOOD);
}

/* NULL: the daemon has ended as was wished, or @exit and a message say why it cannot be asked. */
static GVariant *
ctl_drain_ask (Detourctl *self, DetourctlExit *exit)
{
  static const char properties[] = "org.freedesktop.DBus.Properties";
  static const char manager[] = "io.github.detourd.Detour1.Manager";
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = detourctl_try (self, "", properties, "Get",
                             g_variant_new ("(ss)", manager, "DrainProgress"), "(v)", &error, exit);
  GVariant *value = NULL;

  if (reply == NULL && error != NULL && ends_daemon && ctl_drain_is_gone (error))
    return NULL;
  /* Asked once more: it may have been busy, and this call explains what is wrong. */
  if (reply == NULL)
    reply = detourctl_call (self, "", properties, "Get",
                            g_variant_new ("(ss)", manager, "DrainProgress"), "(v)", exit);
  if (reply != NULL)
    g_variant_get (reply, "(v)", &value);
  else if (*exit == DETOURCTL_GOOD)
    *exit = DETOURCTL_FAILED;
  return value;
}

static void
ctl_drain_say (const Detourctl *self, GVariant *progress, gint64 *said_us)
{
  g_autofree char *text = detourctl_drain_describe (progress, g_get_real_time ());
  gint64 now_us = g_get_monotonic_time ();
  gboolean is_last = detourctl_flag (progress, "done");

  if (self->json || (self->width == 0 && !is_last && now_us - *said_us < SAY_US))
    return;
  *said_us = now_us;
  if (self->width == 0)
    g_print ("%s\n", text);
  else
    g_print ("\r%s\033[K%s", text, is_last ? "\n" : "");
  fflush (stdout);
}

/* The daemon has ended as was wished. @last: (nullable): what was seen of it before */
static DetourctlExit
ctl_drain_say_ended (const Detourctl *self, GVariant *last)
{
  if (self->json)
    return ctl_drain_print (last, TRUE);
  g_print ("%s\n", _ ("Done; the daemon has ended."));
  return DETOURCTL_GOOD;
}

static DetourctlExit
ctl_drain_follow (Detourctl *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  gint64 said_us = g_get_monotonic_time () - SAY_US;
  g_autoptr (GVariant) last = NULL;

  for (;;)
    {
      GVariant *progress = ctl_drain_ask (self, &exit);

      if (progress == NULL)
        return exit != DETOURCTL_GOOD ? exit : ctl_drain_say_ended (self, last);
      g_clear_pointer (&last, g_variant_unref);
      last = progress;
      if (g_variant_n_children (progress) == 0)
        {
          detourctl_complain (_ ("somebody has taken the relay back into service"));
          return DETOURCTL_FAILED;
        }
      ctl_drain_say (self, progress, &said_us);
      if (detourctl_flag (progress, "done") && !ends_daemon)
        {
          if (self->json)
            return ctl_drain_print (progress, FALSE);
          g_print ("%s\n", _ ("The relay is out of service. To take it back: detourctl drain "
                              "--cancel"));
          return DETOURCTL_GOOD;
        }
      g_usleep (ASK_US);
    }
}

/* What was asked for has begun. @text: for people, who are not told how far it is */
static DetourctlExit
ctl_drain_say_begun (Detourctl *self, const char *text)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) progress = NULL;

  if (!self->json)
    {
      g_print ("%s\n", text);
      return DETOURCTL_GOOD;
    }
  progress = ctl_drain_ask (self, &exit);
  if (progress == NULL)
    return exit != DETOURCTL_GOOD ? exit : ctl_drain_print (NULL, TRUE);
  return ctl_drain_print (progress, FALSE);
}

static DetourctlExit
ctl_drain_cancel (Detourctl *self)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant)
      reply = detourctl_call (self, "", "Manager", "CancelDrain", NULL, "()", &exit);

  if (reply == NULL)
    return exit;
  return ctl_drain_say_begun (self, _ ("The relay is in service again."));
}

static DetourctlExit
ctl_drain_run (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) wishes = NULL;
  GVariantBuilder builder;
  gboolean good;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  good = ctl_drain_read_options (&builder);
  wishes = g_variant_ref_sink (g_variant_builder_end (&builder));
  if (!good)
    return DETOURCTL_USAGE;
  if (is_cancelled)
    return ctl_drain_cancel (self);
  reply = detourctl_call (self, "", "Manager", "Drain", g_variant_new ("(@a{sv})", wishes), "()",
                          &exit);
  if (reply == NULL)
    return exit;
  if (!no_wait)
    return ctl_drain_follow (self);
  return ctl_drain_say_begun (
      self, _ ("The relay takes no new clients, and closes those it has. See: detourctl status"));
}

const DetourctlCommand detourctl_drain_commands[] = {
  { .name = "drain",
    .arguments = "",
    .summary = N_ ("Take the relay out of service, or back"),
    .details = N_ (
        "No new connections are taken, STUN is silent and the relay is not ready. Clients are "
        "closed one after the other, those first that find another relay most easily. The command "
        "shows how far that is, and may be interrupted: the relay goes on. The daemon stays, so "
        "that the relay can be taken back, unless --end is given. For programs, --json gives one "
        "object at the end: drain, how far it is (as DrainProgress on the bus; empty when the "
        "relay is in service), and ended, whether the daemon has ended."),
    .options = options,
    .run = ctl_drain_run },
  { NULL },
};
