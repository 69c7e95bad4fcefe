/* detour-mesh-report.h: what an instance tells of the other servers of the region; the call for
 * plugins is in detour-plugin.h.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread, all of it. */
#pragma once

#include "detour-host-hooks.h"

G_BEGIN_DECLS

/* "waiting", "connecting", "up", "refused", "itself". */
const char *detour_mesh_state_name (DetourMeshState state);

/* What the instance reported last, of DetourMeshReport: never NULL. Borrowed until it reports again
 * or stops. */
const GPtrArray *detour_instance_mesh_reports (const DetourInstance *self);

/* Packets, bytes and drops of all links to the peer since the instance started; keys of the one
 * that is up. @report: one of the instance's */
void detour_instance_mesh_stats (DetourInstance *self, const DetourMeshReport *report,
                                 DetourLinkStats *stats);

/* The instance is about to hang up @link; what it did stays counted. */
void detour_instance_mesh_keep (DetourInstance *self, DetourLink *link);

G_END_DECLS
