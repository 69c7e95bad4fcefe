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
  guint n_min, n_max; /* arguments it takes */
};

/* Tables of commands, each ends with { NULL }. */
extern const DetourctlCommand detourctl_status_commands[];
extern const DetourctlCommand detourctl_plugins_commands[];
extern const DetourctlCommand detourctl_listeners_commands[];
extern const DetourctlCommand detourctl_clients_commands[];
extern const DetourctlCommand detourctl_config_commands[];
extern const DetourctlCommand detourctl_daemon_commands[];
extern const DetourctlCommand detourctl_derpmap_commands[];
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

/* All properties of the Manager: a{sv}. */
GVariant *detourctl_manager (Detourctl *self, DetourctlExit *exit);
/* All objects: a{oa{sa{sv}}}. */
GVariant *detourctl_objects (Detourctl *self, DetourctlExit *exit);

/* Calls @func for the properties of each object with @interface, "Plugin". */
typedef void (*DetourctlObjectFunc) (const char *path, GVariant *properties, gpointer user);
void detourctl_each_object (GVariant *objects, const char *interface, DetourctlObjectFunc func,
                            gpointer user);

/* Values of a dictionary a{sv}; nothing of that name and type gives "", 0 and FALSE. The text is
 * borrowed. */
const char *detourctl_text (GVariant *dict, const char *name);
guint64 detourctl_number (GVariant *dict, const char *name);
gboolean detourctl_flag (GVariant *dict, const char *name);

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
