/* acme-dns-server.c: the address of a name server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-dns-server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#define DNS_PORT 53

void
acme_dns_server_free (AcmeDnsServer *self)
{
  g_free (self->text);
  g_free (self);
}

AcmeDnsServer *
acme_dns_server_new (const char *text)
{
  g_autofree char *host = g_strdup (text);
  struct sockaddr_in v4 = { .sin_family = AF_INET };
  struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
  guint64 port = DNS_PORT;
  char *colon = strrchr (host, ':');
  AcmeDnsServer *self;

  /* A colon is before a port behind brackets, and where it is the only one. */
  if (colon != NULL && ((colon > host && colon[-1] == ']') || strchr (host, ':') == colon))
    {
      *colon = '\0';
      if (!g_ascii_string_to_unsigned (colon + 1, 10, 1, G_MAXUINT16, &port, NULL))
        return NULL;
    }
  if (host[0] == '[' && host[strlen (host) - 1] == ']')
    {
      memmove (host, host + 1, strlen (host));
      host[strlen (host) - 1] = '\0';
    }
  self = g_new0 (AcmeDnsServer, 1);
  self->text = g_strdup (text);
  if (inet_pton (AF_INET, host, &v4.sin_addr) == 1)
    {
      v4.sin_port = htons ((guint16) port);
      memcpy (&self->address, &v4, sizeof v4);
      self->address_len = sizeof v4;
    }
  else if (inet_pton (AF_INET6, host, &v6.sin6_addr) == 1)
    {
      v6.sin6_port = htons ((guint16) port);
      memcpy (&self->address, &v6, sizeof v6);
      self->address_len = sizeof v6;
    }
  else
    g_clear_pointer (&self, acme_dns_server_free);
  return self;
}
