/* next-config-record.c: the configuration in the record, which earlier versions did not write; see
 * README.md.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-record.h"

#include "next.h"

/* What is static here stays so where it is defined below. */
static void config_record_write_of_today (const DetourConfig *config, DetourRecord *out,
                                          guint16 tag);

#define detour_config_record_write config_record_write_of_today
#include "../../core/host/detour-config-record.c"
#undef detour_config_record_write

void
detour_config_record_write (const DetourConfig *config, DetourRecord *out, guint16 tag)
{
  if (!next_is ("no-config"))
    config_record_write_of_today (config, out, tag);
}
