/* home-page.h: what the relay answers to someone who asks for `/`.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Longest page file in bytes. */
#define HOME_PAGE_FILE_MAX (1u << 20)

typedef enum {
  HOME_PAGE_BLANK,     /* 200 without content */
  HOME_PAGE_DEFAULT,   /* the built-in text */
  HOME_PAGE_NOT_FOUND, /* 404 */
  HOME_PAGE_REDIRECT,  /* 302 to `argument` */
  HOME_PAGE_FILE,      /* the file `argument` */
} HomePageSort;

/* Immutable. */
typedef struct {
  HomePageSort sort;
  char *argument; /* URL or path; NULL for the others */
} HomePage;

/**
 * home_page_new:
 * @text: `blank`, `default`, `not-found`, `redirect:URL` or `file:PATH`
 * @problem: what was found and what was expected, when NULL is returned; free with g_free()
 */
HomePage *home_page_new (const char *text, char **problem);
void home_page_free (HomePage *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (HomePage, home_page_free)

/**
 * home_page_read:
 * @path: an ordinary file of UTF-8 text, HOME_PAGE_FILE_MAX bytes at most
 * @problem: as above
 *
 * Returns: (transfer full) (nullable): its content.
 */
GBytes *home_page_read (const char *path, char **problem);

G_END_DECLS
