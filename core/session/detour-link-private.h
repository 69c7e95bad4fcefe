/* detour-link-private.h: the inside of a link, for its parts.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything here is for the thread of the links. */
#pragma once

#include "detour-dial-login.h"
#include "detour-link.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_LINK_CONNECTING, /* nothing: the socket is not connected yet */
  DETOUR_LINK_RECORD,     /* bytes of the record layer's handshake */
  DETOUR_LINK_ANSWER,     /* the HTTP answer to the upgrade */
  DETOUR_LINK_KEY,        /* the frame ServerKey */
  DETOUR_LINK_INFO,       /* the frame ServerInfo */
  DETOUR_LINK_UP,         /* any frame */
  DETOUR_LINK_JOINING,    /* nothing: its connection goes to a worker */
  DETOUR_LINK_JOINED,     /* its connection is with a worker */
  DETOUR_LINK_DOWN,       /* nothing any more */
} DetourLinkState;

struct _DetourLink {
  DetourIo io;
  DetourTimer timer; /* until it is up */
  DetourLoop *loop;
  DetourLinkState state;
  DetourChannel channel;
  DetourLinkStart start; /* without what was taken or copied */
  char *host;
  DetourLinkTie *tie; /* of one that joins; NULL: it stays here. Not changed */
  guint8 mesh_key[DETOUR_KEY_SIZE];
  gboolean has_mesh_key;
  DetourKey server_key; /* that it has to have; zero: any */
  DetourDialLogin login;
  GByteArray *plain; /* opened, not used yet */
  GByteArray *out;   /* sealed, not sent yet */
};

/* The user is told, and the memory stays until the owner lets go. */
void detour_link_fail (DetourLink *self, DetourLinkFault fault, const char *reason);
void detour_link_release (DetourLoop *loop, gpointer data);

/* In detour-link-join.c. */

/* The login holds. FALSE: whatever came behind it is not for this thread. */
gboolean detour_link_begin_joining (DetourLink *self);
/* Everything goes to a worker, with the question who is connected there. */
void detour_link_join (DetourLink *self);

G_END_DECLS
