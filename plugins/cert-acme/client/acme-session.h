/* acme-session.h: signed requests to one CA on behalf of one account.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-directory.h"
#include "acme-http.h"
#include "acme-key.h"
#include "acme-lines.h"

G_BEGIN_DECLS

typedef struct _AcmeSession AcmeSession;

/* Registers the account again with the key that it has. */
typedef gboolean (*AcmeSessionRegister) (AcmeSession *self, gpointer user_data,
                                         AcmeProblem *problem);

struct _AcmeSession {
  AcmeHttp *http;
  AcmeLines *lines;
  gint64 deadline_us;
  AcmeDirectory directory;
  AcmeKey *key;      /* NULL before there is an account */
  char *account_url; /* NULL: not registered, or not known yet */
  char *nonce;       /* NULL: none left */

  AcmeSessionRegister register_again; /* NULL: an account that is gone is an error */
  gpointer register_data;
  guint n_registered; /* times that an account was found gone */

  /* Where the run stands, for its error event. */
  const char *step;
  char *name;
  const char *challenge;
};

/* Takes over nothing; @lines outlives it. */
void acme_session_init (AcmeSession *self, AcmeLines *lines, const char *ca_file,
                        gint64 deadline_us);
void acme_session_clear (AcmeSession *self);

/* @step: static; also forgets name and challenge. */
void acme_session_enter (AcmeSession *self, const char *step);
void acme_session_at (AcmeSession *self, const char *name, const char *challenge);

gboolean acme_session_open (AcmeSession *self, const char *directory, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* An unsigned GET. FALSE also for an answer that is no success. */
gboolean acme_session_get (AcmeSession *self, const char *url, AcmeAnswer *out,
                           AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

/**
 * acme_session_post:
 * @payload: (nullable): JSON; NULL fetches
 *
 * Signs with the key, naming the account, or showing the key when there is no account yet. A nonce
 * that is not taken, a lost connection and a CA that is busy for a moment are tried again.
 *
 * Returns: FALSE when the answer is no success (then @out has it) or there was none, and @problem
 *   is set.
 */
gboolean acme_session_post (AcmeSession *self, const char *url, const char *payload,
                            AcmeAnswer *out, AcmeProblem *problem) G_GNUC_WARN_UNUSED_RESULT;

/* Waits, but not over the end of the run. FALSE: that is over, or the caller is gone. */
gboolean acme_session_wait (AcmeSession *self, gint64 wait_ms, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

/* How long to wait before looking again for the @n-th time: doubling, or as the CA says. */
gint64 acme_session_poll_ms (guint n, gint64 retry_after_s);

G_END_DECLS
