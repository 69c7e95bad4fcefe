/* next-handover.c: the record that a later version may write and read; see README.md.
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "detour-handover.h"

#include "next.h"

static guint32
next_format (void)
{
  return next_is ("format") ? 2 : 1;
}

/* What is static here stays so where it is defined below. */
static DetourHandoverDraft *handover_draft_new_of_today (GError **error);

#undef DETOUR_HANDOVER_FORMAT
#define DETOUR_HANDOVER_FORMAT    next_format ()
#define detour_handover_draft_new handover_draft_new_of_today
#include "../../core/session/detour-handover.c"
#undef detour_handover_draft_new

DetourHandoverDraft *
detour_handover_draft_new (GError **error)
{
  DetourHandoverDraft *self = handover_draft_new_of_today (error);

  if (self != NULL)
    detour_record_put_text (detour_handover_draft_record (self),
                            next_is ("must") ? NEXT_TAG | DETOUR_RECORD_MUST : NEXT_TAG, "news");
  return self;
}
