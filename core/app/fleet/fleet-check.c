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
  g_free (finding->remedy);
  g_free (finding);
}

/* @text, @remedy: taken */
static void
fleet_check_add (GPtrArray *findings, const char *code, const char *relay, const char *other,
                 char *text, char *remedy)
{
  FleetFinding *finding = g_new (FleetFinding, 1);

  *finding = (FleetFinding) { code, relay, other, text, remedy };
  g_ptr_array_add (findings, finding);
}

/* Pairs ---------------------------------------------------------------------------------------- */

/* How sure it is that a peer of one relay is another relay. */
typedef enum {
  FIT_NONE,
  FIT_POSSIBLE, /* it has not shown its key yet, and has the name of no other */
  FIT_NAME,     /* its key is not that of another relay */
  FIT_KEY,
} Fit;

typedef struct {
  const Fleet *fleet;
  const FleetMember *members;
  guint n;
} Members;

/* Another relay among the peers of one. */
typedef struct {
  const Members *all;
  const FleetMember *to;
  GVariant *peer; /* NULL: it is none of them */
  Fit fit;
} Search;

/* "b.example.com:443" is of "b.example.com", and "[2001:db8::1]:443" of "2001:db8::1".
 * @host: (nullable) */
static gboolean
fleet_check_is_host (const char *place, const char *host)
{
  gsize len = host != NULL ? strlen (host) : 0;
  gboolean has_brackets = *place == '[';
  const char *end;

  place += has_brackets;
  if (len == 0 || g_ascii_strncasecmp (place, host, len) != 0)
    return FALSE;
  end = place + len;
  if (has_brackets && *end++ != ']')
    return FALSE;
  return *end == '\0' || *end == ':';
}

/* NULL: it did not answer, or was not asked. */
static const FleetMember *
fleet_check_member (const Members *all, const FleetRelay *relay)
{
  for (guint i = 0; i < all->n; i++)
    if (all->members[i].relay == relay)
      return &all->members[i];
  return NULL;
}

/* Whether the peer is called as the relay is. */
static gboolean
fleet_check_is_named (const Members *all, GVariant *peer, const FleetRelay *relay)
{
  const FleetMember *member = fleet_check_member (all, relay);
  const char *place = detourctl_text (peer, "Host");

  return strcmp (detourctl_text (peer, "Name"), relay->name) == 0
      || fleet_check_is_host (place, relay->name) || fleet_check_is_host (place, relay->host_name)
      || fleet_check_is_host (place, relay->ipv4) || fleet_check_is_host (place, relay->ipv6)
      || (member != NULL
          && fleet_check_is_host (place, detourctl_text (member->manager, "Hostname")));
}

static Fit
fleet_check_judge (const Members *all, GVariant *peer, const FleetMember *to)
{
  const char *key = detourctl_text (peer, "ServerKey");

  if (strcmp (detourctl_text (peer, "State"), "itself") == 0)
    return FIT_NONE;
  for (guint i = 0; *key != '\0' && i < all->n; i++)
    if (strcmp (key, detourctl_text (all->members[i].manager, "ServerKey")) == 0)
      return &all->members[i] == to ? FIT_KEY : FIT_NONE;
  if (fleet_check_is_named (all, peer, to->relay))
    return FIT_NAME;
  if (*key != '\0')
    return FIT_NONE;
  for (guint i = 0; i < all->fleet->relays->len; i++)
    if (fleet_check_is_named (all, peer, all->fleet->relays->pdata[i]))
      return FIT_NONE;
  return FIT_POSSIBLE;
}

static void
fleet_check_look_at_peer (const char *path, GVariant *peer, gpointer user)
{
  Search *search = user;
  Fit fit = fleet_check_judge (search->all, peer, search->to);

  if (fit <= search->fit)
    return;
  if (search->peer != NULL)
    g_variant_unref (search->peer);
  search->peer = g_variant_ref (peer);
  search->fit = fit;
}

static void
fleet_check_tell_unlinked (GPtrArray *findings, const FleetMember *from, const FleetMember *to,
                           const Search *search)
{
  const char *one = from->relay->name, *other = to->relay->name;
  g_autofree char *error = detourctl_format_clause (detourctl_text (search->peer, "Error"));
  const char *why = *error != '\0' ? error : _ ("it is being dialled");

  if (strcmp (detourctl_text (search->peer, "State"), "refused") == 0)
    fleet_check_add (
        findings, "mesh_key_differs", one, other,
        g_strdup_printf (_ ("%s does not take %s into its mesh: %s"), other, one, why),
        g_strdup_printf (_ ("give %s and %s the same mesh key: [service mesh] key-file"), one,
                         other));
  else
    fleet_check_add (
        findings, "pair_unlinked", one, other,
        search->fit > FIT_POSSIBLE
            ? g_strdup_printf (_ ("%s has no link to %s: %s"), one, other, why)
            /* TRANSLATORS: two relays; name and host of a peer; why it is not linked. */
            : g_strdup_printf (_ ("%s has no link to %s, unless that is its peer %s (%s), which it "
                                  "has never reached: %s"),
                               one, other, detourctl_text (search->peer, "Name"),
                               detourctl_text (search->peer, "Host"), why),
        g_strdup_printf (_ ("see what helps, on %s: detourctl doctor mesh"), one));
}

static void
fleet_check_look_at_way (GPtrArray *findings, const Members *all, const FleetMember *from,
                         const FleetMember *to)
{
  const char *one = from->relay->name, *other = to->relay->name;
  Search search = { all, to, NULL, FIT_NONE };
  g_autoptr (GVariant) peer = NULL;

  detourctl_each_object (from->objects, "Peer", fleet_check_look_at_peer, &search);
  peer = search.peer;
  if (peer == NULL)
    fleet_check_add (findings, "pair_unlisted", one, other,
                     g_strdup_printf (_ ("%s does not have %s among its peers: what clients of %s "
                                         "send does not reach those of %s"),
                                      one, other, one, other),
                     g_strdup_printf (_ ("add a [peer NAME] with the host of %s to the "
                                         "configuration of %s, and reload it"),
                                      other, one));
  else if (strcmp (detourctl_text (peer, "State"), "up") != 0)
    fleet_check_tell_unlinked (findings, from, to, &search);
}

/* @a and @b are of one region. */
static void
fleet_check_look_at_pair (GPtrArray *findings, const Members *all, const FleetMember *a,
                          const FleetMember *b)
{
  const char *one = a->relay->name, *other = b->relay->name;

  if (!detourctl_peers_count (a->objects).is_running
      && !detourctl_peers_count (b->objects).is_running)
    {
      fleet_check_add (findings, "pair_without_mesh", one, other,
                       g_strdup_printf (_ ("%s and %s serve one region and are in no mesh: their "
                                           "clients do not reach each other"),
                                        one, other),
                       g_strdup (_ ("link them with [service mesh] and [peer NAME], or make two "
                                    "regions of them")));
      return;
    }
  fleet_check_look_at_way (findings, all, a, b);
  fleet_check_look_at_way (findings, all, b, a);
}

/* FALSE: they have two. */
static gboolean
fleet_check_have_one_key (GPtrArray *findings, const FleetMember *a, const FleetMember *b)
{
  const char *key = detourctl_text (a->manager, "ServerKey");
  const char *one = a->relay->name, *other = b->relay->name;

  if (*key == '\0' || strcmp (key, detourctl_text (b->manager, "ServerKey")) != 0)
    return FALSE;
  fleet_check_add (findings, "server_key_shared", one, other,
                   g_strdup_printf (_ ("%s and %s show the same server key: they are one server, "
                                       "or one has a copy of the other's key"),
                                    one, other),
                   g_strdup_printf (_ ("take %s or %s out of the inventory if they are one server; "
                                       "else remove the copied server.key in the state directory "
                                       "of one, and start it again"),
                                    one, other));
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
      g_strdup (_ ("set it right, and let something keep it so, such as systemd-timesyncd or "
                   "chrony")));
}

/* ---------------------------------------------------------------------------------------------- */

GPtrArray *
fleet_check (const Fleet *fleet, const FleetMember *members, guint n)
{
  const Members all = { fleet, members, n };
  GPtrArray *findings = g_ptr_array_new_with_free_func (fleet_check_finding_free);
  gint64 right_us = fleet_check_right_time (members, n);

  for (guint i = 0; i < n; i++)
    for (guint k = i + 1; k < n; k++)
      if (!fleet_check_have_one_key (findings, &members[i], &members[k])
          && members[i].relay->region == members[k].relay->region && !members[i].is_out
          && !members[k].is_out)
        fleet_check_look_at_pair (findings, &all, &members[i], &members[k]);
  fleet_check_look_at_clock (findings, NULL, -right_us, 0);
  for (guint i = 0; i < n; i++)
    fleet_check_look_at_clock (findings, members[i].relay->name,
                               members[i].clock_ahead_us - right_us, members[i].clock_doubt_us);
  return findings;
}
