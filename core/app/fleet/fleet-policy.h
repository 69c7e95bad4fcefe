/* fleet-policy.h: puts the regions of a fleet into a policy of Tailscale's.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-map.h"

G_BEGIN_DECLS

/**
 * fleet_policy_apply:
 * @text: the policy, JSON with comments
 * @map: regions that are to be in it
 * @gone: (nullable): array of guint64: numbers of regions that are not to be in it
 *
 * Changes what differs and nothing else: other regions, members that a relay says nothing of, the
 * order of all, comments and commas stay. Pure.
 *
 * Returns: (transfer full): the new text; NULL with @error, which begins with the line where there
 * is one
 */
char *fleet_policy_apply (const char *text, gsize len, const DetourctlMap *map, const GArray *gone,
                          GError **error);

G_END_DECLS
