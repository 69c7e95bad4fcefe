/* detourctl-import.h: how derper was started, and the configuration that does the same.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Longer texts are refused, also those that variables make longer. */
#define DETOURCTL_IMPORT_BYTES_MAX (1u << 20)

#define DETOURCTL_IMPORT_ERROR (detourctl_import_error_quark ())
GQuark detourctl_import_error_quark (void);

/* ---- detourctl-import-words.c ------------------------------------------------------------------
 */

typedef enum {
  DETOURCTL_WORDS_SHELL,   /* as sh reads a simple command */
  DETOURCTL_WORDS_QUOTES,  /* likewise, but a dollar is a character as any other */
  DETOURCTL_WORDS_SYSTEMD, /* as ExecStart= of a unit */
  DETOURCTL_WORDS_SETTING, /* as Environment= of a unit, where a dollar is nothing else */
} DetourctlWordsKind;

/**
 * detourctl_import_split:
 * @environment: (nullable): of char * and char *; what it does not have is looked for in the
 * environment of this process
 *
 * Splits a command line into words, with quotes taken away and variables replaced.
 *
 * Returns: (nullable): NULL-terminated; free with g_strfreev(); NULL with @error
 */
GStrv detourctl_import_split (const char *text, DetourctlWordsKind kind, GHashTable *environment,
                              GError **error);

/* Replaces ${NAME}, ${NAME:-fallback}, $NAME and $$ of compose files. Free with g_free(); NULL with
 * @error. */
char *detourctl_import_interpolate (const char *text, GError **error);

/* ---- detourctl-import-source.c -----------------------------------------------------------------
 */

typedef struct {
  const char *kind; /* "command line", "systemd unit", "compose file", "Dockerfile", "script" */
  GStrv words;      /* arguments of derper */
  GPtrArray *notes; /* of char *: sentences for the head of the configuration */
} DetourctlImportSource;

/* From the content of a file, or a command line. NULL with @error. */
DetourctlImportSource *detourctl_import_source_from_file (const char *text, GError **error);
DetourctlImportSource *detourctl_import_source_from_line (const char *text, GError **error);
/* From words that a shell has split already. */
DetourctlImportSource *detourctl_import_source_from_words (const char *const *words,
                                                           GError **error);
void detourctl_import_source_free (DetourctlImportSource *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlImportSource, detourctl_import_source_free)

/* The arguments of derper among @words, or in a command that they give to `sh -c`; NULL with
 * @error. */
GStrv detourctl_import_find_flags (const char *const *words, GHashTable *environment,
                                   GError **error);

/* ---- detourctl-import-flags.c ------------------------------------------------------------------
 */

/* All flags of derper, in the order of its usage text. */
typedef enum {
  DERPER_A,
  DERPER_ACCEPT_CONNECTION_BURST,
  DERPER_ACCEPT_CONNECTION_LIMIT,
  DERPER_ACE,
  DERPER_ACME_EAB_KEY,
  DERPER_ACME_EAB_KID,
  DERPER_ACME_EMAIL,
  DERPER_ACME_IP_CERTS,
  DERPER_BOOTSTRAP_DNS_NAMES,
  DERPER_C,
  DERPER_CERTDIR,
  DERPER_CERTMODE,
  DERPER_DERP,
  DERPER_DEV,
  DERPER_DISALLOW_APP_NAMES,
  DERPER_HOME,
  DERPER_HOSTNAME,
  DERPER_HTTP_PORT,
  DERPER_MESH_PSK_FILE,
  DERPER_MESH_WITH,
  DERPER_RATE_CONFIG,
  DERPER_SECRETS_CACHE_DIR,
  DERPER_SECRETS_PATH_PREFIX,
  DERPER_SECRETS_URL,
  DERPER_SOCKET,
  DERPER_STUN,
  DERPER_STUN_PORT,
  DERPER_TCP_KEEPALIVE_TIME,
  DERPER_TCP_USER_TIMEOUT,
  DERPER_TCP_WRITE_TIMEOUT,
  DERPER_UNPUBLISHED_BOOTSTRAP_DNS_NAMES,
  DERPER_VERIFY_CLIENT_URL,
  DERPER_VERIFY_CLIENT_URL_FAIL_OPEN,
  DERPER_VERIFY_CLIENTS,
  DERPER_VERSION,
  DERPER_N_FLAGS,
} DetourctlDerperFlag;

typedef struct {
  gboolean is_set;
  char *text;       /* as it was written, or the default */
  gboolean flag;    /* of booleans */
  gint64 number;    /* of whole numbers */
  double real;      /* of numbers; may be infinite */
  gint64 length_us; /* of durations */
} DetourctlDerperValue;

typedef struct {
  DetourctlDerperValue values[DERPER_N_FLAGS];
  GPtrArray *rest; /* of char *: what derper takes no notice of */
} DetourctlDerperFlags;

/* Reads @words as derper does. All that it would refuse becomes a line of @faults, which is filled
 * with char *; free with g_free(). */
DetourctlDerperFlags *detourctl_derper_flags_read (const char *const *words, GPtrArray *faults);
void detourctl_derper_flags_free (DetourctlDerperFlags *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourctlDerperFlags, detourctl_derper_flags_free)

/* Without dashes. */
const char *detourctl_derper_flag_name (DetourctlDerperFlag flag);

/* ---- detourctl-import-text.c -------------------------------------------------------------------
 */

/* The configuration that does the same, as a file; free with g_free(). What derper would refuse at
 * its start becomes a line of @faults. Pure. */
char *detourctl_import_text (const DetourctlDerperFlags *flags, const DetourctlImportSource *source,
                             GPtrArray *faults);

G_END_DECLS
