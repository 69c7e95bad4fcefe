/* acme-ari.h: the name by which a CA knows a certificate that it is asked about.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Of the client program and of the plugin: the one asks with it, the other orders a replacement. */
#pragma once

#include <glib.h>
#include <gnutls/x509.h>

G_BEGIN_DECLS

/* RFC 9773, section 4.1: base64url of the issuer's key id and of the serial number. NULL: the
 * certificate has no key id. Free with g_free(). */
char *acme_ari_id (gnutls_x509_crt_t crt);

G_END_DECLS
