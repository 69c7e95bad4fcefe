/* renewal-account.c: the account at an authority, which all instances that ask it have in common.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-account.h"

#include <gio/gio.h>
#include <gnutls/x509.h>
#include <string.h>

#include "renewal-files.h"
#include "renewal-import.h"
#include "renewal-json.h"
#include "renewal-pair.h"

void
renewal_account_clear (RenewalAccount *self)
{
  renewal_pair_wipe (self->key);
  renewal_pair_wipe (self->next_key);
  g_free (self->url);
  *self = (RenewalAccount) { 0 };
}

static gboolean
renewal_account_is_key (const char *pem)
{
  gnutls_datum_t data = { (guint8 *) pem, (unsigned) strlen (pem) };
  gnutls_x509_privkey_t key;
  gboolean good;

  if (gnutls_x509_privkey_init (&key) < 0)
    return FALSE;
  good = gnutls_x509_privkey_import2 (key, &data, GNUTLS_X509_FMT_PEM, NULL, 0) >= 0;
  gnutls_x509_privkey_deinit (key);
  return good;
}

gboolean
renewal_account_load (RenewalAccount *self, DetourHost *host, const RenewalOptions *options,
                      GError **error)
{
  g_autofree char *path = renewal_files_account_path (host, options->directory_url);
  g_autoptr (GError) why = NULL;
  g_autoptr (JsonObject) object = renewal_files_read_json (path, &why);
  const char *key, *next_key;

  if (why != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&why));
      return FALSE;
    }
  renewal_account_clear (self);
  if (object == NULL)
    {
      self->key = renewal_import_account (options);
      return TRUE;
    }
  key = renewal_json_text (object, "key");
  if (key == NULL || !renewal_account_is_key (key)
      || g_strcmp0 (renewal_json_text (object, "directory"), options->directory_url) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   "%s: no account of %s; remove the file to make a new one", path,
                   options->directory_url);
      return FALSE;
    }
  self->key = g_strdup (key);
  self->url = g_strdup (renewal_json_text (object, "url"));
  next_key = renewal_json_text (object, "next_key");
  if (next_key != NULL && renewal_account_is_key (next_key))
    self->next_key = g_strdup (next_key);
  return TRUE;
}

static gboolean
renewal_account_write (DetourHost *host, const RenewalOptions *options,
                       const RenewalAccount *account, GError **error)
{
  g_autofree char *path = renewal_files_account_path (host, options->directory_url);
  g_autoptr (JsonObject) object = json_object_new ();

  json_object_set_string_member (object, "directory", options->directory_url);
  renewal_json_put (object, "url", account->url);
  renewal_json_put (object, "key", account->key);
  renewal_json_put (object, "next_key", account->next_key);
  return renewal_files_write_json (path, object, error);
}

gboolean
renewal_account_set (RenewalAccount *self, DetourHost *host, const RenewalOptions *options,
                     const char *key, const char *url, GError **error)
{
  if (g_strcmp0 (self->key, key) != 0)
    {
      renewal_pair_wipe (self->key);
      self->key = g_strdup (key);
    }
  g_free (self->url);
  self->url = g_strdup (url);
  renewal_pair_wipe (self->next_key);
  self->next_key = NULL;
  return renewal_account_write (host, options, self, error);
}

gboolean
renewal_account_set_next (RenewalAccount *self, DetourHost *host, const RenewalOptions *options,
                          const char *next_key, GError **error)
{
  RenewalAccount changed = *self;

  changed.next_key = (char *) next_key;
  if (!renewal_account_write (host, options, &changed, error))
    return FALSE;
  renewal_pair_wipe (self->next_key);
  self->next_key = g_strdup (next_key);
  return TRUE;
}
