/* test-verdict-cache.c: verdicts hold for a while and for the same question; grace remembers who
 * was allowed.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-cache.h"

static DetourKey
key (guint n)
{
  DetourKey key = { { 0 } };

  memcpy (key.bytes, &n, sizeof n);
  return key;
}

static void
put (DetourVerdictCache *cache, guint n, guint64 hash, DetourAuthResult result, gint64 now_us,
     gint64 until_us)
{
  DetourKey k = key (n);
  DetourAuthVerdict verdict = { .result = result, .label = "somebody", .reason = "just so" };

  detour_verdict_cache_put (cache, &k, hash, &verdict, now_us, until_us);
}

/* "allow", "deny", or "-". */
static const char *
find (DetourVerdictCache *cache, guint n, guint64 hash, gint64 now_us)
{
  DetourKey k = key (n);
  DetourRemembered out;

  if (!detour_verdict_cache_find (cache, &k, hash, now_us, &out))
    return "-";
  g_assert_cmpstr (out.label, ==, "somebody");
  g_assert_cmpstr (out.reason, ==, "just so");
  return out.result == DETOUR_AUTH_ALLOW ? "allow" : "deny";
}

static gboolean
allowed_since (DetourVerdictCache *cache, guint n, gint64 since_us)
{
  DetourKey k = key (n);
  DetourRemembered out;

  return detour_verdict_cache_find_allowed (cache, &k, since_us, &out);
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
test_question (void)
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

/* Who was asked about least recently goes first; a flood of strangers displaces no friend. */
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
  g_test_add_func ("/verdict-cache/holds-for-the-same-question", test_question);
  g_test_add_func ("/verdict-cache/the-last-verdict-counts", test_last_counts);
  g_test_add_func ("/verdict-cache/who-was-allowed-stays-known", test_grace);
  g_test_add_func ("/verdict-cache/forgetting-keeps-who-was-allowed", test_forget);
  g_test_add_func ("/verdict-cache/is-bounded", test_bounds);
  return g_test_run ();
}
