/* detour-control-path.c: the method Path: why a client gets its packets slowly.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-control-private.h"

#include "detour-address.h"
#include "detour-control-error.h"
#include "detour-path-look.h"
#include "detour-peer-stream.h"

/* Looks at the same time. */
#define LOOKS_MAX 8u
/* Senders that an answer names. */
#define SENDERS_SHOWN 8u

typedef struct {
  DetourControl *control;
  GDBusMethodInvocation *call;
  DetourPathLook *look;
} Asked;

static void
control_path_add_number (GVariantBuilder *row, const char *name, guint64 value)
{
  g_variant_builder_add (row, "{sv}", name, g_variant_new_uint64 (value));
}

/* A share of thousandths. */
static void
control_path_add_share (GVariantBuilder *row, const char *name, guint share)
{
  g_variant_builder_add (row, "{sv}", name, g_variant_new_double (share / 1000.0));
}

static void
control_path_add_key (GVariantBuilder *row, const DetourKey *key)
{
  g_autofree char *text = detour_key_to_text (key);

  g_variant_builder_add (row, "{sv}", "key", g_variant_new_string (text));
}

static void
control_path_add_down (GVariantBuilder *row, const DetourPathFigures *figures)
{
  control_path_add_number (row, "packets_sent", figures->tx_packets);
  control_path_add_number (row, "bytes_sent", figures->tx_bytes);
  control_path_add_number (row, "packets_dropped", figures->dropped_packets);
  control_path_add_share (row, "waiting", figures->waiting);
  control_path_add_number (row, "waiting_bytes", figures->waiting_bytes);
  control_path_add_number (row, "queue_delay_us", figures->queue_delay_us);
  if (!figures->has_tcp)
    return;
  control_path_add_number (row, "unsent_bytes", figures->unsent_bytes);
  control_path_add_number (row, "round_trip_us", figures->rtt_us);
  control_path_add_number (row, "round_trip_min_us", figures->min_rtt_us);
  control_path_add_number (row, "delivery_rate", figures->delivery_rate);
  control_path_add_number (row, "acknowledged_bytes", figures->acked_bytes);
  control_path_add_number (row, "resent_bytes", figures->resent_bytes);
  control_path_add_share (row, "resent", figures->resent);
  control_path_add_share (row, "busy", figures->busy);
  control_path_add_share (row, "limited_by_window", figures->peer_limited);
  control_path_add_share (row, "limited_by_buffer", figures->buffer_limited);
}

static void
control_path_add_up (GVariantBuilder *row, const DetourPathFigures *figures)
{
  control_path_add_number (row, "packets_received", figures->rx_packets);
  control_path_add_number (row, "bytes_received", figures->rx_bytes);
  control_path_add_share (row, "held_up", figures->held_up);
  if (!figures->has_tcp)
    return;
  control_path_add_number (row, "receive_round_trip_us", figures->receive_rtt_us);
  control_path_add_share (row, "full", figures->full);
  control_path_add_share (row, "disordered", figures->disordered);
  control_path_add_share (row, "unread", figures->unread);
}

static GVariant *
control_path_make_senders (const DetourPathReport *report)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  for (guint i = 0; i < MIN (report->n_senders, SENDERS_SHOWN); i++)
    {
      const DetourPathFigures *figures = &report->senders[i].figures;

      g_variant_builder_open (&rows, G_VARIANT_TYPE_VARDICT);
      control_path_add_key (&rows, &report->senders[i].key);
      control_path_add_up (&rows, figures);
      if (figures->has_tcp)
        control_path_add_number (&rows, "round_trip_min_us", figures->min_rtt_us);
      g_variant_builder_close (&rows);
    }
  return g_variant_builder_end (&rows);
}

static GVariant *
control_path_make_report (const DetourPathReport *report)
{
  char address[DETOUR_ADDRESS_TEXT_MAX];
  GVariantBuilder out;

  g_variant_builder_init (&out, G_VARIANT_TYPE_VARDICT);
  control_path_add_key (&out, &report->key);
  g_variant_builder_add (&out, "{sv}", "address",
                         g_variant_new_string (detour_address_format_bytes (
                             report->presence.ip, report->presence.port, address)));
  control_path_add_number (&out, "connection", report->number);
  g_variant_builder_add (&out, "{sv}", "cause",
                         g_variant_new_string (detour_path_name (report->cause)));
  g_variant_builder_add (&out, "{sv}", "text",
                         g_variant_new_string (detour_path_sentence (report->cause)));
  control_path_add_number (&out, "time_us", report->figures.time_us);
  control_path_add_down (&out, &report->figures);
  control_path_add_up (&out, &report->figures);
  g_variant_builder_add (&out, "{sv}", "senders", control_path_make_senders (report));
  control_path_add_number (&out, "sender_count", report->n_senders);
  control_path_add_share (&out, "worker_busy", report->load.cpu);
  control_path_add_share (&out, "worker_waiting", report->load.wait);
  control_path_add_number (&out, "worker_late_us", report->load.late_us);
  return g_variant_builder_end (&out);
}

static void
control_path_on_done (const DetourPathReport *report, gboolean has_left, gpointer user)
{
  g_autofree Asked *asked = user;
  DetourControl *self = asked->control;

  self->looks = g_list_remove (self->looks, asked);
  if (report != NULL)
    g_dbus_method_invocation_return_value (
        asked->call, g_variant_new ("(@a{sv})", control_path_make_report (report)));
  else if (self->is_stopping)
    g_dbus_method_invocation_return_error (asked->call, DETOUR_CONTROL_ERROR,
                                           DETOUR_CONTROL_ERROR_NOT_AVAILABLE, "the daemon stops");
  else
    g_dbus_method_invocation_return_error (
        asked->call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_NO_SUCH_CLIENT,
        has_left ? "the client left while it was watched" : "the client is not connected");
}

/* FALSE: @call was answered. */
static gboolean
control_path_read_time (GVariant *options, gint64 *time_us, GDBusMethodInvocation *call)
{
  gsize n = g_variant_n_children (options);
  guint64 wanted = DETOUR_PATH_LOOK_US;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) value = NULL;
      const char *name;

      g_variant_get_child (options, i, "{&sv}", &name, &value);
      if (!g_str_equal (name, "duration") || !g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
        {
          g_dbus_method_invocation_return_error (
              call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
              "%s of type %s: there is duration (t)", name, g_variant_get_type_string (value));
          return FALSE;
        }
      wanted = g_variant_get_uint64 (value);
    }
  if (wanted < (guint64) DETOUR_PATH_LOOK_MIN_US || wanted > (guint64) DETOUR_PATH_LOOK_MAX_US)
    {
      g_dbus_method_invocation_return_error (
          call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BAD_ARGUMENT,
          "duration: %" G_GUINT64_FORMAT " µs is not from 0.2 s to 60 s", wanted);
      return FALSE;
    }
  *time_us = (gint64) wanted;
  return TRUE;
}

/* A look lasts longer than others that have the control socket may wait for their turn. */
static void
control_path_pass_turn (GDBusMethodInvocation *call)
{
  GIOStream *stream = g_dbus_connection_get_stream (g_dbus_method_invocation_get_connection (call));

  if (DETOUR_IS_PEER_STREAM (stream))
    detour_peer_stream_answer_later (DETOUR_PEER_STREAM (stream));
}

/* The key is known. */
static void
control_path_look (gpointer user, const DetourKey *key, GDBusMethodInvocation *call)
{
  DetourControl *self = user;
  g_autoptr (GVariant)
      options = g_variant_get_child_value (g_dbus_method_invocation_get_parameters (call), 1);
  gint64 time_us;
  Asked *asked;

  if (!control_path_read_time (options, &time_us, call))
    return;
  if (g_list_length (self->looks) >= LOOKS_MAX)
    {
      g_dbus_method_invocation_return_error (call, DETOUR_CONTROL_ERROR, DETOUR_CONTROL_ERROR_BUSY,
                                             "too many clients are watched; try again");
      return;
    }
  control_path_pass_turn (call);
  asked = g_new0 (Asked, 1);
  asked->control = self;
  asked->call = call;
  self->looks = g_list_prepend (self->looks, asked);
  asked->look = detour_path_look_start (self->parts.server, key, time_us, control_path_on_done,
                                        asked);
}

void
detour_control_path (gpointer data, GVariant *arguments, GDBusMethodInvocation *call)
{
  DetourControl *self = data;
  const char *key;

  g_variant_get_child (arguments, 0, "&s", &key);
  detour_client_list_with_key (self->clients, key, call, control_path_look, self);
}

void
detour_control_stop_paths (DetourControl *self)
{
  self->is_stopping = TRUE;
  for (GList *link = self->looks; link != NULL; link = link->next)
    detour_path_look_stop (((Asked *) link->data)->look);
  while (self->looks != NULL)
    g_main_context_iteration (NULL, TRUE);
}
