/* detourctl-import-source.h: what the readers of files that start derper share.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detourctl-document.h"
#include "detourctl-import.h"

G_BEGIN_DECLS

DetourctlImportSource *detourctl_import_source_new (const char *kind);
void detourctl_import_fail (GError **error, const char *text);
/* Whether a word is the name of the program or of an image of it. */
gboolean detourctl_import_is_derper (const char *word);
GHashTable *detourctl_import_environment (void);
/* `NAME=VALUE`; others are left out. */
void detourctl_import_set (GHashTable *environment, const char *assignment);

/* ---- detourctl-import-compose.c ----------------------------------------------------------------
 */

/* @services: the member of the compose file; NULL with @error */
DetourctlImportSource *detourctl_import_source_from_compose (const DetourctlValue *services,
                                                             GError **error);

G_END_DECLS
