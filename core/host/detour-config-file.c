/* detour-config-file.c: reads one configuration file into groups and keys with their line numbers.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GKeyFile has the same syntax, but it gives no line numbers and lets repeated keys and bad UTF-8
 * pass. */
#include "config.h"

#include "detour-config-file.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-derper-flags.h"
#include "detour-file.h"
#include "detour-text.h"

typedef struct {
  DetourConfigFile *file;
  DetourConfigErrors *errors;
  DetourConfigGroup *group; /* NULL before the first */
  gboolean skipping;        /* inside a group whose header was bad */
  gboolean told_no_group;
} Reader;

static void
config_file_entry_clear (gpointer data)
{
  DetourConfigEntry *entry = data;

  g_free (entry->key);
  g_free (entry->value);
}

static void
config_file_group_free (gpointer data)
{
  DetourConfigGroup *group = data;

  g_free (group->name);
  g_array_unref (group->entries);
  g_free (group);
}

void
detour_config_file_free (DetourConfigFile *self)
{
  g_free (self->name);
  g_ptr_array_unref (self->groups);
  g_free (self);
}

static void
config_file_complain (Reader *reader, guint line, const char *key, const char *what)
{
  detour_config_errors_add (reader->errors, reader->file->name, line,
                            reader->group != NULL ? reader->group->name : NULL, key, "%s", what);
}

/* Whether @text has a character that nobody sees, which is said. A tab is a blank. */
static gboolean
config_file_is_hiding (Reader *reader, guint line, const char *key, const char *text)
{
  g_autofree char *blanks = g_strdelimit (g_strdup (text), "\t", ' ');
  gunichar hidden = detour_text_find_hidden (blanks);

  if (hidden != 0)
    detour_config_errors_add (reader->errors, reader->file->name, line,
                              reader->group != NULL ? reader->group->name : NULL, key,
                              _ ("here is a character that is not seen or turns the direction of "
                                 "writing, U+%04X; type it anew"),
                              hidden);
  return hidden != 0;
}

/* The words of @text with one blank between them. */
static char *
config_file_squeeze (const char *text)
{
  g_auto (GStrv) words = g_strsplit_set (text, " \t", -1);
  guint n = 0;

  for (guint i = 0; words[i] != NULL; i++)
    {
      if (words[i][0] != '\0')
        words[n++] = words[i];
      else
        g_free (words[i]);
    }
  words[n] = NULL;
  return g_strjoinv (" ", words);
}

static gboolean
config_file_group_name_is_sane (const char *name)
{
  for (const char *p = name; *p != '\0'; p = g_utf8_next_char (p))
    if (*p == '[' || *p == ']')
      return FALSE;
  return *name != '\0';
}

static void
config_file_read_header (Reader *reader, char *text, guint line)
{
  gsize n = strlen (text);
  g_autofree char *name = NULL;
  DetourConfigGroup *group;

  reader->group = NULL;
  reader->skipping = TRUE;
  if (n < 2 || text[n - 1] != ']')
    {
      config_file_complain (reader, line, NULL,
                            _ ("a group has the form [NAME] and nothing behind it"));
      return;
    }
  text[n - 1] = '\0';
  if (config_file_is_hiding (reader, line, NULL, text + 1))
    return;
  name = config_file_squeeze (text + 1);
  if (!config_file_group_name_is_sane (name))
    {
      config_file_complain (reader, line, NULL,
                            _ ("between the brackets there must be the name of a group"));
      return;
    }
  for (guint i = 0; i < reader->file->groups->len; i++)
    {
      group = reader->file->groups->pdata[i];
      if (strcmp (group->name, name) == 0)
        {
          detour_config_errors_add (reader->errors, reader->file->name, line, name, NULL,
                                    _ ("this group is already on line %u; a file has it once"),
                                    group->line);
          return;
        }
    }

  group = g_new0 (DetourConfigGroup, 1);
  group->name = g_steal_pointer (&name);
  group->line = line;
  group->entries = g_array_new (FALSE, FALSE, sizeof (DetourConfigEntry));
  g_array_set_clear_func (group->entries, config_file_entry_clear);
  g_ptr_array_add (reader->file->groups, group);
  reader->group = group;
  reader->skipping = FALSE;
}

static gboolean
config_file_key_is_sane (const char *key)
{
  if (!g_ascii_isalnum (key[0]))
    return FALSE;
  for (const char *p = key; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && *p != '-')
      return FALSE;
  return TRUE;
}

/* What does the same as the flag of derper that @text begins with; NULL when it begins with none.
 */
static const char *
config_file_derper_flag_here (const char *text)
{
  g_autofree char *name = g_strndup (text, strcspn (text, " \t="));

  return detour_derper_flag_here (name);
}

static void
config_file_refuse_without_group (Reader *reader, const char *text, guint line)
{
  const char *here = config_file_derper_flag_here (text);

  if (here != NULL)
    detour_config_errors_add (
        reader->errors, reader->file->name, line, NULL, NULL,
        _ ("text before the first [group]; it looks like a flag of derper, which is here: %s"),
        here);
  else if (!reader->told_no_group)
    config_file_complain (reader, line, NULL, _ ("text before the first [group]"));
  reader->told_no_group = TRUE;
}

static void
config_file_read_pair (Reader *reader, char *text, guint line)
{
  char *equals = strchr (text, '=');
  DetourConfigEntry entry;

  if (reader->skipping)
    return;
  if (reader->group == NULL)
    {
      config_file_refuse_without_group (reader, text, line);
      return;
    }
  if (equals == NULL)
    {
      g_autofree char *quoted = detour_config_quote (text);

      detour_config_errors_add (
          reader->errors, reader->file->name, line, reader->group->name, NULL,
          _ ("\"%s\" has no \"=\"; write key = value, or begin a comment with #"), quoted);
      return;
    }
  *equals = '\0';
  g_strchomp (text);
  if (config_file_is_hiding (reader, line, NULL, text))
    return;
  if (!config_file_key_is_sane (text))
    {
      g_autofree char *quoted = detour_config_quote (text);

      const char *here = detour_derper_flag_here (text);

      if (here != NULL)
        detour_config_errors_add (reader->errors, reader->file->name, line, reader->group->name,
                                  NULL, _ ("\"%s\" is a flag of derper, which is here: %s"), quoted,
                                  here);
      else
        detour_config_errors_add (
            reader->errors, reader->file->name, line, reader->group->name, NULL,
            _ ("\"%s\" cannot be a key; keys are letters, digits and \"-\""), quoted);
      return;
    }
  for (guint i = 0; i < reader->group->entries->len; i++)
    {
      const DetourConfigEntry *before = &g_array_index (reader->group->entries, DetourConfigEntry,
                                                        i);

      if (strcmp (before->key, text) == 0)
        {
          detour_config_errors_add (reader->errors, reader->file->name, line, reader->group->name,
                                    text, _ ("already set on line %u; only one of them can count"),
                                    before->line);
          return;
        }
    }
  g_strstrip (equals + 1);
  if (config_file_is_hiding (reader, line, text, equals + 1))
    return;
  entry.key = g_strdup (text);
  entry.value = g_strdup (equals + 1);
  entry.line = line;
  g_array_append_val (reader->group->entries, entry);
}

static void
config_file_read_line (Reader *reader, const char *data, gsize len, guint line)
{
  g_autofree char *text = NULL;
  char *start;

  if (len > DETOUR_CONFIG_LINE_MAX)
    {
      config_file_complain (reader, line, NULL, _ ("a line may have 16384 bytes at most"));
      return;
    }
  if (memchr (data, '\0', len) != NULL)
    {
      config_file_complain (reader, line, NULL,
                            _ ("there is a NUL byte in this line; is this a text file?"));
      return;
    }
  if (!g_utf8_validate (data, (gssize) len, NULL))
    {
      config_file_complain (reader, line, NULL, _ ("this line is not UTF-8"));
      return;
    }
  text = g_strndup (data, len);
  start = g_strstrip (text);
  if (start[0] == '\0' || start[0] == '#' || start[0] == ';')
    return;
  if (start[0] == '[')
    config_file_read_header (reader, start, line);
  else
    config_file_read_pair (reader, start, line);
}

/* With the mark at its beginning, or with every other byte of its first characters zero. */
static gboolean
config_file_is_utf16 (const char *data, gsize len)
{
  if (len < 2)
    return FALSE;
  if (memcmp (data, "\xff\xfe", 2) == 0 || memcmp (data, "\xfe\xff", 2) == 0)
    return TRUE;
  return len >= 4 && (data[0] == '\0') != (data[1] == '\0')
      && (data[0] == '\0') == (data[2] == '\0') && (data[1] == '\0') == (data[3] == '\0');
}

static DetourConfigFile *
config_file_new (const char *name, DetourConfigErrors *errors)
{
  DetourConfigFile *self = g_new0 (DetourConfigFile, 1);

  self->name = g_strdup (name);
  self->groups = g_ptr_array_new_with_free_func (config_file_group_free);
  detour_config_errors_add_file (errors, name);
  return self;
}

DetourConfigFile *
detour_config_file_of_one (const char *name, const char *group, const char *key, const char *value,
                           DetourConfigErrors *errors)
{
  DetourConfigFile *self = config_file_new (name, errors);
  Reader reader = { self, errors, NULL, FALSE, FALSE };
  g_autofree char *header = g_strdup_printf ("[%s]", group);
  g_autofree char *pair = g_strdup_printf ("%s=%s", key, value);

  config_file_read_header (&reader, header, 0);
  config_file_read_pair (&reader, pair, 0);
  return self;
}

DetourConfigFile *
detour_config_file_parse (const char *name, const char *data, gsize len, DetourConfigErrors *errors)
{
  DetourConfigFile *self = config_file_new (name, errors);
  Reader reader = { self, errors, NULL, FALSE, FALSE };
  guint line = 1;

  if (len > DETOUR_CONFIG_FILE_MAX)
    {
      detour_config_errors_add (errors, name, 0, NULL, NULL,
                                _ ("a configuration file may have %u bytes at most"),
                                DETOUR_CONFIG_FILE_MAX);
      self->is_unread = TRUE;
      return self;
    }
  if (len >= 3
      && memcmp (data, "\xef\xbb\xbf", 3) == 0) /* some editors begin with a byte order mark */
    {
      data += 3;
      len -= 3;
    }
  if (config_file_is_utf16 (data, len))
    {
      detour_config_errors_add (errors, name, 0, NULL, NULL,
                                _ ("this file is UTF-16; save it as UTF-8, as by: iconv -f UTF-16 "
                                   "-t UTF-8"));
      self->is_unread = TRUE;
      return self;
    }
  while (len > 0)
    {
      const char *end = memchr (data, '\n', len);
      gsize n = end != NULL ? (gsize) (end - data) : len;

      config_file_read_line (&reader, data, n, line++);
      n += end != NULL;
      data += n;
      len -= n;
    }
  return self;
}

DetourConfigFile *
detour_config_file_load (const char *path, DetourConfigErrors *errors)
{
  g_auto (DetourFile) file;
  g_autoptr (GError) error = NULL;

  if (!detour_file_read (path, DETOUR_CONFIG_FILE_MAX, 0, &file, &error))
    {
      DetourConfigFile *none = config_file_new (path, errors);

      detour_config_errors_add_line (errors, path, 0, error->message);
      none->is_unread = TRUE;
      return none;
    }
  return detour_config_file_parse (path, file.data, file.len, errors);
}
