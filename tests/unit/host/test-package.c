/* test-package.c: which package has a part that is missing.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-package.h"

static void
of_a_part (void)
{
  const char *packages = "auth-url=detour-curl cert-acme=detour-mod-cert-acme";
  const struct {
    const char *packages, *part, *package;
  } cases[] = {
    { packages, "auth-url", "detour-curl" },
    { packages, "cert-acme", "detour-mod-cert-acme" },
    { packages, "auth", NULL },
    { packages, "auth-url=detour-curl", NULL },
    { packages, "cert-file", NULL },
    { packages, "", NULL },
    { "", "auth-url", NULL },
    { "", "", NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *package = detour_package_of (cases[i].packages, cases[i].part);

      g_assert_cmpstr (package, ==, cases[i].package);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/package/of-a-part", of_a_part);
  return g_test_run ();
}
