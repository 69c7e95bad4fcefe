/* acme-remedy.c: what an operator can do about a failed run.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-problem.h"

#include <string.h>

/* By the type of the problem, wherever it happens. */
static const struct {
  const char *type;
  const char *remedy;
} remedies[] = {
  { "accountDoesNotExist",
    "The CA does not know the account any more. Remove its account-*.json from the folder acme of "
    "the state directory; the next try makes a new one." },
  { "alreadyReplaced", "Another order has replaced this certificate already. Nothing has to be "
                       "done; the next order is made without the mention." },
  { "alreadyRevoked", "The certificate is revoked already. Nothing has to be done." },
  { "badCSR", "The CA does not take the request. Try another key-type; if the name is new, see "
              "whether the CA certifies such names." },
  { "badPublicKey", "The CA does not take this kind of key. Set another key-type." },
  { "badRevocationReason", "The CA does not take this reason. Use another one, or none." },
  { "badSignatureAlgorithm", "The CA wants accounts with another kind of key than P-256, which "
                             "Detour does not have. Use another CA." },
  { "externalAccountRequired", "This CA wants to know who you are. Get a key id and a key from "
                               "your account there and set eab-kid and eab-key-file." },
  { "invalidContact", "The CA does not take the address in email. Correct it or leave it out." },
  { "invalidProfile", "The CA does not have this profile for you. Set profile = auto, or one of "
                      "those that the CA lists." },
  { "orderNotReady", "The CA is not done with its checks. The next try asks again." },
  { "serverInternal", "The CA has trouble of its own. Detour tries again by itself; the CA's "
                      "status page may know more." },
  { "unsupportedContact", "The CA does not take the address in email. Leave email out." },
  { "unsupportedIdentifier", "The CA does not certify names of this kind. For an address the CA "
                             "must have a profile for addresses, such as shortlived." },
  { "timeout", "The answer took too long. See whether this host reaches the CA (firewall, proxy, "
               "name server); Detour tries again by itself." },
  { "network", "This host does not reach the CA. Check its name servers, its way out on port 443, "
               "and https_proxy if there has to be a proxy." },
  { "tls", "The CA's own certificate is not trusted here. For a private CA set ca-file; otherwise "
           "check the clock of this host and the package ca-certificates." },
  { "protocol", "The CA's answer was not as it should be. Check directory-url; if it is right, try "
                "again later." },
  { "input", "The request to the ACME client was wrong, which is a fault of Detour or of the "
             "configuration: compare names, profile and key-type with the manual." },
};

static const char *
acme_remedy_by_type (const AcmeProblem *self)
{
  for (guint i = 0; i < G_N_ELEMENTS (remedies); i++)
    if (g_strcmp0 (self->type, remedies[i].type) == 0 || acme_problem_is (self, remedies[i].type))
      return remedies[i].remedy;
  return NULL;
}

static char *
acme_remedy_port (const AcmeProblem *self, const char *challenge, const char *name)
{
  guint port = g_strcmp0 (challenge, "tls-alpn-01") == 0 ? 443 : 80;

  if (self->address != NULL)
    return g_strdup_printf ("The CA tried %s and did not reach it. Open TCP port %u of that "
                            "address to the whole world and let it lead to this relay, or "
                            "correct the address in the DNS.",
                            self->address, port);
  return g_strdup_printf ("The CA did not reach TCP port %u of %s. Open the port to the whole "
                          "world, and see whether the DNS has this host's addresses (A and AAAA) "
                          "and no others.",
                          port, name);
}

/* A challenge that was looked at and not found right. */
static char *
acme_remedy_challenge (const AcmeProblem *self, const char *challenge, const char *name)
{
  const char *address = self->address != NULL ? self->address : "the address in the DNS";

  if (g_strcmp0 (challenge, "dns-01") == 0)
    return g_strdup_printf ("The CA did not find the right TXT record at _acme-challenge.%s. See "
                            "whether dns-hook writes into the zone that the world sees, and "
                            "whether every name server of the zone has it.",
                            g_str_has_prefix (name, "*.") ? name + 2 : name);
  if (g_strcmp0 (challenge, "tls-alpn-01") == 0)
    return g_strdup_printf ("The CA asked %s port 443, and something else than this relay "
                            "answered. Nothing that ends TLS may stand in front of it; else use "
                            "challenge = http-01.",
                            address);
  return g_strdup_printf ("The CA asked %s port 80, and something else than this relay answered. "
                          "Let requests below /.well-known/acme-challenge/ of %s come to this "
                          "relay, or correct the DNS.",
                          address, name);
}

static char *
acme_remedy_rate (const AcmeProblem *self)
{
  g_autofree char *until = NULL;
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();

  if (self->retry_after_s > 0 && self->retry_after_s < 10 * 365 * G_GINT64_CONSTANT (86400))
    {
      g_autoptr (GDateTime) then = g_date_time_add_seconds (now, (double) self->retry_after_s);

      until = g_date_time_format (then, "Rate limited until %Y-%m-%d %H:%M:%S UTC. ");
    }
  return g_strdup_printf ("%sWait; trying more often makes it worse. While you test, use "
                          "directory-url = letsencrypt-staging.%s%s",
                          until != NULL ? until : "", self->help != NULL ? " See " : "",
                          self->help != NULL ? self->help : "");
}

char *
acme_problem_make_remedy (const AcmeProblem *self, const char *step, const char *challenge,
                          const char *name)
{
  const char *remedy;

  if (self->remedy != NULL)
    return g_strdup (self->remedy);
  if (name == NULL)
    name = self->name != NULL ? self->name : "the name";
  if (acme_problem_is (self, "rateLimited"))
    return acme_remedy_rate (self);
  if (acme_problem_is (self, "userActionRequired"))
    return g_strdup_printf ("The CA wants something from you first, such as consent to its terms: "
                            "%s",
                            self->help != NULL ? self->help : "see the CA's site.");
  if (acme_problem_is (self, "caa"))
    return g_strdup_printf ("A CAA record of %s (or of a domain above it) does not let this CA "
                            "certify it. Add a CAA record with the CA's domain, or remove the one "
                            "that forbids it.",
                            name);
  if (acme_problem_is (self, "dns"))
    return g_strdup_printf ("The CA cannot resolve %s. Create its A or AAAA record, or its TXT "
                            "record for dns-01, and see whether every name server of the zone "
                            "answers (DNSSEC included).",
                            name);
  if (acme_problem_is (self, "rejectedIdentifier"))
    return g_strdup_printf ("The CA does not certify %s by its policy. Use a name of your own, or "
                            "another CA.",
                            name);
  if (challenge != NULL && acme_problem_is (self, "connection"))
    return acme_remedy_port (self, challenge, name);
  if (challenge != NULL
      && (acme_problem_is (self, "unauthorized") || acme_problem_is (self, "incorrectResponse")
          || acme_problem_is (self, "tls")))
    return acme_remedy_challenge (self, challenge, name);
  if (g_strcmp0 (step, "account") == 0
      && (acme_problem_is (self, "unauthorized") || acme_problem_is (self, "malformed")))
    return g_strdup ("The CA does not take this account. It was deactivated, or eab-kid and "
                     "eab-key-file are not right for this CA.");
  if (acme_problem_is (self, "unauthorized"))
    return g_strdup ("The CA does not let this account do that. If the account was deactivated, "
                     "remove its account-*.json from the folder acme of the state directory; the "
                     "next try makes a new one.");
  if ((remedy = acme_remedy_by_type (self)) != NULL)
    return g_strdup (remedy);
  if (self->status >= 500)
    return g_strdup ("The CA has trouble of its own. Detour tries again by itself; the CA's "
                     "status page may know more.");
  return g_strdup ("Read what the CA says; it knows more than this program.");
}
