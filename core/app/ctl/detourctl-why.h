/* detourctl-why.h: verdicts in words.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* @row: of Why(). The first is not freed, the second with g_free(). */
const char *detourctl_why_verdict_word (GVariant *row);
char *detourctl_why_verdict_notes (GVariant *row);

G_END_DECLS
