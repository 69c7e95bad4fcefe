/* web-files.h: certificates and keys of files, read once by the rules of the project, for libcurl,
 * which wants to open files by itself. SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Paths; NULL: there is none. */
typedef struct {
  const char *ca_file; /* trusted instead of the CAs of the system */
  const char *client_cert_file;
  const char *client_key_file; /* NULL: in the file of the certificate */
} WebFileNames;

typedef struct _WebFiles WebFiles;

/**
 * web_files_new:
 * @key: (out) (optional): the key of the configuration at fault: "ca-file", "client-cert-file" or
 *   "client-key-file"
 *
 * Reads all files.
 *
 * Returns: (nullable): NULL and @error set; its message begins with the path.
 */
WebFiles *web_files_new (const WebFileNames *names, const char **key, GError **error);
WebFiles *web_files_ref (WebFiles *self);
void web_files_unref (WebFiles *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WebFiles, web_files_unref)

/* Whether the same bytes were read. */
gboolean web_files_equal (const WebFiles *a, const WebFiles *b);

/* Places at which libcurl can open what was read, as long as the WebFiles is there; NULL: none. */
const char *web_files_ca (const WebFiles *self);
const char *web_files_client_cert (const WebFiles *self);
const char *web_files_client_key (const WebFiles *self);
/* As the configuration names it; NULL: those of the system. */
const char *web_files_ca_name (const WebFiles *self);

G_END_DECLS
