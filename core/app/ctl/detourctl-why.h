/* detourctl-why.h: verdicts and bans in words.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @row: of Why(). The first is not freed, the second with g_free(). */
const char *detourctl_why_verdict_word (GVariant *row);
char *detourctl_why_verdict_notes (GVariant *row);

/* Adds the addresses, without ports, that @rows have, aa{sv}, each once. */
void detourctl_why_note_addresses (GPtrArray *addresses, GVariant *rows);
/* Whether the ban, a{sv}, is on the key or on a network with one of its addresses. */
gboolean detourctl_why_is_kept_out (GVariant *ban, const char *key, const GPtrArray *addresses);
/* A sentence without a full stop about such a ban; free with g_free(). */
char *detourctl_why_describe_ban (GVariant *ban, const GPtrArray *addresses);

G_END_DECLS
