/* test-verdict.c: verdicts own their texts, and one that changes is another one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "detour-verdict.h"

static DetourVerdict *
make (void)
{
  char instance[] = "auth/a", label[] = "anna", class_[] = "staff", reason[] = "listed";
  const DetourVerdict fields = { .result = DETOUR_AUTH_ALLOW,
                                 .instance = instance,
                                 .label = label,
                                 .class_ = class_,
                                 .reason = reason,
                                 .until_us = 7 };
  DetourVerdict *verdict = detour_verdict_new (&fields);

  memset (instance, 'x', sizeof instance - 1);
  memset (label, 'x', sizeof label - 1);
  memset (class_, 'x', sizeof class_ - 1);
  memset (reason, 'x', sizeof reason - 1);
  return verdict;
}

static void
test_owns_its_texts (void)
{
  g_autoptr (DetourVerdict) verdict = make ();

  g_assert_cmpint (verdict->result, ==, DETOUR_AUTH_ALLOW);
  g_assert_cmpstr (verdict->instance, ==, "auth/a");
  g_assert_cmpstr (verdict->label, ==, "anna");
  g_assert_cmpstr (verdict->class_, ==, "staff");
  g_assert_cmpstr (verdict->reason, ==, "listed");
  g_assert_cmpint (verdict->until_us, ==, 7);
  g_assert_cmpstr (detour_verdict_reason (verdict), ==, "listed");
}

static void
test_without_texts (void)
{
  const DetourVerdict fields = { .result = DETOUR_AUTH_DENY, .instance = "open" };
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (&fields);

  g_assert_null (verdict->label);
  g_assert_null (verdict->class_);
  g_assert_null (verdict->reason);
  g_assert_cmpstr (detour_verdict_reason (verdict), ==, "no reason given");
}

static void
test_flags (void)
{
  g_autoptr (DetourVerdict) verdict = make ();
  g_autoptr (DetourVerdict) cached = detour_verdict_add_flags (verdict, DETOUR_VERDICT_CACHED);
  g_autoptr (DetourVerdict) same = detour_verdict_add_flags (cached, DETOUR_VERDICT_CACHED);
  g_autoptr (DetourVerdict) both = detour_verdict_add_flags (cached, DETOUR_VERDICT_RECHECK);

  g_assert_cmpuint (verdict->flags, ==, 0);
  g_assert_cmpuint (cached->flags, ==, DETOUR_VERDICT_CACHED);
  g_assert_true (same == cached);
  g_assert_cmpuint (both->flags, ==, DETOUR_VERDICT_CACHED | DETOUR_VERDICT_RECHECK);
  g_assert_cmpstr (both->class_, ==, "staff");
  g_assert_cmpint (both->until_us, ==, 7);
}

static void
test_equal (void)
{
  g_autoptr (DetourVerdict) verdict = make ();

  for (guint i = 0; i < 7; i++)
    {
      g_autoptr (DetourVerdict) other = NULL;
      DetourVerdict fields = *verdict;

      switch (i)
        {
        case 0:
          fields.until_us = 8;
          break;
        case 1:
          fields.result = DETOUR_AUTH_DENY;
          break;
        case 2:
          fields.flags = DETOUR_VERDICT_GRACE;
          break;
        case 3:
          fields.instance = "auth/b";
          break;
        case 4:
          fields.label = NULL;
          break;
        case 5:
          fields.class_ = "guests";
          break;
        default:
          fields.reason = "";
          break;
        }
      other = detour_verdict_new (&fields);
      g_assert_cmpint (detour_verdict_equal (verdict, other), ==, i == 0);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/verdict/owns-its-texts", test_owns_its_texts);
  g_test_add_func ("/verdict/texts-may-be-absent", test_without_texts);
  g_test_add_func ("/verdict/flags-make-another-verdict", test_flags);
  g_test_add_func ("/verdict/equal-but-for-the-time", test_equal);
  return g_test_run ();
}
