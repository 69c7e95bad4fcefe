/* probe-stun.c: whether a node answers STUN, and what it says.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>

#include "detourctl-address.h"
#include "detourctl-stun.h"
#include "probe.h"

static void
probe_stun_note_answer (ProbeNode *node, ProbeCheck check, GInetAddress *address, const char *place,
                        const DetourctlStunAnswer *answer)
{
  GInetAddress *told = g_inet_socket_address_get_address (answer->told);
  g_autofree char *shown = g_inet_address_to_string (told);
  ProbeResult *result;

  if (detourctl_address_is_private (told) && !detourctl_address_is_private (address))
    result = probe_note (node->results, check, node, PROBE_WARNING, "tells_private",
                         g_strdup_printf (_ ("%s answers, and sees us as %s, an address behind "
                                             "translation"),
                                          place, shown));
  else
    result = probe_note (node->results, check, node, PROBE_GOOD, "good",
                         g_strdup_printf (_ ("%s sees us as %s"), place, shown));
  result->took_us = answer->took_us;
  if (node->stun_us < 0 || answer->took_us < node->stun_us)
    node->stun_us = answer->took_us;
}

/* Each address of the family; the first that does not answer is what is said. */
static void
probe_stun_look_at (const Probe *probe, ProbeNode *node, ProbeCheck check, GPtrArray *addresses)
{
  for (guint i = 0; i < addresses->len; i++)
    {
      g_autofree char *place = detourctl_address_place (addresses->pdata[i], node->stun_port);
      g_auto (DetourctlStunAnswer) answer = { 0 };
      g_autoptr (GError) error = NULL;

      if (!detourctl_stun_ask (addresses->pdata[i], node->stun_port, NULL, probe->limit_us, &answer,
                               &error))
        {
          probe_note_error (node->results, check, node, place, error);
          return;
        }
      if (i + 1 == addresses->len)
        probe_stun_note_answer (node, check, addresses->pdata[i], place, &answer);
    }
}

void
probe_stun_check (const Probe *probe, ProbeNode *node)
{
  if (node->stun_port == 0)
    return;
  probe_stun_look_at (probe, node, PROBE_STUN4, node->stun[PROBE_IPV4].addresses);
  probe_stun_look_at (probe, node, PROBE_STUN6, node->stun[PROBE_IPV6].addresses);
}
