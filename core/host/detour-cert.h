/* detour-cert.h: one certificate chain with its key; what core knows of it beyond detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

#define DETOUR_CERT_PIN_PREFIX "sha256-raw:"

/* The `CertName` by which a DERP map pins the leaf: the prefix and 64 hex digits; free with
 * g_free(). */
char *detour_cert_pin (const DetourCert *self);

G_END_DECLS
