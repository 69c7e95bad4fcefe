/* detour-close.h: why a connection ends: one list gives the counter, the text of the log and the
 * goodbye.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  DETOUR_CLOSE_PEER,           /* the peer ended it in an orderly way */
  DETOUR_CLOSE_RESET,          /* reset, or the network lost it */
  DETOUR_CLOSE_RECORD,         /* broke the rules of the record layer */
  DETOUR_CLOSE_PROXY,          /* no proxy that is trusted, or no acceptable PROXY header */
  DETOUR_CLOSE_HANDSHAKE,      /* the handshake of the record layer failed */
  DETOUR_CLOSE_HANDSHAKE_TIME, /* handshake and head took too long */
  DETOUR_CLOSE_LIMIT,  /* gave its place to others, or found none, where too many come at once */
  DETOUR_CLOSE_HEAD,   /* no HTTP head, answered with an error */
  DETOUR_CLOSE_SERVED, /* an HTTP answer was given */
  DETOUR_CLOSE_LOGIN,  /* the ClientInfo does not hold */
  DETOUR_CLOSE_LOGIN_TIME, /* the login took too long */
  DETOUR_CLOSE_REFUSED,    /* not admitted */
  DETOUR_CLOSE_FRAME,      /* a frame of a wrong length */
  DETOUR_CLOSE_FORBIDDEN,  /* a frame that needs the mesh key */
  DETOUR_CLOSE_WRITE_TIME, /* took nothing for the write timeout */
  DETOUR_CLOSE_BLACK_HOLE, /* was silent, then neither acknowledged nor answered anything */
  DETOUR_CLOSE_SILENT,     /* a link: the other relay said nothing for two minutes */
  DETOUR_CLOSE_WRITE,      /* writing failed */
  DETOUR_CLOSE_BACKLOG,    /* control frames piled up */
  DETOUR_CLOSE_KICKED,     /* by the operator, or by a mesh peer */
  DETOUR_CLOSE_REVOKED,    /* was admitted once, is not any more */
  DETOUR_CLOSE_MESH_KEY,   /* the mesh key that it showed is not in force any more */
  DETOUR_CLOSE_QUOTA,      /* the quota of its class, its tenant or the relay is used up */
  DETOUR_CLOSE_DRAINING,   /* the relay is taken out of service */
  DETOUR_CLOSE_STOPPING,   /* the daemon stops */
  DETOUR_N_CLOSES,
} DetourClose;

/* Word for counters and fields, "write_timeout". Static. */
const char *detour_close_name (DetourClose self);
/* A clause for people, "took nothing for the write timeout". Static. */
const char *detour_close_text (DetourClose self);
/* What scanners do all day: counted, and logged for debugging only. */
gboolean detour_close_is_noise (DetourClose self);

G_END_DECLS
