/* detour-verdict-file.c: the text in which verdicts outlast the daemon.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-file.h"

#include <sodium.h>
#include <string.h>

#define FAMILY  "detour-verdicts"
#define VERSION "1"
/* For head, end and the heads of all sections. */
#define HEADS_MAX    65536u
#define INSTANCE_MAX 128u
#define FIELDS       5
#define TIME_MAX     DETOUR_VERDICT_FILE_TIME_MAX

G_STATIC_ASSERT (HEADS_MAX > DETOUR_VERDICT_FILE_SECTIONS * (INSTANCE_MAX + 64));

G_DEFINE_QUARK (detour_verdict_file_error_quark, detour_verdict_file_error)

DetourVerdictRow *
detour_verdict_row_new (const DetourVerdictRow *fields)
{
  DetourVerdictRow *self = g_atomic_rc_box_new (DetourVerdictRow);

  *self = *fields;
  self->box = g_strdup (fields->box);
  return self;
}

DetourVerdictRow *
detour_verdict_row_ref (DetourVerdictRow *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
verdict_file_clear_row (gpointer row)
{
  g_free (((DetourVerdictRow *) row)->box);
}

void
detour_verdict_row_unref (DetourVerdictRow *self)
{
  g_atomic_rc_box_release_full (self, verdict_file_clear_row);
}

static void
verdict_file_free_section (gpointer data)
{
  DetourVerdictSection *section = data;

  g_free (section->instance);
  g_ptr_array_unref (section->rows);
  g_free (section);
}

DetourVerdictFile *
detour_verdict_file_new (void)
{
  DetourVerdictFile *self = g_new0 (DetourVerdictFile, 1);

  self->sections = g_ptr_array_new_with_free_func (verdict_file_free_section);
  return self;
}

void
detour_verdict_file_free (DetourVerdictFile *self)
{
  g_ptr_array_unref (self->sections);
  g_free (self);
}

DetourVerdictSection *
detour_verdict_file_add (DetourVerdictFile *self, const char *instance, const guint8 *source)
{
  DetourVerdictSection *section = g_new0 (DetourVerdictSection, 1);

  section->instance = g_strdup (instance);
  memcpy (section->source, source, sizeof section->source);
  section->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) detour_verdict_row_unref);
  g_ptr_array_add (self->sections, section);
  return section;
}

/* Reading -------------------------------------------------------------------------------------- */

typedef struct {
  char *at; /* the rest, terminated */
  guint line;
  guint n_rows;
  DetourVerdictFile *file;
} Reading;

static gboolean
verdict_file_refuse (const Reading *reading, const char *problem, GError **error)
{
  g_set_error (error, DETOUR_VERDICT_FILE_ERROR, DETOUR_VERDICT_FILE_ERROR_FORM, "line %u %s",
               reading->line, problem);
  return FALSE;
}

/* Cuts the next line into its words. Returns: how many, more than @max as @max + 1; 0: there is no
 * whole line. */
static guint
verdict_file_take_line (Reading *reading, char **words, guint max)
{
  char *at = reading->at;
  char *end = strchr (at, '\n');
  guint n = 0;

  if (end == NULL)
    return 0;
  *end = '\0';
  reading->at = end + 1;
  reading->line++;
  while (n < max)
    {
      char *space = strchr (at, ' ');

      words[n++] = at;
      if (space == NULL)
        return n;
      *space = '\0';
      at = space + 1;
    }
  return max + 1;
}

/* Lower case only: what is read is written again in the same way. */
static gboolean
verdict_file_read_hex (const char *text, guint8 *out, gsize len)
{
  if (strlen (text) != 2 * len)
    return FALSE;
  for (gsize i = 0; i < len; i++)
    {
      int high = g_ascii_xdigit_value (text[2 * i]), low = g_ascii_xdigit_value (text[2 * i + 1]);

      if (high < 0 || low < 0 || g_ascii_isupper (text[2 * i]) || g_ascii_isupper (text[2 * i + 1]))
        return FALSE;
      out[i] = (guint8) (high << 4 | low);
    }
  return TRUE;
}

static gboolean
verdict_file_read_number (const char *text, gint64 max, gint64 *out)
{
  return (text[0] != '0' || text[1] == '\0')
      && g_ascii_string_to_signed (text, 10, 0, max, out, NULL);
}

static gboolean
verdict_file_read_request (const char *text, gint64 until_s, guint64 *out)
{
  guint8 bytes[sizeof *out];

  *out = 0;
  if (until_s == 0)
    return strcmp (text, "-") == 0;
  if (!verdict_file_read_hex (text, bytes, sizeof bytes))
    return FALSE;
  for (guint i = 0; i < sizeof bytes; i++)
    *out = *out << 8 | bytes[i];
  return *out != 0;
}

/* Base64 for addresses. Whether it can be opened is seen when it is wanted. */
static gboolean
verdict_file_is_box (const char *text)
{
  gsize len = strlen (text);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-' && text[i] != '_')
      return FALSE;
  return len > 0 && len < DETOUR_VERDICT_SEAL_BOX_MAX;
}

static gboolean
verdict_file_read_row (Reading *reading, char **words, GError **error)
{
  GPtrArray *sections = reading->file->sections;
  DetourVerdictRow row = { .box = strcmp (words[4], "-") != 0 ? words[4] : NULL };

  if (sections->len == 0)
    return verdict_file_refuse (reading, "belongs to no instance", error);
  if (reading->n_rows == DETOUR_VERDICT_FILE_ROWS)
    return verdict_file_refuse (reading, "is one key too many", error);
  if (!verdict_file_read_hex (words[0], row.key, sizeof row.key)
      || !verdict_file_read_number (words[1], TIME_MAX, &row.allowed_s)
      || !verdict_file_read_number (words[2], TIME_MAX, &row.until_s)
      || !verdict_file_read_request (words[3], row.until_s, &row.request)
      || (row.box != NULL && !verdict_file_is_box (row.box)))
    return verdict_file_refuse (reading, "is no verdict", error);
  reading->n_rows++;
  g_ptr_array_add (((DetourVerdictSection *) sections->pdata[sections->len - 1])->rows,
                   detour_verdict_row_new (&row));
  return TRUE;
}

static gboolean
verdict_file_read_section (Reading *reading, char **words, GError **error)
{
  guint8 source[DETOUR_VERDICT_SEAL_NAME];

  if (strcmp (words[0], "instance") != 0 || *words[1] == '\0' || strlen (words[1]) > INSTANCE_MAX
      || !verdict_file_read_hex (words[2], source, sizeof source))
    return verdict_file_refuse (reading, "is no instance", error);
  if (reading->file->sections->len == DETOUR_VERDICT_FILE_SECTIONS)
    return verdict_file_refuse (reading, "is one instance too many", error);
  detour_verdict_file_add (reading->file, words[1], source);
  return TRUE;
}

static gboolean
verdict_file_read_head (Reading *reading, GError **error)
{
  char *words[4];
  guint n = verdict_file_take_line (reading, words, G_N_ELEMENTS (words));

  if (n < 2 || strcmp (words[0], FAMILY) != 0)
    return verdict_file_refuse (reading, "does not begin with " FAMILY, error);
  if (strcmp (words[1], VERSION) != 0)
    {
      g_set_error (error, DETOUR_VERDICT_FILE_ERROR, DETOUR_VERDICT_FILE_ERROR_VERSION,
                   "its version is not " VERSION);
      return FALSE;
    }
  return (n == 4
          && verdict_file_read_hex (words[2], reading->file->check, sizeof reading->file->check)
          && verdict_file_read_number (words[3], TIME_MAX, &reading->file->written_s))
      || verdict_file_refuse (reading, "is no head", error);
}

static gboolean
verdict_file_read_end (Reading *reading, const char *number, GError **error)
{
  gint64 n;

  return (verdict_file_read_number (number, DETOUR_VERDICT_FILE_ROWS, &n) && n == reading->n_rows
          && *reading->at == '\0')
      || verdict_file_refuse (reading, "does not end as it should", error);
}

static gboolean
verdict_file_read_all (Reading *reading, GError **error)
{
  if (!verdict_file_read_head (reading, error))
    return FALSE;
  for (;;)
    {
      char *words[FIELDS];
      guint n = verdict_file_take_line (reading, words, FIELDS);
      gboolean good;

      if (n == 2 && strcmp (words[0], "end") == 0)
        return verdict_file_read_end (reading, words[1], error);
      if (n == FIELDS)
        good = verdict_file_read_row (reading, words, error);
      else if (n == 3)
        good = verdict_file_read_section (reading, words, error);
      else
        good = verdict_file_refuse (reading, n == 0 ? "is followed by nothing" : "is unknown",
                                    error);
      if (!good)
        return FALSE;
    }
}

DetourVerdictFile *
detour_verdict_file_parse (const char *text, gsize len, GError **error)
{
  g_autoptr (DetourVerdictFile) file = detour_verdict_file_new ();
  g_autofree char *copy = NULL;
  Reading reading = { .file = file };

  if (len > DETOUR_VERDICT_FILE_MAX || (len > 0 && memchr (text, '\0', len) != NULL))
    {
      g_set_error (error, DETOUR_VERDICT_FILE_ERROR, DETOUR_VERDICT_FILE_ERROR_FORM,
                   "it is no text of at most %" G_GSIZE_FORMAT " bytes", DETOUR_VERDICT_FILE_MAX);
      return NULL;
    }
  copy = g_strndup (len > 0 ? text : "", len);
  reading.at = copy;
  return verdict_file_read_all (&reading, error) ? g_steal_pointer (&file) : NULL;
}

/* Writing -------------------------------------------------------------------------------------- */

static void
verdict_file_put_hex (GString *out, const guint8 *bytes, gsize len)
{
  char text[2 * DETOUR_VERDICT_SEAL_NAME + 1];

  sodium_bin2hex (text, sizeof text, bytes, len);
  g_string_append (out, text);
}

static void
verdict_file_put_row (GString *out, const DetourVerdictRow *row)
{
  verdict_file_put_hex (out, row->key, sizeof row->key);
  g_string_append_printf (out, " %" G_GINT64_FORMAT " ", row->allowed_s);
  if (row->until_s != 0)
    g_string_append_printf (out, "%" G_GINT64_FORMAT " %016" G_GINT64_MODIFIER "x ", row->until_s,
                            row->request);
  else
    g_string_append (out, "0 - ");
  g_string_append (out, row->box != NULL ? row->box : "-");
  g_string_append_c (out, '\n');
}

/* Returns: rows that were written. */
static guint
verdict_file_put_section (GString *out, const DetourVerdictSection *section, guint n_sections)
{
  gsize end = out->len + (DETOUR_VERDICT_FILE_MAX - HEADS_MAX) / n_sections;
  guint n = MIN (section->rows->len, DETOUR_VERDICT_FILE_ROWS / n_sections);

  g_string_append_printf (out, "instance %s ", section->instance);
  verdict_file_put_hex (out, section->source, sizeof section->source);
  g_string_append_c (out, '\n');
  for (guint i = 0; i < n; i++)
    {
      gsize before = out->len;

      verdict_file_put_row (out, section->rows->pdata[i]);
      if (out->len <= end)
        continue;
      g_string_truncate (out, before);
      return i;
    }
  return n;
}

GBytes *
detour_verdict_file_format (const DetourVerdictFile *self)
{
  GString *out = g_string_new (FAMILY " " VERSION " ");
  guint n = MIN (self->sections->len, DETOUR_VERDICT_FILE_SECTIONS);
  guint n_rows = 0;
  gsize len;

  verdict_file_put_hex (out, self->check, sizeof self->check);
  g_string_append_printf (out, " %" G_GINT64_FORMAT "\n", self->written_s);
  for (guint i = 0; i < n; i++)
    n_rows += verdict_file_put_section (out, self->sections->pdata[i], n);
  g_string_append_printf (out, "end %u\n", n_rows);
  len = out->len;
  return g_bytes_new_take (g_string_free (out, FALSE), len);
}
