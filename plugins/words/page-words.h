/* page-words.h: texts in the language of whoever reads a page.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gettext() knows one language for a process; readers of pages have several. So the catalogues are
 * read here, as msgfmt writes them. Immutable once made. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _PageWords PageWords;
typedef struct _PageLanguage PageLanguage;

/* Reads all catalogues there are: LANGUAGE/LC_MESSAGES/detour.mo below @directory. */
PageWords *page_words_new (const char *directory);
void page_words_free (PageWords *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PageWords, page_words_free)

/* @accept: (nullable): the header Accept-Language; without it the locale of the daemon counts.
 * Never NULL: there is always English. */
const PageLanguage *page_words_choose (const PageWords *self, const char *accept);

/* "de", as HTML names it. */
const char *page_language_tag (const PageLanguage *self);
/* The translation of @text, or @text. */
const char *page_language_say (const PageLanguage *self, const char *text);

G_END_DECLS
