/* test-verdict-log.c: the last verdicts on a key, repeated ones as one, within bounds.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-log.h"

static DetourKey
key (guint8 byte)
{
  DetourKey key;

  memset (key.bytes, byte, sizeof key.bytes);
  return key;
}

static void
add (DetourVerdictLog *log, guint8 byte, DetourAuthResult result, const char *reason, gint64 now_us)
{
  const DetourVerdict verdict_fields = { .result = result, .instance = "auth/x", .reason = reason };
  DetourAuthRequest request_fields = { .address = "192.0.2.1" };
  g_autoptr (DetourVerdict) verdict = detour_verdict_new (&verdict_fields);
  g_autoptr (DetourAuthRequest) request = NULL;

  memset (request_fields.key, byte, DETOUR_KEY_SIZE);
  request = detour_auth_request_new (&request_fields);
  detour_verdict_log_add (log, request, verdict, now_us);
}

static void
write_record (const DetourVerdictRecord *record, gpointer data)
{
  g_string_append_printf (data, "%d %s %s %dx %d-%d;", (int) record->verdict->result,
                          record->verdict->instance,
                          record->verdict->reason != NULL ? record->verdict->reason : "-",
                          (int) record->count, (int) record->first_us, (int) record->last_us);
}

static void
expect (DetourVerdictLog *log, guint8 byte, const char *text)
{
  g_autoptr (GString) out = g_string_new (NULL);
  DetourKey k = key (byte);

  detour_verdict_log_each (log, &k, write_record, out);
  g_assert_cmpstr (out->str, ==, text);
}

static void
test_order (void)
{
  g_autoptr (DetourVerdictLog) log = detour_verdict_log_new (8);

  expect (log, 1, "");
  add (log, 1, DETOUR_AUTH_DENY, "a", 10);
  add (log, 1, DETOUR_AUTH_DENY, "a", 20);
  add (log, 1, DETOUR_AUTH_DENY, "b", 30);
  add (log, 1, DETOUR_AUTH_ALLOW, NULL, 40);
  add (log, 1, DETOUR_AUTH_DENY, "a", 50);
  expect (log, 1,
          "1 auth/x a 1x 50-50;0 auth/x - 1x 40-40;1 auth/x b 1x 30-30;1 auth/x a 2x 10-20;");
  add (log, 1, DETOUR_AUTH_DENY, "c", 60);
  expect (log, 1,
          "1 auth/x c 1x 60-60;1 auth/x a 1x 50-50;0 auth/x - 1x 40-40;1 auth/x b 1x 30-30;");
  expect (log, 2, "");
}

static void
test_bounds (void)
{
  g_autoptr (DetourVerdictLog) log = detour_verdict_log_new (3);

  for (guint8 byte = 1; byte <= 3; byte++)
    add (log, byte, DETOUR_AUTH_DENY, "a", byte);
  add (log, 1, DETOUR_AUTH_DENY, "a", 9);
  add (log, 4, DETOUR_AUTH_DENY, "a", 10);
  expect (log, 1, "1 auth/x a 2x 1-9;");
  expect (log, 2, "");
  expect (log, 3, "1 auth/x a 1x 3-3;");
  expect (log, 4, "1 auth/x a 1x 10-10;");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/verdict-log/latest-first-and-repeats-as-one", test_order);
  g_test_add_func ("/verdict-log/is-bounded", test_bounds);
  return g_test_run ();
}
