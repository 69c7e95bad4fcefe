/* detour-mesh-peer.c: the [peer NAME] groups of a configuration.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-mesh-peer.h"

#include <string.h>

#include "detour-address.h"
#include "detour-key.h"

#define PIN_DIGITS (2u * DETOUR_KEY_SIZE)

/* `HOST`, `HOST:PORT`, an IPv6 address with or without brackets. */
static DetourMeshTarget
mesh_peer_read_target (const char *text)
{
  DetourMeshTarget target = { 0 };
  gsize len = strlen (text);
  DetourAddress address;

  if (len > 2 && text[0] == '[' && text[len - 1] == ']')
    {
      g_autofree char *inner = g_strndup (text + 1, len - 2);

      if (detour_address_is_host (inner) && strchr (inner, ':') != NULL)
        target.host = g_steal_pointer (&inner);
    }
  else if (detour_address_is_host (text))
    target.host = g_strdup (text);
  else if (detour_address_parse (text, &address, NULL) && address.host[0] != '\0'
           && address.port != 0)
    {
      target.host = g_strdup (address.host);
      target.port = address.port;
    }
  return target;
}

gboolean
detour_mesh_peer_pin_is_valid (const char *pin)
{
  gsize skip = g_str_has_prefix (pin, DETOUR_MESH_PIN_CERT) ? strlen (DETOUR_MESH_PIN_CERT)
             : g_str_has_prefix (pin, DETOUR_MESH_PIN_KEY)  ? strlen (DETOUR_MESH_PIN_KEY)
                                                            : 0;

  return skip > 0 && strlen (pin + skip) == PIN_DIGITS
      && strspn (pin + skip, "0123456789abcdefABCDEF") == PIN_DIGITS;
}

/* Pins of certificates go to the dialer together; the one of the key is compared at the login. */
static void
mesh_peer_read_pins (DetourMeshPeerGroup *self)
{
  g_autoptr (GString) certs = g_string_new (NULL);

  for (const char *const *pin = self->options.pin; *pin != NULL; pin++)
    {
      if (!detour_mesh_peer_pin_is_valid (*pin))
        continue;
      if (g_str_has_prefix (*pin, DETOUR_MESH_PIN_CERT))
        {
          g_string_append_printf (certs, "%s%s", certs->len > 0 ? ";" : "", *pin);
          continue;
        }
      if (detour_key_parse (&self->server_key, *pin, DETOUR_MESH_PIN_KEY))
        self->peer.server_key = self->server_key.bytes;
    }
  self->peer.pin = certs->len > 0 ? g_strdup (certs->str) : NULL;
}

DetourMeshPeerGroup *
detour_mesh_peer_group_new (const char *name, DetourSettings *settings)
{
  DetourMeshPeerGroup *self = g_new0 (DetourMeshPeerGroup, 1);
  DetourMeshPeer *peer = &self->peer;

  self->settings = settings;
  detour_settings_fill (settings, &self->options);
  if (self->options.host != NULL)
    self->host = mesh_peer_read_target (self->options.host);
  if (self->options.address != NULL)
    self->address = mesh_peer_read_target (self->options.address);
  peer->name = g_strdup (name);
  peer->host = self->host.host;
  peer->host_port = self->options.port != 0 ? self->options.port
                  : self->host.port != 0    ? self->host.port
                                            : DETOUR_MESH_PORT;
  peer->address = self->address.host != NULL ? self->address.host : self->host.host;
  peer->port = self->address.port != 0 ? self->address.port : peer->host_port;
  peer->ca_file = self->options.ca_file;
  mesh_peer_read_pins (self);
  return self;
}

void
detour_mesh_peer_group_free (gpointer data)
{
  DetourMeshPeerGroup *self = data;

  g_free (self->host.host);
  g_free (self->address.host);
  g_free ((char *) self->peer.name);
  g_free ((char *) self->peer.pin);
  detour_settings_unref (self->settings);
  g_free (self);
}

GPtrArray *
detour_mesh_peers (const GPtrArray *groups)
{
  GPtrArray *peers = g_ptr_array_new ();

  for (guint i = 0; i < groups->len; i++)
    g_ptr_array_add (peers, &((DetourMeshPeerGroup *) groups->pdata[i])->peer);
  return peers;
}
