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
  { "acme-eab-key", "[cert main] eab-key-file, of plugin = acme" },
  { "acme-eab-kid", "[cert main] eab-kid, of plugin = acme" },
  { "acme-email", "[cert main] email, of plugin = acme" },
  { "acme-ip-certs", "[cert main] names, of plugin = acme, which may be addresses" },
  { "bootstrap-dns-names", "[http bootstrap-dns] names" },
  { "ace", "a group [http ace]" },
  { "c", "[core] key-file" },
  { "certdir", "[cert main] plugin = file, directory = DIRECTORY" },
  { "certmode", "a group [cert main]: plugin = acme for letsencrypt and gcp, plugin = file with "
                "directory for manual" },
  { "derp", "derp = false in the [transport NAME] group of plugin http" },
  { "dev", "the option detourd --dev" },
  { "disallow-app-names", "[admission] disallow-app-names" },
  { "home", "[http home] page" },
  { "hostname", "[core] hostname" },
  { "http-port", "[transport http] listen = [::]:PORT" },
  { "mesh-psk-file", "[service mesh] key-file" },
  { "mesh-with", "a [peer NAME] for each server" },
  { "rate-config", "[limits] rate-config-file" },
  { "secrets-cache-dir", "[service mesh] key-file; setec is not asked" },
  { "secrets-path-prefix", "[service mesh] key-file; setec is not asked" },
  { "secrets-url", "[service mesh] key-file; setec is not asked" },
  { "socket", "[auth tailscaled] socket" },
  { "stun", "[service stun], with enabled = false for none" },
  { "stun-port", "[service stun] listen = [::]:PORT" },
  { "tcp-keepalive-time", "[limits] tcp-keep-alive" },
  { "tcp-user-timeout", "[limits] tcp-user-timeout" },
  { "tcp-write-timeout", "[limits] write-timeout" },
  { "unpublished-bootstrap-dns-names", "[http bootstrap-dns] unpublished-names" },
  { "verify-client-url", "[admission] chain = url and [auth url] url" },
  { "verify-client-url-fail-open", "[auth url] unavailable = allow; for false grace or deny" },
  { "verify-clients", "[admission] chain = tailscaled" },
  { "version", "the option detourd --version" },
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
