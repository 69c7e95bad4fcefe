/* detourctl-top.h: what `detourctl top` shows, as lines of a screen.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure, but for the language. */
#pragma once

#include "detourctl.h"

G_BEGIN_DECLS

/* An order of clients, and the key that chooses it. */
typedef struct {
  char key;
  const char *order; /* of ListClients() */
  const char *word;  /* translatable */
} DetourctlTopOrder;

/* Ends with { 0 }. */
extern const DetourctlTopOrder detourctl_top_orders[];

typedef struct {
  GVariant *manager; /* a{sv}: properties of the Manager */
  GVariant *rows;    /* aa{sv}: of ListClients(), with rates */
  const DetourctlTopOrder *order;
  gboolean reverse;
  gboolean shows_help;
  const char *trouble; /* (nullable): shown in place of the help */
  /* Totals of the relay at the look before, and how long ago that was; 0: there was none. */
  guint64 bytes_in, bytes_out, packets, dropped, span_us;
} DetourctlTopView;

/* Lines of a screen, none wider than it; free with g_strfreev(). */
char **detourctl_top_lines (const Detourctl *self, const DetourctlTopView *view, guint width,
                            guint height);

/* The table alone, likewise. */
char **detourctl_top_table (const Detourctl *self, GVariant *rows, guint width);

/* Rows that have room on it. */
guint detourctl_top_n_rows (guint height);

G_END_DECLS
