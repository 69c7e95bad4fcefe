/* detour-server-verdicts.c: what is known of keys over a restart, and when it counts no more.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-server-private.h"

#define FILE_NAME "verdicts"

char *
detour_server_dup_source (gpointer user, const char *id)
{
  const DetourServer *self = user;
  DetourInstance *instance = self->roster != NULL ? detour_roster_find (self->roster, id) : NULL;

  return instance != NULL ? detour_instance_dup_source (instance) : NULL;
}

void
detour_server_auth_revoked (gpointer data, DetourInstance *instance, const guint8 *key)
{
  DetourServer *self = data;
  DetourKey revoked;

  memcpy (revoked.bytes, key, sizeof revoked.bytes);
  detour_admission_revoke (self->admission, detour_instance_id (instance), &revoked);
}

void
detour_server_open_verdicts (DetourServer *self, const char *state_directory,
                             const DetourServerKey *key)
{
  g_autofree char *path = g_build_filename (state_directory, FILE_NAME, NULL);

  detour_admission_open_store (self->admission, path, detour_server_key_private (key));
}
