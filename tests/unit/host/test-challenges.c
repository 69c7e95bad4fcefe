/* test-challenges.c: answers to challenges of ACME, from their presenting to their end.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-challenges.h"

#include <sodium.h>
#include <string.h>

#include "test-program.h"

#define TOKEN      "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
#define THUMBPRINT "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
#define AUTH       TOKEN "." THUMBPRINT
#define NOW        ((gint64) 1000)

static gboolean
present (DetourChallenges *self, const char *type, const char *identifier, const char *token,
         const char *auth, GError **error)
{
  return detour_challenges_present (self, "cert/main", type, identifier, token, auth, NOW, error);
}

static void
http_by_token (void)
{
  g_autoptr (DetourChallenges) self = detour_challenges_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *answer = NULL;
  DetourTlsChallenge tls;

  g_assert_null (detour_challenges_find_http (self, TOKEN, NOW));
  g_assert_true (present (self, "http-01", "relay.example", TOKEN, AUTH, &error));
  g_assert_no_error (error);
  answer = detour_challenges_find_http (self, TOKEN, NOW);
  g_assert_cmpstr (answer, ==, AUTH);
  g_assert_null (detour_challenges_find_http (self, "other", NOW));
  g_assert_false (detour_challenges_find_tls (self, "relay.example", NOW, &tls));
  g_assert_true (
      detour_challenges_withdraw (self, "cert/main", "http-01", "Relay.Example.", TOKEN));
  g_assert_null (detour_challenges_find_http (self, TOKEN, NOW));
  g_assert_false (
      detour_challenges_withdraw (self, "cert/main", "http-01", "relay.example", TOKEN));
}

static const struct {
  const char *name, *identifier, *sni; /* sni NULL: refused */
  const char *says;                    /* the name in the certificate; NULL: an address */
} identifiers[] = {
  { "name", "Relay.Example", "relay.EXAMPLE", "relay.example" },
  { "final-dot-in-the-name", "relay.example.", "relay.example", "relay.example" },
  { "final-dot-on-the-wire", "relay.example", "relay.example.", "relay.example" },
  { "ipv4", "192.0.2.1", "1.2.0.192.in-addr.arpa", NULL },
  { "ipv6", "2001:db8::5",
    "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", NULL },
  { "ipv6-in-brackets", "[2001:DB8:0::5]",
    "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.IP6.ARPA", NULL },
  { "wildcard", "*.relay.example", NULL, NULL },
  { "empty", "", NULL, NULL },
  { "dot", ".", NULL, NULL },
  { "empty-label", "a..b", NULL, NULL },
  { "port", "relay.example:443", NULL, NULL },
  { "slash", "relay/example", NULL, NULL },
  { "name-in-brackets", "[relay.example]", NULL, NULL },
  { "bracket", "[", NULL, NULL },
};

static void
tls_by_name (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DetourChallenges) self = detour_challenges_new ();
  g_autoptr (GError) error = NULL;
  DetourTlsChallenge tls;
  guint8 digest[32];

  if (identifiers[i].sni == NULL)
    {
      g_assert_false (
          present (self, "tls-alpn-01", identifiers[i].identifier, TOKEN, AUTH, &error));
      g_assert_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_INVALID);
      return;
    }
  g_assert_true (present (self, "tls-alpn-01", identifiers[i].identifier, TOKEN, AUTH, &error));
  g_assert_no_error (error);
  g_assert_true (detour_challenges_find_tls (self, identifiers[i].sni, NOW, &tls));
  crypto_hash_sha256 (digest, (const guint8 *) AUTH, strlen (AUTH));
  g_assert_cmpmem (tls.digest, 32, digest, 32);
  g_assert_cmpstr (tls.name, ==, identifiers[i].says != NULL ? identifiers[i].says : "");
  g_assert_cmpuint (tls.address_len > 0, ==, identifiers[i].says == NULL);
  g_assert_false (detour_challenges_find_tls (self, "other.example", NOW, &tls));
  /* An address is asked for by its reverse name only. */
  if (identifiers[i].says == NULL)
    g_assert_false (detour_challenges_find_tls (self, identifiers[i].identifier, NOW, &tls));
  g_assert_null (detour_challenges_find_http (self, TOKEN, NOW));
}

static const struct {
  const char *name, *type, *token, *auth;
  gboolean good;
} answers[] = {
  { "http", "http-01", TOKEN, AUTH, TRUE },
  { "tls", "tls-alpn-01", TOKEN, AUTH, TRUE },
  { "tls-digest", "tls-alpn-01", TOKEN, THUMBPRINT, TRUE },
  { "http-digest", "http-01", TOKEN, THUMBPRINT, FALSE },
  { "dns", "dns-01", TOKEN, AUTH, FALSE },
  { "other-token", "http-01", "other", AUTH, FALSE },
  { "empty-token", "http-01", "", "." THUMBPRINT, FALSE },
  { "slash-in-the-token", "http-01", "a/b", "a/b." THUMBPRINT, FALSE },
  { "short-thumbprint", "http-01", "a", "a.b", FALSE },
  { "line-feed", "http-01", TOKEN, AUTH "\n", FALSE },
  { "tls-bad-digest", "tls-alpn-01", TOKEN, "!" THUMBPRINT, FALSE },
};

static void
forms (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  g_autoptr (DetourChallenges) self = detour_challenges_new ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (
      present (self, answers[i].type, "relay.example", answers[i].token, answers[i].auth, &error),
      ==, answers[i].good);
  g_assert_cmpint (error == NULL, ==, answers[i].good);
  g_assert_cmpuint (detour_challenges_count (self, NOW), ==, answers[i].good);
}

static void
end_of_time (void)
{
  g_autoptr (DetourChallenges) self = detour_challenges_new ();
  gint64 end = NOW + DETOUR_CHALLENGE_SPAN_US;
  g_autofree char *answer = NULL;
  DetourTlsChallenge tls;

  g_assert_true (present (self, "http-01", "a", TOKEN, AUTH, NULL));
  g_assert_true (present (self, "tls-alpn-01", "a", TOKEN, AUTH, NULL));
  answer = detour_challenges_find_http (self, TOKEN, end - 1);
  g_assert_nonnull (answer);
  g_assert_null (detour_challenges_find_http (self, TOKEN, end));
  g_assert_false (detour_challenges_find_tls (self, "a", end, &tls));
  g_assert_cmpuint (detour_challenges_count (self, end), ==, 0);
}

static void
owners (void)
{
  g_autoptr (DetourChallenges) self = detour_challenges_new ();
  g_autofree char *answer = NULL;

  g_assert_true (present (self, "http-01", "a", TOKEN, AUTH, NULL));
  g_assert_true (present (self, "http-01", "a", TOKEN, AUTH, NULL));
  g_assert_cmpuint (detour_challenges_count (self, NOW), ==, 1);
  g_assert_true (
      detour_challenges_present (self, "control", "http-01", "a", TOKEN, AUTH, NOW, NULL));
  g_assert_cmpuint (detour_challenges_count (self, NOW), ==, 2);
  detour_challenges_withdraw_all (self, "cert/main");
  answer = detour_challenges_find_http (self, TOKEN, NOW);
  g_assert_cmpstr (answer, ==, AUTH);
  detour_challenges_withdraw_all (self, "control");
  g_assert_cmpuint (detour_challenges_count (self, NOW), ==, 0);
}

/* As many as there may be, and one more, until the first of them are over. */
static void
full (void)
{
  g_autoptr (DetourChallenges) self = detour_challenges_new ();
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < DETOUR_CHALLENGES_MAX; i++)
    {
      g_autofree char *token = g_strdup_printf ("t%u", i);
      g_autofree char *auth = g_strconcat (token, "." THUMBPRINT, NULL);

      g_assert_true (present (self, "http-01", "a", token, auth, NULL));
    }
  g_assert_false (present (self, "http-01", "a", TOKEN, AUTH, &error));
  g_assert_error (error, DETOUR_CHALLENGE_ERROR, DETOUR_CHALLENGE_ERROR_FULL);
  g_assert_true (present (self, "http-01", "a", "t1", "t1." THUMBPRINT, NULL));
  g_assert_true (detour_challenges_present (self, "cert/main", "http-01", "a", TOKEN, AUTH,
                                            NOW + DETOUR_CHALLENGE_SPAN_US, NULL));
  g_assert_cmpuint (detour_challenges_count (self, NOW + DETOUR_CHALLENGE_SPAN_US), ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/challenges/http-by-token", http_by_token);
  g_test_add_func ("/challenges/end-of-time", end_of_time);
  g_test_add_func ("/challenges/owners", owners);
  g_test_add_func ("/challenges/full", full);
  TEST_ADD_ROWS ("/challenges/tls-by-name/", identifiers, tls_by_name);
  TEST_ADD_ROWS ("/challenges/forms/", answers, forms);
  return g_test_run ();
}
