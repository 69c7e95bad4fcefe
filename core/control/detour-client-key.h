/* detour-client-key.h: a key as an operator writes it, whole or its first digits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-scan.h"

G_BEGIN_DECLS

/**
 * detour_client_key_parse:
 * @text: "nodekey:" and digits, or digits alone; four to 64 of them
 *
 * Pure.
 */
gboolean detour_client_key_parse (const char *text, DetourScanFilter *filter, GError **error);

/* The keys that begin so and were refused lately. Returns: how many different ones there are, and
 * the latest in @out. */
guint detour_client_key_find_refused (const DetourScanFilter *filter, DetourKey *out);

G_END_DECLS
