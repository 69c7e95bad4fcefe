/* acme-session.c: signed requests to one CA on behalf of one account.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-session.h"

#include "acme-header.h"
#include "acme-jws.h"

#include <string.h>

/* For one request. When a CA refuses half of all nonces at random, one request in 2^30 fails. */
#define NONCE_ROUNDS    3
#define NONCES_IN_ROUND 10
/* Lost connections and busy servers, for one request. */
#define TRIES_MAX       4
#define BUSY_WAIT_MAX_S 30
#define POLL_FIRST_MS   500
#define POLL_MAX_MS     10000

void
acme_session_init (AcmeSession *self, AcmeLines *lines, const char *ca_file, gint64 deadline_us)
{
  *self = (AcmeSession) { 0 };
  self->lines = lines;
  self->deadline_us = deadline_us;
  self->http = acme_http_new (ca_file, deadline_us);
  self->step = "directory";
}

void
acme_session_clear (AcmeSession *self)
{
  acme_http_free (self->http);
  acme_directory_clear (&self->directory);
  g_clear_pointer (&self->key, acme_key_free);
  g_clear_pointer (&self->account_url, g_free);
  g_clear_pointer (&self->nonce, g_free);
  g_clear_pointer (&self->name, g_free);
}

void
acme_session_enter (AcmeSession *self, const char *step)
{
  self->step = step;
  acme_session_at (self, NULL, NULL);
}

void
acme_session_at (AcmeSession *self, const char *name, const char *challenge)
{
  g_free (self->name);
  self->name = g_strdup (name);
  self->challenge = challenge;
}

gboolean
acme_session_wait (AcmeSession *self, gint64 wait_ms, AcmeProblem *problem)
{
  gint64 until_us = g_get_monotonic_time () + wait_ms * 1000;

  if (until_us >= self->deadline_us)
    {
      acme_problem_set (problem, "timeout",
                        "the CA is not done, and the time for the whole run is over");
      if (wait_ms > POLL_MAX_MS)
        problem->retry_after_s = wait_ms / 1000;
      return FALSE;
    }
  return acme_lines_wait (self->lines, until_us, problem);
}

gint64
acme_session_poll_ms (guint n, gint64 retry_after_s)
{
  gint64 wait_ms = n < 5 ? POLL_FIRST_MS << n : POLL_MAX_MS;

  if (retry_after_s > 0)
    return retry_after_s * 1000;
  return MIN (wait_ms, POLL_MAX_MS);
}

/* Nonces -------------------------------------------------------------------------------------- */

static void
acme_session_keep_nonce (AcmeSession *self, const AcmeAnswer *answer)
{
  if (answer->nonce == NULL || strlen (answer->nonce) > 1024)
    return;
  g_free (self->nonce);
  self->nonce = g_strdup (answer->nonce);
}

static gboolean
acme_session_fetch_nonce (AcmeSession *self, AcmeProblem *problem)
{
  g_auto (AcmeAnswer) answer = { 0 };

  if (!acme_http_request (self->http, "HEAD", self->directory.new_nonce, NULL, &answer, problem))
    return FALSE;
  acme_session_keep_nonce (self, &answer);
  if (self->nonce != NULL)
    return TRUE;
  if (answer.status >= 400)
    {
      acme_problem_set_body (problem, answer.status, "", 0);
      problem->retry_after_s = answer.retry_after_s;
      return FALSE;
    }
  return acme_problem_set (problem, "protocol", "%s: the CA gives no Replay-Nonce",
                           self->directory.new_nonce);
}

/* Requests ------------------------------------------------------------------------------------ */

static gboolean
acme_session_judge (const AcmeAnswer *answer, AcmeProblem *problem)
{
  if (answer->status >= 200 && answer->status < 300)
    return TRUE;
  acme_problem_set_body (problem, answer->status, answer->body->str, answer->body->len);
  problem->retry_after_s = answer->retry_after_s > 0
                             ? answer->retry_after_s
                             : acme_header_retry_after_words (problem->detail,
                                                              g_get_real_time () / G_USEC_PER_SEC);
  if (problem->help == NULL)
    problem->help = g_strdup (answer->help != NULL ? answer->help : answer->terms);
  return FALSE;
}

/* Whether the same request may be better in a moment: there was no answer, or one of a busy front
 * end rather than of the CA. */
static gboolean
acme_session_is_passing (const AcmeProblem *problem)
{
  if (problem->status == 0)
    return g_strcmp0 (problem->type, "network") == 0;
  return problem->status >= 502 && problem->status <= 504
      && problem->retry_after_s <= BUSY_WAIT_MAX_S;
}

/* FALSE: enough tries were made, and @problem says of what. */
static gboolean
acme_session_again (AcmeSession *self, guint *n_tries, AcmeProblem *problem)
{
  g_auto (AcmeProblem) waiting = { 0 };
  gint64 wait_ms = acme_session_poll_ms (*n_tries + 1, problem->retry_after_s);

  if (++*n_tries >= TRIES_MAX || !acme_session_is_passing (problem)
      || !acme_session_wait (self, wait_ms, &waiting))
    return FALSE;
  acme_problem_clear (problem);
  return TRUE;
}

gboolean
acme_session_get (AcmeSession *self, const char *url, AcmeAnswer *out, AcmeProblem *problem)
{
  guint n_tries = 0;

  do
    if (acme_http_request (self->http, "GET", url, NULL, out, problem)
        && acme_session_judge (out, problem))
      return TRUE;
  while (acme_session_again (self, &n_tries, problem));
  return FALSE;
}

gboolean
acme_session_open (AcmeSession *self, const char *directory, AcmeProblem *problem)
{
  g_auto (AcmeAnswer) answer = { 0 };

  acme_session_enter (self, "directory");
  return acme_session_get (self, directory, &answer, problem)
      && acme_directory_read (&self->directory, answer.body->str, answer.body->len, problem);
}

static gboolean
acme_session_post_once (AcmeSession *self, const char *url, const char *payload, AcmeAnswer *out,
                        AcmeProblem *problem)
{
  g_autofree char *nonce = NULL;
  g_autofree char *body = NULL;

  if (self->nonce == NULL && !acme_session_fetch_nonce (self, problem))
    return FALSE;
  nonce = g_steal_pointer (&self->nonce);
  body = acme_jws_make (self->key, self->account_url, nonce, url, payload, problem);
  if (body == NULL || !acme_http_request (self->http, "POST", url, body, out, problem))
    return FALSE;
  acme_session_keep_nonce (self, out);
  return acme_session_judge (out, problem);
}

/* The CA does not know the account: its data were lost, or we were sent to another one. */
static gboolean
acme_session_renew_account (AcmeSession *self, AcmeProblem *problem)
{
  if (self->account_url == NULL || self->register_again == NULL || self->n_registered > 0)
    return FALSE;
  self->n_registered++;
  g_clear_pointer (&self->account_url, g_free);
  acme_problem_clear (problem);
  return self->register_again (self, self->register_data, problem);
}

gboolean
acme_session_post (AcmeSession *self, const char *url, const char *payload, AcmeAnswer *out,
                   AcmeProblem *problem)
{
  guint n_nonces = 0, n_tries = 0;

  for (;;)
    {
      if (acme_session_post_once (self, url, payload, out, problem))
        return TRUE;
      if (acme_problem_is (problem, "badNonce"))
        {
          if (++n_nonces == NONCE_ROUNDS * NONCES_IN_ROUND)
            return FALSE;
          if (n_nonces % NONCES_IN_ROUND == 0)
            g_clear_pointer (&self->nonce, g_free);
          acme_problem_clear (problem);
        }
      else if (acme_problem_is (problem, "accountDoesNotExist"))
        {
          if (!acme_session_renew_account (self, problem))
            return FALSE;
        }
      else if (!acme_session_again (self, &n_tries, problem))
        return FALSE;
    }
}
