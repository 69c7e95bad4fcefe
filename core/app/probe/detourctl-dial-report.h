/* detourctl-dial-report.h: reads what the program that speaks TLS says of a server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* One certificate that the server showed. Times are Unix seconds. */
typedef struct {
  char *subject, *issuer; /* as RFC 4514 writes them */
  char **names;           /* host names and addresses */
  char *sha256;           /* 64 hex digits, of the whole certificate */
  gint64 not_before, not_after;
  gboolean is_self_signed;
} DetourctlDialCert;

/* For whom it is, as people read it; free with g_free(). Pure. */
char *detourctl_dial_cert_names (const DetourctlDialCert *self);

/* What a handshake of TLS showed. */
typedef struct {
  char *error;   /* of the handshake; NULL: it went well */
  char *version; /* "TLS1.3" */
  char *trouble; /* why no authority vouches for the chain; NULL: one does */
  gint64 handshake_us;
  char *server_key; /* hex digits of the last certificate, which tells them; NULL: there is none */
  gboolean name_fits; /* the first certificate is for the name that was asked for */
  GPtrArray *certs;   /* of DetourctlDialCert; without the one of the server key */
} DetourctlDialTls;

/* @text: one JSON object. Pure. NULL with @error set when it is none. */
DetourctlDialTls *detourctl_dial_tls_parse (const char *text, GError **error);
void detourctl_dial_tls_free (DetourctlDialTls *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlDialTls, detourctl_dial_tls_free)

G_END_DECLS
