/* detour-daemon-private.h: the inside of the running daemon, for its files.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-by-hand.h"
#include "detour-control.h"
#include "detour-event-file.h"
#include "detour-map-file.h"
#include "detour-upgrade.h"
#include "detour-watchdog.h"

G_BEGIN_DECLS

typedef struct {
  const DetourConfigSources *sources;
  DetourPlugins *plugins;
  DetourServerKey *key;
  DetourServer *server;
  DetourRoster *roster;
  DetourControl *control;  /* NULL before it is ready, and while it stops */
  DetourMapFile *map_file; /* the same */
  DetourWatchdog *watchdog;
  DetourDescriptors *descriptors; /* for the control socket and for reading files */
  GMainLoop *loop;
  DetourHandoverAbout about;
  DetourUpgrade *upgrade; /* NULL while it starts and stops */
  int store;              /* for a program that the service manager starts; -1: it has no store */
  int state_lock;         /* -1: none */
  gboolean is_leaving;
  gboolean ends_when_drained;
  DetourEventFile *events; /* NULL: there is none */
  gint64 begin_real_us;    /* when what was before was written down */
  DetourRecord memories;   /* of the program before, until there is time to read them */
  /* The last of them that were written down for the next program. */
  guint64 written_event, written_line;
} DetourDaemon;

/* "transport/https (:443), service/stun (listening on :3478)": what runs and can be reached. */
char *detour_daemon_describe_listeners (DetourDaemon *self);

/* In detour-daemon-base.c. NULL: the log says why. */
gboolean detour_daemon_make_state (const char *state, GError **error);
DetourServerKey *detour_daemon_open_key (const DetourConfig *config, const char *state);

/* In detour-daemon-carry.c. Of DetourUpgradeParts. */
void detour_daemon_write_down (gpointer user, DetourRecord *out);
void detour_daemon_write_rest (gpointer user, DetourRecord *out);
void detour_daemon_wait (gpointer user, gint64 for_us);
/* In the new program, before anything starts: what counts from the beginning on. */
void detour_daemon_expect (DetourDaemon *self, const DetourHandover *handover,
                           DetourByHand *by_hand);
/* When all runs: the rest. */
void detour_daemon_remember (DetourDaemon *self);
/* Of a program in another process: what it leaves; it goes on if this one declines, which ends
 * here; it has let go, of detour_server_take_over(); and its addresses are free. */
DetourHandover *detour_daemon_receive (DetourProgram *program);
void detour_daemon_decline (const DetourProgram *program, const char *why) G_GNUC_NORETURN;
gboolean detour_daemon_commit (gpointer user);
void detour_daemon_finish (DetourDaemon *self, DetourProgram *program);

/* In detour-daemon-drain.c; three are of DetourControlFuncs. */
void detour_daemon_drain (gpointer user, gint64 for_us, guint keep, gboolean ends);
gboolean detour_daemon_cancel_drain (gpointer user, GError **error);
gboolean detour_daemon_ends_when_drained (gpointer user);
/* SIGUSR1. */
gboolean detour_daemon_on_drain (gpointer data);
/* Goes on with what the program before had begun, if it had. */
void detour_daemon_drain_on (DetourDaemon *self, const DetourByHand *by_hand);

G_END_DECLS
