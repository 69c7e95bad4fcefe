/* fleet-state.c: what is known of the relays of a fleet from one command to the next.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fleet-state.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "detour-file-write.h"
#include "detour-file.h"

#define FILE_MAX (1u << 20)
#define MODE     0644

#define STAGES  "stages"
#define UPGRADE "upgrade"

struct _FleetState {
  char *path;
  GKeyFile *file;
  int claim; /* -1: no upgrade is under way */
};

static const char *const stage_names[] = {
  [FLEET_OPEN] = "open",
  [FLEET_ENTERING] = "entering",
  [FLEET_LEAVING] = "leaving",
  [FLEET_OUT] = "out",
};

/* -1: it is no stage. */
static int
fleet_state_find_stage (const char *name)
{
  for (guint i = 0; i < G_N_ELEMENTS (stage_names); i++)
    if (g_strcmp0 (name, stage_names[i]) == 0)
      return (int) i;
  return -1;
}

/* One that is not known may mean anything, of a later version too; it is not taken for open. */
static gboolean
fleet_state_check (const FleetState *self, GKeyFile *file, GError **error)
{
  g_auto (GStrv) names = g_key_file_get_keys (file, STAGES, NULL, NULL);

  for (guint i = 0; names != NULL && names[i] != NULL; i++)
    {
      g_autofree char *stage = g_key_file_get_string (file, STAGES, names[i], NULL);

      if (fleet_state_find_stage (stage) >= 0)
        continue;
      g_set_error (error, G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_INVALID_VALUE,
                   _ ("%s: [stages] %s: \"%s\" is no stage; expected open, entering, leaving or "
                      "out"),
                   self->path, names[i], stage != NULL ? stage : "");
      return FALSE;
    }
  return TRUE;
}

gboolean
fleet_state_refresh (FleetState *self, GError **error)
{
  g_auto (DetourFile) data = { 0 };
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autoptr (GError) fault = NULL;

  if (!detour_file_read (self->path, FILE_MAX, DETOUR_FILE_PROTECTED, &data, &fault)
      && !g_error_matches (fault, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    {
      g_propagate_error (error, g_steal_pointer (&fault));
      return FALSE;
    }
  if (data.len > 0 && !g_key_file_load_from_data (file, data.data, data.len, 0, error))
    {
      g_prefix_error (error, "%s: ", self->path);
      return FALSE;
    }
  if (!fleet_state_check (self, file, error))
    return FALSE;
  g_key_file_unref (self->file);
  self->file = g_steal_pointer (&file);
  return TRUE;
}

FleetState *
fleet_state_load (const char *inventory, GError **error)
{
  g_autoptr (FleetState) self = g_new0 (FleetState, 1);

  self->path = g_strconcat (inventory, ".state", NULL);
  self->file = g_key_file_new ();
  self->claim = -1;
  return fleet_state_refresh (self, error) ? g_steal_pointer (&self) : NULL;
}

void
fleet_state_free (FleetState *self)
{
  if (self == NULL)
    return;
  g_key_file_unref (self->file);
  if (self->claim >= 0)
    close (self->claim);
  g_free (self->path);
  g_free (self);
}

/* Nobody else changes the file before fleet_state_end(). -1 with @error. */
static int
fleet_state_begin (FleetState *self, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (self->path);
  int lock = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (lock < 0 || flock (lock, LOCK_EX) != 0)
    {
      g_set_error (error, G_FILE_ERROR, (int) g_file_error_from_errno (errno), "%s: %s", folder,
                   g_strerror (errno));
      if (lock >= 0)
        close (lock);
      return -1;
    }
  if (fleet_state_refresh (self, error))
    return lock;
  close (lock);
  return -1;
}

/* Writes the file when @good, which it returns if that went well. */
static gboolean
fleet_state_end (FleetState *self, int lock, gboolean good, GError **error)
{
  gsize len = 0;
  g_autofree char *text = g_key_file_to_data (self->file, &len, NULL);

  good = good && detour_file_write (self->path, text, len, MODE, error);
  close (lock);
  return good;
}

FleetStage
fleet_state_stage (const FleetState *self, const char *relay)
{
  g_autofree char *name = self != NULL ? g_key_file_get_string (self->file, STAGES, relay, NULL)
                                       : NULL;
  int stage = fleet_state_find_stage (name);

  return stage >= 0 ? (FleetStage) stage : FLEET_OPEN;
}

gboolean
fleet_state_knows (const FleetState *self, const char *relay)
{
  return g_key_file_has_key (self->file, STAGES, relay, NULL);
}

const char *
fleet_state_stage_name (FleetStage stage)
{
  return stage_names[stage];
}

gboolean
fleet_state_set_stage (FleetState *self, const char *relay, FleetStage stage, FleetStateJudge judge,
                       gpointer user, GError **error)
{
  int lock = fleet_state_begin (self, error);
  gboolean good = lock >= 0 && (judge == NULL || judge (self, user, error));

  if (lock < 0)
    return FALSE;
  if (good)
    g_key_file_set_string (self->file, STAGES, relay, stage_names[stage]);
  return fleet_state_end (self, lock, good, error);
}

gboolean
fleet_state_hold (FleetState *self, FleetStateJudge judge, gpointer user, GError **error)
{
  int lock = fleet_state_begin (self, error);
  gboolean good = lock >= 0 && judge (self, user, error);

  if (lock >= 0)
    close (lock);
  return good;
}

gboolean
fleet_state_is_upgraded (const FleetState *self, const char *relay)
{
  return g_key_file_get_boolean (self->file, UPGRADE, relay, NULL);
}

gboolean
fleet_state_claim_upgrade (FleetState *self, GError **error)
{
  g_autofree char *path = g_strconcat (self->path, ".lock", NULL);
  gboolean is_busy = FALSE;

  self->claim = open (path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  /* The one before may have been under way when the file was read. */
  if (self->claim >= 0 && flock (self->claim, LOCK_EX | LOCK_NB) == 0)
    return fleet_state_refresh (self, error);
  is_busy = self->claim >= 0 && errno == EWOULDBLOCK;
  if (is_busy)
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
                 _ ("another command upgrades this fleet: it has locked %s"), path);
  else
    g_set_error (error, G_FILE_ERROR, (int) g_file_error_from_errno (errno), "%s: %s", path,
                 g_strerror (errno));
  return FALSE;
}

gboolean
fleet_state_set_upgraded (FleetState *self, const char *relay, GError **error)
{
  int lock = fleet_state_begin (self, error);

  if (lock < 0)
    return FALSE;
  g_key_file_set_boolean (self->file, UPGRADE, relay, TRUE);
  return fleet_state_end (self, lock, TRUE, error);
}

gboolean
fleet_state_forget_upgrade (FleetState *self, GError **error)
{
  int lock;

  if (!g_key_file_has_group (self->file, UPGRADE))
    return TRUE;
  lock = fleet_state_begin (self, error);
  if (lock < 0)
    return FALSE;
  g_key_file_remove_group (self->file, UPGRADE, NULL);
  return fleet_state_end (self, lock, TRUE, error);
}
