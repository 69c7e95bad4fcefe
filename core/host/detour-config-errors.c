/* detour-config-errors.c: the errors and warnings of a configuration, collected in one run.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-errors.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-log.h"

/* Lines that are kept; a file of rubbish has an error on each of its lines. */
#define LINES_MAX 200u
#define QUOTE_MAX 80

typedef struct {
  guint file; /* rank of the file */
  guint line;
  guint serial;
  char *text;
} ErrorLine;

struct _DetourConfigErrors {
  GPtrArray *files; /* char* in order */
  GArray *lines;    /* ErrorLine */
  GArray *warnings; /* ErrorLine */
  guint n_errors;   /* may be more than there are lines */
};

G_DEFINE_QUARK (detour_config_error_quark, detour_config_error)

static void
config_errors_error_line_clear (gpointer data)
{
  g_free (((ErrorLine *) data)->text);
}

DetourConfigErrors *
detour_config_errors_new (void)
{
  DetourConfigErrors *self = g_new0 (DetourConfigErrors, 1);

  self->files = g_ptr_array_new_with_free_func (g_free);
  self->lines = g_array_new (FALSE, FALSE, sizeof (ErrorLine));
  g_array_set_clear_func (self->lines, config_errors_error_line_clear);
  self->warnings = g_array_new (FALSE, FALSE, sizeof (ErrorLine));
  g_array_set_clear_func (self->warnings, config_errors_error_line_clear);
  return self;
}

void
detour_config_errors_free (DetourConfigErrors *self)
{
  g_ptr_array_unref (self->files);
  g_array_unref (self->lines);
  g_array_unref (self->warnings);
  g_free (self);
}

static guint
config_errors_rank (DetourConfigErrors *self, const char *file)
{
  guint i;

  if (file == NULL)
    return G_MAXUINT;
  if (!g_ptr_array_find_with_equal_func (self->files, file, g_str_equal, &i))
    {
      i = self->files->len;
      g_ptr_array_add (self->files, g_strdup (file));
    }
  return i;
}

void
detour_config_errors_add_file (DetourConfigErrors *self, const char *file)
{
  config_errors_rank (self, file);
}

char *
detour_config_place (const char *file, guint line, const char *group, const char *key)
{
  GString *place = g_string_new (NULL);

  if (file != NULL && line > 0)
    g_string_append_printf (place, "%s:%u: ", file, line);
  else if (file != NULL)
    g_string_append_printf (place, "%s: ", file);
  if (group != NULL && key != NULL)
    g_string_append_printf (place, "[%s] %s: ", group, key);
  else if (group != NULL)
    g_string_append_printf (place, "[%s]: ", group);
  return g_string_free (place, FALSE);
}

/* Messages quote files and paths, which may hold any bytes. */
static char *
config_errors_escape_controls (const char *text, guint max)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *out = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (max-- == 0)
        {
          g_string_append (out, "…");
          break;
        }
      if (!detour_log_may_show (c))
        g_string_append_printf (out, "\\x%02x", c);
      else
        g_string_append_unichar (out, c);
    }
  return g_string_free (out, FALSE);
}

static void
config_errors_append (DetourConfigErrors *self, GArray *lines, guint serial, const char *file,
                      guint line, const char *text)
{
  ErrorLine entry = { config_errors_rank (self, file), line, serial, NULL };

  if (lines->len >= LINES_MAX)
    return;
  entry.text = config_errors_escape_controls (text, G_MAXUINT);
  g_array_append_val (lines, entry);
}

void
detour_config_errors_add_line (DetourConfigErrors *self, const char *file, guint line,
                               const char *text)
{
  config_errors_append (self, self->lines, self->n_errors++, file, line, text);
}

void
detour_config_errors_warn_line (DetourConfigErrors *self, const char *file, guint line,
                                const char *text)
{
  config_errors_append (self, self->warnings, self->warnings->len, file, line, text);
}

static char *G_GNUC_PRINTF (5, 0)
    config_errors_format (const char *file, guint line, const char *group, const char *key,
                          const char *format, va_list args)
{
  g_autofree char *place = detour_config_place (file, line, group, key);
  g_autofree char *what = g_strdup_vprintf (format, args);

  return g_strconcat (place, what, NULL);
}

void
detour_config_errors_add (DetourConfigErrors *self, const char *file, guint line, const char *group,
                          const char *key, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = config_errors_format (file, line, group, key, format, args);
  va_end (args);
  detour_config_errors_add_line (self, file, line, text);
}

void
detour_config_errors_warn (DetourConfigErrors *self, const char *file, guint line,
                           const char *group, const char *key, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = config_errors_format (file, line, group, key, format, args);
  va_end (args);
  detour_config_errors_warn_line (self, file, line, text);
}

guint
detour_config_errors_count (const DetourConfigErrors *self)
{
  return self->n_errors;
}

static int
config_errors_compare_lines (gconstpointer a, gconstpointer b)
{
  const ErrorLine *x = a;
  const ErrorLine *y = b;

  if ((x->line == 0) != (y->line == 0))
    return x->line == 0 ? 1 : -1;
  if (x->file != y->file)
    return x->file < y->file ? -1 : 1;
  if (x->line != y->line)
    return x->line < y->line ? -1 : 1;
  return x->serial < y->serial ? -1 : 1;
}

GStrv
detour_config_errors_lines (const DetourConfigErrors *self)
{
  GPtrArray *texts = g_ptr_array_new ();

  g_array_sort (self->lines, config_errors_compare_lines);
  for (guint i = 0; i < self->lines->len; i++)
    g_ptr_array_add (texts, g_strdup (g_array_index (self->lines, ErrorLine, i).text));
  if (self->n_errors > self->lines->len)
    g_ptr_array_add (texts, g_strdup_printf (_ ("and %u more"), self->n_errors - self->lines->len));
  if (self->n_errors > 0)
    g_ptr_array_add (
        texts,
        g_strdup_printf (g_dngettext (GETTEXT_PACKAGE, "%u error; the configuration was not used",
                                      "%u errors; the configuration was not used", self->n_errors),
                         self->n_errors));
  g_ptr_array_add (texts, NULL);
  return (GStrv) g_ptr_array_free (texts, FALSE);
}

char *
detour_config_quote (const char *text)
{
  return config_errors_escape_controls (text, QUOTE_MAX);
}

gboolean
detour_config_refuse_value (GError **error, const char *text, const char *format, ...)
{
  g_autofree char *quoted = detour_config_quote (text);
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_VALUE, "\"%s\" %s", quoted, what);
  return FALSE;
}

GStrv
detour_config_errors_warnings (const DetourConfigErrors *self)
{
  GPtrArray *out = g_ptr_array_new ();

  g_array_sort (self->warnings, config_errors_compare_lines);
  for (guint i = 0; i < self->warnings->len; i++)
    g_ptr_array_add (out, g_strdup (g_array_index (self->warnings, ErrorLine, i).text));
  g_ptr_array_add (out, NULL);
  return (GStrv) g_ptr_array_free (out, FALSE);
}
