/* test-url-answer.c: what is asked of an admission server, and what its answers mean.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "url-answer.h"

#include <string.h>

#include "test-program.h"

static const struct {
  const char *name;
  guint status;
  const char *body;
  DetourAuthResult result;
  const char *reason; /* a part of it; NULL: there is none */
} cases[] = {
  /* As derper takes it. */
  { "allow", 200, "{\"Allow\":true}", DETOUR_AUTH_ALLOW, NULL },
  { "allow-with-line-feed", 200, "{\"Allow\":true}\n", DETOUR_AUTH_ALLOW, NULL },
  { "allow-in-small-letters", 200, "{\"allow\":true}", DETOUR_AUTH_ALLOW, NULL },
  { "others-are-ignored", 200, "{\"x\":[1],\"Allow\":true,\"y\":null}", DETOUR_AUTH_ALLOW, NULL },
  { "deny", 200, "{\"Allow\":false}", DETOUR_AUTH_DENY, "does not allow it" },
  { "nothing", 200, "{}", DETOUR_AUTH_DENY, "does not allow it" },
  { "null", 200, "{\"Allow\":null}", DETOUR_AUTH_DENY, "does not allow it" },
  /* No verdict. */
  { "no-json", 200, "<html>Welcome to the hotel</html>", DETOUR_AUTH_UNAVAILABLE, "is not JSON" },
  { "empty", 200, "", DETOUR_AUTH_UNAVAILABLE, "is not JSON" },
  { "something-behind-it", 200, "{\"Allow\":true} x", DETOUR_AUTH_UNAVAILABLE, "is not JSON" },
  { "half", 200, "{\"Allow\":tr", DETOUR_AUTH_UNAVAILABLE, "is not JSON" },
  { "array", 200, "[true]", DETOUR_AUTH_UNAVAILABLE, "not an object" },
  { "bare-true", 200, "true", DETOUR_AUTH_UNAVAILABLE, "not an object" },
  { "root-null", 200, "null", DETOUR_AUTH_UNAVAILABLE, "not an object" },
  { "allow-is-a-string", 200, "{\"Allow\":\"true\"}", DETOUR_AUTH_UNAVAILABLE,
    "Allow in its answer is not true or false" },
  { "allow-is-a-number", 200, "{\"Allow\":1}", DETOUR_AUTH_UNAVAILABLE, "not true or false" },
  { "allow-is-an-object", 200, "{\"Allow\":{}}", DETOUR_AUTH_UNAVAILABLE, "not true or false" },
  { "allow-twice", 200, "{\"Allow\":true,\"allow\":false}", DETOUR_AUTH_UNAVAILABLE,
    "Allow more than once" },
  { "label-is-a-number", 200, "{\"Allow\":true,\"Label\":1}", DETOUR_AUTH_UNAVAILABLE,
    "Label in its answer is not a string" },
  { "class-is-no-word", 200, "{\"Allow\":true,\"Class\":\"My friends\"}", DETOUR_AUTH_UNAVAILABLE,
    "Class in its answer is not a word" },
  { "ttl-is-a-string", 200, "{\"Allow\":true,\"TTLSeconds\":\"5\"}", DETOUR_AUTH_UNAVAILABLE,
    "TTLSeconds in its answer is not a number of seconds" },
  { "ttl-is-negative", 200, "{\"Allow\":true,\"TTLSeconds\":-1}", DETOUR_AUTH_UNAVAILABLE,
    "less than 0" },
  { "no-content", 204, "", DETOUR_AUTH_UNAVAILABLE, "status 204" },
  { "created", 201, "{\"Allow\":true}", DETOUR_AUTH_UNAVAILABLE, "status 201" },
  { "redirect", 302, "", DETOUR_AUTH_UNAVAILABLE, "redirects are not followed" },
  { "redirect-that-keeps-the-method", 307, "", DETOUR_AUTH_UNAVAILABLE, "not followed" },
  { "error", 500, "{\"Allow\":true}", DETOUR_AUTH_UNAVAILABLE, "status 500" },
  { "gateway", 502, "", DETOUR_AUTH_UNAVAILABLE, "status 502" },
  { "later", 429, "", DETOUR_AUTH_UNAVAILABLE, "asked later (status 429)" },
  { "too-slow-for-it", 408, "", DETOUR_AUTH_UNAVAILABLE, "asked later (status 408)" },
  { "proxy", 407, "", DETOUR_AUTH_UNAVAILABLE, "proxy wants a password" },
  /* Refused by status. */
  { "bad-request", 400, "Bad Request", DETOUR_AUTH_DENY, "refuses it with status 400" },
  { "unauthorized", 401, "", DETOUR_AUTH_DENY, "status 401" },
  { "forbidden", 403, "{\"Allow\":true}", DETOUR_AUTH_DENY, "status 403" },
  { "not-found", 404, "", DETOUR_AUTH_DENY, "status 404" },
  { "not-allowed", 405, "", DETOUR_AUTH_DENY, "status 405" },
  { "with-a-reason", 200, "{\"Allow\":false,\"Reason\":\"unpaid\"}", DETOUR_AUTH_DENY, "unpaid" },
};

static void
test_case (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);
  gsize len = strlen (cases[i].body);
  /* Exactly as long as it is, so that a byte too many is noticed. */
  g_autofree char *body = len > 0 ? g_memdup2 (cases[i].body, len) : g_malloc (1);
  g_auto (UrlAnswer) answer = { 0 };

  url_answer_judge (&answer, cases[i].status, body, len);
  g_test_message ("%s", answer.reason != NULL ? answer.reason : "-");
  g_assert_cmpint (answer.result, ==, cases[i].result);
  if (cases[i].reason == NULL)
    g_assert_null (answer.reason);
  else
    g_assert_nonnull (strstr (answer.reason, cases[i].reason));
}

static void
test_more (void)
{
  g_auto (UrlAnswer) answer = { 0 };
  const char *body = "{\"Allow\":true,\"Label\":\"Anna's\\nlaptop\",\"Class\":\"friends-2\","
                     "\"TTLSeconds\":90}";

  url_answer_judge (&answer, 200, body, strlen (body));
  g_assert_cmpint (answer.result, ==, DETOUR_AUTH_ALLOW);
  g_assert_cmpstr (answer.label, ==, "Anna's laptop");
  g_assert_cmpstr (answer.class_, ==, "friends-2");
  g_assert_cmpint (answer.ttl_us, ==, 90 * G_TIME_SPAN_SECOND);
}

static void
test_absent (void)
{
  g_auto (UrlAnswer) answer = { 0 };
  const char *body = "{\"Allow\":true,\"Label\":\"\",\"Class\":null,\"Reason\":\"\"}";

  url_answer_judge (&answer, 200, body, strlen (body));
  g_assert_cmpint (answer.result, ==, DETOUR_AUTH_ALLOW);
  g_assert_null (answer.label);
  g_assert_null (answer.class_);
  g_assert_null (answer.reason);
  g_assert_cmpint (answer.ttl_us, ==, 0);
}

/* 0 would leave it to core. */
static void
test_ttl (void)
{
  static const struct {
    const char *number;
    gint64 ttl_us;
  } rows[] = {
    { "0", 1 },
    { "0.25", 250000 },
    { "1e3", 1000 * G_TIME_SPAN_SECOND },
    { "1e300", 86400 * G_TIME_SPAN_SECOND },
    { "9223372036854775807", 86400 * G_TIME_SPAN_SECOND },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *body = g_strdup_printf ("{\"Allow\":true,\"TTLSeconds\":%s}",
                                               rows[i].number);
      g_auto (UrlAnswer) answer = { 0 };

      url_answer_judge (&answer, 200, body, strlen (body));
      g_assert_cmpint (answer.result, ==, DETOUR_AUTH_ALLOW);
      g_assert_cmpint (answer.ttl_us, ==, rows[i].ttl_us);
    }
}

/* Cut where a character ends. */
static void
test_long_label (void)
{
  g_autoptr (GString) body = g_string_new ("{\"Allow\":true,\"Label\":\"x");
  g_auto (UrlAnswer) answer = { 0 };

  for (guint i = 0; i < 300; i++)
    g_string_append (body, "\xc3\xa4");
  g_string_append (body, "\"}");
  url_answer_judge (&answer, 200, body->str, body->len);
  g_assert_cmpint (answer.result, ==, DETOUR_AUTH_ALLOW);
  g_assert_cmpuint (strlen (answer.label), ==, 199);
  g_assert_true (g_utf8_validate (answer.label, -1, NULL));
}

static void
test_limit (void)
{
  g_autofree char *body = g_strdup_printf ("{\"Allow\":true}%*s", (int) (URL_ANSWER_MAX - 14), "");
  g_auto (UrlAnswer) fits = { 0 };
  g_auto (UrlAnswer) does_not = { 0 };

  url_answer_judge (&fits, 200, body, URL_ANSWER_MAX);
  g_assert_cmpint (fits.result, ==, DETOUR_AUTH_ALLOW);
  url_answer_judge (&does_not, 200, body, URL_ANSWER_MAX + 1);
  g_assert_cmpint (does_not.result, ==, DETOUR_AUTH_UNAVAILABLE);
}

/* Byte by byte what derper sends. */
static void
test_question (void)
{
  static const struct {
    const char *address, *source;
  } rows[] = {
    { "192.0.2.1", "192.0.2.1" },
    { "2001:db8::1", "2001:db8::1" },
    { "fe80::1%eth0", "fe80::1%eth0" },
    { "", "" },
    { "a\"b\\c\n", "a\\u0022b\\u005cc\\u000a" },
  };
  guint8 key[DETOUR_KEY_SIZE];

  for (guint i = 0; i < DETOUR_KEY_SIZE; i++)
    key[i] = (guint8) (i * 9);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autofree char *question = url_answer_question (key, rows[i].address);
      g_autofree char *expected = g_strdup_printf (
          "{\"NodePublic\":\"nodekey:"
          "0009121b242d363f48515a636c757e879099a2abb4bdc6cfd8e1eaf3fc050e17\",\"Source\":\"%s\"}",
          rows[i].source);

      g_assert_cmpstr (question, ==, expected);
    }
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  TEST_ADD_ROWS ("/url-answer/", cases, test_case);
  g_test_add_func ("/url-answer/label-class-and-time", test_more);
  g_test_add_func ("/url-answer/label-and-class-are-absent", test_absent);
  g_test_add_func ("/url-answer/ttl", test_ttl);
  g_test_add_func ("/url-answer/long-label", test_long_label);
  g_test_add_func ("/url-answer/limit", test_limit);
  g_test_add_func ("/url-answer/question", test_question);
  return g_test_run ();
}
