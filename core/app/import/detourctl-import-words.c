/* detourctl-import-words.c: splits command lines as the shell, systemd and compose files do.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "detourctl-import.h"

G_DEFINE_QUARK (detourctl-import-error, detourctl_import_error);

typedef struct {
  DetourctlWordsKind kind;
  GHashTable *environment; /* NULL: none but that of this process */
  const char *p;
  GString *word;
  gboolean has_word; /* an empty one, in quotes, is one, too */
  GPtrArray *words;
  gsize n_replaced; /* bytes that came from variables */
} Split;

/* Whether escapes and quotes are those of units. */
static gboolean
ctl_import_words_is_unit (const Split *self)
{
  return self->kind == DETOURCTL_WORDS_SYSTEMD || self->kind == DETOURCTL_WORDS_SETTING;
}

static void
ctl_import_words_end (Split *self)
{
  if (!self->has_word)
    return;
  g_ptr_array_add (self->words, g_strdup (self->word->str));
  g_string_truncate (self->word, 0);
  self->has_word = FALSE;
}

static void
ctl_import_words_put (Split *self, char c)
{
  g_string_append_c (self->word, c);
  self->has_word = TRUE;
}

static const char *
ctl_import_words_lookup (GHashTable *environment, const char *name)
{
  const char *value = environment != NULL ? g_hash_table_lookup (environment, name) : NULL;

  return value != NULL ? value : g_getenv (name);
}

/* The variable at *@at, which is behind the dollar; moves it behind the variable. Returns NULL
 * without an error when there is none, so that the dollar is one. Free with g_free(). */
static char *
ctl_import_words_variable (GHashTable *environment, const char **at, GError **error)
{
  const char *p = *at;
  gboolean has_brace = *p == '{';
  const char *name = p + has_brace;
  gsize len = 0;
  const char *value, *end;
  g_autofree char *key = NULL;
  g_autofree char *fallback = NULL;

  while (g_ascii_isalpha (name[len]) || name[len] == '_'
         || (len > 0 && g_ascii_isdigit (name[len])))
    len++;
  if (len == 0)
    return NULL;
  key = g_strndup (name, len);
  end = name + len;
  if (has_brace)
    {
      const char *brace = strchr (end, '}');

      if (brace == NULL || (*end != '}' && !g_str_has_prefix (end, ":-") && *end != '-'))
        {
          g_set_error (error, DETOURCTL_IMPORT_ERROR, 0,
                       _ ("${%s: only ${NAME} and ${NAME:-VALUE} are understood"), key);
          return NULL;
        }
      if (*end != '}')
        {
          const char *text = end + (*end == ':' ? 2 : 1);

          fallback = g_strndup (text, (gsize) (brace - text));
        }
      end = brace + 1;
    }
  *at = end;
  value = ctl_import_words_lookup (environment, key);
  if (value == NULL || (*value == '\0' && fallback != NULL))
    value = fallback;
  if (value == NULL)
    g_set_error (
        error, DETOURCTL_IMPORT_ERROR, 0,
        _ ("the value of $%s is not known here; set it in the environment of this command: "
           "%s=… detourctl import-derper …"),
        key, key);
  return g_strdup (value);
}

/* A dollar, which @self is at. @splits: blanks in the value end words */
static gboolean
ctl_import_words_dollar (Split *self, gboolean splits, GError **error)
{
  GError *fault = NULL;
  g_autofree char *value = NULL;

  self->p++;
  if (self->kind == DETOURCTL_WORDS_QUOTES || self->kind == DETOURCTL_WORDS_SETTING
      || (self->kind == DETOURCTL_WORDS_SYSTEMD && *self->p == '$'))
    {
      if (self->kind == DETOURCTL_WORDS_SYSTEMD)
        self->p++;
      ctl_import_words_put (self, '$');
      return TRUE;
    }
  /* ${NAME} is one word for systemd, wherever it stands. */
  if (self->kind == DETOURCTL_WORDS_SYSTEMD && *self->p == '{')
    splits = FALSE;
  value = ctl_import_words_variable (self->environment, &self->p, &fault);
  if (fault != NULL)
    {
      g_propagate_error (error, fault);
      return FALSE;
    }
  if (value == NULL)
    {
      ctl_import_words_put (self, '$');
      return TRUE;
    }
  self->n_replaced += strlen (value);
  if (self->n_replaced > DETOURCTL_IMPORT_BYTES_MAX)
    {
      g_set_error_literal (error, DETOURCTL_IMPORT_ERROR, 0, _ ("the variables are too long"));
      return FALSE;
    }
  if (!splits)
    self->has_word = TRUE;
  for (const char *c = value; *c != '\0'; c++)
    if (splits && g_ascii_isspace (*c))
      ctl_import_words_end (self);
    else
      ctl_import_words_put (self, *c);
  return TRUE;
}

/* An escape of C, which systemd knows; @self is behind the backslash. */
static void
ctl_import_words_c_escape (Split *self)
{
  static const char letters[] = "abfnrtvs", meant[] = "\a\b\f\n\r\t\v ";
  const char *letter = *self->p != '\0' ? strchr (letters, *self->p) : NULL;

  if (letter != NULL)
    ctl_import_words_put (self, meant[letter - letters]);
  else if (*self->p == 'x' && g_ascii_isxdigit (self->p[1]) && g_ascii_isxdigit (self->p[2]))
    {
      ctl_import_words_put (self, (char) (g_ascii_xdigit_value (self->p[1]) * 16
                                          + g_ascii_xdigit_value (self->p[2])));
      self->p += 2;
    }
  else if (*self->p != '\0')
    ctl_import_words_put (self, *self->p);
  if (*self->p != '\0')
    self->p++;
}

/* A backslash, in @quote or outside of quotes ('\0'). */
static void
ctl_import_words_backslash (Split *self, char quote)
{
  self->p++;
  if (ctl_import_words_is_unit (self))
    ctl_import_words_c_escape (self);
  else if (*self->p == '\n')
    self->p++;
  else if (quote == '"' && strchr ("\"\\$`", *self->p) == NULL)
    ctl_import_words_put (self, '\\');
  else if (*self->p != '\0')
    ctl_import_words_put (self, *self->p++);
}

/* Two percent signs are one in units, within quotes as well. */
static gboolean
ctl_import_words_is_percent (const Split *self)
{
  return ctl_import_words_is_unit (self) && self->p[0] == '%' && self->p[1] == '%';
}

static void
ctl_import_words_percent (Split *self)
{
  ctl_import_words_put (self, '%');
  self->p += 2;
}

/* What is within quotes; @self is at the first one. */
static gboolean
ctl_import_words_quoted (Split *self, GError **error)
{
  char quote = *self->p++;
  gboolean is_plain = quote == '\'' && !ctl_import_words_is_unit (self);

  self->has_word = TRUE;
  while (*self->p != quote)
    {
      if (*self->p == '\0')
        {
          g_set_error (error, DETOURCTL_IMPORT_ERROR, 0, _ ("a quote (%c) does not end"), quote);
          return FALSE;
        }
      if (*self->p == '\\' && !is_plain)
        ctl_import_words_backslash (self, quote);
      else if (ctl_import_words_is_percent (self))
        ctl_import_words_percent (self);
      else if (*self->p != '$' || is_plain)
        ctl_import_words_put (self, *self->p++);
      else if (!ctl_import_words_dollar (self, FALSE, error))
        return FALSE;
    }
  self->p++;
  return TRUE;
}

GStrv
detourctl_import_split (const char *text, DetourctlWordsKind kind, GHashTable *environment,
                        GError **error)
{
  g_autoptr (GString) word = g_string_new (NULL);
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  Split self = {
    .kind = kind, .environment = environment, .p = text, .word = word, .words = words
  };

  while (*self.p != '\0')
    if (g_ascii_isspace (*self.p))
      {
        ctl_import_words_end (&self);
        self.p++;
      }
    else if (*self.p == '\'' || *self.p == '"')
      {
        if (!ctl_import_words_quoted (&self, error))
          return NULL;
      }
    else if (*self.p == '\\')
      {
        ctl_import_words_backslash (&self, '\0');
      }
    else if (*self.p == '$')
      {
        if (!ctl_import_words_dollar (&self, TRUE, error))
          return NULL;
      }
    else if (ctl_import_words_is_percent (&self))
      {
        ctl_import_words_percent (&self);
      }
    else if (*self.p == '#' && !self.has_word && !ctl_import_words_is_unit (&self))
      {
        /* A comment. */
        while (*self.p != '\0' && *self.p != '\n')
          self.p++;
      }
    else
      {
        ctl_import_words_put (&self, *self.p++);
      }
  ctl_import_words_end (&self);
  g_ptr_array_add (words, NULL);
  return (GStrv) g_ptr_array_free (g_steal_pointer (&words), FALSE);
}

char *
detourctl_import_interpolate (const char *text, GError **error)
{
  g_autoptr (GString) out = g_string_new (NULL);

  for (const char *p = text; *p != '\0';)
    {
      GError *fault = NULL;
      g_autofree char *value = NULL;

      if (*p != '$')
        {
          g_string_append_c (out, *p++);
          continue;
        }
      p++;
      if (*p == '$')
        {
          g_string_append_c (out, *p++);
          continue;
        }
      value = ctl_import_words_variable (NULL, &p, &fault);
      if (fault != NULL)
        {
          g_propagate_error (error, fault);
          return NULL;
        }
      g_string_append (out, value != NULL ? value : "$");
    }
  return g_strdup (out->str);
}
