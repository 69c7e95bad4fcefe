/* detour-derper-flags.c: the keys of Detour that do what derper's flags do.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-derper-flags.h"

static const struct {
  const char *flag;
  const char *here;
} flags[] = {
  { "a", "[transport https] listen = ADDRESS" },
  { "accept-connection-burst", "[limits] accept-burst" },
  { "accept-connection-limit", "[limits] accept-rate" },
  { "bootstrap-dns-names", "not in this version" },
  { "ace", "not in this version" },
  { "c", "[core] key-file" },
  { "certdir", "[cert main] plugin = file, directory = DIRECTORY" },
  { "certmode", "a group [cert main]: plugin = file with directory for manual" },
  { "derp", "derp = false in the [transport NAME] group of plugin http" },
  { "dev", "the option detourd --dev" },
  { "disallow-app-names", "[admission] disallow-app-names" },
  { "home", "[http home] page" },
  { "hostname", "[core] hostname" },
  { "http-port", "[transport http] listen = [::]:PORT" },
  { "mesh-psk-file", "[service mesh] key-file" },
  { "mesh-with", "not in this version, which waits for other relays" },
  { "rate-config", "[limits] rate-config-file" },
  { "secrets-cache-dir", "[service mesh] key-file" },
  { "secrets-path-prefix", "[service mesh] key-file" },
  { "secrets-url", "[service mesh] key-file" },
  { "socket", "[auth tailscaled] socket" },
  { "stun", "[service stun], with enabled = false for none" },
  { "stun-port", "[service stun] listen = [::]:PORT" },
  { "tcp-keepalive-time", "[limits] tcp-keep-alive" },
  { "tcp-user-timeout", "[limits] tcp-user-timeout" },
  { "tcp-write-timeout", "[limits] write-timeout" },
  { "unpublished-bootstrap-dns-names", "not in this version" },
  { "verify-client-url", "not in this version; [admission] chain names what there is" },
  { "verify-client-url-fail-open", "not in this version; [admission] chain names what there is" },
  { "verify-clients", "[admission] chain = tailscaled" },
};

const char *
detour_derper_flag_here (const char *name)
{
  while (*name == '-')
    name++;
  for (guint i = 0; i < G_N_ELEMENTS (flags); i++)
    if (g_ascii_strcasecmp (flags[i].flag, name) == 0)
      return flags[i].here;
  return NULL;
}
