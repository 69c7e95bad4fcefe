/* detour-config-record.h: a configuration that is in force, for the program that comes next.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * That one reads the files itself, and needs this when it cannot use them. What is written down is
 * what the files and the environment say, each value with its place, and not what this version
 * makes of it. Secrets are among it. */
#pragma once

#include "detour-config-load.h"
#include "detour-record.h"

G_BEGIN_DECLS

void detour_config_record_write (const DetourConfig *config, DetourRecord *out, guint16 tag);

/**
 * detour_config_record_read:
 * @item: that detour_config_record_write() wrote; nothing is trusted
 * @errors: what this program does not like
 *
 * A plugin that is not there any more costs its instance. Main thread.
 *
 * Returns: (transfer full) (nullable): NULL when there are errors.
 */
DetourConfig *detour_config_record_read (const DetourRecordItem *item, DetourPlugins *plugins,
                                         DetourConfigErrors *errors);

G_END_DECLS
