/* detour-server-key.h: the relay's own key pair and its file.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-key.h"

G_BEGIN_DECLS

#define DETOUR_SERVER_KEY_ERROR (detour_server_key_error_quark ())
GQuark detour_server_key_error_quark (void);

typedef enum {
  DETOUR_SERVER_KEY_ERROR_FILE,   /* cannot be read or written */
  DETOUR_SERVER_KEY_ERROR_EXISTS, /* is there already */
  DETOUR_SERVER_KEY_ERROR_FORM,   /* does not contain a key */
  DETOUR_SERVER_KEY_ERROR_OPEN,   /* others may read or change it */
} DetourServerKeyError;

/* Kept in memory that is locked, has guard pages and is wiped at the end. Immutable; any thread. */
typedef struct _DetourServerKey DetourServerKey;

/* Makes a new pair, which is in no file yet. */
DetourServerKey *detour_server_key_new (void);
void detour_server_key_free (DetourServerKey *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (DetourServerKey, detour_server_key_free)

const DetourKey *detour_server_key_public (const DetourServerKey *self);
const guint8 *detour_server_key_private (const DetourServerKey *self); /* DETOUR_KEY_SIZE bytes */

/**
 * detour_server_key_parse:
 * @data: (array length=len): a JSON object with `PrivateKey`, as derper writes it; nothing is
 * trusted
 *
 * Pure.
 */
DetourServerKey *detour_server_key_parse (const char *data, gsize len, GError **error);

/* Reads a key file. One that users outside its group may read, that others than its owner may
 * write, or that belongs to neither root nor the user of this process is refused. */
DetourServerKey *detour_server_key_load (const char *path, GError **error);

/* Makes a file of mode 0600 that appears whole or not at all, and the directory it lies in (0700).
 * Never replaces one that exists. */
gboolean detour_server_key_save (const DetourServerKey *self, const char *path, GError **error);

/* Reads the file, or makes it with a fresh key when there is none; @created says which. */
DetourServerKey *detour_server_key_load_or_create (const char *path, gboolean *created,
                                                   GError **error);

G_END_DECLS
