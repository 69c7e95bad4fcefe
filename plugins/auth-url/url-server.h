/* url-server.h: how one admission server is doing.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "detour-plugin.h"

G_BEGIN_DECLS

typedef struct {
  char *url;
  char *host;              /* with port */
  gboolean has_allowed;    /* or denied in a whole answer, since the start */
  guint odd_status;        /* 4xx that denied all so far; 0: none */
  char *trouble;           /* why the last request was no good; NULL: it was */
  gint64 trouble_since_us; /* Unix time */
  gint64 failed_us;        /* when the trouble began; monotonic */
  gint64 retry_us;         /* it is asked last until then, and not looked at; monotonic */
  gint64 look_us;          /* when it is looked at next */
  gint64 latency_us;       /* mean of its last answers; 0: none yet */
  char *question;          /* that it gave no verdict on, as it was sent; NULL: none */
  guint n_silent;          /* questions in a row without any answer */
} UrlServer;

UrlServer *url_server_new (const char *url);
void url_server_free (UrlServer *self);

/* It gave a verdict, with @status; or, @status 0, it is there. */
void url_server_note_good (UrlServer *self, guint status, gint64 elapsed_us);
/* @reason: what was wrong, with its name; @question: (nullable): what it was asked;
 * @retry_after_s: what it asks for, -1: nothing */
void url_server_note_bad (UrlServer *self, const char *reason, const char *question,
                          gint64 retry_after_s);

/* (nullable): what an operator should know; free with g_free(). */
char *url_server_trouble (const UrlServer *self);

/* The one that is asked next, of those whose bit is not in @tried; NULL: none is left. */
UrlServer *url_server_choose (const GPtrArray *servers, guint64 tried, guint *index);

G_END_DECLS
