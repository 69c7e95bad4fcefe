/* renewal-import.h: what derper's `-certdir` has of account and certificates.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "renewal-options.h"
#include "renewal-pair.h"

G_BEGIN_DECLS

/* The key of the account in PEM, for renewal_pair_wipe(); NULL: there is none, or none is wanted.
 */
char *renewal_import_account (const RenewalOptions *options);

/* Pairs (RenewalPair) that are valid at @now, at least one of the wanted names each; the first ones
 * are for the first names. Never NULL. */
GPtrArray *renewal_import_pairs (const RenewalOptions *options, gint64 now);

G_END_DECLS
