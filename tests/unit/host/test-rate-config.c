/* test-rate-config.c: derper's file of receive rates is read as derper reads it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-rate-config.h"

#include <string.h>

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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rate-config/texts", test_texts);
  return g_test_run ();
}
