/* test-page-words.c: texts in the language of whoever reads a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <string.h>

#include "page-words.h"
#include "test-folder.h"

static void
put (GByteArray *out, guint32 number)
{
  g_byte_array_append (out, (const guint8 *) &number, sizeof number);
}

/* A catalogue with one text, "Clients". @n: how many it says there are */
static void
write_catalogue (const char *directory, const char *language, guint32 n, const char *translation)
{
  g_autofree char *folder = g_build_filename (directory, language, "LC_MESSAGES", NULL);
  g_autofree char *path = g_build_filename (folder, "detour.mo", NULL);
  g_autoptr (GByteArray) out = g_byte_array_new ();

  put (out, 0x950412deu);
  put (out, 0);
  put (out, n);
  put (out, 28);
  put (out, 36);
  put (out, 0);
  put (out, 0);
  put (out, 7);
  put (out, 44);
  put (out, (guint32) strlen (translation));
  put (out, 52);
  g_byte_array_append (out, (const guint8 *) "Clients", 8);
  g_byte_array_append (out, (const guint8 *) translation, (guint) strlen (translation) + 1);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, (const char *) out->data, (gssize) out->len, NULL));
}

static const struct {
  const char *accept, *tag, *clients;
} choices[] = {
  { "de", "de", "Klienten" },
  { "de-AT,en;q=0.5", "de", "Klienten" },
  { "en;q=0.8, de;q=0.9", "de", "Klienten" },
  { "en, de;q=0.9", "en", "Clients" },
  { "pt-BR", "pt-BR", "Clientes" },
  { "fr, xx;q=0.1", "en", "Clients" },
  { "de;q=0", "en", "Clients" },
  { ",;q=,-,*", "en", "Clients" },
};

static void
test_languages (void)
{
  g_autofree char *directory = g_dir_make_tmp ("words-XXXXXX", NULL);
  g_autoptr (PageWords) words = NULL;

  write_catalogue (directory, "de", 1, "Klienten");
  write_catalogue (directory, "pt_BR", 1, "Clientes");
  /* It says that it has more than it has. */
  write_catalogue (directory, "xx", 1000, "?");
  words = page_words_new (directory);
  for (guint i = 0; i < G_N_ELEMENTS (choices); i++)
    {
      const PageLanguage *language = page_words_choose (words, choices[i].accept);

      g_assert_cmpstr (page_language_tag (language), ==, choices[i].tag);
      g_assert_cmpstr (page_language_say (language, "Clients"), ==, choices[i].clients);
      g_assert_cmpstr (page_language_say (language, "of no catalogue"), ==, "of no catalogue");
    }
  g_setenv ("LC_ALL", "de_DE.UTF-8", TRUE);
  g_assert_cmpstr (page_language_tag (page_words_choose (words, NULL)), ==, "de");
  g_setenv ("LC_ALL", "C.UTF-8", TRUE);
  g_assert_cmpstr (page_language_tag (page_words_choose (words, NULL)), ==, "en");
  test_folder_remove (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/page-words/languages", test_languages);
  return g_test_run ();
}
