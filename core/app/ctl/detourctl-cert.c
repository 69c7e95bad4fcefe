/* detourctl-cert.c: one certificate of the daemon in words, out of its properties.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-cert.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"

/* Some live for decades: there a season is soon enough. */
#define SEASON_US (G_GINT64_CONSTANT (90) * 86400 * G_USEC_PER_SEC)

gboolean
detourctl_cert_is_there (GVariant *cert)
{
  return detourctl_number (cert, "NotAfter") != 0;
}

char *
detourctl_cert_names (GVariant *cert)
{
  g_autofree const char **names = NULL;

  if (!g_variant_lookup (cert, "Names", "^a&s", &names))
    return g_strdup ("");
  return g_strjoinv (" ", (char **) names);
}

char *
detourctl_cert_describe_state (GVariant *cert, gint64 now_us)
{
  const char *state = detourctl_text (cert, "State");
  gint64 left_us = detourctl_microseconds (cert, "NotAfter") - now_us;
  gboolean is_failing = strcmp (state, "failing") == 0;
  g_autofree char *duration = NULL;
  g_autofree char *left = NULL;

  if (!detourctl_cert_is_there (cert))
    return g_strdup (is_failing ? _ ("none yet, the last try failed")
                                : _ ("waiting for the first one"));
  duration = detourctl_format_duration ((guint64) MAX (left_us, 0));
  left = left_us > 0 ? g_strdup_printf (_ ("%s left"), duration) : g_strdup (_ ("EXPIRED"));
  if (is_failing)
    return g_strdup_printf (_ ("%s, the last renewal failed"), left);
  if (strcmp (state, "renewing") == 0)
    return g_strdup_printf (_ ("%s, being renewed now"), left);
  return g_steal_pointer (&left);
}

/* A third of the lifetime is when renewals are due, whoever does them, and some take a day: of one
 * whose files others write, a little less than that counts. A renewal that is planned and that
 * nothing stands against needs no operator. */
gboolean
detourctl_cert_ends_soon (GVariant *cert, gint64 now_us)
{
  gint64 end_us = detourctl_microseconds (cert, "NotAfter");
  gint64 life_us = end_us - detourctl_microseconds (cert, "NotBefore");
  gint64 left_us = end_us - now_us;
  gint64 renew_us = detourctl_microseconds (cert, "RenewTime");
  gboolean is_planned = renew_us > now_us && *detourctl_text (cert, "Error") == '\0';

  if (!detourctl_flag (cert, "Renewable"))
    return left_us < MIN (life_us / 10 * 3, SEASON_US);
  return left_us < MIN (life_us / 3, SEASON_US) && !is_planned;
}
