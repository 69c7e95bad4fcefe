/* api-answer.h: what answers of an API mean that are no list of devices: tokens and refusals.
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pure functions, any thread. Status and body are not trusted. */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

/* A longer answer is none of these. */
#define API_ANSWER_MAX 65536u

/* An access token. */
typedef struct {
  char *text; /* fits into a header */
  guint life; /* seconds that it is good for */
} ApiToken;

/* The text is wiped. */
void api_token_clear (ApiToken *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ApiToken, api_token_clear)

/**
 * api_token_parse:
 * @body: (array length=len): of an answer with status 200; need not be terminated
 *
 * No message of @error has a part of the body, which may be secret.
 */
gboolean api_token_parse (ApiToken *self, const char *body, gsize len, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

/* What the API says is wrong, in its own words: the first of `message`, `error_description`,
 * `error`, `detail` and `title` that is there, or a short line of text. NULL: it says nothing that
 * can be shown. Free with g_free(). */
char *api_answer_message (const char *body, gsize len);

/* One line without control characters fits into a header of HTTP; "" does not. */
gboolean api_answer_is_header_safe (const char *text);

G_END_DECLS
