/* test-tenants.c: whose client a connection is, by name and by listener.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-tenants.h"

static void
add (GPtrArray *tenants, const char *name, const char *names, const char *listeners)
{
  DetourSettings *settings = detour_settings_new (name, detour_schema_tenant, "f", 1);

  if (names != NULL)
    g_assert_true (detour_settings_set (settings, "names", names, "f", 2, NULL));
  if (listeners != NULL)
    g_assert_true (detour_settings_set (settings, "listeners", listeners, "f", 3, NULL));
  g_ptr_array_add (tenants, detour_tenant_group_new (name, settings));
}

static void
choice (void)
{
  g_autoptr (GPtrArray) tenants = g_ptr_array_new_with_free_func (detour_tenant_group_free);
  g_autoptr (DetourTenantIndex) index = NULL;
  static const struct {
    const char *sni, *listener, *tenant;
  } cases[] = {
    { "red.example.com", "transport/https", "red" },
    { "RED.Example.Com", "transport/https", "red" },
    { "red.example.com.", "transport/https", "red" },
    { "pink.example.com", "transport/https", "any" },
    { "a.pink.example.com", "transport/https", NULL },
    { "example.com", "transport/https", NULL },
    { ".example.com", "transport/https", NULL },
    { "*.example.com", "transport/https", NULL }, /* a pattern is no name */
    { "*", "transport/https", NULL },
    { ".", "transport/https", NULL },
    { "", "transport/https", NULL },
    { NULL, "transport/https", NULL },
    { NULL, "transport/inside", "blue" },
    { "other.test", "transport/inside", "blue" },
    { "red.example.com", "transport/inside", "red" }, /* a name goes before a listener */
    { NULL, "transport/second", "blue" },
    { NULL, "inside", NULL },
  };

  add (tenants, "any", "*.example.com", NULL);
  add (tenants, "red", "Red.example.com", NULL);
  add (tenants, "blue", NULL, "inside;transport/second");
  index = detour_tenant_index_new (tenants);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const DetourTenantGroup *group = detour_tenant_index_find (index, cases[i].sni,
                                                                 cases[i].listener);

      g_assert_cmpstr (group != NULL ? group->name : NULL, ==, cases[i].tenant);
    }
}

static void
names (void)
{
  static const char *const good[] = {
    "a", "a.b", "*.b", "relay-1.example.com", "_x.b", "1.example"
  };
  static const char *const bad[] = { "",     "*",   "*.",    "*b",         ".b",   "a.",
                                     "a..b", "a.*", "*.*.b", "a b",        "a/b",  "192.0.2.1",
                                     "::1",  "b:1", "*..b",  "\xc3\xa4.b", "a.b\n" };
  g_autofree char *label = g_strnfill (254, 'a');

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (detour_tenant_name_is_valid (good[i]));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_test_message ("%s", bad[i]);
      g_assert_false (detour_tenant_name_is_valid (bad[i]));
    }
  g_assert_false (detour_tenant_name_is_valid (label));
  g_assert_true (detour_tenant_name_is_valid (label + 1));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tenants/by-name-and-by-listener", choice);
  g_test_add_func ("/tenants/what-is-a-name", names);
  return g_test_run ();
}
