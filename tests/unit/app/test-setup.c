/* test-setup.c: tests of the first configuration's text.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-setup.h"

#include <string.h>

/* Without comments and empty lines. */
static char *
bare (const char *text)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  GString *out = g_string_new (NULL);

  for (guint i = 0; lines[i] != NULL; i++)
    if (*lines[i] != '\0' && *lines[i] != '#')
      g_string_append_printf (out, "%s\n", lines[i]);
  return g_string_free (out, FALSE);
}

static void
every_combination (void)
{
  static const char *const admissions[] = {
    [DETOURCTL_SETUP_TAILSCALED] = "[admission]\nchain = tailscaled\n",
    [DETOURCTL_SETUP_KEYS] = ("[admission]\nchain = friends\n[auth friends]\nplugin = keys\nfile = "
                              "/k\n"),
    [DETOURCTL_SETUP_API] = ("[admission]\nchain = tailscale-api\n[auth tailscale-api]\n"
                             "key-file = /a\n"),
    [DETOURCTL_SETUP_URL] = ("[admission]\nchain = url\n[auth url]\nurl = https://u.test/verify\n"
                             "unavailable = grace\n"),
    [DETOURCTL_SETUP_OPEN] = "[admission]\nchain = open\n",
  };
  static const char *const certificates[] = {
    [DETOURCTL_SETUP_ACME] = "[cert main]\nplugin = acme\n",
    [DETOURCTL_SETUP_SELFSIGNED] = "[cert main]\nplugin = selfsigned\n",
    [DETOURCTL_SETUP_FILE] = "[cert main]\nplugin = file\nchain-file = /c\nkey-file = /p\n",
  };

  for (guint i = 0; i < DETOURCTL_SETUP_N_ADMISSIONS; i++)
    for (guint k = 0; k < DETOURCTL_SETUP_N_CERTIFICATES; k++)
      {
        const DetourctlSetup setup = { .hostname = "relay.test",
                                       .admission = (DetourctlSetupAdmission) i,
                                       .certificate = (DetourctlSetupCertificate) k,
                                       .keys_file = "/k",
                                       .api_key_file = "/a",
                                       .url = "https://u.test/verify",
                                       .chain_file = "/c",
                                       .key_file = "/p" };
        g_autofree char *text = detourctl_setup_text (&setup);
        g_autofree char *lines = bare (text);
        g_autofree char *expected = g_strconcat ("[core]\nhostname = relay.test\n", admissions[i],
                                                 certificates[k], NULL);

        g_assert_cmpstr (lines, ==, expected);
        g_assert_true (g_str_has_prefix (text, "# "));
        g_assert_true (g_str_is_ascii (text));
      }
}

static void
what_is_not_usual (void)
{
  const DetourctlSetup setup = { .hostname = "relay.test",
                                 .tailscaled_socket = "/s",
                                 .email = "ops@example.com",
                                 .directory_url = "https://ca.test/dir" };
  g_autofree char *text = detourctl_setup_text (&setup);
  g_autofree char *lines = bare (text);

  g_assert_cmpstr (lines, ==,
                   "[core]\nhostname = relay.test\n"
                   "[admission]\nchain = tailscaled\n[auth tailscaled]\nsocket = /s\n"
                   "[cert main]\nplugin = acme\ndirectory-url = https://ca.test/dir\n"
                   "email = ops@example.com\n");
}

static void
texts_that_would_mean_something_else (void)
{
  static const char *const good[] = { "a", "/etc/detour/my keys", "ops+relay@example.com", "ü" };
  static const char *const bad[] = { "",    " a", "a ",  "a\nb", "a\n[core]", "a;b",
                                     "\"a", "#a", "a\\", "\xff", "a\tb" };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    g_assert_true (detourctl_setup_fits_in_file (good[i]));
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (detourctl_setup_fits_in_file (bad[i]));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/setup/every-combination", every_combination);
  g_test_add_func ("/setup/what-is-not-usual", what_is_not_usual);
  g_test_add_func ("/setup/texts-that-would-mean-something-else",
                   texts_that_would_mean_something_else);
  return g_test_run ();
}
