/* detourctl-setup.h: what a first configuration is made of, and its text.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

typedef enum {
  DETOURCTL_SETUP_TAILSCALED, /* the clients that this host's node knows */
  DETOURCTL_SETUP_KEYS,       /* those of a list */
  DETOURCTL_SETUP_API,        /* the devices that an API of a control server lists */
  DETOURCTL_SETUP_URL,        /* those for which a web server says yes */
  DETOURCTL_SETUP_OPEN,       /* everyone */
  DETOURCTL_SETUP_N_ADMISSIONS,
} DetourctlSetupAdmission;

typedef enum {
  DETOURCTL_SETUP_ACME,
  DETOURCTL_SETUP_SELFSIGNED,
  DETOURCTL_SETUP_FILE,
  DETOURCTL_SETUP_N_CERTIFICATES,
} DetourctlSetupCertificate;

/* Texts are borrowed, and checked by detourctl_setup_check_value(). */
typedef struct {
  const char *hostname;
  DetourctlSetupAdmission admission;
  DetourctlSetupCertificate certificate;
  const char *tailscaled_socket; /* NULL: where it usually is */
  const char *keys_file;         /* of the list */
  const char *api_key_file;      /* with the secret for the API */
  const char *api_url;           /* of Headscale; NULL: Tailscale's own */
  const char *url;               /* that is asked */
  const char *email;             /* for the authority; NULL: none */
  const char *directory_url;     /* of the authority; NULL: the usual one */
  const char *chain_file, *key_file;
} DetourctlSetup;

/* The words of the options and of the configuration: "tailscaled", "acme". */
extern const char *const detourctl_setup_admissions[DETOURCTL_SETUP_N_ADMISSIONS + 1];
extern const char *const detourctl_setup_certificates[DETOURCTL_SETUP_N_CERTIFICATES + 1];

/* The configuration as a file, with comments; free with g_free(). Pure. */
char *detourctl_setup_text (const DetourctlSetup *self);

/* Whether a text can stand behind `=` in the file as it is: one line, no blanks at its ends, no
 * list separator. */
gboolean detourctl_setup_fits_in_file (const char *text);

/* The same, and it begins with https:// or http://. */
gboolean detourctl_setup_is_url (const char *text);

/* ---- detourctl-setup-ask.c ------------------------------------------------------------------- */

/**
 * detourctl_setup_ask:
 * @question: translated
 * @fallback: (nullable): what an empty line means
 *
 * Asks at the terminal until there is an answer.
 *
 * Returns: (nullable): free with g_free(); NULL: the input has ended.
 */
char *detourctl_setup_ask (const char *question, const char *fallback);

/* Asks for one of @words, each with its explanation beside it in @texts, by number or word. Returns
 * its place, or -1: the input has ended. */
int detourctl_setup_choose (const Detourctl *ctl, const char *question, const char *const *words,
                            const char *const *texts, guint fallback);

/* An absolute path, or a URL, that goes into the file; NULL: the input has ended. */
char *detourctl_setup_ask_path (const char *question, const char *fallback);
char *detourctl_setup_ask_url (void);

/* ---- detourctl-setup-file.c ------------------------------------------------------------------ */

/* Whether there are only comments in it, as in the sample that packages bring. */
gboolean detourctl_setup_says_nothing (const char *path);

/* These three tell what went wrong, and give FALSE then. */

/* Keeps what is at @path, if anything is, under another name, which is given back in *@kept. */
gboolean detourctl_setup_make_way (const char *path, char **kept);
/* Readable for everyone, whatever the umask. */
gboolean detourctl_setup_write_file (const char *path, const char *text);
/* Writes an empty list of keys where one is wanted and none is there, so that the relay starts: it
 * admits nobody until there is a key. */
gboolean detourctl_setup_write_keys (const DetourctlSetup *setup);

/* ---- detourctl-setup-check.c ----------------------------------------------------------------- */

/* What a look at this host found. */
typedef struct {
  const char *check; /* "name", "port", "tailscaled"; a word for programs */
  gboolean is_good;
  char *text;
  char *remedy; /* NULL when it is good */
} DetourctlFinding;

/* All looks that @setup needs, of DetourctlFinding. */
GPtrArray *detourctl_setup_look (const DetourctlSetup *setup, gint64 limit_ms);

G_END_DECLS
