/* detour-config-value.c: the text of one value, parsed strictly by the type of its key.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-config-value.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "detour-address.h"
#include "detour-config-credentials.h"
#include "detour-config-errors.h"
#include "detour-nearest.h"

typedef struct {
  const char *suffix;
  guint64 factor;
} Unit;

static const Unit duration_units[] = {
  { "ms", 1 },          { "s", 1000 },         { "m", 60 * 1000 },
  { "h", 3600 * 1000 }, { "d", 86400 * 1000 }, { NULL, 0 },
};

static const Unit size_units[] = {
  { "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 },
};

const char *
detour_config_type_name (DetourConfigType type)
{
  static const char *const names[] = {
    [DETOUR_CONFIG_STRING] = "text",     [DETOUR_CONFIG_BOOL] = "boolean",
    [DETOUR_CONFIG_UINT] = "number",     [DETOUR_CONFIG_DURATION] = "duration",
    [DETOUR_CONFIG_SIZE] = "size",       [DETOUR_CONFIG_RATE] = "rate",
    [DETOUR_CONFIG_PATH] = "path",       [DETOUR_CONFIG_ENUM] = "word",
    [DETOUR_CONFIG_ADDRESS] = "address", [DETOUR_CONFIG_CIDR] = "network",
  };

  return (guint) type < G_N_ELEMENTS (names) ? names[type] : NULL;
}

/* Digits and one of the units, nothing else. */
static gboolean
config_value_parse_scaled (const char *text, const Unit *units, guint64 *out)
{
  gsize n_digits = strspn (text, "0123456789");
  g_autofree char *digits = g_strndup (text, n_digits);
  guint64 value;

  if (n_digits == 0 || !g_ascii_string_to_unsigned (digits, 10, 0, G_MAXUINT64, &value, NULL))
    return FALSE;
  for (; units->suffix != NULL; units++)
    if (strcmp (text + n_digits, units->suffix) == 0)
      return g_uint64_checked_mul (out, value, units->factor);
  return FALSE;
}

static char *
config_value_format_scaled (guint64 value, const Unit *units, guint n_units)
{
  for (guint i = n_units; i-- > 1;)
    if (value >= units[i].factor && value % units[i].factor == 0)
      return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", value / units[i].factor, units[i].suffix);
  return g_strdup_printf ("%" G_GUINT64_FORMAT "%s", value, units[0].suffix);
}

char *
detour_config_format_duration (guint64 ms)
{
  return config_value_format_scaled (ms, duration_units, G_N_ELEMENTS (duration_units) - 1);
}

char *
detour_config_format_size (guint64 bytes)
{
  return config_value_format_scaled (bytes, size_units, G_N_ELEMENTS (size_units) - 1);
}

char *
detour_config_format_number (DetourConfigType type, guint64 value)
{
  switch (type)
    {
    case DETOUR_CONFIG_DURATION:
      return detour_config_format_duration (value);
    case DETOUR_CONFIG_SIZE:
    case DETOUR_CONFIG_RATE:
      return detour_config_format_size (value);
    default:
      return g_strdup_printf ("%" G_GUINT64_FORMAT, value);
    }
}

static gboolean
config_value_parse_bool (const char *text, guint64 *out, GError **error)
{
  static const char *const words[][2] = { { "false", "true" }, { "no", "yes" }, { "off", "on" } };

  for (guint i = 0; i < G_N_ELEMENTS (words); i++)
    for (guint value = 0; value < 2; value++)
      if (strcmp (text, words[i][value]) == 0)
        {
          *out = value;
          return TRUE;
        }
  return detour_config_refuse_value (
      error, text, _ ("is neither true nor false; write true, yes, on, false, no or off"));
}

static gboolean
config_value_parse_number (const DetourConfigKey *key, const char *text, guint64 *out,
                           GError **error)
{
  gboolean limit = (key->flags & DETOUR_CONFIG_LIMIT) != 0;
  gboolean automatic = (key->flags & DETOUR_CONFIG_AUTO) != 0;
  /* No time at all is one that may be set: it is the same in every unit. */
  gboolean zero = key->type == DETOUR_CONFIG_DURATION && key->min == 0;
  const char *off = limit && automatic ? _ (", or off, or auto")
                  : limit              ? _ (", or off")
                  : automatic          ? _ (", or auto")
                  : zero               ? _ (", or 0")
                                       : "";

  *out = 0;
  if (limit && strcmp (text, "off") == 0)
    return TRUE;
  if ((limit || zero) && strcmp (text, "0") == 0)
    return TRUE;
  if (automatic && strcmp (text, "auto") == 0)
    {
      *out = DETOUR_CONFIG_AUTOMATIC;
      return TRUE;
    }

  switch (key->type)
    {
    case DETOUR_CONFIG_DURATION:
      if (!config_value_parse_scaled (text, duration_units, out) || *out > G_MAXINT64 / 1000)
        return detour_config_refuse_value (error, text,
                                           _ ("is not a duration; write 2s, 500ms, 10m%s"), off);
      break;
    case DETOUR_CONFIG_SIZE:
      if (!config_value_parse_scaled (text, size_units, out))
        return detour_config_refuse_value (error, text,
                                           _ ("is not a size; write 4096, 64K, 2M, 1G%s"), off);
      break;
    case DETOUR_CONFIG_RATE:
      if (!config_value_parse_scaled (text, size_units, out))
        return detour_config_refuse_value (
            error, text, _ ("is not a rate; write bytes a second: 65536, 512K, 2M%s"), off);
      break;
    default:
      if (g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, out, NULL))
        break;
      /* A number of too many digits is one, and out of any range. */
      if (*text == '\0' || strspn (text, "0123456789") != strlen (text) || key->max == 0
          || key->max == G_MAXUINT64)
        return detour_config_refuse_value (error, text, _ ("is not a number; write digits only%s"),
                                           off);
      *out = G_MAXUINT64;
      break;
    }

  if (limit && *out == 0)
    return TRUE;
  if ((key->min != 0 || key->max != 0) && (*out < key->min || *out > key->max))
    {
      g_autofree char *min = detour_config_format_number (key->type, key->min);
      g_autofree char *max = detour_config_format_number (key->type, key->max);

      return detour_config_refuse_value (
          error, text, _ ("is out of range; it goes from %s to %s%s"), min, max, off);
    }
  return TRUE;
}

static gboolean
config_value_check_enum (const DetourConfigKey *key, const char *text, GError **error)
{
  g_auto (GStrv) words = g_strsplit (key->words, "|", -1);
  g_autofree char *all = NULL;
  const char *nearest;

  if (g_strv_contains ((const char *const *) words, text))
    return TRUE;
  nearest = detour_nearest (text, (const char *const *) words);
  all = g_strjoinv (", ", words);
  if (nearest != NULL)
    return detour_config_refuse_value (error, text, _ ("is not one of %s; did you mean \"%s\"?"),
                                       all, nearest);
  return detour_config_refuse_value (error, text, _ ("is not one of %s"), all);
}

/* Checks one value that stays text; its escapes are resolved already. */
static gboolean
config_value_check_string (const DetourConfigKey *key, const char *text, GError **error)
{
  DetourAddress address;
  DetourCidr cidr;

  switch (key->type)
    {
    case DETOUR_CONFIG_PATH:
      if (!g_path_is_absolute (text))
        return detour_config_refuse_value (error, text,
                                           _ ("is not an absolute path; it must begin with \"/\""));
      return TRUE;
    case DETOUR_CONFIG_ENUM:
      return config_value_check_enum (key, text, error);
    case DETOUR_CONFIG_ADDRESS:
      return detour_address_parse (text, &address, error);
    case DETOUR_CONFIG_CIDR:
      return detour_cidr_parse (text, &cidr, error);
    default:
      return TRUE;
    }
}

/* Checks *@text, one value, and puts what a path stands for in its place. */
static gboolean
config_value_check_one (const DetourConfigKey *key, char **text_at, guint64 *number, GError **error)
{
  const char *text;

  if (key->type == DETOUR_CONFIG_PATH && !detour_config_credentials_expand (text_at, error))
    return FALSE;
  text = *text_at;
  switch (key->type)
    {
    case DETOUR_CONFIG_BOOL:
      return config_value_parse_bool (text, number, error);
    case DETOUR_CONFIG_UINT:
    case DETOUR_CONFIG_DURATION:
    case DETOUR_CONFIG_SIZE:
    case DETOUR_CONFIG_RATE:
      return config_value_parse_number (key, text, number, error);
    default:
      return config_value_check_string (key, text, error);
    }
}

/* Resolves the escapes of key files up to @separator ('\0': none) and moves *@text behind it. */
static char *
config_value_unescape (const char **text, char separator, const char *whole, GError **error)
{
  GString *out = g_string_new (NULL);
  gsize keep = 0; /* blanks that were written as escapes are not trimmed */
  const char *p = *text;

  for (; *p != '\0' && (separator == '\0' || *p != separator); p++)
    {
      static const char codes[] = "sntr\\;,\"#";
      static const char meanings[] = " \n\t\r\\;,\"#";
      const char *code;

      if (*p != '\\')
        {
          g_string_append_c (out, *p);
          continue;
        }
      code = p[1] != '\0' ? strchr (codes, p[1]) : NULL;
      if (code == NULL)
        {
          g_string_free (out, TRUE);
          detour_config_refuse_value (
              error, whole,
              _ ("has a \"\\\" that means nothing; there are \\s \\n \\t \\r \\\\ "
                 "\\; \\, \\\" \\#"));
          return NULL;
        }
      g_string_append_c (out, meanings[code - codes]);
      keep = out->len;
      p++;
    }
  while (out->len > keep && g_ascii_isspace (out->str[out->len - 1]))
    g_string_truncate (out, out->len - 1);
  *text = *p != '\0' ? p + 1 : p;
  return g_string_free (out, FALSE);
}

/* The error names all bad values of the list. */
static gboolean
config_value_parse_list (const DetourConfigKey *key, const char *text, DetourConfigValue *out,
                         GError **error)
{
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) problems = g_string_new (NULL);
  const char *p = text;

  while (*p != '\0')
    {
      g_autoptr (GError) problem = NULL;
      char *value;

      while (g_ascii_isspace (*p))
        p++;
      if (*p == '\0')
        break;
      value = config_value_unescape (&p, ';', text, error);
      if (value == NULL)
        return FALSE;
      if (!config_value_check_one (key, &value, &out->number, &problem))
        g_string_append_printf (problems, "%s%s", problems->len > 0 ? "; " : "", problem->message);
      g_ptr_array_add (values, value);
    }
  out->number = 0;
  if (problems->len > 0)
    {
      g_set_error_literal (error, DETOUR_CONFIG_ERROR, DETOUR_CONFIG_ERROR_VALUE, problems->str);
      return FALSE;
    }
  g_ptr_array_add (values, NULL);
  out->list = g_strdupv ((GStrv) values->pdata);
  return TRUE;
}

/* A blank and then one of the signs that begin a comment in other files. */
static gboolean
config_value_has_comment (const char *text, const char *signs)
{
  for (const char *p = text; *p != '\0'; p++)
    if ((*p == ' ' || *p == '\t') && p[1] != '\0' && strchr (signs, p[1]) != NULL)
      return TRUE;
  return FALSE;
}

static gboolean
config_value_has_bare_comma (const char *text)
{
  for (const char *p = text; *p != '\0'; p++)
    {
      if (*p == '\\' && p[1] != '\0')
        p++;
      else if (*p == ',')
        return TRUE;
    }
  return FALSE;
}

/* Refuses quotes, comments and commas, which other formats give a meaning and which here would
 * become part of the value. */
static gboolean
config_value_check_form (const DetourConfigKey *key, const char *text, GError **error)
{
  gboolean list = (key->flags & DETOUR_CONFIG_LIST) != 0;
  gsize n = strlen (text);

  if (n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0])
    return detour_config_refuse_value (error, text,
                                       _ ("is in quotes; write the value without them"));
  if (config_value_has_comment (text, list ? "#" : "#;"))
    return detour_config_refuse_value (
        error, text,
        _ ("has a comment behind it; a comment needs a line of its own, "
           "and \\# stands for a # that "
           "belongs to the value"));
  if (list && config_value_has_bare_comma (text))
    return detour_config_refuse_value (
        error, text,
        _ ("has a comma; the values of a list are separated by \";\", and \\, stands for a comma "
           "that belongs to one"));
  return TRUE;
}

gboolean
detour_config_value_parse (const DetourConfigKey *key, const char *text, DetourConfigValue *out,
                           GError **error)
{
  g_autofree char *plain = NULL;
  const char *p = text;

  memset (out, 0, sizeof *out);
  if (!config_value_check_form (key, text, error))
    return FALSE;
  if ((key->flags & DETOUR_CONFIG_LIST) != 0)
    return config_value_parse_list (key, text, out, error);

  plain = config_value_unescape (&p, '\0', text, error);
  if (plain == NULL || !config_value_check_one (key, &plain, &out->number, error))
    return FALSE;
  out->string = g_steal_pointer (&plain);
  return TRUE;
}

void
detour_config_value_clear (DetourConfigValue *self)
{
  g_clear_pointer (&self->string, g_free);
  g_clear_pointer (&self->list, g_strfreev);
  self->number = 0;
}
