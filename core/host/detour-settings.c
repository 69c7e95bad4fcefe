/* detour-settings.c: the checked values of one group.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-settings.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-config-value.h"

typedef struct {
  DetourConfigValue value;
  char *text; /* NULL: absent */
  char *file; /* NULL: not written anywhere */
  guint line;
  gboolean is_refused; /* a value was written that it cannot have */
} Setting;

struct _DetourSettings {
  gatomicrefcount refs;
  char *group;
  char *file;
  guint line;
  const DetourConfigKey *table;
  guint n_keys;
  Setting *settings;          /* one for each key of the table */
  DetourConfigErrors *errors; /* while check() runs, else NULL */
};

static const DetourConfigKey no_keys[] = { { NULL } };

static void
settings_setting_set (Setting *self, const DetourConfigValue *value, const char *text,
                      const char *file, guint line)
{
  detour_config_value_clear (&self->value);
  g_free (self->text);
  g_free (self->file);
  self->value = *value;
  self->text = g_strdup (text);
  self->file = g_strdup (file);
  self->line = line;
}

DetourSettings *
detour_settings_new (const char *group, const DetourConfigKey *table, const char *file, guint line)
{
  DetourSettings *self = g_new0 (DetourSettings, 1);

  g_atomic_ref_count_init (&self->refs);
  self->group = g_strdup (group);
  self->file = g_strdup (file);
  self->line = line;
  self->table = table != NULL ? table : no_keys;
  while (self->table[self->n_keys].key != NULL)
    self->n_keys++;
  self->settings = g_new0 (Setting, MAX (self->n_keys, 1));
  for (guint i = 0; i < self->n_keys; i++)
    if (self->table[i].fallback != NULL)
      {
        DetourConfigValue value;
        gboolean sane = detour_config_value_parse (&self->table[i], self->table[i].fallback, &value,
                                                   NULL);

        g_assert (sane);
        settings_setting_set (&self->settings[i], &value, self->table[i].fallback, NULL, 0);
      }
  return self;
}

DetourSettings *
detour_settings_ref (DetourSettings *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
detour_settings_unref (DetourSettings *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  for (guint i = 0; i < self->n_keys; i++)
    {
      detour_config_value_clear (&self->settings[i].value);
      g_free (self->settings[i].text);
      g_free (self->settings[i].file);
    }
  g_free (self->settings);
  g_free (self->group);
  g_free (self->file);
  g_free (self);
}

/* @key must be in the table. */
static Setting *
settings_find (const DetourSettings *self, const char *key)
{
  guint i = 0;

  while (i < self->n_keys && strcmp (self->table[i].key, key) != 0)
    i++;
  g_assert (i < self->n_keys);
  return &self->settings[i];
}

/* The setting of @key, whose type must be in @types and which must or must not be a list. */
static const Setting *
settings_expect (const DetourSettings *self, const char *key, guint types, gboolean list)
{
  const DetourConfigKey *entry = detour_settings_find_key (self, key);

  if (entry == NULL || (types & (1u << entry->type)) == 0
      || ((entry->flags & DETOUR_CONFIG_LIST) != 0) != list)
    {
      g_autofree char *text = g_strdup_printf ("[%s] %s: the table has no such key of this type",
                                               self->group, key);

      g_assertion_message (G_LOG_DOMAIN, __FILE__, __LINE__, G_STRFUNC, text);
    }
  return settings_find (self, key);
}

const DetourConfigKey *
detour_settings_find_key (const DetourSettings *self, const char *key)
{
  for (guint i = 0; i < self->n_keys; i++)
    if (strcmp (self->table[i].key, key) == 0)
      return &self->table[i];
  return NULL;
}

gboolean
detour_settings_set (DetourSettings *self, const char *key, const char *text, const char *file,
                     guint line, GError **error)
{
  Setting *setting = settings_find (self, key);
  const DetourConfigKey *entry = &self->table[setting - self->settings];
  DetourConfigValue value;

  if (!detour_config_value_parse (entry, text, &value, error))
    {
      g_autofree char *place = detour_config_place (file, line, self->group, key);

      /* What is wrong with a value is said with the value. */
      if ((entry->flags & DETOUR_CONFIG_SECRET) != 0)
        {
          g_clear_error (error);
          g_set_error_literal (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_VALUE,
                               _ ("the value cannot be used; it is secret and not shown here"));
        }
      g_prefix_error (error, "%s", place);
      setting->is_refused = TRUE;
      return FALSE;
    }
  settings_setting_set (setting, &value, text, file, line);
  return TRUE;
}

const char *
detour_settings_missing (const DetourSettings *self)
{
  for (guint i = 0; i < self->n_keys; i++)
    if ((self->table[i].flags & DETOUR_CONFIG_REQUIRED) != 0 && self->settings[i].text == NULL
        && !self->settings[i].is_refused)
      return self->table[i].key;
  return NULL;
}

gboolean
detour_settings_is_refused (const DetourSettings *self, const char *key)
{
  return settings_find (self, key)->is_refused;
}

const char *
detour_settings_group (const DetourSettings *self)
{
  return self->group;
}

const DetourConfigKey *
detour_settings_table (const DetourSettings *self)
{
  return self->table;
}

const char *
detour_settings_text (const DetourSettings *self, const char *key)
{
  return settings_find (self, key)->text;
}

gboolean
detour_settings_origin (const DetourSettings *self, const char *key, const char **file, guint *line)
{
  const Setting *setting = settings_find (self, key);

  if (setting->file == NULL)
    return FALSE;
  *file = setting->file;
  *line = setting->line;
  return TRUE;
}

gboolean
detour_settings_same_value (const DetourSettings *a, const DetourSettings *b, const char *key)
{
  return g_strcmp0 (settings_find (a, key)->text, settings_find (b, key)->text) == 0;
}

gboolean
detour_settings_equal (const DetourSettings *a, const DetourSettings *b)
{
  if (a->table != b->table)
    return FALSE;
  for (guint i = 0; i < a->n_keys; i++)
    if (g_strcmp0 (a->settings[i].text, b->settings[i].text) != 0
        || (a->settings[i].file == NULL) != (b->settings[i].file == NULL))
      return FALSE;
  return TRUE;
}

gboolean
detour_settings_has (const DetourSettings *self, const char *key)
{
  return settings_find (self, key)->text != NULL;
}

gboolean
detour_settings_is_written (const DetourSettings *self, const char *key)
{
  return settings_find (self, key)->file != NULL;
}

const char *
detour_settings_string (const DetourSettings *self, const char *key)
{
  return settings_expect (self, key,
                          1u << DETOUR_CONFIG_STRING | 1u << DETOUR_CONFIG_PATH
                              | 1u << DETOUR_CONFIG_ENUM | 1u << DETOUR_CONFIG_ADDRESS
                              | 1u << DETOUR_CONFIG_CIDR,
                          FALSE)
      ->value.string;
}

gboolean
detour_settings_bool (const DetourSettings *self, const char *key)
{
  return settings_expect (self, key, 1u << DETOUR_CONFIG_BOOL, FALSE)->value.number != 0;
}

guint64
detour_settings_uint (const DetourSettings *self, const char *key)
{
  return settings_expect (
             self, key,
             1u << DETOUR_CONFIG_UINT | 1u << DETOUR_CONFIG_SIZE | 1u << DETOUR_CONFIG_RATE, FALSE)
      ->value.number;
}

gint64
detour_settings_duration_us (const DetourSettings *self, const char *key)
{
  return (gint64) settings_expect (self, key, 1u << DETOUR_CONFIG_DURATION, FALSE)->value.number
       * 1000;
}

const char *const *
detour_settings_list (const DetourSettings *self, const char *key)
{
  static const char *const nothing[] = { NULL };
  const Setting *setting = settings_expect (self, key, G_MAXUINT, TRUE);

  return setting->value.list != NULL ? (const char *const *) setting->value.list : nothing;
}

/* The place of @word among those that the key allows. */
static guint
settings_word_index (const DetourConfigKey *key, const char *word)
{
  g_auto (GStrv) words = g_strsplit (key->words, "|", -1);
  guint i = 0;

  while (words[i] != NULL && strcmp (words[i], word) != 0)
    i++;
  g_assert (words[i] != NULL);
  return i;
}

/* A number for a field of 32 bits or 64; the table has bounds that fit. */
static void
settings_fill_number (const DetourConfigKey *key, guint64 number, gpointer field)
{
  if (key->width == sizeof (guint64))
    *(guint64 *) field = number;
  else if (key->width == sizeof (guint) && (number <= G_MAXUINT || number == G_MAXUINT64))
    *(guint *) field = (guint) MIN (number, G_MAXUINT);
  else
    g_assert_not_reached ();
}

static void
settings_fill_field (const DetourSettings *self, const DetourConfigKey *key, const Setting *setting,
                     gpointer field)
{
  if ((key->flags & DETOUR_CONFIG_LIST) != 0)
    {
      g_assert (key->width == sizeof (gpointer));
      *(const char *const **) field = detour_settings_list (self, key->key);
      return;
    }
  switch (key->type)
    {
    case DETOUR_CONFIG_BOOL:
    case DETOUR_CONFIG_UINT:
    case DETOUR_CONFIG_SIZE:
    case DETOUR_CONFIG_RATE:
      settings_fill_number (key, setting->value.number, field);
      break;
    case DETOUR_CONFIG_DURATION:
      g_assert (key->width == sizeof (gint64));
      *(gint64 *) field = detour_settings_duration_us (self, key->key);
      break;
    case DETOUR_CONFIG_ENUM:
      g_assert (key->width == sizeof (guint));
      /* Without a fallback, whether it is written tells it from the first word. */
      *(guint *) field = setting->text != NULL ? settings_word_index (key, setting->value.string)
                                               : 0;
      break;
    default:
      g_assert (key->width == sizeof (gpointer));
      *(const char **) field = setting->value.string;
      break;
    }
}

void
detour_settings_fill (const DetourSettings *self, gpointer fields)
{
  for (guint i = 0; i < self->n_keys; i++)
    if (self->table[i].width > 0)
      settings_fill_field (self, &self->table[i], &self->settings[i],
                           (guint8 *) fields + self->table[i].offset);
}

const char *const *
detour_settings_values (const DetourSettings *self, const DetourConfigKey *key, const char *room[2])
{
  if ((key->flags & DETOUR_CONFIG_LIST) != 0)
    return detour_settings_list (self, key->key);
  room[0] = detour_settings_string (self, key->key);
  room[1] = NULL;
  return room;
}

void
detour_settings_set_errors (DetourSettings *self, DetourConfigErrors *errors)
{
  self->errors = errors;
}

/* Where @key was written, or the group's header. */
static void
settings_place (const DetourSettings *self, const char *key, const char **file, guint *line)
{
  const Setting *setting = key != NULL ? settings_find (self, key) : NULL;

  *file = setting != NULL && setting->file != NULL ? setting->file : self->file;
  *line = setting != NULL && setting->file != NULL ? setting->line : self->line;
}

static char *G_GNUC_PRINTF (3, 0)
    settings_message (const DetourSettings *self, const char *key, const char *format, va_list args)
{
  g_autofree char *place = NULL;
  g_autofree char *text = g_strdup_vprintf (format, args);
  const char *file;
  guint line;

  settings_place (self, key, &file, &line);
  place = detour_config_place (file, line, self->group, key);
  return g_strconcat (place, text, NULL);
}

void
detour_settings_error (const DetourSettings *self, const char *key, GError **error,
                       const char *format, ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = settings_message (self, key, format, args);
  va_end (args);
  g_set_error_literal (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_REFUSED, message);
}

gboolean
detour_settings_unix_address (const DetourSettings *self, const char *key,
                              struct sockaddr_un *address, GError **error)
{
  const char *path = detour_settings_string (self, key);
  const gsize max = sizeof address->sun_path - 1;

  *address = (struct sockaddr_un) { .sun_family = AF_UNIX };
  if (strlen (path) <= max)
    {
      memcpy (address->sun_path, path, strlen (path) + 1);
      return TRUE;
    }
  detour_settings_error (self, key, error, _ ("%s has %u bytes; a socket's path has at most %u"),
                         path, (guint) strlen (path), (guint) max);
  return FALSE;
}

typedef void (*SettingsTell) (DetourConfigErrors *errors, const char *file, guint line,
                              const char *message);

static void settings_tell (const DetourSettings *self, const char *key, SettingsTell tell,
                           const char *format, va_list args) G_GNUC_PRINTF (4, 0);

static void
settings_tell (const DetourSettings *self, const char *key, SettingsTell tell, const char *format,
               va_list args)
{
  g_autofree char *message = settings_message (self, key, format, args);
  const char *file;
  guint line;

  settings_place (self, key, &file, &line);
  if (self->errors != NULL)
    tell (self->errors, file, line, message);
  else
    g_warning ("%s", message);
}

void
detour_settings_complain (const DetourSettings *self, const char *key, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  settings_tell (self, key, detour_config_errors_add_line, format, args);
  va_end (args);
}

void
detour_settings_warn (const DetourSettings *self, const char *key, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  settings_tell (self, key, detour_config_errors_warn_line, format, args);
  va_end (args);
}
