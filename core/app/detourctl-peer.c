/* detourctl-peer.c: what a daemon says of another server of the region, for people.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-peer.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl.h"

const char *
detourctl_peer_state (GVariant *peer)
{
  static const struct {
    const char *state, *text;
  } states[] = {
    { "waiting", N_ ("waiting") },
    { "connecting", N_ ("connecting") },
    { "up", N_ ("up") },
    { "refused", N_ ("refused") },
    /* TRANSLATORS: a server of the list is the one that is asked. */
    { "itself", N_ ("itself") },
  };
  const char *state = detourctl_text (peer, "State");

  for (guint i = 0; i < G_N_ELEMENTS (states); i++)
    if (strcmp (states[i].state, state) == 0)
      return _ (states[i].text);
  return state;
}

guint64
detourctl_peer_dropped (GVariant *peer)
{
  g_autoptr (GVariant) drops = g_variant_lookup_value (peer, "Drops", G_VARIANT_TYPE_VARDICT);
  GVariantIter iter;
  const char *reason;
  GVariant *n;
  guint64 sum = 0;

  if (drops == NULL)
    return 0;
  g_variant_iter_init (&iter, drops);
  while (g_variant_iter_loop (&iter, "{&sv}", &reason, &n))
    sum += g_variant_get_uint64 (n);
  return sum;
}

char *
detourctl_peer_describe_fault (GVariant *peer, gint64 now_us)
{
  const char *error = detourctl_text (peer, "Error");
  gint64 next_us = (gint64) detourctl_number (peer, "NextTry");
  g_autofree char *away = NULL;

  if (*error == '\0')
    return NULL;
  if (next_us <= now_us)
    return g_strdup (error);
  away = detourctl_format_duration ((guint64) (next_us - now_us));
  /* TRANSLATORS: why there is no link, and a duration. */
  return g_strdup_printf (_ ("%s; tried again in %s"), error, away);
}
