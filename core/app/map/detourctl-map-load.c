/* detourctl-map-load.c: reads and checks a DERP map from a file or a server.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-map.h"
#include "detourctl-place.h"

DetourctlMap *
detourctl_map_load (const char *place, gint64 limit_ms, GError **error)
{
  gsize len = 0;
  g_autofree char *text = detourctl_place_read (place, DETOURCTL_DOCUMENT_BYTES_MAX, limit_ms, &len,
                                                error);
  g_autoptr (DetourctlDocument) document = NULL;
  DetourctlMap *self;

  if (text == NULL)
    return NULL;
  document = detourctl_document_parse (text, len, error);
  if (document == NULL)
    {
      g_prefix_error (error, "%s:", place);
      return NULL;
    }
  self = detourctl_map_read (document);
  detourctl_map_check (self);
  return self;
}
