/* test-rate-config.c: derper's file of receive rates is read as derper reads it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-rate-config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static void
test_texts (void)
{
  static const struct {
    const char *text;
    gboolean good;
    guint64 rate, burst;
  } cases[] = {
    { "{}", TRUE, 0, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": 20000}", TRUE, 20000, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": 20000, \"PerClientRateBurstBytes\": 100000}", TRUE,
      20000, 100000 },
    { "{\"perclientratelimitbytespersec\": 1, \"PERCLIENTRATEBURSTBYTES\": 2}", TRUE, 1, 2 },
    { "{\"PerClientRateBurstBytes\": 100000}", TRUE, 0, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": null, \"Other\": [1, {}]}", TRUE, 0, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": 1, \"PerClientRateLimitBytesPerSec\": 2}", TRUE, 2, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": -1}", FALSE, 0, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": 1.5}", FALSE, 0, 0 },
    { "{\"PerClientRateLimitBytesPerSec\": \"1\"}", FALSE, 0, 0 },
    { "{\"PerClientRateBurstBytes\": true}", FALSE, 0, 0 },
    { "[]", FALSE, 0, 0 },
    { "", FALSE, 0, 0 },
    { "{", FALSE, 0, 0 },
    { "{} x", FALSE, 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *copy = g_memdup2 (cases[i].text, strlen (cases[i].text));
      g_autoptr (GError) error = NULL;
      DetourRateConfig config = { 77, 77 };

      g_assert_cmpint (detour_rate_config_parse (copy, strlen (cases[i].text), &config, &error), ==,
                       cases[i].good);
      g_assert_cmpint (error == NULL, ==, cases[i].good);
      g_assert_cmpuint (config.rate, ==, cases[i].good ? cases[i].rate : 77);
      g_assert_cmpuint (config.burst, ==, cases[i].good ? cases[i].burst : 77);
    }
}

static void
test_files (void)
{
  static const char text[] = "{\"PerClientRateLimitBytesPerSec\": 1000}";
  g_autofree char *dir = g_dir_make_tmp (NULL, NULL);
  g_autofree char *path = g_build_filename (dir, "rates.json", NULL);
  g_autofree char *long_text = g_strnfill (65537, ' ');
  DetourRateConfig rates;
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  g_assert_true (detour_rate_config_load (path, &rates, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (rates.rate, ==, 1000);

  g_assert_true (g_file_set_contents (path, long_text, -1, NULL));
  g_assert_false (detour_rate_config_load (path, &rates, &error));
  g_assert_nonnull (strstr (error->message, "65537 bytes long; at most 65536 are read"));
  g_clear_error (&error);

  /* Neither may hold up a reload. */
  g_assert_false (detour_rate_config_load ("/dev/zero", &rates, &error));
  g_assert_cmpstr (error->message, ==,
                   "/dev/zero: cannot be read: it is a device; expected a regular file");
  g_clear_error (&error);
  g_unlink (path);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  g_assert_false (detour_rate_config_load (path, &rates, &error));
  g_assert_nonnull (strstr (error->message, "it is a named pipe; expected a regular file"));
  g_unlink (path);
  g_rmdir (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate-config/texts", test_texts);
  g_test_add_func ("/rate-config/files", test_files);
  return g_test_run ();
}
