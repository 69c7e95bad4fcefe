/* renewal-import.c: what derper's `-certdir` has of account and certificates.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * golang.org/x/crypto/acme/autocert keeps the account's key in `acme_account+key`, and the newest
 * certificate of HOST in the file HOST (of RSA in `HOST+rsa`): key and chain in one PEM. With
 * `-certmode manual`, derper has HOST.crt and HOST.key. */
#include "config.h"

#include "renewal-import.h"

#include <string.h>

#define FILE_MAX (256u * 1024)
#define ACCOUNT  "acme_account+key"

/* Only files that nobody else may read or write. FALSE: there is none that can be used; a warning
 * says why when there is one. */
static gboolean
renewal_import_read (const RenewalOptions *options, const char *name, DetourFileFlags flags,
                     DetourFile *file)
{
  g_autofree char *path = g_build_filename (options->import_directory, name, NULL);
  g_autoptr (GError) error = NULL;

  if (detour_file_read (path, FILE_MAX, flags, file, &error))
    return TRUE;
  if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    detour_settings_warn (options->settings, "import-directory", "%s", error->message);
  return FALSE;
}

char *
renewal_import_account (const RenewalOptions *options)
{
  g_auto (DetourFile) file = { 0 };

  if (options->import_directory == NULL
      || !renewal_import_read (options, ACCOUNT, DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED, &file)
      || strlen (file.data) != file.len)
    return NULL;
  return g_strdup (file.data);
}

static RenewalPair *
renewal_import_pair (const RenewalOptions *options, const char *key_name, const char *chain_name)
{
  g_auto (DetourFile) key = { 0 };
  g_auto (DetourFile) chain = { 0 };
  g_autoptr (GError) error = NULL;
  RenewalPair *pair;

  if (!renewal_import_read (options, key_name, DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED, &key)
      || !renewal_import_read (options, chain_name, DETOUR_FILE_PROTECTED, &chain))
    return NULL;
  pair = renewal_pair_read (key.data, key.len, chain.data, chain.len, &error);
  if (pair == NULL)
    detour_settings_warn (options->settings, "import-directory", "%s/%s: %s",
                          options->import_directory, chain_name, error->message);
  return pair;
}

/* The pair of @name that is valid longest; NULL: there is none. */
static RenewalPair *
renewal_import_best (const RenewalOptions *options, const char *name, gint64 now)
{
  static const char *const endings[][2] = { { "", "" }, { "+rsa", "+rsa" }, { ".key", ".crt" } };
  const char *const names[] = { name, NULL };
  RenewalPair *best = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    {
      g_autofree char *key_name = g_strconcat (name, endings[i][0], NULL);
      g_autofree char *chain_name = g_strconcat (name, endings[i][1], NULL);
      g_autoptr (RenewalPair) pair = renewal_import_pair (options, key_name, chain_name);

      if (pair == NULL || !renewal_pair_try (pair, names, now, NULL)
          || (best != NULL && best->not_after >= pair->not_after))
        continue;
      g_clear_pointer (&best, renewal_pair_free);
      best = g_steal_pointer (&pair);
    }
  return best;
}

GPtrArray *
renewal_import_pairs (const RenewalOptions *options, gint64 now)
{
  GPtrArray *pairs = g_ptr_array_new_with_free_func ((GDestroyNotify) renewal_pair_free);

  for (guint i = 0; options->import_directory != NULL && options->names[i] != NULL; i++)
    {
      RenewalPair *pair = NULL;

      if (!g_str_has_prefix (options->names[i], "*."))
        pair = renewal_import_best (options, options->names[i], now);
      if (pair != NULL)
        g_ptr_array_add (pairs, pair);
    }
  return pairs;
}
