/* acme-header.h: what a CA says in the headers of its answers.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ACME_URL_MAX 2048

/* Whether it is an absolute address with https, without user and fragment. */
gboolean acme_header_is_url (const char *url);

/* @target may be relative to @base. NULL: what comes out is no such address. */
char *acme_header_resolve (const char *base, const char *target);

/* Seconds from @now_s (Unix) on, of a Retry-After: a number, or a date of HTTP in any of its three
 * forms. 0: it is neither, or past. */
gint64 acme_header_retry_after (const char *value, gint64 now_s);

/* The same of words such as "… retry after 2026-11-29 10:00:00 UTC: see …". 0: they say no time. */
gint64 acme_header_retry_after_words (const char *words, gint64 now_s);

/* Adds the targets of one Link header that have that relation to @found, at most @max in all. */
void acme_header_add_links (const char *value, const char *base, const char *rel, GPtrArray *found,
                            guint max);

/* RFC 3339, with fractions and offsets. NULL: it is none. */
GDateTime *acme_header_parse_time (const char *text);

G_END_DECLS
