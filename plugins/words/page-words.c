/* page-words.c: texts in the language of whoever reads a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "page-words.h"

#include <string.h>

#include "detour-plugin.h"

/* Longest catalogue, in bytes, and most texts in it. */
#define CATALOGUE_MAX (4u << 20)
#define TEXTS_MAX     100000u
/* Languages of a header that are looked at. */
#define ACCEPTED_MAX 16u

struct _PageLanguage {
  char *tag;         /* "de", "pt-BR" */
  DetourFile file;   /* all zero: English, as the texts are in the sources */
  GHashTable *texts; /* both borrowed from the file; NULL: English */
};

struct _PageWords {
  GPtrArray *languages; /* of PageLanguage; the first one is English */
};

static void
page_words_language_free (gpointer data)
{
  PageLanguage *language = data;

  g_clear_pointer (&language->texts, g_hash_table_unref);
  detour_file_clear (&language->file);
  g_free (language->tag);
  g_free (language);
}

/* ---- catalogues ------------------------------------------------------------------------------ */

static guint32
page_words_number (const DetourFile *file, gsize at, gboolean swapped)
{
  guint32 number;

  memcpy (&number, file->data + at, sizeof number);
  return swapped ? GUINT32_SWAP_LE_BE (number) : number;
}

/* The text whose length and place are written at @at; NULL: it is not within the file. */
static const char *
page_words_text (const DetourFile *file, gsize at, gboolean swapped)
{
  guint64 len, place;

  if (at + 8 > file->len)
    return NULL;
  len = page_words_number (file, at, swapped);
  place = page_words_number (file, at + 4, swapped);
  if (place + len >= file->len || file->data[place + len] != '\0')
    return NULL;
  return file->data + place;
}

/* FALSE: this is no catalogue. */
static gboolean
page_words_parse (PageLanguage *language)
{
  const DetourFile *file = &language->file;
  gboolean swapped;
  guint32 n, from, to;

  if (file->len < 28)
    return FALSE;
  swapped = page_words_number (file, 0, FALSE) == 0xde120495u;
  if (!swapped && page_words_number (file, 0, FALSE) != 0x950412deu)
    return FALSE;
  n = page_words_number (file, 8, swapped);
  from = page_words_number (file, 12, swapped);
  to = page_words_number (file, 16, swapped);
  if (n > TEXTS_MAX)
    return FALSE;
  language->texts = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint32 i = 0; i < n; i++)
    {
      const char *text = page_words_text (file, (gsize) from + 8u * i, swapped);
      const char *translation = page_words_text (file, (gsize) to + 8u * i, swapped);

      if (text == NULL || translation == NULL)
        return FALSE;
      if (text[0] != '\0' && translation[0] != '\0' && g_utf8_validate (translation, -1, NULL))
        g_hash_table_insert (language->texts, (gpointer) text, (gpointer) translation);
    }
  return TRUE;
}

static void
page_words_add (PageWords *self, const char *directory, const char *name)
{
  g_autofree char *path = g_build_filename (directory, name, "LC_MESSAGES", "detour.mo", NULL);
  PageLanguage *language = g_new0 (PageLanguage, 1);

  language->tag = g_strdelimit (g_strdup (name), "_", '-');
  if (detour_file_read (path, CATALOGUE_MAX, 0, &language->file, NULL)
      && page_words_parse (language))
    g_ptr_array_add (self->languages, language);
  else
    page_words_language_free (language);
}

PageWords *
page_words_new (const char *directory)
{
  PageWords *self = g_new0 (PageWords, 1);
  PageLanguage *english = g_new0 (PageLanguage, 1);
  g_autoptr (GDir) dir = g_dir_open (directory, 0, NULL);
  const char *name;

  english->tag = g_strdup ("en");
  self->languages = g_ptr_array_new_with_free_func (page_words_language_free);
  g_ptr_array_add (self->languages, english);
  /* A name goes into an attribute of the page; what is no language is no folder of ours. */
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    if (strspn (name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") == strlen (name))
      page_words_add (self, directory, name);
  return self;
}

void
page_words_free (PageWords *self)
{
  g_ptr_array_unref (self->languages);
  g_free (self);
}

/* ---- the choice ------------------------------------------------------------------------------ */

/* The language for a tag like "de-AT": that one, or the one without its region; NULL: none. */
static const PageLanguage *
page_words_find (const PageWords *self, const char *tag)
{
  gsize len = strcspn (tag, "-");

  for (guint i = 0; i < self->languages->len; i++)
    {
      const PageLanguage *language = self->languages->pdata[i];

      if (g_ascii_strcasecmp (language->tag, tag) == 0)
        return language;
    }
  for (guint i = 0; i < self->languages->len; i++)
    {
      const PageLanguage *language = self->languages->pdata[i];

      if (strlen (language->tag) == len && g_ascii_strncasecmp (language->tag, tag, len) == 0)
        return language;
    }
  return NULL;
}

/* How much a part of the header, "de;q=0.7", is wanted; cuts it down to the tag. */
static double
page_words_take_weight (char *part)
{
  char *semicolon = strchr (part, ';');
  double weight = 1;

  if (semicolon != NULL)
    {
      const char *q = strstr (semicolon, "q=");

      weight = q != NULL ? g_ascii_strtod (q + 2, NULL) : 1;
      *semicolon = '\0';
    }
  g_strstrip (part);
  return weight;
}

/* "de_DE.UTF-8" of the environment as a tag. */
static char *
page_words_locale (void)
{
  static const char *const names[] = { "LC_ALL", "LC_MESSAGES", "LANG" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *value = g_getenv (names[i]);

      if (value != NULL && value[0] != '\0')
        return g_strdelimit (g_strndup (value, strcspn (value, ".@")), "_", '-');
    }
  return g_strdup ("en");
}

const PageLanguage *
page_words_choose (const PageWords *self, const char *accept)
{
  const PageLanguage *best = NULL;
  g_auto (GStrv) parts = NULL;
  double most = 0;

  if (accept == NULL || accept[0] == '\0')
    {
      g_autofree char *locale = page_words_locale ();

      best = page_words_find (self, locale);
      return best != NULL ? best : self->languages->pdata[0];
    }
  parts = g_strsplit (accept, ",", ACCEPTED_MAX);
  for (guint i = 0; parts[i] != NULL; i++)
    {
      double weight = page_words_take_weight (parts[i]);
      const PageLanguage *language = page_words_find (self, parts[i]);

      if (language != NULL && weight > most)
        {
          best = language;
          most = weight;
        }
    }
  return best != NULL ? best : self->languages->pdata[0];
}

const char *
page_language_tag (const PageLanguage *self)
{
  return self->tag;
}

const char *
page_language_say (const PageLanguage *self, const char *text)
{
  const char *said = self->texts != NULL ? g_hash_table_lookup (self->texts, text) : NULL;

  return said != NULL ? said : text;
}
