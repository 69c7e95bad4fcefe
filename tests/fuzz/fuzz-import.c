/* fuzz-import.c: any bytes as a file or a command line that starts derper, and the configuration
 * that is made of them.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-import.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
import (DetourctlImportSource *source, const GError *error)
{
  g_autoptr (DetourctlDerperFlags) flags = NULL;
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = NULL;

  g_assert ((source == NULL) == (error != NULL));
  if (source == NULL)
    return;
  flags = detourctl_derper_flags_read ((const char *const *) source->words, faults);
  text = detourctl_import_text (flags, source, faults);
  /* A value with a line feed in it would be a key of its own. */
  for (const char *line = text; line != NULL && *line != '\0'; line = strchr (line, '\n'))
    {
      line += *line == '\n';
      g_assert (*line == '#' || *line == '[' || *line == '\n' || *line == '\0'
                || g_ascii_islower (*line));
    }
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree char *text = g_strndup (size > 0 ? (const char *) data : "", size);
  g_autoptr (GError) file_error = NULL;
  g_autoptr (GError) line_error = NULL;
  g_autoptr (DetourctlImportSource) file = NULL;
  g_autoptr (DetourctlImportSource) line = NULL;

  if (size > DETOURCTL_IMPORT_BYTES_MAX)
    return 0;
  file = detourctl_import_source_from_file (text, &file_error);
  import (file, file_error);
  line = detourctl_import_source_from_line (text, &line_error);
  import (line, line_error);
  return 0;
}
