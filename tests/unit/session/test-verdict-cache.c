/* test-verdict-cache.c: verdicts hold for a while and for an equal request; keys that were
 * allowed stay known.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-cache.h"

/* A request of key @n; @app tells those of the same key apart. */
static DetourAuthRequest *
request (guint n, guint app)
{
  g_autofree char *name = g_strdup_printf ("app%u", app);
  DetourAuthRequest fields = { .app_name = name };

  memcpy (fields.key, &n, sizeof n);
  return detour_auth_request_new (&fields);
}

static void
put (DetourVerdictCache *cache, guint n, guint app, DetourAuthResult result, gint64 now_us,
     gint64 until_us)
{
  g_autoptr (DetourAuthRequest) asked = request (n, app);
  const DetourVerdict fields = { .result = result, .instance = "auth/a" };
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (&fields);

  const DetourVerdictTerms terms = { .at_us = now_us, .until_us = until_us };

  detour_verdict_cache_put (cache, asked, verdict, &terms);
}

/* "allow", "deny", or "-". */
static const char *
find (DetourVerdictCache *cache, guint n, guint app, gint64 now_us)
{
  g_autoptr (DetourAuthRequest) asked = request (n, app);
  const DetourVerdict *verdict = detour_verdict_cache_find (cache, asked, now_us);

  if (verdict == NULL)
    return "-";
  return verdict->result == DETOUR_AUTH_ALLOW ? "allow" : "deny";
}

static gboolean
allowed_since (DetourVerdictCache *cache, guint n, gint64 since_us)
{
  g_autoptr (DetourAuthRequest) asked = request (n, 0);

  return detour_verdict_cache_find_allowed (cache, detour_auth_request_key (asked), since_us)
      != NULL;
}

static void
test_time (void)
{
  g_autoptr (DetourVerdictCache) cache = detour_verdict_cache_new (8, 8);

  g_assert_cmpstr (find (cache, 1, 5, 100), ==, "-");
  put (cache, 1, 5, DETOUR_AUTH_ALLOW, 100, 200);
  put (cache, 2, 5, DETOUR_AUTH_DENY, 100, 200);
  g_assert_cmpstr (find (cache, 1, 5, 199), ==, "allow");
  g_assert_cmpstr (find (cache, 2, 5, 199), ==, "deny");
  g_assert_cmpstr (find (cache, 1, 5, 200), ==, "-");
  g_assert_cmpstr (find (cache, 2, 5, 200), ==, "-");
  g_assert_cmpstr (find (cache, 3, 5, 100), ==, "-");
}

static void
test_request (void)
{
  g_autoptr (DetourVerdictCache) cache = detour_verdict_cache_new (8, 8);

  put (cache, 1, 5, DETOUR_AUTH_ALLOW, 100, 200);
  g_assert_cmpstr (find (cache, 1, 6, 100), ==, "-");
  g_assert_true (allowed_since (cache, 1, 100));
}

static void
test_last_counts (void)
{
  g_autoptr (DetourVerdictCache) cache = detour_verdict_cache_new (8, 8);

  put (cache, 1, 5, DETOUR_AUTH_ALLOW, 100, 200);
  put (cache, 1, 5, DETOUR_AUTH_DENY, 110, 210);
  g_assert_cmpstr (find (cache, 1, 5, 150), ==, "deny");
  g_assert_false (allowed_since (cache, 1, 0));
  put (cache, 1, 5, DETOUR_AUTH_ALLOW, 120, 220);
  g_assert_cmpstr (find (cache, 1, 5, 150), ==, "allow");
  g_assert_cmpuint (detour_verdict_cache_size (cache), ==, 1);

  /* A denial that is not remembered takes the grace all the same. */
  put (cache, 1, 5, DETOUR_AUTH_DENY, 130, 130);
  g_assert_cmpstr (find (cache, 1, 5, 130), ==, "-");
  g_assert_false (allowed_since (cache, 1, 0));
  g_assert_cmpuint (detour_verdict_cache_size (cache), ==, 0);
}

static void
test_grace (void)
{
  g_autoptr (DetourVerdictCache) cache = detour_verdict_cache_new (8, 8);

  put (cache, 1, 5, DETOUR_AUTH_ALLOW, 100, 100);
  g_assert_cmpstr (find (cache, 1, 5, 100), ==, "-");
  g_assert_true (allowed_since (cache, 1, 100));
  g_assert_false (allowed_since (cache, 1, 101));
  g_assert_false (allowed_since (cache, 2, 0));
}

static void
test_forget (void)
{
  g_autoptr (DetourVerdictCache) cache = detour_verdict_cache_new (8, 8);

  put (cache, 1, 5, DETOUR_AUTH_ALLOW, 100, 200);
  put (cache, 2, 5, DETOUR_AUTH_DENY, 100, 200);
  detour_verdict_cache_forget (cache);
  g_assert_cmpstr (find (cache, 1, 5, 110), ==, "-");
  g_assert_cmpstr (find (cache, 2, 5, 110), ==, "-");
  g_assert_true (allowed_since (cache, 1, 100));
  put (cache, 2, 5, DETOUR_AUTH_DENY, 120, 200);
  g_assert_cmpstr (find (cache, 2, 5, 130), ==, "deny");
}

/* The key that was used least recently goes first; a flood of strange keys displaces no friend. */
static void
test_bounds (void)
{
  g_autoptr (DetourVerdictCache) cache = detour_verdict_cache_new (4, 4);

  for (guint n = 0; n < 4; n++)
    put (cache, n, 5, DETOUR_AUTH_ALLOW, 100, 10000);
  g_assert_cmpstr (find (cache, 0, 5, 110), ==, "allow");
  put (cache, 4, 5, DETOUR_AUTH_ALLOW, 120, 10000);
  g_assert_cmpstr (find (cache, 0, 5, 130), ==, "allow");
  g_assert_cmpstr (find (cache, 1, 5, 130), ==, "-");

  for (guint n = 100; n < 1100; n++)
    put (cache, n, 5, DETOUR_AUTH_DENY, 200, 10000);
  g_assert_cmpuint (detour_verdict_cache_size (cache), ==, 8);
  g_assert_cmpstr (find (cache, 0, 5, 300), ==, "allow");
  g_assert_cmpstr (find (cache, 4, 5, 300), ==, "allow");
  g_assert_cmpstr (find (cache, 1095, 5, 300), ==, "-");
  g_assert_cmpstr (find (cache, 1099, 5, 300), ==, "deny");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/verdict-cache/holds-until-its-time", test_time);
  g_test_add_func ("/verdict-cache/holds-for-an-equal-request", test_request);
  g_test_add_func ("/verdict-cache/the-last-verdict-counts", test_last_counts);
  g_test_add_func ("/verdict-cache/allowed-keys-stay-known", test_grace);
  g_test_add_func ("/verdict-cache/forgetting-keeps-allowed-keys", test_forget);
  g_test_add_func ("/verdict-cache/is-bounded", test_bounds);
  return g_test_run ();
}
