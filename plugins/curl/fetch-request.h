/* fetch-request.h: one request of detourctl with headers and a body, and all of its answer.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * fetch_request_run:
 * @max: bytes that question and answer may each have
 * @ca_file: (nullable): authorities that are trusted instead of the system's
 *
 * Standard input has `METHOD URL`, a line for each header, an empty line, and the body. Standard
 * output gets the status, a line for each header, an empty line, and the body. Redirects are not
 * followed, because the headers may have secrets, which is also why they are no arguments.
 *
 * Returns: status to end with; 1 after one line on standard error
 */
int fetch_request_run (gsize max, long limit_ms, const char *ca_file);

G_END_DECLS
