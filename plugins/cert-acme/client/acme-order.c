/* acme-order.c: an order at a CA and its way through the states of RFC 8555, section 7.1.6.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-order.h"

#include "acme-header.h"
#include "acme-json.h"

#include <string.h>

/* Of one order: more than one per name is a mistake of the CA. */
#define AUTHORIZATIONS_MAX (2 * ACME_NAMES_MAX)
#define FINALIZE_TRIES     3

static const char *const states[] = {
  [ACME_ORDER_PENDING] = "pending",       [ACME_ORDER_READY] = "ready",
  [ACME_ORDER_PROCESSING] = "processing", [ACME_ORDER_VALID] = "valid",
  [ACME_ORDER_INVALID] = "invalid",
};

void
acme_order_clear (AcmeOrder *self)
{
  g_free (self->url);
  g_strfreev (self->authorizations);
  g_free (self->finalize);
  g_free (self->certificate);
  g_free (self->profile);
  acme_problem_clear (&self->problem);
  *self = (AcmeOrder) { 0 };
}

static gboolean
acme_order_read_state (AcmeOrder *self, JsonObject *object, AcmeProblem *problem)
{
  const char *status = acme_json_get_string (object, "status");

  for (guint i = 0; status != NULL && i < G_N_ELEMENTS (states); i++)
    if (strcmp (states[i], status) == 0)
      {
        self->state = i;
        return TRUE;
      }
  return acme_problem_set (problem, "protocol", "an order has %s%.64s",
                           status != NULL ? "the unknown status " : "no status",
                           status != NULL ? status : "");
}

/* FALSE: it is there and is no address that may be asked. */
static gboolean
acme_order_read_url (JsonObject *object, const char *name, char **place, AcmeProblem *problem)
{
  const char *url = acme_json_get_string (object, name);

  if (url == NULL)
    return TRUE;
  if (!acme_header_is_url (url))
    return acme_problem_set (problem, "protocol", "%s of an order is not an https address", name);
  g_free (*place);
  *place = g_strdup (url);
  return TRUE;
}

static gboolean
acme_order_read_authorizations (AcmeOrder *self, JsonObject *object, AcmeProblem *problem)
{
  g_auto (GStrv) urls = NULL;

  if (acme_json_get_array (object, "authorizations") == NULL)
    return TRUE;
  urls = acme_json_get_strings (object, "authorizations");
  if (g_strv_length (urls) > AUTHORIZATIONS_MAX)
    return acme_problem_set (problem, "protocol", "an order has %u authorisations",
                             g_strv_length (urls));
  for (guint i = 0; urls[i] != NULL; i++)
    if (!acme_header_is_url (urls[i]))
      return acme_problem_set (problem, "protocol",
                               "an authorisation of an order is not an https address");
  g_strfreev (self->authorizations);
  self->authorizations = g_steal_pointer (&urls);
  return TRUE;
}

gboolean
acme_order_read (AcmeOrder *self, const char *body, gsize len, AcmeProblem *problem)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonObject) object = acme_json_parse (body, len, ACME_HTTP_BODY_MAX, &error);
  JsonObject *why;
  const char *profile;

  if (object == NULL)
    return acme_problem_set (problem, "protocol", "this is no order: %s", error->message);
  if (!acme_order_read_state (self, object, problem)
      || !acme_order_read_url (object, "finalize", &self->finalize, problem)
      || !acme_order_read_url (object, "certificate", &self->certificate, problem)
      || !acme_order_read_authorizations (self, object, problem))
    return FALSE;
  profile = acme_json_get_string (object, "profile");
  if (profile != NULL && strlen (profile) <= 64)
    {
      g_free (self->profile);
      self->profile = g_strdup (profile);
    }
  why = acme_json_get_object (object, "error");
  if (why != NULL)
    acme_problem_set_object (&self->problem, why, 0);
  return TRUE;
}

/* Messages ------------------------------------------------------------------------------------ */

static gboolean
acme_order_take (AcmeOrder *self, const AcmeAnswer *answer, AcmeProblem *problem)
{
  self->retry_after_s = answer->retry_after_s;
  return acme_order_read (self, answer->body->str, answer->body->len, problem);
}

static char *
acme_order_make_payload (const GPtrArray *names, const char *profile, const char *replaces)
{
  JsonBuilder *builder = acme_json_begin ();

  json_builder_set_member_name (builder, "identifiers");
  json_builder_begin_array (builder);
  for (guint i = 0; i < names->len; i++)
    {
      const AcmeName *name = names->pdata[i];

      json_builder_begin_object (builder);
      acme_json_add (builder, "type", name->bytes_len > 0 ? "ip" : "dns");
      acme_json_add (builder, "value", name->value);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  acme_json_add (builder, "profile", profile);
  acme_json_add (builder, "replaces", replaces);
  return acme_json_end (builder);
}

gboolean
acme_order_create (AcmeOrder *self, AcmeSession *session, const GPtrArray *names,
                   const char *profile, const char *replaces, AcmeProblem *problem)
{
  g_autofree char *payload = acme_order_make_payload (names, profile, replaces);
  g_auto (AcmeAnswer) answer = { 0 };

  acme_order_clear (self);
  if (!acme_session_post (session, session->directory.new_order, payload, &answer, problem))
    return FALSE;
  if (answer.location != NULL)
    self->url = acme_header_resolve (answer.url, answer.location);
  if (self->url == NULL)
    return acme_problem_set (problem, "protocol", "the CA did not say where the order is");
  return acme_order_take (self, &answer, problem);
}

static gboolean
acme_order_fetch (AcmeOrder *self, AcmeSession *session, AcmeProblem *problem)
{
  g_auto (AcmeAnswer) answer = { 0 };

  return acme_session_post (session, self->url, NULL, &answer, problem)
      && acme_order_take (self, &answer, problem);
}

static gboolean
acme_order_fail (AcmeOrder *self, AcmeProblem *problem)
{
  if (self->problem.type == NULL)
    return acme_problem_set (problem, "protocol", "the CA made the order invalid without a word");
  acme_problem_clear (problem);
  *problem = self->problem;
  self->problem = (AcmeProblem) { 0 };
  return FALSE;
}

gboolean
acme_order_wait (AcmeOrder *self, AcmeSession *session, AcmeOrderState state, AcmeProblem *problem)
{
  for (guint n = 0; self->state < state; n++)
    if (!acme_session_wait (session, acme_session_poll_ms (n, self->retry_after_s), problem)
        || !acme_order_fetch (self, session, problem))
      return FALSE;
  return self->state != ACME_ORDER_INVALID || acme_order_fail (self, problem);
}

/* "Look at the order" rather than "failed": it was finalized before, or is not done yet. */
static gboolean
acme_order_is_early (const AcmeProblem *problem)
{
  return acme_problem_is (problem, "orderNotReady") || problem->status == 409;
}

gboolean
acme_order_finalize (AcmeOrder *self, AcmeSession *session, const char *csr, AcmeProblem *problem)
{
  g_autofree char *payload = g_strdup_printf ("{\"csr\":\"%s\"}", csr);

  for (guint n = 0; self->state == ACME_ORDER_READY; n++)
    {
      g_auto (AcmeAnswer) answer = { 0 };

      if (self->finalize == NULL)
        return acme_problem_set (problem, "protocol", "the order does not say how to finalize it");
      if (acme_session_post (session, self->finalize, payload, &answer, problem))
        {
          if (!acme_order_take (self, &answer, problem))
            return FALSE;
          break;
        }
      if (!acme_order_is_early (problem) || n + 1 == FINALIZE_TRIES)
        return FALSE;
      acme_problem_clear (problem);
      if (!acme_session_wait (session, acme_session_poll_ms (n, answer.retry_after_s), problem)
          || !acme_order_fetch (self, session, problem))
        return FALSE;
    }
  return acme_order_wait (self, session, ACME_ORDER_VALID, problem);
}
