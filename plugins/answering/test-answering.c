/* test-answering.c: what is told of those that a plugin asks, and when.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "answering.h"

#include <glib.h>

#define S G_USEC_PER_SEC

static void
what_is_told (void)
{
  static const struct {
    gint64 at_us, latency_us;
    const char *trouble;
    gboolean is_told;
    const char *summary;
  } steps[] = {
    { 0, 0, "", TRUE, "no answer yet" },
    { 1, 0, "", FALSE, "no answer yet" },
    /* The first answer and a new trouble at once, another latency once a second. */
    { 2, 1250, "", TRUE, "answering in 1.2 ms" },
    { 3, 2250, "", FALSE, "answering in 1.2 ms" },
    { S + 1, 2250, "", FALSE, "answering in 1.2 ms" },
    { S + 2, 2250, "", TRUE, "answering in 2.2 ms" },
    { S + 3, 2250, "it is gone", TRUE, "answering in 2.2 ms" },
    { 3 * S, 2299, "it is gone", FALSE, "answering in 2.2 ms" },
    { 3 * S + 1, 0, "it is gone", TRUE, "no answer yet" },
    { 3 * S + 2, 0, "", TRUE, "no answer yet" },
  };
  Answering told = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      g_assert_cmpint (
          answering_take (&told, steps[i].latency_us, steps[i].trouble, steps[i].at_us), ==,
          steps[i].is_told);
      g_assert_cmpstr (told.summary, ==, steps[i].summary);
      g_assert_cmpstr (told.trouble, ==, *steps[i].trouble != '\0' ? steps[i].trouble : NULL);
    }
  answering_clear (&told);
  g_assert_null (told.summary);
}

static void
since_when (void)
{
  g_autoptr (GDateTime) then = g_date_time_new_local (2026, 11, 29, 7, 8, 9);
  g_autofree char *text = answering_since ("it is gone", g_date_time_to_unix (then) * S + 999999);

  g_assert_cmpstr (text, ==, "it is gone; since 2026-11-29 07:08:09");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/answering/what-is-told", what_is_told);
  g_test_add_func ("/answering/since-when", since_when);
  return g_test_run ();
}
