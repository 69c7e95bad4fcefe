/* renewal-files.h: the files of certificates, accounts and schedules below the state directory.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "detour-plugin.h"

G_BEGIN_DECLS

/* `<state>/acme/NAME`, NAME made of the instance's name and @suffix; free with g_free(). */
char *renewal_files_path (DetourHost *host, const char *suffix);
/* `<state>/acme/account-HASH.json` of an authority; free with g_free(). */
char *renewal_files_account_path (DetourHost *host, const char *directory_url);
/* `<state>/acme/lock`; free with g_free(). */
char *renewal_files_lock_path (DetourHost *host);

/* Makes `<state>/acme`, mode 0700. */
gboolean renewal_files_make_folder (DetourHost *host, GError **error);

/* Replaces the file in one step, mode 0600; on disk when this returns. */
gboolean renewal_files_write (const char *path, const char *text, gsize len, GError **error);

/* The file must be ours and private. An absent file gives TRUE and leaves @file empty. */
gboolean renewal_files_read (const char *path, DetourFile *file, GError **error);

/* An object of JSON, or NULL: the file is absent (no @error) or broken. Free with
 * json_object_unref(). */
JsonObject *renewal_files_read_json (const char *path, GError **error);
gboolean renewal_files_write_json (const char *path, JsonObject *object, GError **error);

G_END_DECLS
