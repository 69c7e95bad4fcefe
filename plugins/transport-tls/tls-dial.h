/* tls-dial.h: how the server at the other end of a link is known.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tls-credentials.h"

G_BEGIN_DECLS

/* Main thread to begin with, then the thread of the link. */
typedef struct {
  char *host;
  char *pin;                            /* NULL: it is verified by its chain */
  gnutls_certificate_credentials_t own; /* NULL: those that all links of the listener share */
} TlsDial;

/**
 * tls_dial_init:
 * @credentials: of the listener that dials
 * @pin, @ca_file: (nullable): as in DetourDialer
 *
 * Makes @session ready to be the client; @self has to live as long as it, at the same place.
 * Returns: FALSE with @error set; tls_dial_clear() is needed all the same.
 */
gboolean tls_dial_init (TlsDial *self, TlsCredentials *credentials, gnutls_session_t session,
                        const char *host, const char *pin, const char *ca_file, GError **error);
/* The session is gone. */
void tls_dial_clear (TlsDial *self);

G_END_DECLS
