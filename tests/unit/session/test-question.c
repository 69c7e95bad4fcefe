/* test-question.c: questions are told apart by all that a source may look at.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-question.h"

static DetourQuestion
base (void)
{
  DetourQuestion question = { .source = "192.0.2.1",
                              .sni = (char *) "relay.test",
                              .listener = (char *) "transport/a" };

  memset (question.key.bytes, 7, DETOUR_KEY_SIZE);
  return question;
}

static void
test_differences (void)
{
  DetourQuestion one = base ();

  for (guint i = 0; i < 8; i++)
    {
      DetourQuestion other = base ();
      gboolean same_hash = FALSE;

      switch (i)
        {
        case 0:
          other.key.bytes[31] = 8;
          same_hash = TRUE; /* the key has a hash of its own */
          break;
        case 1:
          g_strlcpy (other.source, "192.0.2.2", sizeof other.source);
          break;
        case 2:
          other.sni = NULL;
          break;
        case 3:
          other.sni = (char *) "";
          break;
        case 4:
          other.listener = (char *) "transport/b";
          break;
        case 5:
          g_strlcpy (other.app_name, "x", sizeof other.app_name);
          break;
        case 6:
          other.prober = TRUE;
          break;
        default:
          /* The same letters, cut elsewhere. */
          g_strlcpy (other.source, "192.0.2.", sizeof other.source);
          g_strlcpy (other.app_name, "1", sizeof other.app_name);
          break;
        }
      g_assert_false (detour_question_equal (&one, &other));
      if (same_hash)
        g_assert_cmpuint (detour_question_hash (&one), ==, detour_question_hash (&other));
      else
        g_assert_cmpuint (detour_question_hash (&one), !=, detour_question_hash (&other));
    }
}

static void
test_copies (void)
{
  DetourQuestion one = base (), copy;
  DetourAuthQuestion auth;

  detour_question_copy (&copy, &one);
  g_assert_true (detour_question_equal (&one, &copy));
  g_assert_cmpuint (detour_question_hash (&one), ==, detour_question_hash (&copy));
  g_assert_true (copy.sni != one.sni);
  detour_question_to_auth (&copy, &auth);
  g_assert_cmpmem (auth.key, DETOUR_KEY_SIZE, one.key.bytes, DETOUR_KEY_SIZE);
  g_assert_cmpstr (auth.source, ==, "192.0.2.1");
  g_assert_cmpstr (auth.sni, ==, "relay.test");
  g_assert_cmpstr (auth.listener, ==, "transport/a");
  g_assert_cmpstr (auth.app_name, ==, "");
  detour_question_clear (&copy);

  copy.listener = NULL;
  detour_question_to_auth (&copy, &auth);
  g_assert_cmpstr (auth.listener, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/question/every-word-counts", test_differences);
  g_test_add_func ("/question/copies-are-equal-and-their-own", test_copies);
  return g_test_run ();
}
