/* fleet-request.h: one request over HTTP with headers and a body, made by a helper program.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A longer question or answer is refused. */
#define FLEET_REQUEST_MAX (5u << 20)

typedef struct {
  guint status;
  char *headers; /* a line for each */
  char *body;    /* terminated */
  gsize body_len;
} FleetReply;

void fleet_request_clear (FleetReply *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FleetReply, fleet_request_clear)

/**
 * fleet_request:
 * @headers: lines, each with its end; may have secrets, which stand in no argument of any program
 * @ca_file: (nullable)
 *
 * Returns: FALSE with @error when there was no answer; any status is one.
 */
gboolean fleet_request (const char *method, const char *url, const char *headers, const char *body,
                        const char *ca_file, gint64 limit_ms, FleetReply *reply, GError **error);

/* Value of a header; free with g_free(); NULL: there is none. Pure. */
char *fleet_request_header (const FleetReply *reply, const char *name);

/* What the API says is wrong, in its own words, else the status. Free with g_free(). Pure. */
char *fleet_request_complaint (const FleetReply *reply);

G_END_DECLS
