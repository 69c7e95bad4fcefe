/* detourctl-import-source.c: finds how derper is started in a unit, a compose file, a Dockerfile, a
 * script or a command line.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-import-source.h"

/* How many shells may be in each other. */
#define SHELLS_MAX 4u

DetourctlImportSource *
detourctl_import_source_new (const char *kind)
{
  DetourctlImportSource *self = g_new0 (DetourctlImportSource, 1);

  self->kind = kind;
  self->notes = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
detourctl_import_source_free (DetourctlImportSource *self)
{
  if (self == NULL)
    return;
  g_strfreev (self->words);
  g_ptr_array_unref (self->notes);
  g_free (self);
}

void
detourctl_import_fail (GError **error, const char *text)
{
  g_set_error_literal (error, DETOURCTL_IMPORT_ERROR, 0, text);
}

/* derper among words -----------------------------------------------------------------------------
 */

/* The last part of a path, without what stands behind a colon or an at-sign in the name of an
 * image. */
static char *
ctl_import_source_base (const char *word)
{
  g_autofree char *base = g_path_get_basename (word);

  return g_strndup (base, strcspn (base, ":@"));
}

gboolean
detourctl_import_is_derper (const char *word)
{
  g_autofree char *base = ctl_import_source_base (word);

  return *word != '-' && strchr (word, '=') == NULL
      && (strcmp (base, "derper") == 0 || g_str_has_prefix (base, "derper-")
          || g_str_has_prefix (base, "derper_"));
}

static gboolean
ctl_import_source_is_shell (const char *word)
{
  static const char *const names[] = { "sh", "bash", "dash", "ash", "busybox", NULL };
  g_autofree char *base = ctl_import_source_base (word);

  return g_strv_contains (names, base);
}

/* What ends a command of the shell. */
static gboolean
ctl_import_source_is_operator (const char *word)
{
  static const char *const words[] = { "|", "||", "&", "&&", ";", "|&", NULL };

  return g_strv_contains (words, word) || *word == '>' || *word == '<'
      || (g_ascii_isdigit (*word) && (word[1] == '>' || word[1] == '<'));
}

static GStrv
ctl_import_source_copy (const char *const *words)
{
  g_autoptr (GPtrArray) copy = g_ptr_array_new ();

  for (guint i = 0; words[i] != NULL && !ctl_import_source_is_operator (words[i]); i++)
    g_ptr_array_add (copy, g_strdup (words[i]));
  g_ptr_array_add (copy, NULL);
  return (GStrv) g_ptr_array_free (g_steal_pointer (&copy), FALSE);
}

static GStrv
ctl_import_source_find (const char *const *words, GHashTable *environment, guint depth,
                        GError **error)
{
  for (guint i = 0; words[i] != NULL; i++)
    {
      if (detourctl_import_is_derper (words[i]))
        return ctl_import_source_copy (words + i + 1);
      if (i > 0 && words[i][0] == '-' && words[i][strlen (words[i]) - 1] == 'c'
          && ctl_import_source_is_shell (words[i - 1]) && words[i + 1] != NULL
          && depth < SHELLS_MAX)
        {
          g_auto (GStrv) inner = detourctl_import_split (words[i + 1], DETOURCTL_WORDS_SHELL,
                                                         environment, error);

          return inner != NULL ? ctl_import_source_find ((const char *const *) inner, environment,
                                                         depth + 1, error)
                               : NULL;
        }
    }
  /* Whatever the program is called: its flags, when nothing else comes before them. */
  if (words[0] != NULL && words[0][0] == '-')
    return ctl_import_source_copy (words);
  detourctl_import_fail (error, _ ("there is no derper in it"));
  return NULL;
}

GStrv
detourctl_import_find_flags (const char *const *words, GHashTable *environment, GError **error)
{
  return ctl_import_source_find (words, environment, 0, error);
}

static DetourctlImportSource *
ctl_import_source_finish (DetourctlImportSource *self, const char *const *words,
                          GHashTable *environment, GError **error)
{
  self->words = detourctl_import_find_flags (words, environment, error);
  if (self->words != NULL)
    return self;
  detourctl_import_source_free (self);
  return NULL;
}

DetourctlImportSource *
detourctl_import_source_from_words (const char *const *words, GError **error)
{
  return ctl_import_source_finish (detourctl_import_source_new ("command line"), words, NULL,
                                   error);
}

DetourctlImportSource *
detourctl_import_source_from_line (const char *text, GError **error)
{
  g_auto (GStrv) words = detourctl_import_split (text, DETOURCTL_WORDS_SHELL, NULL, error);

  return words != NULL ? detourctl_import_source_from_words ((const char *const *) words, error)
                       : NULL;
}

/* Files of lines ---------------------------------------------------------------------------------
 */

/* Lines with what continues them, without comments and empty ones. */
static GPtrArray *
ctl_import_source_lines (const char *text)
{
  g_auto (GStrv) raw = g_strsplit (text, "\n", -1);
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) line = g_string_new (NULL);

  for (guint i = 0; raw[i] != NULL; i++)
    {
      char *part = g_strstrip (raw[i]);
      gsize len = strlen (part);

      if (*part == '#' || (*part == ';' && line->len == 0))
        continue;
      if (len > 0 && part[len - 1] == '\\')
        {
          g_string_append_len (line, part, (gssize) len - 1);
          g_string_append_c (line, ' ');
          continue;
        }
      g_string_append (line, part);
      if (line->len > 0)
        g_ptr_array_add (lines, g_strdup (line->str));
      g_string_truncate (line, 0);
    }
  if (line->len > 0)
    g_ptr_array_add (lines, g_strdup (line->str));
  return lines;
}

/* Behind `KEY=` with blanks around the sign; NULL: the line is another. */
static const char *
ctl_import_source_value (const char *line, const char *key)
{
  gsize len = strlen (key);

  if (strncmp (line, key, len) != 0)
    return NULL;
  line += len + strspn (line + len, " \t");
  return *line == '=' ? line + 1 + strspn (line + 1, " \t") : NULL;
}

GHashTable *
detourctl_import_environment (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* `NAME=VALUE`; others are left out. */
void
detourctl_import_set (GHashTable *environment, const char *assignment)
{
  const char *sign = strchr (assignment, '=');

  if (sign != NULL)
    g_hash_table_insert (environment, g_strndup (assignment, (gsize) (sign - assignment)),
                         g_strdup (sign + 1));
}

static DetourctlImportSource *
ctl_import_source_unit (const GPtrArray *lines, GError **error)
{
  g_autoptr (GHashTable) environment = detourctl_import_environment ();
  g_autoptr (DetourctlImportSource) self = detourctl_import_source_new ("systemd unit");
  g_auto (GStrv) words = NULL;
  const char *command = NULL;

  for (guint i = 0; i < lines->len; i++)
    {
      const char *line = lines->pdata[i];
      const char *start = ctl_import_source_value (line, "ExecStart");
      const char *assigned = ctl_import_source_value (line, "Environment");
      const char *file = ctl_import_source_value (line, "EnvironmentFile");

      /* An empty one takes back those before it. */
      if (start != NULL)
        command = *start != '\0' ? start : NULL;
      if (assigned != NULL)
        {
          g_auto (GStrv) parts = detourctl_import_split (assigned, DETOURCTL_WORDS_SETTING,
                                                         environment, error);

          if (parts == NULL)
            return NULL;
          for (guint k = 0; parts[k] != NULL; k++)
            detourctl_import_set (environment, parts[k]);
        }
      if (file != NULL && *file != '\0')
        g_ptr_array_add (self->notes,
                         g_strdup_printf ("The unit reads variables from %s, which was not looked "
                                          "at.",
                                          file));
      if (ctl_import_source_value (line, "User") != NULL)
        g_ptr_array_add (self->notes,
                         g_strdup_printf ("derper ran as the user %s; Detour runs as detour, which "
                                          "must be able to read the files below.",
                                          ctl_import_source_value (line, "User")));
    }
  if (command == NULL)
    {
      detourctl_import_fail (error, _ ("the unit has no ExecStart="));
      return NULL;
    }
  words = detourctl_import_split (command + strspn (command, "@-:+!"), DETOURCTL_WORDS_SYSTEMD,
                                  environment, error);
  if (words == NULL)
    return NULL;
  return ctl_import_source_finish (g_steal_pointer (&self), (const char *const *) words,
                                   environment, error);
}

/* Dockerfiles ------------------------------------------------------------------------------------
 */

/* What is behind an instruction; NULL: the line has another. */
static const char *
ctl_import_source_instruction (const char *line, const char *name)
{
  gsize len = strlen (name);

  if (g_ascii_strncasecmp (line, name, len) != 0 || !g_ascii_isspace (line[len]))
    return NULL;
  return line + len + strspn (line + len, " \t");
}

static void
ctl_import_source_append (GPtrArray *words, const DetourctlValue *list)
{
  for (guint i = 0; i < list->values->len; i++)
    {
      const DetourctlValue *value = list->values->pdata[i];

      if (value->text != NULL)
        g_ptr_array_add (words, g_strdup (value->text));
    }
}

/* CMD or ENTRYPOINT into @words: a list, or TRUE with a command of a shell. */
static gboolean
ctl_import_source_exec (const char *text, GPtrArray *words)
{
  g_autofree char *wrapped = g_strdup_printf ("{\"words\": %s}", text);
  g_autoptr (DetourctlDocument)
      document = *text == '[' ? detourctl_document_parse (wrapped, strlen (wrapped), NULL) : NULL;
  const DetourctlValue *list = document != NULL ? detourctl_value_member (document->root, "words")
                                                : NULL;

  g_ptr_array_set_size (words, 0);
  if (list != NULL && list->type == DETOURCTL_VALUE_LIST)
    {
      ctl_import_source_append (words, list);
      return FALSE;
    }
  g_ptr_array_add (words, g_strdup ("sh"));
  g_ptr_array_add (words, g_strdup ("-c"));
  g_ptr_array_add (words, g_strdup (text));
  return TRUE;
}

/* `ENV A=1 B=2`, and `ENV A 1` of old. Values have others in them, so that few lines may stand for
 * very much. @n_bytes: of all so far */
static gboolean
ctl_import_source_env (GHashTable *environment, const char *text, gsize *n_bytes, GError **error)
{
  g_auto (GStrv) parts = detourctl_import_split (text, DETOURCTL_WORDS_SHELL, environment, error);

  if (parts == NULL)
    return FALSE;
  for (guint i = 0; parts[i] != NULL; i++)
    *n_bytes += strlen (parts[i]);
  if (*n_bytes > 2 * DETOURCTL_IMPORT_BYTES_MAX)
    {
      detourctl_import_fail (error, _ ("the variables are too long"));
      return FALSE;
    }
  if (parts[0] != NULL && strchr (parts[0], '=') == NULL)
    {
      g_autofree char *value = g_strjoinv (" ", parts + 1);

      if (parts[1] != NULL)
        g_hash_table_insert (environment, g_strdup (parts[0]), g_strdup (value));
      return TRUE;
    }
  for (guint i = 0; parts[i] != NULL; i++)
    detourctl_import_set (environment, parts[i]);
  return TRUE;
}

static DetourctlImportSource *
ctl_import_source_dockerfile (const GPtrArray *lines, GError **error)
{
  g_autoptr (GHashTable) environment = detourctl_import_environment ();
  g_autoptr (GPtrArray) entry = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) command = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) words = g_ptr_array_new ();
  gboolean entry_is_shell = FALSE;
  gsize n_bytes = 0;

  for (guint i = 0; i < lines->len; i++)
    {
      const char *line = lines->pdata[i];
      const char *text;

      if ((text = ctl_import_source_instruction (line, "ENV")) != NULL
          || (text = ctl_import_source_instruction (line, "ARG")) != NULL)
        {
          if (!ctl_import_source_env (environment, text, &n_bytes, error))
            return NULL;
        }
      else if ((text = ctl_import_source_instruction (line, "ENTRYPOINT")) != NULL)
        entry_is_shell = ctl_import_source_exec (text, entry);
      else if ((text = ctl_import_source_instruction (line, "CMD")) != NULL)
        ctl_import_source_exec (text, command);
      else if (ctl_import_source_instruction (line, "FROM") != NULL)
        {
          /* Only the last stage is run. */
          g_ptr_array_set_size (entry, 0);
          g_ptr_array_set_size (command, 0);
          entry_is_shell = FALSE;
        }
    }
  if (entry->len == 0 && command->len == 0)
    {
      detourctl_import_fail (error, _ ("the Dockerfile has neither ENTRYPOINT nor CMD"));
      return NULL;
    }
  for (guint i = 0; i < entry->len; i++)
    g_ptr_array_add (words, entry->pdata[i]);
  /* A command of a shell takes no arguments from CMD. */
  for (guint i = 0; i < command->len && !entry_is_shell; i++)
    g_ptr_array_add (words, command->pdata[i]);
  g_ptr_array_add (words, NULL);
  return ctl_import_source_finish (detourctl_import_source_new ("Dockerfile"),
                                   (const char *const *) words->pdata, environment, error);
}

/* Which it is ------------------------------------------------------------------------------------
 */

/* The line of a script that starts derper. */
static DetourctlImportSource *
ctl_import_source_script (const GPtrArray *lines, GError **error)
{
  for (guint i = 0; i < lines->len; i++)
    if (strstr (lines->pdata[i], "derper") != NULL)
      {
        g_auto (GStrv)
            words = detourctl_import_split (lines->pdata[i], DETOURCTL_WORDS_SHELL, NULL, error);
        DetourctlImportSource *self;

        if (words == NULL)
          return NULL;
        self = ctl_import_source_finish (detourctl_import_source_new ("script"),
                                         (const char *const *) words, NULL, NULL);
        if (self != NULL)
          return self;
      }
  detourctl_import_fail (error, _ ("there is no derper in it"));
  return NULL;
}

DetourctlImportSource *
detourctl_import_source_from_file (const char *text, GError **error)
{
  g_autoptr (GPtrArray) lines = NULL;
  g_autoptr (DetourctlDocument) document = NULL;
  const DetourctlValue *services;
  gboolean is_unit = FALSE, is_dockerfile = FALSE;

  if (!g_utf8_validate (text, -1, NULL))
    {
      detourctl_import_fail (error, _ ("not a text in UTF-8"));
      return NULL;
    }
  lines = ctl_import_source_lines (text);
  for (guint i = 0; i < lines->len; i++)
    {
      const char *line = lines->pdata[i];

      is_unit = is_unit || strcmp (line, "[Service]") == 0
             || ctl_import_source_value (line, "ExecStart") != NULL;
      is_dockerfile = is_dockerfile || ctl_import_source_instruction (line, "FROM") != NULL;
    }
  if (is_unit)
    return ctl_import_source_unit (lines, error);
  if (is_dockerfile)
    return ctl_import_source_dockerfile (lines, error);
  document = detourctl_document_parse (text, strlen (text), NULL);
  services = document != NULL ? detourctl_value_member (document->root, "services") : NULL;
  if (services != NULL)
    return detourctl_import_source_from_compose (services, error);
  return ctl_import_source_script (lines, error);
}
