/* debug-page.h: a page on its way, and the pages there are.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "debug-html.h"
#include "debug-query.h"
#include "debug-ring.h"
#include "debug-source.h"

G_BEGIN_DECLS

/* Thread of the pages. */
typedef struct {
  DebugHtml html;
  const DebugQuery *query;
  DebugSource *source;
  const DebugRing *ring;
  GMutex *ring_lock; /* held while it is read */
  gint64 now_us;     /* Unix time */
  guint status;      /* 200 at first */
} DebugPage;

typedef struct {
  const char *path;  /* "/debug/clients/" */
  const char *title; /* NULL: it is not in the list of pages */
  /* Writes what is in <main>. FALSE with @error set: what was asked for failed; what was written so
   * far is dropped. */
  gboolean (*write) (DebugPage *page, GError **error);
  /* The same as plain text, the whole of it, for programs that do not ask for HTML; NULL: they get
   * the page. */
  gboolean (*write_plain) (DebugPage *page, GError **error);
} DebugPageClass;

/* Ends with { NULL }; the first one is the overview. */
extern const DebugPageClass debug_pages[];

gboolean debug_overview_write (DebugPage *page, GError **error);
gboolean debug_clients_write (DebugPage *page, GError **error);
gboolean debug_client_write (DebugPage *page, GError **error);
gboolean debug_plugins_write (DebugPage *page, GError **error);
gboolean debug_certificates_write (DebugPage *page, GError **error);
gboolean debug_admission_write (DebugPage *page, GError **error);
gboolean debug_budgets_write (DebugPage *page, GError **error);
gboolean debug_mesh_write (DebugPage *page, GError **error);
gboolean debug_config_write (DebugPage *page, GError **error);
gboolean debug_check_write (DebugPage *page, GError **error);
gboolean debug_check_write_plain (DebugPage *page, GError **error);

/* The whole document, with @cls as its <main>. */
void debug_page_write (DebugPage *page, const DebugPageClass *cls);
void debug_page_write_plain (DebugPage *page, const DebugPageClass *cls);

/* The stylesheet. */
extern const char debug_style[];

G_END_DECLS
