/* cert-watch.h: watches directories and reports changes once they have settled.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread; events come through its default main context. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _CertWatch CertWatch;
typedef void (*CertWatchChanged) (gpointer user);

/* @changed is called @settle_ms after the first event of a burst, so that a renewal has time to
 * write both files. */
CertWatch *cert_watch_new (guint settle_ms, CertWatchChanged changed, gpointer user);
/* Watches the directory of @path; FALSE with @error when it cannot be watched. A directory that is
 * watched already is not added again. */
gboolean cert_watch_add (CertWatch *self, const char *path, GError **error);
void cert_watch_free (CertWatch *self);

G_END_DECLS
