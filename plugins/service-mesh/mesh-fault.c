/* mesh-fault.c: why there is no link to a peer, and what helps.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mesh-fault.h"

#include <gio/gio.h>

/* The other servers of a region wait for 5 s after an attempt that may take 10 s, and so try every
 * 5 to 15 s as long as a peer is away. This relay is not slower than that, or a region would heal
 * later because of it, and not faster, as nobody would gain by it. */
#define WAIT_US      (5 * G_USEC_PER_SEC)
#define WAIT_MORE_US (G_USEC_PER_SEC * 5 / 2)
#define WAIT_MAX_US  (10 * G_USEC_PER_SEC)
/* Of a wait, to both sides: those who lost the same peer at the same moment do not come back to it
 * at the same moment. */
#define JITTER 0.2

static const char check_mesh_key
    [] = "check that the mesh key there is the same as here: [service mesh] key-file on a Detour, "
         "-mesh-psk-file of a derper";

MeshFault
mesh_fault_of_dial (const GError *error, DetourLinkFault *cause)
{
  *cause = DETOUR_LINK_FAULT_OTHER;
  if (error->domain != G_IO_ERROR)
    return MESH_FAULT_LINK;
  switch (error->code)
    {
    case G_IO_ERROR_NOT_SUPPORTED:
      return MESH_FAULT_DIALER;
    case G_IO_ERROR_CONNECTION_REFUSED:
      *cause = DETOUR_LINK_FAULT_REFUSED;
      return MESH_FAULT_LINK;
    case G_IO_ERROR_HOST_UNREACHABLE:
    case G_IO_ERROR_NETWORK_UNREACHABLE:
      *cause = DETOUR_LINK_FAULT_UNREACHABLE;
      return MESH_FAULT_LINK;
    default:
      return MESH_FAULT_LINK;
    }
}

DetourMeshState
mesh_fault_state (MeshFault fault, DetourLinkFault cause)
{
  return fault == MESH_FAULT_LOGIN
              || (fault == MESH_FAULT_LINK && cause == DETOUR_LINK_FAULT_NOT_ADMITTED)
           ? DETOUR_MESH_REFUSED
           : DETOUR_MESH_WAITING;
}

static const char *
mesh_fault_remedy_of_link (DetourLinkFault cause)
{
  switch (cause)
    {
    case DETOUR_LINK_FAULT_NOT_ADMITTED:
      return check_mesh_key;
    case DETOUR_LINK_FAULT_UNTRUSTED:
      return "check `host`, `pin` and `ca-file` of the peer against the certificate that it shows "
             "now; a self-signed one needs a pin, and has another one once it is renewed";
    case DETOUR_LINK_FAULT_OTHER_KEY:
      return "the server there has another key than `pin` says: check that `host` and `address` "
             "lead to the right one, or write its new key";
    case DETOUR_LINK_FAULT_NOT_DERP:
      return "check that `host` and its port lead to a relay, and not to a web server before it";
    case DETOUR_LINK_FAULT_REFUSED:
      return "check that the relay there runs, and its port";
    case DETOUR_LINK_FAULT_SILENT:
      return "check that the host runs, and that no firewall is in between";
    case DETOUR_LINK_FAULT_UNREACHABLE:
      return "check the network of this host, and the route to that address";
    case DETOUR_LINK_FAULT_SELF:
    case DETOUR_LINK_FAULT_ENDED_HERE:
    case DETOUR_LINK_FAULT_OTHER:
    default:
      return NULL;
    }
}

const char *
mesh_fault_remedy (MeshFault fault, DetourLinkFault cause)
{
  switch (fault)
    {
    case MESH_FAULT_LOOKUP:
      return "check the name in `host`, and the resolver of this host; `address` says where it is "
             "without asking";
    case MESH_FAULT_DIALER:
      return "a [transport NAME] with plugin=tls has to run here, since it is what dials";
    case MESH_FAULT_LOGIN:
      return check_mesh_key;
    case MESH_FAULT_LINK:
    case MESH_FAULT_LOST:
      return mesh_fault_remedy_of_link (cause);
    default:
      return NULL;
    }
}

gint64
mesh_fault_wait_us (guint n, double random)
{
  gint64 wait_us = MIN (WAIT_US + WAIT_MORE_US * (gint64) (MIN (n, 10u) - 1), WAIT_MAX_US);

  return (gint64) ((double) wait_us * (1 - JITTER + 2 * JITTER * random));
}
