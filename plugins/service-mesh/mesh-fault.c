/* mesh-fault.c: why there is no link to a peer, and what helps.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "mesh-fault.h"

#include <string.h>

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
static const char check_network[] = "check the network of this host, and the route to that address";

DetourMeshState
mesh_fault_state (MeshFault fault, const char *reason)
{
  return fault == MESH_FAULT_LOGIN
              || (fault == MESH_FAULT_LINK && strcmp (reason, DETOUR_LINK_NOT_ADMITTED) == 0)
           ? DETOUR_MESH_REFUSED
           : DETOUR_MESH_WAITING;
}

/* Of words that are not core's, but those of the record layer and of the system, a part has to do;
 * the log is English. */
static const char *
mesh_fault_remedy_of_link (const char *reason)
{
  static const struct {
    const char *part; /* of the reason */
    const char *remedy;
  } known[] = {
    { DETOUR_LINK_NOT_ADMITTED, check_mesh_key },
    { "ertificate", "check `host`, `pin` and `ca-file` of the peer against the certificate that it "
                    "shows now; a self-signed one needs a pin, and has another one once it is "
                    "renewed" },
    { DETOUR_LINK_OTHER_KEY,
      "the server there has another key than `pin` says: check that `host` and "
      "`address` lead to the right one, or write its new key" },
    { DETOUR_LINK_NOT_DERP, "check that `host` and its port lead to a relay, and not to a web "
                            "server before it" },
    { "refused", "check that the relay there runs, and its port" },
    { DETOUR_LINK_SILENT, "check that the host runs, and that no firewall is in between" },
    { "unreachable", check_network },
    { "No route", check_network },
  };

  for (guint i = 0; i < G_N_ELEMENTS (known); i++)
    if (strstr (reason, known[i].part) != NULL)
      return known[i].remedy;
  return NULL;
}

const char *
mesh_fault_remedy (MeshFault fault, const char *reason)
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
      return mesh_fault_remedy_of_link (reason);
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
