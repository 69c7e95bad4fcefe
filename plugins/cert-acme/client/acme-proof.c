/* acme-proof.c: shows a CA that the names of an order are ours.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-proof.h"

#include "acme-authorization.h"
#include "acme-base64.h"
#include "acme-dns.h"
#include "acme-json.h"

#include <gnutls/crypto.h>
#include <string.h>

/* One authorisation on its way. */
typedef struct {
  const char *url;
  AcmeAuthorization authorization;
  const AcmeChallenge *challenge; /* of it; NULL: nothing is to be answered */
  char *record, *value;           /* of dns-01 */
  guint id;
  gboolean is_presented;
} AcmeProof;

static void
acme_proof_free (gpointer data)
{
  AcmeProof *self = data;

  acme_authorization_clear (&self->authorization);
  g_free (self->record);
  g_free (self->value);
  g_free (self);
}

char *
acme_proof_make_value (const char *key_authorization)
{
  guint8 hash[32];

  if (gnutls_hash_fast (GNUTLS_DIG_SHA256, key_authorization, strlen (key_authorization), hash) < 0)
    return NULL;
  return acme_base64_encode (hash, sizeof hash);
}

/* The caller of this program ------------------------------------------------------------------- */

static void
acme_proof_tell (AcmeProof *self, AcmeSession *session)
{
  JsonBuilder *builder = acme_lines_begin ("present");
  g_autofree char *key_authorization = g_strdup_printf ("%s.%s", self->challenge->token,
                                                        acme_key_thumbprint (session->key));

  if (strcmp (self->challenge->type, "dns-01") == 0)
    {
      self->record = g_strconcat ("_acme-challenge.", self->authorization.identifier, NULL);
      self->value = acme_proof_make_value (key_authorization);
    }
  acme_json_add_int (builder, "id", self->id);
  acme_json_add (builder, "type", self->challenge->type);
  acme_json_add (builder, "name", self->authorization.name->given);
  acme_json_add (builder, "identifier", self->authorization.identifier);
  acme_json_add (builder, "token", self->challenge->token);
  acme_json_add (builder, "key_authorization", key_authorization);
  acme_json_add (builder, "record", self->record);
  acme_json_add (builder, "value", self->value);
  acme_lines_send (session->lines, builder);
  self->is_presented = TRUE;
}

static void
acme_proof_withdraw (AcmeProof *self, AcmeSession *session)
{
  JsonBuilder *builder;

  if (!self->is_presented)
    return;
  builder = acme_lines_begin ("cleanup");
  acme_json_add_int (builder, "id", self->id);
  acme_lines_send (session->lines, builder);
  self->is_presented = FALSE;
}

typedef enum { ACME_PROOF_PRESENTED, ACME_PROOF_REFUSED, ACME_PROOF_FAILED } AcmeProofAnswer;

/* @why: set when it was refused. */
static AcmeProofAnswer
acme_proof_ask (AcmeProof *self, AcmeSession *session, char **why, AcmeProblem *problem)
{
  g_autoptr (JsonObject) reply = NULL;
  const char *words;

  acme_proof_tell (self, session);
  reply = acme_lines_read (session->lines, session->deadline_us, problem);
  if (reply == NULL)
    return ACME_PROOF_FAILED;
  if (acme_json_get_int (reply, "presented", 0, G_MAXUINT, -1) == self->id)
    return ACME_PROOF_PRESENTED;
  if (acme_json_get_int (reply, "refused", 0, G_MAXUINT, -1) != self->id)
    {
      acme_problem_set (problem, "input", "expected an answer about challenge %u", self->id);
      return ACME_PROOF_FAILED;
    }
  self->is_presented = FALSE;
  words = acme_json_get_string (reply, "why");
  g_free (*why);
  *why = g_strdup_printf ("%s: %s", self->challenge->type, words != NULL ? words : "refused");
  return ACME_PROOF_REFUSED;
}

static gboolean
acme_proof_set_no_way (AcmeProof *self, const AcmeProofWays *ways, const char *why,
                       AcmeProblem *problem)
{
  const char *name = self->authorization.name->given;
  g_autofree char *can = g_strjoinv (", ", (GStrv) ways->challenges);

  if (why != NULL)
    {
      acme_problem_set (problem, "no-challenge", "no challenge could be put into place; %s", why);
      problem->remedy = g_strdup (
          "Mend what stands in the way of that challenge, or choose another "
          "with challenge.");
      return FALSE;
    }
  acme_problem_set (problem, "no-challenge", "for %s the CA takes %s, and this relay can answer %s",
                    name, self->authorization.offered, *can != '\0' ? can : "nothing");
  problem->remedy = acme_name_is_wildcard (self->authorization.name)
                      ? g_strdup (
                          "A wildcard needs a record in the DNS: set dns-hook to a program that "
                          "writes it, or name the hosts one by one.")
                      : g_strdup (
                          "Open port 80 or 443 to this relay, or set dns-hook, so that one of the "
                          "CA's challenges can be answered.");
  return FALSE;
}

/* Puts the best answer that is possible into place. */
static gboolean
acme_proof_present (AcmeProof *self, AcmeSession *session, const AcmeProofWays *ways,
                    guint *last_id, AcmeProblem *problem)
{
  g_autofree char *why = NULL;
  const char *after = NULL;

  for (;;)
    {
      AcmeProofAnswer answer;

      acme_session_at (session, self->authorization.name->given, NULL);
      self->challenge = acme_authorization_choose (&self->authorization, ways->challenges, after);
      if (self->challenge == NULL)
        return acme_proof_set_no_way (self, ways, why, problem);
      acme_session_at (session, self->authorization.name->given, self->challenge->type);
      self->id = ++*last_id;
      answer = acme_proof_ask (self, session, &why, problem);
      if (answer != ACME_PROOF_REFUSED)
        return answer == ACME_PROOF_PRESENTED;
      after = self->challenge->type;
      g_clear_pointer (&self->record, g_free);
      g_clear_pointer (&self->value, g_free);
    }
}

/* The CA -------------------------------------------------------------------------------------- */

static gboolean
acme_proof_fail (AcmeProof *self, AcmeSession *session, AcmeProblem *problem)
{
  AcmeAuthorization *authorization = &self->authorization;

  if (authorization->failed != NULL)
    acme_session_enter (session, "challenge");
  acme_session_at (session, authorization->name->given, authorization->failed);
  if (authorization->problem.type == NULL)
    {
      acme_problem_set (problem, "protocol", "the authorisation for %s is %.64s",
                        authorization->name->given, authorization->status);
      problem->remedy = g_strdup (
          "Nothing has to be done at once: the next try begins a new order. "
          "If it goes on, ask the CA.");
      return FALSE;
    }
  acme_problem_clear (problem);
  *problem = authorization->problem;
  authorization->problem = (AcmeProblem) { 0 };
  return FALSE;
}

/* Looks at the authorisation. @retry_after_s: of the answer. */
static gboolean
acme_proof_fetch (AcmeProof *self, AcmeSession *session, const GPtrArray *names,
                  gint64 *retry_after_s, AcmeProblem *problem)
{
  g_auto (AcmeAnswer) answer = { 0 };

  if (!acme_session_post (session, self->url, NULL, &answer, problem))
    return FALSE;
  *retry_after_s = answer.retry_after_s;
  acme_authorization_clear (&self->authorization);
  self->challenge = NULL;
  if (!acme_authorization_read (&self->authorization, answer.body->str, answer.body->len, names,
                                problem))
    return FALSE;
  return self->authorization.state != ACME_AUTHORIZATION_OVER
      || acme_proof_fail (self, session, problem);
}

/* "Look now." A challenge that was answered already is only watched. */
static gboolean
acme_proof_answer (AcmeProof *self, AcmeSession *session, AcmeProblem *problem)
{
  g_auto (AcmeAnswer) answer = { 0 };

  acme_session_at (session, self->authorization.name->given, self->challenge->type);
  if (self->challenge->state == ACME_CHALLENGE_PROCESSING
      || acme_session_post (session, self->challenge->url, "{}", &answer, problem))
    return TRUE;
  /* It is not pending any more: the authorisation tells what became of it. */
  if (acme_problem_is (problem, "malformed"))
    {
      acme_problem_clear (problem);
      return TRUE;
    }
  return FALSE;
}

static gboolean
acme_proof_watch (AcmeProof *self, AcmeSession *session, const GPtrArray *names,
                  AcmeProblem *problem)
{
  gint64 retry_after_s = 0;

  acme_session_at (session, self->authorization.name->given, self->challenge->type);
  for (guint n = 0; self->authorization.state == ACME_AUTHORIZATION_PENDING; n++)
    if (!acme_session_wait (session, acme_session_poll_ms (n, retry_after_s), problem)
        || !acme_proof_fetch (self, session, names, &retry_after_s, problem))
      return FALSE;
  return TRUE;
}

/* All of an order ----------------------------------------------------------------------------- */

/* Those that are not valid already. */
static gboolean
acme_proof_collect (GPtrArray *proofs, const AcmeOrder *order, AcmeSession *session,
                    const GPtrArray *names, AcmeProblem *problem)
{
  acme_session_enter (session, "authorization");
  for (guint i = 0; order->authorizations != NULL && order->authorizations[i] != NULL; i++)
    {
      AcmeProof *proof = g_new0 (AcmeProof, 1);
      gint64 retry_after_s;

      g_ptr_array_add (proofs, proof);
      proof->url = order->authorizations[i];
      if (!acme_proof_fetch (proof, session, names, &retry_after_s, problem))
        return FALSE;
      if (proof->authorization.state == ACME_AUTHORIZATION_VALID)
        g_ptr_array_set_size (proofs, (int) proofs->len - 1);
    }
  return TRUE;
}

static gboolean
acme_proof_see_records (GPtrArray *proofs, AcmeSession *session, const AcmeProofWays *ways,
                        AcmeProblem *problem)
{
  for (guint i = 0; i < proofs->len; i++)
    {
      AcmeProof *proof = proofs->pdata[i];

      if (proof->record == NULL)
        continue;
      acme_session_at (session, proof->authorization.name->given, proof->challenge->type);
      if (!acme_dns_wait (session, proof->record, proof->value, ways->dns_servers, problem))
        return FALSE;
    }
  return TRUE;
}

static gboolean
acme_proof_run (GPtrArray *proofs, const AcmeOrder *order, AcmeSession *session,
                const GPtrArray *names, const AcmeProofWays *ways, AcmeProblem *problem)
{
  guint last_id = 0;

  if (!acme_proof_collect (proofs, order, session, names, problem))
    return FALSE;
  acme_session_enter (session, "challenge");
  for (guint i = 0; i < proofs->len; i++)
    if (!acme_proof_present (proofs->pdata[i], session, ways, &last_id, problem))
      return FALSE;
  if (!acme_proof_see_records (proofs, session, ways, problem))
    return FALSE;
  for (guint i = 0; i < proofs->len; i++)
    if (!acme_proof_answer (proofs->pdata[i], session, problem))
      return FALSE;
  for (guint i = 0; i < proofs->len; i++)
    {
      if (!acme_proof_watch (proofs->pdata[i], session, names, problem))
        return FALSE;
      acme_proof_withdraw (proofs->pdata[i], session);
    }
  return TRUE;
}

gboolean
acme_proof_give (const AcmeOrder *order, AcmeSession *session, const GPtrArray *names,
                 const AcmeProofWays *ways, AcmeProblem *problem)
{
  g_autoptr (GPtrArray) proofs = g_ptr_array_new_with_free_func (acme_proof_free);
  gboolean good = acme_proof_run (proofs, order, session, names, ways, problem);

  for (guint i = 0; i < proofs->len; i++)
    acme_proof_withdraw (proofs->pdata[i], session);
  return good;
}
