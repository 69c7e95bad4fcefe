/* test-auth-request.c: requests are told apart by all that an instance may look at, and shared
 * without a copy.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-auth-request.h"

static DetourAuthRequest
base (void)
{
  DetourAuthRequest fields = { .address = "192.0.2.1",
                               .sni = "relay.test",
                               .listener = "transport/a" };

  memset (fields.key, 7, sizeof fields.key);
  return fields;
}

static void
test_differences (void)
{
  const DetourAuthRequest fields = base ();
  g_autoptr (DetourAuthRequest) one = detour_auth_request_new (&fields);
  g_autoptr (DetourAuthRequest) twin = detour_auth_request_new (&fields);

  g_assert_true (detour_auth_request_equal (one, twin));
  g_assert_cmpuint (detour_auth_request_hash (one), ==, detour_auth_request_hash (twin));
  for (guint i = 0; i < 8; i++)
    {
      DetourAuthRequest changed = base ();
      g_autoptr (DetourAuthRequest) other = NULL;

      switch (i)
        {
        case 0:
          changed.key[31] = 8;
          break;
        case 1:
          changed.address = "192.0.2.2";
          break;
        case 2:
          changed.sni = NULL;
          break;
        case 3:
          changed.sni = "";
          break;
        case 4:
          changed.listener = "transport/b";
          break;
        case 5:
          changed.app_name = "x";
          break;
        case 6:
          changed.prober = TRUE;
          break;
        default:
          /* The same letters, cut elsewhere. */
          changed.address = "192.0.2.1t";
          changed.listener = "ransport/a";
          break;
        }
      other = detour_auth_request_new (&changed);
      g_assert_false (detour_auth_request_equal (one, other));
      g_assert_cmpuint (detour_auth_request_hash (one), !=, detour_auth_request_hash (other));
    }
}

static void
test_no_name_is_not_an_empty_one (void)
{
  DetourAuthRequest fields = base ();
  g_autoptr (DetourAuthRequest) none = NULL;
  g_autoptr (DetourAuthRequest) empty = NULL;

  fields.sni = NULL;
  none = detour_auth_request_new (&fields);
  fields.sni = "";
  empty = detour_auth_request_new (&fields);
  g_assert_null (none->sni);
  g_assert_cmpstr (empty->sni, ==, "");
  g_assert_false (detour_auth_request_equal (none, empty));
  g_assert_cmpuint (detour_auth_request_hash (none), !=, detour_auth_request_hash (empty));
}

/* What it was made of may go, and the request stays as long as one reference does. */
static void
test_owns_its_texts (void)
{
  char address[] = "192.0.2.1", sni[] = "relay.test", app_name[] = "probe";
  DetourAuthRequest fields = { .key = { 9 }, .address = address, .sni = sni, .app_name = app_name };
  DetourAuthRequest *request = detour_auth_request_new (&fields);
  DetourAuthRequest *again = detour_auth_request_ref (request);

  memset (address, 'x', sizeof address - 1);
  memset (sni, 'x', sizeof sni - 1);
  memset (app_name, 'x', sizeof app_name - 1);
  g_assert_true (again == request);
  detour_auth_request_unref (request);
  g_assert_cmpuint (again->key[0], ==, 9);
  g_assert_cmpuint (detour_auth_request_key (again)->bytes[0], ==, 9);
  g_assert_cmpstr (again->address, ==, "192.0.2.1");
  g_assert_cmpstr (again->sni, ==, "relay.test");
  g_assert_cmpstr (again->listener, ==, "");
  g_assert_cmpstr (again->app_name, ==, "probe");
  detour_auth_request_unref (again);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/auth-request/every-field-counts", test_differences);
  g_test_add_func ("/auth-request/no-name-is-not-an-empty-one", test_no_name_is_not_an_empty_one);
  g_test_add_func ("/auth-request/owns-its-texts", test_owns_its_texts);
  return g_test_run ();
}
