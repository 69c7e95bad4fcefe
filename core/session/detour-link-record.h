/* detour-link-record.h: what a link is known by, written down for another program, and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-link-tie.h"
#include "detour-record.h"

G_BEGIN_DECLS

/* @keys: (nullable): of DetourKey, that are behind it */
void detour_link_record_write (DetourRecord *out, guint16 tag, const DetourLinkTie *tie,
                               const GArray *keys);
/* Without the key of the other relay. *@keys is NULL before and, when there are none, after. NULL:
 * the record is damaged, or of a newer program. */
DetourLinkTie *detour_link_record_read (const DetourRecordItem *item, GArray **keys);
/* "" when it has none. */
char *detour_link_record_dup_name (const DetourRecordItem *item);

G_END_DECLS
