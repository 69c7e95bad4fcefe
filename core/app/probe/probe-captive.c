/* probe-captive.c: whether the plain port answers as clients expect that look for a captive portal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "detourctl-address.h"
#include "detourctl-captive.h"
#include "probe.h"

static void
probe_captive_look_at (const Probe *probe, ProbeNode *node, GInetAddress *address)
{
  g_autofree char *place = detourctl_address_place (address, probe->plain_port);
  g_autoptr (GError) error = NULL;
  gboolean is_response;
  guint status;
  gint64 began_us = g_get_monotonic_time ();

  if (!detourctl_captive_ask (address, probe->plain_port, probe->limit_us, &status, &is_response,
                              &error))
    {
      probe_note_error (node->results, PROBE_CAPTIVE, node, place, error);
      return;
    }
  if (status != DETOURCTL_CAPTIVE_STATUS)
    probe_note (node->results, PROBE_CAPTIVE, node, PROBE_FAILED, "http_status",
                g_strdup_printf (_ ("%s: /generate_204 is answered with %u, which clients take for "
                                    "a captive portal"),
                                 place, status));
  else if (!is_response)
    probe_note (node->results, PROBE_CAPTIVE, node, PROBE_FAILED, "no_response",
                g_strdup_printf (_ ("%s: /generate_204 is answered without the response to the "
                                    "challenge, which clients take for a captive portal"),
                                 place));
  else
    probe_note (node->results, PROBE_CAPTIVE, node, PROBE_GOOD, "good",
                g_strdup_printf (_ ("%s: /generate_204 is answered as clients expect"), place))
        ->took_us = g_get_monotonic_time () - began_us;
}

/* Clients ask where the map says so, and over IPv4 alone. */
void
probe_captive_check (const Probe *probe, ProbeNode *node)
{
  const GPtrArray *addresses = node->families[PROBE_IPV4].addresses;

  if (node->entry->can_port80 && addresses->len > 0)
    probe_captive_look_at (probe, node, addresses->pdata[0]);
}
