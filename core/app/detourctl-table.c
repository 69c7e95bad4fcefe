/* detourctl-table.c: rows and columns for people, cut to the terminal where there is one.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-table.h"

#include <stdarg.h>
#include <string.h>

#include "detourctl-format.h"

#define GAP 2u

struct _DetourctlTable {
  const DetourctlColumn *columns;
  guint n_columns;
  guint *widths;
  GPtrArray *cells; /* of char *, row by row */
  gboolean had_heading;
};

DetourctlTable *
detourctl_table_new (const DetourctlColumn *columns)
{
  DetourctlTable *self = g_new0 (DetourctlTable, 1);

  self->columns = columns;
  while (columns[self->n_columns].title != NULL)
    self->n_columns++;
  self->widths = g_new0 (guint, self->n_columns);
  for (guint i = 0; i < self->n_columns; i++)
    self->widths[i] = detourctl_format_width (columns[i].title);
  self->cells = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
detourctl_table_free (DetourctlTable *self)
{
  g_ptr_array_unref (self->cells);
  g_free (self->widths);
  g_free (self);
}

void
detourctl_table_add (DetourctlTable *self, ...)
{
  va_list args;

  va_start (args, self);
  for (guint i = 0; i < self->n_columns; i++)
    {
      const char *text = va_arg (args, const char *);
      char *safe = detourctl_format_safe (text);

      g_assert (text != NULL);
      self->widths[i] = MAX (self->widths[i], detourctl_format_width (safe));
      g_ptr_array_add (self->cells, safe);
    }
  va_end (args);
}

/* @text in at most @width columns, with an ellipsis where something is missing. */
static void
ctl_table_append_cut (GString *out, const char *text, guint width)
{
  guint used = 0;

  if (detourctl_format_width (text) <= width)
    {
      g_string_append (out, text);
      return;
    }
  for (; *text != '\0'; text = g_utf8_next_char (text))
    {
      gunichar c = g_utf8_get_char (text);
      guint n = g_unichar_iszerowidth (c) ? 0 : g_unichar_iswide (c) ? 2 : 1;

      if (used + n + 1 > width)
        break;
      g_string_append_unichar (out, c);
      used += n;
    }
  g_string_append (out, "…");
}

static void
ctl_table_append_blanks (GString *out, guint n)
{
  g_string_append_printf (out, "%*s", (int) n, "");
}

static void
ctl_table_append_row (DetourctlTable *self, GString *out, const char *const *cells, guint width)
{
  guint column = 0;

  for (guint i = 0; i < self->n_columns; i++)
    {
      guint n = detourctl_format_width (cells[i]);
      guint pad = self->widths[i] - n;

      if (i > 0)
        ctl_table_append_blanks (out, GAP);
      column += i > 0 ? GAP : 0;
      if (self->columns[i].align == DETOURCTL_COLUMN_RIGHT)
        ctl_table_append_blanks (out, pad);
      if (i + 1 < self->n_columns)
        {
          g_string_append (out, cells[i]);
          if (self->columns[i].align == DETOURCTL_COLUMN_LEFT)
            ctl_table_append_blanks (out, pad);
          column += self->widths[i];
        }
      else if (width > 0 && self->columns[i].align == DETOURCTL_COLUMN_LEFT)
        ctl_table_append_cut (out, cells[i], width > column ? width - column : 1);
      else
        g_string_append (out, cells[i]);
    }
  while (out->len > 0 && out->str[out->len - 1] == ' ')
    g_string_truncate (out, out->len - 1);
}

char *
detourctl_table_take (DetourctlTable *self, guint width, const char *bold, const char *plain)
{
  GString *out = g_string_new (NULL);

  if (self->cells->len > 0 && !self->had_heading)
    {
      g_autofree const char **titles = g_new0 (const char *, self->n_columns);

      for (guint i = 0; i < self->n_columns; i++)
        titles[i] = self->columns[i].title;
      self->had_heading = TRUE;
      g_string_append (out, bold != NULL ? bold : "");
      ctl_table_append_row (self, out, titles, width);
      g_string_append (out, plain != NULL ? plain : "");
      g_string_append_c (out, '\n');
    }
  for (guint i = 0; i < self->cells->len; i += self->n_columns)
    {
      ctl_table_append_row (self, out, (const char *const *) &self->cells->pdata[i], width);
      g_string_append_c (out, '\n');
    }
  g_ptr_array_set_size (self->cells, 0);
  return g_string_free (out, FALSE);
}

void
detourctl_print_table (const Detourctl *ctl, DetourctlTable *self)
{
  g_autofree char *text = detourctl_table_take (self, ctl->width,
                                                detourctl_style (ctl, DETOURCTL_BOLD),
                                                detourctl_style (ctl, DETOURCTL_PLAIN));

  g_print ("%s", text);
}
