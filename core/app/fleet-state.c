/* fleet-state.c: what is known of the relays of a fleet from one command to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-state.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detour-file-write.h"
#include "detour-file.h"

#define FILE_MAX (1u << 20)
#define MODE     0644

#define STAGES  "stages"
#define UPGRADE "upgrade"

struct _FleetState {
  char *path;
  GKeyFile *file;
};

static const char *const stage_names[] = {
  [FLEET_OPEN] = "open",
  [FLEET_ENTERING] = "entering",
  [FLEET_LEAVING] = "leaving",
  [FLEET_OUT] = "out",
};

FleetState *
fleet_state_load (const char *inventory, GError **error)
{
  g_autoptr (FleetState) self = g_new0 (FleetState, 1);
  g_auto (DetourFile) file = { 0 };
  g_autoptr (GError) fault = NULL;

  self->path = g_strconcat (inventory, ".state", NULL);
  self->file = g_key_file_new ();
  if (!detour_file_read (self->path, FILE_MAX, DETOUR_FILE_PROTECTED, &file, &fault))
    {
      if (g_error_matches (fault, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return g_steal_pointer (&self);
      g_propagate_error (error, g_steal_pointer (&fault));
      return NULL;
    }
  if (file.len > 0 && !g_key_file_load_from_data (self->file, file.data, file.len, 0, error))
    {
      g_prefix_error (error, "%s: ", self->path);
      return NULL;
    }
  return g_steal_pointer (&self);
}

void
fleet_state_free (FleetState *self)
{
  if (self == NULL)
    return;
  g_key_file_unref (self->file);
  g_free (self->path);
  g_free (self);
}

static gboolean
fleet_state_write (FleetState *self, GError **error)
{
  gsize len = 0;
  g_autofree char *text = g_key_file_to_data (self->file, &len, NULL);

  return detour_file_write (self->path, text, len, MODE, error);
}

FleetStage
fleet_state_stage (const FleetState *self, const char *relay)
{
  g_autofree char *name = self != NULL ? g_key_file_get_string (self->file, STAGES, relay, NULL)
                                       : NULL;

  for (guint i = 0; i < G_N_ELEMENTS (stage_names); i++)
    if (g_strcmp0 (name, stage_names[i]) == 0)
      return (FleetStage) i;
  return FLEET_OPEN;
}

const char *
fleet_state_stage_name (FleetStage stage)
{
  return stage_names[stage];
}

gboolean
fleet_state_set_stage (FleetState *self, const char *relay, FleetStage stage, GError **error)
{
  g_key_file_set_string (self->file, STAGES, relay, stage_names[stage]);
  return fleet_state_write (self, error);
}

gboolean
fleet_state_is_upgraded (const FleetState *self, const char *relay)
{
  return g_key_file_get_boolean (self->file, UPGRADE, relay, NULL);
}

gboolean
fleet_state_set_upgraded (FleetState *self, const char *relay, GError **error)
{
  g_key_file_set_boolean (self->file, UPGRADE, relay, TRUE);
  return fleet_state_write (self, error);
}

gboolean
fleet_state_forget_upgrade (FleetState *self, GError **error)
{
  if (!g_key_file_has_group (self->file, UPGRADE))
    return TRUE;
  g_key_file_remove_group (self->file, UPGRADE, NULL);
  return fleet_state_write (self, error);
}
