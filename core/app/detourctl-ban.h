/* detourctl-ban.h: what is banned and how, as a command line has it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Targets of one call: the daemon takes messages of 64 KiB. */
#define DETOURCTL_BAN_TARGETS 500u

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

/* Digits without anything else are the first ones of a key. */
gboolean detourctl_ban_is_key (const char *text);

/* FALSE after a message: it is no network, or a larger one than may be banned without --force. */
gboolean detourctl_ban_check_network (const char *text);

G_END_DECLS
