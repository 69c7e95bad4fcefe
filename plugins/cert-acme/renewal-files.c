/* renewal-files.c: the files of certificates, accounts and schedules below the state directory.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "renewal-files.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#include "renewal-json.h"

#define FOLDER   "acme"
#define FILE_MAX (256u * 1024)
#define HASH_LEN 16

char *
renewal_files_path (DetourHost *host, const char *suffix)
{
  const char *instance = detour_host_instance (host);
  const char *slash = strchr (instance, '/');
  g_autofree char *name = g_uri_escape_string (slash != NULL ? slash + 1 : instance, NULL, FALSE);
  g_autofree char *file = g_strconcat ("cert-", name, suffix, NULL);

  return g_build_filename (detour_host_state_directory (host), FOLDER, file, NULL);
}

char *
renewal_files_account_path (DetourHost *host, const char *directory_url)
{
  g_autofree char *hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, directory_url, -1);
  g_autofree char *file = g_strdup_printf ("account-%.*s.json", HASH_LEN, hash);

  return g_build_filename (detour_host_state_directory (host), FOLDER, file, NULL);
}

char *
renewal_files_lock_path (DetourHost *host)
{
  return g_build_filename (detour_host_state_directory (host), FOLDER, "lock", NULL);
}

gboolean
renewal_files_make_folder (DetourHost *host, GError **error)
{
  g_autofree char *path = g_build_filename (detour_host_state_directory (host), FOLDER, NULL);

  if (g_mkdir_with_parents (path, 0700) == 0)
    return TRUE;
  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), "%s cannot be made: %s", path,
               g_strerror (errno));
  return FALSE;
}

gboolean
renewal_files_write (const char *path, const char *text, gsize len, GError **error)
{
  return g_file_set_contents_full (path, text, (gssize) len,
                                   G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE,
                                   0600, error);
}

gboolean
renewal_files_read (const char *path, DetourFile *file, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (detour_file_read (path, FILE_MAX,
                        DETOUR_FILE_PRIVATE | DETOUR_FILE_PROTECTED | DETOUR_FILE_OWNED, file, &why)
      || g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT)
      || g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOTDIR))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&why));
  return FALSE;
}

JsonObject *
renewal_files_read_json (const char *path, GError **error)
{
  g_auto (DetourFile) file = { 0 };
  JsonObject *object;

  if (!renewal_files_read (path, &file, error) || file.data == NULL)
    return NULL;
  object = renewal_json_parse (file.data, file.len, FILE_MAX, error);
  if (object == NULL)
    g_prefix_error (error, "%s: ", path);
  return object;
}

gboolean
renewal_files_write_json (const char *path, JsonObject *object, GError **error)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  char *text;
  gsize len;
  gboolean written;

  json_node_set_object (node, object);
  json_generator_set_root (generator, node);
  json_generator_set_pretty (generator, TRUE);
  text = json_generator_to_data (generator, &len);
  written = renewal_files_write (path, text, len, error);
  explicit_bzero (text, len); /* an account has its key in there */
  g_free (text);
  return written;
}
