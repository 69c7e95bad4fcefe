/* detour-control.h: what an operator sees and changes in a running daemon: its objects on the
 * control socket and on a message bus.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-load.h"
#include "detour-descriptors.h"
#include "detour-server.h"

G_BEGIN_DECLS

typedef struct _DetourControl DetourControl; /* main thread */

typedef enum {
  DETOUR_RELOAD_DONE,
  DETOUR_RELOAD_PARTLY,  /* some instances could not take the new settings */
  DETOUR_RELOAD_REFUSED, /* the files are wrong; nothing was changed */
} DetourReload;

/* Functions of the main program that an operator can call. */
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
 * Serves on the socket and the bus that [core] names. A socket that cannot be made or a bus that is
 * not there gives a warning; the relay runs without it.
 */
DetourControl *detour_control_new (const DetourControlParts *parts);
/* To be called before the server stops. Runs the main context until every worker has answered. */
void detour_control_free (DetourControl *self);

/* Path of the control socket; NULL when there is none. */
const char *detour_control_socket (const DetourControl *self);

/* To be called when ready, draining or the configuration has changed. A
 * name on the bus that was refused is asked for again. */
void detour_control_changed (DetourControl *self);

G_END_DECLS
