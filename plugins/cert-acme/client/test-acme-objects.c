/* test-acme-objects.c: what a CA's objects and problems mean, odd ones included.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "acme-authorization.h"
#include "acme-directory.h"
#include "acme-order.h"
#include "acme-renewal.h"

#include <string.h>

#define DIRECTORY \
  "\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/o\""

static void
read_directory (AcmeDirectory *directory, const char *text)
{
  g_auto (AcmeProblem) problem = { 0 };
  gboolean good = acme_directory_read (directory, text, strlen (text), &problem);

  g_assert_cmpstr (problem.detail, ==, NULL);
  g_assert_true (good);
}

static void
test_directory (void)
{
  AcmeDirectory directory;

  read_directory (&directory,
                  "{" DIRECTORY ",\"keyChange\":null,\"renewalInfo\":\"https://ca/r\","
                  "\"uXzF\":\"https://ca/random\",\"meta\":{\"termsOfService\":\"https://ca/t\","
                  "\"externalAccountRequired\":true,\"profiles\":{\"a\":\"b\",\"c\":null}}}");
  g_assert_cmpstr (directory.new_nonce, ==, "https://ca/n");
  g_assert_cmpstr (directory.new_account, ==, "https://ca/a");
  g_assert_cmpstr (directory.new_order, ==, "https://ca/o");
  g_assert_cmpstr (directory.renewal_info, ==, "https://ca/r");
  g_assert_cmpstr (directory.terms, ==, "https://ca/t");
  g_assert_null (directory.key_change);
  g_assert_null (directory.revoke_cert);
  g_assert_true (directory.wants_external_account);
  g_assert_true (acme_directory_has_profile (&directory, "c"));
  acme_directory_clear (&directory);
}

static void
test_directory_refused (void)
{
  static const struct {
    const char *text, *words;
  } cases[] = {
    { "<html>", "no ACME directory" },
    { "[]", "not an object" },
    { "{}", "newNonce" },
    { "{\"newNonce\":\"https://ca/n\",\"newAccount\":\"https://ca/a\"}", "newOrder" },
    { "{\"newNonce\":\"https://ca/n\",\"newAccount\":7,\"newOrder\":\"https://ca/o\"}",
      "newAccount" },
    { "{\"newNonce\":\"http://ca/n\",\"newAccount\":\"https://ca/a\",\"newOrder\":\"https://ca/"
      "o\"}",
      "newNonce" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AcmeDirectory directory;
      g_auto (AcmeProblem) problem = { 0 };

      g_assert_false (
          acme_directory_read (&directory, cases[i].text, strlen (cases[i].text), &problem));
      g_assert_cmpstr (problem.type, ==, "protocol");
      g_assert_nonnull (strstr (problem.detail, cases[i].words));
      acme_directory_clear (&directory);
    }
}

static void
test_profiles (void)
{
  static const struct {
    const char *directory, *wish;
    gboolean has_address;
    const char *wanted; /* NULL: none */
    const char *words;  /* of the remedy; NULL: it is taken */
  } cases[] = {
    { "{" DIRECTORY "}", "auto", TRUE, NULL, NULL },
    { "{" DIRECTORY "}", "classic", FALSE, NULL, "has none" },
    { "{" DIRECTORY ",\"meta\":{\"profiles\":{\"classic\":\"x\",\"shortlived\":\"y\"}}}", "auto",
      TRUE, "shortlived", NULL },
    { "{" DIRECTORY ",\"meta\":{\"profiles\":{\"classic\":\"x\",\"shortlived\":\"y\"}}}", "auto",
      FALSE, NULL, NULL },
    { "{" DIRECTORY ",\"meta\":{\"profiles\":{\"classic\":\"x\"}}}", "auto", TRUE, NULL, NULL },
    { "{" DIRECTORY ",\"meta\":{\"profiles\":{\"classic\":\"x\"}}}", "classic", TRUE, "classic",
      NULL },
    { "{" DIRECTORY ",\"meta\":{\"profiles\":{\"classic\":\"x\"}}}", "shortlived", TRUE, NULL,
      "classic" },
    { "{" DIRECTORY ",\"meta\":{\"profiles\":[\"classic\"]}}", "classic", TRUE, NULL, "has none" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      AcmeDirectory directory;
      g_auto (AcmeProblem) problem = { 0 };
      const char *profile;

      read_directory (&directory, cases[i].directory);
      g_assert_cmpint (acme_directory_choose_profile (&directory, cases[i].wish,
                                                      cases[i].has_address, &profile, &problem),
                       ==, cases[i].words == NULL);
      g_assert_cmpstr (profile, ==, cases[i].wanted);
      if (cases[i].words != NULL)
        {
          g_assert_true (acme_problem_is (&problem, "invalidProfile"));
          g_assert_nonnull (strstr (problem.remedy, cases[i].words));
        }
      acme_directory_clear (&directory);
    }
}

/* Orders -------------------------------------------------------------------------------------- */

static void
test_order (void)
{
  g_auto (AcmeOrder) order = { 0 };
  g_auto (AcmeProblem) problem = { 0 };
  const char *first = "{\"status\":\"pending\",\"authorizations\":[\"https://ca/z/1\"],"
                      "\"finalize\":\"https://ca/f\",\"profile\":\"classic\",\"error\":null}";
  /* An answer that repeats little, and has the certificate before it is valid. */
  const char *second = "{\"status\":\"processing\",\"certificate\":\"https://ca/c\"}";

  g_assert_true (acme_order_read (&order, first, strlen (first), &problem));
  g_assert_cmpint (order.state, ==, ACME_ORDER_PENDING);
  g_assert_cmpstr (order.authorizations[0], ==, "https://ca/z/1");
  g_assert_true (acme_order_read (&order, second, strlen (second), &problem));
  g_assert_cmpint (order.state, ==, ACME_ORDER_PROCESSING);
  g_assert_cmpstr (order.finalize, ==, "https://ca/f");
  g_assert_cmpstr (order.certificate, ==, "https://ca/c");
  g_assert_cmpstr (order.profile, ==, "classic");
  g_assert_cmpuint (g_strv_length (order.authorizations), ==, 1);
}

static void
test_order_odd (void)
{
  static const struct {
    const char *text;
    int state; /* -1: refused */
  } cases[] = {
    { "{\"status\":\"ready\",\"authorizations\":[]}", ACME_ORDER_READY },
    { "{\"status\":\"ready\",\"authorizations\":null,\"certificate\":null}", ACME_ORDER_READY },
    { "{\"status\":\"valid\",\"certificate\":\"https://ca/c\"}", ACME_ORDER_VALID },
    { "{\"status\":\"invalid\",\"error\":{\"type\":\"x\",\"detail\":\"y\"}}", ACME_ORDER_INVALID },
    { "{\"status\":\"invalid\",\"error\":\"x\"}", ACME_ORDER_INVALID },
    { "{\"status\":\"pending\",\"authorizations\":[7,{},null]}", ACME_ORDER_PENDING },
    { "{\"status\":\"paused\"}", -1 },
    { "{\"status\":7}", -1 },
    { "{}", -1 },
    { "", -1 },
    { "{\"status\":\"pending\",\"authorizations\":[\"http://ca/z/1\"]}", -1 },
    { "{\"status\":\"pending\",\"finalize\":\"file:///etc/passwd\"}", -1 },
    { "{\"status\":\"valid\",\"certificate\":\"/c\"}", -1 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeOrder) order = { 0 };
      g_auto (AcmeProblem) problem = { 0 };
      gboolean good = acme_order_read (&order, cases[i].text, strlen (cases[i].text), &problem);

      g_test_message ("%s", cases[i].text);
      g_assert_cmpint (good, ==, cases[i].state >= 0);
      g_assert_cmpstr (problem.type, ==, good ? NULL : "protocol");
      if (good)
        g_assert_cmpint ((int) order.state, ==, cases[i].state);
    }
}

/* Authorisations ------------------------------------------------------------------------------ */

static const char *const wanted[] = { "tls-alpn-01", "http-01", "dns-01", NULL };

static GPtrArray *
make_names (const char *const *given)
{
  g_auto (AcmeProblem) problem = { 0 };
  GPtrArray *names = acme_names_new (given, &problem);

  g_assert_cmpstr (problem.detail, ==, NULL);
  return names;
}

static gboolean
read_authorization (AcmeAuthorization *authorization, const char *text, const GPtrArray *names)
{
  g_auto (AcmeProblem) problem = { 0 };
  gboolean good = acme_authorization_read (authorization, text, strlen (text), names, &problem);

  g_assert_cmpstr (problem.type, ==, good ? NULL : "protocol");
  return good;
}

#define CHALLENGE(type, status)                                                                   \
  "{\"type\":\"" type "\",\"url\":\"https://ca/" type "\",\"token\":\"tok\",\"status\":\"" status \
  "\"}"
#define IDENTIFIER(value) "\"identifier\":{\"type\":\"dns\",\"value\":\"" value "\"}"

static void
test_choice (void)
{
  static const struct {
    const char *challenges;
    const char *after;
    const char *wanted;
  } cases[] = {
    { CHALLENGE ("dns-01", "pending") "," CHALLENGE ("http-01", "pending"), NULL, "http-01" },
    { CHALLENGE ("dns-01", "pending") "," CHALLENGE ("http-01", "pending"), "http-01", "dns-01" },
    { CHALLENGE ("dns-01", "pending") "," CHALLENGE ("http-01", "pending"), "dns-01", NULL },
    { CHALLENGE ("tls-alpn-01", "pending") "," CHALLENGE ("http-01", "pending"), NULL,
      "tls-alpn-01" },
    /* Answered by an earlier run: another one would be refused. */
    { CHALLENGE ("tls-alpn-01", "pending") "," CHALLENGE ("http-01", "processing"), NULL,
      "http-01" },
    { CHALLENGE ("tls-alpn-01", "invalid"), NULL, NULL },
    { "{\"type\":\"dns-persist-01\",\"url\":\"https://ca/p\"}," CHALLENGE ("new-01", "pending"),
      NULL, NULL },
    { "7,null,{},{\"type\":7},{\"type\":\"http-01\"}," CHALLENGE ("dns-01", "pending"), NULL,
      "dns-01" },
    { "{\"type\":\"http-01\",\"url\":\"https://ca/1\",\"token\":\"../../etc/passwd\"}", NULL,
      NULL },
    { "{\"type\":\"http-01\",\"url\":\"http://ca/1\",\"token\":\"tok\"}", NULL, NULL },
    { "", NULL, NULL },
  };
  static const char *const given[] = { "w.test", NULL };
  g_autoptr (GPtrArray) names = make_names (given);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeAuthorization) authorization = { 0 };
      g_autofree char *text = g_strdup_printf (
          "{\"status\":\"pending\"," IDENTIFIER ("w.test") ",\"challenges\":[%s]}",
          cases[i].challenges);
      const AcmeChallenge *challenge;

      g_test_message ("%s", text);
      g_assert_true (read_authorization (&authorization, text, names));
      challenge = acme_authorization_choose (&authorization, wanted, cases[i].after);
      g_assert_cmpstr (challenge != NULL ? challenge->type : NULL, ==, cases[i].wanted);
    }
}

static void
test_authorization_names (void)
{
  static const struct {
    const char *text;
    const char *name; /* NULL: refused */
  } cases[] = {
    { "{\"status\":\"valid\"," IDENTIFIER ("w.test") "}", "W.test." },
    { "{\"status\":\"valid\"," IDENTIFIER ("W.TEST") ",\"wildcard\":false}", "W.test." },
    { "{\"status\":\"valid\"," IDENTIFIER ("w.test") ",\"wildcard\":true}", "*.w.test" },
    { "{\"status\":\"valid\"," IDENTIFIER ("*.w.test") "}", "*.w.test" },
    { "{\"status\":\"valid\"," IDENTIFIER ("2001:db8:0::5") "}", "2001:db8::5" },
    { "{\"status\":\"valid\"," IDENTIFIER ("xn--bcher-kva.test") "}", "bücher.test" },
    { "{\"status\":\"valid\"," IDENTIFIER ("other.test") "}", NULL },
    { "{\"status\":\"valid\"," IDENTIFIER ("2001:db8::5") ",\"wildcard\":true}", NULL },
    { "{\"status\":\"valid\",\"identifier\":7}", NULL },
    { "{" IDENTIFIER ("w.test") "}", NULL },
  };
  static const char *const given[] = { "W.test.", "*.w.test", "2001:db8::5", "bücher.test", NULL };
  g_autoptr (GPtrArray) names = make_names (given);

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeAuthorization) authorization = { 0 };
      gboolean good = read_authorization (&authorization, cases[i].text, names);

      g_test_message ("%s", cases[i].text);
      g_assert_cmpint (good, ==, cases[i].name != NULL);
      if (good)
        g_assert_cmpstr (authorization.name->given, ==, cases[i].name);
    }
}

static void
test_authorization_failed (void)
{
  static const char *const given[] = { "w.test", NULL };
  g_autoptr (GPtrArray) names = make_names (given);
  g_auto (AcmeAuthorization) authorization = { 0 };
  g_autofree char *remedy = NULL;

  g_assert_true (read_authorization (
      &authorization,
      "{\"status\":\"invalid\"," IDENTIFIER (
          "w.test") ",\"challenges\":[{\"type\":\"http-01\",\"status\":\"invalid\",\"error\":"
                    "{\"type\":\"urn:ietf:params:acme:error:connection\",\"detail\":\"203.0.113.5: "
                    "Fetching http://w.test/: Timeout\"},\"validationRecord\":[{\"addressUsed\":"
                    "\"203.0.113.4\"},{\"addressUsed\":\"203.0.113.5\",\"port\":\"80\"}]}]}",
      names));
  g_assert_cmpint (authorization.state, ==, ACME_AUTHORIZATION_OVER);
  g_assert_cmpstr (authorization.failed, ==, "http-01");
  g_assert_cmpstr (authorization.problem.address, ==, "203.0.113.5 port 80");
  remedy = acme_problem_make_remedy (&authorization.problem, "challenge", "http-01", "w.test");
  g_assert_nonnull (strstr (remedy, "tried 203.0.113.5 port 80"));
  g_assert_nonnull (strstr (remedy, "Open TCP port 80"));
}

/* Problems ------------------------------------------------------------------------------------ */

static void
test_problem (void)
{
  g_auto (AcmeProblem) problem = { 0 };
  const char *body = "{\"type\":\"urn:ietf:params:acme:error:malformed\",\"detail\":\"Some are "
                     "\\u001b[31mrefused\","
                     "\"status\":400,\"subproblems\":[{\"type\":\"urn:ietf:params:acme:error:caa\","
                     "\"detail\":\"CAA "
                     "forbids\",\"identifier\":{\"type\":\"dns\",\"value\":\"w.test\"}},7,null]}";

  g_assert_false (acme_problem_set_body (&problem, 403, body, strlen (body)));
  g_assert_true (acme_problem_is (&problem, "malformed"));
  g_assert_cmpuint (problem.status, ==, 403);
  g_assert_cmpstr (problem.detail, ==, "Some are  [31mrefused; w.test: CAA forbids");
  g_assert_cmpstr (problem.name, ==, "w.test");
}

static void
test_problem_odd (void)
{
  static const struct {
    const char *body, *type, *words;
  } cases[] = {
    { "", "protocol", "status 502 without a word" },
    { "<html>Bad\r\n gateway</html>", "protocol", "status 502: <html>Bad" },
    { "{}", "protocol", "status 502: {}" },
    { "{\"type\":null,\"detail\":7}", "protocol", "status 502" },
    { "{\"detail\":\"only words\"}", "about:blank", "only words" },
    { "{\"type\":\"urn:x\"}", "urn:x", "no reason" },
    { "{\"type\":\"urn:x\",\"title\":\"a title\"}", "urn:x", "a title" },
    { "\xff\xfe", "protocol", "status 502: " },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeProblem) problem = { 0 };

      acme_problem_set_body (&problem, 502, cases[i].body, strlen (cases[i].body));
      g_test_message ("%s", problem.detail);
      g_assert_cmpstr (problem.type, ==, cases[i].type);
      g_assert_nonnull (strstr (problem.detail, cases[i].words));
      g_assert_true (g_utf8_validate (problem.detail, -1, NULL));
    }
}

static void
test_problem_long (void)
{
  g_auto (AcmeProblem) problem = { 0 };
  g_autoptr (GString) body = g_string_new ("{\"type\":\"urn:x\",\"detail\":\"");

  for (guint i = 0; i < 10000; i++)
    g_string_append (body, "ä");
  g_string_append (body, "\"}");
  acme_problem_set_body (&problem, 400, body->str, body->len);
  g_assert_cmpuint (strlen (problem.detail), <=, 2048);
  g_assert_true (g_utf8_validate (problem.detail, -1, NULL));
}

static void
test_problem_profile (void)
{
  static const struct {
    const char *type, *detail;
    gboolean wanted;
  } cases[] = {
    { ACME_PROBLEM_URN "invalidProfile", "x", TRUE },
    { ACME_PROBLEM_URN "malformed", "Order has a Profile that is not known", TRUE },
    { ACME_PROBLEM_URN "unauthorized", "account is not permitted to use profile x", TRUE },
    { ACME_PROBLEM_URN "malformed", "no such thing", FALSE },
    { ACME_PROBLEM_URN "rateLimited", "of the profile", FALSE },
    { "invalidProfile", "x", FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeProblem) problem = { 0 };

      acme_problem_set (&problem, cases[i].type, "%s", cases[i].detail);
      g_assert_cmpint (acme_problem_is_profile (&problem), ==, cases[i].wanted);
    }
}

static void
test_remedies (void)
{
  static const struct {
    const char *type, *step, *challenge;
    gint64 retry_after_s;
    const char *words;
  } cases[] = {
    { ACME_PROBLEM_URN "rateLimited", "order", NULL, 3600, "Rate limited until 20" },
    { ACME_PROBLEM_URN "rateLimited", "order", NULL, 0, "letsencrypt-staging" },
    { ACME_PROBLEM_URN "caa", "challenge", "http-01", 0, "CAA record of w.test" },
    { ACME_PROBLEM_URN "dns", "challenge", "http-01", 0, "A or AAAA record" },
    { ACME_PROBLEM_URN "connection", "challenge", "tls-alpn-01", 0, "TCP port 443 of w.test" },
    { ACME_PROBLEM_URN "connection", "challenge", "http-01", 0, "TCP port 80 of w.test" },
    { ACME_PROBLEM_URN "tls", "challenge", "tls-alpn-01", 0, "challenge = http-01" },
    { ACME_PROBLEM_URN "unauthorized", "challenge", "http-01", 0, ".well-known" },
    { ACME_PROBLEM_URN "unauthorized", "challenge", "dns-01", 0, "_acme-challenge.w.test" },
    { ACME_PROBLEM_URN "externalAccountRequired", "account", NULL, 0, "eab-kid" },
    { ACME_PROBLEM_URN "unheardOf", "account", NULL, 0, "what the CA says" },
    { "network", "directory", NULL, 0, "https_proxy" },
    { "tls", "directory", NULL, 0, "ca-file" },
    { "timeout", "order", NULL, 0, "firewall" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeProblem) problem = { 0 };
      g_autofree char *remedy = NULL;

      acme_problem_set (&problem, cases[i].type, "x");
      problem.retry_after_s = cases[i].retry_after_s;
      remedy = acme_problem_make_remedy (&problem, cases[i].step, cases[i].challenge, "w.test");
      g_test_message ("%s", remedy);
      g_assert_nonnull (strstr (remedy, cases[i].words));
    }
}

/* Renewal information ------------------------------------------------------------------------- */

#define WINDOW(start, end) "{\"suggestedWindow\":{\"start\":\"" start "\",\"end\":\"" end "\"}}"

static void
test_renewal (void)
{
  static const struct {
    const char *text;
    gint64 start_s, end_s; /* 0: refused */
  } cases[] = {
    { WINDOW ("2026-11-28T22:56:11Z", "2026-11-28T22:56:12Z"), 1795906571, 1795906572 },
    { WINDOW ("2026-11-28T23:56:11.25+01:00", "2026-11-28T22:56:13.5Z"), 1795906571, 1795906573 },
    { WINDOW ("2026-11-28T22:56:11Z", "2026-11-28T22:56:11Z"), 0, 0 },
    { WINDOW ("2026-11-28T22:56:12Z", "2026-11-28T22:56:11Z"), 0, 0 },
    { WINDOW ("2026-11-28T22:56:12Z", "later"), 0, 0 },
    { "{\"suggestedWindow\":{\"start\":\"2026-11-28T22:56:11Z\"}}", 0, 0 },
    { "{\"suggestedWindow\":null}", 0, 0 },
    { "{}", 0, 0 },
    { "{\"suggestedWindow\":", 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_auto (AcmeRenewal) renewal = { 0 };
      g_auto (AcmeProblem) problem = { 0 };
      gboolean good = acme_renewal_read (&renewal, cases[i].text, strlen (cases[i].text), &problem);

      g_assert_cmpint (good, ==, cases[i].end_s != 0);
      if (!good)
        continue;
      g_assert_cmpint (renewal.start_s, ==, cases[i].start_s);
      g_assert_cmpint (renewal.end_s, ==, cases[i].end_s);
    }
}

static void
test_renewal_again (void)
{
  g_assert_cmpint (acme_renewal_ask_again_s (0), ==, 21600);
  g_assert_cmpint (acme_renewal_ask_again_s (1), ==, 60);
  g_assert_cmpint (acme_renewal_ask_again_s (7200), ==, 7200);
  g_assert_cmpint (acme_renewal_ask_again_s (G_MAXINT64), ==, 86400);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/acme-objects/directory", test_directory);
  g_test_add_func ("/acme-objects/directory-refused", test_directory_refused);
  g_test_add_func ("/acme-objects/profiles", test_profiles);
  g_test_add_func ("/acme-objects/order", test_order);
  g_test_add_func ("/acme-objects/order-odd", test_order_odd);
  g_test_add_func ("/acme-objects/choice", test_choice);
  g_test_add_func ("/acme-objects/authorization-names", test_authorization_names);
  g_test_add_func ("/acme-objects/authorization-failed", test_authorization_failed);
  g_test_add_func ("/acme-objects/problem", test_problem);
  g_test_add_func ("/acme-objects/problem-odd", test_problem_odd);
  g_test_add_func ("/acme-objects/problem-long", test_problem_long);
  g_test_add_func ("/acme-objects/problem-profile", test_problem_profile);
  g_test_add_func ("/acme-objects/remedies", test_remedies);
  g_test_add_func ("/acme-objects/renewal", test_renewal);
  g_test_add_func ("/acme-objects/renewal-again", test_renewal_again);
  return g_test_run ();
}
