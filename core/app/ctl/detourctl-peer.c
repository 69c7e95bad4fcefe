/* detourctl-peer.c: what a daemon says of another server of the region, for people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-peer.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl.h"

/* A server that has started sees the links of others come within this time; what is not there then
 * is missing. */
#define BACK_US (60 * G_USEC_PER_SEC)

const char *
detourctl_peer_state (GVariant *peer)
{
  static const struct {
    const char *state, *text;
  } states[] = {
    { "waiting", N_ ("waiting") },
    { "connecting", N_ ("connecting") },
    { "up", N_ ("up") },
    { "refused", N_ ("refused") },
    /* TRANSLATORS: a server of the list is the one that is asked. */
    { "itself", N_ ("itself") },
  };
  const char *state = detourctl_text (peer, "State");

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (strcmp (states[i].state, state) == 0)
      return _ (states[i].text);
  return state;
}

guint64
detourctl_peer_dropped (GVariant *peer)
{
  g_autoptr (GVariant) drops = g_variant_lookup_value (peer, "Drops", G_VARIANT_TYPE_VARDICT);
  GVariantIter iter;
  const char *reason;
  GVariant *n;
  guint64 sum = 0;

  if (drops == NULL)
    return 0;
  g_variant_iter_init (&iter, drops);
  while (g_variant_iter_loop (&iter, "{&sv}", &reason, &n))
    if (g_variant_is_of_type (n, G_VARIANT_TYPE_UINT64))
      sum += g_variant_get_uint64 (n);
  return sum;
}

char *
detourctl_peer_describe_fault (GVariant *peer, gint64 now_us)
{
  g_autofree char *error = detourctl_format_clause (detourctl_text (peer, "Error"));
  gint64 next_us = detourctl_microseconds (peer, "NextTry");
  g_autofree char *away = NULL;

  if (*error == '\0')
    return NULL;
  if (next_us <= now_us)
    return g_steal_pointer (&error);
  away = detourctl_format_duration ((guint64) (next_us - now_us));
  /* TRANSLATORS: why there is no link, and a duration. */
  return g_strdup_printf (_ ("%s; tried again in %s"), error, away);
}

gboolean
detourctl_peer_lacks_way_back (GVariant *peer, gint64 now_us)
{
  return strcmp (detourctl_text (peer, "State"), "up") == 0 && !detourctl_flag (peer, "LinksBack")
      && now_us - detourctl_microseconds (peer, "Since") >= BACK_US;
}

static void
ctl_peer_look_at_plugin (const char *path, GVariant *plugin, gpointer user)
{
  DetourctlPeers *peers = user;

  if (strcmp (detourctl_text (plugin, "Plugin"), "service-mesh") == 0
      && strcmp (detourctl_text (plugin, "State"), "running") == 0)
    peers->is_running = TRUE;
}

static void
ctl_peer_add (const char *path, GVariant *peer, gpointer user)
{
  DetourctlPeers *peers = user;
  const char *state = detourctl_text (peer, "State");

  /* A list that is the same everywhere has the relay itself in it; no link is missed. */
  if (strcmp (state, "itself") == 0)
    return;
  peers->n_peers++;
  if (strcmp (state, "up") != 0)
    return;
  peers->n_up++;
  peers->n_keys += detourctl_number (peer, "Keys");
}

DetourctlPeers
detourctl_peers_count (GVariant *objects)
{
  DetourctlPeers peers = { FALSE };

  detourctl_each_object (objects, "Plugin", ctl_peer_look_at_plugin, &peers);
  detourctl_each_object (objects, "Peer", ctl_peer_add, &peers);
  return peers;
}

char *
detourctl_peers_describe (const DetourctlPeers *peers)
{
  g_autofree char *keys = detourctl_format_count (peers->n_keys);
  g_autofree char *links = NULL;

  if (peers->n_peers == 0)
    return g_strdup (_ ("no peers are configured"));
  links = g_strdup_printf (
      ngettext ("%u of %u peer linked", "%u of %u peers linked", peers->n_peers), peers->n_up,
      peers->n_peers);
  if (peers->n_up == 0)
    return g_steal_pointer (&links);
  /* TRANSLATORS: "1 of 2 peers linked", and how many clients are known to be connected there. */
  return g_strdup_printf (
      ngettext ("%s, %s key behind the links", "%s, %s keys behind the links", peers->n_keys),
      links, keys);
}

void
detourctl_peers_write (DetourctlJson *json, const DetourctlPeers *peers)
{
  if (!peers->is_running)
    {
      detourctl_json_text (json, "mesh", NULL);
      return;
    }
  detourctl_json_begin_object (json, "mesh");
  detourctl_json_number (json, "peers", peers->n_peers);
  detourctl_json_number (json, "links_up", peers->n_up);
  detourctl_json_number (json, "keys", peers->n_keys);
  detourctl_json_end_object (json);
}
