/* detour-link.h: a connection that this relay made to another one, login included.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Links live on a thread of their own, which is there once the first of them is dialled. One that
 * joins leaves it once the login holds: its connection goes to a worker, and what is left here
 * tells the plugin of its end. What a plugin may do with one is in detour-plugin.h. */
#pragma once

#include <glib.h>

#include "detour-channel.h"
#include "detour-key.h"
#include "detour-loop.h"
#include "detour-link-tie.h"
#include "detour-partings.h"
#include "detour-session.h"

G_BEGIN_DECLS

/* The thread of the links. @partings: of those that ended; outlives the loop. */
DetourLoop *detour_link_loop_new (DetourPartings *partings, GError **error);
/* Ends it, if there is one; all links are gone. */
void detour_link_loop_clear (DetourLoop **loop);

/* Everything a link begins with. */
typedef struct {
  int fd;                /* whose connect() is under way; taken */
  DetourChannel channel; /* the client's end; taken */
  const char *host;      /* for the header Host; copied */
  const DetourKey *own;
  const guint8 *secret;         /* 32 bytes, the private half of @own; outlives the link */
  const guint8 *mesh_key;       /* (nullable): copied */
  const guint8 *server_key;     /* (nullable): copied */
  gint64 timeout_us;            /* up to the login */
  const DetourLinkFuncs *funcs; /* outlives the link */
  gpointer user;
  /* Takes the session of a link that joins; NULL: it stays here. Thread of the links. */
  void (*join) (gpointer user, DetourSession *session);
  gpointer join_user;
  const char *name; /* (nullable): of one that joins; copied */
} DetourLinkStart;

/* Main thread, as detour_link_free(). */
DetourLink *detour_link_new (DetourLoop *loop, const DetourLinkStart *start);
/* A link that a worker has; NULL: it has ended already. Main thread. */
DetourLink *detour_link_new_joined (DetourLoop *loop, DetourLinkTie *tie,
                                    const DetourLinkFuncs *funcs, gpointer user);
/* Main thread. */
void detour_link_read_stats (const DetourLink *self, DetourLinkStats *stats);
/* For detour_link_tie_end(), with its lock held. */
void detour_link_tell_over (DetourLinkTie *tie, DetourLinkFault fault, const char *reason);
/* Ends it. No function of its user runs any more when this returns, and none is told. */
void detour_link_free (DetourLink *self);

G_END_DECLS
