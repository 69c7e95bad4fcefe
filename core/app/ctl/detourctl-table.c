/* detourctl-table.c: rows and columns for people, within the width of the terminal.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detourctl-table.h"

#include <stdarg.h>
#include <string.h>

#include "detourctl-format.h"
#include "detourctl-print.h"

#define GAP 2u
/* Room that the last column needs beside the others, and the indent of its text below them. */
#define LAST_MIN 24u
#define BELOW    4u

/* How rows are laid out. */
typedef enum {
  LAYOUT_ROWS,  /* all columns beside each other */
  LAYOUT_BELOW, /* the text of the last one below the others */
  LAYOUT_LISTS, /* a list of titles and texts for each row */
} Layout;

struct _DetourctlTable {
  const DetourctlColumn *columns;
  guint n_columns;
  guint *widths;
  guint longest_word; /* of the last column */
  GPtrArray *cells;   /* of char *, row by row */
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

static guint
ctl_table_longest_word (const char *text)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  guint longest = 0;

  for (guint i = 0; words[i] != NULL; i++)
    longest = MAX (longest, detourctl_format_width (words[i]));
  return longest;
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
      if (i + 1 == self->n_columns)
        self->longest_word = MAX (self->longest_word, ctl_table_longest_word (safe));
      g_ptr_array_add (self->cells, safe);
    }
  va_end (args);
}

/* Columns that all but the last one take, with the gaps behind them. */
static guint
ctl_table_lead (const DetourctlTable *self)
{
  guint lead = 0;

  for (guint i = 0; i + 1 < self->n_columns; i++)
    lead += self->widths[i] + GAP;
  return lead;
}

static Layout
ctl_table_choose_layout (const DetourctlTable *self, guint width)
{
  guint lead = ctl_table_lead (self);
  guint room = MAX (MIN (self->widths[self->n_columns - 1], LAST_MIN), self->longest_word);

  if (width == 0 || lead + room <= width)
    return LAYOUT_ROWS;
  return lead <= width + GAP ? LAYOUT_BELOW : LAYOUT_LISTS;
}

static void
ctl_table_append_blanks (GString *out, guint n)
{
  g_string_append_printf (out, "%*s", (int) n, "");
}

/* @text from @column on, in lines below each other; @indent: of all but the first. */
static void
ctl_table_append_text (GString *out, const char *text, guint column, guint indent, guint width)
{
  g_autofree char *lines = detourctl_format_wrap (text, column, indent,
                                                  width > 0 ? width : G_MAXUINT);

  g_string_append (out, lines);
}

static void
ctl_table_append_row (DetourctlTable *self, GString *out, const char *const *cells, guint width,
                      Layout layout)
{
  guint last = self->n_columns - 1;
  guint lead = ctl_table_lead (self);

  for (guint i = 0; i < last; i++)
    {
      guint pad = self->widths[i] - detourctl_format_width (cells[i]);

      if (self->columns[i].align == DETOURCTL_COLUMN_RIGHT)
        ctl_table_append_blanks (out, pad);
      g_string_append (out, cells[i]);
      if (self->columns[i].align == DETOURCTL_COLUMN_LEFT)
        ctl_table_append_blanks (out, pad);
      ctl_table_append_blanks (out, GAP);
    }
  if (layout == LAYOUT_ROWS)
    {
      if (self->columns[last].align == DETOURCTL_COLUMN_RIGHT)
        ctl_table_append_blanks (out, self->widths[last] - detourctl_format_width (cells[last]));
      ctl_table_append_text (out, cells[last], lead, lead, width);
    }
  while (out->len > 0 && out->str[out->len - 1] == ' ')
    g_string_truncate (out, out->len - 1);
  if (layout == LAYOUT_BELOW && *cells[last] != '\0')
    {
      g_string_append_c (out, '\n');
      ctl_table_append_blanks (out, BELOW);
      ctl_table_append_text (out, cells[last], BELOW, BELOW, width);
    }
}

/* The row as a list, and an empty line behind it. */
static void
ctl_table_append_list (DetourctlTable *self, GString *out, const char *const *cells, guint width,
                       const char *bold, const char *plain)
{
  guint column = 0;

  for (guint i = 0; i < self->n_columns; i++)
    column = MAX (column, detourctl_format_width (self->columns[i].title) + GAP);
  for (guint i = 0; i < self->n_columns; i++)
    {
      const char *title = self->columns[i].title;

      if (*cells[i] == '\0')
        continue;
      g_string_append_printf (out, "%s%s%s", bold != NULL ? bold : "", title,
                              plain != NULL ? plain : "");
      ctl_table_append_blanks (out, column - detourctl_format_width (title));
      ctl_table_append_text (out, cells[i], column, column, width);
      g_string_append_c (out, '\n');
    }
  g_string_append_c (out, '\n');
}

static void
ctl_table_append_heading (DetourctlTable *self, GString *out, guint width, Layout layout,
                          const char *bold, const char *plain)
{
  g_autofree const char **titles = g_new0 (const char *, self->n_columns);

  for (guint i = 0; i < self->n_columns; i++)
    titles[i] = self->columns[i].title;
  g_string_append (out, bold != NULL ? bold : "");
  ctl_table_append_row (self, out, titles, width, layout);
  g_string_append (out, plain != NULL ? plain : "");
  g_string_append_c (out, '\n');
}

char *
detourctl_table_take (DetourctlTable *self, guint width, const char *bold, const char *plain)
{
  GString *out = g_string_new (NULL);
  Layout layout = ctl_table_choose_layout (self, width);

  if (self->cells->len > 0 && !self->had_heading && layout != LAYOUT_LISTS)
    {
      self->had_heading = TRUE;
      ctl_table_append_heading (self, out, width, layout, bold, plain);
    }
  for (guint i = 0; i < self->cells->len; i += self->n_columns)
    {
      const char *const *cells = (const char *const *) &self->cells->pdata[i];

      if (layout == LAYOUT_LISTS)
        {
          ctl_table_append_list (self, out, cells, width, bold, plain);
          continue;
        }
      ctl_table_append_row (self, out, cells, width, layout);
      g_string_append_c (out, '\n');
    }
  g_ptr_array_set_size (self->cells, 0);
  return g_string_free (out, FALSE);
}

void
detourctl_print_table (const Detourctl *ctl, DetourctlTable *self)
{
  guint width = ctl->width > 0 ? detourctl_print_width (ctl) : 0;
  g_autofree char *text = detourctl_table_take (self, width, detourctl_style (ctl, DETOURCTL_BOLD),
                                                detourctl_style (ctl, DETOURCTL_PLAIN));

  g_print ("%s", text);
}
