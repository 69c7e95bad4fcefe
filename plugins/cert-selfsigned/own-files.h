/* own-files.h: the files of a self-signed pair, and copies of all pairs there ever were.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * STEM.crt and STEM.key are the pair that is served. STEM-HASH.pem has one whole pair, HASH being
 * the first digits of its pin; it is written before the pair is put into the two files, and never
 * changed. */
#pragma once

#include "own-pair.h"

G_BEGIN_DECLS

/**
 * own_files_read:
 * @pair: (out): what can be read of the two files; empty halves for what is missing or damaged
 * @present: (out): at least one of the files is there
 *
 * Returns: FALSE with @error set when a file is there that cannot be read.
 */
gboolean own_files_read (const char *stem, OwnPair **pair, gboolean *present, GError **error);

/* Writes the copy of @pair, a whole one, unless it is there. */
gboolean own_files_keep_copy (const char *stem, const OwnPair *pair, GError **error);

/* Writes the copy of @pair and then the two files. Unless the files hold one whole pair, of which
 * there is a copy, they are first preserved as STEM.crt.old-N and STEM.key.old-N. */
gboolean own_files_write (const char *stem, const OwnPair *pair, GError **error);

/* All whole pairs of the copies, in no order: OwnPair. */
GPtrArray *own_files_list_copies (const char *stem);

G_END_DECLS
