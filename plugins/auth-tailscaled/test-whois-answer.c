/* test-whois-answer.c: each answer that tailscaled may give, and many that it should not.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "whois-answer.h"

#include <string.h>

static const struct {
  const char *path;
  long status;
  const char *body;
  const char *verdict; /* "allow LABEL", or a part of the reason behind its result */
} cases[] = {
  { "/whois-answer/node", 200,
    "{\n\t\"Node\": {\"ID\": 1, \"Name\": \"laptop.tail1234.ts.net.\", \"ComputedName\": "
    "\"laptop\"},\n"
    "\t\"UserProfile\": {\"LoginName\": \"anna@example.com\"},\n\t\"CapMap\": null\n}\n",
    "allow laptop (anna@example.com)" },
  { "/whois-answer/node-without-computed-name", 200,
    "{\"Node\":{\"Name\":\"laptop.tail1234.ts.net.\"}}", "allow laptop" },
  { "/whois-answer/user-only", 200,
    "{\"Node\":{},\"UserProfile\":{\"LoginName\":\"tagged-devices\"}}", "allow tagged-devices" },
  { "/whois-answer/empty-object", 200, "{}", "allow -" },
  { "/whois-answer/null", 200, "null", "allow -" },
  { "/whois-answer/null-members", 200, "{\"Node\":null,\"UserProfile\":null,\"CapMap\":null}",
    "allow -" },
  { "/whois-answer/odd-names", 200,
    "{\"Node\":{\"Name\":7,\"ComputedName\":[]},\"UserProfile\":{\"LoginName\":null}}", "allow -" },
  { "/whois-answer/cap-map", 200,
    "{\"CapMap\":{\"https://tailscale.com/cap/file-sharing\":[{\"a\":1}]}}", "allow -" },
  { "/whois-answer/expired", 200, "{\"Node\":{\"ID\":1,\"Expired\":true}}", "deny has expired" },
  { "/whois-answer/not-expired", 200, "{\"Node\":{\"Expired\":false}}", "allow -" },
  { "/whois-answer/oddly-expired", 200, "{\"Node\":{\"Expired\":\"true\"}}", "allow -" },
  { "/whois-answer/member-of-a-later-version", 200, "{\"Node\":{},\"Else\":[1,2]}", "allow -" },
  { "/whois-answer/empty", 200, "", "unavailable not JSON" },
  { "/whois-answer/garbage", 200, "<html>welcome</html>", "unavailable not JSON" },
  { "/whois-answer/half", 200, "{\"Node\": {\"ID\": 1", "unavailable not JSON" },
  { "/whois-answer/two-values", 200, "{} {}", "unavailable not JSON" },
  { "/whois-answer/array", 200, "[]", "unavailable not an object" },
  { "/whois-answer/string", 200, "\"yes\"", "unavailable not an object" },
  { "/whois-answer/true", 200, "true", "unavailable not an object" },
  { "/whois-answer/node-is-a-string", 200, "{\"Node\":\"yes\"}", "unavailable must be objects" },
  { "/whois-answer/profile-is-a-list", 200, "{\"Node\":{},\"UserProfile\":[]}",
    "unavailable must be objects" },
  { "/whois-answer/cap-map-is-a-number", 200, "{\"CapMap\":1}", "unavailable must be objects" },
  { "/whois-answer/bad-utf8", 200, "{\"Node\":{\"Name\":\"\xff\"}}", "unavailable not JSON" },
  { "/whois-answer/unknown", 404, "no match for IP:port", "deny does not know it" },
  { "/whois-answer/too-old", 400, "invalid 'addr' parameter\n", "unavailable too old" },
  { "/whois-answer/malformed", 400, "bad key", "unavailable status 400" },
  { "/whois-answer/in-use", 401, "", "unavailable status 401" },
  { "/whois-answer/forbidden", 403, "invalid localapi request", "unavailable status 403" },
  { "/whois-answer/internal", 500, "{\"error\":\"oops\"}", "unavailable status 500" },
  { "/whois-answer/no-content", 204, "", "unavailable status 204" },
  { "/whois-answer/moved", 302, "", "unavailable status 302" },
  { "/whois-answer/allowing-words-in-an-error", 500, "{\"Node\":{}}", "unavailable status 500" },
};

static void
test_case (gconstpointer data)
{
  static const char *const results[] = { "allow ", "deny ", "unavailable " };
  guint i = GPOINTER_TO_UINT (data);
  WhoisAnswer answer;
  const char *rest;

  whois_answer_judge (&answer, cases[i].status, cases[i].body, strlen (cases[i].body));
  g_test_message ("%s%s", results[answer.result], answer.reason != NULL ? answer.reason : "");
  g_assert_true (g_str_has_prefix (cases[i].verdict, results[answer.result]));
  rest = cases[i].verdict + strlen (results[answer.result]);
  if (answer.result == DETOUR_AUTH_ALLOW)
    g_assert_cmpstr (answer.label != NULL ? answer.label : "-", ==, rest);
  else
    g_assert_nonnull (strstr (answer.reason, rest));
  whois_answer_clear (&answer);
}

static void
test_prefixes (void)
{
  const char *whole = cases[0].body;

  for (gsize len = 0; len < strlen (whole) - 2; len++)
    {
      g_autofree char *part = g_memdup2 (whole, MAX (len, 1));
      WhoisAnswer answer;

      whois_answer_judge (&answer, 200, part, len);
      g_assert_cmpint (answer.result, ==, DETOUR_AUTH_UNAVAILABLE);
      whois_answer_clear (&answer);
    }
}

static void
test_too_long_or_deep (void)
{
  g_autoptr (GString) body = g_string_new ("{\"Node\":{}}");
  WhoisAnswer answer;

  while (body->len < WHOIS_ANSWER_MAX)
    g_string_append_c (body, ' ');
  whois_answer_judge (&answer, 200, body->str, body->len);
  g_assert_cmpint (answer.result, ==, DETOUR_AUTH_ALLOW);
  whois_answer_clear (&answer);
  g_string_append_c (body, ' ');
  whois_answer_judge (&answer, 200, body->str, body->len);
  g_assert_cmpint (answer.result, ==, DETOUR_AUTH_UNAVAILABLE);
  whois_answer_clear (&answer);

  g_string_assign (body, "{\"CapMap\":");
  for (guint i = 0; i < 100000; i++)
    g_string_append_c (body, '[');
  whois_answer_judge (&answer, 200, body->str, body->len);
  g_assert_cmpint (answer.result, ==, DETOUR_AUTH_UNAVAILABLE);
  whois_answer_clear (&answer);
}

static void
test_backend_state (void)
{
  static const struct {
    const char *body, *state;
  } states[] = {
    { "{\"Version\":\"1.82.0\",\"BackendState\":\"Running\"}", "Running" },
    { "{\"BackendState\":\"NeedsLogin\"}", "NeedsLogin" },
    { "{\"BackendState\":\"\"}", NULL },
    { "{\"BackendState\":1}", NULL },
    { "{}", NULL },
    { "[]", NULL },
    { "nonsense", NULL },
    { "", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    {
      g_autofree char *state = whois_answer_backend_state (states[i].body, strlen (states[i].body));

      g_assert_cmpstr (state, ==, states[i].state);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, GUINT_TO_POINTER (i), test_case);
  g_test_add_func ("/whois-answer/every-prefix-is-unavailable", test_prefixes);
  g_test_add_func ("/whois-answer/too-long-or-too-deep", test_too_long_or_deep);
  g_test_add_func ("/whois-answer/backend-state", test_backend_state);
  return g_test_run ();
}
