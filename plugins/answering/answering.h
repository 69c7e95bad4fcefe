/* answering.h: how those answer that a plugin asks, in words, and when to tell it.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What was told last; all zero: nothing yet. */
typedef struct {
  char *summary;
  char *trouble; /* NULL: none */
  gboolean has_latency;
  gint64 told_us; /* monotonic */
} Answering;

void answering_clear (Answering *self);

/**
 * answering_take:
 * @latency_us: of answers; 0: there is none
 * @trouble: "": none
 *
 * Returns: whether @self has changed and is to be told now. A change of the latency alone is told
 * once a second at most.
 */
gboolean answering_take (Answering *self, gint64 latency_us, const char *trouble, gint64 now_us);

/* "TROUBLE; since TIME". @since_us: of the real clock */
char *answering_since (const char *trouble, gint64 since_us);

G_END_DECLS
