/* detour-map-file.c: the file that always has this relay's entry for a DERP map.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-map-file.h"

#include <string.h>

#include "detour-file-writer.h"
#include "detour-log.h"
#include "detourctl-region.h"

/* A reload changes one thing after the other. */
#define SETTLE_MS 200u
/* Somebody may have made room, or given the right. */
#define RETRY_SECONDS 30u
#define MODE          0644

struct _DetourMapFile {
  DetourControl *control;
  DetourRoster *roster;
  char *path;               /* NULL: no file is wanted */
  DetourFileWriter *writer; /* of that file */
  char *entry;              /* what was given to it last; NULL: nothing, or it failed */
  char *trouble;            /* NULL: none */
  guint timer;              /* 0: none */
  gboolean is_retry;        /* of that timer */
};

static const DetourctlRegionFormat formats[] = {
  [DETOUR_MAP_HEADSCALE] = DETOURCTL_REGION_HEADSCALE,
  [DETOUR_MAP_JSON] = DETOURCTL_REGION_JSON,
  [DETOUR_MAP_TAILSCALE] = DETOURCTL_REGION_TAILSCALE,
};

static gboolean map_file_look (gpointer data);

/* Takes @trouble. The same one is told once. */
static void
map_file_set_trouble (DetourMapFile *self, char *trouble)
{
  gboolean has_changed = g_strcmp0 (self->trouble, trouble) != 0;

  g_free (self->trouble);
  self->trouble = trouble;
  if (!has_changed)
    return;
  if (trouble != NULL)
    detour_log_event (G_LOG_LEVEL_WARNING, "map-not-written", "%s", trouble);
  detour_control_changed (self->control);
}

static void
map_file_on_written (const GError *error, gpointer data)
{
  DetourMapFile *self = data;

  if (error == NULL)
    {
      detour_log_event (G_LOG_LEVEL_MESSAGE, "map-written",
                        "this relay's entry for DERP maps is in %s", self->path);
      map_file_set_trouble (self, NULL);
      return;
    }
  g_clear_pointer (&self->entry, g_free);
  map_file_set_trouble (self,
                        g_strdup_printf ("[derpmap] file: %s cannot be written: %s; the directory "
                                         "has to belong to the user that the relay runs as, and "
                                         "its service has to allow it (ReadWritePaths=)",
                                         self->path, error->message));
  if (self->timer != 0)
    return;
  self->timer = g_timeout_add_seconds (RETRY_SECONDS, map_file_look, self);
  self->is_retry = TRUE;
}

/* NULL: there is nothing that clients could be told. */
static char *
map_file_make_entry (DetourMapFile *self, const DetourConfig *config)
{
  const DetourMapOptions *options = &config->options.derpmap;
  const char *hostname = config->options.core.hostname;
  g_autofree char *code = detourctl_region_default_code (hostname);
  g_autoptr (GVariant) objects = detour_control_objects (self->control);
  g_autoptr (GPtrArray) texts = g_ptr_array_new_with_free_func (g_free);
  DetourctlRegion region = {
    .id = options->region,
    .code = options->code != NULL ? options->code : code,
    .name = options->name != NULL ? options->name : hostname,
    .hostname = hostname,
    .ipv4 = options->ipv4,
    .ipv6 = options->ipv6,
  };

  /* A listener that is away for a moment would take its port with it, or the pin. */
  if (!detourctl_region_learn (&region, objects, texts) && !region.stun_only && self->entry != NULL)
    return NULL;
  return detourctl_region_format (&region, formats[options->format]);
}

/* Another file is wanted. */
static void
map_file_move (DetourMapFile *self, const char *path)
{
  /* What was begun comes to its end first. */
  g_clear_pointer (&self->writer, detour_file_writer_free);
  g_clear_pointer (&self->path, g_free);
  g_clear_pointer (&self->entry, g_free);
  self->path = g_strdup (path);
  if (path != NULL)
    self->writer = detour_file_writer_new (path, MODE);
  else
    map_file_set_trouble (self, NULL);
}

static gboolean
map_file_look (gpointer data)
{
  DetourMapFile *self = data;
  const DetourConfig *config = detour_roster_config (self->roster);
  g_autofree char *entry = NULL;

  self->timer = 0;
  if (g_strcmp0 (self->path, config->options.derpmap.file) != 0)
    map_file_move (self, config->options.derpmap.file);
  if (self->path == NULL || config->options.core.hostname == NULL)
    return G_SOURCE_REMOVE;
  entry = map_file_make_entry (self, config);
  if (entry == NULL || g_strcmp0 (entry, self->entry) == 0)
    return G_SOURCE_REMOVE;
  g_free (self->entry);
  self->entry = g_steal_pointer (&entry);
  detour_file_writer_put (self->writer, g_bytes_new (self->entry, strlen (self->entry)),
                          map_file_on_written, self);
  return G_SOURCE_REMOVE;
}

void
detour_map_file_changed (DetourMapFile *self)
{
  if (self->path == NULL && detour_roster_config (self->roster)->options.derpmap.file == NULL)
    return;
  if (self->timer != 0 && !self->is_retry)
    return;
  g_clear_handle_id (&self->timer, g_source_remove);
  self->timer = g_timeout_add (SETTLE_MS, map_file_look, self);
  self->is_retry = FALSE;
}

const char *
detour_map_file_trouble (const DetourMapFile *self)
{
  return self->trouble;
}

DetourMapFile *
detour_map_file_new (DetourControl *control, DetourRoster *roster)
{
  DetourMapFile *self = g_new0 (DetourMapFile, 1);

  self->control = control;
  self->roster = roster;
  detour_map_file_changed (self);
  return self;
}

void
detour_map_file_free (DetourMapFile *self)
{
  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_pointer (&self->writer, detour_file_writer_free);
  g_clear_handle_id (&self->timer, g_source_remove);
  g_free (self->path);
  g_free (self->entry);
  g_free (self->trouble);
  g_free (self);
}
