/* web-loop.h: drives transfers of libcurl from a GMainContext.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <curl/curl.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct _WebLoop WebLoop;

/* One transfer is over, and still in the loop. Called from the context, never from inside a call
 * for the loop; may add and remove transfers, and drop references to the loop. */
typedef void (*WebLoopDone) (CURL *easy, CURLcode code);

/* For the thread-default context of the caller, whose thread makes all calls for it. */
WebLoop *web_loop_new (guint connections_max, WebLoopDone done);
WebLoop *web_loop_ref (WebLoop *self);
/* With the last one all connections end. Transfers must have been removed before. */
void web_loop_unref (WebLoop *self);

void web_loop_add (WebLoop *self, CURL *easy);
void web_loop_remove (WebLoop *self, CURL *easy);

G_END_DECLS
