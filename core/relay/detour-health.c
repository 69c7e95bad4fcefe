/* detour-health.c: what a client's user is told of the relay, in a Health frame.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-health.h"

#include <string.h>

/* Behind "The relay server #900 is reporting an issue: ", in the language of the protocol. */
static const struct {
  const char *name, *text;
} reasons_of[DETOUR_HEALTH_N_REASONS] = {
  { "announcement", NULL },
  { "budget", "the traffic budget of this month is used up" },
  { "duplicate", "another device is connected with the key of this one; packets reach only one of "
                 "them, so log one of the two in again" },
  { "slowed", "this device sends faster than this relay allows and is slowed down" },
};

const char *
detour_health_reason_name (guint index)
{
  return reasons_of[index].name;
}

gsize
detour_health_format (guint reasons, const char *announcement, char *out)
{
  gsize len = 0;

  out[0] = '\0';
  for (guint i = 0; i < DETOUR_HEALTH_N_REASONS; i++)
    {
      const char *text = i == 0 ? announcement : reasons_of[i].text;

      if ((reasons & 1u << i) == 0 || text == NULL)
        continue;
      if (len > 0)
        len = g_strlcat (out, "; ", DETOUR_HEALTH_TEXT_MAX + 1);
      len = g_strlcat (out, text, DETOUR_HEALTH_TEXT_MAX + 1);
    }
  g_assert (len <= DETOUR_HEALTH_TEXT_MAX);
  return len;
}
