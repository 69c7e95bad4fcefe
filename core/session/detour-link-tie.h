/* detour-link-tie.h: what a link is known by while a worker has it.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plugin that dialled has a DetourLink on the thread of the links; the connection itself is
 * with a worker. Either may end first, so both hold this. */
#pragma once

#include "detour-loop.h"
#include "detour-plugin.h"
#include "detour-relay-link.h"

G_BEGIN_DECLS

typedef struct {
  DetourRelayLink relay; /* first: the connection's client leads here */
  gint n_refs;
  char *name;     /* of DetourDialSpec; NULL: none */
  gint is_joined; /* atomic: a worker has it */

  GMutex lock;      /* for all below */
  gpointer worker;  /* DetourWorker that has it; NULL: it is on its way, or over */
  DetourLoop *loop; /* of the links */
  DetourLink *link; /* is told of the end; NULL: nobody is */
  gboolean is_over;
  gboolean is_unwanted; /* nobody wants it any more: no worker takes it */
} DetourLinkTie;

/* @key: of the other relay; @name: (nullable) */
DetourLinkTie *detour_link_tie_new (const DetourKey *key, const char *name);
DetourLinkTie *detour_link_tie_ref (DetourLinkTie *self);
void detour_link_tie_unref (DetourLinkTie *self);

/* @link is told of the end from now on. FALSE: it is over already. Any thread. */
gboolean detour_link_tie_set_link (DetourLinkTie *self, DetourLoop *loop, DetourLink *link);
/* A worker has it, or NULL: it is on its way to another one. FALSE: nobody wants it. */
gboolean detour_link_tie_set_worker (DetourLinkTie *self, gpointer worker);
/* The connection is no more; @reason is for people, and static. Any thread. */
void detour_link_tie_end (DetourLinkTie *self, DetourLinkFault fault, const char *reason);

/* Nobody wants it: the worker that has it ends it, and none takes it. Any thread. */
void detour_link_tie_hang_up (DetourLinkTie *self);

void detour_link_tie_read (const DetourLinkTie *self, DetourLinkStats *stats);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourLinkTie, detour_link_tie_unref)

G_END_DECLS
