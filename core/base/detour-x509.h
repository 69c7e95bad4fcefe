/* detour-x509.h: who a certificate is of and who signed it, read from its DER.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For people only: nothing is verified here, that is the work of the TLS library. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Names in DER, inside what was read. */
typedef struct {
  const guint8 *issuer, *subject;
  gsize issuer_len, subject_len; /* 0: an empty name */
} DetourX509;

/* FALSE: the bytes are no certificate, and @out is all 0. */
gboolean detour_x509_read (const guint8 *der, gsize len, DetourX509 *out);

/**
 * detour_x509_name_text:
 * @name: as detour_x509_read() gave it
 *
 * Returns: "Organisation (Common Name)", one of them, or "": one line of valid UTF-8, at most
 *   DETOUR_X509_TEXT_MAX characters; free with g_free().
 */
char *detour_x509_name_text (const guint8 *name, gsize len);
#define DETOUR_X509_TEXT_MAX 200u

G_END_DECLS
