/* detour-link.h: a connection that this relay made to another one, login included.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Links live on a thread of their own, which is there once the first of them is dialled. What a
 * plugin may do with one is in detour-plugin.h. */
#pragma once

#include <glib.h>

#include "detour-channel.h"
#include "detour-key.h"
#include "detour-loop.h"

G_BEGIN_DECLS

/* The thread of the links. */
DetourLoop *detour_link_loop_new (GError **error);

/* Everything a link begins with. */
typedef struct {
  int fd;                /* whose connect() is under way; taken */
  DetourChannel channel; /* the client's end; taken */
  const char *host;      /* for the header Host; copied */
  const DetourKey *own;
  const guint8 *secret;         /* 32 bytes, the private half of @own; outlives the link */
  const guint8 *mesh_key;       /* (nullable): copied */
  gint64 timeout_us;            /* up to the login */
  const DetourLinkFuncs *funcs; /* outlives the link */
  gpointer user;
} DetourLinkStart;

/* Main thread, as detour_link_free(). */
DetourLink *detour_link_new (DetourLoop *loop, const DetourLinkStart *start);
/* Ends it. No function of its user runs any more when this returns, and none is told. */
void detour_link_free (DetourLink *self);

G_END_DECLS
