/* detour-last-config.c: the configuration that was in force in the program before.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-last-config.h"

#include <unistd.h>

#include "detour-config-record.h"
#include "detour-daemon.h"
#include "detour-handover.h"
#include "detour-store.h"

gboolean
detour_last_config_is_there (const DetourProgram *program)
{
  return program->handover >= 0 || detour_store_is_passed ();
}

/* FALSE: there is none. */
static gboolean
last_config_find (const DetourProgram *program, DetourRecord *out)
{
  gboolean found;
  int fd;

  if (program->handover >= 0)
    return detour_handover_peek (program->handover, DETOUR_HANDOVER_CONFIG, out);
  detour_program_begin_secrecy ();
  fd = detour_store_peek ();
  found = fd >= 0 && detour_handover_peek (fd, DETOUR_HANDOVER_CONFIG, out);
  if (fd >= 0)
    close (fd);
  return found;
}

static DetourConfig *
last_config_read (const DetourRecord *record, DetourPlugins *plugins, DetourConfigErrors *errors)
{
  DetourRecordReader reader = { record->data, record->len };
  g_autoptr (DetourConfig) config = NULL;
  g_autoptr (GError) error = NULL;
  DetourRecordItem item;

  if (detour_record_next (&reader, &item) == DETOUR_RECORD_ITEM)
    config = detour_config_record_read (&item, plugins, errors);
  if (config == NULL || detour_daemon_could_begin (config, &error))
    return g_steal_pointer (&config);
  detour_config_errors_add_line (errors, NULL, 0, error->message);
  return NULL;
}

DetourConfig *
detour_last_config_load (const DetourProgram *program, DetourPlugins *plugins,
                         DetourConfigErrors *errors)
{
  g_auto (DetourRecord) record = { NULL };

  if (!detour_last_config_is_there (program) || !last_config_find (program, &record))
    return NULL;
  return last_config_read (&record, plugins, errors);
}
