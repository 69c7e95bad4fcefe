/* detourctl.h: what the commands of detourctl share: the connection to the daemon, and how to
 * print.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Exit status. */
typedef enum {
  DETOURCTL_GOOD = 0,
  DETOURCTL_FAILED = 1,
  DETOURCTL_USAGE = 2,
  DETOURCTL_NO_DAEMON = 3,
  DETOURCTL_NO_ANSWER = 4, /* in time */
} DetourctlExit;

typedef struct {
  /* Options. */
  gboolean json;
  char *color;   /* "auto", "always", "never"; NULL: auto */
  char *bus;     /* "system", "session"; NULL: the socket */
  char *socket;  /* NULL: where it is found */
  char *timeout; /* a duration; NULL: the fallback */

  /* Derived from the options. */
  gboolean use_color;
  gboolean is_quiet;           /* it is no fault when there is no daemon, and is not said */
  guint width;                 /* columns of the terminal; 0: standard output is none */
  gint64 timeout_ms;           /* how long an answer may take; 0: for ever */
  GDBusConnection *connection; /* NULL before the first call */
} Detourctl;

typedef struct _DetourctlCommand DetourctlCommand;
struct _DetourctlCommand {
  const char *name;      /* "config dump" has two words */
  const char *arguments; /* "[ID…]"; translatable */
  const char *summary;   /* a clause without a full stop; translatable. NULL: not in --help, and its
                            words are its own */
  const char *details;   /* (nullable) for --help of the command; translatable */
  const GOptionEntry *options; /* (nullable) of the command */
  /* @arguments: what is left behind options, NULL-terminated. */
  DetourctlExit (*run) (Detourctl *self, char **arguments);
  guint n_min, n_max;    /* arguments it takes */
  gboolean takes_dashes; /* options end at the first argument; what follows may begin with `-` */
};

/* Tables of commands, each ends with { NULL }. */
extern const DetourctlCommand detourctl_status_commands[];
extern const DetourctlCommand detourctl_plugins_commands[];
extern const DetourctlCommand detourctl_listeners_commands[];
extern const DetourctlCommand detourctl_peers_commands[];
extern const DetourctlCommand detourctl_clients_commands[];
extern const DetourctlCommand detourctl_path_commands[];
extern const DetourctlCommand detourctl_ban_commands[];
extern const DetourctlCommand detourctl_top_commands[];
extern const DetourctlCommand detourctl_monitor_commands[];
extern const DetourctlCommand detourctl_log_commands[];
extern const DetourctlCommand detourctl_why_commands[];
extern const DetourctlCommand detourctl_metrics_commands[];
extern const DetourctlCommand detourctl_keys_commands[];
extern const DetourctlCommand detourctl_refused_commands[];
extern const DetourctlCommand detourctl_say_commands[];
extern const DetourctlCommand detourctl_drain_commands[];
extern const DetourctlCommand detourctl_certs_commands[];
extern const DetourctlCommand detourctl_config_commands[];
extern const DetourctlCommand detourctl_daemon_commands[];
extern const DetourctlCommand detourctl_upgrade_commands[];
extern const DetourctlCommand detourctl_derpmap_commands[];
extern const DetourctlCommand detourctl_derpmap_check_commands[];
extern const DetourctlCommand detourctl_derpmap_merge_commands[];
extern const DetourctlCommand detourctl_import_commands[];
extern const DetourctlCommand detourctl_setup_commands[];
extern const DetourctlCommand detourctl_doctor_commands[];
extern const DetourctlCommand detourctl_probe_commands[];
extern const DetourctlCommand detourctl_acme_commands[];
extern const DetourctlCommand detourctl_budgets_commands[];
extern const DetourctlCommand detourctl_fleet_commands[];
extern const DetourctlCommand detourctl_fleet_map_commands[];
extern const DetourctlCommand detourctl_fleet_publish_commands[];
extern const DetourctlCommand detourctl_fleet_upgrade_commands[];
extern const DetourctlCommand detourctl_fleet_stage_commands[];
extern const DetourctlCommand detourctl_fleet_probe_commands[];
extern const DetourctlCommand detourctl_fleet_bans_commands[];
extern const DetourctlCommand detourctl_fleet_why_commands[];
extern const DetourctlCommand detourctl_fleet_clients_commands[];
extern const DetourctlCommand detourctl_bridge_commands[];
extern const DetourctlCommand detourctl_complete_commands[];

/* All of them, in the order of --help. */
extern const DetourctlCommand *const detourctl_commands[];

/**
 * detourctl_call:
 * @path: below the root, "plugin/service_stun"; "" for the root itself
 * @interface: "Manager"; a name with a dot is taken as it is
 * @arguments: (nullable): floating
 * @reply: (nullable): type of the answer
 *
 * Asks the daemon, connecting first if need be. On failure it has told the user why and sets @exit.
 *
 * Returns: (nullable): the answer.
 */
GVariant *detourctl_call (Detourctl *self, const char *path, const char *interface,
                          const char *method, GVariant *arguments, const char *reply,
                          DetourctlExit *exit);

/* The same, but what went wrong with the call itself is left to the caller: NULL with @error set.
 * NULL without an error: there is no connection, and the user was told. */
GVariant *detourctl_try (Detourctl *self, const char *path, const char *interface,
                         const char *method, GVariant *arguments, const char *reply, GError **error,
                         DetourctlExit *exit);

/* All properties of the Manager: a{sv}. */
GVariant *detourctl_manager (Detourctl *self, DetourctlExit *exit);
/* All objects: a{oa{sa{sv}}}. */
GVariant *detourctl_objects (Detourctl *self, DetourctlExit *exit);

/* Calls @func for the properties of each object with @interface, "Plugin". */
typedef void (*DetourctlObjectFunc) (const char *path, GVariant *properties, gpointer user);
void detourctl_each_object (GVariant *objects, const char *interface, DetourctlObjectFunc func,
                            gpointer user);

/* Values of a dictionary a{sv}; nothing of that name and type gives "", 0 and FALSE, and so does no
 * dictionary. The text is borrowed. */
const char *detourctl_text (GVariant *dict, const char *name);
guint64 detourctl_number (GVariant *dict, const char *name);
gboolean detourctl_flag (GVariant *dict, const char *name);
/* Keys of clients that are connected, without other servers and probers. @manager: properties */
guint64 detourctl_n_clients (GVariant *manager);

/* A time in microseconds, out of such a number. Whatever a daemon says, it is from 0 to
 * DETOURCTL_MICROSECONDS_MAX, some 146,000 years: sums and differences of two do not overflow. */
#define DETOURCTL_MICROSECONDS_MAX ((guint64) G_MAXINT64 / 2)
gint64 detourctl_microseconds (GVariant *dict, const char *name);

/* In the pause of an upgrade the control socket is there and nobody listens at it, as behind a
 * daemon that was killed: so long, in microseconds, a command tries again, and so often. */
#define DETOURCTL_NOBODY_US (2 * G_USEC_PER_SEC)
#define DETOURCTL_RETRY_US  20000u

/* Of the control socket: of an option, a variable or an installed daemon; free with g_free(). */
char *detourctl_socket_path (const Detourctl *self);

/* Takes @fd, a connection to a daemon that is logged in: messages begin at once. NULL with @error.
 */
GDBusConnection *detourctl_wrap_descriptor (int fd, GError **error);

/* Reads --timeout into timeout_ms. FALSE: it has said what is wrong. */
gboolean detourctl_settle_timeout (Detourctl *self);

/* Prints "detourctl: …" on standard error. */
void detourctl_complain (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Control sequences around a text that stands out; "" where there is no colour. */
typedef enum {
  DETOURCTL_PLAIN,
  DETOURCTL_BOLD,
  DETOURCTL_FAINT,
  DETOURCTL_RED,
  DETOURCTL_YELLOW,
  DETOURCTL_GREEN,
} DetourctlStyle;
const char *detourctl_style (const Detourctl *self, DetourctlStyle style);

G_END_DECLS
