/* detour-link-record.h: what a link is known by, written down for another program, and read back.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-link-tie.h"
#include "detour-record.h"

G_BEGIN_DECLS

/* @keys: (nullable): of DetourKey, that are behind it; @preferred: (nullable): those of them that
 * are behind others too, and whose packets it gets */
void detour_link_record_write (DetourRecord *out, guint16 tag, const DetourLinkTie *tie,
                               const GArray *keys, const GArray *preferred);
/* Without the key of the other relay. *@keys and *@preferred are NULL before and, when there are
 * none, after. NULL: the record is damaged, or of a newer program. */
DetourLinkTie *detour_link_record_read (const DetourRecordItem *item, GArray **keys,
                                        GArray **preferred);
/* "" when it has none. */
char *detour_link_record_dup_name (const DetourRecordItem *item);

G_END_DECLS
