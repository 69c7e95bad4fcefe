/* prober-report.h: what the program saw at all nodes of a map, read from its document.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  PROBER_GOOD,
  PROBER_WARNING,
  PROBER_FAILED,
  PROBER_SKIPPED,
  PROBER_N_STATUS,
} ProberStatus;

/* All texts are one line of valid UTF-8, and short. */
typedef struct {
  char *region; /* number */
  char *node;   /* "900a"; of a packet between two nodes "900a>900b" */
  char *check;  /* "tls4" */
  char *code;   /* "pin_wrong" */
  char *text;
  ProberStatus status;
  gint64 took_us;        /* -1: nothing was measured */
  gint64 certificate_us; /* until it ends; -1: nothing is known of one */
  guint64 rate;          /* bytes a second; 0: nothing was measured */
} ProberCheck;

typedef struct {
  GPtrArray *checks; /* of ProberCheck */
  GPtrArray *advice; /* sentences on what a client would have done */
  const char *home;  /* the one on which region a client would take; NULL: there is none */
  guint n[PROBER_N_STATUS];
  guint n_map_errors;
} ProberReport;

/* "good"; the same words as in the document. */
const char *prober_status_name (ProberStatus status);

/* NULL with @error: it is no such document. */
ProberReport *prober_report_parse (const char *text, gsize len, GError **error);
void prober_report_free (ProberReport *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ProberReport, prober_report_free)

/* Region, node and check, with "\n" between them: tells a check from all others of a map. Free
 * with g_free(). */
char *prober_check_id (const ProberCheck *check);
/* "900a tls4"; free with g_free(). */
char *prober_check_name (const ProberCheck *check);
/* The first that has failed; NULL: none has. */
const ProberCheck *prober_report_first_failed (const ProberReport *self);

G_END_DECLS
