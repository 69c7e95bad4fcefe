/* acme-dns.h: waits until a record that was written is seen by the world.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-session.h"

G_BEGIN_DECLS

/**
 * acme_dns_wait:
 * @record: name of a TXT record
 * @value: that must be there, beside others
 * @servers: "IP:PORT"; empty: those of the zone that @record is in
 *
 * Waits until every name server that answers shows the value; aliases are followed. When none can
 * be asked from here, that is noted, and it is left to the CA.
 */
gboolean acme_dns_wait (AcmeSession *session, const char *record, const char *value,
                        const char *const *servers, AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
