/* detourctl-print.c: a title with a text behind it, within the width of the terminal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-print.h"

#include "detourctl-format.h"

guint
detourctl_print_width (const Detourctl *self)
{
  if (self->width == 0)
    return DETOURCTL_PRINT_DEFAULT;
  return CLAMP (self->width, DETOURCTL_PRINT_MIN, DETOURCTL_PRINT_MAX);
}

void
detourctl_print_fact (const Detourctl *self, const char *title, guint column, const char *text)
{
  g_autofree char *safe = detourctl_format_safe (text);
  g_autofree char *lines = detourctl_format_wrap (safe, column, column,
                                                  detourctl_print_width (self));
  guint width = detourctl_format_width (title);

  g_print ("  %s%s%s%*s%s\n", detourctl_style (self, DETOURCTL_BOLD), title,
           detourctl_style (self, DETOURCTL_PLAIN), (int) (column - 2 - MIN (width, column - 3)),
           "", lines);
}
