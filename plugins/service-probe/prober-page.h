/* prober-page.h: what the last look saw, as a page for people and as the document of the program.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Main thread; the page is asked for on others. */
#pragma once

#include "detour-plugin.h"
#include "page-words.h"
#include "prober-report.h"

G_BEGIN_DECLS

typedef struct _ProberPage ProberPage;

/* Adds the routes. Where another instance has them, that one is shown. */
ProberPage *prober_page_new (DetourHost *host);
/* No route is asked any more. */
void prober_page_free (ProberPage *self);

/* @report: (transfer full): @document: what it was read from */
void prober_page_update (ProberPage *self, ProberReport *report, const char *document, gsize len);

/* The page itself; free with g_free(). Pure. @when: as it is shown; @query: of the request, for the
 * links */
char *prober_page_write (const ProberReport *report, const char *when, const PageLanguage *language,
                         const char *query);

G_END_DECLS
