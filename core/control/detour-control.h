/* detour-control.h: what an operator sees and changes in a running daemon: its objects on the
 * control socket and on a message bus.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-config-load.h"
#include "detour-descriptors.h"
#include "detour-record.h"
#include "detour-server.h"

G_BEGIN_DECLS

typedef struct _DetourControl DetourControl; /* main thread */

typedef enum {
  DETOUR_RELOAD_DONE,
  DETOUR_RELOAD_PARTLY,  /* some instances could not take the new settings */
  DETOUR_RELOAD_REFUSED, /* the files are wrong; nothing was changed */
} DetourReload;

/* How an upgrade went, or would go. */
typedef struct {
  guint64 n_attempts;     /* so far, with those that failed */
  const char *from, *to;  /* versions; NULL: unknown */
  guint64 n_kept, n_lost; /* clients that stayed connected, and others */
  guint64 n_links;        /* of the mesh, that stayed */
  gint64 paused_us;       /* in which no packet moved */
  gint64 real_us;         /* when it was; 0: never */
  const char *problem;    /* why it did not happen; NULL: it did, or could */
  const char *installed;  /* version that the next one would take; NULL: none */
} DetourControlUpgrade;

typedef void (*DetourControlUpgradeDone) (const DetourControlUpgrade *outcome, gpointer data);

/* Functions of the main program that an operator can call. */
typedef struct {
  /* Like SIGHUP. @problems: (out): one line each; never NULL. */
  DetourReload (*reload) (gpointer user, GStrv *problems);
  /* Takes the relay out of service, or does so otherwise. @for_us: negative: as the configuration
   * says; @keep: connections that may stay; @ends: the daemon ends with it */
  void (*drain) (gpointer user, gint64 for_us, guint keep, gboolean ends);
  /* Of a relay that drains. FALSE: something does not listen any more, see @error. */
  gboolean (*cancel_drain) (gpointer user, GError **error);
  gboolean (*ends_when_drained) (gpointer user);
  /* What objects show may be different; called in the middle of the change. */
  void (*changed) (gpointer user);
  /* (nullable): why the entry for DERP maps is not in its file. */
  const char *(*map_trouble) (gpointer user);
  /* As detour_upgrade_begin(): @done is called once, later or at once. */
  void (*upgrade) (gpointer user, const char *binary, const char *socket, gboolean check,
                   DetourControlUpgradeDone done, gpointer data);
  /* How the last one went, and what the next one would take. */
  void (*last_upgrade) (gpointer user, DetourControlUpgrade *out);
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
  gpointer user;                  /* of @funcs */
  gint64 start_us, start_real_us; /* of the relay, by both clocks; upgrades do not count */
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

/* What the object manager would say: a{oa{sa{sv}}}. Free with g_variant_unref(). */
GVariant *detour_control_objects (DetourControl *self);

/* One item: how the totals grew lately. */
void detour_control_write_history (const DetourControl *self, DetourRecord *out, guint16 tag);
/* Goes on with that of the program before. FALSE: it is damaged. */
gboolean detour_control_read_history (DetourControl *self, const DetourRecordItem *item);

/* Path of the control socket; NULL when there is none. */
const char *detour_control_socket (const DetourControl *self);

/* To be called when ready, draining or the configuration has changed. A
 * name on the bus that was refused is asked for again. */
void detour_control_changed (DetourControl *self);

G_END_DECLS
