/* fuzz-acme-answer.c: fuzz target for what a CA and name servers send: the first byte chooses what
 * it is.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-ari.h"
#include "acme-authorization.h"
#include "acme-chain.h"
#include "acme-directory.h"
#include "acme-dns-reply.h"
#include "acme-header.h"
#include "acme-order.h"
#include "acme-renewal.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef void (*FuzzTarget) (const char *data, gsize len, const GPtrArray *names,
                            AcmeProblem *problem);

static void
fuzz_directory (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  AcmeDirectory directory;
  const char *profile;

  if (acme_directory_read (&directory, data, len, problem))
    {
      g_assert (acme_header_is_url (directory.new_order));
      if (acme_directory_choose_profile (&directory, "auto", TRUE, &profile, problem))
        g_assert (profile == NULL || strcmp (profile, "shortlived") == 0);
      if (!acme_directory_choose_profile (&directory, "none such", TRUE, &profile, problem))
        g_assert (problem->remedy != NULL);
    }
  acme_directory_clear (&directory);
}

static void
fuzz_order (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  g_auto (AcmeOrder) order = { 0 };

  if (acme_order_read (&order, data, len, problem))
    {
      g_assert (order.finalize == NULL || acme_header_is_url (order.finalize));
      g_assert (order.certificate == NULL || acme_header_is_url (order.certificate));
    }
}

static void
fuzz_authorization (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  static const char *const wanted[] = { "tls-alpn-01", "http-01", "dns-01", NULL };
  g_auto (AcmeAuthorization) authorization = { 0 };
  const AcmeChallenge *challenge;

  if (!acme_authorization_read (&authorization, data, len, names, problem))
    return;
  g_assert (authorization.name != NULL);
  challenge = acme_authorization_choose (&authorization, wanted, NULL);
  if (challenge != NULL)
    {
      g_assert (strpbrk (challenge->token, "/.\\") == NULL);
      g_assert (acme_header_is_url (challenge->url));
    }
  acme_authorization_choose (&authorization, wanted, "tls-alpn-01");
}

static void
fuzz_problem (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  acme_problem_set_body (problem, 400, data, len);
  g_assert (!acme_problem_is_profile (problem) || problem->type != NULL);
}

static void
fuzz_renewal (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  g_auto (AcmeRenewal) renewal = { 0 };

  if (acme_renewal_read (&renewal, data, len, problem))
    g_assert (renewal.start_s < renewal.end_s);
}

static void
fuzz_chain (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  g_auto (AcmeChain) chain = { 0 };
  g_autofree char *pem = NULL;
  g_autofree char *id = NULL;
  g_autofree char *text = NULL;

  if (!acme_chain_read (&chain, data, len, problem))
    return;
  if (acme_chain_check (&chain, NULL, names, 1795906571, problem))
    g_assert (chain.n_crts > 0);
  acme_chain_leads_to (&chain, "Root");
  pem = acme_chain_to_pem (&chain);
  id = acme_ari_id (chain.crts[0]);
  text = acme_chain_to_base64 (&chain);
}

static void
fuzz_header (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  g_autofree char *text = g_strndup (data, len);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *url = acme_header_resolve ("https://ca.example/a/b", text);
  gint64 seconds = acme_header_retry_after (text, 1795906571);

  g_assert (seconds >= 0 && seconds <= 365 * 86400);
  g_assert (url == NULL || acme_header_is_url (url));
  acme_header_add_links (text, "https://ca.example/a/b", "alternate", found, 4);
  g_assert (found->len <= 4);
  acme_problem_set (problem, "protocol", "%s", text);
}

static void
fuzz_dns (const char *data, gsize len, const GPtrArray *names, AcmeProblem *problem)
{
  AcmeDnsReply reply;

  if (!acme_dns_reply_read (&reply, (const guint8 *) data, len, 7, "_acme-challenge.w.test"))
    return;
  acme_dns_reply_has_text (&reply, "value");
  acme_dns_reply_clear (&reply);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const FuzzTarget targets[] = { fuzz_directory, fuzz_order,   fuzz_authorization,
                                        fuzz_problem,   fuzz_renewal, fuzz_chain,
                                        fuzz_header,    fuzz_dns };
  static const char *const given[] = { "w.test", "*.w.test", "127.0.0.1", NULL };
  g_auto (AcmeProblem) problem = { 0 };
  g_autoptr (GPtrArray) names = NULL;
  g_autofree char *body = size > 1 ? g_memdup2 (data + 1, size - 1) : g_malloc (1);
  g_autofree char *remedy = NULL;

  if (size == 0)
    return 0;
  names = acme_names_new (given, &problem);
  /* A letter, so that a corpus can be read and written by hand. */
  targets[(guint8) (data[0] - 97) % G_N_ELEMENTS (targets)](body, size - 1, names, &problem);
  g_assert (problem.type == NULL || g_utf8_validate (problem.detail, -1, NULL));
  g_assert (problem.type == NULL || g_utf8_validate (problem.type, -1, NULL));
  remedy = acme_problem_make_remedy (&problem, "challenge", "http-01", NULL);
  g_assert (*remedy != '\0' && g_utf8_validate (remedy, -1, NULL));
  return 0;
}
