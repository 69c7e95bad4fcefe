/* mesh-fault.h: why there is no link to a peer, and what helps.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Where an attempt ended. */
typedef enum {
  MESH_FAULT_LOOKUP, /* its name has no address */
  MESH_FAULT_DIALER, /* nothing here could dial */
  MESH_FAULT_LINK,   /* before the login was over */
  MESH_FAULT_LOGIN,  /* the link ended right behind the login */
  MESH_FAULT_LOST,   /* it had been up */
} MeshFault;

/* Of an attempt that did not get as far as a link. @error: of detour_host_dial(). Pure. */
MeshFault mesh_fault_of_dial (const GError *error, DetourLinkFault *cause);
/* The state that the peer is in then. @cause: of the link. Pure. */
DetourMeshState mesh_fault_state (MeshFault fault, DetourLinkFault cause);
/* What an operator should check; static; NULL: nothing in particular. Pure. */
const char *mesh_fault_remedy (MeshFault fault, DetourLinkFault cause);

/* How long to wait until the next attempt, in microseconds. @n: attempts in a row that failed, at
 * least 1; @random: 0 to 1. Pure. */
gint64 mesh_fault_wait_us (guint n, double random);

G_END_DECLS
