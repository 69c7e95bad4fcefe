/* detour-instance.h: one instance of a plugin and its life.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-holdings.h"
#include "detour-host-hooks.h"
#include "detour-verdict.h"

G_BEGIN_DECLS

typedef enum {
  DETOUR_INSTANCE_DISABLED, /* the configuration says so */
  DETOUR_INSTANCE_STARTING,
  DETOUR_INSTANCE_RUNNING,
  DETOUR_INSTANCE_FAILED,  /* see detour_instance_error() */
  DETOUR_INSTANCE_STOPPED, /* not started yet, or stopped while the daemon runs */
} DetourInstanceState;

/* All main thread. */
const char *detour_instance_id (const DetourInstance *self); /* "auth/friends" */
DetourKind detour_instance_kind (const DetourInstance *self);
const char *detour_instance_plugin_name (const DetourInstance *self); /* "auth-keys" */
const char *detour_instance_about (
    const DetourInstance *self); /* the plugin's own line; "" when it is not loaded */
DetourInstanceState detour_instance_state (const DetourInstance *self);
/* By the configuration. */
gboolean detour_instance_is_enabled (const DetourInstance *self);
const char *detour_instance_state_name (const DetourInstance *self); /* "running" */
gint64 detour_instance_since_us (
    const DetourInstance *self); /* real time of the last change of state */
const char *detour_instance_error (const DetourInstance *self); /* of FAILED; NULL otherwise */
DetourSettings *detour_instance_settings (const DetourInstance *self);
char *detour_instance_dup_summary (
    DetourInstance *self); /* (nullable); any thread; free with g_free() */
char *detour_instance_dup_trouble (
    DetourInstance *self); /* (nullable); any thread; free with g_free() */

/* Of an auth instance: a text that is the same as long as its verdicts come from the same source by
 * the same rules; NULL: its plugin is not there. */
char *detour_instance_dup_source (const DetourInstance *self);

/* TRUE when the fault is the module itself and not its start(): missing, of another interface,
 * broken. */
gboolean detour_instance_module_is_broken (const DetourInstance *self);

/* Where it listens with sockets of its own; empty when it does not. @protocol: (out) (nullable):
 * borrowed. */
const char *const *detour_instance_sockets (const DetourInstance *self, const char **protocol);

/* Counters and gauges of the plugin. Any thread; @func must not call back. */
void detour_instance_foreach_metric (DetourInstance *self, DetourMetricFunc func, gpointer user);

/* At run time, whatever the configuration says. Starting one that runs and stopping one that does
 * not are no errors. A restart keeps the certificates that were published until the new run
 * publishes its own. */
gboolean detour_instance_start (DetourInstance *self, GError **error);
void detour_instance_stop (DetourInstance *self);
gboolean detour_instance_restart (DetourInstance *self, GError **error);

/* Puts what the instance was given among its holdings, for hooks: core takes it back, the newest
 * first, when the run ends or its start fails. Calls of the plugin are over only then. */
void detour_instance_hold (DetourInstance *self, DetourHoldMode mode, DetourHoldingFunc release,
                           gpointer owner, gpointer thing);
/* Takes it back early. FALSE: it is not held, and nothing happened. */
gboolean detour_instance_let_go (DetourInstance *self, DetourHoldingFunc release, gpointer owner,
                                 gpointer thing);

/**
 * detour_instance_verify:
 * @self: of kind auth
 *
 * Asks the plugin. @done is called exactly once on the main thread, from its loop or from
 * detour_instance_stop(), never from inside this call. An instance that does not run, or stops
 * before it answered, answers UNAVAILABLE.
 */
void detour_instance_verify (DetourInstance *self, DetourAuthRequest *request,
                             DetourVerdictFunc done, gpointer data);

G_END_DECLS
