/* acme-renewal.c: a run that asks when a certificate should be renewed (RFC 9773).
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-renewal.h"

#include "acme-ari.h"
#include "acme-header.h"
#include "acme-json.h"

#define ASK_MIN_S     60
#define ASK_MAX_S     86400
#define ASK_DEFAULT_S 21600

void
acme_renewal_clear (AcmeRenewal *self)
{
  g_clear_pointer (&self->explanation, g_free);
}

static gboolean
acme_renewal_read_time (JsonObject *window, const char *name, gint64 *out_s)
{
  const char *text = acme_json_get_string (window, name);
  g_autoptr (GDateTime) time = text != NULL ? acme_header_parse_time (text) : NULL;

  if (time == NULL)
    return FALSE;
  *out_s = g_date_time_to_unix (time);
  return TRUE;
}

gboolean
acme_renewal_read (AcmeRenewal *self, const char *body, gsize len, AcmeProblem *problem)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = acme_json_parse (body, len, ACME_HTTP_BODY_MAX, &error);
  JsonObject *window = acme_json_get_object (object, "suggestedWindow");
  const char *explanation = acme_json_get_string (object, "explanationURL");

  *self = (AcmeRenewal) { 0 };
  if (object == NULL)
    return acme_problem_set (problem, "protocol", "the renewal information is not JSON: %s",
                             error->message);
  if (!acme_renewal_read_time (window, "start", &self->start_s)
      || !acme_renewal_read_time (window, "end", &self->end_s))
    return acme_problem_set (problem, "protocol",
                             "the renewal information has no window of two times");
  if (self->end_s <= self->start_s)
    return acme_problem_set (problem, "protocol",
                             "the window of the renewal information ends before it begins");
  if (explanation != NULL && acme_header_is_url (explanation))
    self->explanation = g_strdup (explanation);
  return TRUE;
}

gint64
acme_renewal_ask_again_s (gint64 retry_after_s)
{
  return retry_after_s > 0 ? CLAMP (retry_after_s, ASK_MIN_S, ASK_MAX_S) : ASK_DEFAULT_S;
}

static gboolean
acme_renewal_ask (AcmeSession *session, const char *id, AcmeProblem *problem)
{
  const char *base = session->directory.renewal_info;
  g_autofree char *url = g_strconcat (base, g_str_has_suffix (base, "/") ? "" : "/", id, NULL);
  g_auto (AcmeAnswer) answer = { 0 };
  g_auto (AcmeRenewal) renewal = { 0 };
  JsonBuilder *builder;

  if (!acme_session_get (session, url, &answer, problem)
      || !acme_renewal_read (&renewal, answer.body->str, answer.body->len, problem))
    return FALSE;
  builder = acme_lines_begin ("renewal");
  acme_json_add_int (builder, "start", renewal.start_s);
  acme_json_add_int (builder, "end", renewal.end_s);
  acme_json_add_int (builder, "retry_after", acme_renewal_ask_again_s (answer.retry_after_s));
  acme_json_add (builder, "explanation", renewal.explanation);
  acme_json_add (builder, "id", id);
  acme_lines_send (session->lines, builder);
  return TRUE;
}

gboolean
acme_renewal_run (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
{
  g_auto (AcmeChain) chain = { 0 };
  g_autofree char *id = NULL;

  acme_session_enter (session, "input");
  if (!acme_request_read_chain (request, &chain, problem))
    return FALSE;
  id = acme_ari_id (chain.crts[0]);
  if (!acme_session_open (session, request->directory, problem))
    return FALSE;
  acme_session_enter (session, "renewal-info");
  if (session->directory.renewal_info == NULL)
    return acme_problem_set (problem, "unsupported", "the CA gives no renewal information");
  if (id == NULL)
    return acme_problem_set (problem, "unsupported",
                             "the certificate does not name its issuer's key");
  return acme_renewal_ask (session, id, problem);
}
