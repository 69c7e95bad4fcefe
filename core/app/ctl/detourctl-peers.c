/* detourctl-peers.c: the command that shows the other servers of the region.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-json.h"
#include "detourctl-peer.h"
#include "detourctl-print.h"
#include "detourctl-table.h"

typedef struct {
  const Detourctl *self;
  DetourctlTable *table;
  GPtrArray *notes; /* text for each peer that something is wrong with */
  guint n;
} List;

/* Why there is no link, when it is tried again and what helps; or that there is none back. NULL:
 * nothing is wrong. */
static char *
ctl_peers_note (GVariant *peer)
{
  gint64 now_us = g_get_real_time ();
  g_autofree char *why = detourctl_peer_describe_fault (peer, now_us);
  const char *remedy = detourctl_text (peer, "Remedy");

  if (why == NULL && detourctl_peer_lacks_way_back (peer, now_us))
    return g_strdup_printf (_ ("%s: it has no link to this relay: what its clients send does not "
                               "come over here. See: detourctl doctor mesh"),
                            detourctl_text (peer, "Name"));
  if (why == NULL)
    return NULL;
  if (*remedy == '\0')
    return g_strdup_printf ("%s: %s", detourctl_text (peer, "Name"), why);
  return g_strdup_printf ("%s: %s. %s", detourctl_text (peer, "Name"), why, remedy);
}

static void
ctl_peers_add (const char *path, GVariant *peer, gpointer user)
{
  List *list = user;
  guint64 since_us = detourctl_number (peer, "Since");
  guint64 now_us = (guint64) g_get_real_time ();
  g_autofree char *since = detourctl_format_duration (now_us > since_us ? now_us - since_us : 0);
  gboolean is_up = strcmp (detourctl_text (peer, "State"), "up") == 0;
  g_autofree char *keys = is_up ? detourctl_format_count (detourctl_number (peer, "Keys"))
                                : g_strdup ("-");
  g_autofree char *packets = is_up ? detourctl_format_count (detourctl_number (peer, "PacketsSent"))
                                   : g_strdup ("-");
  gboolean links_back = detourctl_flag (peer, "LinksBack");
  g_autofree char *received = links_back ? detourctl_format_count (
                                  detourctl_number (peer, "PacketsReceived"))
                                         : g_strdup ("-");
  g_autofree char *dropped = detourctl_format_count (detourctl_peer_dropped (peer));
  char *note = ctl_peers_note (peer);

  list->n++;
  detourctl_table_add (list->table, detourctl_text (peer, "Name"), detourctl_peer_state (peer),
                       since, keys, packets, received, dropped, links_back ? _ ("yes") : _ ("no"),
                       detourctl_text (peer, "Host"), NULL);
  if (note != NULL)
    g_ptr_array_add (list->notes, note);
}

static void
ctl_peers_print_notes (const Detourctl *self, const GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++)
    {
      g_autofree char *safe = detourctl_format_safe (notes->pdata[i]);
      g_autofree char *lines = detourctl_format_wrap (safe, 2, 2, detourctl_print_width (self));

      g_print ("%s!%s %s\n", detourctl_style (self, DETOURCTL_YELLOW),
               detourctl_style (self, DETOURCTL_PLAIN), lines);
    }
}

static DetourctlExit
ctl_peers_run (Detourctl *self, char **arguments)
{
  const DetourctlColumn columns[] = {
    { _ ("PEER"), DETOURCTL_COLUMN_LEFT },     { _ ("STATE"), DETOURCTL_COLUMN_LEFT },
    { _ ("FOR"), DETOURCTL_COLUMN_LEFT },      { _ ("KEYS"), DETOURCTL_COLUMN_RIGHT },
    { _ ("SENT"), DETOURCTL_COLUMN_RIGHT },    { _ ("RECEIVED"), DETOURCTL_COLUMN_RIGHT },
    { _ ("DROPPED"), DETOURCTL_COLUMN_RIGHT }, { _ ("BACK"), DETOURCTL_COLUMN_LEFT },
    { _ ("HOST"), DETOURCTL_COLUMN_LEFT },     { NULL },
  };
  DetourctlExit exit = DETOURCTL_GOOD;
  g_autoptr (GVariant) objects = detourctl_objects (self, &exit);
  g_autoptr (DetourctlTable) table = NULL;
  g_autoptr (GPtrArray) notes = g_ptr_array_new_with_free_func (g_free);
  List list = { self, NULL, notes, 0 };

  if (objects == NULL)
    return exit;
  if (self->json)
    return detourctl_json_print_objects ("peers", objects, "Peer");
  list.table = table = detourctl_table_new (columns);
  detourctl_each_object (objects, "Peer", ctl_peers_add, &list);
  if (list.n == 0)
    g_print (_ ("This relay dials no other server. In the configuration, each [peer NAME] says "
                "where one of its region is.\n"));
  else
    detourctl_print_table (self, table);
  ctl_peers_print_notes (self, notes);
  return DETOURCTL_GOOD;
}

const DetourctlCommand detourctl_peers_commands[] = {
  { .name = "peers",
    .arguments = "",
    .summary = N_ ("Show the mesh: links to the other servers of the region"),
    .details = N_ (
        "A link carries packets to the clients that are connected there, KEYS of them. What those "
        "send comes\nover the link that the other server makes: BACK."),
    .run = ctl_peers_run },
  { NULL },
};
