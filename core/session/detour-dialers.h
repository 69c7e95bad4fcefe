/* detour-dialers.h: the ways in which this relay connects to another one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

#include "detour-link.h"

G_BEGIN_DECLS

/* Main thread. */
typedef struct _DetourDialers DetourDialers;

/* @own, @secret: (32 bytes): the keys of this relay; both outlive the object. */
DetourDialers *detour_dialers_new (const DetourKey *own, const guint8 *secret);
/* Who takes the sessions of links that join, on the thread of the links. */
void detour_dialers_set_join (DetourDialers *self,
                              void (*join) (gpointer user, DetourSession *session), gpointer user);
/* The thread of the links, which starts if it has not; NULL with @error set. */
DetourLoop *detour_dialers_loop (DetourDialers *self, GError **error);
/* No link is left. */
void detour_dialers_free (DetourDialers *self);

/* Several may have a name and a class of channels in common, and the first of them dials. NULL:
 * that name is of another class. What it gives is for detour_dialers_remove(). */
const DetourDialer *detour_dialers_add (DetourDialers *self, const DetourDialer *dialer);
void detour_dialers_remove (DetourDialers *self, const DetourDialer *dialer);

/* As detour_host_dial(); the first link starts the thread. Free with detour_link_free(). */
DetourLink *detour_dialers_dial (DetourDialers *self, const DetourDialSpec *spec,
                                 const DetourLinkFuncs *funcs, gpointer user, GError **error);

G_END_DECLS
