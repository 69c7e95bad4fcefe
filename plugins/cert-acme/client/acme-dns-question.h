/* acme-dns-question.h: asks name servers: one of our choice, or those of the system.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-dns-reply.h"
#include "acme-dns-server.h"

G_BEGIN_DECLS

/* Asks one server for the TXT records of @name: over UDP, and over TCP when that does not do.
 * FALSE: there was no answer. */
gboolean acme_dns_question_ask (const AcmeDnsServer *server, const char *name, AcmeDnsReply *out)
    G_GNUC_WARN_UNUSED_RESULT;

/* The servers of the zone that @name is in, as the resolvers in @resolvers_file see it, in the form
 * of resolv.conf(5); NULL: the system's. May be empty. Of AcmeDnsServer. */
GPtrArray *acme_dns_question_find_servers (const char *name, const char *resolvers_file);

G_END_DECLS
