/* cert-advice.h: what clients will not like about a certificate that can be served.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "cert-pair.h"

G_BEGIN_DECLS

/**
 * cert_advice_list:
 * @cert: what is served
 * @notes: what its files showed
 * @now_s: Unix time
 *
 * Pure.
 *
 * Returns: (array zero-terminated=1): one clause for each fault, the worst first, each with what it
 *   means and what to do; free with g_strfreev().
 */
char **cert_advice_list (const DetourCert *cert, const CertPairNotes *notes, gint64 now_s);

/* @hostname is among the names of @cert, as TLS compares names: `*.` stands for one label. */
gboolean cert_advice_is_for (const DetourCert *cert, const char *hostname);

/* "2026-11-28"; free with g_free(). */
char *cert_advice_date (gint64 unix_s);

G_END_DECLS
