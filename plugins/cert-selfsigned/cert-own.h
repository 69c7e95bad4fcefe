/* cert-own.h: a certificate that signs itself, made here, written to two files and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Why the certificate of the last run is not used again. */
typedef enum {
  CERT_OWN_KEPT,    /* it is */
  CERT_OWN_NONE,    /* there was none */
  CERT_OWN_DAMAGED, /* the files do not hold a certificate with its key */
  CERT_OWN_RENAMED, /* it is for other names */
  CERT_OWN_ENDING,  /* it is used up: a tenth of its time is left, or it is not valid yet */
} CertOwnWhy;

/**
 * cert_own_check_name:
 *
 * Returns: FALSE with @error set when @name is neither a DNS name (`*.` allowed in front) nor an
 * address.
 */
gboolean cert_own_check_name (const char *name, GError **error);

/**
 * cert_own_obtain:
 * @stem: path of the files without `.crt` and `.key`
 * @names: (array zero-terminated=1): DNS names and addresses, at least one, each checked
 * @days: validity in days from @now_s
 * @why: (out): why there is a new one
 *
 * The certificate in the files, if it may be used again, else a new one that is written there:
 * P-256, mode 0600.
 *
 * Returns: (transfer full): or NULL with @error set: the files cannot be read or written.
 */
DetourCert *cert_own_obtain (const char *stem, const char *const *names, guint days, gint64 now_s,
                             CertOwnWhy *why, GError **error);

/* SHA-256 of the leaf's DER in lower-case hex; free with g_free(). */
char *cert_own_pin (const DetourCert *cert);

G_END_DECLS
