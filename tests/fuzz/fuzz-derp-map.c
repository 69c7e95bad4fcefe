/* fuzz-derp-map.c: any bytes as a DERP map in JSON, as a policy or in YAML; what is written of a
 * map that was taken is taken again.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-map.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static DetourctlMap *
read_map (const char *text, gsize len)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (DetourctlDocument) document = detourctl_document_parse (text, len, &error);
  DetourctlMap *map;

  g_assert ((document == NULL) == (error != NULL));
  if (document == NULL)
    return NULL;
  map = detourctl_map_read (document);
  detourctl_map_check (map);
  return map;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (DetourctlMap) map = read_map (text, size);
  g_autoptr (DetourctlMap) again = NULL;
  g_autoptr (DetourctlMap) sum = NULL;
  g_autofree char *json = NULL;
  g_autofree char *yaml = NULL;

  if (map == NULL)
    return 0;
  detourctl_map_check_together (map, map, "itself");
  sum = detourctl_map_new ();
  detourctl_map_merge (sum, map);
  json = detourctl_map_format (sum, DETOURCTL_REGION_JSON);
  yaml = detourctl_map_format (sum, DETOURCTL_REGION_HEADSCALE);
  again = read_map (json, strlen (json));
  g_assert (again != NULL && again->regions->len == sum->regions->len);
  g_clear_pointer (&again, detourctl_map_free);
  again = read_map (yaml, strlen (yaml));
  g_assert (again != NULL && again->regions->len == sum->regions->len);
  return 0;
}
