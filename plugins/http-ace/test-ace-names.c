/* test-ace-names.c: which targets of CONNECT a list of names allows.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ace-names.h"

static const char *const list[] = { "*.tailscale.com", "head.example", "derp.example", NULL };

static const struct {
  const char *target;
  guint16 port; /* 0: not allowed */
} cases[] = {
  { "controlplane.tailscale.com:443", 443 },
  { "controlplane.tailscale.com:80", 80 },
  { "CONTROLPLANE.Tailscale.com:443", 443 },
  { "a.b.tailscale.com:443", 443 },
  { "head.example:443", 443 },
  { "derp.example:443", 443 },
  { "tailscale.com:443", 0 },
  { "xtailscale.com:443", 0 },
  { "derp1.tailscale.com:443", 0 },
  { "a.DERP.tailscale.com:443", 0 },
  { "a.head.example:443", 0 },
  { "other.example:443", 0 },
  { "controlplane.tailscale.com", 0 },
  { "controlplane.tailscale.com:", 0 },
  { "controlplane.tailscale.com:22", 0 },
  { "controlplane.tailscale.com:8443", 0 },
  { "controlplane.tailscale.com:0443", 0 },
  { "controlplane.tailscale.com:443:443", 0 },
  { "controlplane.tailscale.com.:443", 0 },
  { ".tailscale.com:443", 0 },
  { "..tailscale.com:443", 0 },
  { "-.tailscale.com:443", 0 },
  { "user@a.tailscale.com:443", 0 },
  { "a%2e.tailscale.com:443", 0 },
  { "10.0.0.1:443", 0 },
  { "[::1]:443", 0 },
  { "::1:443", 0 },
  { ":443", 0 },
  { "", 0 },
};

static void
test_match (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *host = NULL;
      guint16 port = 0;
      gboolean is_allowed = ace_names_match (list, cases[i].target, &host, &port);

      g_test_message ("%s", cases[i].target);
      g_assert_true (is_allowed == (cases[i].port != 0));
      g_assert_cmpuint (port, ==, cases[i].port);
      if (is_allowed)
        g_assert_true (g_str_has_prefix (cases[i].target, host));
    }
}

static void
test_long (void)
{
  g_autofree char *label = g_strnfill (64, 'a');
  g_autofree char *target = g_strconcat (label, ".tailscale.com:443", NULL);
  g_autofree char *host = NULL;
  guint16 port;

  g_assert_false (ace_names_match (list, target, &host, &port));
  g_assert_true (ace_names_match (list, target + 1, &host, &port));
}

static void
test_entries (void)
{
  static const char *const good[] = { "*.tailscale.com", "a", "head.example", "a_b.example" };
  static const char *const bad[] = { "",         "*",          "*.",    "a.*.example", "*a.example",
                                     "10.0.0.1", "*.0.0.1",    "[::1]", "a.example.",  "a:443",
                                     "0x7f.1",   "a.example/", "1",     "x.0x7f000001" };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (ace_names_is_entry (good[i]));
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (ace_names_is_entry (bad[i]));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ace-names/targets", test_match);
  g_test_add_func ("/ace-names/long-labels", test_long);
  g_test_add_func ("/ace-names/entries", test_entries);
  return g_test_run ();
}
