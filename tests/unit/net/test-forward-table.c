/* test-forward-table.c: which names are forwarded where.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-forward-table.h"

static void
test_names (void)
{
  static const char *const entries[] = { "www.example.com=127.0.0.1:8443",
                                         " Shop.Example.com = [::1]:444",
                                         "*.example.com=unix:/run/web.sock", "mail.example.com=own",
                                         NULL };
  static const struct {
    const char *name, *target;
  } cases[] = {
    { "www.example.com", "127.0.0.1:8443" },
    { "shop.example.com", "[::1]:444" },
    { "other.example.com", "unix:/run/web.sock" },
    /* What stays here: the relay's own name, what is excepted, and what no entry names. */
    { "relay.example.com", NULL },
    { "mail.example.com", NULL },
    { "a.b.example.com", NULL },
    { "example.com", NULL },
    { "com", NULL },
    { "", NULL },
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourForwardTable)
      table = detour_forward_table_new (entries, "Relay.example.com", &error);

  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const DetourForwardTarget *found = detour_forward_table_find (table, cases[i].name);

      g_test_message ("%s", cases[i].name);
      g_assert_cmpstr (found != NULL ? found->text : NULL, ==, cases[i].target);
      g_assert_true (found == NULL || found->len > 0);
    }
}

static void
test_refused (void)
{
  static const char *const entries[] = {
    "www.example.com",
    "=127.0.0.1:8443",
    "*.=127.0.0.1:8443",
    "*=127.0.0.1:8443",
    "a..b=127.0.0.1:8443",
    ".a=127.0.0.1:8443",
    "a.=127.0.0.1:8443",
    "w w=127.0.0.1:8443",
    "www.example.com=",
    "www.example.com=127.0.0.1",
    "www.example.com=127.0.0.1:0",
    "www.example.com=:8443",
    "www.example.com=web:8443",
    "www.example.com=unix:web",
    "relay.example.com=127.0.0.1:8443",
    "a.*.com=127.0.0.1:8443",
    "192.0.2.1=127.0.0.1:8443",
    "[2001:db8::1]=127.0.0.1:8443",
    "bücher.test=127.0.0.1:8443",
  };

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    {
      const char *const list[] = { entries[i], NULL };
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", entries[i]);
      g_assert_null (detour_forward_table_new (list, "relay.example.com", &error));
      g_assert_error (error, DETOUR_FORWARD_ERROR, DETOUR_FORWARD_ERROR_SYNTAX);
    }
}

static void
test_twice (void)
{
  static const char *const list[] = { "a.example=127.0.0.1:1", "A.example=127.0.0.1:2", NULL };
  g_autoptr (GError) error = NULL;

  g_assert_null (detour_forward_table_new (list, NULL, &error));
  g_assert_error (error, DETOUR_FORWARD_ERROR, DETOUR_FORWARD_ERROR_SYNTAX);
}

/* A relay without a name of its own, and one whose name is an address. */
static void
test_own_names (void)
{
  static const char *const list[] = { "*.example=127.0.0.1:1", NULL };
  g_autoptr (DetourForwardTable) nameless = detour_forward_table_new (list, NULL, NULL);
  g_autoptr (DetourForwardTable) address = detour_forward_table_new (list, "2001:db8::1", NULL);

  g_assert_nonnull (detour_forward_table_find (nameless, "a.example"));
  g_assert_nonnull (detour_forward_table_find (address, "a.example"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/forward-table/names", test_names);
  g_test_add_func ("/forward-table/refused", test_refused);
  g_test_add_func ("/forward-table/twice", test_twice);
  g_test_add_func ("/forward-table/own-names", test_own_names);
  return g_test_run ();
}
