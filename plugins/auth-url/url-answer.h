/* url-answer.h: what is asked of an admission URL, and what its answer means.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* Bytes that the body of an answer may have. */
#define URL_ANSWER_MAX (16u << 10)

typedef struct {
  DetourAuthResult result;
  char *reason;  /* of a denial, and why it is no verdict */
  char *label;   /* NULL: none */
  char *class_;  /* NULL: none */
  gint64 ttl_us; /* 0: it does not say */
} UrlAnswer;

void url_answer_clear (UrlAnswer *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (UrlAnswer, url_answer_clear)

/* What derper sends; @address: of the client, "" when unknown. Free with g_free(). */
char *url_answer_question (const guint8 *key, const char *address);

/* Fills @self, which is overwritten. DETOUR_AUTH_UNAVAILABLE: this is no verdict on a key. */
void url_answer_judge (UrlAnswer *self, guint status, const char *body, gsize len);

/* Whether the text can be the name of a class. */
gboolean url_answer_is_class (const char *text);

G_END_DECLS
