/* acme-issue.h: a run that gets a certificate.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "acme-request.h"

G_BEGIN_DECLS

/* Ends with the event `certificate`. */
gboolean acme_issue_run (const AcmeRequest *request, AcmeSession *session, AcmeProblem *problem)
    G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
