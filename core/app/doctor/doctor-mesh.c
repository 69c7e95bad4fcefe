/* doctor-mesh.c: whether the servers of the region are linked, each with each.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-peer.h"
#include "doctor-addresses.h"
#include "doctor.h"

typedef struct {
  const Doctor *doctor;
  DoctorReport *report;
  GHashTable *keys; /* server key -> name of the peer */
  guint n;
} Look;

static gboolean
doctor_mesh_is_own_address (const char *place)
{
  g_autoptr (GSocketConnectable) parsed = g_network_address_parse (place, 0, NULL);
  g_autoptr (GInetAddress) address = NULL;
  g_autoptr (GPtrArray) own = NULL;

  if (parsed == NULL)
    return FALSE;
  address = g_inet_address_new_from_string (
      g_network_address_get_hostname (G_NETWORK_ADDRESS (parsed)));
  if (address == NULL)
    return FALSE;
  own = doctor_addresses_own ();
  return g_inet_address_get_is_loopback (address) || doctor_addresses_has (own, address);
}

/* ":443", of a place or a listener; "" when it has none. */
static const char *
doctor_mesh_port (const char *place)
{
  const char *colon = strrchr (place, ':');

  return colon != NULL ? colon : "";
}

typedef struct {
  const char *port;
  gboolean is_own;
} PortSearch;

static void
doctor_mesh_look_for_port (const char *path, GVariant *listener, gpointer user)
{
  PortSearch *search = user;
  g_autofree const char **addresses = NULL;

  if (!g_variant_lookup (listener, "Addresses", "^a&s", &addresses))
    return;
  for (guint i = 0; addresses[i] != NULL; i++)
    search->is_own = search->is_own || strcmp (doctor_mesh_port (addresses[i]), search->port) == 0;
}

/* The list may be the same everywhere, with the relay itself in it; one that is elsewhere, and has
 * the key of this one, may be a copy of it, or this one behind translated addresses. */
static void
doctor_mesh_look_at_itself (const Look *look, GVariant *peer)
{
  const char *name = detourctl_text (peer, "Name");
  const char *address = detourctl_text (peer, "Address");
  PortSearch search = { doctor_mesh_port (address), FALSE };

  detourctl_each_object (look->doctor->objects, "Listener", doctor_mesh_look_for_port, &search);
  if (search.is_own && doctor_mesh_is_own_address (address))
    doctor_find (look->report, "peer_itself", DOCTOR_OK,
                 g_strdup_printf (_ ("peer %s is this relay itself"), name), NULL, NULL);
  else
    doctor_find (look->report, "server_key_copied", DOCTOR_WARNING,
                 g_strdup_printf (_ ("peer %s shows the server key of this relay, which does not "
                                     "listen at %s: another server may have a copy of the key"),
                                  name, address),
                 g_strdup (_ ("unless that address is translated and leads back here, give that "
                              "server a key of its own: remove its server.key in the state "
                              "directory, and start it again")),
                 NULL);
}

/* Why there is no link is known when it was tried once. */
static void
doctor_mesh_tell_unlinked (const Look *look, GVariant *peer)
{
  const char *name = detourctl_text (peer, "Name");
  const char *error = detourctl_text (peer, "Error");
  const char *remedy = detourctl_text (peer, "Remedy");

  if (strcmp (detourctl_text (peer, "State"), "refused") == 0)
    doctor_find (
        look->report, "mesh_key_differs", DOCTOR_PROBLEM,
        g_strdup_printf (_ ("peer %s does not take this relay into its mesh: %s"), name, error),
        *remedy != '\0' ? g_strdup (remedy) : NULL, NULL);
  else if (*error != '\0')
    doctor_find (look->report, "peer_unlinked", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("no link to peer %s: %s"), name, error),
                 *remedy != '\0' ? g_strdup (remedy)
                                 : g_strdup (_ ("see what the log of that server says")),
                 NULL);
  else
    doctor_find (look->report, "peer_awaited", DOCTOR_WARNING,
                 g_strdup_printf (_ ("peer %s is being dialled"), name),
                 g_strdup (_ ("look again in a minute:")), g_strdup ("detourctl doctor mesh"));
}

static void
doctor_mesh_look_at_way_back (const Look *look, GVariant *peer)
{
  const char *name = detourctl_text (peer, "Name");
  const char *host;

  if (detourctl_flag (peer, "LinksBack"))
    {
      doctor_find (look->report, "peer_linked", DOCTOR_OK,
                   g_strdup_printf (_ ("peer %s is linked, and links back"), name), NULL, NULL);
      return;
    }
  host = look->doctor->manager != NULL ? detourctl_text (look->doctor->manager, "Hostname") : "";
  doctor_find (look->report, "peer_not_back", DOCTOR_PROBLEM,
               g_strdup_printf (_ ("peer %s is linked, but has no link to this relay: what its "
                                   "clients send does not come over here"),
                                name),
               g_strdup (_ ("name this relay in the configuration of that server, -mesh-with of a "
                            "derper; if it is there, the status of that server says why it does "
                            "not get through. For a Detour:")),
               g_strdup_printf ("[peer NAME]\nhost = %s", *host != '\0' ? host : "HOST"));
}

static void
doctor_mesh_look_at_key (const Look *look, GVariant *peer)
{
  const char *key = detourctl_text (peer, "ServerKey");
  const char *name = detourctl_text (peer, "Name");
  const char *other = *key != '\0' ? g_hash_table_lookup (look->keys, key) : NULL;

  if (other != NULL)
    doctor_find (look->report, "server_key_shared", DOCTOR_PROBLEM,
                 g_strdup_printf (_ ("peers %s and %s show the same server key: they are one "
                                     "server, or one has a copy of the other's key"),
                                  other, name),
                 g_strdup (_ ("take one of both out of the configuration if they are one server; "
                              "else remove the copied server.key in the state directory of one, "
                              "and start it again")),
                 NULL);
  else if (*key != '\0')
    g_hash_table_insert (look->keys, g_strdup (key), g_strdup (name));
}

static void
doctor_mesh_look_at (const char *path, GVariant *peer, gpointer user)
{
  Look *look = user;
  const char *state = detourctl_text (peer, "State");

  look->n++;
  if (strcmp (state, "itself") == 0)
    {
      doctor_mesh_look_at_itself (look, peer);
      return;
    }
  if (strcmp (state, "up") == 0)
    doctor_mesh_look_at_way_back (look, peer);
  else
    doctor_mesh_tell_unlinked (look, peer);
  doctor_mesh_look_at_key (look, peer);
}

void
doctor_mesh_check (const Doctor *doctor, DoctorReport *report)
{
  g_autoptr (GHashTable) keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Look look = { doctor, report, keys, 0 };

  if (doctor->objects != NULL)
    detourctl_each_object (doctor->objects, "Peer", doctor_mesh_look_at, &look);
  /* Most relays have none, so it is told to who asks. */
  if (look.n == 0 && !doctor->has_all_areas)
    doctor_find (report, "not_checked", DOCTOR_NOTE,
                 g_strdup (doctor->objects == NULL
                               ? _ ("links to other servers can be seen once the relay runs")
                               : _ ("this relay dials no other server")),
                 NULL, NULL);
}
