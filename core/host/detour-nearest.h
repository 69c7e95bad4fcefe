/* detour-nearest.h: finds the most similar word, for suggestions.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * detour_nearest:
 * @word: what was written
 * @candidates: (array zero-terminated=1): what would have been right
 *
 * Returns: (nullable): the candidate with the fewest slips between it and @word; NULL when even
 * that one has more than a third of its letters wrong.
 */
const char *detour_nearest (const char *word, const char *const *candidates);

/* The same for keys: a part of one, such as `rate`, means the first that ends with it, as in
 * receive-rate. */
const char *detour_nearest_key (const char *word, const char *const *candidates);

G_END_DECLS
