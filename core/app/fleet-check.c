/* fleet-check.c: what is wrong between the relays of a fleet, which none of them sees alone.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-check.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-peer.h"
#include "detourctl.h"

/* Clocks that differ by less disturb nothing: certificates are renewed days before they end. */
#define APART_MAX_US (60 * G_USEC_PER_SEC)

static void
fleet_check_finding_free (gpointer data)
{
  FleetFinding *finding = data;

  g_free (finding->text);
  g_free (finding);
}

/* @text: taken */
static void
fleet_check_add (GPtrArray *findings, const char *code, const char *relay, const char *other,
                 char *text, const char *remedy)
{
  FleetFinding *finding = g_new (FleetFinding, 1);

  *finding = (FleetFinding) { code, relay, other, text, remedy };
  g_ptr_array_add (findings, finding);
}

/* Pairs ---------------------------------------------------------------------------------------- */

/* Another relay among the peers of one. */
typedef struct {
  const char *server_key, *host;
  GVariant *peer; /* NULL: it is none of them */
} Search;

/* "b.example.com:443" is of "b.example.com". */
static gboolean
fleet_check_is_host (const char *place, const char *host)
{
  gsize len = strlen (host);

  return len > 0 && g_ascii_strncasecmp (place, host, len) == 0
      && (place[len] == '\0' || place[len] == ':');
}

/* The key is sure; before the first link there is the name alone. */
static void
fleet_check_look_at_peer (const char *path, GVariant *peer, gpointer user)
{
  Search *search = user;
  const char *key = detourctl_text (peer, "ServerKey");
  gboolean has_key = strcmp (key, search->server_key) == 0;

  if (!has_key
      && (search->peer != NULL || *key != '\0'
          || !fleet_check_is_host (detourctl_text (peer, "Host"), search->host)))
    return;
  if (search->peer != NULL)
    g_variant_unref (search->peer);
  search->peer = g_variant_ref (peer);
}

static void
fleet_check_tell_unlinked (GPtrArray *findings, const FleetMember *from, const FleetMember *to,
                           GVariant *peer)
{
  const char *error = detourctl_text (peer, "Error");

  if (strcmp (detourctl_text (peer, "State"), "refused") == 0)
    fleet_check_add (
        findings, "mesh_key_differs", from->name, to->name,
        g_strdup_printf (_ ("%s does not take %s into its mesh: %s"), to->name, from->name, error),
        _ ("give both the same mesh key: [service mesh] key-file"));
  else
    fleet_check_add (findings, "pair_unlinked", from->name, to->name,
                     g_strdup_printf (_ ("%s has no link to %s: %s"), from->name, to->name,
                                      *error != '\0' ? error : _ ("it is being dialled")),
                     _ ("see what helps, on the first one: detourctl doctor mesh"));
}

static void
fleet_check_look_at_way (GPtrArray *findings, const FleetMember *from, const FleetMember *to)
{
  Search search = { detourctl_text (to->manager, "ServerKey"),
                    detourctl_text (to->manager, "Hostname"), NULL };
  g_autoptr (GVariant) peer = NULL;

  detourctl_each_object (from->objects, "Peer", fleet_check_look_at_peer, &search);
  peer = search.peer;
  if (peer == NULL)
    fleet_check_add (findings, "pair_unlisted", from->name, to->name,
                     g_strdup_printf (_ ("%s does not have %s among its peers: what clients of the "
                                         "first send does not reach those of the second"),
                                      from->name, to->name),
                     _ ("add a [peer NAME] with its host to the configuration of the first one, "
                        "and reload it"));
  else if (strcmp (detourctl_text (peer, "State"), "up") != 0)
    fleet_check_tell_unlinked (findings, from, to, peer);
}

/* @a and @b are of one region. */
static void
fleet_check_look_at_pair (GPtrArray *findings, const FleetMember *a, const FleetMember *b)
{
  if (!detourctl_peers_count (a->objects).is_running
      && !detourctl_peers_count (b->objects).is_running)
    {
      fleet_check_add (findings, "pair_without_mesh", a->name, b->name,
                       g_strdup_printf (_ ("%s and %s serve one region and are in no mesh: their "
                                           "clients do not reach each other"),
                                        a->name, b->name),
                       _ ("link them with [service mesh] and [peer NAME], or make two regions of "
                          "them"));
      return;
    }
  fleet_check_look_at_way (findings, a, b);
  fleet_check_look_at_way (findings, b, a);
}

/* FALSE: they have two. */
static gboolean
fleet_check_have_one_key (GPtrArray *findings, const FleetMember *a, const FleetMember *b)
{
  const char *key = detourctl_text (a->manager, "ServerKey");

  if (*key == '\0' || strcmp (key, detourctl_text (b->manager, "ServerKey")) != 0)
    return FALSE;
  fleet_check_add (findings, "server_key_shared", a->name, b->name,
                   g_strdup_printf (_ ("%s and %s show the same server key: they are one server, "
                                       "or one has a copy of the other's key"),
                                    a->name, b->name),
                   _ ("take one of both out of the inventory if they are one server; else remove "
                      "the copied server.key in the state directory of one, and start it again"));
  return TRUE;
}

/* Clocks --------------------------------------------------------------------------------------- */

static int
fleet_check_compare (gconstpointer a, gconstpointer b)
{
  const gint64 *x = a, *y = b;

  return (*x > *y) - (*x < *y);
}

/* What most say, from the clock here; with a single relay that is the one here. */
static gint64
fleet_check_right_time (const FleetMember *members, guint n)
{
  g_autoptr (GArray) all = g_array_new (FALSE, TRUE, sizeof (gint64));

  if (n < 2)
    return 0;
  g_array_set_size (all, 1); /* the one here */
  for (guint i = 0; i < n; i++)
    g_array_append_val (all, members[i].clock_ahead_us);
  g_array_sort (all, fleet_check_compare);
  return g_array_index (all, gint64, all->len / 2);
}

/* @relay: (nullable): this host */
static void
fleet_check_look_at_clock (GPtrArray *findings, const char *relay, gint64 ahead_us, gint64 doubt_us)
{
  g_autofree char *by = detourctl_format_duration ((guint64) ABS (ahead_us));
  const char *whose = relay != NULL ? relay : _ ("this host");

  if (ABS (ahead_us) - doubt_us <= APART_MAX_US)
    return;
  fleet_check_add (
      findings, "clock_differs", relay, NULL,
      /* TRANSLATORS: name of a relay, or "this host"; a duration. */
      ahead_us > 0 ? g_strdup_printf (_ ("the clock of %s is %s ahead of the others"), whose, by)
                   : g_strdup_printf (_ ("the clock of %s is %s behind the others"), whose, by),
      _ ("set it right, and let something keep it so, such as systemd-timesyncd or chrony"));
}

/* ---------------------------------------------------------------------------------------------- */

GPtrArray *
fleet_check (const FleetMember *members, guint n)
{
  GPtrArray *findings = g_ptr_array_new_with_free_func (fleet_check_finding_free);
  gint64 right_us = fleet_check_right_time (members, n);

  for (guint i = 0; i < n; i++)
    for (guint k = i + 1; k < n; k++)
      if (!fleet_check_have_one_key (findings, &members[i], &members[k])
          && members[i].region == members[k].region && !members[i].is_out && !members[k].is_out)
        fleet_check_look_at_pair (findings, &members[i], &members[k]);
  fleet_check_look_at_clock (findings, NULL, -right_us, 0);
  for (guint i = 0; i < n; i++)
    fleet_check_look_at_clock (findings, members[i].name, members[i].clock_ahead_us - right_us,
                               members[i].clock_doubt_us);
  return findings;
}
