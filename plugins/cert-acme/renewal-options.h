/* renewal-options.h: what a [cert NAME] group of cert-acme asks for.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef enum {
  RENEWAL_CHALLENGE_TLS_ALPN_01,
  RENEWAL_CHALLENGE_HTTP_01,
  RENEWAL_CHALLENGE_DNS_01,
  RENEWAL_N_CHALLENGES,
} RenewalChallenge;

/* Bytes that the file of `eab-key-file` may have. */
#define RENEWAL_OPTIONS_EAB_FILE_MAX 4096u

extern const DetourConfigKey renewal_options_config[];

/* Texts are borrowed from `settings`, unless said otherwise. */
typedef struct {
  DetourSettings *settings;
  GStrv names;           /* in the form in which they are ordered; own */
  const char *authority; /* for people: the word of the configuration, or the URL */
  const char *directory_url;
  const char *ca_file; /* NULL: none, as of the others below */
  const char *email;
  const char *profile;
  const char *key_type;
  const char *preferred_chain;
  const char *eab_kid, *eab_key_file;
  const char *eab_algorithm; /* "hs256" */
  const char *dns_hook;
  const char *const *dns_servers;
  const char *import_directory;
  const char *program;
  gboolean is_auto;           /* the challenge is chosen here */
  RenewalChallenge challenge; /* otherwise */
  gboolean is_forwarded;
} RenewalOptions;

/* For the plugin's check(). */
gboolean renewal_options_check (const DetourSettings *settings, GError **error);
/* Of DetourPlugin: complains of a host name that cannot stand for `names`. */
void renewal_options_advise (const DetourSettings *settings, const char *hostname,
                             GPtrArray *advice);

/* For start(): @error is set when there is no name. */
gboolean renewal_options_init (RenewalOptions *self, DetourSettings *settings, const char *hostname,
                               GError **error);
void renewal_options_clear (RenewalOptions *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RenewalOptions, renewal_options_clear)

/* "tls-alpn-01" */
const char *renewal_options_challenge_name (RenewalChallenge challenge);

gboolean renewal_options_name_is_address (const char *name);
/* Whether an authority lets the name be proven that way. */
gboolean renewal_options_name_fits (const char *name, RenewalChallenge challenge);

/* What is ordered, where and how, as one word: another one means that failures of the past say
 * nothing. Free with g_free(). */
char *renewal_options_fingerprint (const RenewalOptions *self);

G_END_DECLS
