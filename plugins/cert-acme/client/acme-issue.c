/* acme-issue.c: a run that gets a certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-issue.h"

#include "acme-base64.h"
#include "acme-chain.h"
#include "acme-csr.h"
#include "acme-json.h"
#include "acme-names.h"
#include "acme-proof.h"

#include <string.h>

/* Beside the first, after which something was left out. */
#define ORDERS_MAX 2

typedef struct {
  const AcmeRequest *request;
  AcmeSession *session;
  GPtrArray *names;
  const char *profile;  /* that is asked for; NULL: the CA's choice */
  const char *replaces; /* that is asked for, or NULL */
  AcmeOrder order;
  AcmeCsr csr;
  AcmeChain chain;
} AcmeIssue;

static void
acme_issue_clear (AcmeIssue *self)
{
  g_clear_pointer (&self->names, g_ptr_array_unref);
  acme_order_clear (&self->order);
  acme_csr_clear (&self->csr);
  acme_chain_clear (&self->chain);
}

/* The order ----------------------------------------------------------------------------------- */

static gboolean
acme_issue_is_automatic (const AcmeIssue *self)
{
  return strcmp (self->request->profile, "auto") == 0;
}

static gboolean
acme_issue_drop_profile (AcmeIssue *self, const AcmeProblem *problem)
{
  if (self->profile == NULL || !acme_issue_is_automatic (self)
      || !acme_problem_is_profile (problem))
    return FALSE;
  acme_lines_note (self->session->lines, "the CA refused the profile %s (%s); ordering without one",
                   self->profile, problem->detail);
  self->profile = NULL;
  return TRUE;
}

/* Leaves out what may be the reason of a refusal and is not needed. FALSE: there is no such. */
static gboolean
acme_issue_ask_for_less (AcmeIssue *self, const AcmeProblem *problem)
{
  if (problem->status == 0)
    return FALSE;
  if (self->replaces != NULL)
    {
      acme_lines_note (self->session->lines,
                       "the CA refused the order as a replacement (%s); ordering without that",
                       problem->detail);
      self->replaces = NULL;
      return TRUE;
    }
  return acme_issue_drop_profile (self, problem);
}

static gboolean
acme_issue_check_profile (AcmeIssue *self, AcmeProblem *problem)
{
  if (self->profile == NULL || acme_issue_is_automatic (self) || self->order.profile == NULL
      || strcmp (self->order.profile, self->profile) == 0)
    return TRUE;
  return acme_problem_set (problem, ACME_PROBLEM_URN "invalidProfile",
                           "the CA took the profile %s instead of %s", self->order.profile,
                           self->profile);
}

/* A CA may hand out an order of before, which an earlier run has finalized: its certificate is for
 * a key that is lost. */
static gboolean
acme_issue_is_finished (const AcmeIssue *self)
{
  return self->order.state == ACME_ORDER_PROCESSING || self->order.state == ACME_ORDER_VALID;
}

static gboolean
acme_issue_place (AcmeIssue *self, AcmeProblem *problem)
{
  while (!acme_order_create (&self->order, self->session, self->names, self->profile,
                             self->replaces, problem))
    {
      if (!acme_issue_ask_for_less (self, problem))
        return FALSE;
      acme_problem_clear (problem);
    }
  return TRUE;
}

static gboolean
acme_issue_order (AcmeIssue *self, AcmeProblem *problem)
{
  JsonBuilder *builder;

  acme_session_enter (self->session, "order");
  if (!acme_issue_place (self, problem))
    return FALSE;
  if (acme_issue_is_finished (self))
    {
      acme_lines_note (self->session->lines,
                       "the CA handed out an order that is finished already; ordering again");
      if (!acme_issue_place (self, problem))
        return FALSE;
    }
  builder = acme_lines_begin ("order");
  acme_json_add (builder, "url", self->order.url);
  acme_json_add_or_null (builder, "profile", self->order.profile);
  acme_lines_send (self->session->lines, builder);
  return acme_issue_check_profile (self, problem);
}

/* From a new order to one that is valid for our key. */
static gboolean
acme_issue_fulfil (AcmeIssue *self, AcmeProblem *problem)
{
  AcmeProofWays ways = { (const char *const *) self->request->challenges,
                         (const char *const *) self->request->dns_servers };
  g_autofree char *csr = acme_base64_encode (self->csr.der, self->csr.der_len);

  if (self->order.state == ACME_ORDER_PENDING
      && !acme_proof_give (&self->order, self->session, self->names, &ways, problem))
    return FALSE;
  acme_session_enter (self->session, "finalize");
  return acme_order_wait (&self->order, self->session, ACME_ORDER_READY, problem)
      && acme_order_finalize (&self->order, self->session, csr, problem);
}

/* The certificate ------------------------------------------------------------------------------ */

/* @alternates: (nullable): takes the addresses of other chains. */
static gboolean
acme_issue_fetch (AcmeIssue *self, const char *url, AcmeChain *chain, GPtrArray **alternates,
                  AcmeProblem *problem)
{
  g_auto (AcmeAnswer) answer = { 0 };

  if (!acme_session_post (self->session, url, NULL, &answer, problem)
      || !acme_chain_read (chain, answer.body->str, answer.body->len, problem))
    return FALSE;
  if (alternates != NULL)
    *alternates = g_steal_pointer (&answer.alternates);
  return TRUE;
}

/* Of the chains that the CA has for the certificate, the one the operator prefers. */
static void
acme_issue_choose_chain (AcmeIssue *self, GPtrArray *alternates)
{
  const char *wish = self->request->preferred_chain;

  if (wish == NULL || acme_chain_leads_to (&self->chain, wish))
    return;
  for (guint i = 0; i < alternates->len; i++)
    {
      g_auto (AcmeChain) other = { 0 };
      g_auto (AcmeProblem) problem = { 0 };

      if (!acme_issue_fetch (self, alternates->pdata[i], &other, NULL, &problem)
          || !acme_chain_leads_to (&other, wish))
        continue;
      if (acme_chain_check (&other, self->csr.key, self->names, g_get_real_time () / G_USEC_PER_SEC,
                            &problem))
        {
          acme_chain_clear (&self->chain);
          self->chain = other;
          other = (AcmeChain) { 0 };
          return;
        }
      acme_lines_note (self->session->lines, "the chain to %s is not used: %s", wish,
                       problem.detail);
    }
  acme_lines_note (self->session->lines,
                   "the CA has no chain that leads to %s; its usual one is used", wish);
}

static gboolean
acme_issue_download (AcmeIssue *self, AcmeProblem *problem)
{
  g_autoptr (GPtrArray) alternates = NULL;

  acme_session_enter (self->session, "download");
  if (self->order.certificate == NULL)
    return acme_problem_set (problem, "protocol",
                             "the order is valid, but does not say where the certificate is");
  if (!acme_issue_fetch (self, self->order.certificate, &self->chain, &alternates, problem)
      || !acme_chain_check (&self->chain, self->csr.key, self->names,
                            g_get_real_time () / G_USEC_PER_SEC, problem))
    return FALSE;
  acme_issue_choose_chain (self, alternates);
  return TRUE;
}

static void
acme_issue_tell (AcmeIssue *self)
{
  JsonBuilder *builder = acme_lines_begin ("certificate");
  g_autofree char *chain = acme_chain_to_pem (&self->chain);
  char *key = acme_csr_key_to_pem (&self->csr);

  acme_json_add (builder, "chain", chain);
  acme_json_add (builder, "key", key);
  acme_json_add_or_null (builder, "profile", self->order.profile);
  acme_json_add_bool (builder, "replaced", self->replaces != NULL);
  acme_lines_send (self->session->lines, builder);
  acme_key_free_pem (key);
}

/* Whether another order may go better than the one that failed. */
static gboolean
acme_issue_order_again (AcmeIssue *self, guint n_registered, const AcmeProblem *problem)
{
  /* What the account ordered went with it. */
  if (self->session->n_registered != n_registered)
    return TRUE;
  return strcmp (self->session->step, "finalize") == 0 && acme_issue_drop_profile (self, problem);
}

static gboolean
acme_issue_try (AcmeIssue *self, AcmeProblem *problem)
{
  for (guint n = 0;; n++)
    {
      guint n_registered;

      acme_chain_clear (&self->chain);
      if (!acme_issue_order (self, problem))
        return FALSE;
      n_registered = self->session->n_registered;
      if (acme_issue_fulfil (self, problem) && acme_issue_download (self, problem))
        return TRUE;
      if (n == ORDERS_MAX || !acme_issue_order_again (self, n_registered, problem))
        return FALSE;
      acme_problem_clear (problem);
    }
}

static gboolean
acme_issue_start (AcmeIssue *self, AcmeProblem *problem)
{
  const AcmeRequest *request = self->request;

  acme_session_enter (self->session, "input");
  self->names = acme_names_new ((const char *const *) request->names, problem);
  if (self->names == NULL || !acme_csr_make (&self->csr, self->names, request->key_type, problem)
      || !acme_session_open (self->session, request->directory, problem))
    return FALSE;
  acme_session_enter (self->session, "order");
  if (!acme_directory_choose_profile (&self->session->directory, request->profile,
                                      acme_names_have_address (self->names), &self->profile,
                                      problem))
    return FALSE;
  /* A CA that gives no renewal information does not know what a replacement is. */
  if (self->session->directory.renewal_info != NULL)
    self->replaces = request->replaces;
  return acme_account_open (&request->account, self->session, problem);
}

gboolean
acme_issue_run (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
{
  AcmeIssue self = { .request = request, .session = session };
  gboolean good = acme_issue_start (&self, problem) && acme_issue_try (&self, problem);

  if (good)
    acme_issue_tell (&self);
  acme_issue_clear (&self);
  return good;
}
