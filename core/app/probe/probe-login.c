/* probe-login.c: whether clients get in, and packets through.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <sodium.h>
#include <string.h>

#include "detourctl-format.h"
#include "probe.h"

/* Packets look like those with which clients find each other, because a relay says at once when it
 * does not know who one of them is for. */
#define PACKET_MARK "\x54\x53\xf0\x9f\x92\xac"
#define PACKET_SIZE 64u
/* A relay may need a moment to tell the others of its mesh of a client. */
#define PATIENCE_US   (200 * 1000)
#define PROPAGATED_US (2 * G_USEC_PER_SEC)
/* As the official prober does it. */
#define BULK_SIZE   65536u
#define BULK_WINDOW 30u

/* How far a client got. */
typedef enum {
  REACHED_NOTHING,
  REACHED_TLS,
  REACHED_GREETING,
  REACHED_LOGIN,
} Reached;

/* @took_us: (out): from the request to the end of the login */
static Reached
probe_login_try (const Probe *probe, const ProbeNode *node, const guint8 *mesh_key,
                 DetourctlDerp *client, gint64 *took_us, GError **error)
{
  g_autofree char *host = probe_node_host (node);
  gint64 began_us;

  if (!probe_tls_connect (probe, node, probe_node_address (node), &client->stream, error))
    return REACHED_NOTHING;
  began_us = g_get_monotonic_time ();
  if (!detourctl_derp_upgrade (client, host, error))
    return REACHED_TLS;
  if (!detourctl_derp_login (client, mesh_key, error))
    return REACHED_GREETING;
  *took_us = g_get_monotonic_time () - began_us;
  return REACHED_LOGIN;
}

static gboolean
probe_login_is_refusal (Reached reached, const GError *error)
{
  return reached == REACHED_GREETING && detourctl_derp_is_refusal (error);
}

static void
probe_login_note_failure (const Probe *probe, ProbeNode *node, Reached reached, const GError *error)
{
  if (probe_login_is_refusal (reached, error))
    probe_note (node->results, PROBE_LOGIN, node, PROBE_FAILED, "refused",
                probe->mesh_key != NULL
                    ? g_strdup (_ ("the relay greets, and does not admit us: the mesh key is not "
                                   "its own"))
                    : g_strdup (_ ("the relay greets, and does not admit an unknown key; if that "
                                   "is as it should be, say so with --closed, or log in with "
                                   "--mesh-key FILE")));
  else if (reached == REACHED_TLS)
    probe_note (node->results, PROBE_LOGIN, node, PROBE_FAILED, "no_derp",
                g_strdup_printf (_ ("no DERP: %s"), error->message));
  else
    probe_note_error (node->results, PROBE_LOGIN, node, _ ("login"), error);
}

/* ---- packets --------------------------------------------------------------------------------- */

static void
probe_login_fill_packet (guint8 packet[PACKET_SIZE])
{
  randombytes_buf (packet, PACKET_SIZE);
  memcpy (packet, PACKET_MARK, strlen (PACKET_MARK));
}

static void
probe_login_carry (ProbeNode *node, DetourctlDerp *a, DetourctlDerp *b)
{
  guint8 packet[PACKET_SIZE];
  g_autoptr (GError) error = NULL;
  gint64 began_us = g_get_monotonic_time ();

  probe_login_fill_packet (packet);
  if (detourctl_derp_send (a, &b->key, packet, sizeof packet, &error)
      && detourctl_derp_expect (b, &a->key, packet, sizeof packet, &error))
    probe_note (node->results, PROBE_PACKET, node, PROBE_GOOD, "good",
                g_strdup (_ ("a packet goes from one client to another")))
        ->took_us = g_get_monotonic_time () - began_us;
  else
    probe_note (node->results, PROBE_PACKET, node, PROBE_FAILED, "lost",
                g_strdup_printf (_ ("two clients are logged in, but a packet from one to the other "
                                    "does not come: %s"),
                                 error->message));
}

/* Packet after packet, with no more than a few on their way. */
static gboolean
probe_login_carry_bulk (DetourctlDerp *a, DetourctlDerp *b, guint64 size, GError **error)
{
  g_autofree guint8 *packet = g_malloc (BULK_SIZE);
  guint64 n = (size + BULK_SIZE - 1) / BULK_SIZE, n_sent = 0;
  gsize last = (gsize) (size - (n - 1) * BULK_SIZE);

  randombytes_buf (packet, BULK_SIZE);
  for (guint64 n_got = 0; n_got < n; n_got++)
    {
      for (; n_sent < n && n_sent - n_got < BULK_WINDOW; n_sent++)
        if (!detourctl_derp_send (a, &b->key, packet, n_sent + 1 < n ? BULK_SIZE : last, error))
          return FALSE;
      if (!detourctl_derp_expect (b, &a->key, packet, n_got + 1 < n ? BULK_SIZE : last, error))
        return FALSE;
    }
  return TRUE;
}

static void
probe_login_measure (const Probe *probe, ProbeNode *node, DetourctlDerp *a, DetourctlDerp *b)
{
  g_autoptr (GError) error = NULL;
  gint64 began_us = g_get_monotonic_time ();
  gint64 took_us;
  g_autofree char *shown = NULL;
  g_autofree char *size = detourctl_format_size (probe->bandwidth);
  ProbeResult *result;

  if (!probe_login_carry_bulk (a, b, probe->bandwidth, &error))
    {
      probe_note (node->results, PROBE_BANDWIDTH, node, PROBE_FAILED, "lost",
                  g_strdup_printf (_ ("%s did not come through whole: %s"), size, error->message));
      return;
    }
  took_us = g_get_monotonic_time () - began_us;
  shown = detourctl_format_rate (probe->bandwidth, (guint64) MAX (took_us, 1));
  result = probe_note (node->results, PROBE_BANDWIDTH, node, PROBE_GOOD, "good",
                       g_strdup_printf (_ ("%s from one client to another, %s"), size, shown));
  result->took_us = took_us;
  result->rate = (guint64) ((double) probe->bandwidth * G_USEC_PER_SEC / (double) took_us);
}

/* ---- a node ---------------------------------------------------------------------------------- */

/* Whether a relay that is closed is: one without the mesh key must not get in. FALSE: it does, or
 * something else went wrong, and that was noted. */
static gboolean
probe_login_is_kept_out (const Probe *probe, ProbeNode *node)
{
  g_auto (DetourctlDerp) stranger = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 took_us;
  Reached reached;

  detourctl_derp_init (&stranger);
  reached = probe_login_try (probe, node, NULL, &stranger, &took_us, &error);
  if (reached == REACHED_LOGIN)
    probe_note (node->results, PROBE_LOGIN, node, PROBE_FAILED, "stranger_admitted",
                g_strdup (_ ("the relay admits a key that nobody knows, and is to be closed")));
  else if (!probe_login_is_refusal (reached, error))
    probe_login_note_failure (probe, node, reached, error);
  return reached != REACHED_LOGIN && probe_login_is_refusal (reached, error);
}

static void
probe_login_look_at (const Probe *probe, ProbeNode *node)
{
  g_auto (DetourctlDerp) a = { 0 };
  g_auto (DetourctlDerp) b = { 0 };
  g_autoptr (GError) error = NULL;
  gint64 took_us = -1;
  Reached reached;

  detourctl_derp_init (&a);
  detourctl_derp_init (&b);
  reached = probe_login_try (probe, node, probe->mesh_key, &b, &took_us, &error);
  if (reached == REACHED_LOGIN)
    reached = probe_login_try (probe, node, probe->mesh_key, &a, &took_us, &error);
  if (reached != REACHED_LOGIN)
    {
      probe_login_note_failure (probe, node, reached, error);
      return;
    }
  if (!detour_key_equal (&a.server, &b.server))
    {
      probe_note (node->results, PROBE_LOGIN, node, PROBE_FAILED, "two_servers",
                  g_strdup (_ ("two connections came to two relays with different keys: a load "
                               "balancer must not be in front of relays")));
      return;
    }
  node->is_admitted = TRUE;
  probe_note (node->results, PROBE_LOGIN, node, PROBE_GOOD, "good",
              probe->is_closed ? g_strdup (_ ("an unknown key is refused, and the mesh key is not"))
                               : g_strdup (_ ("a client is admitted")))
      ->took_us = took_us;
  probe_login_carry (node, &a, &b);
  if (probe->bandwidth > 0)
    probe_login_measure (probe, node, &a, &b);
}

void
probe_login_check (const Probe *probe, ProbeNode *node)
{
  if (node->entry->stun_only)
    return;
  if (probe_node_address (node) == NULL)
    {
      probe_note (node->results, PROBE_LOGIN, node, PROBE_SKIPPED, "no_tls",
                  g_strdup (_ ("a client would not come so far")));
      return;
    }
  if (probe->is_closed && !probe_login_is_kept_out (probe, node))
    return;
  if (probe->is_closed && probe->mesh_key == NULL)
    probe_note (node->results, PROBE_LOGIN, node, PROBE_GOOD, "refused",
                g_strdup (_ ("an unknown key is refused, as it should be")));
  else
    probe_login_look_at (probe, node);
}

/* ---- between two nodes ----------------------------------------------------------------------- */

/* Tries again until @end_us, since the mesh has to hear of both. */
static gboolean
probe_login_carry_between (DetourctlDerp *a, DetourctlDerp *b, gint64 end_us, gboolean *is_gone,
                           gint64 *took_us, GError **error)
{
  guint8 packet[PACKET_SIZE];
  gint64 limit_us = b->stream.limit_us;
  gboolean is_there = FALSE;

  probe_login_fill_packet (packet);
  b->stream.limit_us = PATIENCE_US;
  while (!is_there)
    {
      gint64 began_us = g_get_monotonic_time ();

      g_clear_error (error);
      if (!detourctl_derp_send (a, &b->key, packet, sizeof packet, error))
        break;
      is_there = detourctl_derp_expect (b, &a->key, packet, sizeof packet, error);
      *took_us = g_get_monotonic_time () - began_us;
      if (is_there || !g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT)
          || g_get_monotonic_time () >= end_us)
        break;
    }
  b->stream.limit_us = limit_us;
  if (!is_there)
    *is_gone = detourctl_derp_was_told_gone (a, &b->key);
  return is_there;
}

static void
probe_login_look_between (const Probe *probe, const ProbeNode *from, const ProbeNode *to,
                          GPtrArray *results)
{
  g_auto (DetourctlDerp) a = { 0 };
  g_auto (DetourctlDerp) b = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean is_gone = FALSE;
  gint64 took_us = -1;
  ProbeResult *result;

  detourctl_derp_init (&a);
  detourctl_derp_init (&b);
  if (probe_login_try (probe, from, probe->mesh_key, &a, &took_us, &error) != REACHED_LOGIN
      || probe_login_try (probe, to, probe->mesh_key, &b, &took_us, &error) != REACHED_LOGIN)
    {
      probe_note_error (results, PROBE_PACKET, from, _ ("login"), error);
      return;
    }
  if (probe_login_carry_between (&a, &b,
                                 g_get_monotonic_time () + MIN (probe->limit_us, PROPAGATED_US),
                                 &is_gone, &took_us, &error))
    {
      result = probe_note (results, PROBE_PACKET, from, PROBE_GOOD, "good",
                           g_strdup_printf (_ ("a packet goes from here to node %s"), to->name));
      result->took_us = took_us;
    }
  else if (is_gone)
    probe_note (results, PROBE_PACKET, from, PROBE_FAILED, "not_meshed",
                g_strdup_printf (_ ("this node does not know the clients of node %s; the nodes of "
                                    "a region have to be meshed"),
                                 to->name));
  else
    probe_note (results, PROBE_PACKET, from, PROBE_FAILED, "lost",
                g_strdup_printf (_ ("a packet to a client of node %s does not come: %s"), to->name,
                                 error->message));
}

void
probe_between_check (const Probe *probe, const ProbeNode *from, const ProbeNode *to,
                     GPtrArray *results)
{
  guint first = results->len;

  if (from->is_admitted && to->is_admitted)
    probe_login_look_between (probe, from, to, results);
  else
    probe_note (results, PROBE_PACKET, from, PROBE_SKIPPED, "no_login",
                g_strdup (_ ("nobody was admitted to both nodes")));
  for (guint i = first; i < results->len; i++)
    ((ProbeResult *) results->pdata[i])->to = to;
}
