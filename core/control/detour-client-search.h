/* detour-client-search.h: which clients a text fits.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-scan.h"

G_BEGIN_DECLS

/* Takes those rows of a scan out of @rows in which @text does not occur: in the key, address,
 * label, class, tenant or application name, without regard to case. */
void detour_client_search (GPtrArray *rows, const char *text);

G_END_DECLS
