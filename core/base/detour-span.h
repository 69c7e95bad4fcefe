/* detour-span.h: a run of bytes that belongs to somebody else.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Laid out like struct iovec, so that an array of spans is what sendmsg() and
 * DetourChannelClass.seal() take. */
typedef struct {
  guint8 *data;
  gsize len;
} DetourSpan;

G_END_DECLS
