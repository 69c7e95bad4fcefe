/* debug-format.h: numbers and times as people read them.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All give a text to be freed with g_free(). */
#pragma once

#include "page-words.h"

G_BEGIN_DECLS

char *debug_format_count (guint64 n);      /* 1234567 -> "1 234 567" */
char *debug_format_bytes (double n);       /* "1.2 MiB" */
char *debug_format_rate (double bytes);    /* "12 Mbit/s" of bytes a second */
char *debug_format_per_second (double n);  /* "3.5/s" */
char *debug_format_date (guint64 real_us); /* UTC; 0: "" */
char *debug_format_span (const PageLanguage *language, gint64 us); /* "3 days", "5 min" */

G_END_DECLS
