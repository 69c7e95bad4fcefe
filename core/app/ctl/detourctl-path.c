/* detourctl-path.c: shows why a client gets its packets slowly.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>

#include "detour-client-key.h"
#include "detour-config-value.h"
#include "detour-path-look.h"
#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-print.h"

/* Column at which the facts begin. */
#define FACTS 14u
/* Senders that are shown one by one. */
#define SENDERS_SHOWN 4u

static char *watch_time;

static const GOptionEntry options[] = {
  { "for", 0, 0, G_OPTION_ARG_STRING, &watch_time, N_ ("Watch it for so long (2s)"),
    N_ ("DURATION") },
  { NULL },
};

/* 0.25 of a dictionary as "25 %". */
static char *
ctl_path_share (GVariant *row, const char *name)
{
  double share = 0;

  g_variant_lookup (row, name, "d", &share);
  return detourctl_format_share ((guint64) (share * 1000 + 0.5), 1000);
}

/* In the user's language where this program knows the cause. */
static const char *
ctl_path_sentence (GVariant *report)
{
  const char *name = detourctl_text (report, "cause");

  for (guint i = 0; i < DETOUR_N_PATHS; i++)
    if (g_str_equal (name, detour_path_name ((DetourPathCause) i)))
      return _ (detour_path_sentence ((DetourPathCause) i));
  return detourctl_text (report, "text");
}

static void
ctl_path_print_down (const Detourctl *self, GVariant *report)
{
  guint64 time_us = detourctl_number (report, "time_us");
  g_autofree char *rate = detourctl_format_rate (detourctl_number (report, "bytes_sent"), time_us);
  g_autofree char *dropped = detourctl_format_count (detourctl_number (report, "packets_dropped"));
  g_autofree char *waiting = ctl_path_share (report, "waiting");
  g_autofree char *here = detourctl_format_size (detourctl_number (report, "waiting_bytes"));
  g_autofree char *delay = detourctl_format_latency (detourctl_number (report, "queue_delay_us"));
  g_autofree char *sent = g_strdup_printf (_ ("%s; %s packets dropped"), rate, dropped);
  g_autofree char *queue = g_strdup_printf (
      _ ("%s in the relay, which take %s; something waits for %s of the time"), here, delay,
      waiting);

  detourctl_print_fact (self, _ ("sent to it"), FACTS, sent);
  detourctl_print_fact (self, _ ("waiting"), FACTS, queue);
}

static void
ctl_path_print_tcp (const Detourctl *self, GVariant *report)
{
  g_autofree char *rtt = detourctl_format_latency (detourctl_number (report, "round_trip_us"));
  g_autofree char *least = detourctl_format_latency (
      detourctl_number (report, "round_trip_min_us"));
  g_autofree char *rate = detourctl_format_rate (detourctl_number (report, "delivery_rate"),
                                                 G_USEC_PER_SEC);
  g_autofree char *resent = ctl_path_share (report, "resent");
  g_autofree char *unsent = detourctl_format_size (detourctl_number (report, "unsent_bytes"));
  g_autofree char *busy = ctl_path_share (report, "busy");
  g_autofree char *window = ctl_path_share (report, "limited_by_window");
  g_autofree char *buffer = ctl_path_share (report, "limited_by_buffer");
  g_autofree char *trip = g_strdup_printf (_ ("%s, at least %s"), rtt, least);
  g_autofree char *tcp = g_strdup_printf (
      _ ("%s sent again; %s not sent yet; delivers %s; busy for %s of the time, without room in "
         "its window for %s, in our send buffer for %s"),
      resent, unsent, rate, busy, window, buffer);

  detourctl_print_fact (self, _ ("round trip"), FACTS, trip);
  detourctl_print_fact (self, _ ("TCP"), FACTS, tcp);
}

static void
ctl_path_print_senders (const Detourctl *self, GVariant *report)
{
  g_autoptr (GVariant)
      senders = g_variant_lookup_value (report, "senders", G_VARIANT_TYPE ("aa{sv}"));
  gsize n = senders != NULL ? g_variant_n_children (senders) : 0;
  guint64 time_us = detourctl_number (report, "time_us");

  for (gsize i = 0; i < MIN (n, SENDERS_SHOWN); i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (senders, i);
      g_autofree char *rate = detourctl_format_rate (detourctl_number (row, "bytes_received"),
                                                     time_us);
      g_autofree char *rtt = detourctl_format_latency (
          detourctl_number (row, "receive_round_trip_us"));
      g_autofree char *least = detourctl_format_latency (
          detourctl_number (row, "round_trip_min_us"));
      g_autofree char *lost = ctl_path_share (row, "disordered");
      g_autofree char *text = g_strdup_printf (
          _ ("%.16s…: %s; round trip %s, at least %s; %s out of order"),
          detourctl_text (row, "key"), rate, rtt, least, lost);

      detourctl_print_fact (self, i == 0 ? _ ("senders") : "", FACTS, text);
    }
  if (detourctl_number (report, "sender_count") > SENDERS_SHOWN)
    {
      guint64 others = detourctl_number (report, "sender_count") - SENDERS_SHOWN;
      g_autofree char *text = g_strdup_printf (
          ngettext ("and %u other", "and %u others", (gulong) others), (guint) others);

      detourctl_print_fact (self, "", FACTS, text);
    }
}

static void
ctl_path_print (const Detourctl *self, GVariant *report)
{
  g_autofree char *busy = ctl_path_share (report, "worker_busy");
  g_autofree char *wait = ctl_path_share (report, "worker_waiting");
  g_autofree char *late = detourctl_format_latency (detourctl_number (report, "worker_late_us"));
  g_autofree char *worker = g_strdup_printf (
      _ ("works for %s of the time, waits for a processor for %s; %s late"), busy, wait, late);
  g_autofree char *sentence = detourctl_format_wrap (ctl_path_sentence (report), 0, 0,
                                                     detourctl_print_width (self));

  g_print ("%s%s%s\n", detourctl_style (self, DETOURCTL_BOLD), sentence,
           detourctl_style (self, DETOURCTL_PLAIN));
  detourctl_print_fact (self, _ ("client"), FACTS, detourctl_text (report, "key"));
  detourctl_print_fact (self, _ ("address"), FACTS, detourctl_text (report, "address"));
  ctl_path_print_down (self, report);
  if (g_variant_lookup (report, "round_trip_us", "t", NULL))
    ctl_path_print_tcp (self, report);
  ctl_path_print_senders (self, report);
  detourctl_print_fact (self, _ ("worker"), FACTS, worker);
}

/* Microseconds. FALSE: it has said what is wrong. */
static gboolean
ctl_path_read_time (guint64 *time_us)
{
  static const DetourConfigKey key = { "for",
                                       DETOUR_CONFIG_DURATION,
                                       NULL,
                                       DETOUR_PATH_LOOK_MIN_US / 1000,
                                       DETOUR_PATH_LOOK_MAX_US / 1000,
                                       NULL };
  g_autoptr (GError) error = NULL;
  DetourConfigValue value = { 0 };

  *time_us = DETOUR_PATH_LOOK_US;
  if (watch_time == NULL)
    return TRUE;
  if (!detour_config_value_parse (&key, watch_time, &value, &error))
    {
      detourctl_complain ("--for: %s", error->message);
      return FALSE;
    }
  *time_us = value.number * 1000;
  detour_config_value_clear (&value);
  return TRUE;
}

static DetourctlExit
ctl_path_run_path (Detourctl *self, char **arguments)
{
  DetourctlExit exit = DETOURCTL_GOOD;
  DetourScanFilter filter;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GVariant) report = NULL;
  GVariantBuilder wanted;
  guint64 time_us;

  if (!ctl_path_read_time (&time_us))
    return DETOURCTL_USAGE;
  if (!detour_client_key_parse (arguments[0], &filter, &error))
    {
      detourctl_complain ("%s", error->message);
      return DETOURCTL_USAGE;
    }
  if (self->timeout_ms > 0)
    self->timeout_ms += (gint64) (time_us / 1000);
  g_variant_builder_init (&wanted, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&wanted, "{sv}", "duration", g_variant_new_uint64 (time_us));
  reply = detourctl_call (self, "", "Manager", "Path",
                          g_variant_new ("(sa{sv})", arguments[0], &wanted), "(a{sv})", &exit);
  if (reply == NULL)
    return exit;
  report = g_variant_get_child_value (reply, 0);
  if (self->json)
    return detourctl_json_print_variant ("path", report, NULL);
  ctl_path_print (self, report);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_path_commands[] = {
  { .name = "path",
    .arguments = N_ ("KEY"),
    .summary = N_ ("Watch a client's connection and say why it is slow"),
    .details = N_ ("Its line, the lines of those that send to it, its own reading, or the relay. "
                   "It is to be slow while it\nis watched. KEY is as for \"detourctl client\"."),
    .options = options,
    .run = ctl_path_run_path,
    .n_min = 1,
    .n_max = 1 },
  { NULL },
};
