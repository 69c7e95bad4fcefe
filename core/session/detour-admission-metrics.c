/* detour-admission-metrics.c: what each number of the admission is called.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-verdict-stats.h"

#define ROW(name, member, help) DETOUR_METRIC_ROW (DetourAdmissionStats, member, name, NULL, help)
#define VERDICT(result, member)                                  \
  {                                                              \
    "admission_verdicts", NULL, "verdicts on clients that came", \
        G_STRUCT_OFFSET (DetourAdmissionStats, member),          \
    {                                                            \
      "result", result                                           \
    }                                                            \
  }

const DetourMetricRow detour_admission_metrics[] = {
  ROW ("admission_questions", asked, "clients that came and were asked about"),
  VERDICT ("allow", allowed),
  VERDICT ("deny", denied),
  VERDICT ("unavailable", unavailable),
  ROW ("admission_by_grace", by_grace, "clients let in because they were allowed lately"),
  ROW ("admission_cached", cached, "verdicts that were remembered"),
  ROW ("admission_shared", shared, "clients that waited for the answer to another one"),
  ROW ("admission_dry_run", let_in, "refusals that a dry run did not carry out"),
  ROW ("admission_rechecks", rechecked, "connected clients that were asked about again"),
  ROW ("admission_revoked", revoked, "connected clients that were denied"),
  { NULL },
};
