/* detour-config-environment.c: keys of the configuration that stand in the environment.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A NAME may have the sign that would stand between it and a key, so a group with a name is
 * parted from its key by two of them. */
#include "config.h"

#include "detour-config-environment.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-nearest.h"
#include "detour-schema.h"

#define PREFIX "DETOUR_"

/* Bytes; a line of a file holds it with its key. */
#define VALUE_MAX 16000u

/* One load. */
typedef struct {
  DetourConfigMerge *merge;
  DetourConfigErrors *errors;
} Reading;

/* ---- which variables ------------------------------------------------------------------------- */

/* Names that mean something else: for detourctl, for programs that take each other's place, and for
 * tests. */
static gboolean
config_environment_is_other (const char *word)
{
  static const char *const others[] = { "SOCKET", "CONTROL_FD", "HANDOVER", "BUILD", NULL };

  return g_strv_contains (others, word) || g_str_has_prefix (word, "TEST_");
}

/* Kubernetes sets variables for every Service, so for one called `detour`, which is what people
 * will call it, too: DETOUR_SERVICE_HOST, DETOUR_PORT_443_TCP_ADDR and their like. */
static gboolean
config_environment_is_service_link (const char *word, const char *const *environment)
{
  if (g_environ_getenv ((char **) environment, "KUBERNETES_SERVICE_HOST") == NULL)
    return FALSE;
  /* Raw: a name may hold any bytes. */
  return g_regex_match_simple ("^([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|"
                               "PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$",
                               word, G_REGEX_RAW, G_REGEX_MATCH_DEFAULT);
}

static gboolean
config_environment_says_plugin (const char *variable)
{
  return g_str_has_suffix (variable, "__PLUGIN");
}

/* Another plugin begins its group anew, so it comes before the keys. */
static int
config_environment_compare (gconstpointer a, gconstpointer b)
{
  const char *x = *(const char *const *) a;
  const char *y = *(const char *const *) b;
  gboolean x_first = config_environment_says_plugin (x);
  gboolean y_first = config_environment_says_plugin (y);

  return x_first != y_first ? (x_first ? -1 : 1) : strcmp (x, y);
}

/* Their names in the order in which they are taken. */
static GPtrArray *
config_environment_variables (const char *const *environment)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; environment[i] != NULL; i++)
    {
      const char *equals = strchr (environment[i], '=');
      g_autofree char *name = NULL;

      if (equals == NULL || equals[1] == '\0' || !g_str_has_prefix (environment[i], PREFIX))
        continue;
      name = g_strndup (environment[i], (gsize) (equals - environment[i]));
      if (!config_environment_is_other (name + strlen (PREFIX))
          && !config_environment_is_service_link (name + strlen (PREFIX), environment))
        g_ptr_array_add (names, g_steal_pointer (&name));
    }
  g_ptr_array_sort (names, config_environment_compare);
  return names;
}

/* ---- spelling -------------------------------------------------------------------------------- */

/* "transport https" as TRANSPORT_HTTPS. */
static char *
config_environment_spell (const char *text)
{
  char *word = g_ascii_strup (text, -1);

  for (char *p = word; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p))
      *p = '_';
  return word;
}

/* The other way round, which cannot know which sign a `_` stands for: "https-2". */
static char *
config_environment_unspell (const char *word)
{
  return g_strdelimit (g_ascii_strdown (word, -1), "_", '-');
}

/* What is behind the words of @name in @word: KEY of CORE_KEY for "core". NULL: it does not begin
 * so. */
static const char *
config_environment_behind (const char *word, const char *name)
{
  g_autofree char *begin = config_environment_spell (name);
  gsize n = strlen (begin);

  return strncmp (word, begin, n) == 0 && word[n] == '_' ? word + n + 1 : NULL;
}

/* ---- what was meant -------------------------------------------------------------------------- */

/* A key of a group with a name, with one `_` before it: that variable with two. */
static char *
config_environment_with_two (const Reading *self, const char *word)
{
  for (guint i = 0; i < self->merge->groups->len; i++)
    {
      const DetourMergedGroup *group = self->merge->groups->pdata[i];
      const char *key = strchr (group->name, ' ') != NULL
                          ? config_environment_behind (word, group->name)
                          : NULL;

      if (key != NULL && *key != '_' && *key != '\0')
        return g_strdup_printf (PREFIX "%.*s_%s", (int) (key - word), word, key);
    }
  return NULL;
}

/* The nearest variable of a fixed group; one that @word is the end of, as HOSTNAME of
 * CORE_HOSTNAME, before all. */
static char *
config_environment_nearest_fixed (const char *word)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *end = g_strconcat ("_", word, NULL);
  const char *nearest;

  for (guint i = 0; detour_schema_groups[i].name != NULL; i++)
    for (const DetourConfigKey *row = detour_schema_groups[i].table; row->key != NULL; row++)
      {
        g_autofree char *name = g_strconcat (detour_schema_groups[i].name, " ", row->key, NULL);
        char *spelled = config_environment_spell (name);

        g_ptr_array_add (words, spelled);
        if (g_str_has_suffix (spelled, end))
          return g_strconcat (PREFIX, spelled, NULL);
      }
  g_ptr_array_add (words, NULL);
  nearest = detour_nearest (word, (const char *const *) words->pdata);
  return nearest != NULL ? g_strconcat (PREFIX, nearest, NULL) : NULL;
}

static void
config_environment_refuse (const Reading *self, const char *variable)
{
  const char *word = variable + strlen (PREFIX);
  g_autofree char *quoted = detour_config_quote (variable);
  g_autofree char *meant = config_environment_with_two (self, word);

  if (meant == NULL)
    meant = config_environment_nearest_fixed (word);
  if (meant != NULL)
    detour_config_errors_add (self->errors, quoted, 0, NULL, NULL,
                              _ ("no key of the configuration has this variable; did you mean %s?"),
                              meant);
  else
    detour_config_errors_add (self->errors, quoted, 0, NULL, NULL,
                              _ ("no key of the configuration has this variable; write "
                                 "DETOUR_GROUP_KEY or DETOUR_KIND_NAME__KEY, as in "
                                 "DETOUR_CORE_HOSTNAME and DETOUR_TRANSPORT_HTTPS__LISTEN"));
}

/* ---- one variable ---------------------------------------------------------------------------- */

/* The group whose spelling is @spelled, KIND_NAME; it may be a new one. NULL: there are two. */
static char *
config_environment_group (const Reading *self, const char *variable, const char *kind,
                          const char *spelled)
{
  const DetourMergedGroup *found = NULL;
  g_autofree char *name = NULL;

  for (guint i = 0; i < self->merge->groups->len; i++)
    {
      const DetourMergedGroup *group = self->merge->groups->pdata[i];
      g_autofree char *other = config_environment_spell (group->name);

      if (strcmp (other, spelled) != 0)
        continue;
      if (found != NULL)
        {
          detour_config_errors_add (self->errors, variable, 0, NULL, NULL,
                                    _ ("this may be [%s] or [%s]; set it in a file"), found->name,
                                    group->name);
          return NULL;
        }
      found = group;
    }
  if (found != NULL)
    return g_strdup (found->name);
  name = config_environment_unspell (spelled + strlen (kind) + 1);
  return g_strconcat (kind, " ", name, NULL);
}

static void
config_environment_lay_over (const Reading *self, const char *variable, const char *group,
                             const char *key, const char *value)
{
  g_autoptr (DetourConfigFile) file = NULL;

  if (strpbrk (value, "\r\n") != NULL || !g_utf8_validate (value, -1, NULL)
      || strlen (value) > VALUE_MAX)
    {
      detour_config_errors_add (
          self->errors, variable, 0, group, key,
          _ ("a value is UTF-8 text without line breaks, of 16000 bytes at most"));
      return;
    }
  file = detour_config_file_of_one (variable, group, key, value, self->errors);
  detour_config_merge_add (self->merge, file);
}

static gboolean
config_environment_has_key (const DetourConfigKey *table, const char *key)
{
  while (table->key != NULL && strcmp (table->key, key) != 0)
    table++;
  return table->key != NULL;
}

/* FALSE: @kind is not that of the variable. */
static gboolean
config_environment_take_named (const Reading *self, const char *variable, const char *kind,
                               const char *value)
{
  const char *word = variable + strlen (PREFIX);
  const char *name = config_environment_behind (word, kind);
  const char *between = name != NULL ? g_strrstr (name, "__") : NULL;
  g_autofree char *spelled = NULL;
  g_autofree char *group = NULL;
  g_autofree char *key = NULL;

  if (between == NULL || between == name || between[2] == '\0')
    return FALSE;
  spelled = g_strndup (word, (gsize) (between - word));
  group = config_environment_group (self, variable, kind, spelled);
  key = config_environment_unspell (between + 2);
  if (group != NULL)
    config_environment_lay_over (self, variable, group, key, value);
  return TRUE;
}

/* FALSE: it means no key. */
static gboolean
config_environment_take (const Reading *self, const char *variable, const char *value)
{
  const char *word = variable + strlen (PREFIX);

  if (strspn (word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen (word))
    return FALSE;
  for (guint i = 0; detour_schema_groups[i].name != NULL; i++)
    {
      const DetourSchemaGroup *group = &detour_schema_groups[i];
      const char *rest = config_environment_behind (word, group->name);
      g_autofree char *key = rest != NULL ? config_environment_unspell (rest) : NULL;

      if (key != NULL && config_environment_has_key (group->table, key))
        {
          config_environment_lay_over (self, variable, group->name, key, value);
          return TRUE;
        }
    }
  for (guint i = 0; detour_schema_named_groups[i].name != NULL; i++)
    if (config_environment_take_named (self, variable, detour_schema_named_groups[i].name, value))
      return TRUE;
  for (guint i = 0; i < DETOUR_N_KINDS; i++)
    if (config_environment_take_named (self, variable, detour_kind_names[i], value))
      return TRUE;
  return FALSE;
}

void
detour_config_environment_add (DetourConfigMerge *merge, const char *const *environment,
                               DetourConfigErrors *errors)
{
  const Reading reading = { merge, errors };
  g_autoptr (GPtrArray) variables = NULL;

  if (environment == NULL)
    return;
  variables = config_environment_variables (environment);
  for (guint i = 0; i < variables->len; i++)
    {
      const char *variable = variables->pdata[i];
      const char *value = g_environ_getenv ((char **) environment, variable);

      if (value != NULL && !config_environment_take (&reading, variable, value))
        config_environment_refuse (&reading, variable);
    }
}

char *
detour_config_environment_variable (const char *group, const char *key)
{
  g_autofree char *name = g_strconcat (PREFIX, group, " ", key, NULL);

  return config_environment_spell (name);
}

char *
detour_config_environment_origin (const char *file, guint line)
{
  return line > 0 ? g_strdup_printf ("%s:%u", file, line)
                  : g_strconcat ("environment:", file, NULL);
}
