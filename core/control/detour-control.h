/* detour-control.h: the operator's way into a running daemon: its objects on the control socket
 * and on a message bus.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config.h"
#include "detour-descriptors.h"
#include "detour-server.h"

G_BEGIN_DECLS

typedef struct _DetourControl DetourControl; /* main thread */

typedef enum {
  DETOUR_RELOAD_DONE,
  DETOUR_RELOAD_PARTLY,  /* not everything could follow */
  DETOUR_RELOAD_REFUSED, /* the files are wrong; nothing was changed */
} DetourReload;

/* What the main program does for an operator. */
typedef struct {
  /* Like SIGHUP. @problems: (out): one line each; never NULL. */
  DetourReload (*reload) (gpointer user, GStrv *problems);
  gboolean (*is_draining) (gpointer user);
} DetourControlFuncs;

/* All is borrowed and outlives the control. */
typedef struct {
  DetourServer *server;
  DetourRoster *roster;
  DetourPlugins *plugins;
  const DetourServerKey *key;
  const DetourConfigSources *sources;
  DetourDescriptors *descriptors; /* lends one to the socket when there is none left */
  const DetourControlFuncs *funcs;
  gpointer user; /* of @funcs */
} DetourControlParts;

/**
 * detour_control_new:
 *
 * Serves on the socket and the bus that [core] names. What is not there, or cannot be made, costs a
 * warning and not the relay.
 */
DetourControl *detour_control_new (const DetourControlParts *parts);
/* Before the server stops. Runs the main context until no worker owes an answer. */
void detour_control_free (DetourControl *self);

/* Path of the control socket; NULL when there is none. */
const char *detour_control_socket (const DetourControl *self);

/* Something that only the main program knows has changed: ready, draining. */
void detour_control_changed (DetourControl *self);

G_END_DECLS
