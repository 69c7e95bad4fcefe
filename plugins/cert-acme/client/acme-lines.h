/* acme-lines.h: requests and events, JSON objects on pipes, one a line.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-problem.h"

G_BEGIN_DECLS

#define ACME_LINES_MAX (1024 * 1024)

typedef struct {
  int in, out;
  GString *held; /* read, and not yet a line */
} AcmeLines;

/* The descriptors stay the caller's. */
void acme_lines_init (AcmeLines *self, int in, int out);
void acme_lines_clear (AcmeLines *self);

/* Waits for the next line until @deadline_us. NULL: @problem is set. */
JsonObject *acme_lines_read (AcmeLines *self, gint64 deadline_us, AcmeProblem *problem);

/* Waits until @until_us. FALSE: the caller closed its end, and @problem is set. */
gboolean acme_lines_wait (AcmeLines *self, gint64 until_us, AcmeProblem *problem);

/* An event that is being written; the rest is added with acme_json_add(). */
JsonBuilder *acme_lines_begin (const char *event);
/* Takes @builder. What cannot be written has no reader, so nothing is said. */
void acme_lines_send (AcmeLines *self, JsonBuilder *builder);

void acme_lines_note (AcmeLines *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

G_END_DECLS
