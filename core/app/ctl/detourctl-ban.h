/* detourctl-ban.h: what is banned and how, as a command line has it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* For the options of a command that bans. */
extern char *detourctl_ban_duration, *detourctl_ban_reason;
extern gboolean detourctl_ban_force;
#define DETOURCTL_BAN_OPTIONS                                                                    \
  { "for",                                                                                       \
    0,                                                                                           \
    0,                                                                                           \
    G_OPTION_ARG_STRING,                                                                         \
    &detourctl_ban_duration,                                                                     \
    N_ ("End the ban after TIME, as in 30m, 12h or 7d; otherwise it lasts until it is lifted"),  \
    N_ ("TIME") },                                                                               \
      { "reason",                                                                                \
        0,                                                                                       \
        0,                                                                                       \
        G_OPTION_ARG_STRING,                                                                     \
        &detourctl_ban_reason,                                                                   \
        N_ ("A line for the log and for the list"),                                              \
        N_ ("TEXT") },                                                                           \
  {                                                                                              \
    "force", 0, 0, G_OPTION_ARG_NONE, &detourctl_ban_force, N_ ("Ban very large networks, too"), \
        NULL                                                                                     \
  }

/* The options as Ban() takes them, a{sv}, not floating; NULL after a message. @for_us: 0: until it
 * is lifted */
GVariant *detourctl_ban_wishes (guint64 *for_us);

/* The whole key that begins with @text; NULL after a message. */
typedef char *(*DetourctlKeyFunc) (gpointer user, const char *text, DetourctlExit *exit);

/* The key in @text as the daemon takes it. @find is asked for the rest of one that is written in
 * part. NULL after a message. */
char *detourctl_ban_whole_key (const char *text, DetourctlKeyFunc find, gpointer user,
                               DetourctlExit *exit);

/* (nullable): of char *, keys and networks as the daemon takes them; NULL after a message. All or
 * none: a network that the daemon would refuse is refused here. @key: gives the whole key */
GPtrArray *detourctl_ban_targets (char **arguments, DetourctlKeyFunc key, gpointer user,
                                  DetourctlExit *exit);

/* What ListBans() takes for the next one, floating. */
GVariant *detourctl_ban_about_wishes (const char *const *about);
/* The bans on one of these keys, whole or in part, or on a network with one of these addresses:
 * aa{sv}. NULL after a message. */
GVariant *detourctl_ban_about (Detourctl *self, const char *const *about, DetourctlExit *exit);

/* Targets of one call: the daemon takes messages of 64 KiB. */
#define DETOURCTL_BAN_TARGETS 500u

/* A call of the Manager, whose answer is of the type @reply; NULL: it failed. */
typedef GVariant *(*DetourctlBanCall) (gpointer user, const char *method, GVariant *arguments,
                                       const char *reply);

/* Bans @targets, or lifts their bans when @wishes is NULL, in as many calls as they need. Adds the
 * connections that were closed to @closed. FALSE: a call failed. */
gboolean detourctl_ban_send (const char *const *targets, guint n, GVariant *wishes,
                             DetourctlBanCall call, gpointer user, guint *closed);

G_END_DECLS
