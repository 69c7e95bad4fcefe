/* acme-dns-server.h: the address of a name server.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Of the client program and of the plugin, which checks `dns-servers` by it. */
#pragma once

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

typedef struct {
  struct sockaddr_storage address;
  socklen_t address_len;
  char *text; /* "203.0.113.53", or with a port that is not 53 */
} AcmeDnsServer;

void acme_dns_server_free (AcmeDnsServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AcmeDnsServer, acme_dns_server_free)

/* "203.0.113.53", "[2001:db8::53]:5300", "fe80::1%eth0". NULL: it is none. */
AcmeDnsServer *acme_dns_server_new (const char *text);

/* The name servers in a file, which has the form of resolv.conf(5), at most @max; that of this host
 * if it names none. Of AcmeDnsServer. */
GPtrArray *acme_dns_server_list (const char *file, guint max);

G_END_DECLS
